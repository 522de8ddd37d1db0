"""Take call records one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from trtc_records._api.models import CallRecord
from trtc_records.summary._frequent import FrequentKeys
from trtc_records.summary._html import make_page
from trtc_records.summary._plain import make_dict
from trtc_records.summary._quantiles import DurationHistogram
from trtc_records.summary._result import Caller, Durations, SummaryResult
from trtc_records.summary._text import make_text

__all__ = ["Summary"]

_CALLERS: Final = 1_000
_KINDS: Final = 50
"""Different results, types or media that are counted exactly, twice over; today there are six, two and two."""

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
    """Sum up call records, in memory that does not grow with their number (some 300 KB).

    Add the records one by one and ask for the result when and as often as you like.

    Args:
        zone: Where hours of the day and weekdays are counted; UTC by default.
        top: How many of the most frequent callers to name; 10 by default.

    Raises:
        ValueError: An argument cannot be used; the message names it and says what to write.
    """

    def __init__(self, *, zone: tzinfo = UTC, top: int = 10) -> None:
        if not isinstance(zone, tzinfo):
            raise ValueError(  # noqa: TRY004  (as any argument that is refused)
                f"zone must be a tzinfo, got {zone!r}: write ZoneInfo('Asia/Singapore') or datetime.UTC"
            )
        if type(top) is not int or top < 0:
            raise ValueError(f"top must be an integer of at least 0, got {top!r}: write how many callers to name")
        self._zone = zone
        self._top = top
        self._calls = 0
        self._answered = 0
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._results = FrequentKeys(_KINDS)
        self._call_types = FrequentKeys(_KINDS)
        self._media_types = FrequentKeys(_KINDS)
        self._callers = FrequentKeys(_CALLERS)
        self._ring_time = DurationHistogram(_EDGES)
        self._talk_time = DurationHistogram(_EDGES)
        self._week = [[0] * 24 for _ in range(7)]

    def add(self, record: CallRecord) -> None:
        """Take one record into account."""
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
        self._ring_time.add(record.ring_time.total_seconds())
        if record.answered:
            self._answered += 1
            self._talk_time.add(record.talk_time.total_seconds())

    @property
    def result(self) -> SummaryResult:
        """Return what the records so far come to."""
        return SummaryResult(
            calls=self._calls,
            answered=self._answered,
            first=self._first and self._to_local(self._first),
            last=self._last and self._to_local(self._last),
            zone=str(self._zone),
            results=dict(self._results.most_common()),
            call_types=dict(self._call_types.most_common()),
            media_types=dict(self._media_types.most_common()),
            ring_time=_describe(self._ring_time),
            talk_time=_describe(self._talk_time),
            week=tuple(map(tuple, self._week)),
            top_callers=tuple(
                Caller(user_id=user_id, calls=calls) for user_id, calls in self._callers.most_common(self._top)
            ),
            callers=self._callers.distinct,
            callers_error=self._callers.error,
        )

    def to_text(self, *, width: int = 80) -> str:
        """Return the result as lines for a terminal or a chat, with bars made of block characters.

        Args:
            width: Columns that a line may take; less than 40 is taken for 40.
        """
        return make_text(self.result, width=width)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON can hold it: times in ISO 8601, durations in seconds."""
        return make_dict(self.result)

    def to_html(self, *, title: str = "Call records") -> str:
        """Return the result as a page with charts that needs no network and no script.

        Args:
            title: What stands at the top, and in the browser's tab.
        """
        return make_page(self.result, title=title)

    def _to_local(self, moment: datetime) -> datetime:
        """Return *moment* in the summary's zone; as it is where that would leave the years 1 to 9999."""
        try:
            return moment.astimezone(self._zone)
        except OverflowError:
            return moment


def _describe(histogram: DurationHistogram) -> Durations:
    return Durations(
        count=histogram.count,
        median=timedelta(seconds=histogram.quantile(0.5)),
        p95=timedelta(seconds=histogram.quantile(0.95)),
        longest=timedelta(seconds=histogram.longest),
        total=timedelta(seconds=histogram.total),
        spread=tuple(zip(_LABELS, histogram.spread, strict=True)),
    )
