"""Walk over the pages of one list: its next page, its records, its end, and whether it was whole.

The service pages by number over data that moves. The rules:

- A list ends at the server's end signal. One that comes before TotalNum records were read is read again after a
  pause.
- A record that this list gave lately is not yielded again: arrivals push records to later pages.
- A TotalNum that is smaller than that of the page before means that records may have crossed the edge between the two
  unseen. The page is read again at once; if its TotalNum stays smaller, records left, and the pages around the edge
  are read again until they agree.
- A page that brings nothing new is read again beside the pages that it may repeat. If it repeats one, the list is
  over; else the data moves.
- A page of another length than the ones before shifts all page numbers: the list goes on at the page that holds the
  next position.
- Page 1 is looked at once more at the end: it shows whether records left in the same moment as others arrived, which
  no TotalNum shows.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from enum import Enum, auto
from itertools import pairwise
from typing import Final

import anyio
import attrs

from trtc_records._api.models import CallRecordPage
from trtc_records._errors import (
    APIError,
    CallRecordsError,
    InvalidRequestError,
    RepeatedPageError,
    ServerError,
    TransportError,
)
from trtc_records._walking.ledger import Ledger, hold_the_same, total_fell
from trtc_records._walking.prefetch import PagedList

__all__ = ["ListWalk", "Shortfall", "ShortfallKind"]

_PAUSE: Final = 1.0
"""Seconds before an end that came too early is read again: longer than the quota's window."""

_MOST_STALE_PAGES: Final = 10
"""Consecutive stale pages tolerated as drift."""

_ROUNDS: Final = 5
"""How often the pages around a fall of TotalNum are read again before the walk gives up on their agreeing."""

_LOOKS: Final = 3
"""How many looks must all miss a record before it counts as gone: a replica may lag behind."""


class ShortfallKind(Enum):
    """The way in which a list ended before it was whole."""

    REFUSED = auto()
    """A page beyond the first was refused for good."""
    EARLY = auto()
    """The end signal came before TotalNum records, and stayed."""
    REPEATED = auto()
    """A page repeated an earlier one."""
    CAPPED = auto()
    """The list held TotalNum records, but its window holds more: the service counts no further."""


@attrs.frozen(eq=False)
class Shortfall:
    """The place where a list ended before it was whole."""

    kind: ShortfallKind
    pages: int
    """Pages that the service gave."""
    page_length: int
    """Records on the longest of them."""
    error: CallRecordsError | None = None
    total: int | None = None
    """The TotalNum that is a cap."""

    @property
    def records(self) -> int:
        """Return how many records the service gives or counts at the most."""
        return self.pages * self.page_length if self.total is None else self.total


