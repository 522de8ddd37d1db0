"""Walk over a window slice by slice, in the order of time.

Each slice is a list of its own. Its page 1 gives its TotalNum: too many records for one list, and the slice is
divided; else that page is the first of its walk. The slices that follow are opened ahead, so the quota stays busy.

State: the slices that are still to be walked. All that touches them is in this file.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from typing import Final

from trtc_records._api.models import CallRecordPage
from trtc_records._api.query import Query
from trtc_records._walking.keys import key_of, keys_of
from trtc_records._walking.ledger import Ledger
from trtc_records._walking.listing import ListWalk, Shortfall, ShortfallKind
from trtc_records._walking.meaning import span_of
from trtc_records._walking.prefetch import PagedList, Prefetcher
from trtc_records._walking.slices import Division, DivisionKind, Slice, divide

__all__ = ["DividedWalk", "Known"]

Windows = Sequence[tuple[int, int]]
"""First and last second of each."""

_MOST_FRUITLESS: Final = 20
"""Slices in a row with next to no new records before the walk gives up."""

_LEAST_NEWS: Final = 0.05
"""The share of new records below which a slice counts as one with next to none: where more calls are under way in any
second than one list can hold, each slice holds the same ones."""


_MOST_OPENED: Final = 16
"""Slices that are opened ahead besides four for each request under way: a window that no division helps would else be
divided down to its last second while the first slice is read."""


class Known:
    """Keys of records that were yielded and that a later slice may give again."""

    def __init__(self) -> None:
        self._digests: set[int] = set()
        self._ahead: dict[int, tuple[float, float]] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._digests or key in self._ahead

    def add_list(self, ledger: Ledger) -> None:
        """Remember all records of a list whose window is read again."""
        self._digests.update(ledger.digests)

    def add(self, page: CallRecordPage, windows: Windows) -> None:
        """Remember the records on *page* that touch one of *windows*."""
        self._digests.update(map(key_of, page.invalid))
        touching = [record for record in page.records if _touches(span_of(record), windows)]
        self._ahead.update(zip(keys_of(touching)[0], map(span_of, touching), strict=True))

    def forget_outside(self, windows: Windows) -> None:
        """Forget the records that touch none of *windows*."""
        self._ahead = {key: span for key, span in self._ahead.items() if _touches(span, windows)}


class DividedWalk:
    """A walk over a window by slices.

    Args:
        prefetcher: Where the pages come from.
        query: The conditions, with both ends of the window.
        known: Keys of records that were yielded before.
        most_records: The greatest TotalNum of a slice.
        is_proven: Whether a list of so many records is known to work.
        capped_total: The greatest TotalNum that the service gives, if one was noticed.
        reach: Seconds by which a slice reaches back: the longest call, where windows mean the whole call; else 0.
        single_seconds: Whether a window that ends where it starts holds a second.
        newest_first: Whether to begin with the last slice.
        later: Start and end of another window that is walked after this one, with the same *known*.
    """

    def __init__(
        self,
        prefetcher: Prefetcher,
        query: Query,
        known: Known,
        *,
        most_records: int,
        is_proven: bool,
        capped_total: int | None,
        reach: int,
        single_seconds: bool,
        newest_first: bool,
        later: tuple[int, int] | None,
    ) -> None:
        self.doubts: list[str] = []
        """Reasons why records may be missing."""
        self.yielded = 0
        """Records that the slices gave and that were not known before."""
        self.shortest_reach = reach
        """Seconds of the longest call that no seam can hide, where windows mean the whole call."""
        self.shortfall: Shortfall | None = None
        """The last shortfall that showed a smaller depth."""
        self._reach = reach
        self._prefetcher = prefetcher
        self._known = known
        self._most_records = most_records
        self._is_proven = is_proven
        self._capped_total = capped_total
        self._single_seconds = single_seconds
        self._newest_first = newest_first
        self._later = later
        self._slices = [Slice.of(query, reach)]
        self._first, self._last = self._slices[0].start, self._slices[0].end
        self._lists: dict[Slice, PagedList] = {}
        self._planned: set[Slice] = set()
        self._walking: Slice | None = None
        self._done: set[Query] = set()
        self._fruitless = 0

    @property
    def floor(self) -> int:
        """Return the Unix second before which all slices were read; without *newest_first*."""
        return self._slices[0].start if self._slices else self._last + 1

    async def pages(self) -> AsyncGenerator[CallRecordPage, None]:
        """Yield the pages of all slices, each with the records that nothing before it gave.

        Raises:
            CallRecordsError: A page could not be read.
        """
        self._prefetcher.on_answer = self._advance
        self._advance()
        while self._slices:
            current = self._slices[0]
            division = current.division
            compared = division.parts if division is not None and division.needs_judging else [current]
            unanswered = [part for part in compared if self._open(part).first_answer is None]
            if unanswered:
                await self._open(unanswered[0]).wait_for_first()
            else:
                async for page in self._walk(current):
                    yield page
            self._advance()
        self._prefetcher.on_answer = lambda: None

    async def _walk(self, current: Slice) -> AsyncGenerator[CallRecordPage, None]:
        """Walk over one slice, and divide it if it is longer than its TotalNum showed."""
        self._walking = current
        ledger = Ledger(self._known)
        listing = ListWalk(self._lists[current], ledger)
        following = self._find_windows_after(current)
        async for page in listing.pages():
            self._known.add(page, following)
            self.yielded += page.size
            yield page
        self._walking = None
        self.doubts += listing.doubts
        if ledger.found:
            self._fruitless = 0 if ledger.yielded >= _LEAST_NEWS * ledger.found else self._fruitless + 1
        shortfall = listing.shortfall or self._find_hidden_shortfall(ledger)
        if current.start == current.end and (shortfall is None or current.is_final):
            self._done.add(current.query)
        if shortfall is None:
            self._replace([current], [])
            self._known.forget_outside(following)
        else:
            self._divide_again(current, ledger, shortfall)
        if self._fruitless > _MOST_FRUITLESS and self._slices:
            self.doubts.append(
                f"{_MOST_FRUITLESS} parts of the window in a row held next to no new record, so the walk gave up: more "
                "calls seem to be under way at once than the service gives"
            )
            self._replace(list(self._slices), [])

    def _find_windows_after(self, current: Slice) -> Windows:
        """Return the windows that are still to be read behind *current*."""
        windows = [] if self._later is None else [self._later]
        if self._slices[-1] is not current:
            following = self._slices[self._slices.index(current) + 1]
            in_time_order = (following.start - self._reach, self._last)
            windows.append((self._first, following.end) if self._newest_first else in_time_order)
        return windows

    def _find_hidden_shortfall(self, ledger: Ledger) -> Shortfall | None:
        """Return a shortfall for a list without TotalNum that holds as many records as a capped list did."""
        if self._capped_total is None or ledger.expected is not None or ledger.found < self._capped_total:
            return None
        return Shortfall(ShortfallKind.REFUSED, ledger.pages, ledger.found // ledger.pages)

    def _divide_again(self, current: Slice, ledger: Ledger, shortfall: Shortfall) -> None:
        """Divide a slice whose list ended short, or note that it may have missed records."""
        is_depth = not self._is_proven or ledger.greatest_total > self._most_records
        helps = shortfall.kind is not ShortfallKind.EARLY or is_depth
        if current.is_final or not helps or not ledger.remembers_all:
            self.doubts.append(_describe_shortfall(current, ledger))
            self._replace([current], [])
            return
        self.shortfall = shortfall
        self._most_records = min(self._most_records, max(shortfall.pages * shortfall.page_length, 1))
        self._known.add_list(ledger)
        self._divide(current, ledger.expected)

    def _advance(self) -> None:
        """Open the slices that come next, divide those that are too long, and plan their pages."""
        place = 0
        while place < len(self._slices):
            current = self._slices[place]
            if current not in self._lists and place > 0 and not self._wants_more():
                return
            # Another slice stands in its place if this one was replaced.
            place += not (current is not self._walking and self._replaces(current))

    def _wants_more(self) -> bool:
        depth = self._prefetcher.depth()
        return self._prefetcher.planned < 2 * depth and len(self._lists) < 4 * depth + _MOST_OPENED

    def _replaces(self, current: Slice) -> bool:
        """Open and plan a slice, or replace it by its parts; tell whether it was replaced."""
        pages = self._open(current)
        division = current.division
        if division is not None and division.needs_judging:
            totals = [self._total_of(part) for part in division.parts]
            if None in totals:
                return False
            self._judge(division, [total or 0 for total in totals])
            return True
        total = self._total_of(current)
        if total is None:
            return False
        if current.query in self._done:
            self._replace([current], [])
            return True
        if self._is_too_long(current, total):
            self._divide(current, total)
            return True
        answer = pages.first_answer
        if current not in self._planned and answer is not None and answer.size and answer.page:
            self._planned.add(current)
            last = math.ceil(total / answer.size) + 1
            pages.plan(last, answer.size, look_again=last > 2)
        return False

    def _judge(self, division: Division, totals: list[int]) -> None:
        """Keep a division by conditions, or replace it by another."""
        # A cap makes all counts alike, so they say nothing about a condition.
        other = division.judge(totals if not self._is_capped(division.total) else [0])
        if other is not None:
            self._replace(division.parts, other.parts)
        else:
            self._check_conditions(division, sum(totals))

    def _check_conditions(self, division: Division, found: int) -> None:
        """Note where the parts of a slice by condition may not be the whole of it."""
        whole = division.whole
        when = _show_window(whole)
        total = division.total or 0
        if not total or self._is_capped(total):
            self.doubts.append(
                f"the service does not say how many calls {when} holds: those of a type or result that this version "
                "does not know could not be asked for"
            )
        elif found < total:
            self.doubts.append(
                f"{total - found:,} of the {total:,} calls of {when} have a type or result that this version does not "
                "know, and cannot be asked for"
            )

    def _is_too_long(self, current: Slice, total: int) -> bool:
        return not current.is_final and (total > self._most_records or self._is_capped(total))

    def _is_capped(self, total: int | None) -> bool:
        return self._capped_total is not None and (total or 0) >= self._capped_total

    def _total_of(self, part: Slice) -> int | None:
        """Return the TotalNum of a slice; ``None`` before its first answer."""
        answer = self._open(part).first_answer
        return None if answer is None else answer.total_num or answer.size

    def _open(self, current: Slice) -> PagedList:
        if current not in self._lists:
            following = self._slices[self._slices.index(current) + 1 :]
            before = next((self._lists[each] for each in following if each in self._lists), None)
            self._lists[current] = self._prefetcher.open(current.query, before=before)
        return self._lists[current]

    def _divide(self, current: Slice, total: int | None) -> None:
        division = divide(
            current,
            total,
            self._most_records,
            single_seconds=self._single_seconds,
            newest_first=self._newest_first,
        )
        if division.kind is DivisionKind.REACH:
            self.shortest_reach = min(self.shortest_reach, division.parts[0].reach)
        self._replace([current], division.parts)

    def _replace(self, slices: list[Slice], parts: list[Slice]) -> None:
        """Put *parts* in the place of *slices*, which follow one another."""
        place = self._slices.index(slices[0])
        self._slices[place : place + len(slices)] = parts
        for each in slices:
            self._planned.discard(each)
            pages = self._lists.pop(each, None)
            if pages is not None:
                self._prefetcher.close(pages)


def _touches(span: tuple[float, float], windows: Windows) -> bool:
    return any(span[1] >= start and span[0] <= end for start, end in windows)


def _describe_shortfall(current: Slice, ledger: Ledger) -> str:
    total = "an unknown number" if ledger.expected is None else f"{ledger.expected:,}"
    return f"{ledger.found:,} of {total} of the calls of {_show_window(current)} could be read"


def _show_window(part: Slice) -> str:
    start, end = (datetime.fromtimestamp(second, UTC) for second in (part.start, part.end))
    conditions = [condition for condition in (part.query.call_type, part.query.call_result) if condition]
    if part.end - part.start <= 1:
        return " ".join([f"the second {start:%Y-%m-%d %H:%M:%S} UTC", *conditions])
    return " ".join([f"{start:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} UTC", *conditions])
