"""The brake, as a table of moments."""

from __future__ import annotations

import asyncio

import pytest
from virtual_time import run

from trtc_records import LocalRateLimiter
from trtc_records.quota._brake import Brake
from trtc_records.quota._local import AdaptiveRateLimiter, adapt


def permits(brake: Brake, start: float, seconds: float) -> int:
    """Return how many permits the brake gives out to one who asks all the time."""
    now, given = start, 0
    while now < start + seconds:
        wait = brake.take(now)
        given += wait == 0
        now += wait or 1 / 200
    return given


def test_without_refusals_it_does_nothing() -> None:
    """Without refusals, every permit is given at once."""
    assert permits(Brake(200), 0.0, 1.0) >= 200


def test_a_refusal_pauses_and_halves() -> None:
    """A refusal stops all permits for a second, and then halves the rate."""
    brake = Brake(200)
    brake.slow_down(10.0)
    assert brake.take(10.0) == 1.0
    assert permits(brake, 10.0, 1.0) == 0
    assert 95 <= permits(brake, 11.0, 1.0) <= 112


def test_refusals_during_a_pause_are_the_same_refusal() -> None:
    """Requests that were in flight at the first refusal do not slow down a second time."""
    brake = Brake(200)
    for moment in (10.0, 10.1, 10.9):
        brake.slow_down(moment)
    assert permits(brake, 11.0, 1.0) >= 95


def test_refusals_one_after_another_go_down_to_a_trickle() -> None:
    """During long refusals some permits are given, to find out when they end."""
    brake = Brake(200)
    for second in range(0, 60, 1):
        brake.slow_down(float(second))
    assert 4 <= permits(brake, 61.0, 1.0) <= 20


def test_the_rate_recovers_step_by_step() -> None:
    """The rate rises from half to full in ten seconds."""
    brake = Brake(200)
    brake.slow_down(0.0)
    rates = [permits(brake, float(second), 1.0) for second in range(1, 13)]
    assert rates == sorted(rates)
    assert rates[-1] >= 195


class Plain:
    """A limiter without a brake."""

    def __init__(self) -> None:
        self.given = 0

    async def acquire(self) -> None:
        self.given += 1


@pytest.mark.parametrize("make", [LocalRateLimiter, Plain])
def test_every_limiter_can_slow_down(make: type[LocalRateLimiter | Plain]) -> None:
    """The local limiter can slow down itself; a caller's limiter gets a brake."""

    async def main() -> float:
        limiter = adapt(make())
        assert isinstance(limiter, AdaptiveRateLimiter)
        loop = asyncio.get_running_loop()
        await limiter.acquire()
        limiter.slow_down()
        started = loop.time()
        await asyncio.gather(*(limiter.acquire() for _ in range(50)))
        return loop.time() - started

    assert 1.4 <= run(main()) <= 1.7


def test_a_limiter_that_slows_down_itself_is_left_alone() -> None:
    """A limiter that can slow down itself gets no brake."""
    limiter = LocalRateLimiter()
    assert adapt(limiter) is limiter
