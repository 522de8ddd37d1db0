"""The window of a walk: both ends fixed, within the time for which the service keeps records."""

from __future__ import annotations

import re
import warnings
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trtc_records._api.query import RETENTION, Query, check_query
from trtc_records._errors import ConfigurationError, RetentionWarning
from trtc_records._walking.window import EDGE_MARGIN, check_window, pin_window

NOW = 1_800_000_000
EDGE = NOW - 7 * 86_400


def exactly(message: str) -> str:
    """Return the pattern that only *message* matches."""
    return f"^{re.escape(message)}$"


def test_the_service_keeps_records_for_seven_days() -> None:
    """Tencent's number."""
    assert RETENTION == 7 * 24 * 60 * 60


def test_a_window_without_ends_is_pinned() -> None:
    """Both ends are fixed: the start a margin inside the retention edge, the end at now."""
    assert pin_window(Query(page_size=7), NOW + 0.9) == Query(start_time=EDGE + EDGE_MARGIN, end_time=NOW, page_size=7)


def test_a_window_inside_the_retention_stays() -> None:
    """A window inside the retention stays unchanged."""
    query = Query(start_time=NOW - 3600, end_time=NOW - 60, call_result="Reject", call_type="MultiCall", page_size=7)
    assert pin_window(query, NOW) == query


@pytest.mark.parametrize(
    "start_time", [EDGE, EDGE - 1, EDGE - 5, EDGE - EDGE_MARGIN], ids=["now", "a second", "5 seconds", "a minute"]
)
def test_seven_days_reckoned_a_moment_ago_are_seven_days(start_time: int) -> None:
    """A caller who reckoned the edge a few seconds ago is not warned; the start moves inside the edge."""
    pinned = pin_window(Query(start_time=start_time, page_size=7), NOW)
    assert pinned == Query(start_time=EDGE + EDGE_MARGIN, end_time=NOW, page_size=7)


@pytest.mark.parametrize("start_time", [EDGE - EDGE_MARGIN - 1, EDGE - 86_400, 0])
def test_more_than_seven_days_are_warned_about(start_time: int) -> None:
    """A query that reaches further back is warned about, with both times, and narrowed."""
    shown = f"{datetime.fromtimestamp(start_time, UTC):%Y-%m-%d %H:%M:%S} UTC"
    message = (
        "records from before 2027-01-08 08:00:00 UTC have expired: the service keeps them for 7 days, "
        f"and the query begins at {shown}"
    )
    query = Query(start_time=start_time, page_size=7)
    with pytest.warns(RetentionWarning, match=exactly(message)):
        assert check_window(query, NOW)
    assert pin_window(query, NOW) == Query(start_time=EDGE + EDGE_MARGIN, end_time=NOW, page_size=7)


@pytest.mark.parametrize("end_time", [EDGE, EDGE + 5])
def test_a_window_that_ends_inside_the_margin_stays_a_window(end_time: int) -> None:
    """The start does not move past the end, also where that is the last second that the service keeps."""
    pinned = pin_window(Query(start_time=EDGE, end_time=end_time, page_size=7), NOW)
    assert pinned == Query(start_time=end_time, end_time=end_time, page_size=7)


def test_a_window_that_has_wholly_expired_holds_nothing() -> None:
    """There is nothing to ask for; the warning says why nothing comes."""
    with pytest.warns(RetentionWarning):
        assert not check_window(Query(start_time=EDGE - 1000, end_time=EDGE - 1, page_size=7), NOW)


@pytest.mark.parametrize("end_time", [NOW - 30 * 86_400, EDGE - 1])
def test_an_end_before_the_retention_is_an_expired_window(end_time: int) -> None:
    """A window with an end only, a month ago, does not lie in the future; the warning says why nothing comes."""
    with pytest.warns(RetentionWarning, match="have expired: .* and the query ends at 20"):
        assert not check_window(Query(end_time=end_time, page_size=7), NOW)


def test_a_start_in_the_future_is_refused() -> None:
    """A start in the future, as milliseconds or a wrong time zone cause, is refused."""
    with pytest.raises(
        ConfigurationError, match=exactly(f"start_time={NOW + 1} lies in the future: pass a time before now")
    ):
        check_window(Query(start_time=NOW + 1, page_size=7), NOW)


def test_a_start_in_the_future_is_refused_whatever_the_end() -> None:
    """A window that lies in the future as a whole is refused as one without an end is."""
    with pytest.raises(ConfigurationError, match="lies in the future"):
        check_window(Query(start_time=NOW + 100, end_time=NOW + 200, page_size=7), NOW)


def test_a_start_at_this_second_is_taken() -> None:
    """A start at the present second makes a window of one second."""
    assert pin_window(Query(start_time=NOW, page_size=7), NOW + 0.5) == Query(start_time=NOW, end_time=NOW, page_size=7)


def pin(query: Query) -> Query | None:
    """Pin a window without its warnings; nothing also where it is refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RetentionWarning)
        try:
            return pin_window(query, NOW) if check_window(query, NOW) else None
        except ConfigurationError:
            return None


SECONDS = st.integers(EDGE - 2 * EDGE_MARGIN, NOW) | st.integers(0, 2 * NOW)


@given(st.none() | SECONDS, st.none() | SECONDS)
def test_a_pinned_window_lies_within_the_requested_one(start: int | None, end: int | None) -> None:
    """With any ends, a pinned window is valid, within the retention, and never wider than the query's."""
    assume(start is None or end is None or start <= end)
    pinned = pin(Query(start_time=start, end_time=end, page_size=7))
    if pinned is not None:
        assert pinned.start_time is not None
        assert pinned.end_time == (NOW if end is None else end)
        assert max(EDGE, start or 0) <= pinned.start_time <= pinned.end_time


def test_the_earliest_datetime_of_any_zone_is_a_start() -> None:
    """'From the beginning' may be written as the earliest datetime, which east of Greenwich lies in the year 0."""
    earliest = datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))
    assert pin_window(
        check_query(start_time=earliest, end_time=None, call_result=None, call_type=None, page_size=100), NOW
    ) == pin_window(Query(page_size=100), NOW)
