"""Find out the meaning of a query's StartTime and EndTime: Tencent does not document it.

A call that was read before is searched by a few seconds around its start, and, if it is not found there, around its
end. If neither finds it, the window means the whole call.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from operator import attrgetter
from typing import Final

import attrs

from trtc_records._api.models import CallRecord, CallRecordPage
from trtc_records._api.query import RETENTION, Query
from trtc_records._walking.facts import Meaning
from trtc_records._walking.prefetch import Prefetcher, result_of

__all__ = ["find_meaning", "ignores_window", "length_of", "lie_outside", "span_of"]

_MARGIN: Final = 1
"""Seconds around a moment, in case the ends of a window are not inclusive."""

_SHORTEST: Final = 2 * _MARGIN + 1
"""Seconds that a call must last, so that neither search holds the whole of it."""

_identify: Final = attrgetter("call_id", "caller", "start_time")

_TRIES: Final = 3
"""Calls tried: so many others may lie in the same seconds that one is not on the first page."""


def span_of(record: CallRecord) -> tuple[float, float]:
    """Return the Unix seconds between which a call lies; the last one is infinite where its end is not set."""
    start = int(record.start_time.timestamp())
    end = math.inf if record.end_time is None else int(record.end_time.timestamp())
    return min(start, end), max(start, end)


def length_of(record: CallRecord) -> int:
    """Return the seconds that a call lasted, up to those that the service keeps it; 0 where they are not known."""
    start, end = int(record.start_time.timestamp()), record.end_time
    return 0 if end is None else min(max(int(end.timestamp()) - start, 0), RETENTION)


def lie_outside(page: CallRecordPage, start: int, end: int, margin: int) -> bool:
    """Tell whether a record on *page* has no moment within *margin* seconds of the window from *start* to *end*."""
    for record in page.records:
        first, last = span_of(record)
        if last < start - margin or first > end + margin:
            return True
    return False


async def ignores_window(prefetcher: Prefetcher, query: Query) -> bool:
    """Tell whether the service gives other records than those of the window's first second, if asked for these."""
    start = query.start_time or 0
    page = await result_of(prefetcher.request(attrs.evolve(query, end_time=start)))
    return lie_outside(page, start, start, _MARGIN)


async def find_meaning(
    prefetcher: Prefetcher, query: Query, records: Iterable[CallRecord]
) -> tuple[Meaning | None, bool]:
    """Return the meaning of a window, and whether a window that ends where it starts holds a second.

    Args:
        prefetcher: Where to ask.
        query: The conditions under which *records* were found.
        records: Records that the service gave. The meaning is ``None`` where they cannot show it.
    """
    calls = [record for record in records if length_of(record) >= _SHORTEST]
    for call in calls[:_TRIES]:
        start, end = map(int, span_of(call))
        by_start = await _is_found(prefetcher, query, call, start, _MARGIN)
        if by_start:
            return Meaning.START, await _is_found(prefetcher, query, call, start, 0) is True
        if by_start is None:
            continue
        by_end = await _is_found(prefetcher, query, call, end, _MARGIN)
        if by_end:
            return Meaning.END, await _is_found(prefetcher, query, call, end, 0) is True
        if by_end is False:
            return Meaning.WITHIN, False
    return None, False


async def _is_found(prefetcher: Prefetcher, query: Query, call: CallRecord, moment: int, margin: int) -> bool | None:
    """Tell whether *call* is found by the seconds around *moment*; ``None`` where the first page does not show it."""
    around = attrs.evolve(query, start_time=max(moment - margin, 0), end_time=moment + margin)
    page = await result_of(prefetcher.request(around))
    if _identify(call) in map(_identify, page.records):
        return True
    is_whole = page.total_num is not None and page.total_num <= page.size
    return False if is_whole or not page.size else None
