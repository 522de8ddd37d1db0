"""Sort the records of a walk by start time, then call id, with no more held than a slice."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from datetime import UTC, datetime

import attrs

from trtc_records._api.models import CallRecord, CallRecordPage
from trtc_records._walking.walk import Walk

__all__ = ["sort_by_time"]


async def sort_by_time(walk: Walk, page_size: int) -> AsyncGenerator[CallRecordPage, None]:
    """Yield the records of *walk* in order, in pages of *page_size*.

    A record that arrives behind the slice it belongs to is left for the next walk, as any arrival may be. Where the
    window of a query compares with a call's end, no slice is complete before the last one, so all records are held.

    Args:
        walk: A walk that reads in the order of time.
        page_size: Records on a page.
    """
    held: list[CallRecord] = []
    floor: int | None = None
    sorted_until = datetime.min.replace(tzinfo=UTC)
    number = 0
    async with aclosing(walk.pages()) as pages:
        async for page in pages:
            if page.invalid:
                yield attrs.evolve(page, records=())
            if walk.floor != floor:
                floor = walk.floor
                sorted_until = datetime.fromtimestamp(floor or 0, UTC)
                ready = [record for record in held if record.start_time < sorted_until]
                held = [record for record in held if record.start_time >= sorted_until]
                for chunk in _chunk(ready, page_size):
                    number += 1
                    yield attrs.evolve(page, records=chunk, invalid=(), page=number)
            held += [record for record in page.records if record.start_time >= sorted_until]
    for chunk in _chunk(held, page_size):
        number += 1
        yield CallRecordPage(records=chunk, page=number, total_num=walk.expected)


def _chunk(records: list[CallRecord], size: int) -> Iterator[tuple[CallRecord, ...]]:
    records.sort(key=lambda record: (record.start_time, record.call_id))
    for first in range(0, len(records), size):
        yield tuple(records[first : first + size])
