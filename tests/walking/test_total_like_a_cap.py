"""A TotalNum that looks like a cap and is none, and one that is a cap and looks like none."""

from __future__ import annotations

import pytest
from moving_service import MovingService, collect, make_call
from virtual_time import run

RECORDS = 1_000


@pytest.mark.parametrize("deepest", [None, 400])
def test_a_true_total_that_looks_like_a_cap_is_no_reason_for_doubt(deepest: int | None) -> None:
    """The halves of a window that means the whole call count fewer than all of it, which holds all 1,000 calls."""
    calls = [make_call(number, number * 100, 250) for number in range(RECORDS)]
    service = MovingService(calls, meaning="within", deepest=deepest)
    outcome = run(collect(service, width=RECORDS * 100 + 1_000))
    assert len(outcome.ids) == len(set(outcome.ids)) == RECORDS
    assert outcome.doubts == []
    assert outcome.expected == RECORDS


@pytest.mark.parametrize("refusal", ["empty", "invalid parameter"])
def test_a_list_that_goes_beyond_its_total_shows_that_the_total_is_a_cap(refusal: str) -> None:
    """The service counts to 310, which looks like any count, and gives 500 of the 900 calls in one list."""
    calls = [make_call(number, number * 100, 20) for number in range(900)]
    service = MovingService(calls, total_cap=310, deepest=500, refusal=refusal)
    outcome = run(collect(service, width=900 * 100 + 1_000))
    assert len(outcome.ids) == len(set(outcome.ids)) == 900
    assert outcome.doubts == []


@pytest.mark.parametrize("cap", [100, 200, 300, 700, 1_000, 1_024])
@pytest.mark.parametrize("refusal", ["empty", "invalid parameter"])
def test_a_round_cap_at_which_the_list_ends_is_found(refusal: str, cap: int) -> None:
    """The service counts no further than it gives pages, to a round number: nothing else shows that there is more."""
    calls = [make_call(number, number * 100, 20) for number in range(2_500)]
    service = MovingService(calls, total_cap=cap, deepest=cap, refusal=refusal)
    outcome = run(collect(service, width=2_500 * 100 + 1_000))
    assert len(outcome.ids) == len(set(outcome.ids)) == 2_500
    assert outcome.doubts == []


def test_a_cap_of_one_page_is_found() -> None:
    """The service gives one page, and counts no further."""
    calls = [make_call(number, number * 100, 20) for number in range(450)]
    service = MovingService(calls, total_cap=100, deepest=100, refusal="empty")
    outcome = run(collect(service, width=450 * 100 + 1_000, page_size=100))
    assert len(outcome.ids) == len(set(outcome.ids)) == 450
    assert outcome.doubts == []


@pytest.mark.parametrize("cap", [410, 450, 495, 499])
@pytest.mark.parametrize("refusal", ["empty", "invalid parameter"])
def test_a_cap_less_than_a_page_below_the_depth_is_found(refusal: str, cap: int) -> None:
    """The list holds a few records more than its TotalNum, as one that arrived would explain."""
    calls = [make_call(number, number * 100, 20) for number in range(1_839)]
    service = MovingService(calls, total_cap=cap, deepest=500, refusal=refusal)
    outcome = run(collect(service, width=1_839 * 100 + 1_000, page_size=100))
    assert len(outcome.ids) == len(set(outcome.ids)) == 1_839
    assert outcome.doubts == []
