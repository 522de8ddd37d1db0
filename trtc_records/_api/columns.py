"""Read the records of a page one field at a time, in loops that run in C.

:mod:`trtc_records._api.wire` defines how a value is read. Here the values that are of the common types are converted
together, in half the time of a call for each of them; all others are read by that definition, one by one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from enum import Enum
from itertools import chain, repeat
from typing import Any, Final

import attrs

from trtc_records._api.models import CallRecord

__all__ = [
    "Column",
    "as_it_is",
    "fill_records",
    "to_members",
    "to_optional_text",
    "to_optional_times",
    "to_times",
    "to_tuples",
]

_Convert = Callable[[list[Any]], Iterable[Any]]

_from_timestamp: Final = datetime.fromtimestamp
_TEXT: Final = {str}
_SET_SLOTS: Final = [vars(CallRecord)[field.name].__set__ for field in attrs.fields(CallRecord)]


@attrs.frozen
class Column:
    """One field of all records on a page."""

    name: str
    """The service's name of the field."""
    is_optional: bool
    """Whether a record may lack it, which is the same as ``None``."""
    read: Callable[[Any], object]
    """Reads one value, of any type."""
    kinds: frozenset[type]
    """The types of value that ``convert`` takes."""
    convert: _Convert
    """Reads all values together; it may fail where ``read`` does not, but reads nothing that ``read`` refuses."""

    def take(self, raws: Sequence[dict[str, Any]]) -> list[Any]:
        """Return the field of each record.

        Raises:
            Exception: One of them is missing, or cannot be read.
        """
        name = self.name
        values = [raw.get(name) for raw in raws] if self.is_optional else [raw[name] for raw in raws]
        if self.kinds.issuperset(map(type, values)):
            try:
                return list(self.convert(values))
            except (ValueError, OverflowError):
                pass
        return list(map(self.read, values))


def as_it_is(values: list[Any]) -> list[Any]:
    """Return *values*."""
    return values


def to_optional_text(values: list[str | None]) -> list[str]:
    """Return texts."""
    return [value or "" for value in values]


def to_tuples(values: list[list[Any]]) -> Iterable[tuple[str, ...]]:
    """Return lists of texts as tuples."""
    if not _TEXT.issuperset(map(type, chain.from_iterable(values))):
        raise ValueError("expected texts")
    return map(tuple, values)


def to_members(known: type[Enum]) -> _Convert:
    """Return a function that reads members of *known*, and keeps other values as they are."""
    get = {member.value: member for member in known}.get
    return lambda values: map(get, values, values)


def to_times(values: list[int]) -> Iterable[datetime]:
    """Return times, all of which are set."""
    if values and min(values) <= 0:
        raise ValueError("a time is not set")
    return map(_from_timestamp, values, repeat(UTC))


def to_optional_times(values: list[int | None]) -> list[datetime | None]:
    """Return times, ``None`` for those that are not set."""
    return [_from_timestamp(value, UTC) if value is not None and value > 0 else None for value in values]


def fill_records(columns: Sequence[list[Any]]) -> tuple[CallRecord, ...]:
    """Return records of their fields, in the order of the class.

    The slots are filled field by field: called for each record, the ``__init__`` of a frozen class takes longer than
    the conversion of all its values.
    """
    records = tuple(map(object.__new__, repeat(CallRecord, len(columns[0]))))
    for set_slot, column in zip(_SET_SLOTS, columns, strict=True):
        deque(map(set_slot, records, column), maxlen=0)  # runs through it
    return records
