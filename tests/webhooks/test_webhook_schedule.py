"""The schedule of look-ups, without a clock and without a service."""

from __future__ import annotations

import pytest

from trtc_records.webhooks._schedule import Recent, Schedule


def look_until(schedule: Schedule, call_id: str, end: float) -> list[float]:
    """Look up every call when it is due, and find none; return the times for *call_id*."""
    times = []
    while (due_at := schedule.next_due()) is not None and due_at <= end:
        taken = schedule.take(due_at)
        assert taken is not None
        if taken == call_id:
            times.append(due_at)
        schedule.miss(taken, due_at)
    return times


def test_a_call_that_is_not_found_is_looked_up_for_a_minute() -> None:
    """A forged callback costs six look-ups, the first after 5 seconds, and then nothing is left of it."""
    schedule = Schedule(10)
    assert schedule.add("a", 100.0)
    assert look_until(schedule, "a", 1e9) == [105.0, 107.0, 111.0, 119.0, 135.0, 165.0]
    assert len(schedule) == 0
    assert schedule.next_due() is None


def test_a_repeat_starts_the_minute_anew() -> None:
    """A callback after a forged one for the same call is looked up 5 seconds after it came."""
    schedule = Schedule(10)
    schedule.add("a", 100.0)
    look_until(schedule, "a", 120.0)
    assert schedule.add("a", 122.0)
    assert look_until(schedule, "a", 1e9) == [127.0, 129.0, 133.0, 141.0, 157.0, 187.0]


def test_repeats_delay_no_look_up() -> None:
    """A stream of callbacks for one call neither puts off its look-up nor brings more than one in 5 seconds."""
    schedule = Schedule(10)
    times = []
    for step in range(200):
        now = 100 + step / 10
        schedule.add("a", now)
        times += look_until(schedule, "a", now)
    assert times[0] == 105.0
    assert len(times) <= 4


def test_a_call_in_flight_is_not_taken_twice() -> None:
    """A call whose look-up is under way is not due, also if its callback is repeated."""
    schedule = Schedule(10)
    schedule.add("a", 100.0)
    assert schedule.take(105.0) == "a"
    schedule.add("a", 106.0)
    assert schedule.take(1e9) is None
    assert schedule.miss("a", 107.0)
    assert schedule.next_due() == 111.0


def test_new_calls_come_before_calls_that_were_not_found() -> None:
    """What is due is taken by the number of look-ups that it had, then by time."""
    schedule = Schedule(10)
    schedule.add("old", 100.0)
    look_until(schedule, "old", 105.0)
    schedule.add("new", 106.0)
    schedule.add("newer", 107.0)
    assert [schedule.take(1000.0) for _ in range(4)] == ["new", "newer", "old", None]


def test_a_new_call_takes_the_place_of_one_that_was_not_found() -> None:
    """In a full schedule a call that a look-up did not find gives way; one that had none does not."""
    schedule = Schedule(2)
    assert schedule.add("a", 100.0)
    assert schedule.add("b", 100.0)
    assert not schedule.add("c", 100.0)
    assert schedule.take(105.0) == "a"
    schedule.miss("a", 105.0)
    assert schedule.add("c", 106.0)
    assert len(schedule) == 2
    assert not schedule.add("d", 106.0)
    assert [schedule.take(1000.0) for _ in range(3)] == ["b", "c", None]


def test_a_call_that_gave_way_in_flight_is_forgotten() -> None:
    """The end of its look-up is no error, and brings it back no more."""
    schedule = Schedule(1)
    schedule.add("a", 100.0)
    schedule.take(105.0)
    schedule.miss("a", 105.0)
    schedule.take(107.0)
    assert schedule.add("b", 107.0)
    assert not schedule.miss("a", 108.0)
    schedule.remove("a")
    assert len(schedule) == 1


@pytest.mark.parametrize(("now", "is_recent"), [(100.0, True), (699.9, True), (700.0, False)])
def test_a_key_is_recent_for_a_while(now: float, is_recent: bool) -> None:
    """A key is recent until its time is up."""
    recent = Recent(600.0, 10)
    recent.add("a", 100.0)
    assert recent.holds("a", now) is is_recent


def test_recent_keys_are_bounded() -> None:
    """The oldest of too many keys gives way, and a key that is added again is young."""
    recent = Recent(600.0, 2)
    for key in ("a", "b", "a", "c"):
        recent.add(key, 100.0)
    assert [recent.holds(key, 101.0) for key in "abc"] == [True, False, True]
