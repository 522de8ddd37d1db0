"""Refusals for quota: by chance, or a sign to slow down."""

from __future__ import annotations

import random

import pytest

from trtc_records._sending.refusals import Refusals

RATE = 190


def respond(refusals: Refusals, share: float, *, seconds: float, start: float = 0.0, seed: int = 1) -> list[float]:
    """Take responses of *seconds*, of which *share* refuse, and return the times of slow-downs."""
    generator = random.Random(seed)
    slowed = []
    for number in range(int(seconds * RATE)):
        now = start + number / RATE
        if refusals.add(refused=generator.random() < share, sent_at=now - 0.05, now=now):
            slowed.append(now)
    return slowed


@pytest.mark.parametrize("seed", range(20))
def test_one_refusal_in_forty_is_chance(seed: int) -> None:
    """A gateway that refuses 2.3 % at any rate slows a minute's walk down a few times at most."""
    assert len(respond(Refusals(), 0.023, seconds=60, seed=seed)) <= 3


def test_a_share_that_a_slower_pace_leaves_as_it_is_becomes_tolerated() -> None:
    """One refusal in twenty slows down at first, and rarely once it has been seen that this does not help."""
    refusals = Refusals()
    first = respond(refusals, 0.05, seconds=10)
    later = respond(refusals, 0.05, seconds=30, start=10)
    assert first
    assert len(later) <= 3


def test_where_none_come_by_chance_two_are_a_sign() -> None:
    """A second without any at the slower pace shows that they do not come by chance."""
    refusals = Refusals()
    assert respond(refusals, 1.0, seconds=0.1)
    assert not respond(refusals, 0.0, seconds=3, start=1)
    signs = [refusals.add(refused=True, sent_at=4 + number / 10, now=4.1 + number / 10) for number in range(2)]
    assert signs == [False, True]


@pytest.mark.parametrize("share", [0.2, 0.5, 1.0])
def test_a_quota_in_use_by_others_is_noticed_within_a_fraction_of_a_second(share: float) -> None:
    """Many refusals at once are a sign, after a second without any too."""
    refusals = Refusals()
    assert not respond(refusals, 0.0, seconds=1)
    assert respond(refusals, share, seconds=0.4, start=1)


def test_a_single_refusal_of_one_who_sends_little_is_a_sign() -> None:
    """One response, and it refuses: that is all of them."""
    refusals = Refusals()
    assert not refusals.add(refused=False, sent_at=0.0, now=0.1)
    assert refusals.add(refused=True, sent_at=10.0, now=10.1)


def test_requests_sent_before_a_slow_down_say_nothing_about_the_slower_pace() -> None:
    """The requests that were under way are refused as the first one was."""
    refusals = Refusals()
    assert refusals.add(refused=True, sent_at=0.0, now=1.0)
    assert not any(refusals.add(refused=True, sent_at=0.5, now=1.0 + number / RATE) for number in range(50))
    assert refusals.add(refused=True, sent_at=1.1, now=1.5)
