"""Walk over the pages of a query: which page next, what to yield, when it ends.

The service pages by number over data that may move. What is done about it:

- A walk ends at the server's end signal. One that comes before TotalNum records were read is read again
  after a pause; if it stays, the walk warns.
- Records yielded lately are not yielded again (arrivals push records to later pages).
- A TotalNum that falls from one page to the next means that records moved to earlier pages, over an edge
  that was read already: the pages around it are read again until they agree.
- A page that brings nothing new is read again; if it stays, it is an error and no endless loop.
- Page 1 is looked at once more at the end: it shows whether records left the list in the same moment as
  others arrived, which no TotalNum shows.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from itertools import pairwise
from typing import Final

import anyio

from trtc_records._errors import IncompleteWalkWarning, RepeatedPageError
from trtc_records._ledger import Ledger, total_fell
from trtc_records._models import CallRecordPage
from trtc_records._prefetch import Prefetcher
from trtc_records._warn import warn_caller

__all__ = ["walk"]

_PAUSE: Final = 1.0
"""Seconds before an end that came too early is read again: longer than the quota's window."""

_MOST_STALE_PAGES: Final = 10
"""How many pages of known records in a row arrivals are believed to explain."""

_ROUNDS: Final = 5
"""How often the pages around a fall of TotalNum are read again before the walk gives up on their agreeing."""


async def walk(source: Prefetcher) -> AsyncGenerator[CallRecordPage, None]:
    """Yield the pages of a query in order, each with the records that none before it gave.

    Warns:
        IncompleteWalkWarning: Records may be missing; all others were yielded.

    Raises:
        RepeatedPageError: The server repeats a page.
        CallRecordsError: A page could not be read.
    """
    ledger = Ledger()
    number = 1
    positions = longest = 0
    agreed = True
    early_end: CallRecordPage | None = None
    paused = False
    while True:
        if early_end is not None:
            await anyio.sleep(_PAUSE)
            reads = await _read_end_again(source, number, early_end)
        else:
            reads, settled = await _read(source, ledger, number)
            agreed = agreed and settled
        for read in reads:
            fresh = ledger.take(read)
            if fresh.size:
                yield fresh
        page = reads[-1]
        early_end = page if _is_end(page) and ledger.missing and not paused else None
        if early_end is not None:
            paused = True
            source.stop_ahead()
        elif not _is_end(page):
            paused = False
            positions += page.size
            longest = max(longest, page.size)
            left = ledger.pages_left(longest, positions)
            source.plan(number + left + 1, longest, look_again=ledger.expected > 0 and number + left > 1)
            number += 1
        elif ledger.missing and source.has_requested(number + 1):
            number += 1
        else:
            break
    if ledger.missing:
        _warn_incomplete(f"it ended after {ledger.yielded} of {ledger.expected} records, and did so again")
    elif not agreed:
        _warn_incomplete("records kept leaving the list while the pages around them were read again")
    elif ledger.pages > 1:
        first_page = await source.take_second_look()
        left, arrived = ledger.compare_first_page(first_page)
        fresh = ledger.take(first_page)
        if fresh.size:
            yield fresh
        if (left or source.records_left) and (arrived or source.records_arrived):
            _warn_incomplete("records left the list while others arrived, so TotalNum cannot show every move")


async def _read(source: Prefetcher, ledger: Ledger, number: int) -> tuple[list[CallRecordPage], bool]:
    """Read page *number*, and again what does not fit; tell whether the reads agree in the end."""
    page = await source.take(number)
    if _repeats(ledger, page):
        page = await source.read_again(number)
        if _repeats(ledger, page):
            # Data that moves may bring a whole page of known records, but not page after page.
            ledger.stale_pages += 1
            moved = source.records_arrived or source.records_left
            if not moved or ledger.stale_pages > _MOST_STALE_PAGES:
                raise RepeatedPageError(number, page.request_id)
    if ledger.fell(page):
        reads, agreed = await _read_around(source, ledger, number)
        return [page, *reads], agreed
    return [page], True


async def _read_around(source: Prefetcher, ledger: Ledger, number: int) -> tuple[list[CallRecordPage], bool]:
    """Read the pages up to *number* again, from one that begins with a known record, until they agree."""
    reads: list[CallRecordPage] = []
    for _ in range(_ROUNDS):
        first = max(number - 1, 1)
        page = await source.read_again(first)
        while first > 1 and not ledger.knows_start(page):
            reads.append(page)
            first -= 1
            page = await source.read_again(first)
        forward = [page, *await _read_forward(source, first + 1, number)]
        reads += forward
        if not any(total_fell(earlier, later) for earlier, later in pairwise(forward)):
            return reads, True
    return reads, False


async def _read_end_again(source: Prefetcher, number: int, end: CallRecordPage) -> list[CallRecordPage]:
    """Read the end again, and the page before it where the end does not tell whether TotalNum fell."""
    return await _read_forward(source, number if end.total_num else max(number - 1, 1), number)


async def _read_forward(source: Prefetcher, first: int, last: int) -> list[CallRecordPage]:
    return [await source.read_again(number) for number in range(first, last + 1)]


def _is_end(page: CallRecordPage) -> bool:
    return not page.size or page.page == 0


def _repeats(ledger: Ledger, page: CallRecordPage) -> bool:
    """Tell whether *page* holds records, and all of them are known."""
    return not _is_end(page) and not ledger.has_news(page)


def _warn_incomplete(reason: str) -> None:
    warn_caller(f"a walk may have missed records: {reason}. Walk again to get them", IncompleteWalkWarning)
