"""Turn a call record into a row: the columns that every format has."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from trtc_records._api.models import CallRecord
from trtc_records.export._json import dump_json

__all__ = ["COLUMNS", "TEXT_COLUMNS", "make_row", "make_typed_row", "show_time"]

COLUMNS: Final = (
    "call_id",
    "caller",
    "callees",
    "media_type",
    "call_type",
    "call_result",
    "start_time",
    "accept_time",
    "end_time",
    "ring_seconds",
    "talk_seconds",
    "room_id",
    "room_id_type",
    "extra",
)
TEXT_COLUMNS: Final = ("call_id", "caller", "media_type", "call_type", "call_result", "room_id")

_EXACT: Final = "_exact"
_REPLACEMENT: Final = "\ufffd"
_SMALLEST_INTEGER, _LARGEST_INTEGER = -(2**63), 2**63 - 1


def make_row(record: CallRecord) -> dict[str, Any]:
    """Return *record* as JSON has it: times in ISO 8601 and UTC, durations in seconds."""
    return {
        "call_id": record.call_id,
        "caller": record.caller,
        "callees": list(record.callees),
        "media_type": record.media_type,
        "call_type": record.call_type,
        "call_result": record.call_result,
        "start_time": show_time(record.start_time),
        "accept_time": None if record.accept_time is None else show_time(record.accept_time),
        "end_time": show_time(record.end_time),
        "ring_seconds": int(record.ring_time.total_seconds()),
        "talk_seconds": int(record.talk_time.total_seconds()),
        "room_id": record.room_id,
        "room_id_type": record.room_id_type,
        "extra": record.extra,
    }


def make_typed_row(record: CallRecord) -> dict[str, Any]:
    """Return *record* for columns that have one type each: the times as datetimes, ``extra`` as JSON text.

    What its column cannot hold as it is (half a surrogate pair, which UTF-8 does not know, or a result that is a
    number) stands in ``extra`` as it is, under ``_exact`` and its column's name; the column holds what comes nearest.
    """
    row: dict[str, Any] = {
        "call_id": record.call_id,
        "caller": record.caller,
        "callees": record.callees,
        "media_type": record.media_type,
        "call_type": record.call_type,
        "call_result": record.call_result,
        "start_time": record.start_time,
        "accept_time": record.accept_time,
        "end_time": record.end_time,
        "ring_seconds": int(record.ring_time.total_seconds()),
        "talk_seconds": int(record.talk_time.total_seconds()),
        "room_id": record.room_id,
        "room_id_type": record.room_id_type,
        "extra": dump_json(record.extra) if record.extra else "{}",
    }
    return row if _fits(record) else _fit(row, record.extra)


def show_time(time: datetime) -> str:
    """Return *time* in ISO 8601 and UTC."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _fits(record: CallRecord) -> bool:
    """Tell whether every column can hold what *record* has for it, as nearly all records do."""
    try:
        "".join(
            (
                record.call_id,
                record.caller,
                record.media_type,
                record.call_type,
                record.call_result,  # type: ignore[arg-type]
                record.room_id,
                *record.callees,
            )
        ).encode()
    except (TypeError, UnicodeEncodeError):
        return False
    return _is_integer(record.room_id_type)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and _SMALLEST_INTEGER <= value <= _LARGEST_INTEGER


def _fit(row: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return *row* with what its columns can hold, and the rest in ``extra``."""
    fitted: dict[str, Any] = {name: _clean(str(row[name])) for name in TEXT_COLUMNS}
    fitted["callees"] = tuple(map(_clean, row["callees"]))
    fitted["room_id_type"] = row["room_id_type"] if _is_integer(row["room_id_type"]) else None
    exact = {name: row[name] for name, value in fitted.items() if value != row[name]}
    name = _EXACT
    while name in extra:  # the service's own
        name = f"_{name}"
    return {**row, **fitted, "extra": dump_json({**extra, name: exact})}


def _clean(text: str) -> str:
    """Return *text* as UTF-8 can hold it."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join(_REPLACEMENT if "\ud800" <= character <= "\udfff" else character for character in text)
    return text
