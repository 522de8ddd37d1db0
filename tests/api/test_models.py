"""The values: a record's derived properties, and its immutability."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import Enum, IntEnum, StrEnum
from typing import Any

import attrs
import pytest

from trtc_records._api.models import CallRecord, CallRecordPage, CallResult, CallType, MediaType, Region, RoomIdType

START = datetime(2025, 2, 19, 10, 17, 22, tzinfo=UTC)


def make_record(**fields: Any) -> CallRecord:
    """Return a call that was answered after 2 seconds and ended 5 seconds after it began."""
    return CallRecord(
        **{
            "call_id": "04c9a0ac-8e38-4a19-be45-349c5ce7911b",
            "caller": "147",
            "callees": ("147", "369"),
            "media_type": MediaType.AUDIO,
            "call_type": CallType.SINGLE_CALL,
            "call_result": CallResult.NORMAL_END,
            "start_time": START,
            "accept_time": START + timedelta(seconds=2),
            "end_time": START + timedelta(seconds=5),
            "room_id": "roomid-1434",
            "room_id_type": RoomIdType.STRING,
            **fields,
        }
    )


@pytest.mark.parametrize(
    ("accepted_after", "answered", "ring_time", "talk_time"),
    [
        pytest.param(2, True, 2, 3, id="answered"),
        pytest.param(0, True, 0, 5, id="answered at once"),
        pytest.param(5, True, 5, 0, id="hung up at once"),
        pytest.param(None, False, 5, 0, id="never answered"),
    ],
)
def test_a_record_derives_times(accepted_after: int | None, answered: bool, ring_time: int, talk_time: int) -> None:
    """Ringing ends when the call connects, or else when it ends; only a connected call has talk time."""
    accept_time = None if accepted_after is None else START + timedelta(seconds=accepted_after)
    record = make_record(accept_time=accept_time)
    assert (record.answered, record.ring_time, record.talk_time) == (
        answered,
        timedelta(seconds=ring_time),
        timedelta(seconds=talk_time),
    )


@pytest.mark.parametrize(
    ("fields", "ring_time", "talk_time"),
    [
        pytest.param({"end_time": None}, timedelta(seconds=2), None, id="answered, no end"),
        pytest.param({"accept_time": None, "end_time": None}, None, timedelta(), id="never answered, no end"),
        pytest.param({"accept_time": START - timedelta(1)}, None, timedelta(1, 5), id="answered before the start"),
        pytest.param({"end_time": START}, timedelta(seconds=2), None, id="ended before it was answered"),
        pytest.param({"extra": {"StartTime": 0}}, None, timedelta(seconds=3), id="no start"),
    ],
)
def test_a_duration_that_is_not_known_is_none(
    fields: dict[str, Any], ring_time: timedelta | None, talk_time: timedelta | None
) -> None:
    """No duration is made up where a time is not set, and none is negative."""
    record = make_record(**fields)
    assert (record.ring_time, record.talk_time) == (ring_time, talk_time)


def test_only_the_fields_that_the_service_may_leave_out_have_defaults() -> None:
    """Only fields that every answer has are required."""
    record = CallRecord(
        call_id="x", caller="1", media_type="Audio", call_type="", call_result=7, start_time=START, end_time=START
    )
    assert (record.callees, record.accept_time, record.room_id, record.room_id_type, record.extra) == (
        (),
        None,
        "",
        RoomIdType.NONE,
        {},
    )


PAGE = CallRecordPage(records=(make_record(),), page=1)


@pytest.mark.parametrize(
    ("value", "name"),
    [(make_record(), "caller"), (make_record(), "extra"), (PAGE, "records"), (PAGE, "total_num")],
    ids=["caller", "extra", "records", "total_num"],
)
def test_values_are_frozen(value: object, name: str) -> None:
    """No attribute of a record or of a page can be set."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, name, None)


@pytest.mark.parametrize("value", [make_record(), PAGE], ids=["record", "page"])
def test_values_are_slotted(value: object) -> None:
    """Records are many: none carries a dict of attributes."""
    assert not hasattr(value, "__dict__")


def test_a_record_with_extra_fields_is_hashable() -> None:
    """Records go into sets, even if extra holds values that cannot be hashed."""
    record = make_record(extra={"Tags": ["a", {"b": 1}]})
    assert {record} == {make_record(extra={"Tags": ["a", {"b": 1}]})}


def test_extra_fields_tell_records_apart() -> None:
    """Two records that differ in extra alone hash alike and are not equal."""
    one, other = make_record(extra={"Tags": []}), make_record(extra={"Tags": ["a"]})
    assert hash(one) == hash(other)
    assert one != other


def test_pages_are_hashable() -> None:
    """A page hashes like an equal one."""
    assert hash(PAGE) == hash(CallRecordPage(records=(make_record(),), page=1))


def test_a_page_says_nothing_that_the_service_did_not() -> None:
    """Without a total and a RequestId, a page has none."""
    assert (PAGE.total_num, PAGE.request_id) == (None, "")


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("china", "console.tim.qq.com"),
        ("singapore", "adminapisgp.im.qcloud.com"),
        ("seoul", "adminapikr.im.qcloud.com"),
        ("frankfurt", "adminapiger.im.qcloud.com"),
        ("silicon-valley", "adminapiusa.im.qcloud.com"),
        ("jakarta", "adminapiidn.im.qcloud.com"),
        ("tokyo", "adminapijpn.im.qcloud.com"),
    ],
)
def test_a_region_has_a_host(region: str, host: str) -> None:
    """Each region is served by the host that Tencent names."""
    assert Region(region).host == host


@pytest.mark.parametrize(
    ("enum", "base", "members"),
    [
        (MediaType, StrEnum, {"AUDIO": "Audio", "VIDEO": "Video"}),
        (CallType, StrEnum, {"SINGLE_CALL": "SingleCall", "MULTI_CALL": "MultiCall"}),
        (
            CallResult,
            StrEnum,
            {
                "CANCEL": "Cancel",
                "REJECT": "Reject",
                "NOT_ANSWER": "NotAnswer",
                "NORMAL_END": "NormalEnd",
                "CALL_BUSY": "CallBusy",
                "INTERRUPT": "Interrupt",
                "OFFLINE": "Offline",
            },
        ),
        (RoomIdType, IntEnum, {"NONE": 0, "NUMERIC": 1, "STRING": 2}),
        (
            Region,
            StrEnum,
            {
                "CHINA": "china",
                "SINGAPORE": "singapore",
                "SEOUL": "seoul",
                "FRANKFURT": "frankfurt",
                "SILICON_VALLEY": "silicon-valley",
                "JAKARTA": "jakarta",
                "TOKYO": "tokyo",
            },
        ),
    ],
)
def test_enums_have_the_values_of_the_wire(enum: type[Enum], base: type, members: dict[str, object]) -> None:
    """Each enum has Tencent's values, all of them and no other, and its members are plain text or numbers."""
    assert issubclass(enum, base)
    assert {member.name: member.value for member in enum} == members
