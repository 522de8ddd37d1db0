"""A client without a service: records, and a clock that the test sets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import attrs
from exported import make_record

from trtc_records import CallRecord, CallRecordPage, CallRecordsClient, CallRecordsError, ResponseDecodeError
from trtc_records import Service as KeepingService
from trtc_records._walking.incomplete import IncompleteWalk
from trtc_records.archive import ArchiveReport, archive_call_records

MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)
"""The first second of a day."""
WEEK = timedelta(days=7)


def call(name: str, hours: float, seconds: float = 60) -> CallRecord:
    """Return a call that started so many hours after :data:`MIDNIGHT`."""
    start = MIDNIGHT + timedelta(hours=hours)
    end = start + timedelta(seconds=seconds)
    return make_record(name, start_time=start, accept_time=start, end_time=end)


@attrs.define
class Service:
    """A service that selects calls by their start; a call is there once it has ended, and *readable_after* is over."""

    calls: list[CallRecord]
    now: datetime = MIDNIGHT + timedelta(hours=12)
    readable_after: float = 0.0
    """Seconds from the end of a call until it is there."""
    doubt: str | None = None
    """The reason why each walk is incomplete."""
    invalid: list[dict[str, Any]] = attrs.field(factory=list)
    """Records that cannot be read; each walk meets all of them."""
    failures: dict[datetime, CallRecordsError] = attrs.field(factory=dict)
    """The error of the walk over each of these days, after its first call."""
    walk_time: timedelta = timedelta()
    """The time that passes between the beginning of a walk and its first page."""
    windows: list[tuple[int | None, datetime | None]] = attrs.field(factory=list)
    """The windows that were asked for."""
    sdk_app_id: int = 1
    service: KeepingService = KeepingService.CURRENT

    @property
    def service_time(self) -> float:
        """Return the time of the test."""
        return self.now.timestamp()

    async def get_page(self, **_: Any) -> None:
        """Answer, as the client does, with the first record."""
        for raw in self.invalid:
            raise ResponseDecodeError("unreadable", "$", raw, "Id-0")

    async def iter_pages(
        self,
        *,
        start_time: int | None,
        end_time: datetime | None,
        page_size: int,
        on_invalid: Callable[[Any, ResponseDecodeError], None],
        on_incomplete: Callable[[IncompleteWalk], None],
    ) -> AsyncGenerator[CallRecordPage, None]:
        """Yield the calls of a window, one a page."""
        self.windows.append((start_time, end_time))
        self.now += self.walk_time
        edge = self.now - WEEK
        start = edge if start_time is None else max(datetime.fromtimestamp(start_time, UTC), edge)
        for raw in self.invalid:
            on_invalid(raw, ResponseDecodeError("unreadable", "$", raw, f"Id-{len(self.windows)}"))
        for record in sorted(self.calls, key=lambda each: (each.start_time, each.call_id)):
            ended = (record.end_time or record.start_time) <= self.now - timedelta(seconds=self.readable_after)
            if ended and start <= record.start_time <= (end_time or self.now):
                yield CallRecordPage(records=(record,), page=1, total_num=len(self.calls))
                if error := self.failures.get(start + timedelta(seconds=1)):
                    raise error
        if self.doubt:
            now = self.now
            on_incomplete(IncompleteWalk(reason=self.doubt, yielded=0, expected=None, start_time=now, end_time=now))

    def archive(self, directory: Path | str, **options: Any) -> ArchiveReport:
        """Bring an archive up to date, as JSON Lines."""
        options = {"file_format": "jsonl", **options}
        return asyncio.run(archive_call_records(cast("CallRecordsClient", self), directory, **options))
