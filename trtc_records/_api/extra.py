"""The fields of a record that this version does not know: kept as they are, unless they are nested too deeply."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

__all__ = ["TOO_DEEP", "is_too_deep", "read_extras"]

_DEEPEST: Final = 100
"""Levels of an unknown field: Python's own limit is some 1,000 calls."""
_CONTAINERS: Final = frozenset({dict, list})
TOO_DEEP: Final = f"nested more than {_DEEPEST} levels deep"


def read_extras(raws: Sequence[dict[str, Any]], known: AbstractSet[str]) -> list[dict[str, Any]]:
    """Return, for each record, the fields that are not *known*.

    Raises:
        ValueError: A value is nested too deeply.
    """
    unknown = set().union(*raws) - known
    if not unknown:
        return [{} for _ in raws]
    if len(unknown) > 1:  # each in its own order
        extras = [{name: value for name, value in raw.items() if name in unknown} for raw in raws]
    else:
        (name,) = unknown
        extras = [{name: raw[name]} if name in raw else {} for raw in raws]
    for extra in extras:
        for value in extra.values():
            if type(value) in _CONTAINERS and is_too_deep(value):
                raise ValueError(TOO_DEEP)
    return extras


def is_too_deep(value: Any) -> bool:
    """Tell whether *value* is nested so deeply that code which follows its levels by calls may fail."""
    level = [value]
    for _ in range(_DEEPEST + 1):
        if _CONTAINERS.isdisjoint(map(type, level)):
            return False
        inside: list[Any] = []
        for each in level:
            if type(each) in _CONTAINERS:
                inside += each.values() if type(each) is dict else each
        level = inside
    return True
