"""The figures of a summary."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import attrs

from trtc_records.summary._scope import ReportScope

__all__ = ["Caller", "Durations", "HourTraffic", "Peak", "SummaryResult"]


@attrs.frozen(kw_only=True)
class Durations:
    """The figures of a number of durations.

    A median or percentile is the shortest duration that at least this share of all do not exceed. It is exact under a
    day; longer durations are counted in ranges that are 1 % wide.
    """

    count: int
    """The number of durations."""
    median: timedelta | None
    """``None`` without any duration, like the two below."""
    p95: timedelta | None
    """The 95th percentile."""
    longest: timedelta | None
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
class HourTraffic:
    """The traffic of one hour: the mean number of calls that talked in it."""

    start: datetime
    """The start of the hour, in the summary's time zone."""
    erlangs: float
    """Talk time in this hour, divided by an hour."""


@attrs.frozen(kw_only=True)
class Peak:
    """The most calls that talked at the same time."""

    calls: int
    at: datetime
    """The first second in which so many talked, in the summary's time zone."""


@attrs.frozen(kw_only=True)
class SummaryResult:
    """The figures of all calls that were added to a summary."""

    calls: int
    answered: int
    """Calls that connected."""
    delivered: int
    """Calls that reached the callee: answered ones, and those with the result ``NormalEnd``, ``Cancel``, ``Reject``,
    ``NotAnswer`` or ``CallBusy``."""
    short_calls: int
    """Answered calls with less than 6 seconds of talk."""
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
    answer_time: Durations
    """Ring times of the answered calls, until they connected; unknown ones are not counted."""
    days: tuple[tuple[date, int], ...]
    """Calls started on each day of the summary's time zone, in the order of time; empty days are left out only in gaps
    of more than 31. None at all if calls started on more than 4,000 different days."""
    week: tuple[tuple[int, ...], ...]
    """Calls started on each weekday, Monday first, in each of its 24 hours."""
    top_callers: tuple[Caller, ...]
    """The most frequent callers."""
    callers: int
    """The number of different callers; if ``callers_error`` is not 0, a lower bound of it."""
    callers_error: int
    """The largest amount by which a count in ``top_callers`` can be too low: 0 up to 2,000 callers, and never more
    than a thousandth of all calls."""
    traffic: tuple[HourTraffic, ...]
    """Each hour in which calls talked, in the order of time; like the three below, empty for a summary without
    traffic."""
    peak: Peak | None
    """The most calls at the same time; ``None`` without talk."""
    redials: int | None
    """Calls whose caller had an unanswered call that ended at most 10 minutes before; ``None`` for more than 10 million
    calls."""
    left_out: int
    """Answered calls that ``traffic`` and ``peak`` leave out: their end is not set or before the answer, they took more
    than 31 days, or connected or ended before 1970, after 2105, or on more than 400 different days."""
    scope: ReportScope | None
    """The subject of the report; ``None`` if the summary has none."""
    missing: tuple[str, ...]
    """The reasons why calls may be missing."""

    @property
    def complete(self) -> bool:
        """Return whether there is no reason to believe that calls are missing."""
        return not self.missing

    @property
    def asr(self) -> float | None:
        """Return the answer-seizure ratio (ITU-T E.411), answered / calls, from 0 to 1; ``None`` without calls."""
        return self.answered / self.calls if self.calls else None

    @property
    def ner(self) -> float | None:
        """Return the network effectiveness ratio (ITU-T E.425), delivered / calls; ``None`` without calls."""
        return self.delivered / self.calls if self.calls else None

    @property
    def acd(self) -> timedelta | None:
        """Return the average call duration, talk / answered calls; ``None`` without a call whose talk is known."""
        return self.talk_time.total / self.talk_time.count if self.talk_time.count else None

    @property
    def busy_hour(self) -> HourTraffic | None:
        """Return the hour of the clock with the most traffic, the first of equal ones; ``None`` without talk."""
        return max(self.traffic, key=lambda hour: hour.erlangs, default=None)

    @property
    def hour_traffic(self) -> tuple[float, ...]:
        """Return the most erlangs that each hour of the day had, on any day."""
        most = [0.0] * 24
        for hour in self.traffic:
            most[hour.start.hour] = max(most[hour.start.hour], hour.erlangs)
        return tuple(most)

    @property
    def hours(self) -> tuple[int, ...]:
        """Return the calls started in each hour of the day, over all days."""
        return tuple(map(sum, zip(*self.week, strict=True)))
