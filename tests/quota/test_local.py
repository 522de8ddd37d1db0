"""The limiter, on a clock of the test's own."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
import weakref
from bisect import bisect_left
from unittest.mock import AsyncMock

import anyio
import pytest
from virtual_time import VirtualLoop, run

from trtc_records import ConfigurationError, LocalRateLimiter, RateLimiter
from trtc_records.quota._local import _Permit, _PermitLog, adapt, shared_limiter


def busiest(times: list[float], window: float = 1.0) -> int:
    """Return the most times within any window."""
    times = sorted(times)
    return max(bisect_left(times, start + window) - first for first, start in enumerate(times))


async def take(limiter: LocalRateLimiter, count: int) -> list[float]:
    loop = asyncio.get_running_loop()
    times = []

    async def one() -> None:
        await limiter.acquire()
        times.append(loop.time())

    await asyncio.gather(*(one() for _ in range(count)))
    return times


@pytest.mark.parametrize("rate", [1, 2, 3, 10, 50, 200, 1000])
def test_no_second_holds_more_than_the_rate(rate: int) -> None:
    """A burst of waiters never gets more permits in any second than the limit, and some distance below it."""
    times = run(take(LocalRateLimiter(rate), 3 * rate + 3))
    assert busiest(times) <= rate
    if rate >= 50:
        assert busiest(times) <= 0.975 * rate


def test_the_quota_is_used_to_95_percent() -> None:
    """Many permits take no longer than the pace says, and in the long run no less than 4 % below the quota."""
    times = run(take(LocalRateLimiter(), 4000))
    assert 191 <= 4000 / (times[-1] - times[0]) <= 193


def test_permits_missed_by_a_busy_loop_are_made_up_for() -> None:
    """A pause of 60 ms now and then, as of a garbage collector, costs nothing of the quota and causes no burst."""

    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        taking = asyncio.create_task(take(LocalRateLimiter(), 4000))
        for _ in range(4):
            await asyncio.sleep(4)
            loop.stall(0.06)
        return await taking

    times = run(main())
    assert 4000 / (times[-1] - times[0]) >= 191
    assert busiest(times) <= 195
    assert busiest(times, window=0.1) <= 22


def test_an_idle_limiter_saves_up_no_burst() -> None:
    """A quiet hour does not let the next second hold more."""

    async def main() -> list[float]:
        limiter = LocalRateLimiter()
        await take(limiter, 300)
        await asyncio.sleep(3600)
        return await take(limiter, 500)

    assert busiest(run(main())) <= 195


def test_waiters_are_served_first_come_first_served() -> None:
    """The longest waiter is next, so that no walk starves another."""

    async def main() -> list[int]:
        limiter = LocalRateLimiter(50)
        order = []

        async def one(number: int) -> None:
            await limiter.acquire()
            order.append(number)

        async with asyncio.TaskGroup() as group:
            for number in range(100):
                group.create_task(one(number))
                await asyncio.sleep(0.001)
        return order

    assert run(main()) == list(range(100))


def test_a_cancelled_waiter_takes_no_permit() -> None:
    """Waiters that give up leave the line as if they had never come."""

    async def main() -> float:
        loop = asyncio.get_running_loop()
        limiter = LocalRateLimiter(10)
        await take(limiter, 9)
        waiting = [asyncio.create_task(limiter.acquire()) for _ in range(500)]
        await asyncio.sleep(0.01)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        started = loop.time()
        await take(limiter, 8)
        return loop.time() - started

    assert run(main()) <= 1.2


@pytest.mark.slow
def test_loops_one_after_the_other_share_the_quota() -> None:
    """A program that calls asyncio.run() often gets no fresh quota each time."""
    limiter = LocalRateLimiter(20)
    times = []
    for _ in range(40):
        times += asyncio.run(take(limiter, 1))
    assert busiest(times) <= 20


@pytest.mark.slow
def test_threads_share_the_quota() -> None:
    """Two loops in two threads together get as many permits as one."""
    limiter = LocalRateLimiter(30)
    times: list[float] = []
    threads = [threading.Thread(target=lambda: times.extend(asyncio.run(take(limiter, 20)))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(times) == 40
    assert busiest(times) <= 30


@pytest.mark.parametrize("stall", [0.03, 0.2])
def test_loops_that_stall_send_no_more_than_the_rate(stall: float) -> None:
    """Twelve loops that send each request up to *stall* seconds after its permit: a second counts no more than 195."""
    draw = random.Random(0)
    log = _PermitLog(195)
    loops = [(0.0, _Permit(), False) for _ in range(12)]  # when each is due, its permit, and whether that was given
    sent = []
    while len(sent) < 3000:
        loops.sort(key=lambda loop: loop[0])
        now, permit, is_given = loops.pop(0)
        if is_given:
            sent.append(now)
            permit.confirm(lambda now=now: now)
            loops.append((now, _Permit(), False))
        elif wait := log.take(permit, lambda now=now: now):
            loops.append((now + wait + 1e-6, permit, False))
        else:
            loops.append((now + draw.uniform(0, stall) * draw.randint(0, 1), permit, True))
    assert busiest(sent) <= 195
    if stall < 0.1:
        assert len(sent) / (sent[-1] - sent[0]) > 180


def test_a_loop_that_died_with_a_permit_holds_no_other_up() -> None:
    """A permit whose loop never turned again counts as sent a second later."""
    log = _PermitLog(1)
    assert log.take(_Permit(), lambda: 10.0) == 0
    now = 10.0
    while wait := log.take(_Permit(), lambda now=now: now):
        now += wait
    assert 12 <= now <= 12.1


def test_a_limiter_keeps_no_event_loop_alive() -> None:
    """Loops in which callers waited are freed while the limiter lives on."""
    limiter = LocalRateLimiter(1000)
    loops = []

    async def main() -> None:
        await take(limiter, 20)
        loops.append(weakref.ref(asyncio.get_running_loop()))

    for _ in range(5):
        run(main())
    gc.collect()
    assert [loop() for loop in loops] == [None] * 5
    assert len(limiter._pacers) == 0


def test_clients_of_one_app_and_endpoint_share_a_limiter() -> None:
    """The registry gives the same limiter as long as somebody holds it, and another for another app."""
    limiter = shared_limiter(1, "https://one")
    assert shared_limiter(1, "https://one") is limiter
    assert shared_limiter(2, "https://one") is not limiter
    assert shared_limiter(1, "https://two") is not limiter


def test_limiters_of_others_fit_the_protocol() -> None:
    """aiolimiter's own limiter can be passed as it is."""
    from aiolimiter import AsyncLimiter

    assert isinstance(AsyncLimiter(10, 1), RateLimiter)
    assert isinstance(LocalRateLimiter(), RateLimiter)


