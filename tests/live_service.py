"""A service in memory whose calls end while a feed reads it, on a virtual clock: no HTTP, no real time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Iterable
from email.utils import formatdate
from typing import Any

from moving_service import WINDOW_START, MovingService, Stored

from trtc_records import CallRecord, CallRecordPage, Checkpoint, ServerError, Wake
from trtc_records._api.query import Query
from trtc_records._sending.clock import ServiceClock
from trtc_records._walking.facts import ServiceFacts
from trtc_records._walking.prefetch import Prefetcher
from trtc_records._walking.reading import Reading
from trtc_records.feed._feed import Feed
from trtc_records.feed._progress import Progress
from trtc_records.feed._seen import Digest

APPEARANCE = 5
"""Seconds from the end of a call until its record can be read."""


class LiveService(MovingService):
    """A service that shows each call five seconds after its end, in a time that begins with the first request.

    Args:
        calls: The calls, whenever they end.
        gives_time: Whether its answers carry a ``Date``.
        outages: Seconds between which every request fails.
    """

    def __init__(
        self,
        calls: Iterable[Stored],
        *,
        begin: int = 0,
        gives_time: bool = True,
        outages: Collection[tuple[float, float]] = (),
        **behaviour: Any,
    ) -> None:
        super().__init__([], **behaviour)
        self.planned = sorted(calls, key=lambda call: call.end, reverse=True)
        self.gives_time = gives_time
        self.outages = outages
        self.answered_at: list[float] = []
        self._begin = begin
        self._origin: float | None = None

    def now(self) -> float:
        """Return the service's time, in Unix seconds."""
        loop_now = asyncio.get_running_loop().time()
        if self._origin is None:
            self._origin = loop_now
        return WINDOW_START + self._begin + loop_now - self._origin

    def answer(self, query: Query, page: int) -> CallRecordPage:
        """Answer one request now."""
        now = self.now()
        self.answered_at.append(now)
        if any(first <= now - WINDOW_START < last for first, last in self.outages):
            raise ServerError(101001, "internal", "Id")
        while self.planned and self.planned[-1].end + APPEARANCE <= now:
            self.calls.append(self.planned.pop())
        return super().answer(query, page)


class MemoryCheckpoint:
    """A checkpoint in memory, which survives a feed that is killed."""

    def __init__(self) -> None:
        self.place: str | None = None
        self.seen: dict[int, int] = {}
        self.saves = 0
        self.is_open = False
        self._is_killed = False

    def kill(self) -> None:
        """Ignore the feed that uses it from now on, as if its process were killed."""
        self._is_killed = True

    async def load(self) -> tuple[str | None, list[Digest]]:
        assert not self.is_open
        self.is_open = True
        self._is_killed = False
        return self.place, list(self.seen.items())

    async def save(self, place: str, seen: Collection[Digest], forget_before: int) -> None:
        if self._is_killed:
            return
        self.place = place
        self.seen.update(seen)
        self.seen = {digest: ended for digest, ended in self.seen.items() if ended >= forget_before}
        self.saves += 1

    async def aclose(self) -> None:
        self.is_open = False


class Follower:
    """One feed over a service, as the client makes it.

    Args:
        service: The service.
        skew: Returns seconds by which this machine's clock is ahead of the service's.
    """

    def __init__(
        self,
        service: LiveService,
        *,
        since: int | None = None,
        lookback: float = 86_400,
        interval: float = 10.0,
        checkpoint: Checkpoint | None = None,
        wake: Wake | None = None,
        page_size: int = 10,
        skew: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.service = service
        self.clock = ServiceClock(lambda: service.now() + skew())
        self.doubts: list[str] = []
        self._facts = ServiceFacts()
        self.feed = Feed(
            open_reading=self._open_reading,
            clock=self.clock,
            progress=Progress(checkpoint, {"app": 1}),
            query=Query(page_size=page_size, start_time=since),
            lookback=lookback,
            interval=interval,
            wake=wake,
            on_invalid=None,
            on_incomplete=lambda walk: self.doubts.append(walk.reason),
        )

    def _open_reading(self, query: Query) -> Reading:
        return Reading(Prefetcher(self._fetch, lambda: 4, lambda: False), query, self._facts)

    async def _fetch(self, query: Query, page: int) -> CallRecordPage:
        await asyncio.sleep(0.05)  # a tenth of the quota
        answer = await self.service.fetch(query, page)
        if self.service.gives_time:
            self.clock.observe(formatdate(self.service.now(), usegmt=True))
        return answer


async def take_until(
    records: AsyncGenerator[CallRecord, None], end: float, service: LiveService
) -> list[tuple[CallRecord, float]]:
    """Return the records that come before *end*, each with the service's time at which it came; close the feed then."""
    taken = []
    try:
        async with asyncio.timeout(end - service.now()):
            async for record in records:
                taken.append((record, service.now()))  # noqa: PERF401 - a time-out must leave those taken so far
    except TimeoutError:
        pass
    return taken
