"""Write JSON that every reader takes."""

from __future__ import annotations

import json
import math
from typing import Any

__all__ = ["dump_json"]


def dump_json(value: Any, **options: Any) -> str:
    """Return *value* as JSON.

    JSON has no infinite number, and none that is not a number. The service may send one (``1e999`` is one in Python):
    it becomes the text ``"Infinity"``, ``"-Infinity"`` or ``"NaN"``.

    Args:
        value: What a JSON text was read into.
        options: As :func:`json.dumps` has them.
    """
    try:
        return json.dumps(value, allow_nan=False, **options)
    except ValueError:
        return json.dumps(_spell_out(value), allow_nan=False, **options)


def _spell_out(value: Any) -> Any:
    """Return *value* with a text for each number that JSON does not have."""
    match value:
        case float() if not math.isfinite(value):
            return json.dumps(value)
        case dict():
            return {name: _spell_out(each) for name, each in value.items()}
        case list():
            return [_spell_out(each) for each in value]
        case _:
            return value
