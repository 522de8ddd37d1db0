"""Walks whose requests are refused or fail, over a service on a clock that jumps."""

from __future__ import annotations

import asyncio
import json
import random
from collections import deque
from contextlib import AsyncExitStack
from random import Random

import httpx
import pytest
from records import envelope
from slow_service import DistantService, read_all
from virtual_time import run

from trtc_records import CallRecordsClient, LocalRateLimiter

REFUSED = envelope(code=60011, info="call frequency exceeded")


class FaultyService(DistantService):
    """A service with a quota, whose requests also fail by chance.

    Args:
        pages: Pages that it has.
        latency: Seconds that an answer takes.
        quota: Requests in any second; none by default.
        refused_count: Whether refused requests count as well.
        failing: The share of requests that get status 502.
        refusing: The share that is refused though the quota is not used up.
    """

    def __init__(
        self,
        pages: int,
        latency: float,
        *,
        quota: int | None = None,
        refused_count: bool = False,
        failing: float = 0.0,
        refusing: float = 0.0,
    ) -> None:
        super().__init__(pages, lambda random: latency * random.uniform(1, 1.25))
        self._quota = quota
        self._refused_count = refused_count
        self._failing = failing
        self._refusing = refusing
        self._chance = Random(2)
        self._last: deque[float] = deque()
        self.refused = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        admitted = self._admit(asyncio.get_running_loop().time())
        answer = await super().handle_async_request(request)
        draw = self._chance.random()
        if not admitted or draw < self._refusing:
            self.refused += 1
            return httpx.Response(200, json=REFUSED)
        return httpx.Response(502) if draw < self._refusing + self._failing else answer

    def _admit(self, now: float) -> bool:
        while self._last and self._last[0] <= now - 1:
            self._last.popleft()
        admitted = self._quota is None or len(self._last) < self._quota
        if admitted or self._refused_count:
            self._last.append(now)
        return admitted


@pytest.fixture(autouse=True)
def same_waits() -> None:
    """Draw the same waits before retries in every run."""
    random.seed(1)


def walk(service: FaultyService, walks: int = 1) -> float:
    """Let some walks that share no limiter read all pages at once, and return the pages per second of all."""

    async def main() -> float:
        loop = asyncio.get_running_loop()
        started_at = loop.time()
        await asyncio.gather(*(read_all(service, attempts=12) for _ in range(walks)))
        return walks * service.pages / (loop.time() - started_at)

    return run(main())


@pytest.mark.parametrize("refused_count", [False, True], ids=["accepted", "all"])
@pytest.mark.parametrize(("latency", "least", "most_refused"), [(0.01, 175, 0.02), (0.05, 175, 0.03), (0.2, 168, 0.07)])
def test_two_processes_without_a_shared_limiter_find_the_quota_together(
    latency: float, least: float, most_refused: float, *, refused_count: bool
) -> None:
    """They use most of it, and few of their requests are refused, whichever requests the service counts."""
    service = FaultyService(2000, latency, quota=200, refused_count=refused_count)
    assert walk(service, walks=2) >= least
    assert service.refused <= most_refused * service.requests


@pytest.mark.parametrize(("refusing", "least"), [(0.023, 120), (0.05, 60)])
def test_refusals_by_chance_among_other_faults_leave_most_of_the_quota(refusing: float, least: float) -> None:
    """A gateway that refuses a few requests at any rate does not bring a walk down."""
    service = FaultyService(2000, 0.1, failing=0.14, refusing=refusing)
    assert walk(service) >= least


def test_pages_that_are_tried_again_leave_the_others_their_pace() -> None:
    """With one request in six failing, a walk gets five sixths of the quota, less a little."""
    assert walk(FaultyService(2000, 0.1, failing=0.16)) >= 150


class CrowdedLookups(FaultyService):
    """The older service, which refuses look-ups beyond 20 in a second, refused ones included."""

    def __init__(self) -> None:
        super().__init__(0, 0.05, quota=20, refused_count=True)
        self.pages_read = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("by_filter"):
            await asyncio.sleep(0.05)
            self.pages_read += 1
            return httpx.Response(200, json={"errorCode": 0, "data": {"totalNum": 0}})
        self.requests += 1
        await asyncio.sleep(0.05)
        if not self._admit(asyncio.get_running_loop().time()):
            self.refused += 1
            return httpx.Response(200, json={"errorCode": 70005, "errorMessage": "too many requests"})
        record = {
            **json.loads(request.content),
            "caller": "a",
            "mediaType": "audio",
            "callType": "single",
            "callResult": "cancel",
            "startCallTs": 1_740_000_000,
            "endTs": 1_740_000_009,
        }
        return httpx.Response(200, json={"errorCode": 0, "data": {"record": record}})


def test_two_processes_find_the_limit_of_lookups_together() -> None:
    """Neither knows of the other's look-ups: few are refused, none fails, and pages keep their pace meanwhile."""

    async def main() -> tuple[int, float]:
        service = CrowdedLookups()
        loop = asyncio.get_running_loop()
        end = loop.time() + 60

        async def look_up(client: CallRecordsClient) -> int:
            found = 0
            while loop.time() < end:
                await client.get_record(f"{found}")
                found += 1
            return found

        async def read_pages(client: CallRecordsClient) -> None:
            while loop.time() < end:
                await client.get_page()

        lookups = []
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            for region in ("china", "singapore"):  # each has a limiter of its own
                client = CallRecordsClient(
                    sdk_app_id=1,
                    identifier="administrator",
                    user_sig="signature",
                    region=region,
                    service="legacy",
                    transport=service,
                    limiter=LocalRateLimiter(),
                )
                await stack.enter_async_context(client)
                lookups += [group.create_task(look_up(client)) for _ in range(25)]
                for _ in range(20):
                    group.create_task(read_pages(client))
        assert service.refused <= 0.15 * service.requests
        return sum(task.result() for task in lookups), service.pages_read / 60

    found, pages_per_second = run(main())
    assert found >= 60 * 12
    assert pages_per_second >= 240


@pytest.mark.parametrize(("quota", "latency"), [(10, 0.05), (20, 0.05), (20, 0.3), (40, 0.05), (40, 0.3)])
def test_a_walk_that_others_leave_little_of_the_quota_goes_on(quota: int, latency: float) -> None:
    """The rate falls below what the service accepts before any request has used up its attempts."""
    service = FaultyService(200, latency, quota=quota)
    run(read_all(service))
    assert service.refused <= 200
