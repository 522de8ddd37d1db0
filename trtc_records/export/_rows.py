"""The row of a call record, the same in every format.

Any reader of a format has to take its files. Readers refuse half a surrogate pair, which UTF-8 cannot encode, and a
column whose values differ in type. A value that its column cannot hold is therefore replaced by the nearest one that it
can hold, and ``extra`` keeps the exact value, as JSON text in ASCII, under ``_exact`` and the column's name:
``json.loads(row["extra"]["_exact"]["caller"])``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import Any, Final

from trtc_records._api.models import CallRecord
from trtc_records._api.times import to_utc
from trtc_records.export._columns import COLUMNS, Kind, names_of
from trtc_records.export._json import clean, dump_json

__all__ = ["LIST_COLUMNS", "TEXT_COLUMNS", "keep_exact", "make_row", "make_typed_row"]

TEXT_COLUMNS: Final = names_of(Kind.TEXT)
LIST_COLUMNS: Final = names_of(Kind.TEXTS)
_TIME_COLUMNS: Final = names_of(Kind.TIME)
_SECONDS_COLUMNS: Final = names_of(Kind.SECONDS)
_INTEGER_COLUMNS: Final = names_of(Kind.INTEGER)
_NAMES: Final = tuple(column.name for column in COLUMNS)
_get_values: Final = attrgetter(*(column.source for column in COLUMNS))
_get_texts: Final = itemgetter(*TEXT_COLUMNS)

_EXACT: Final = "_exact"
_LONG_NUMBER: Final = re.compile("[0-9]{300}")
_SMALLEST_INTEGER, _LARGEST_INTEGER = -(2**63), 2**63 - 1


def make_row(record: CallRecord) -> dict[str, Any]:
    """Return *record* as a row of JSON Lines: times in ISO 8601 and UTC, durations in seconds.

    A value that its column cannot hold (half a surrogate pair, a result that is a number) is replaced by the nearest
    one that it can hold; ``extra`` keeps the exact value, as JSON text, under ``_exact`` and the column's name.
    """
    row = _read_row(record)
    for name in LIST_COLUMNS:
        row[name] = list(row[name])
    for name in _TIME_COLUMNS:
        row[name] = row[name] and _show_time(row[name])
    return row


def make_typed_row(record: CallRecord) -> dict[str, Any]:
    """Return *record* as a row of typed columns: times as datetimes, ``extra`` as JSON text."""
    row = _read_row(record)
    row["extra"] = dump_json(row["extra"]) if row["extra"] else "{}"
    return row


def keep_exact(extra: Mapping[str, Any], exact: Mapping[str, Any]) -> dict[str, Any]:
    """Return *extra* with the values of *exact*, by column, as JSON text; it has a name that *extra* does not use."""
    name = _EXACT
    while name in extra:  # a field of Tencent's
        name = f"_{name}"
    return {**extra, name: {column: dump_json(value) for column, value in exact.items()}}


def _show_time(time: datetime) -> str:
    return to_utc(time).isoformat().replace("+00:00", "Z")


def _read_row(record: CallRecord) -> dict[str, Any]:
    """Return the values of *record* by column, each of them one that its column can hold."""
    row = dict(zip(_NAMES, _get_values(record), strict=True))
    for name in _SECONDS_COLUMNS:
        if row[name] is not None:
            row[name] = int(row[name].total_seconds())
    for name in _TIME_COLUMNS:
        if row[name] is not None and type(row[name]) is not datetime:
            row[name] = to_utc(row[name])
    return row if _fits(row) else _fit(row)


def _fits(row: Mapping[str, Any]) -> bool:
    """Return whether every column can hold its value, as in nearly all records."""
    try:
        "".join(_get_texts(row)).encode()
        for name in LIST_COLUMNS:
            "".join(row[name]).encode()
        if row["extra"]:
            extra = dump_json(row["extra"], ensure_ascii=False)
            extra.encode()
            if _LONG_NUMBER.search(extra):
                return False
    except (TypeError, UnicodeEncodeError):
        return False
    return all(_is_integer(row[name]) for name in _INTEGER_COLUMNS)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and _SMALLEST_INTEGER <= value <= _LARGEST_INTEGER


def _fit(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return *row* with values that its columns can hold, and the exact ones in ``extra``."""
    fitted: dict[str, Any] = {name: clean(str(row[name])) for name in TEXT_COLUMNS}
    fitted |= {name: tuple(map(clean, row[name])) for name in LIST_COLUMNS}
    fitted |= {name: row[name] if _is_integer(row[name]) else None for name in _INTEGER_COLUMNS}
    fitted["extra"] = clean(row["extra"])
    exact = {name: row[name] for name, value in fitted.items() if value != row[name]}
    return {**row, **fitted, "extra": keep_exact(fitted["extra"], exact)} if exact else dict(row)
