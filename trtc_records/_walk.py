"""Walk over the pages of a query: which page next, what to yield, when it ends.

The service pages by number over data that may move. What is done about it:

- A walk ends at the server's end signal. One that comes before TotalNum records were read is read again
  after a pause; if it stays, the walk warns.
- Records yielded lately are not yielded again (arrivals push records to later pages).
- A TotalNum that falls from one page to the next means that records moved to earlier pages, over an edge
  that was read already: the pages around it are read again until they agree.
- A page that brings nothing new is read again. If it stays, and is what the page before it or page 1 is now, it
  is an error and no endless loop.
- Page 1 is looked at once more at the end: it shows whether records left the list in the same moment as
  others arrived, which no TotalNum shows. If it holds nothing of what it held, the pages behind it are looked at too.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from itertools import pairwise
from typing import Final

import anyio

from trtc_records._api.models import CallRecordPage
from trtc_records._errors import IncompleteWalkWarning, RepeatedPageError
from trtc_records._ledger import Ledger, hold_the_same, total_fell
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
        for fresh in ledger.take_news(reads):
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
        looks, has_hidden_moves = await _look_again(source, ledger)
        for fresh in ledger.take_news(looks):
            yield fresh
        if has_hidden_moves:
            _warn_incomplete("records left the list while others arrived, so TotalNum cannot show every move")


async def _look_again(source: Prefetcher, ledger: Ledger) -> tuple[list[CallRecordPage], bool]:
    """Return the first pages as they are now, and whether records left while others arrived."""
    looks = [await source.take_second_look()]
    while ledger.lost_sight(looks):
        looks.append(await source.read_again(len(looks) + 1))
    left, arrived = ledger.compare_start(looks)
    return looks, (left or source.records_left) and (arrived or source.records_arrived)


async def _read(source: Prefetcher, ledger: Ledger, number: int) -> tuple[list[CallRecordPage], bool]:
    """Read page *number*, and again what does not fit; tell whether the reads agree in the end."""
    reads = [await source.take(number)]
    if _repeats(ledger, reads[-1]):
        reads = [await source.read_again(number)]
        if _repeats(ledger, reads[-1]):
            reads = await _explain(source, ledger, number, reads[-1])
    page = reads[-1]
    if ledger.fell(page):
        around, agreed = await _read_around(source, ledger, number)
        return [*reads, *around], agreed
    return reads, True


async def _explain(source: Prefetcher, ledger: Ledger, number: int, page: CallRecordPage) -> list[CallRecordPage]:
    """Return the reads that show why *page* brings nothing new, it being the last, where the data moves."""
    ledger.stale_pages += 1
    if ledger.stale_pages > _MOST_STALE_PAGES:
        raise RepeatedPageError(number, page.request_id)
    if source.records_arrived or source.records_left:
        return [page]
    others = [await source.read_again(other) for other in sorted({1, number - 1})]
    if any(hold_the_same(page, other) for other in others):
        raise RepeatedPageError(number, page.request_id)
    # As many have left as have arrived, which no TotalNum shows.
    source.records_arrived = source.records_left = True
    return [*others, page]


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
