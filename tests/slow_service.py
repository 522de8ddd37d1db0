"""Services that answer slowly, each for a reason of its own, as transports of httpx on a clock that jumps."""

from __future__ import annotations

import asyncio
import heapq
import json
import random
from collections.abc import Callable
from typing import Any

import httpx
from records import envelope, raw_record

from trtc_records import CallRecordsClient, LocalRateLimiter

PAGE_LENGTH = 2


class SlowService(httpx.AsyncBaseTransport):
    """A service of *pages* pages, which counts its requests."""

    def __init__(self, pages: int) -> None:
        self.pages = pages
        self.requests = 0
        self.most_under_way = 0
        self._under_way = 0

    async def wait(self) -> None:
        """Wait as long as the next answer takes."""
        raise NotImplementedError

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        self._under_way += 1
        self.most_under_way = max(self.most_under_way, self._under_way)
        body = json.loads(await request.aread())
        try:
            await self.wait()
        finally:
            self._under_way -= 1
        number = body["Page"]
        first = (number - 1) * PAGE_LENGTH
        records = [raw_record(first + place) for place in range(PAGE_LENGTH)] if number <= self.pages else []
        total = self.pages * PAGE_LENGTH
        return httpx.Response(
            200, json=envelope({"TotalNum": total, "Page": number if records else 0, "CallRecordList": records})
        )


def make_client(service: SlowService, **arguments: Any) -> CallRecordsClient:
    """Return a client of *service* with a limiter of its own."""
    return CallRecordsClient(
        sdk_app_id=1,
        identifier="administrator",
        user_sig="signature",
        region="singapore",
        transport=service,
        limiter=LocalRateLimiter(),
        **arguments,
    )


async def read_all(service: SlowService, **arguments: Any) -> None:
    """Walk over all pages of *service*."""
    async with make_client(service, **arguments) as client:
        pages = [page.page async for page in client.iter_pages(page_size=PAGE_LENGTH)]
    assert len(pages) == service.pages


class BusyService(SlowService):
    """A service of some workers, which answer requests in order, those that were given up as well."""

    def __init__(self, pages: int, *, rate: float, workers: int = 1, latency: float = 0.0) -> None:
        super().__init__(pages)
        self._seconds = workers / rate
        self._free_at = [0.0] * workers
        self._latency = latency

    async def wait(self) -> None:
        now = asyncio.get_running_loop().time()
        done_at = max(now, heapq.heappop(self._free_at)) + self._seconds
        heapq.heappush(self._free_at, done_at)
        await asyncio.sleep(done_at - now + self._latency)


class ImpatientService(SlowService):
    """A service that does one request after another, and gives up those that would wait for more than 3 seconds.

    Args:
        pages: Pages that it has.
        rate: Requests that it does per second.
        latency: Seconds that each answer takes besides.
        in_vain: Whether it does the work of those, too.
    """

    def __init__(self, pages: int, *, rate: float, latency: float, in_vain: bool) -> None:
        super().__init__(pages)
        self._seconds = 1 / rate
        self._latency = latency
        self._in_vain = in_vain
        self._free_at = 0.0
        self._wait = 0.0

    async def wait(self) -> None:
        await asyncio.sleep(self._wait)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        now = asyncio.get_running_loop().time()
        done_at = max(now, self._free_at) + self._seconds
        is_late = done_at - now > 3.0
        if not is_late or self._in_vain:
            self._free_at = done_at
        self._wait = (3.0 if is_late else done_at - now) + self._latency
        answer = await super().handle_async_request(request)
        return httpx.Response(200, json=envelope(code=60008, info="service timeout")) if is_late else answer


class TiredService(SlowService):
    """A service that does one request after another, and only 10 a second between the two times in *slow*."""

    def __init__(self, pages: int, *, slow: tuple[float, float], latency: float) -> None:
        super().__init__(pages)
        self._slow = slow
        self._latency = latency
        self._began_at: float | None = None
        self._free_at = 0.0

    async def wait(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._began_at is None:
            self._began_at = now
        free_at = max(now, self._free_at)
        first, last = self._slow
        self._free_at = free_at + (0.1 if first <= free_at - self._began_at < last else 0.001)
        await asyncio.sleep(self._free_at - now + self._latency)


class DistantService(SlowService):
    """A service that answers as many requests at once as there are, each after a time that is drawn."""

    def __init__(self, pages: int, draw: Callable[[random.Random], float]) -> None:
        super().__init__(pages)
        self._draw = draw
        self._random = random.Random(1)

    async def wait(self) -> None:
        await asyncio.sleep(self._draw(self._random))