class ListWalk:
    """A walk over one list.

    Args:
        source: Where the pages come from.
        ledger: Account of the list.
    """

    def __init__(self, source: PagedList, ledger: Ledger) -> None:
        self.ledger = ledger
        self.shortfall: Shortfall | None = None
        """Why the list is not whole; ``None`` while it may be."""
        self.doubts: list[str] = []
        """Reasons why the list may have missed records although it came to its end."""
        self.ended_oddly = False
        """Whether the list ended at TotalNum, but by an error or a repeated page in place of the end signal."""
        self._source = source
        self._agreed = True
        self._has_departures = False
        self._furthest = 0
        self._longest = 0
        self._positions = 0

    async def pages(self) -> AsyncGenerator[CallRecordPage, None]:
        """Yield the pages in order, each with the records that none before it gave.

        Raises:
            CallRecordsError: A page could not be read.
        """
        number = 1
        paused = False
        while True:
            try:
                reads = await self._read(number)
            except (APIError, TransportError, RepeatedPageError) as error:
                if number == 1 or not _may_mean_depth(error):
                    raise
                kind = ShortfallKind.REPEATED if isinstance(error, RepeatedPageError) else ShortfallKind.REFUSED
                self._end_short(kind, number - 1, error)
                break
            for fresh in self.ledger.take_news(reads):
                yield fresh
            page = reads[-1]
            if _is_end(page) and self._is_short(number, page) and not paused:
                paused = True
                self._source.stop_ahead()
                await anyio.sleep(_PAUSE)
                reads = await self._read_end_again(number)
                for fresh in self.ledger.take_news(reads):
                    yield fresh
                page = reads[-1]
            if _is_end(page):
                if self._is_short(number, page):
                    self._end_short(ShortfallKind.EARLY, number - 1, None)
                break
            paused = False
            number = self._go_on(number, page)
        if self.shortfall is None or self.shortfall.kind is ShortfallKind.EARLY:
            async for fresh in self._check_end():
                yield fresh

    def _end_short(self, kind: ShortfallKind, pages: int, error: CallRecordsError | None) -> None:
        """End the list at an error or an early end; where TotalNum was reached, that is an end like any other."""
        reached = self.ledger.found >= self.ledger.greatest_total > 0
        if kind is not ShortfallKind.EARLY and reached:
            self.ended_oddly = True
        else:
            self.shortfall = Shortfall(kind, pages, self._longest, error)

    def _go_on(self, number: int, page: CallRecordPage) -> int:
        """Return the number of the page behind *page*, and plan how far to request ahead."""
        is_last = self._positions + page.size >= (page.total_num or 0)
        has_shrunk = self.ledger.stale_pages > 0 and page.size < self._longest and not is_last
        if number > 1 and (page.size > self._longest or has_shrunk):
            # Pages have another length now: go on at the one that holds the next position.
            self._longest = page.size
            following = self._positions // page.size + 1
            self._positions = (following - 1) * page.size
            if following != number + 1:
                self._source.jump_to(following)
        else:
            self._longest = max(self._longest, page.size)
            self._positions += page.size
            following = number + 1
        left = self.ledger.pages_left(self._longest, self._positions)
        last = following + left
        self._source.plan(last, self._longest, look_again=bool(self.ledger.expected) and last > 2)
        self._furthest = max(self._furthest, number)
        return following

    async def _check_end(self) -> AsyncGenerator[CallRecordPage, None]:
        """Yield the new records of a second look at the first pages, and note why records may be missing."""
        if not self._agreed:
            self.doubts.append(
                "records kept leaving the list while the pages around them were read again: walk again to get them"
            )
        elif self.ledger.pages > 1:
            looks, has_hidden_moves = await self._look_again()
            for fresh in self.ledger.take_news(looks):
                yield fresh
            if has_hidden_moves:
                self.doubts.append(
                    "records left the list while others arrived, so TotalNum cannot show every move: walk again to get "
                    "those that were missed"
                )

    async def _look_again(self) -> tuple[list[CallRecordPage], bool]:
        """Return the first pages as they are now, and whether records left while others arrived."""
        looks = await self._look(await self._source.take_second_look())
        left, arrived = self.ledger.compare_start(looks)
        for _ in range(_LOOKS - 1):
            if not left:
                break
            more = await self._look(await self._source.read_again(1))
            still_left, arrived_since = self.ledger.compare_start(more)
            looks += more
            left, arrived = still_left, arrived or arrived_since
        return looks, (left or self._has_departures) and (arrived or self._source.records_arrived)

    async def _look(self, page: CallRecordPage) -> list[CallRecordPage]:
        """Return *page*, which is page 1 now, and as many behind it as arrivals may have pushed its records."""
        looks = [page]
        while self.ledger.lost_sight(looks):
            looks.append(await self._source.read_again(len(looks) + 1))
        return looks

    async def _read(self, number: int) -> list[CallRecordPage]:
        """Read page *number*, and again the pages that do not fit."""
        reads = await self._source.take(number)
        if number > self._furthest and all(self._repeats(page) for page in reads):
            self._source.stop_ahead()
            reads = await self._explain(number)
        edge_reads = reads
        if self.ledger.fell(reads):
            around = await self._read_around(number)
            reads = [*reads, *around]
            edge_reads = around[-1:]
        self.ledger.note_edge(edge_reads)
        return reads

    async def _explain(self, number: int) -> list[CallRecordPage]:
        """Re-read a stale page and those it may repeat, to decide whether it is drift or a server repeating itself."""
        self.ledger.note_stale_page()
        others = sorted({1, number - 1})
        *again, page = await self._source.read_all_again([*others, number])
        if not self._repeats(page):
            return [*again, page]
        if self.ledger.stale_pages > _MOST_STALE_PAGES or any(hold_the_same(page, other) for other in again):
            raise RepeatedPageError(number, page.request_id)
        if not self._source.moves:
            self._source.note_drift()
        return [*again, page]

    async def _read_around(self, number: int) -> list[CallRecordPage]:
        """Read the pages up to *number* again, from one that begins with a known record, until they agree."""
        reads: list[CallRecordPage] = []
        for _ in range(_ROUNDS):
            first = max(number - 1, 1)
            page = await self._source.read_again(first)
            while first > 1 and not self.ledger.knows_start(page):
                reads.append(page)
                first -= 1
                page = await self._source.read_again(first)
            forward = [page, *[await self._source.read_again(other) for other in range(first + 1, number + 1)]]
            reads += forward
            if not any(total_fell(earlier, later) for earlier, later in pairwise(forward)):
                return reads + await self._confirm_departure(number, forward)
        self._agreed = False
        return reads

    async def _confirm_departure(self, number: int, reads: list[CallRecordPage]) -> list[CallRecordPage]:
        """Note whether records left; return the further reads of page *number* that it took to be sure."""
        more: list[CallRecordPage] = []
        while not self._has_departures and self.ledger.fell([*reads, *more]):
            if len(more) == _LOOKS - 1:
                self._has_departures = True
            else:
                more.append(await self._source.read_again(number))
        return more

    async def _read_end_again(self, number: int) -> list[CallRecordPage]:
        """Read the end again, and the page before it: arrivals may have filled that since."""
        end = await self._source.read_again(number)
        before = [await self._source.read_again(number - 1)] if number > 1 else []
        reads = [*before, end]
        self._longest = max(self._longest, *(read.size for read in reads))
        return reads

    def _is_short(self, number: int, end: CallRecordPage) -> bool:
        """Tell whether an end comes before TotalNum, be it of the records read or of the places in front of it."""
        places = (number - 1) * self._longest + end.size
        return self.ledger.missing > 0 or places < (end.total_num or 0)

    def _repeats(self, page: CallRecordPage) -> bool:
        """Tell whether *page* holds records, and all of them are known."""
        return not _is_end(page) and not self.ledger.has_news(page)


def _is_end(page: CallRecordPage) -> bool:
    return not page.size or page.page == 0


def _may_mean_depth(error: CallRecordsError) -> bool:
    """Tell whether an error on a page beyond the first may mean that the service gives no page that deep."""
    if isinstance(error, TransportError):
        return error.status_code is not None and error.status_code >= 500
    return isinstance(error, InvalidRequestError | ServerError | RepeatedPageError) or type(error) is APIError
