"""The form of numbers, times and names in all reports."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from trtc_records._api.models import CallResult, CallType, MediaType
from trtc_records.summary._result import SummaryResult

__all__ = ["NO_CALLS", "make_notes", "name_value", "show_length", "show_moment", "show_share"]

NO_CALLS: Final = (
    "No calls. Those that were started through the deprecated TUICallKit.call() and groupCall() are kept by an older "
    "service and do not appear here."
)
"""The text of a report without calls."""

_NAMES: Final[Mapping[str, str]] = {
    CallResult.NORMAL_END: "ended normally",
    CallResult.CANCEL: "cancelled by the caller",
    CallResult.REJECT: "declined",
    CallResult.NOT_ANSWER: "not answered in time",
    CallResult.CALL_BUSY: "busy",
    CallResult.INTERRUPT: "interrupted",
    CallResult.OFFLINE: "ended by a lost heartbeat",
    CallType.SINGLE_CALL: "one to one",
    CallType.MULTI_CALL: "group",
    MediaType.AUDIO: "audio",
    MediaType.VIDEO: "video",
}


def name_value(value: str) -> str:
    """Return a value of Tencent's in plain words; a value that this version does not know stays unchanged."""
    return _NAMES.get(value, value)


def show_length(length: timedelta | None) -> str:
    """Return a duration in two units at most, such as ``4 min 05 s``."""
    if length is None:
        return "an unknown time"
    seconds = round(length.total_seconds())
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 100:
        return f"{hours:,} h"
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"


def show_moment(moment: datetime) -> str:
    """Return a time, to the minute, without its zone."""
    return f"{moment:%Y-%m-%d %H:%M}"


def show_share(part: int, whole: int) -> str:
    """Return a share in percent; only all is shown as 100 %, and only none as 0 %."""
    if not whole:
        return "n/a"
    if 0 < part < whole:
        return f"{min(max(part / whole, 0.001), 0.999):.1%}"
    return f"{part / whole:.0%}"


def make_notes(result: SummaryResult) -> list[str]:
    """Return explanations that stand below the figures."""
    explanation = (
        f"Hours and days are in {result.zone}. Ring time is that of all calls, until they connected or ended; "
        "talk time is that of the answered ones."
    )
    notes = [explanation]
    if result.callers_error:
        notes.append(f"With so many callers, each count can be too low, by {result.callers_error:,} at most.")
    return notes
