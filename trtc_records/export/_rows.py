"""The row of a call record, the same in every format.

Any reader of a format has to take its files. Readers refuse half a surrogate pair, which UTF-8 cannot encode, and a
column whose values differ in type. A value that its column cannot hold is therefore replaced by the nearest one that it
can hold, and ``extra`` keeps the exact value, as JSON text in ASCII, under ``_exact`` and the column's name:
``json.loads(json.loads(row["extra"])["_exact"]["caller"])``. So :func:`record_from_row` returns the record that was
written. ``extra`` is JSON text in every format: as an object, most readers refuse it once a field changes its type.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from operator import attrgetter, itemgetter
from typing import Any, Final

from trtc_records._api.models import CallRecord, CallResult, CallType, MediaType, RoomIdType
from trtc_records._api.times import to_utc
from trtc_records.export._columns import COLUMNS, Kind, names_of
from trtc_records.export._json import UNFIT, clean, dump_json

__all__ = [
    "LIST_COLUMNS",
    "TEXT_COLUMNS",
    "keep_exact",
    "make_row",
    "make_typed_columns",
    "make_typed_row",
    "record_from_row",
    "record_to_row",
    "show_time",
]

TEXT_COLUMNS: Final = names_of(Kind.TEXT)
LIST_COLUMNS: Final = names_of(Kind.TEXTS)
_TIME_COLUMNS: Final = names_of(Kind.TIME)
_SECONDS_COLUMNS: Final = names_of(Kind.SECONDS)
_INTEGER_COLUMNS: Final = names_of(Kind.INTEGER)
_NAMES: Final = names_of(*Kind)
_get_values: Final = attrgetter(*(column.source for column in COLUMNS))
_get_texts: Final = itemgetter(*TEXT_COLUMNS)

_EXACT: Final = "_exact"
_EXACT_NAMES: Final = re.compile("_+exact")
_ENUMS: Final[dict[str, type[Enum]]] = {
    "media_type": MediaType,
    "call_type": CallType,
    "call_result": CallResult,
    "room_id_type": RoomIdType,
}
_TIMES: Final = {datetime, type(None)}
_LONG_NUMBER: Final = re.compile("[0-9]{300}")
_NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""U+0000 in JSON text; after an odd number of backslashes it is these characters themselves."""
_SMALLEST_INTEGER, _LARGEST_INTEGER = -(2**63), 2**63 - 1


def record_to_row(record: CallRecord) -> dict[str, Any]:
    """Return *record* as a row of JSON Lines: times in ISO 8601 and UTC, durations in seconds, ``extra`` as JSON text.

    A value that its column cannot hold (half a surrogate pair, a result that is a number) is replaced by the nearest
    one that it can hold; ``extra`` keeps the exact value, as JSON text, under ``_exact`` and the column's name.
    """
    row = make_typed_row(record)
    for name in LIST_COLUMNS:
        row[name] = list(row[name])
    for name in _TIME_COLUMNS:
        row[name] = row[name] and show_time(row[name])
    return row


make_row = record_to_row
"""The earlier name of :func:`record_to_row`."""


def record_from_row(row: Mapping[str, Any]) -> CallRecord:
    """Return the record of a row of any format: the one from which :func:`record_to_row` made it.

    Times may be ISO 8601 texts or datetimes, ``callees`` may be JSON text, and ``extra`` an object. ``ring_seconds``
    and ``talk_seconds``, which follow from the times, and columns with other names are ignored.

    Args:
        row: The values by column.

    Raises:
        ValueError: A column is missing, or holds a value of another type; the message names it.
    """
    values = {}
    for name, read in _READERS.items():
        try:
            values[name] = read(row[name])
        except KeyError:
            raise ValueError(f"the column {name} is missing") from None
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"the column {name} cannot be read: {error}") from None
    extra: dict[str, Any] = values["extra"]
    if names := [name for name in extra if _EXACT_NAMES.fullmatch(name)]:
        exact = extra.pop(max(names, key=len))
        try:
            values |= {name: json.loads(text) for name, text in exact.items() if text is not None}
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"the exact values in extra cannot be read: {error}") from None
    values |= {name: tuple(values[name]) for name in LIST_COLUMNS}
    values |= {name: _find_member(kind, values[name]) for name, kind in _ENUMS.items()}
    return CallRecord(**values)


def _find_member(kind: type[Enum], value: object) -> object:
    """Return the member with *value*; a value that Tencent added later stays as it is."""
    try:
        return kind(value)
    except ValueError:
        return value


def _read_json(made: type, *kinds: type) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        found = json.loads(value) if isinstance(value, str) else value
        if not isinstance(found, (made, *kinds)):
            raise TypeError(f"expected {made.__name__}, got {type(found).__name__}")
        return made(found)

    return read


def _read_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {type(value).__name__}")
    return value


def _read_time(value: Any) -> datetime | None:
    if value is None or value == "":
        return None
    return to_utc(datetime.fromisoformat(value) if isinstance(value, str) else value)


