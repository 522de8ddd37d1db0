"""The latency estimate: enough requests on their way to keep the quota busy."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtc_records._sending.latency import Latency

RATE = 200.0


def measure(*samples: float) -> Latency:
    """Return an estimate that has seen *samples*."""
    latency = Latency()
    for seconds in samples:
        latency.add(seconds)
    return latency


def test_without_a_measurement_the_estimate_is_least() -> None:
    """Nothing measured yet: two requests, so that a first one is followed by a second."""
    assert Latency().requests_in_flight(RATE) == 2


def test_the_first_measurement_counts_twice() -> None:
    """The first estimate has a margin, because one measurement says little about the spread."""
    assert measure(0.1).requests_in_flight(RATE) == 2 + 40


@pytest.mark.parametrize("seconds", [0.001, 0.01, 0.1, 1.0, 5.0])
def test_a_constant_latency_is_found(seconds: float) -> None:
    """With nothing to spread, the estimate comes down to rate x latency, and two to spare."""
    expected = RATE * seconds + 2
    assert expected <= measure(*[seconds] * 200).requests_in_flight(RATE) <= expected + 1


@pytest.mark.parametrize(("before", "after"), [(0.01, 1.0), (1.0, 0.01)], ids=["slower", "faster"])
def test_a_change_is_followed(before: float, after: float) -> None:
    """A hundred answers after the service became slower or faster, the estimate is the new one."""
    estimate = measure(*[before] * 100, *[after] * 100).requests_in_flight(RATE)
    assert RATE * after + 2 <= estimate <= RATE * after + 3


def draw_evenly(generator: random.Random) -> float:
    """Return a factor within a quarter of 1, each as likely."""
    return generator.uniform(0.75, 1.25)


def draw_extremes(generator: random.Random) -> float:
    """Return a factor a quarter below or above 1."""
    return generator.choice((0.75, 1.25))


@pytest.mark.parametrize("draw", [draw_evenly, draw_extremes])
@pytest.mark.parametrize("seed", range(20))
def test_jitter_does_not_starve_the_quota(draw: Callable[[random.Random], float], seed: int) -> None:
    """Latency that wavers by a quarter is never estimated below the need of its mean."""
    generator = random.Random(seed)
    latency = Latency()
    estimates = []
    for _ in range(500):
        latency.add(0.1 * draw(generator))
        estimates.append(latency.requests_in_flight(RATE))
    assert min(estimates) >= RATE * 0.1


@given(st.lists(st.floats(0, 100), min_size=1, max_size=50))
def test_the_estimate_stays_within_the_measurements(samples: list[float]) -> None:
    """For any measurements, the mean lies between the extremes and the spread below thrice the largest."""
    estimate = measure(*samples).requests_in_flight(RATE)
    assert 2 + RATE * min(samples) * 0.999 <= estimate <= 3 + RATE * 3 * max(samples)
