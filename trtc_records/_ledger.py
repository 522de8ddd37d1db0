"""Keep account of a walk: which records it has yielded, and what the pages said about the whole.

State: what has been seen. Everything that touches it is in this file. Its size does not depend on how
many records there are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain, islice
from typing import Final

import attrs

from trtc_records._api.models import CallRecord, CallRecordPage, InvalidRecord

__all__ = ["Ledger", "hold_the_same", "total_fell"]

_GENERATION: Final = 20_000
"""Ids in each of two generations that are remembered: pages drift by some records, not by 20,000."""


class Ledger:
    """Remember what a walk has read."""

    def __init__(self) -> None:
        self.pages = 0
        """Pages with records that were taken."""
        self.stale_pages = 0
        """Pages in a row that brought nothing new."""
        self._yielded = 0
        self._repeated = 0
        self._least_total: int | None = None
        self._first_total: int | None = None
        self._last_total: int | None = None
        self._first_page: tuple[str, ...] = ()
        # The ids of page 1 for good, then an older and a recent generation.
        self._memory: list[set[str]] = [set(), set(), set()]

    @property
    def yielded(self) -> int:
        """Return how many records were yielded, each once."""
        return self._yielded

    @property
    def expected(self) -> int:
        """Return how many records there are at the least: the smallest TotalNum that a page gave."""
        return self._least_total or 0

    @property
    def missing(self) -> int:
        """Return how many records the walk is short of what the pages said."""
        return max(self.expected - self._yielded - self._repeated, 0)

    def knows_start(self, page: CallRecordPage) -> bool:
        """Tell whether the first record on *page* was yielded."""
        return any(self._knows_id(_key(entry)) for entry in islice(_on_page(page), 1))

    def has_news(self, page: CallRecordPage) -> bool:
        """Tell whether *page* holds a record that was not yielded."""
        return any(not self._knows_id(_key(entry)) for entry in _on_page(page))

    def fell(self, page: CallRecordPage) -> bool:
        """Tell whether *page* says that there are fewer records than the page taken before it said."""
        return 0 < (page.total_num or 0) < (self._last_total or 0)

    def take_news(self, pages: Iterable[CallRecordPage]) -> Iterator[CallRecordPage]:
        """Enter *pages*, and yield those that bring something new, with no more than that."""
        for page in pages:
            news = self.take(page)
            if news.size:
                yield news

    def take(self, page: CallRecordPage) -> CallRecordPage:
        """Enter *page*, and return it with the records that are new."""
        self._note_total(page)
        self.pages += page.size > 0
        unique = _entries(page)
        if not all(known.isdisjoint(unique) for known in self._memory):
            unique = {key: entry for key, entry in unique.items() if not self._knows_id(key)}
        if len(unique) != page.size:
            self._repeated += sum(_key(entry) in unique for entry in _on_page(page)) - len(unique)
        self._yielded += len(unique)
        if unique:
            self.stale_pages = 0
        self._remember(unique)
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
        """Tell whether arrivals may have pushed all records of page 1 beyond *looks*, which are the first pages now."""
        now = _ids_on(looks)
        return looks[-1].size > 0 and len(now) <= self._growth(looks) and not set(now).intersection(self._first_page)

    def compare_start(self, looks: Sequence[CallRecordPage]) -> tuple[bool, bool]:
        """Tell whether records have left the list, and whether some have arrived, from its first pages now."""
        before, now = self._first_page, _ids_on(looks)
        kept = set(before).intersection(now)
        if not kept:
            return True, True  # so many have left that nothing is sure
        # What follows the last record kept says nothing: arrivals push records to page 2, departures pull them back.
        left = _count_strangers(before, kept)
        return left > 0, self._growth(looks) > -left or _count_strangers(now, kept) > 0

    def _growth(self, looks: Sequence[CallRecordPage]) -> int:
        return (looks[-1].total_num or 0) - (self._first_total or 0)

    def _knows_id(self, call_id: str) -> bool:
        return any(call_id in known for known in self._memory)

    def _note_total(self, page: CallRecordPage) -> None:
        total = page.total_num
        if not total:
            return  # 0 may mean no more than that the page lies beyond the end
        if self._first_total is None or self._last_total is None or self._least_total is None:
            self._first_total = self._last_total = self._least_total = total
        self._least_total = min(self._least_total, total)
        self._last_total = total

    def _remember(self, call_ids: Iterable[str]) -> None:
        page_1, _, recent = self._memory
        if not page_1:
            self._first_page = tuple(call_ids)
            page_1.update(self._first_page)
            return
        if len(recent) >= _GENERATION:
            self._memory = [page_1, recent, recent := set()]
        recent.update(call_ids)


def _entries(page: CallRecordPage) -> dict[str, CallRecord | InvalidRecord]:
    """Return what is on *page* by what tells one record from another."""
    return {_key(entry): entry for entry in _on_page(page)}


def _ids_on(pages: Iterable[CallRecordPage]) -> list[str]:
    return list(dict.fromkeys(chain.from_iterable(map(_entries, pages))))


def _on_page(page: CallRecordPage) -> Iterable[CallRecord | InvalidRecord]:
    """Return what is on *page*, read or not."""
    return chain(page.records, page.invalid)


def _key(entry: CallRecord | InvalidRecord) -> str:
    """Return the id of a record, or all there is of one that could not be read."""
    return entry.call_id if isinstance(entry, CallRecord) else f"invalid {json.dumps(entry.raw, sort_keys=True)}"


def _count_strangers(call_ids: Sequence[str], kept: AbstractSet[str]) -> int:
    """Return how many ids that are not in *kept* stand before the last one that is."""
    last = max(index for index, call_id in enumerate(call_ids) if call_id in kept)
    return last + 1 - len(kept)


def hold_the_same(one: CallRecordPage, other: CallRecordPage) -> bool:
    """Tell whether two pages hold the same records, in whatever order."""
    return _entries(one).keys() == _entries(other).keys()


def total_fell(earlier: CallRecordPage, later: CallRecordPage) -> bool:
    """Tell whether *later* says that there are fewer records than *earlier* said."""
    return 0 < (later.total_num or 0) < (earlier.total_num or 0)
