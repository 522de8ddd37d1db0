"""What callers pass: refused before anything is sent, by a message with the argument, its value and the remedy."""

from __future__ import annotations

import re
import warnings
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trtc_records._api import query as _arguments
from trtc_records._api.models import CallResult, CallType, Region
from trtc_records._api.protocol import Query
from trtc_records._api.query import (
    EDGE_MARGIN,
    RETENTION,
    check_base_url,
    check_call_id,
    check_query,
    pin_window,
)
from trtc_records._errors import ConfigurationError, RetentionWarning

NOW = 1_800_000_000
EDGE = NOW - 7 * 86_400


def query_of(**arguments: Any) -> Query:
    """Check a query that is right but for *arguments*."""
    return check_query(
        **{
            "start_time": None,
            "end_time": None,
            "call_result": None,
            "call_type": None,
            "page_size": 100,
            **arguments,
        }
    )


def exactly(message: str) -> str:
    """Return the pattern that only *message* matches."""
    return f"^{re.escape(message)}$"


# -- Which call --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["", " ", None, 4], ids=repr)
def test_an_empty_call_id_is_refused(value: object) -> None:
    """A lookup without an id is not sent."""
    with pytest.raises(ConfigurationError, match=exactly(f"call_id={value!r}: pass the call's id, a non-empty string")):
        check_call_id(value)


def test_a_call_id_is_taken_as_it_is() -> None:
    """Ids are the service's, so their form is not judged."""
    assert check_call_id("04c9a0ac-8e38") == "04c9a0ac-8e38"


# -- Where to ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("region", Region)
def test_a_region_becomes_its_host(region: Region) -> None:
    """A region is asked over HTTPS at its host."""
    assert str(check_base_url(region, None)) == f"https://{region.host}"


@pytest.mark.parametrize(
    "spelling", ["silicon-valley", "Silicon Valley", "SILICON_VALLEY", "silicon_valley", " Silicon-Valley "]
)
def test_a_region_may_be_spelled_as_people_do(spelling: str) -> None:
    """The vendor's words, the enum's name and its value all mean the region."""
    assert check_base_url(spelling, None).host == Region.SILICON_VALLEY.host


@pytest.mark.parametrize("region", ["mars", "", "siliconvalley", "adminapisgp.im.qcloud.com", 5, b"china"], ids=repr)
def test_an_unknown_region_is_refused_with_a_list(region: Any) -> None:
    """The message shows what was passed and lists all that could have been."""
    with pytest.raises(
        ConfigurationError,
        match=exactly(
            f"region={region!r}: pass one of 'china', 'singapore', 'seoul', 'frankfurt', 'silicon-valley', 'jakarta'"
        ),
    ):
        check_base_url(region, None)


@pytest.mark.parametrize(
    ("region", "base_url", "given_"),
    [(None, None, "neither"), ("china", "https://host", "both")],
    ids=["neither", "both"],
)
def test_exactly_one_of_region_and_base_url_is_needed(region: str | None, base_url: str | None, given_: str) -> None:
    """Neither or both is refused, with the regions that there are."""
    with pytest.raises(
        ConfigurationError,
        match=exactly(
            f"region and base_url: {given_} given; pass one of them, region= (one of "
            "'china', 'singapore', 'seoul', 'frankfurt', 'silicon-valley', 'jakarta') or base_url="
        ),
    ):
        check_base_url(region, base_url)


@pytest.mark.parametrize(
    "url",
    [
        "https://proxy.example.com",
        "HTTPS://proxy.example.com:8443/trtc",
        "https://10.0.0.1",
        "http://127.0.0.1:8080",
        "http://127.9.9.9",
        "http://[::1]:8080",
        "http://localhost:8080",
        "http://LOCALHOST",
    ],
)
def test_https_anywhere_and_http_on_this_machine_are_taken(url: str) -> None:
    """The URL comes out as it was, but for what URLs do not distinguish."""
    checked = str(check_base_url(None, url)).removesuffix("/")
    assert checked.lower() == url.lower()


