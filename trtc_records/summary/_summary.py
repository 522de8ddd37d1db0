"""The summary: it takes call records one by one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Final

import attrs

from trtc_records._api.models import CallRecord, CallResult
from trtc_records.summary._html import make_page
from trtc_records.summary._plain import make_dict
from trtc_records.summary._quantiles import DurationHistogram
from trtc_records.summary._redials import Redials
from trtc_records.summary._result import Caller, Durations, SummaryResult
from trtc_records.summary._scope import ReportScope
from trtc_records.summary._text import make_text
from trtc_records.summary._timeline import Timeline
from trtc_records.summary._top_keys import TopKeys

__all__ = ["Summary"]

_CALLERS: Final = 1_000
_KINDS: Final = 50
"""Half the number of different results, types or media that are counted exactly; Tencent has six, two and two."""

_DELIVERED: Final[frozenset[str]] = frozenset(
    {CallResult.NORMAL_END, CallResult.CANCEL, CallResult.REJECT, CallResult.NOT_ANSWER, CallResult.CALL_BUSY}
)
"""Results of calls that reached the callee: answer, no answer, busy and reject, as ITU-T E.425 counts them."""
_SHORT: Final = timedelta(seconds=6)
_MOST_DAYS: Final = 4_000
"""The most days whose calls are counted, in half a megabyte."""
_WIDEST_GAP: Final = 31
"""Days of the longest gap in which empty days are shown."""

_SPREAD: Final = (
    ("under 5 s", 0),
    ("5 to 15 s", 5),
    ("15 to 30 s", 15),
    ("30 to 60 s", 30),
    ("1 to 2 min", 60),
    ("2 to 5 min", 120),
    ("5 to 15 min", 300),
    ("15 to 60 min", 900),
    ("1 h and more", 3_600),
)
_LABELS, _EDGES = zip(*_SPREAD, strict=True)


class Summary:
    """A summary of call records, added one by one in any order. Read the result at any time, as often as you like.

    It takes 350 KB for each day on which calls connect or end, up to 400 days, and 8 bytes for each call, 16 if nobody
    answered, up to 10 million calls. Everything else takes some 200 KB, with calls of a day 3 MB, however many calls
    there are.

    Args:
        zone: Time zone for hours of the day, days and weekdays; UTC by default.
        top: Number of the most frequent callers to name; 10 by default.
        traffic: Whether to count erlangs, concurrent calls and redials too, which take memory by the day and the call;
            otherwise they are ``None`` or empty.
        scope: The subject of the report, to be named in text, JSON and page; by default none.

    Raises:
        ValueError: An argument cannot be used; the message names it and a value to write instead.
    """

    def __init__(
        self, *, zone: tzinfo = UTC, top: int = 10, traffic: bool = True, scope: ReportScope | None = None
    ) -> None:
        if not isinstance(zone, tzinfo):
            raise ValueError(  # noqa: TRY004  (as any argument that is refused)
                f"zone must be a tzinfo, got {zone!r}: write ZoneInfo('Asia/Singapore') or datetime.UTC; where it "
                f"knows no time zones (Windows, slim images), pip install tzdata"
            )
        if type(top) is not int or top < 0:
            raise ValueError(f"top must be an integer of at least 0, got {top!r}: write how many callers to name")
        self._zone = zone
        self._top = top
        self.scope = scope
        self._missing: dict[str, None] = {}
        self._calls = 0
        self._answered = 0
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._results = TopKeys(_KINDS)
        self._call_types = TopKeys(_KINDS)
        self._media_types = TopKeys(_KINDS)
        self._callers = TopKeys(_CALLERS)
        self._ring_time = DurationHistogram(_EDGES)
        self._answer_time = DurationHistogram(_EDGES)
        self._talk_time = DurationHistogram(_EDGES)
        self._delivered = 0
        self._short_calls = 0
        self._timeline = Timeline(zone) if traffic else None
        self._redials = Redials() if traffic else None
        self._days: dict[int, int] | None = {}
        self._week = [[0] * 24 for _ in range(7)]

    @property
    def scope(self) -> ReportScope | None:
        """Return the subject of the report; it may be set at any time."""
        return self._scope

    @scope.setter
    def scope(self, scope: ReportScope | None) -> None:
        if scope is not None and not isinstance(scope, ReportScope):
            raise ValueError(f"scope must be a ReportScope or None, got {scope!r}: pass one, or leave it out")
        self._scope = scope

    def add(self, record: CallRecord) -> None:
        """Add one record."""
        start = record.start_time
        local = self._to_local(start)
        self._calls += 1
        if self._first is None or self._last is None:
            self._first = self._last = start
        elif start < self._first:
            self._first = start
        elif start > self._last:
            self._last = start
        self._week[local.weekday()][local.hour] += 1
        self._results.add(str(record.call_result))
        self._call_types.add(str(record.call_type))
        self._media_types.add(str(record.media_type))
        self._callers.add(record.caller)
        self._count_day(local.toordinal())
        self._delivered += record.answered or record.call_result in _DELIVERED
        ring_time, talk_time = record.ring_time, record.talk_time
        if ring_time is not None:
            self._ring_time.add(ring_time.total_seconds())
        if self._redials is not None:
            self._redials.add(record.caller, start, record.end_time, answered=record.answered)
        if record.accept_time is None:
            return
        self._answered += 1
        if ring_time is not None:
            self._answer_time.add(ring_time.total_seconds())
        if talk_time is not None:
            self._talk_time.add(talk_time.total_seconds())
            self._short_calls += talk_time < _SHORT
        if self._timeline is not None:
            self._timeline.add(record.accept_time, record.end_time)

    def add_missing(self, reason: str) -> None:
        """Mark the report as incomplete, in all its forms.

        Args:
            reason: The reason why calls may be missing, such as :attr:`trtc_records.IncompleteWalk.reason`.

        Raises:
            ValueError: It is not a text, or it is empty.
        """
        if not isinstance(reason, str) or not reason:
            raise ValueError(f"reason must be a text, got {reason!r}: write why calls may be missing")
        self._missing[reason] = None

    def _count_day(self, day: int) -> None:
        if self._days is not None:
            self._days[day] = self._days.get(day, 0) + 1
            if len(self._days) > _MOST_DAYS:
                self._days = None

    @property
    def result(self) -> SummaryResult:
        """Return the figures of the records added so far."""
        return SummaryResult(
            calls=self._calls,
            answered=self._answered,
            delivered=self._delivered,
            short_calls=self._short_calls,
            first=self._first and self._to_local(self._first),
            last=self._last and self._to_local(self._last),
            zone=str(self._zone),
            results=dict(self._results.most_common()),
            call_types=dict(self._call_types.most_common()),
            media_types=dict(self._media_types.most_common()),
            ring_time=_describe(self._ring_time),
            talk_time=_describe(self._talk_time),
            answer_time=_describe(self._answer_time),
            days=_fill_gaps(self._days or {}),
            week=tuple(map(tuple, self._week)),
            top_callers=tuple(
                Caller(user_id=user_id, calls=calls) for user_id, calls in self._callers.most_common(self._top)
            ),
            callers=self._callers.distinct,
            callers_error=self._callers.error,
            traffic=() if self._timeline is None else self._timeline.traffic,
            peak=None if self._timeline is None else self._timeline.peak,
            redials=None if self._redials is None else self._redials.count,
            left_out=0 if self._timeline is None else self._timeline.left_out,
            scope=self.scope and self._localize(self.scope),
            missing=tuple(self._missing),
        )

    def to_text(self, *, width: int = 80, before: Summary | None = None) -> str:
        """Return the result as lines of text for a terminal or a chat, with bars of block characters.

        Args:
            width: Largest number of columns of a line; at least 40 are used.
            before: The summary of an earlier window, to compare each figure with; by default none.
        """
        return make_text(self.result, _get_result(before), width=width)

    def to_dict(self, *, before: Summary | None = None) -> dict[str, Any]:
        """Return the result as plain values for JSON: times in ISO 8601, durations in seconds, unknown values ``None``.

        Half a surrogate pair, which JSON readers refuse, becomes U+FFFD; :attr:`result` has the exact text.

        Args:
            before: The summary of an earlier window, to compare each figure with; by default none.
        """
        return make_dict(self.result, _get_result(before))

    def to_html(self, *, title: str = "Call records", before: Summary | None = None) -> str:
        """Return the result as an HTML page with charts; it needs no network and no script.

        Args:
            title: The heading, and the title of the browser's tab.
            before: The summary of an earlier window, to compare each figure with; by default none.
        """
        return make_page(self.result, _get_result(before), title=title)

    def __repr__(self) -> str:
        return (
            f"Summary(calls={self._calls}, answered={self._answered}, first={self._show(self._first)}, "
            f"last={self._show(self._last)}, zone={self._zone})"
        )

    def _show(self, moment: datetime | None) -> str:
        return str(moment and self._to_local(moment).isoformat())

    def _localize(self, scope: ReportScope) -> ReportScope:
        """Return *scope* with its window in the summary's zone."""
        return attrs.evolve(
            scope, since=scope.since and self._to_local(scope.since), until=scope.until and self._to_local(scope.until)
        )

    def _to_local(self, moment: datetime) -> datetime:
        """Return *moment* in the summary's zone, or unchanged if the years 1 to 9999 do not hold it there."""
        try:
            return moment.astimezone(self._zone)
        except OverflowError:
            return moment


def _get_result(before: Summary | None) -> SummaryResult | None:
    if before is not None and not isinstance(before, Summary):
        raise ValueError(f"before must be a Summary or None, got {before!r}: pass the summary of the earlier window")
    return None if before is None else before.result


def _describe(histogram: DurationHistogram) -> Durations:
    has_any = histogram.count > 0
    return Durations(
        count=histogram.count,
        median=timedelta(seconds=histogram.quantile(0.5)) if has_any else None,
        p95=timedelta(seconds=histogram.quantile(0.95)) if has_any else None,
        longest=timedelta(seconds=histogram.longest) if has_any else None,
        total=timedelta(seconds=histogram.total),
        spread=tuple(zip(_LABELS, histogram.spread, strict=True)),
    )


def _fill_gaps(counts: dict[int, int]) -> tuple[tuple[date, int], ...]:
    """Return the counts of days in their order, with zeros for the days of gaps that are not too wide."""
    days: list[int] = []
    for day in sorted(counts):
        if days and day - days[-1] <= _WIDEST_GAP + 1:
            days.extend(range(days[-1] + 1, day))
        days.append(day)
    return tuple((date.fromordinal(day), counts.get(day, 0)) for day in days)