class Blocking:
    """A limiter whose wait would stop the event loop."""

    def acquire(self) -> None:
        """Give a permit at once."""


@pytest.mark.parametrize(
    ("limiter", "reason"),
    [
        (asyncio.Semaphore(1000), "release"),
        (asyncio.BoundedSemaphore(5), "release"),
        (asyncio.Lock(), "release"),
        (asyncio.Condition, "a class"),
        (threading.Semaphore(9), "release"),
        (threading.Lock(), "release"),
        (anyio.Semaphore(9), "release"),
        (anyio.Lock(), "release"),
        (anyio.CapacityLimiter(9), "release"),
        (LocalRateLimiter, "a class; pass an instance"),
        (Blocking(), "async def acquire"),
        (object(), "async def acquire"),
        (7, "async def acquire"),
    ],
)
def test_what_limits_no_rate_is_refused(limiter: object, reason: str) -> None:
    """A semaphore would stand still after its last permit, and a plain function would block."""
    with pytest.raises(ConfigurationError, match=f"^limiter=.*{reason}"):
        adapt(limiter)


def test_a_mock_may_be_a_limiter() -> None:
    """A test's stand-in is taken, though it has every attribute."""
    mock = AsyncMock()
    assert adapt(mock) is mock


@pytest.mark.parametrize("rate", [0, -1, 1.5, True, "200", None])
def test_a_rate_that_is_none_is_refused(rate: object) -> None:
    """The message names the argument, the value and the remedy."""
    with pytest.raises(ConfigurationError, match=r"rate=.*whole number"):
        LocalRateLimiter(rate)  # type: ignore[arg-type]


def test_the_repr_shows_the_rate() -> None:
    """The repr of a limiter shows its rate."""
    assert repr(LocalRateLimiter(50)) == "LocalRateLimiter(rate=50)"
