"""What a summary comes to."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs

__all__ = ["Caller", "Durations", "SummaryResult"]


@attrs.frozen(kw_only=True)
class Durations:
    """Describe a number of durations.

    A quantile is exact below 256 s and within 0.5 % above: the least duration that this share of all is no longer than.
    """

    count: int
    """How many there are."""
    median: timedelta
    p95: timedelta
    """The 95th percentile."""
    longest: timedelta
    total: timedelta
    spread: tuple[tuple[str, int], ...]
    """How many fall into each of a row of ranges, with the range's name."""


@attrs.frozen(kw_only=True)
class Caller:
    """Say how often someone called."""

    user_id: str
    calls: int
    """At least so many; ``calls + SummaryResult.callers_error`` at the most."""


@attrs.frozen(kw_only=True)
class SummaryResult:
    """Hold what is known of the calls that were added."""

    calls: int
    answered: int
    """Calls that connected."""
    first: datetime | None
    """When the earliest call started, in the summary's zone; ``None`` without calls."""
    last: datetime | None
    """When the latest call started."""
    zone: str
    """The name of the zone that hours and weekdays are counted in."""
    results: dict[str, int]
    """Calls by result, the most frequent first; as with the two below, values that the vendor added later included."""
    call_types: dict[str, int]
    media_types: dict[str, int]
    ring_time: Durations
    """How long all calls rang: until they connected, or ended unanswered."""
    talk_time: Durations
    """How long the answered calls were connected."""
    week: tuple[tuple[int, ...], ...]
    """Calls started on each weekday, Monday first, in each of its 24 hours."""
    top_callers: tuple[Caller, ...]
    """Who called most often."""
    callers: int
    """How many people called; where ``callers_error`` is not 0, at least so many."""
    callers_error: int
    """By how much the counts of ``top_callers`` can be too low: 0 up to 2,000 callers, and never more than one in a
    thousand of all calls."""

    @property
    def answered_share(self) -> float:
        """Return how many of all calls connected, from 0 to 1; 0 without calls."""
        return self.answered / self.calls if self.calls else 0.0

    @property
    def hours(self) -> tuple[int, ...]:
        """Return the calls started in each hour of the day, over all days."""
        return tuple(map(sum, zip(*self.week, strict=True)))
