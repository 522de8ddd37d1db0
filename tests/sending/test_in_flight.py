"""The requests under way: as many as the quota needs, and few before a service that is slower than the quota."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from slow_service import (
    BusyService,
    DistantService,
    ImpatientService,
    SlowService,
    TiredService,
    make_client,
    read_all,
)
from virtual_time import run

from trtc_records import RequestTimeoutError
from trtc_records._sending.in_flight import Gate, QueueWatch


def measure(work: Coroutine[Any, Any, object]) -> float:
    """Run *work* and return the seconds that it took."""

    async def main() -> float:
        loop = asyncio.get_running_loop()
        started_at = loop.time()
        await work
        return loop.time() - started_at

    return run(main())


def walk(service: SlowService, **arguments: Any) -> float:
    """Walk over all pages of *service* and return the seconds that it took."""
    return measure(read_all(service, **arguments))


@pytest.mark.parametrize("latency", [0.0, 0.1], ids=["near", "far"])
@pytest.mark.parametrize("rate", [10, 20, 50, 100])
def test_a_slow_service_is_asked_as_fast_as_it_answers(rate: int, latency: float) -> None:
    """Against a service slower than the quota no request is sent twice, and it is busy all the time."""
    service = BusyService(300, rate=rate, latency=latency)
    seconds = walk(service)
    assert service.requests <= 1.02 * service.pages
    assert seconds <= 1.1 * service.pages / rate + 2 * latency
    assert service.most_under_way <= 40


@pytest.mark.parametrize(("rate", "workers"), [(20, 10), (50, 25), (100, 50)])
def test_workers_that_each_take_half_a_second_are_all_kept_busy(rate: int, workers: int) -> None:
    """A service that does several requests at once gets as many as it can do."""
    service = BusyService(300, rate=rate, workers=workers)
    assert walk(service) <= 1.1 * service.pages / rate + 1
    assert service.requests <= 1.02 * service.pages


def test_requests_that_time_out_behind_a_long_queue_are_sent_again_one_by_one() -> None:
    """A service that is both far and slow shows that only when too many requests are under way: the walk goes on."""
    service = BusyService(300, rate=10, workers=10)
    walk(service)
    assert service.requests <= 1.6 * service.pages


@pytest.mark.parametrize("timeout", [1.0, 2.0, 3.0])
@pytest.mark.parametrize(("rate", "latency"), [(3, 0.0), (5, 0.0), (10, 0.3), (10, 0.4), (20, 0.4), (50, 0.4)])
def test_a_short_time_out_fails_no_walk(timeout: float, rate: float, latency: float) -> None:
    """Where all requests under way time out together, that shows no rate, but a queue."""
    service = BusyService(150, rate=rate, latency=latency)
    walk(service, timeout=timeout)
    assert service.requests <= 1.8 * service.pages


@pytest.mark.parametrize("latency", [0.0, 0.2, 0.4])
@pytest.mark.parametrize("rate", [3, 5])
def test_requests_that_wait_long_for_their_turn_are_tried_again(rate: float, latency: float) -> None:
    """A service that is far slower than expected times out many, whose turn comes more than ``total_timeout`` later."""
    service = BusyService(200, rate=rate, latency=latency)
    walk(service)
    assert service.requests <= 2 * service.pages


@pytest.mark.parametrize("latency", [0.02, 0.3, 1.0])
def test_a_service_that_answers_no_more_is_given_up_soon(latency: float) -> None:
    """Waits in line count while there is no response at all: a walk ends a little after ``total_timeout``."""
    answers = iter(range(1000))
    service = DistantService(50_000, lambda _: latency if next(answers, None) is not None else 1e6)

    async def fail() -> None:
        with pytest.raises(RequestTimeoutError):
            await read_all(service, total_timeout=30.0)

    assert measure(fail()) <= 1000 / 192 + 3 * latency + 30 + 2 * 10


@pytest.mark.parametrize("count", [8, 64, 256])
def test_a_service_that_never_answers_is_given_up(count: int) -> None:
    """However many requests wait for one another, each ends."""
    service = DistantService(1, lambda _: 1e6)

    async def fail() -> None:
        async with make_client(service) as client:
            errors = await asyncio.gather(*(client.get_page() for _ in range(count)), return_exceptions=True)
        assert {type(error) for error in errors} == {RequestTimeoutError}

    assert measure(fail()) <= 60 + 10 * math.ceil(count / 32)


@pytest.mark.parametrize(("latency", "timeout"), [(0.3, 1.0), (0.5, 1.0), (1.0, 2.0), (1.0, 3.0), (1.5, 3.0)])
def test_a_far_service_gets_the_quota_with_a_short_time_out_too(latency: float, timeout: float) -> None:
    """The time-out bounds queues, not the requests that a long way needs."""
    service = DistantService(1600, lambda random: latency * random.uniform(0.9, 1.1))
    assert walk(service, timeout=timeout) <= 1600 / 192 + 8 * latency + 1
    assert service.requests == 1602


@pytest.mark.parametrize("in_vain", [False, True])
@pytest.mark.parametrize("latency", [0.0, 0.3])
@pytest.mark.parametrize("rate", [2, 5])
def test_requests_that_the_service_gives_up_show_no_rate(rate: float, latency: float, *, in_vain: bool) -> None:
    """Where most of its responses are errors after its own time-out, it gets as many requests as it does."""
    service = ImpatientService(100, rate=rate, latency=latency, in_vain=in_vain)
    walk(service)
    assert service.requests <= 2.9 * service.pages


@pytest.mark.parametrize("latency", [0.0, 0.05, 0.1, 0.2])
def test_a_service_that_is_fast_again_gets_the_quota_again(latency: float) -> None:
    """However few requests were under way while it was slow, there are soon more."""
    service = TiredService(2000, slow=(2.0, 20.0), latency=latency)
    assert walk(service) <= 20 + (2000 - 20 * 10) / 192 + 5
    assert service.requests == 2002


@pytest.mark.parametrize(
    ("draw", "late"),
    [
        (lambda random: 0.05 * random.uniform(1, 1.25), 0.1),
        (lambda random: random.uniform(1, 1.25), 2.5),
        (lambda random: 0.05 + (random.random() < 0.2), 2.5),
        (lambda random: 0.05 + (random.random() < 0.5), 2.5),
        (lambda random: 0.05 + 0.5 * (random.random() < 0.8), 2.0),
        (lambda random: random.expovariate(1 / 0.2), 2.0),
    ],
    ids=["near", "a second away", "one in five late", "one in two late", "four in five late", "scattered"],
)
def test_latency_without_a_queue_leaves_the_quota_in_use(draw: Callable[[Random], float], late: float) -> None:
    """However late single answers are, the walk takes no longer than the quota needs, and the time of an answer."""
    service = DistantService(1600, draw)
    assert walk(service) <= 1600 / 192 + 0.2 + late
    assert service.requests == 1602


def test_a_service_that_becomes_slower_is_no_queue() -> None:
    """Where latency rises and does not fall with the number of requests under way, there are soon more of these."""
    answers = iter(range(10_000))
    service = DistantService(1600, lambda _: 0.02 if next(answers) < 400 else 0.4)
    assert walk(service) <= 1600 / 192 + 2.5


def test_slow_answers_to_single_requests_are_no_queue() -> None:
    """A bot that asks once a minute, of a service that is slower now than at first, keeps the quota for a walk."""
    watch = QueueWatch(200, 10)
    for number in range(200):
        watch.add(0.05 if number == 0 else 1.0, answered=True, depth=1, sent_at=60.0 * number, now=60.0 * number + 1)
    assert watch.limit >= 32
    assert walk(DistantService(400, lambda _: 0.3)) <= 400 / 192 + 1


def add_round(watch: QueueWatch, sent_at: float, latency: float, depth: int, seconds: float) -> float:
    """Take a round of responses into account, one every so many *seconds*, and return the time of the last."""
    for number in range(1, 25):
        now = sent_at + number * seconds
        watch.add(latency, answered=True, depth=depth, sent_at=sent_at, now=now)
    return now


def test_a_queue_that_became_shorter_is_still_one() -> None:
    """Fewer requests under way made the service faster, so it has not become slower by itself: they stay few."""
    watch = QueueWatch(200, 10)
    now = add_round(watch, 0.0, 0.1, 32, 0.05)
    now = add_round(watch, now, 3.0, 60, 0.05)
    shortened = watch.limit
    assert shortened <= 5.5
    add_round(watch, now, 1.0, 20, 0.05)
    assert watch.limit == pytest.approx(shortened)


@pytest.mark.parametrize("rate", [10 + number / 7 for number in range(30)])
def test_no_limit_stays_where_it_is_once_the_queue_is_gone(rate: float) -> None:
    """A limit is a fraction, and the requests under way are whole."""
    watch = QueueWatch(200, 10)
    now = add_round(watch, 0.0, 0.1, 20, 0.005)
    now = add_round(watch, now, 0.5, 20, 1 / rate)
    limit = watch.limit
    assert limit < 10
    add_round(watch, now, 0.1, int(limit), 0.1 / limit)
    assert watch.limit > limit


def test_the_gate_lets_in_first_come_first_served() -> None:
    """No more than the limit are inside; those that were cancelled in line, or at the gate, take no place."""

    async def main() -> None:
        gate = Gate(2, rate=200, timeout=10)
        entered: list[int] = []

        async def enter(number: int) -> None:
            await gate.enter()
            entered.append(number)

        tasks = [asyncio.create_task(enter(number)) for number in range(6)]
        await asyncio.sleep(0)
        assert entered == [0, 1]
        tasks[3].cancel()
        await asyncio.sleep(0)
        gate.leave()
        tasks[2].cancel()  # it was let in, and does not know yet
        with suppress(asyncio.CancelledError):
            await tasks[2]
        await asyncio.sleep(0)
        assert (entered, gate.inside) == ([0, 1, 4], 2)
        gate.leave()
        await asyncio.gather(tasks[4], tasks[5])
        assert (entered, gate.inside) == ([0, 1, 4, 5], 2)

    run(main())


@pytest.mark.parametrize("end", ["cancel", "close"])
def test_the_gate_gives_no_place_to_one_that_went_away(end: str) -> None:
    """One that is cancelled just before a place is free, or whose coroutine is closed, keeps nobody out."""

    async def main() -> None:
        gate = Gate(1, rate=200, timeout=10)
        await gate.enter()
        entering = gate.enter()
        if end == "cancel":
            gone = asyncio.create_task(entering)
            await asyncio.sleep(0)
        else:
            entering.send(None)
        waiting = asyncio.create_task(gate.enter())
        await asyncio.sleep(0)
        if end == "cancel":
            gone.cancel()  # it runs only after the next line
        else:
            entering.close()
        gate.leave()
        await waiting
        assert gate.inside == 1
        if end == "cancel":
            with pytest.raises(asyncio.CancelledError):
                await gone
        gate.leave()
        assert gate.inside == 0

    run(main())
