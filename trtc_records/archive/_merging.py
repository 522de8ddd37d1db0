"""The union of two readings of one day, and the records of a walk one period at a time."""

from __future__ import annotations

import heapq
from collections.abc import AsyncGenerator, Hashable, Iterable, Iterator
from datetime import datetime
from itertools import groupby

from trtc_records._api.models import CallRecord

__all__ = ["SortedRecords", "merge"]


class SortedRecords:
    """The records of a walk in order of time, taken one period after another.

    Args:
        records: The walk.
    """

    def __init__(self, records: AsyncGenerator[CallRecord, None]) -> None:
        self._records = records
        self._next: CallRecord | None = None

    async def take(self, start: datetime, end: datetime) -> AsyncGenerator[CallRecord, None]:
        """Yield the calls that started in a period; those before it are dropped."""
        while True:
            record = self._next or await anext(self._records, None)
            self._next = record
            if record is None or record.start_time >= end:
                return
            self._next = None
            if record.start_time >= start:
                yield record

    async def drain(self) -> None:
        """Read the walk to its end, which shows whether records may be missing."""
        async for _ in self._records:
            pass


def merge(new: Iterable[CallRecord], old: Iterable[CallRecord]) -> Iterator[CallRecord]:
    """Yield all of *new*, and those of *old* that it lacks, in order of time; both have that order.

    A call is known by its id, its caller and its start, since the service may give several calls one id; without
    an id, by everything.
    """
    marked = heapq.merge(
        ((record, True) for record in new), ((record, False) for record in old), key=lambda each: _get_order(each[0])
    )
    for _, group in groupby(marked, key=lambda each: each[0].start_time):
        calls = list(group)
        known = {_identify(record) for record, is_new in calls if is_new}
        yield from (record for record, is_new in calls if is_new or _identify(record) not in known)


def _get_order(record: CallRecord) -> tuple[datetime, str]:
    return record.start_time, record.call_id


def _identify(record: CallRecord) -> Hashable:
    return (record.call_id, record.caller) if record.call_id.strip() else record
