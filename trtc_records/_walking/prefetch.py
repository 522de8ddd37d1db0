"""Fetch pages ahead, concurrently, and hand them out in order, list by list.

State: the requests under way and the pages that wait for the consumer. All that touches them is in this file. No
cancel scope or task group is used, because a walk is suspended between pages (PEP 789).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import Any, Final

from trtc_records._api.models import CallRecordPage
from trtc_records._api.query import Query
from trtc_records._errors import ClientClosedError

__all__ = ["FetchPage", "PagedList", "Prefetcher", "result_of"]

FetchPage = Callable[[Query, int], Coroutine[Any, Any, CallRecordPage]]

_MOST_RECORDS_HELD: Final = 38_400
"""384 pages of 100 records: the quota of a second, from a server a second away, and as many as wait for a late one."""

_MOST_STARTED: Final = 16
_START_PERIOD: Final = 0.05
"""16 requests per 50 ms: more than the quota, and few enough that opening hundreds of connections at the start of a
far walk does not keep the event loop from sending."""


class Prefetcher:
    """Requests of one walk: those of all its lists share a depth and a bound on the records held.

    Args:
        fetch: Requests one page of a query.
        depth: Returns how many requests should be under way now.
        is_far: Tells whether an answer takes so long that the second look at page 1 goes along with the last pages,
            rather than behind their answers, where it would see all drift.
    """

    def __init__(self, fetch: FetchPage, depth: Callable[[], int], is_far: Callable[[], bool]) -> None:
        self.fetch = fetch
        self.depth = depth
        self.is_far = is_far
        self.on_answer: Callable[[], None] = lambda: None
        """Called behind each answer: the place to open further lists."""
        self._lists: list[PagedList] = []
        self._under_way: set[asyncio.Task[CallRecordPage]] = set()
        self._top_up_timer: asyncio.TimerHandle | None = None
        self._paused = False
        self._closed = False

    def open(self, query: Query, *, before: PagedList | None = None) -> PagedList:
        """Return the list of *query*, its first page requested.

        Args:
            query: The conditions.
            before: The list in front of which it is taken; by default it is the last.
        """
        place = len(self._lists) if before is None else self._lists.index(before)
        opened = PagedList(self, query)
        self._lists.insert(place, opened)
        opened.request_first()
        return opened

    def close(self, finished: PagedList) -> None:
        """Give up the requests that a list has still under way."""
        self._lists.remove(finished)
        finished.stop()
        self.top_up()

    def request(self, query: Query, page: int = 1) -> asyncio.Task[CallRecordPage]:
        """Request a page of *query*, beside all lists; await it by :func:`result_of`."""
        return self.start(self.fetch(query, page))

    async def pause(self, within: float) -> bool:
        """Request nothing further ahead, and return whether all requests under way were answered *within* seconds."""
        self._paused = True
        if self._top_up_timer is not None:
            self._top_up_timer.cancel()
            self._top_up_timer = None
        try:
            async with asyncio.timeout(within):
                while self._under_way:
                    await asyncio.wait(self._under_way)
        except TimeoutError:
            return False
        return True

    def resume(self) -> None:
        """Go on after :meth:`pause`."""
        if self._paused:
            self._paused = False
            self.on_answer()
            self.top_up()

    async def aclose(self) -> None:
        """Cancel all that is under way and wait until it is gone."""
        self._closed = True
        if self._top_up_timer is not None:
            self._top_up_timer.cancel()
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    @property
    def planned(self) -> int:
        """Return how many requests are under way or planned."""
        return len(self._under_way) + sum(each.pages_planned for each in self._lists)

    def start(self, request: Coroutine[Any, Any, CallRecordPage]) -> asyncio.Task[CallRecordPage]:
        """Run a request."""
        task = asyncio.get_running_loop().create_task(request)
        self._under_way.add(task)
        task.add_done_callback(self._settle)
        return task

    def top_up(self) -> None:
        """Request further pages ahead, those of earlier lists first."""
        started = 0
        for each in self._lists:
            while self._has_room() and each.has_more() and started < _MOST_STARTED:
                each.request_next()
                started += 1
            each.look_again_when_far()
        # A request that begins to wait for its next attempt makes room, and tells nobody.
        may_have_room = not self._closed and (bool(self._under_way) or self._has_room())
        if self._top_up_timer is None and may_have_room and any(each.has_more() for each in self._lists):
            self._top_up_timer = asyncio.get_running_loop().call_later(_START_PERIOD, self._go_on)

    def _has_room(self) -> bool:
        return (
            not self._closed
            and len(self._under_way) < self.depth()
            and sum(each.records_held for each in self._lists) < _MOST_RECORDS_HELD
        )

    def _settle(self, task: asyncio.Task[CallRecordPage]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # marks it as seen: nobody may ever take this page
        if not self._closed and not self._paused:
            self.on_answer()
            self.top_up()

    def _go_on(self) -> None:
        self._top_up_timer = None
        self.top_up()


class PagedList:
    """Pages of one query: requested up to a planned last one, and page 1 once more after it."""

    def __init__(self, prefetcher: Prefetcher, query: Query) -> None:
        self.query = query
        self.is_far = prefetcher.is_far
        self._prefetcher = prefetcher
        self._pages: dict[int, asyncio.Task[CallRecordPage]] = {}
        self._second_reads: dict[int, asyncio.Task[CallRecordPage]] = {}
        self._second_look: asyncio.Task[CallRecordPage] | None = None
        self._totals: dict[int, int] = {}
        self._next = 1
        self._last = 1
        self._page_length = 1
        self._looks_again = False
        self._look_is_late = False
        self._stopped = False
        self._least_total = math.inf
        self._greatest_total = 0.0
        self.records_arrived = False
        """Whether an answer gave a greater TotalNum than one that had come before it was requested."""
        self.records_left = False
        """Whether an answer gave a smaller one."""

    @property
    def first_answer(self) -> CallRecordPage | None:
        """Return page 1 if its answer has come and it has not been taken."""
        task = self._pages.get(1)
        if task is None or not task.done() or task.cancelled() or task.exception() is not None:
            return None
        return task.result()

    async def wait_for_first(self) -> CallRecordPage:
        """Return page 1 without taking it."""
        return await result_of(self._pages[1])

    @property
    def records_held(self) -> int:
        """Return about how many records wait for the consumer, or are on their way."""
        return len(self._pages) * self._page_length

    @property
    def pages_planned(self) -> int:
        """Return how many pages are still to be requested ahead."""
        return 0 if self._stopped else max(self._last - self._next + 1, 0)

    def has_more(self) -> bool:
        """Tell whether there is a page to request ahead."""
        return self.pages_planned > 0

    def request_first(self) -> None:
        """Request page 1, ahead of any plan."""
        self._request(1)
        self._next = 2

    def request_next(self) -> None:
        """Request the next page of the plan."""
        self._request(self._next)
        self._next += 1

    def plan(self, last: int, page_length: int, *, look_again: bool) -> None:
        """Set how far to request ahead.

        Args:
            last: The last page to request.
            page_length: How many records a page holds.
            look_again: Whether to request page 1 once more behind the last one.
        """
        self._last = last
        self._page_length = page_length
        self._looks_again = look_again
        self._prefetcher.top_up()

    def stop_ahead(self) -> None:
        """Request nothing further ahead, until there is a new plan."""
        self._last = 0
        self._looks_again = False

    async def take(self, page: int) -> list[CallRecordPage]:
        """Return the answer for *page*, and a second one where TotalNum fell since the page before; in order."""
        if page not in self._pages:
            self._request(page)
            self._next = page + 1
        reads = [await result_of(self._pages[page])]
        if page in self._second_reads:
            reads.append(await result_of(self._second_reads.pop(page)))
        del self._pages[page]
        self._totals.pop(page - 1, None)
        self._prefetcher.top_up()
        return reads

    def jump_to(self, page: int) -> None:
        """Go on at *page*, and give up the pages requested ahead: pages have another length now."""
        self._give_up_pages()
        self._totals.clear()
        self._next = page

    async def read_again(self, page: int) -> CallRecordPage:
        """Request *page* anew, whatever was requested before."""
        return await result_of(self._start(page))

    async def read_all_again(self, pages: list[int]) -> list[CallRecordPage]:
        """Request some pages anew, all at once."""
        requests = [self._start(page) for page in pages]
        return [await result_of(request) for request in requests]

    async def take_second_look(self) -> CallRecordPage:
        """Return page 1 as it is behind the last page."""
        # Else an early look whose answer is the first to show drift would start a late one, and be taken for it.
        self._looks_again = False
        if self._second_look is not None:
            page = await result_of(self._second_look)
            if self._look_is_late or not self.moves:
                return page
        # It was not requested ahead, or that was too early on data that moves.
        return await self.read_again(1)

    @property
    def moves(self) -> bool:
        """Return whether the data moves."""
        return self.records_arrived or self.records_left

    def look_again_when_far(self) -> None:
        """Request page 1 once more where an answer takes long: along with the last pages, or behind their answers."""
        all_requested = self._next > self._last and not self._stopped
        if not (self._looks_again and all_requested and self.is_far()) or self._look_is_late:
            return
        all_answered = all(task.done() for task in self._pages.values())
        if all_answered if self.moves else self._second_look is None:
            self._second_look = self._start(1)
            self._look_is_late = all_answered

    def note_drift(self) -> None:
        """Note that as many records left as arrived, which no TotalNum shows."""
        self.records_arrived = self.records_left = True

    def stop(self) -> None:
        """Request nothing more, and give up all that is under way."""
        self._stopped = True
        self._give_up_pages()
        if self._second_look is not None:
            self._second_look.cancel()

    def _give_up_pages(self) -> None:
        for task in (*self._pages.values(), *self._second_reads.values()):
            task.cancel()
        self._pages.clear()
        self._second_reads.clear()

    def _request(self, page: int) -> None:
        self._look_is_late = False
        self._pages[page] = self._prefetcher.start(self._fetch_ahead(page))

    def _start(self, page: int) -> asyncio.Task[CallRecordPage]:
        return self._prefetcher.start(self._fetch(page))

    async def _fetch_ahead(self, page: int) -> CallRecordPage:
        """Fetch *page*, and at once read again the page at each edge where TotalNum fell."""
        try:
            answer = await self._fetch(page)
        except BaseException:
            self._stopped = True  # the list ends at this page, so nothing behind it is wanted
            raise
        if answer.total_num and answer.size:
            self._totals[page] = answer.total_num
            self._read_fallen_again(page)
            self._read_fallen_again(page + 1)
        return answer

    def _read_fallen_again(self, page: int) -> None:
        fell = self._totals.get(page, math.inf) < self._totals.get(page - 1, 0)
        if fell and page in self._pages and page not in self._second_reads and not self._stopped:
            self._second_reads[page] = self._start(page)

    async def _fetch(self, page: int) -> CallRecordPage:
        """Fetch *page* and compare its TotalNum with those known before: answers may overtake each other."""
        least, greatest = self._least_total, self._greatest_total
        answer = await self._prefetcher.fetch(self.query, page)
        total = answer.total_num
        if total:  # 0 may mean no more than that the page lies beyond the end
            self.records_arrived |= total > least
            self.records_left |= total < greatest
            self._least_total = min(self._least_total, total)
            self._greatest_total = max(self._greatest_total, total)
        return answer


async def result_of(task: asyncio.Task[CallRecordPage]) -> CallRecordPage:
    """Return the answer to a request.

    Raises:
        ClientClosedError: The client was closed meanwhile.
        CallRecordsError: The request failed.
    """
    try:
        return await task
    except asyncio.CancelledError:
        consumer = asyncio.current_task()
        if consumer is not None and consumer.cancelling():
            raise
    raise ClientClosedError("the client was closed while a walk was under way")