@pytest.mark.parametrize(
    "url",
    [
        "http://proxy.example.com",
        "http://10.0.0.1",
        "http://128.0.0.1",
        "http://0.0.0.0",
        "http://[::2]",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "ftp://127.0.0.1",
        "ws://localhost",
        "//localhost",
    ],
)
def test_http_beyond_this_machine_is_refused(url: str) -> None:
    """The credential travels in the URL, so it goes in the clear to this machine only."""
    with pytest.raises(
        ConfigurationError,
        match=exactly(
            f"base_url={url!r}: pass an https:// URL, as the credential travels in it "
            "(http:// is for this machine's own addresses only)"
        ),
    ):
        check_base_url(None, url)


PARTS_ONLY = "base_url: not a URL of the form 'https://host', with a port and a path if need be, and no more"


@pytest.mark.parametrize("url", ["https://[::1", "https://host:port", "https://ho\x00st", "https://" + "a" * 70_000])
def test_what_is_no_url_is_refused(url: str) -> None:
    """The message says what one looks like."""
    with pytest.raises(ConfigurationError, match=exactly(PARTS_ONLY)):
        check_base_url(None, url)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:hunter2@host",
        "https://hunter2@host",
        "http://user:hunter2@127.0.0.1",
        "https://host/?usersig=hunter2",
        "https://host#hunter2",
        "ftp://user:hunter2@host",
        "hunter2",
        "https://",
        "/hunter2",
    ],
)
def test_a_url_with_more_than_an_address_is_refused_unseen(url: str) -> None:
    """What stands there may be a password, so the message does not show it."""
    with pytest.raises(ConfigurationError, match=exactly(PARTS_ONLY)):
        check_base_url(None, url)


@pytest.mark.parametrize("url", ["https://user:hunter2@host:port", "https://user:hunter2@[zz]", "https://user:hunter2"])
def test_a_password_in_what_is_no_url_is_not_shown(url: str) -> None:
    """A password is one also where a typing error stands beside it."""
    with pytest.raises(ConfigurationError) as caught:
        check_base_url(None, url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["", " ", 5, b"https://host"], ids=repr)
def test_an_empty_base_url_is_refused_once(url: Any) -> None:
    """The message is that of an empty text, and only that."""
    with pytest.raises(ConfigurationError, match=exactly(f"base_url={url!r}: pass a URL such as 'https://host'")):
        check_base_url(None, url)


# -- A query -----------------------------------------------------------------------------------------


def test_a_query_without_conditions_has_none() -> None:
    """What is not asked for is not made up."""
    assert query_of() == Query(page_size=100)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        (0, 0),
        (1739960242, 1739960242),
        (253_402_300_799, 253_402_300_799),
        (datetime(2025, 2, 19, 10, 17, 22, tzinfo=UTC), 1739960242),
        (datetime(2025, 2, 19, 10, 17, 22, 999_999, tzinfo=UTC), 1739960242),
        (datetime(2025, 2, 19, 18, 17, 22, tzinfo=timezone(timedelta(hours=8))), 1739960242),
    ],
)
@pytest.mark.parametrize("name", ["start_time", "end_time"])
def test_a_time_becomes_unix_seconds(name: str, value: object, seconds: int | None) -> None:
    """Aware datetimes of any zone, and Unix seconds, mean the instant that they name."""
    assert getattr(query_of(**{name: value}), name) == seconds


@pytest.mark.parametrize("name", ["start_time", "end_time"])
def test_a_naive_datetime_is_refused(name: str) -> None:
    """A datetime without a zone names no instant; the message says how to give it one."""
    naive = datetime(2025, 2, 19)  # noqa: DTZ001 - the mistake under test
    with pytest.raises(
        ConfigurationError,
        match=exactly(f"{name}={naive!r}: a naive datetime; give it a time zone, such as datetime.now(UTC)"),
    ):
        query_of(**{name: naive})


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(1739960242000, id="milliseconds"),
        pytest.param(253_402_300_800, id="year 10000"),
        pytest.param(-1, id="negative"),
        pytest.param(True, id="bool"),
        pytest.param(1739960242.0, id="float"),
        pytest.param("2025-02-19T10:17:22Z", id="text"),
        pytest.param("1739960242", id="number as text"),
        pytest.param(date(2025, 2, 19), id="date"),
        pytest.param(timedelta(days=1), id="timedelta"),
        pytest.param(10**400, id="huge"),
    ],
)
@pytest.mark.parametrize("name", ["start_time", "end_time"])
def test_another_time_is_refused(name: str, value: object) -> None:
    """What is no aware datetime and no plausible number of seconds is refused."""
    remedy = r"pass an aware datetime or Unix seconds as an int|out of range for Unix seconds; are these milliseconds\?"
    with pytest.raises(ConfigurationError, match=f"^{name}=.+: ({remedy})$") as caught:
        query_of(**{name: value})
    assert repr(value)[:100] in str(caught.value)


