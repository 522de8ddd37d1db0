"""JSON that every reader takes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final

__all__ = ["UNFIT", "clean", "dump_json"]

_HALF_PAIR: Final = re.compile("[\ud800-\udfff]")
"""Half a surrogate pair, which UTF-8 cannot encode, and JSON readers refuse."""
UNFIT: Final = re.compile(f"\0|{_HALF_PAIR.pattern}")
"""The same, and U+0000, which PostgreSQL's jsonb refuses."""
_REPLACEMENT: Final = "\ufffd"
_LONGEST_INTEGER: Final = 1024
"""Bits of an integer that every float can hold: some readers refuse a longer one."""
_DEEPEST: Final = 101
"""Levels of ``extra`` at the most; DuckDB reads 128."""


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


def clean(value: Any, unfit: re.Pattern[str] = _HALF_PAIR, *, depth: int = 0) -> Any:
    """Return *value*, read from JSON, as common readers of JSON take it.

    Args:
        value: The value.
        unfit: The characters that become U+FFFD; by default halves of surrogate pairs. An integer of more than 1,024
            bits becomes a text, and values nested too deeply a note.
        depth: The level of *value*.
    """
    match value:
        case str():
            return unfit.sub(_REPLACEMENT, value)
        case int() if value.bit_length() >= _LONGEST_INTEGER:
            return str(value)
        case dict() | list() if depth == _DEEPEST:
            return "(nested too deeply)"
        case dict():
            return {unfit.sub(_REPLACEMENT, name): clean(each, unfit, depth=depth + 1) for name, each in value.items()}
        case list():
            return [clean(each, unfit, depth=depth + 1) for each in value]
        case _:
            return value


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
