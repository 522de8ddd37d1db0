"""Account of one list of pages: the records that it gave, and the counts that its answers gave.

State: everything seen on the pages of one list. All that touches it is in this file. Its size does not depend on how
many records there are.

Records are known by their keys. Whether a page brings news, or a record left, is decided by their rough keys.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Container, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain, islice
from typing import Final

import attrs

from trtc_records._api.models import CallRecord, CallRecordPage, InvalidRecord
from trtc_records._walking.keys import key_of, keys_of, rough_key_of

__all__ = ["Ledger", "hold_the_same", "total_fell"]

_GENERATION: Final = 20_000
"""Keys in each of two generations that are remembered: pages drift by some records, not by 20,000."""

_MOST_DIGESTS: Final = 200_000
"""Keys of yielded records that are kept, 8 bytes each, for the case that the window must be divided."""


class Ledger:
    """Account of one list.

    Args:
        elsewhere: Keys of records that other lists of the same walk have given: they are not yielded
            again. None by default.
    """

    def __init__(self, elsewhere: Container[int] | None = None) -> None:
        self.pages = 0
        """Pages with records that were taken."""
        self.yielded = 0
        """Records that were yielded, each once."""
        self.stale_pages = 0
        """Pages in a row that brought nothing new."""
        self.digests = array("q")
        """Keys of the records that this list gave, up to a bound: see :attr:`remembers_all`."""
        self._elsewhere = elsewhere
        self._repeated = 0
        self._given_elsewhere = 0
        self._least_total: int | None = None
        self.greatest_total = 0
        """The greatest TotalNum that a page gave."""
        self._first_total: int | None = None
        self._last_total: int | None = None
        self._edge_total = 0
        self._first_page: tuple[str | int, ...] = ()
        # The keys of page 1 for good, then an older and a recent generation.
        self._memory: list[set[int]] = [set(), set(), set()]

    @property
    def found(self) -> int:
        """Return how many records of this list are known, whichever list yielded them."""
        return self.yielded + self._repeated + self._given_elsewhere

    @property
    def expected(self) -> int | None:
        """Return how many records there are at the least: the smallest TotalNum that a page gave."""
        return self._least_total

    @property
    def first_total(self) -> int | None:
        """Return the TotalNum of the first answer that gave one."""
        return self._first_total

    @property
    def missing(self) -> int:
        """Return how many records the list is short of its TotalNum."""
        return max((self.expected or 0) - self.found, 0)

    @property
    def total_stands_still(self) -> bool:
        """Return whether no answer gave a greater TotalNum than the first."""
        return self.greatest_total == (self._first_total or 0)

    @property
    def remembers_all(self) -> bool:
        """Return whether :attr:`digests` holds every record that this list gave."""
        return self.found <= _MOST_DIGESTS

    def knows_start(self, page: CallRecordPage) -> bool:
        """Tell whether the first record on *page* is known."""
        return any(self._knows(rough_key_of(entry)) for entry in islice(_on_page(page), 1))

    def has_news(self, page: CallRecordPage) -> bool:
        """Tell whether *page* holds a record that this list has not given."""
        return any(not self._knows(rough_key_of(entry)) for entry in _on_page(page))

    def fell(self, reads: Sequence[CallRecordPage]) -> bool:
        """Tell whether every read of a page gives a smaller TotalNum than the page before it.

        Records may then have crossed, unseen, the edge between the two pages: either some left, or this page was
        answered before the one in front of it and some arrived in between.
        """
        greatest = max((page.total_num or 0) for page in reads)
        return 0 < greatest < self._edge_total

    def note_edge(self, reads: Sequence[CallRecordPage]) -> None:
        """Note the TotalNum that the next page must reach.

        The smallest of several reads counts as long as they overlap: no more records arrived between them than a
        page holds.
        """
        totals = [page.total_num for page in reads if page.total_num]
        if totals:
            overlap = max(totals) - min(totals) <= reads[0].size
            self._edge_total = min(totals) if overlap else totals[-1]

    def note_stale_page(self) -> None:
        """Count a page that brought nothing new; one with news sets the count back to 0."""
        self.stale_pages += 1

    def take_news(self, pages: Iterable[CallRecordPage]) -> Iterator[CallRecordPage]:
        """Enter *pages*, and yield those that bring something new, with no more than that."""
        for page in pages:
            news = self.take(page)
            if news.size:
                yield news

    def take(self, page: CallRecordPage) -> CallRecordPage:
        """Enter *page*, and return it with the records that nobody has yielded."""
        self._note_total(page)
        self.pages += page.size > 0
        keys, rough_keys = keys_of(page.records)
        keys += map(key_of, page.invalid)
        unique = dict(zip(keys, _on_page(page), strict=True))
        if not all(known.isdisjoint(unique) for known in self._memory):
            unique = {key: entry for key, entry in unique.items() if not self._knows(key)}
        if len(unique) != page.size:
            self._repeated += sum(map(unique.__contains__, keys)) - len(unique)
        if unique:
            self.stale_pages = 0
        self._remember(page, unique, rough_keys)
        if self._elsewhere is not None:
            found = len(unique)
            unique = {key: entry for key, entry in unique.items() if key not in self._elsewhere}
            self._given_elsewhere += found - len(unique)
        self.yielded += len(unique)
        if len(unique) == page.size:
            return page
        return attrs.evolve(
            page,
            records=tuple(entry for entry in unique.values() if isinstance(entry, CallRecord)),
            invalid=tuple(entry for entry in unique.values() if isinstance(entry, InvalidRecord)),
        )

    def pages_left(self, page_length: int, positions: int) -> int:
        """Return how many more pages of *page_length* records follow after *positions* records."""
        return math.ceil(max((self._last_total or 0) - positions, 0) / max(page_length, 1))

    def lost_sight(self, looks: Sequence[CallRecordPage]) -> bool:
        """Tell whether arrivals may have pushed all records of page 1 beyond *looks*, the first pages now."""
        now = _ids_on(looks)
        return looks[-1].size > 0 and len(now) <= self._growth(looks) and not set(now).intersection(self._first_page)

    def compare_start(self, looks: Sequence[CallRecordPage]) -> tuple[bool, bool]:
        """Tell whether records have left the list, and whether some have arrived, from its first pages now."""
        before, now = self._first_page, _ids_on(looks)
        kept = set(before).intersection(now)
        if not kept:
            return True, True  # so many have left that nothing is sure
        # The rest behind the last record kept says nothing: arrivals push records to page 2, departures pull them back.
        left, arrived = _count_strangers(before, kept), _count_strangers(now, kept)
        growth = self._growth(looks)
        # More had arrived at the first look than the list had grown: the others left elsewhere.
        return left > 0 or arrived > self._growth(looks[:1]), growth > -left or arrived > 0

    def _growth(self, looks: Sequence[CallRecordPage]) -> int:
        return (looks[-1].total_num or 0) - (self._first_total or 0)

    def _knows(self, key: int) -> bool:
        return any(key in known for known in self._memory)

    def _note_total(self, page: CallRecordPage) -> None:
        total = page.total_num
        if not total:
            return  # 0 may mean no more than that the page lies beyond the end
        if self._first_total is None or self._least_total is None:
            self._first_total = self._least_total = total
        self._least_total = min(self._least_total, total)
        self.greatest_total = max(self.greatest_total, total)
        self._last_total = total

    def _remember(
        self, page: CallRecordPage, unique: dict[int, CallRecord | InvalidRecord], rough_keys: list[int]
    ) -> None:
        if self.found < _MOST_DIGESTS:
            self.digests.extend(unique)
        page_1, _, recent = self._memory
        if not page_1:
            self._first_page = tuple(_ids_on([page]))
            recent = page_1
        elif len(recent) >= _GENERATION:
            self._memory = [page_1, recent, recent := set()]
        recent.update(unique)
        recent.update(rough_keys)


def _ids_on(pages: Iterable[CallRecordPage]) -> list[str | int]:
    """Return the ids of the records on *pages*; where a record has none, its key."""
    entries = list(chain.from_iterable(map(_on_page, pages)))
    ids = (entry.call_id.strip() if isinstance(entry, CallRecord) else "" for entry in entries)
    return list(dict.fromkeys(each or rough_key_of(entry) for each, entry in zip(ids, entries, strict=True)))


def _on_page(page: CallRecordPage) -> Iterable[CallRecord | InvalidRecord]:
    """Return the records on *page*, valid and invalid."""
    return chain(page.records, page.invalid)


def _count_strangers(call_ids: Sequence[str | int], kept: AbstractSet[str | int]) -> int:
    """Return how many ids that are not in *kept* stand before the last one that is."""
    last = max(index for index, call_id in enumerate(call_ids) if call_id in kept)
    return last + 1 - len(kept)


def hold_the_same(one: CallRecordPage, other: CallRecordPage) -> bool:
    """Tell whether two pages hold the same records, in whatever order."""
    return set(map(rough_key_of, _on_page(one))) == set(map(rough_key_of, _on_page(other)))


def total_fell(earlier: CallRecordPage, later: CallRecordPage) -> bool:
    """Tell whether *later* gives a smaller TotalNum than *earlier*."""
    return 0 < (later.total_num or 0) < (earlier.total_num or 0)