@pytest.mark.parametrize(
    ("start_time", "end_time"),
    [
        (2, 1),
        (datetime(2025, 2, 19, 12, tzinfo=UTC), datetime(2025, 2, 19, 12, tzinfo=timezone(timedelta(hours=1)))),
        (datetime(2025, 2, 19, tzinfo=UTC), 1),
    ],
)
def test_a_start_after_the_end_is_refused(start_time: object, end_time: object) -> None:
    """Both values are shown as they were passed, and what to do."""
    with pytest.raises(
        ConfigurationError, match=exactly(f"start_time={start_time!r} is after end_time={end_time!r}: swap them")
    ):
        query_of(start_time=start_time, end_time=end_time)


def test_a_window_of_one_instant_is_taken() -> None:
    """Start and end may be the same second."""
    assert query_of(start_time=5, end_time=5) == Query(start_time=5, end_time=5, page_size=100)


@pytest.mark.parametrize("value", [0, -5, True, 1.5, "100", None], ids=repr)
def test_a_page_size_below_1_is_refused(value: object) -> None:
    """A page has at least one record."""
    with pytest.raises(ConfigurationError, match=exactly(f"page_size={value!r}: pass a whole number, 1 or more")):
        query_of(page_size=value)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("call_result", CallResult.NORMAL_END, "NormalEnd"),
        ("call_result", "NormalEnd", "NormalEnd"),
        ("call_result", "Transferred", "Transferred"),
        ("call_result", "Cancelled", "Cancelled"),
        ("call_type", CallType.SINGLE_CALL, "SingleCall"),
        ("call_type", "MultiCall", "MultiCall"),
        ("call_type", "Broadcast", "Broadcast"),
        ("call_type", "MULTI_CAST", "MULTI_CAST"),
    ],
)
def test_a_condition_is_known_or_passed_on(name: str, value: str, text: str) -> None:
    """A text that is no member may be one that the vendor added later; members are sent as plain text."""
    condition = getattr(query_of(**{name: value}), name)
    assert (condition, type(condition)) == (text, str)


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("call_result", "normalend", "NormalEnd"),
        ("call_result", "NORMALEND", "NormalEnd"),
        ("call_result", "NORMAL_END", "NormalEnd"),
        ("call_result", "normal_end", "NormalEnd"),
        ("call_result", "cancel", "Cancel"),
        ("call_result", "CALL_BUSY", "CallBusy"),
        ("call_type", "SINGLE_CALL", "SingleCall"),
        ("call_type", "multicall", "MultiCall"),
    ],
)
def test_a_condition_that_is_nearly_known_is_refused(name: str, value: str, meant: str) -> None:
    """The service would find no record for a text in the wrong case: the message says which was meant."""
    with pytest.raises(ConfigurationError, match=exactly(f"{name}={value!r}: did you mean '{meant}'?")):
        query_of(**{name: value})


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("call_result", "CallResult: Cancel, Reject, NotAnswer, NormalEnd, CallBusy, Interrupt"),
        ("call_type", "CallType: SingleCall, MultiCall"),
    ],
)
@pytest.mark.parametrize("value", ["", " ", 3, ["NormalEnd"]], ids=repr)
def test_a_condition_that_is_no_text_is_refused(name: str, choices: str, value: object) -> None:
    """The message lists what there is to choose from."""
    with pytest.raises(ConfigurationError, match=exactly(f"{name}={value!r}: pass a {choices}")):
        query_of(**{name: value})


class OldEnum(str, Enum):  # noqa: UP042 - as many callers still have them
    """A caller's own enum of texts, whose str() is not its value."""

    DONE = "NormalEnd"


def test_a_condition_may_be_a_member_of_the_callers_enum() -> None:
    """A member that is a text is sent as that text."""
    assert query_of(call_result=OldEnum.DONE).call_result == "NormalEnd"


# -- The window --------------------------------------------------------------------------------------


def test_the_service_keeps_records_for_seven_days() -> None:
    """The vendor's number."""
    assert RETENTION == 7 * 24 * 60 * 60


