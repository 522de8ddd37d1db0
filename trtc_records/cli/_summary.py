"""Sum up call records while they pass by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import attrs

from trtc_records import CallRecordPage
from trtc_records.cli._times import show_time

__all__ = ["Summary"]

_NONE_FOUND: Final = (
    "calls that were started through the deprecated TUICallKit.call() and groupCall() are kept by an older service "
    "and do not appear here"
)


@attrs.define
class Summary:
    """Count what a person wants to know about an export."""

    records: int = 0
    pages: int = 0
    answered: int = 0
    talk_time: timedelta = timedelta()
    results: Counter[str] = attrs.field(factory=Counter)
    first: datetime | None = None
    last: datetime | None = None

    def add(self, page: CallRecordPage) -> None:
        """Count the records of *page*."""
        self.pages += 1
        self.records += len(page.records)
        for record in page.records:
            self.answered += record.answered
            self.talk_time += record.talk_time
            self.results[str(record.call_result)] += 1
            self.first = min(self.first or record.start_time, record.start_time)
            self.last = max(self.last or record.start_time, record.start_time)

    def make_lines(self, *, target: str, window: str, seconds: float) -> Iterator[str]:
        """Yield the lines to show.

        Args:
            target: Where the records were written.
            window: The time that was asked for.
            seconds: How long it took.
        """
        noun = "call record" if self.records == 1 else "call records"
        yield f"Exported {self.records:,} {noun} to {target} in {seconds:.1f} s"
        yield f"  window    {window}"
        if not self.records or self.first is None or self.last is None:
            yield f"  note      {_NONE_FOUND}"
            return
        yield f"  started   {show_time(self.first)} to {show_time(self.last)}"
        share = self.answered / self.records
        yield f"  answered  {self.answered:,} ({share:.1%}), {_show_length(self.talk_time)} of talk"
        yield f"  results   {', '.join(f'{name} {count:,}' for name, count in self.results.most_common())}"
        yield f"  pages     {self.pages:,}"


def _show_length(length: timedelta) -> str:
    minutes, seconds = divmod(int(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s"
