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


def test_from_full_speed_it_goes_on_at_a_half() -> None:
    """Two processes at full speed then fit into the quota, once half of their old permits have left its second."""
    brake = Brake(200)
    permits(brake, 9.0, 1.0)
    brake.slow_down(10.0)
    assert brake.take(10.0) == pytest.approx(0.52)
    assert 94 <= permits(brake, 10.52, 1.0) <= 98


def test_a_rate_below_a_half_falls_by_little() -> None:
    """The service accepted most of the last second's requests, which have used up its second."""
    brake = Brake(200)
    assert permits(brake, 9.0, 0.25) == 50
    brake.slow_down(9.25)
    assert brake.take(9.25) == pytest.approx(0.75)
    assert 43 <= permits(brake, 10.0, 1.0) <= 46


def test_a_lower_rate_falls_by_little() -> None:
    """A rate that has risen for a while is hardly above what the service accepts."""
    brake = Brake(200)
    permits(brake, 9.0, 1.0)
    brake.slow_down(10.0)
    before = permits(brake, 15.0, 1.0)
    brake.slow_down(16.0)
    assert brake.take(16.0) == pytest.approx(0.12)
    assert 0.85 * before <= permits(brake, 16.12, 1.0) <= 0.91 * before


def test_few_permits_say_nothing_about_a_rate() -> None:
    """One who sends little waits until the service's second is over, and goes on at full speed."""
    brake = Brake(200)
    brake.take(10.0)
    brake.slow_down(10.3)
    assert brake.take(10.3) == pytest.approx(0.7)
    assert permits(brake, 11.0, 1.0) >= 199


def test_at_a_low_rate_half_of_it_says_enough() -> None:
    """The limit of 20 look-ups, too, goes down to a half."""
    brake = Brake(20)
    now, given = 9.0, 0
    while now < 10.0:
        given += brake.take(now) == 0
        now += 1 / 20
    brake.slow_down(10.0)
    assert given == 20
    assert 9 <= permits(brake, 10.6, 1.0) <= 11


def test_refusals_within_a_second_are_the_same_refusal() -> None:
    """Requests that were in flight at the first refusal do not slow down a second time."""
    brake = Brake(200)
    permits(brake, 9.0, 1.0)
    for moment in (10.0, 10.1, 10.9):
        brake.slow_down(moment)
    assert permits(brake, 11.0, 1.0) >= 95


@pytest.mark.parametrize(("again", "rate"), [([11.2], 84), ([10.9, 11.2], 39), ([10.9, 13.0], 85)])
def test_the_rate_falls_far_where_the_slower_pace_is_refused_all_the_time(again: list[float], rate: int) -> None:
    """One more refusal may be another process's doing: this one keeps nearly all of its share."""
    brake = Brake(200)
    permits(brake, 9.0, 1.0)
    for moment in (10.0, *again):
        brake.slow_down(moment)
    assert permits(brake, again[-1] + 0.62, 1.0) == pytest.approx(rate, abs=2)


def test_refusals_one_after_another_go_down_to_a_trickle() -> None:
    """During long refusals some permits are given, to find out when they end."""
    brake = Brake(200)
    now, given = 0.0, []
    while now < 60:
        given.append(permits(brake, now, 1.0))
        now += 1.0
        for _ in range(5):  # of each second, the requests that were sent after the first refusal are refused, too
            brake.slow_down(now)
    assert all(1 <= each <= 8 for each in given[-20:])


def test_the_rate_rises_ever_faster() -> None:
    """It stays near the half for some seconds, and is back at the full rate within twelve."""
    brake = Brake(200)
    permits(brake, 0.0, 1.0)
    brake.slow_down(1.0)
    rates = [permits(brake, 1.52 + second, 1.0) for second in range(12)]
    assert rates[1:] == sorted(rates[1:])
    assert rates[4] <= 114
    assert rates[4] - rates[0] < rates[9] - rates[7]
    assert rates[-1] >= 199


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
        await asyncio.gather(*(limiter.acquire() for _ in range(50)))
        limiter.slow_down()
        started = loop.time()
        await asyncio.gather(*(limiter.acquire() for _ in range(100)))
        return loop.time() - started

    assert 2.9 <= run(main()) <= 3.3, "a pause until a second has passed, and 44 permits a second"


def test_a_limiter_that_slows_down_itself_is_left_alone() -> None:
    """A limiter that can slow down itself gets no brake."""
    limiter = LocalRateLimiter()
    assert adapt(limiter) is limiter
