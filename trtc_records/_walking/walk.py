"""Walk over all records of a window, and say whether they are all.

A walk begins with one list of pages. Where that list turns out not to be the whole window, because the service gives
no page that deep or counts no further, the window is divided into slices.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from typing import Final

import attrs

from trtc_records._api.models import CallRecord, CallRecordPage
from trtc_records._api.query import RETENTION, Query
from trtc_records._errors import CallRecordsError
from trtc_records._walking.division import DividedWalk, Known
from trtc_records._walking.facts import Meaning, ServiceFacts, looks_capped
from trtc_records._walking.ledger import Ledger
from trtc_records._walking.listing import ListWalk, Shortfall, ShortfallKind
from trtc_records._walking.meaning import find_meaning, ignores_window, length_of, lie_outside
from trtc_records._walking.prefetch import PagedList, Prefetcher, result_of
from trtc_records._walking.slices import Slice, divide

__all__ = ["Walk"]

Counts = list[tuple[Query, asyncio.Task[CallRecordPage]]]
"""Parts of a window, each with the request for its TotalNum."""

_MOST_SORTED: Final = 5_000
"""Records of a slice that is sorted as a whole."""

_WINDOW_MARGIN: Final = 3_600
"""Seconds by which a record may lie outside the window of its list: the meaning of a window is not documented."""

_MOST_CALLS: Final = 10
"""Calls kept, one of them to find out the meaning of a window."""


class Walk:
    """A walk over a window.

    Args:
        prefetcher: Where the pages come from.
        query: The conditions, with both ends of the window.
        root: The list of the whole window.
        facts: What the client knows about the service.
        in_time_order: Whether to read the window in slices that can be sorted one at a time, oldest first.
    """

    def __init__(
        self,
        prefetcher: Prefetcher,
        query: Query,
        root: PagedList,
        facts: ServiceFacts,
        *,
        in_time_order: bool = False,
    ) -> None:
        assert query.start_time is not None
        assert query.end_time is not None
        self.yielded = 0
        """Records yielded so far."""
        self.expected: int | None = None
        """TotalNum of the window; ``None`` where the service does not count so far."""
        self.doubts: list[str] = []
        """Reasons why records may be missing."""
        self.without_own_id = 0
        """Records without an id, or with that of another one on their page."""
        self._prefetcher = prefetcher
        self._query = query
        self._root = root
        self._window = (query.start_time, query.end_time)
        self._facts = facts
        self._in_time_order = in_time_order
        self._sample = _Sample()
        self._slices: DividedWalk | None = None
        self._pages = 0

    @property
    def floor(self) -> int | None:
        """Return the Unix second before which no further record starts; ``None`` while that is not known."""
        if self._slices is None or self._facts.meaning is not Meaning.START:
            return None
        return self._slices.floor

    async def pages(self) -> AsyncGenerator[CallRecordPage, None]:
        """Yield pages of records, each record once.

        Raises:
            CallRecordsError: A page could not be read.
        """
        root = self._root
        first = await root.wait_for_first()
        self.expected = first.total_num
        self._facts.ignores_window |= lie_outside(first, *self._window, _WINDOW_MARGIN)
        ledger = Ledger()
        if self._needs_slices(first):
            for fresh in ledger.take_news(await root.take(1)):
                yield self._count(fresh)
            self._prefetcher.close(root)
            async for page in self._read_slices(ledger):
                yield page
            return
        parts = self._count_parts(self._query) if self._is_suspicious(first) else None
        listing = ListWalk(root, ledger)
        async for fresh in listing.pages():
            yield self._count(fresh)
        self._prefetcher.close(root)
        self.doubts += listing.doubts
        cap = await self._find_cap(listing, parts)
        shortfall = listing.shortfall or cap
        if shortfall is not None and not self._facts.ignores_window:
            self._facts.ignores_window = await ignores_window(self._prefetcher, self._query)
        if shortfall is None or (self._facts.ignores_window and shortfall is cap):
            return
        if self._facts.ignores_window and shortfall.error is not None:
            raise shortfall.error
        if not ledger.remembers_all:
            self._facts.learn(shortfall)
            self.doubts.append(
                f"the service gave {ledger.found:,} records of the window and no more: walk again with the same "
                "client, which has noted that and divides the window from the beginning"
            )
        elif self._facts.ignores_window or (shortfall.kind is ShortfallKind.EARLY and self._facts.overstates_total):
            self.doubts.append(_describe_early_end(ledger.found, self.expected))
        else:
            async for page in self._read_slices(ledger, shortfall, cap):
                yield page

    def _needs_slices(self, first: CallRecordPage) -> bool:
        """Tell whether one list is known to be too short for the window."""
        most = self._facts.limits(max(first.size, 1)).most_records
        if self._in_time_order:
            most = min(most or _MOST_SORTED, _MOST_SORTED)
        return most is not None and (first.total_num or 0) > most and not self._facts.ignores_window

    def _is_suspicious(self, first: CallRecordPage) -> bool:
        """Tell whether the TotalNum of the window may be a cap."""
        total = first.total_num or 0
        is_whole = total <= first.size < self._query.page_size  # there was room for more on the page
        return not is_whole and not self._facts.ignores_window and self._facts.is_suspicious(total, self._window)

    async def _find_cap(self, listing: ListWalk, parts: Counts | None) -> Shortfall | None:
        """Return a shortfall if TotalNum turns out to be a cap.

        It is one if the parts of the window hold more together, or those of the one part that holds as many.
        """
        ledger = listing.ledger
        total = ledger.first_total
        if total is None:
            is_capped = looks_capped(ledger.found) and ledger.pages > 1 and not self._facts.ignores_window
            return self._make_cap(ledger, ledger.found) if is_capped else None
        # Drift explains some records more than TotalNum, not a page of them.
        holds_more = ledger.found > ledger.greatest_total + self._sample.page_length
        is_odd = listing.ended_oddly or listing.shortfall is not None or ledger.found > ledger.greatest_total
        if self._facts.ignores_window or (parts is None and not is_odd):
            return None
        counts = parts or self._count_parts(self._query)
        while ledger.total_stands_still:
            found = [(await result_of(request)).total_num or 0 for _, request in counts]
            # Fewer together: calls lie across the cut, or in a second that neither part holds, or expired meanwhile.
            is_less = sum(found) < total and (holds_more or looks_capped(total))
            if sum(found) > total or (is_less and await self._count_whole() == total):
                return self._make_cap(ledger, total)
            if total not in found or len(counts) == 1:
                break
            counts = self._count_parts(counts[found.index(total)][0])
        return None

    async def _count_whole(self) -> int | None:
        return (await result_of(self._prefetcher.request(self._query))).total_num

    def _count_parts(self, query: Query) -> Counts:
        """Request the TotalNum of parts that share no record: two halves of the time, or call types, or results."""
        start, end = query.start_time or 0, query.end_time or 0
        if start == end:
            queries = [part.query for part in divide(Slice.of(query, 0), None, 1).parts]
        else:
            middle = (start + end) // 2
            halves = ((start, middle), (middle + 1, end))
            queries = [attrs.evolve(query, start_time=first, end_time=last) for first, last in halves]
        return [(part, self._prefetcher.request(part)) for part in queries]

    def _make_cap(self, ledger: Ledger, total: int) -> Shortfall:
        return Shortfall(ShortfallKind.CAPPED, ledger.pages, self._sample.page_length, total=total)

    async def _read_slices(
        self, ledger: Ledger, shortfall: Shortfall | None = None, cap: Shortfall | None = None
    ) -> AsyncGenerator[CallRecordPage, None]:
        """Yield the records of the window that its first list did not give, slice by slice."""
        facts, sample, before = self._facts, self._sample, self.yielded
        limits = facts.limits(max(sample.page_length, 1), shortfall, cap)
        most = limits.most_records or _MOST_SORTED
        counted = self.expected
        if limits.capped_total is not None and (self.expected or 0) >= limits.capped_total:
            self.expected = None
        known = Known()
        known.add_list(ledger)
        if facts.meaning is None:
            facts.meaning, facts.single_seconds = await find_meaning(self._prefetcher, self._query, sample.calls)
        reach = 0 if facts.meaning in {Meaning.START, Meaning.END} else max(facts.longest_call, sample.longest_call, 2)
        shortest_reach = reach
        newest_first = sample.descends and not self._in_time_order
        windows = self._choose_windows(shortfall)
        for place, (start, end) in enumerate(windows):
            if place > 0 and self.expected is not None and self.yielded >= self.expected:
                break
            self._slices = slices = DividedWalk(
                self._prefetcher,
                attrs.evolve(self._query, start_time=start, end_time=end),
                known,
                most_records=min(most, _MOST_SORTED) if self._in_time_order else most,
                is_proven=limits.most_records is not None,
                capped_total=limits.capped_total,
                reach=reach,
                single_seconds=facts.single_seconds,
                newest_first=newest_first,
                later=windows[-1] if place + 1 < len(windows) else None,
            )
            async for page in slices.pages():
                yield self._count(page)
            self.doubts += slices.doubts
            shortest_reach = min(shortest_reach, slices.shortest_reach)
            deeper = slices.shortfall
            if deeper is not None:
                shortfall, most = deeper, min(most, deeper.records)
        facts.longest_call = max(facts.longest_call, sample.longest_call)
        if cap is not None and self.yielded <= cap.records:
            # The slices brought no more than TotalNum: it only looked like a cap.
            self.expected, cap = counted, None
        await self._conclude(shortfall, cap, has_news=self.yielded > before)
        if facts.meaning in {Meaning.WITHIN, None}:
            await self._check_seams(shortest_reach)

    def _choose_windows(self, shortfall: Shortfall | None) -> list[tuple[int, int]]:
        """Return the windows to divide.

        Where the count can tell whether records are missing, the part that the order of the first list leaves open
        comes first: the rest is read only if the count says so.
        """
        (start, end), sample = self._window, self._sample
        edge = min(max(sample.last_start, start), end)
        # Where records come and go, the count cannot tell.
        if shortfall is None or self._in_time_order or self.expected is None or self._root.moves:
            return [(start, end)]
        if sample.ascends:
            return [(edge, end), (start, edge)]
        if sample.descends and self._facts.meaning is Meaning.START:
            return [(start, edge), (edge, end)]
        return [(start, end)]

    async def _conclude(self, shortfall: Shortfall | None, cap: Shortfall | None, *, has_news: bool) -> None:
        """Learn from the slices."""
        missing = self.expected is not None and self.yielded < self.expected
        if has_news:
            for lesson in (shortfall, cap):
                if lesson is not None and await self._lasts(lesson):
                    self._facts.learn(lesson)
        elif shortfall is not None and shortfall.kind is ShortfallKind.EARLY:
            self._facts.overstates_total = True
        elif shortfall is not None and shortfall.error is not None and missing:
            raise shortfall.error
        if missing:
            self.doubts.insert(0, _describe_early_end(self.yielded, self.expected))

    async def _lasts(self, shortfall: Shortfall) -> bool:
        """Tell whether a page that failed by an error inside the service still fails: it may have been an outage."""
        if shortfall.error is None or not shortfall.error.retryable:
            return True
        try:
            page = await result_of(self._prefetcher.request(self._query, shortfall.pages + 1))
        except CallRecordsError:
            return True
        return not page.size

    async def _check_seams(self, reach: int) -> None:
        """Note which calls the seams between slices may hide, unless the count shows that none is missing."""
        now = (await result_of(self._prefetcher.request(self._query))).total_num
        if self.expected is None or now is None or self.yielded < now:
            seems = "seems to find" if self._facts.meaning is Meaning.WITHIN else "may find"
            self.doubts.append(
                f"the service {seems} a call only by a window that holds the whole of it, and windows had to be "
                f"divided: a call of more than {reach:,} seconds may be missing"
            )

    def _count(self, page: CallRecordPage) -> CallRecordPage:
        """Count a page that is yielded, and number it."""
        self._sample.add(page)
        ids = {record.call_id for record in page.records}
        self.without_own_id += len(page.records) - sum(map(bool, map(str.strip, ids)))
        self.yielded += page.size
        self._pages += 1
        if self._slices is None:
            return page
        return attrs.evolve(page, page=self._pages, total_num=self.expected)


class _Sample:
    """The length of pages, the order of records and the lengths of calls, as far as the walk has read."""

    def __init__(self) -> None:
        self.page_length = 0
        self.calls: list[CallRecord] = []
        """The longest call of each of the first pages."""
        self._longest = timedelta()
        self._first_start: datetime | None = None
        self._last_start: datetime | None = None
        self._ascends = self._descends = True

    def add(self, page: CallRecordPage) -> None:
        """Take one more page."""
        self.page_length = max(self.page_length, page.size)
        if not page.records:
            return
        lengths = [record.end_time - record.start_time for record in page.records if record.end_time is not None]
        self._longest = max([self._longest, *lengths])
        if len(self.calls) < _MOST_CALLS:
            self.calls.append(max(page.records, key=length_of))
        if self._ascends or self._descends:
            starts = [record.start_time for record in page.records]
            if self._last_start is not None:
                starts.insert(0, self._last_start)
            rising = sorted(starts)
            self._ascends &= starts == rising
            self._descends &= starts == rising[::-1]
        self._first_start = self._first_start or page.records[0].start_time
        self._last_start = page.records[-1].start_time

    @property
    def longest_call(self) -> int:
        """Return the seconds of the longest call, up to those that the service keeps it."""
        return min(int(self._longest.total_seconds()), RETENTION)

    @property
    def ascends(self) -> bool:
        """Return whether no record starts before the one in front of it."""
        return self._ascends and self._first_start != self._last_start

    @property
    def descends(self) -> bool:
        """Return whether no record starts after the one in front of it."""
        return self._descends and self._first_start != self._last_start

    @property
    def last_start(self) -> int:
        """Return the start of the last record, in Unix seconds."""
        return 0 if self._last_start is None else int(self._last_start.timestamp())


def _describe_early_end(found: int, expected: int | None) -> str:
    return (
        f"the service counts {expected or 0:,} records and gives {found:,}: walk again later to see whether it gives "
        "the others then"
    )
