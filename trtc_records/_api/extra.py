"""The fields of a record that this version does not know: kept as they are, unless they are nested too deeply."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any, Final

__all__ = ["TOO_DEEP", "is_too_deep", "read_extras"]

_DEEPEST: Final = 100
"""Levels of an unknown field: Python's own limit is some 1,000 calls."""
_CONTAINERS: Final = frozenset({dict, list})
TOO_DEEP: Final = f"nested more than {_DEEPEST} levels deep"


def read_extras(raws: Iterable[dict[str, Any]], known: Container[str]) -> list[dict[str, Any]]:
    """Return, for each record, the fields that are not *known*.

    The records of a page have few sets of field names: the unknown ones are found out once for each set.

    Raises:
        ValueError: A value is nested too deeply.
    """
    unknown: dict[tuple[str, ...], list[str]] = {}
    extras = []
    for raw in raws:
        names = tuple(raw)
        if names not in unknown:
            unknown[names] = [name for name in names if name not in known]
        extra = {}
        for name in unknown[names]:
            extra[name] = value = raw[name]
            if type(value) in _CONTAINERS and is_too_deep(value):
                raise ValueError(TOO_DEEP)
        extras.append(extra)
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
