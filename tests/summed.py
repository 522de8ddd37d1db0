"""Calls at chosen times, and summaries of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from exported import make_record

from trtc_records import CallRecord
from trtc_records.summary import Summary

START: Final = datetime(2025, 2, 19, 10, 17, 22, tzinfo=UTC)  # a Wednesday


def call(number: int = 0, *, ring: float = 5, talk: float | None = 60, **changes: object) -> CallRecord:
    """Return a call.

    Args:
        number: Its id, and the minutes of its start after ``START``.
        ring: Seconds until it connects, or ends unanswered.
        talk: Seconds until it ends after that; ``None`` for a call that nobody answers.
        changes: Other fields of the record.
    """
    return call_at(START + timedelta(minutes=number), ring=ring, talk=talk, call_id=str(number), **changes)


def call_at(
    start: datetime, *, ring: float = 0, talk: float | None = None, call_id: str = "a", **changes: object
) -> CallRecord:
    """Return a call that starts at a time; the other arguments are those of :func:`call`."""
    accepted = None if talk is None else start + timedelta(seconds=ring)
    end = start + timedelta(seconds=ring + (talk or 0))
    return make_record(call_id, **{"start_time": start, "accept_time": accepted, "end_time": end, **changes})


def sum_up(*records: CallRecord, **options: object) -> Summary:
    """Return the summary of some records; options are the summary's."""
    summary = Summary(**options)  # type: ignore[arg-type]
    for record in records:
        summary.add(record)
    return summary
