"""The figures of a summary, and their form in JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

__all__ = ["Caller", "Durations", "SummaryResult", "make_dict"]

_HALF_PAIR: Final = re.compile("[\ud800-\udfff]")
_REPLACEMENT: Final = "\ufffd"


@attrs.frozen(kw_only=True)
class Durations:
    """The figures of a number of durations.

    A median or percentile is the shortest duration that at least this share of all do not exceed. It is exact under a
    day; longer durations are counted in ranges that are 1 % wide.
    """

    count: int
    """The number of durations."""
    median: timedelta
    p95: timedelta
    """The 95th percentile."""
    longest: timedelta
    total: timedelta
    spread: tuple[tuple[str, int], ...]
    """The number of durations in each range, by the range's name."""


@attrs.frozen(kw_only=True)
class Caller:
    """A user and the number of calls that this user made."""

    user_id: str
    calls: int
    """The lowest possible number; the highest is ``calls + SummaryResult.callers_error``."""


@attrs.frozen(kw_only=True)
class SummaryResult:
    """The figures of all calls that were added to a summary."""

    calls: int
    answered: int
    """Calls that connected."""
    first: datetime | None
    """The start of the earliest call, in the summary's time zone; ``None`` without calls."""
    last: datetime | None
    """The start of the latest call."""
    zone: str
    """The name of the time zone for hours and weekdays."""
    results: dict[str, int]
    """Calls by result, the most frequent first; like the two below, it includes values that Tencent added later."""
    call_types: dict[str, int]
    media_types: dict[str, int]
    ring_time: Durations
    """Ring times of all calls, until they connected or ended unanswered; unknown ones are not counted."""
    talk_time: Durations
    """Talk times of the answered calls; unknown ones are not counted."""
    week: tuple[tuple[int, ...], ...]
    """Calls started on each weekday, Monday first, in each of its 24 hours."""
    top_callers: tuple[Caller, ...]
    """The most frequent callers."""
    callers: int
    """The number of different callers; if ``callers_error`` is not 0, a lower bound of it."""
    callers_error: int
    """The largest amount by which a count in ``top_callers`` can be too low: 0 up to 2,000 callers, and never more
    than a thousandth of all calls."""

    @property
    def answered_share(self) -> float:
        """Return the share of calls that connected, from 0 to 1; 0 without calls."""
        return self.answered / self.calls if self.calls else 0.0

    @property
    def hours(self) -> tuple[int, ...]:
        """Return the calls started in each hour of the day, over all days."""
        return tuple(map(sum, zip(*self.week, strict=True)))


def make_dict(result: SummaryResult) -> dict[str, Any]:
    """Return *result* as plain values for JSON; half a surrogate pair, which JSON readers refuse, becomes U+FFFD."""
    return {
        "calls": result.calls,
        "answered": result.answered,
        "answered_share": round(result.answered_share, 4),
        "first": result.first and result.first.isoformat(),
        "last": result.last and result.last.isoformat(),
        "zone": _clean(result.zone),
        "results": _make_counts(result.results),
        "call_types": _make_counts(result.call_types),
        "media_types": _make_counts(result.media_types),
        "ring_seconds": _make_durations(result.ring_time),
        "talk_seconds": _make_durations(result.talk_time),
        "hours": list(result.hours),
        "week": [list(day) for day in result.week],
        "top_callers": [{"user_id": _clean(caller.user_id), "calls": caller.calls} for caller in result.top_callers],
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


def _make_counts(counts: Mapping[str, int]) -> dict[str, int]:
    cleaned: Counter[str] = Counter()
    for name, count in counts.items():
        cleaned[_clean(name)] += count  # two names may become one
    return dict(cleaned)


def _clean(text: str) -> str:
    return _HALF_PAIR.sub(_REPLACEMENT, text)
