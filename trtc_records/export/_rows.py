"""Turn a call record into a row: the columns that every format has."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from trtc_records._models import CallRecord

__all__ = ["make_row"]


def make_row(record: CallRecord) -> dict[str, Any]:
    """Return *record* as plain values: times in ISO 8601 and UTC, durations in seconds."""
    return {
        "call_id": record.call_id,
        "caller": record.caller,
        "callees": list(record.callees),
        "media_type": record.media_type,
        "call_type": record.call_type,
        "call_result": record.call_result,
        "start_time": _show_time(record.start_time),
        "accept_time": None if record.accept_time is None else _show_time(record.accept_time),
        "end_time": _show_time(record.end_time),
        "ring_seconds": int(record.ring_time.total_seconds()),
        "talk_seconds": int(record.talk_time.total_seconds()),
        "room_id": record.room_id,
        "room_id_type": record.room_id_type,
        "extra": record.extra,
    }


def _show_time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
