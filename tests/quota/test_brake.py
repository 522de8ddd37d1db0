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


def test_it_slows_down_below_the_rate_of_the_last_second() -> None:
    """The service accepted the rate of the last second, or somewhat less."""
    brake = Brake(200)
    assert permits(brake, 9.0, 0.5) == 100
    brake.slow_down(9.5)
    assert permits(brake, 9.5, 0.5) == 0, "until the second is over that those permits used up"
    assert 78 <= permits(brake, 10.0, 1.0) <= 84


def test_at_full_speed_it_hardly_pauses() -> None:
    """The permits of a second ago have left the service's second."""
    brake = Brake(200)
    permits(brake, 9.0, 1.0)
    brake.slow_down(10.0)
    assert brake.take(10.0) == pytest.approx(0.1)
    assert 155 <= permits(brake, 10.1, 1.0) <= 164


def test_few_permits_say_nothing_about_a_rate() -> None:
    """One who sends little waits until the service's second is over, and goes on at full speed."""
    brake = Brake(200)
    brake.take(10.0)
    brake.slow_down(10.3)
    assert brake.take(10.3) == pytest.approx(0.7)
    assert permits(brake, 11.0, 1.0) >= 199


def test_at_a_low_rate_half_of_it_says_enough() -> None:
    """The limit of 20 look-ups, too, goes down to four fifths of what the service accepted."""
    brake = Brake(20)
    now, given = 9.0, 0
    while now < 10.0:
        given += brake.take(now) == 0
        now += 1 / 20
    brake.slow_down(10.0)
    assert given == 20
    assert 15 <= permits(brake, 10.1, 1.0) <= 17


def test_refusals_within_a_second_are_the_same_refusal() -> None:
    """Requests that were in flight at the first refusal do not slow down a second time."""
    brake = Brake(200)
    permits(brake, 9.0, 1.0)
    for moment in (10.0, 10.1, 10.9):
        brake.slow_down(moment)
    assert permits(brake, 11.0, 1.0) >= 155


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


def test_the_rate_recovers_step_by_step() -> None:
    """The rate rises from half to full in fifteen seconds, slowly at first."""
    brake = Brake(200)
    permits(brake, 0.0, 0.625)
    brake.slow_down(0.625)
    rates = [permits(brake, float(second), 1.0) for second in range(1, 18)]
    assert rates == sorted(rates)
    assert rates[0] <= 102
    assert rates[4] - rates[0] < rates[14] - rates[10]
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
        await asyncio.gather(*(limiter.acquire() for _ in range(50)))
        limiter.slow_down()
        started = loop.time()
        await asyncio.gather(*(limiter.acquire() for _ in range(100)))
        return loop.time() - started

    assert 2.5 <= run(main()) <= 3.6, "a pause, and 40 permits a second that rise by one each second"


def test_a_limiter_that_slows_down_itself_is_left_alone() -> None:
    """A limiter that can slow down itself gets no brake."""
    limiter = LocalRateLimiter()
    assert adapt(limiter) is limiter
