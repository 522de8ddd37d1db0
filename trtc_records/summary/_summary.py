"""The summary: it takes call records one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from trtc_records._api.models import CallRecord
from trtc_records.summary._html import make_page
from trtc_records.summary._quantiles import DurationHistogram
from trtc_records.summary._result import Caller, Durations, SummaryResult, make_dict
from trtc_records.summary._text import make_text
from trtc_records.summary._top_keys import TopKeys

__all__ = ["Summary"]

_CALLERS: Final = 1_000
_KINDS: Final = 50
"""Half the number of different results, types or media that are counted exactly; Tencent has six, two and two."""

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
    """A summary of call records, in memory that does not grow with their number.

    It takes some 200 KB, with calls of a day 2 MB. Add the records one by one. Read the result at any time, as often
    as you like.

    Args:
        zone: Time zone for hours of the day and weekdays; UTC by default.
        top: Number of the most frequent callers to name; 10 by default.

    Raises:
        ValueError: An argument cannot be used; the message names it and a value to write instead.
    """

    def __init__(self, *, zone: tzinfo = UTC, top: int = 10) -> None:
        if not isinstance(zone, tzinfo):
            raise ValueError(  # noqa: TRY004  (as any argument that is refused)
                f"zone must be a tzinfo, got {zone!r}: write ZoneInfo('Asia/Singapore') or datetime.UTC; where it "
                f"knows no time zones (Windows, slim images), pip install tzdata"
            )
        if type(top) is not int or top < 0:
            raise ValueError(f"top must be an integer of at least 0, got {top!r}: write how many callers to name")
        self._zone = zone
        self._top = top
        self._calls = 0
        self._answered = 0
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._results = TopKeys(_KINDS)
        self._call_types = TopKeys(_KINDS)
        self._media_types = TopKeys(_KINDS)
        self._callers = TopKeys(_CALLERS)
        self._ring_time = DurationHistogram(_EDGES)
        self._talk_time = DurationHistogram(_EDGES)
        self._week = [[0] * 24 for _ in range(7)]

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
        self._answered += record.answered
        if record.ring_time is not None:
            self._ring_time.add(record.ring_time.total_seconds())
        if record.answered and record.talk_time is not None:
            self._talk_time.add(record.talk_time.total_seconds())

    @property
    def result(self) -> SummaryResult:
        """Return the figures of the records added so far."""
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
        """Return the result as lines of text for a terminal or a chat, with bars of block characters.

        Args:
            width: Largest number of columns of a line; at least 40 are used.
        """
        return make_text(self.result, width=width)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain values for JSON: times in ISO 8601, durations in seconds.

        Half a surrogate pair, which JSON readers refuse, becomes U+FFFD; :attr:`result` has the exact text.
        """
        return make_dict(self.result)

    def to_html(self, *, title: str = "Call records") -> str:
        """Return the result as an HTML page with charts; it needs no network and no script.

        Args:
            title: The heading, and the title of the browser's tab.
        """
        return make_page(self.result, title=title)

    def __repr__(self) -> str:
        return (
            f"Summary(calls={self._calls}, answered={self._answered}, first={self._show(self._first)}, "
            f"last={self._show(self._last)}, zone={self._zone})"
        )

    def _show(self, moment: datetime | None) -> str:
        return str(moment and self._to_local(moment).isoformat())

    def _to_local(self, moment: datetime) -> datetime:
        """Return *moment* in the summary's zone, or unchanged if the years 1 to 9999 do not hold it there."""
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