def _read_integer(value: Any) -> int | None:
    return None if value is None or value == "" else int(value)


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    column.name: {
        Kind.TEXT: _read_text,
        Kind.TEXTS: _read_json(list, tuple),
        Kind.TIME: _read_time,
        Kind.INTEGER: _read_integer,
        Kind.OBJECT: _read_json(dict),
    }[column.kind]
    for column in COLUMNS
    if column.source == column.name
}


def make_typed_row(record: CallRecord) -> dict[str, Any]:
    """Return *record* as a row of typed columns: times as datetimes, ``extra`` as JSON text."""
    row = dict(zip(_NAMES, _get_values(record), strict=True))
    for name in _SECONDS_COLUMNS:
        if row[name] is not None:
            row[name] = int(row[name].total_seconds())
    for name in _TIME_COLUMNS:
        if row[name] is not None and type(row[name]) is not datetime:
            row[name] = to_utc(row[name])
    if not _fits(row):
        row = _fit(row)
    row["extra"] = dump_json(row["extra"]) if row["extra"] else "{}"
    return row


def make_typed_columns(records: Sequence[CallRecord]) -> list[Sequence[Any]]:
    """Return the columns of the typed rows of *records*, of which there is one at least."""
    columns = dict(zip(_NAMES, zip(*map(_get_values, records), strict=True), strict=True))
    if not _all_fit(columns):
        return list(zip(*(make_typed_row(record).values() for record in records), strict=True))
    for name in _SECONDS_COLUMNS:
        columns[name] = tuple(None if value is None else int(value.total_seconds()) for value in columns[name])
    columns["extra"] = tuple(dump_json(extra) if extra else "{}" for extra in columns["extra"])
    return [*columns.values()]


def _all_fit(columns: Mapping[str, tuple[Any, ...]]) -> bool:
    """Return whether every column can hold all its values as they are, as those of common records."""
    try:
        for name in TEXT_COLUMNS:
            "".join(columns[name]).encode()
        for name in LIST_COLUMNS:
            "".join(map("".join, columns[name])).encode()
    except (TypeError, UnicodeEncodeError):
        return False
    return (
        all(map(_extra_fits, filter(None, columns["extra"])))
        and {type(value) for name in _TIME_COLUMNS for value in columns[name]} <= _TIMES
        and all(_is_integer(value) for name in _INTEGER_COLUMNS for value in columns[name])
    )


def keep_exact(extra: Mapping[str, Any], exact: Mapping[str, Any]) -> dict[str, Any]:
    """Return *extra* with the values of *exact*, by column, as JSON text; their name has the most underscores."""
    longest = max((name for name in extra if _EXACT_NAMES.fullmatch(name)), key=len, default="")  # Tencent's
    name = f"_{longest}" if longest else _EXACT
    return {**extra, name: _Exact({column: dump_json(value) for column, value in exact.items()})}


class _Exact(dict[str, str]):
    """Exact values that this library made; an equal object may also come from the service."""


def show_time(time: datetime) -> str:
    """Return a time in ISO 8601 and UTC."""
    return to_utc(time).isoformat().replace("+00:00", "Z")


def _fits(row: Mapping[str, Any]) -> bool:
    """Return whether every column can hold its value, as in nearly all records."""
    try:
        "".join(_get_texts(row)).encode()
        for name in LIST_COLUMNS:
            "".join(row[name]).encode()
    except (TypeError, UnicodeEncodeError):
        return False
    if row["extra"] and not _extra_fits(row["extra"]):
        return False
    for name in _INTEGER_COLUMNS:  # noqa: SIM110  (a generator for all() costs more than the checks)
        if not _is_integer(row[name]):
            return False
    return True


def _extra_fits(extra: Mapping[str, Any]) -> bool:
    text = dump_json(extra, ensure_ascii=False)
    return not (UNFIT.search(text) or _NUL.search(text) or _LONG_NUMBER.search(text) or _is_ambiguous(extra))


def _is_ambiguous(extra: Mapping[str, Any]) -> bool:
    """Return whether a field of Tencent's would be taken for exact values."""
    names = [name for name in extra if _EXACT_NAMES.fullmatch(name)]
    return bool(names) and not isinstance(extra[max(names, key=len)], _Exact)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and _SMALLEST_INTEGER <= value <= _LARGEST_INTEGER


def _fit(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return *row* with values that its columns can hold, and the exact ones in ``extra``."""
    fitted: dict[str, Any] = {name: clean(str(row[name])) for name in TEXT_COLUMNS}
    fitted |= {name: tuple(map(clean, row[name])) for name in LIST_COLUMNS}
    fitted |= {name: row[name] if _is_integer(row[name]) else None for name in _INTEGER_COLUMNS}
    fitted["extra"] = clean(row["extra"], UNFIT)
    exact = {name: row[name] for name, value in fitted.items() if value != row[name]}
    if exact or _is_ambiguous(fitted["extra"]):
        fitted["extra"] = keep_exact(fitted["extra"], exact)
    return {**row, **fitted}
