"""The window of a sync, without a service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtc_records import ConfigurationError, RetentionWarning
from trtc_records.sandbox import make_records
from trtc_records.warehouse._window import OVERLAP, Window

NOW = 1_790_000_000
DAY = 86_400
WEEK = 7 * DAY
CALL = make_records(1)[0]


def check(since: Any = None, until: Any = None, overlap: Any = OVERLAP) -> Window:
    """Return the checked window."""
    return Window.check(since, until, overlap, NOW)


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize(
    ("since", "until", "message"),
    [
        (None, NOW - DAY, r"^until=1789913600: the window has no start; pass since"),
        (NOW - DAY, NOW - DAY, r"^until=\d+: pass a time after since="),
        (NOW - DAY, NOW - 2 * DAY, r"^until=\d+: pass a time after since="),
        (NOW - DAY, NOW + 1, r"^until=\d+ lies in the future: wait until then, or leave it out"),
        (NOW - DAY, datetime(2026, 9, 21), r"^until=.*a naive datetime; give it a time zone"),  # noqa: DTZ001
        (datetime(2026, 9, 21), NOW, r"^since=.*a naive datetime; give it a time zone"),  # noqa: DTZ001
        (NOW - DAY, NOW * 1_000, r"^until=\d+: out of range for Unix seconds; are these milliseconds"),
        (NOW - DAY, "yesterday", r"^until='yesterday': pass an aware datetime"),
    ],
)
def test_unusable_window_is_explained(since: Any, until: Any, message: str) -> None:
    """The message names the argument and its value, and says what to pass."""
    with pytest.raises(ConfigurationError, match=message):
        check(since, until)


def test_window_may_end_now() -> None:
    """A window that ends at this moment can be read as soon as each call that has ended has a record."""
    assert check(NOW - DAY, at(NOW)).readable_at > NOW


def test_sync_that_continues_can_begin_at_once() -> None:
    """A sync without *until* has nothing to wait for."""
    assert check().readable_at < 0


@given(st.lists(st.integers(NOW - WEEK, NOW), min_size=3, max_size=6, unique=True), st.integers(NOW - WEEK, NOW))
def test_adjacent_windows_hold_each_call_once(ends: list[int], start: int) -> None:
    """A call belongs to exactly one of the windows that follow each other, and to none if it lies outside all."""
    ends.sort()
    call = attrs.evolve(CALL, start_time=at(start))
    holders = sum(check(since, until).holds(call) for since, until in pairwise(ends))
    assert holders == (ends[0] <= start < ends[-1])


@given(st.integers(NOW - WEEK, NOW - 1), st.integers(1, WEEK), st.integers(0, WEEK))
def test_walk_is_wider_than_its_window(since: int, length: int, overlap: int) -> None:
    """A walk reads each end of its window, and beyond the last one by the overlap, or until now."""
    until = min(since + length, NOW)
    start, end = check(since, until, timedelta(seconds=overlap)).choose_ends(None, NOW)
    assert start is not None
    assert start < since
    assert end is None or end == at(until + overlap) <= at(NOW)


def test_mark_is_ignored_by_a_window_with_two_ends() -> None:
    """The walk is the same whatever the mark is, and a mark that is too old is no loss."""
    window = check(NOW - DAY, NOW - 3_600)
    assert window.choose_ends(None, NOW) == window.choose_ends(NOW - 8 * DAY, NOW)
    assert window.find_loss(NOW - 8 * DAY, NOW) is None


@pytest.mark.parametrize(
    ("since", "previous", "start"),
    [
        (None, None, None),
        (NOW - DAY, None, NOW - DAY),
        (None, NOW - DAY, NOW - 4 * DAY),
        (NOW - DAY, NOW - DAY, NOW - 4 * DAY),
        (NOW - 5 * DAY, NOW - DAY, NOW - 5 * DAY),
        (None, NOW - 5 * DAY, None),
        (NOW - DAY, NOW - 5 * DAY, None),
        (NOW - 9 * DAY, NOW - 5 * DAY, NOW - 9 * DAY),
        (None, NOW + 60, None),
    ],
)
def test_start_is_the_mark_less_the_overlap(since: int | None, previous: int | None, start: int | None) -> None:
    """The start is 72 hours before the mark, *since* if that is earlier, or as far back as the service keeps records.

    A look-back beyond the 7 days has no start of its own: nobody asked for expired calls, so no warning says so.
    """
    assert check(since).choose_ends(previous, NOW) == (start, None)


def test_only_a_mark_of_more_than_seven_days_ago_is_a_loss() -> None:
    """The look-back alone reaches beyond what the service keeps, and that loses nothing."""
    assert check().find_loss(None, NOW) is None
    assert check().find_loss(NOW - 6 * DAY, NOW) is None
    assert isinstance(check().find_loss(NOW - 8 * DAY, NOW), RetentionWarning)


def test_clock_of_the_service_has_the_last_word() -> None:
    """A window that has not ended for the service is refused; others, and those without an end, are not."""
    check(NOW - DAY, NOW).check_clock(NOW + 10)
    check().check_clock(0)
    with pytest.raises(ConfigurationError, match=r"^until=1790000000 had not passed for the service.*set this machine"):
        check(NOW - DAY, NOW).check_clock(NOW - 3_600)
