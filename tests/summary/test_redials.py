"""Redials: the same caller soon after an unanswered call."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from summed import call_at, sum_up

from trtc_records import CallRecord
from trtc_records.summary import _redials as redials
from trtc_records.summary._redials import Redials

NOON = datetime(2025, 2, 19, 12, tzinfo=UTC)


def at(second: float, caller: str = "ann", **options: object) -> CallRecord:
    return call_at(NOON + timedelta(seconds=second), caller=caller, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("calls", "count"),
    [
        ([at(0, ring=30), at(30)], 1),
        ([at(0, ring=30), at(29)], 0),
        ([at(0, ring=30), at(630)], 1),
        ([at(0, ring=30), at(631)], 0),
        ([at(0, ring=30), at(60, "bob")], 0),
        ([at(0, ring=30, talk=60), at(100)], 0),
        ([at(0, ring=30), at(60, talk=60)], 1),
        ([at(0, ring=30), at(60, ring=30), at(120, ring=30)], 2),
        ([at(0, ring=30), at(60, ring=30), at(680, ring=30)], 2),
        ([at(0), at(0)], 0),
        ([at(0), at(1)], 1),
        ([at(0, end_time=None), at(5)], 1),
        ([at(0, end_time=NOON - timedelta(days=1)), at(5)], 1),
        ([at(0, "", ring=30), at(60, "")], 0),
        ([at(0, "x\ud800", ring=30), at(60, "x\ud800")], 1),
    ],
)
def test_redials_follow_an_unanswered_call(calls: list[CallRecord], count: int) -> None:
    """The caller of an unanswered call calls again within 10 minutes of its end, answered or not."""
    assert sum_up(*calls).result.redials == sum_up(*reversed(calls)).result.redials == count


@pytest.mark.parametrize("year", [1, 1970, 2200, 9999])
def test_times_that_are_not_credible_are_no_redials(year: int) -> None:
    """A call at the end of the calendar is no redial, and breaks none."""
    far = call_at(datetime(year, 1, 1, tzinfo=UTC), caller="ann")
    assert sum_up(far, far, at(0, ring=30, end_time=datetime.max.replace(tzinfo=UTC)), at(9)).result.redials == 0


records = st.lists(
    st.tuples(st.integers(0, 3_000), st.integers(0, 60), st.booleans(), st.sampled_from("abc")), max_size=40
)


@given(records, st.randoms(use_true_random=False))
def test_redials_are_those_of_a_plain_count(calls: list[tuple[int, int, bool, str]], rng: random.Random) -> None:
    """The count equals that of all pairs of calls, in any order."""
    ends = [(caller, start + max(ring, 1)) for start, ring, answered, caller in calls if not answered]
    expected = sum(
        any(caller == each and 0 <= start - end <= 600 for each, end in ends) for start, _, _, caller in calls
    )
    rng.shuffle(calls)
    made = [at(start, caller, ring=ring, talk=5 if answered else None) for start, ring, answered, caller in calls]
    assert sum_up(*made).result.redials == expected


def test_memory_of_redials_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call takes 8 bytes, 16 if nobody answered; beyond the most calls a note says that they are not counted."""
    monkeypatch.setattr(redials, "MOST_CALLS", 1_000)
    monkeypatch.setattr("trtc_records.summary._format.MOST_CALLS", 1_000)
    kept = Redials()
    summary = sum_up()
    for number in range(1_000):
        kept.add(str(number), NOON, None, answered=number % 2 == 0)
        summary.add(at(number, str(number)))
    assert sum(each.itemsize * len(each) for part in kept._parts for each in part) == 1_000 * 8 + 500 * 8
    assert (kept.count, summary.result.redials) == (0, 0)
    kept.add("more", NOON, None, answered=True)
    summary.add(at(0))
    assert (kept.count, kept._parts) == (None, [])
    kept.add("still more", NOON, None, answered=True)
    assert kept.count is None
    assert "Redials are counted for up to 1,000 calls." in summary.to_text()
