"""Conditions that cannot be sent are refused by a message with the argument, its value and the remedy."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from enum import Enum
from typing import Any

import pytest

from trtc_records._api.models import CallResult, CallType
from trtc_records._api.query import Query, check_call_id, check_query
from trtc_records._errors import ConfigurationError


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


class OddDatetime(datetime):
    """A subclass whose arithmetic is not that of ``datetime``, as pendulum's, pandas' and freezegun's are not."""

    def __sub__(self, other: object) -> Any:
        return self

    def astimezone(self, tz: object = None) -> Any:
        return None


class BrokenZone(tzinfo):
    """A time zone that fails, and has the shape of ``pandas.NaT``, a datetime without a time."""

    def utcoffset(self, _: datetime | None) -> timedelta:
        raise ValueError("no offset")


# -- Which call --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["", " ", None, 4], ids=repr)
def test_an_empty_call_id_is_refused(value: object) -> None:
    """A lookup without an id is not sent."""
    with pytest.raises(ConfigurationError, match=exactly(f"call_id={value!r}: pass the call's id, a non-empty string")):
        check_call_id(value)


def test_a_call_id_is_taken_as_it_is() -> None:
    """Ids are the service's, so their form is not judged."""
    assert check_call_id("04c9a0ac-8e38") == "04c9a0ac-8e38"


# -- Times --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [timedelta(), timedelta(hours=8), timedelta(hours=-9, minutes=-30)], ids=str)
def test_a_subclass_of_datetime_is_read_whatever_its_arithmetic(offset: timedelta) -> None:
    """Its calendar and its offset say which moment it is."""
    moment = OddDatetime(2026, 11, 25, 23, 30, 1, 999_999, timezone(offset))
    plain = datetime(2026, 11, 25, 23, 30, 1, 999_999, timezone(offset))
    assert query_of(start_time=moment).start_time == int(plain.timestamp())


def test_times_of_pendulum_are_read() -> None:
    """Airflow hands them out."""
    pendulum = pytest.importorskip("pendulum", reason="pendulum comes with dlt")
    moment = pendulum.datetime(2026, 10, 25, 2, 30, tz="Europe/Berlin", fold=0)
    query = query_of(start_time=moment, end_time=moment.add(hours=1))
    assert (query.start_time, query.end_time) == (int(moment.timestamp()), int(moment.timestamp()) + 3600)


def test_a_datetime_without_a_moment_is_refused() -> None:
    """Whatever its time zone raises, the error is one of ours and names the argument."""
    with pytest.raises(ConfigurationError, match=r"^end_time=.*: it cannot be read \(ValueError\); pass an aware"):
        query_of(end_time=datetime(2026, 11, 25, tzinfo=BrokenZone()))


# -- A query -----------------------------------------------------------------------------------------


def test_a_query_without_conditions_has_none() -> None:
    """Conditions without an argument stay unset."""
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
    """Values other than aware datetimes and plausible numbers of seconds are refused."""
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
    """The message shows both values as they were passed, and a remedy."""
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
    """A text that is no member may be one that Tencent added later; members are sent as plain text."""
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
        ("call_result", "CallResult: Cancel, Reject, NotAnswer, NormalEnd, CallBusy, Interrupt, Offline"),
        ("call_type", "CallType: SingleCall, MultiCall"),
    ],
)
@pytest.mark.parametrize("value", ["", " ", 3, ["NormalEnd"]], ids=repr)
def test_a_condition_that_is_no_text_is_refused(name: str, choices: str, value: object) -> None:
    """The message lists the choices."""
    with pytest.raises(ConfigurationError, match=exactly(f"{name}={value!r}: pass a {choices}")):
        query_of(**{name: value})


class OldEnum(str, Enum):  # noqa: UP042 - as many callers still have them
    """A caller's own enum of texts, whose str() is not its value."""

    DONE = "NormalEnd"


def test_a_condition_may_be_a_member_of_the_callers_enum() -> None:
    """A member that is a text is sent as that text."""
    assert query_of(call_result=OldEnum.DONE).call_result == "NormalEnd"
