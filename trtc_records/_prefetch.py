"""Fetch pages ahead, concurrently, and hand them out in order.

State: the requests under way and the pages that wait for the consumer. Everything that touches them is in
this file. No cancel scope or task group is used, because a walk is suspended between pages (PEP 789).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import Any, Final

from trtc_records._api.models import CallRecordPage
from trtc_records._errors import ClientClosedError

__all__ = ["FetchPage", "Prefetcher"]

FetchPage = Callable[[int], Coroutine[Any, Any, CallRecordPage]]

_MOST_RECORDS_HELD: Final = 38_400
"""384 pages of 100 records: the quota of a second, from a server a second away, and as many as wait for a late one."""

_MOST_STARTED: Final = 16
_START_PERIOD: Final = 0.05
"""16 requests per 50 ms: more than the quota, and few enough that opening hundreds of connections at the start of a
far walk does not keep the event loop from sending."""


class Prefetcher:
    """Request pages up to a planned last one, and page 1 once more after it.

    Args:
        fetch: Requests one page.
        depth: Returns how many requests should be under way now.
        is_far: Tells whether an answer takes so long that the second look goes along with the last pages, rather
            than behind their answers, where it would see all that has moved under them.
    """

    def __init__(self, fetch: FetchPage, depth: Callable[[], int], is_far: Callable[[], bool]) -> None:
        self._fetch = fetch
        self._depth = depth
        self._is_far = is_far
        self._pages: dict[int, asyncio.Task[CallRecordPage]] = {}
        self._second_look: asyncio.Task[CallRecordPage] | None = None
        self._under_way: set[asyncio.Task[CallRecordPage]] = set()
        self._next = 1
        self._last = 1
        self._page_length = 1
        self._looks_again = False
        self._stopped = False
        self._resume: asyncio.TimerHandle | None = None
        self._least_total = math.inf
        self._greatest_total = 0.0
        self.records_arrived = False
        """Whether an answer told of more records than one that had come before it was requested."""
        self.records_left = False
        """Whether an answer told of fewer."""

    def plan(self, last: int, page_length: int, *, look_again: bool) -> None:
        """Say how far to request ahead.

        Args:
            last: The last page to request.
            page_length: How many records a page holds.
            look_again: Whether to request page 1 once more behind the last one.
        """
        self._last = last
        self._page_length = page_length
        self._looks_again = look_again
        self._top_up()

    def stop_ahead(self) -> None:
        """Request nothing further ahead, until there is a new plan."""
        self._last = 0
        self._looks_again = False

    def has_requested(self, page: int) -> bool:
        """Tell whether *page* was requested and has not been taken."""
        return page in self._pages

    async def take(self, page: int) -> CallRecordPage:
        """Return *page*; pages are taken in order."""
        if page not in self._pages:
            self._pages[page] = self._start(page)
            self._next = page + 1
        result = await _result_of(self._pages[page])
        del self._pages[page]
        self._top_up()
        return result

    async def read_again(self, page: int) -> CallRecordPage:
        """Request *page* anew, whatever was requested before."""
        return await _result_of(self._start(page))

    async def take_second_look(self) -> CallRecordPage:
        """Return page 1 as it is behind the last page."""
        if self._second_look is not None:
            page = await _result_of(self._second_look)
            if not (self.records_arrived or self.records_left):
                return page
        # It was not requested ahead, or that was too early on data that moves.
        return await self.read_again(1)

    async def aclose(self) -> None:
        """Cancel what is under way and wait until it is gone."""
        self._stopped = True
        if self._resume is not None:
            self._resume.cancel()
        tasks = [*self._pages.values(), *self._under_way]
        for task in tasks:
            task.cancel()
        # Gathering also marks the errors of pages that nobody will take as seen.
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, page: int) -> asyncio.Task[CallRecordPage]:
        task = asyncio.get_running_loop().create_task(self._fetch_and_compare(page))
        self._under_way.add(task)
        task.add_done_callback(self._settle)
        return task

    async def _fetch_and_compare(self, page: int) -> CallRecordPage:
        """Fetch *page* and compare its TotalNum with what was known before: answers may overtake each other."""
        least, greatest = self._least_total, self._greatest_total
        answer = await self._fetch(page)
        total = answer.total_num
        if total:  # 0 may mean no more than that the page lies beyond the end
            self.records_arrived |= total > least
            self.records_left |= total < greatest
            self._least_total = min(self._least_total, total)
            self._greatest_total = max(self._greatest_total, total)
        return answer

    def _settle(self, task: asyncio.Task[CallRecordPage]) -> None:
        self._under_way.discard(task)
        if task.cancelled() or task.exception() is not None:
            self._stopped = True  # the walk ends at this page, so nothing behind it is wanted
        self._top_up()

    def _top_up(self) -> None:
        started = 0
        while self._has_room() and started < _MOST_STARTED:
            self._pages[self._next] = self._start(self._next)
            self._next += 1
            started += 1
        if self._has_room() and self._resume is None:
            self._resume = asyncio.get_running_loop().call_later(_START_PERIOD, self._go_on)
        all_requested = self._next > self._last and not self._stopped
        if self._looks_again and all_requested and self._second_look is None and self._is_far():
            self._second_look = self._start(1)

    def _has_room(self) -> bool:
        """Tell whether one more page may be requested ahead now."""
        return (
            not self._stopped
            and self._next <= self._last
            and len(self._under_way) < self._depth()
            and len(self._pages) * self._page_length < _MOST_RECORDS_HELD
        )

    def _go_on(self) -> None:
        self._resume = None
        self._top_up()


async def _result_of(task: asyncio.Task[CallRecordPage]) -> CallRecordPage:
    try:
        return await task
    except asyncio.CancelledError:
        consumer = asyncio.current_task()
        if consumer is not None and consumer.cancelling():
            raise
    raise ClientClosedError("the client was closed while a walk was under way")
