"""The table of figures: all reports show those in it, and no others, by the same names and in the same order."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, Final, cast

import attrs

from trtc_records.summary._result import SummaryResult

__all__ = ["FIGURES", "Figure", "Kind", "Value", "to_number"]

Value = int | float | timedelta | datetime | None
"""The value of a figure; ``None`` where it cannot be known."""


class Kind(Enum):
    """The kind of a figure's value, which sets how it is shown and compared."""

    COUNT = auto()
    SHARE = auto()
    """From 0 to 1."""
    LENGTH = auto()
    """A duration."""
    ERLANGS = auto()
    MOMENT = auto()
    """A time, which has no change."""


@attrs.frozen
class Figure:
    """A figure of a summary."""

    path: str
    """Its place in JSON, as jq writes it."""
    label: str
    meaning: str
    """Its formula or its definition."""
    kind: Kind
    attribute: str
    """Its place in a :class:`SummaryResult`."""
    leads: bool = False
    """Whether it stands at the head of a page."""
    error: str = ""
    """The attribute of a :class:`SummaryResult` that is not 0 where the value is a lower bound; none by default."""

    def read(self, result: SummaryResult) -> Value:
        """Return its value in *result*."""
        value: Any = result
        for name in self.attribute.split("."):
            value = None if value is None else getattr(value, name)
        return cast("Value", value)

    def is_bound(self, result: SummaryResult) -> bool:
        """Return whether its value in *result* is a lower bound only."""
        return bool(self.error) and getattr(result, self.error) != 0

    def read_pair(self, now: SummaryResult, before: SummaryResult) -> tuple[int | float, int | float] | None:
        """Return its two values as numbers; ``None`` where their difference cannot be known."""
        new, old = to_number(self.read(now)), to_number(self.read(before))
        if new is None or old is None or self.is_bound(now) or self.is_bound(before):
            return None
        return new, old


_COUNT, _SHARE, _LENGTH, _ERLANGS, _MOMENT = Kind
FIGURES: Final = (
    Figure("calls", "calls", "calls that started", _COUNT, "calls", leads=True),
    Figure("answered", "answered", "calls that connected", _COUNT, "answered"),
    Figure("asr", "answered share (ASR)", "answered / calls", _SHARE, "asr", leads=True),
    Figure("ner", "delivered share (NER)", "delivered / calls", _SHARE, "ner", leads=True),
    Figure("acd_seconds", "mean talk time (ACD)", "talk / answered", _LENGTH, "acd", leads=True),
    Figure("talk_seconds.median", "talk time, median", "of answered calls", _LENGTH, "talk_time.median"),
    Figure("talk_seconds.p95", "talk time, 95 %", "95 % talked no longer", _LENGTH, "talk_time.p95"),
    Figure("talk_seconds.total", "talk time in all", "sum of talk times", _LENGTH, "talk_time.total"),
    Figure("answer_seconds.median", "time to answer, median", "start to answer", _LENGTH, "answer_time.median"),
    Figure("answer_seconds.p95", "time to answer, 95 %", "95 % took no longer", _LENGTH, "answer_time.p95"),
    Figure("ring_seconds.median", "ring time, median", "start to answer or end", _LENGTH, "ring_time.median"),
    Figure("ring_seconds.p95", "ring time, 95 %", "95 % rang no longer", _LENGTH, "ring_time.p95"),
    Figure("short_calls", "short calls", "answered, under 6 s of talk", _COUNT, "short_calls"),
    Figure("busy_hour.start", "busy hour", "the hour with the most talk", _MOMENT, "busy_hour.start"),
    Figure("busy_hour.erlangs", "busy hour, erlangs", "talk in it / 1 h", _ERLANGS, "busy_hour.erlangs"),
    Figure("peak.calls", "concurrent calls, peak", "most that talked at once", _COUNT, "peak.calls", leads=True),
    Figure("peak.at", "peak reached at", "for the first time", _MOMENT, "peak.at"),
    Figure("redials", "redials", "within 10 min of an unanswered call", _COUNT, "redials"),
    Figure("callers", "callers", "different callers", _COUNT, "callers", error="callers_error"),
)


def to_number(value: Value) -> int | float | None:
    """Return a value as a number, a duration in seconds; ``None`` for a time."""
    if isinstance(value, datetime):
        return None
    return value.total_seconds() if isinstance(value, timedelta) else value
