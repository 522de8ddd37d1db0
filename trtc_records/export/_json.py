"""JSON that every reader takes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from typing import Any

__all__ = ["dump_json"]


def dump_json(value: Any, **options: Any) -> str:
    """Return *value* as JSON.

    JSON has no infinite number and no NaN. The service may send one (Python reads ``1e999`` as infinite): it becomes
    the text ``"Infinity"``, ``"-Infinity"`` or ``"NaN"``.

    Args:
        value: A value read from JSON.
        options: Options of :class:`json.JSONEncoder`.
    """
    encode = _make_encoder(**options)
    try:
        return encode(value)
    except ValueError:
        return encode(_spell_out(value))


@cache  # a new encoder costs as much as encoding a small value
def _make_encoder(**options: Any) -> Callable[[Any], str]:
    return json.JSONEncoder(allow_nan=False, **options).encode


def _spell_out(value: Any) -> Any:
    """Return *value* with text in place of each number that JSON does not have."""
    match value:
        case float() if not math.isfinite(value):
            return json.dumps(value)
        case dict():
            return {name: _spell_out(each) for name, each in value.items()}
        case list():
            return [_spell_out(each) for each in value]
        case _:
            return value