def test_a_window_without_ends_is_pinned() -> None:
    """Both ends are fixed: the start a margin inside the retention edge, the end at now."""
    assert pin_window(Query(page_size=7), NOW + 0.9) == Query(start_time=EDGE + EDGE_MARGIN, end_time=NOW, page_size=7)


def test_now_is_the_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a time of the caller's, the window ends at this second."""
    monkeypatch.setattr(_arguments, "time", SimpleNamespace(time=lambda: NOW + 0.9))
    pinned = pin_window(Query(page_size=7))
    assert pinned is not None
    assert pinned.end_time == NOW


def test_a_window_inside_the_retention_stays() -> None:
    """Ends that the caller fixed are left alone, and so is everything else."""
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
    with pytest.warns(RetentionWarning, match=exactly(message)):
        pinned = pin_window(Query(start_time=start_time, page_size=7), NOW)
    assert pinned == Query(start_time=EDGE + EDGE_MARGIN, end_time=NOW, page_size=7)


@pytest.mark.parametrize("end_time", [EDGE, EDGE + 5])
def test_a_window_that_ends_inside_the_margin_stays_a_window(end_time: int) -> None:
    """The start does not move past the end, also where that is the last second that the service keeps."""
    pinned = pin_window(Query(start_time=EDGE, end_time=end_time, page_size=7), NOW)
    assert pinned == Query(start_time=end_time, end_time=end_time, page_size=7)


def test_a_window_that_has_wholly_expired_is_none() -> None:
    """There is nothing to ask for; the warning says why nothing comes."""
    with pytest.warns(RetentionWarning):
        pinned = pin_window(Query(start_time=EDGE - 1000, end_time=EDGE - 1, page_size=7), NOW)
    assert pinned is None


@pytest.mark.parametrize("end_time", [NOW - 30 * 86_400, EDGE - 1])
def test_an_end_before_the_retention_is_an_expired_window(end_time: int) -> None:
    """A window with an end only, a month ago, does not lie in the future; the warning says why nothing comes."""
    with pytest.warns(RetentionWarning, match="have expired: .* and the query ends at 20"):
        assert pin_window(Query(end_time=end_time, page_size=7), NOW) is None


def test_a_start_in_the_future_is_refused() -> None:
    """Milliseconds, or a time zone gone wrong: such a walk would find nothing."""
    with pytest.raises(
        ConfigurationError, match=exactly(f"start_time={NOW + 1} lies in the future: pass a time before now")
    ):
        pin_window(Query(start_time=NOW + 1, page_size=7), NOW)


def test_a_start_in_the_future_is_refused_whatever_the_end() -> None:
    """A window that lies in the future as a whole is refused as one without an end is."""
    with pytest.raises(ConfigurationError, match="lies in the future"):
        pin_window(Query(start_time=NOW + 100, end_time=NOW + 200, page_size=7), NOW)


def test_a_start_at_this_second_is_taken() -> None:
    """The window is this one second."""
    assert pin_window(Query(start_time=NOW, page_size=7), NOW + 0.5) == Query(start_time=NOW, end_time=NOW, page_size=7)


def pin(query: Query) -> Query | None:
    """Pin a window without its warnings; nothing also where it is refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RetentionWarning)
        try:
            return pin_window(query, NOW)
        except ConfigurationError:
            return None


SECONDS = st.integers(EDGE - 2 * EDGE_MARGIN, NOW) | st.integers(0, 2 * NOW)


@given(st.none() | SECONDS, st.none() | SECONDS)
def test_a_pinned_window_lies_within_what_was_asked_for(start: int | None, end: int | None) -> None:
    """Whatever the ends, a pinned window is one, within the retention, and never wider than the query's."""
    assume(start is None or end is None or start <= end)
    pinned = pin(Query(start_time=start, end_time=end, page_size=7))
    if pinned is not None:
        assert pinned.start_time is not None
        assert pinned.end_time == (NOW if end is None else end)
        assert max(EDGE, start or 0) <= pinned.start_time <= pinned.end_time


@pytest.mark.filterwarnings("ignore::trtc_records.RetentionWarning")
def test_the_earliest_datetime_of_any_zone_is_a_start() -> None:
    """'From the beginning' may be written as the earliest datetime, which east of Greenwich lies in the year 0."""
    earliest = datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))
    assert pin_window(query_of(start_time=earliest), NOW) == pin_window(Query(page_size=100), NOW)
