"""A summary as JSON can hold it."""

from __future__ import annotations

from typing import Any

from trtc_records.summary._result import Durations, SummaryResult

__all__ = ["make_dict"]


def make_dict(result: SummaryResult) -> dict[str, Any]:
    """Return *result* as plain values."""
    return {
        "calls": result.calls,
        "answered": result.answered,
        "answered_share": round(result.answered_share, 4),
        "first": result.first and result.first.isoformat(),
        "last": result.last and result.last.isoformat(),
        "zone": result.zone,
        "results": result.results,
        "call_types": result.call_types,
        "media_types": result.media_types,
        "ring_seconds": _make_durations(result.ring_time),
        "talk_seconds": _make_durations(result.talk_time),
        "hours": list(result.hours),
        "week": [list(day) for day in result.week],
        "top_callers": [{"user_id": caller.user_id, "calls": caller.calls} for caller in result.top_callers],
        "callers": result.callers,
        "callers_error": result.callers_error,
    }


def _make_durations(durations: Durations) -> dict[str, Any]:
    return {
        "count": durations.count,
        "median": round(durations.median.total_seconds(), 1),
        "p95": round(durations.p95.total_seconds(), 1),
        "longest": round(durations.longest.total_seconds(), 1),
        "total": round(durations.total.total_seconds(), 1),
        "spread": dict(durations.spread),
    }
