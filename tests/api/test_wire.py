"""Records from and to Tencent's JSON: nothing is lost, and errors name the bad value."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from cattrs import ClassValidationError
from hypothesis import given
from hypothesis import strategies as st
from records import RAW_RECORDS, RECORDS, raw_record

from trtc_records._api.models import CallRecord, CallResult, CallType, MediaType, RoomIdType
from trtc_records._api.wire import RECORD_FORM, RecordForm, read_integer, record_from_json, record_to_json
from trtc_records._errors import ResponseDecodeError

RAW, RECORD = RAW_RECORDS[0], RECORDS[0]

OPTIONAL = ("AcceptTime", "CalleeList_Account", "EndTime", "RoomId", "RoomIdType")
TIMES_OF_A_CALL = ("StartTime", "AcceptTime", "EndTime")
REQUIRED = tuple(name for name in RAW if name not in OPTIONAL)


def without(*names: str) -> dict[str, Any]:
    """Return the sample record without some of its fields."""
    return {name: value for name, value in RAW.items() if name not in names}


# -- Valid records -----------------------------------------------------------------------------------


def test_the_sample_record_is_read() -> None:
    """Tencent's sample becomes exactly this record."""
    assert record_from_json(RAW) == RECORD


def test_the_sample_record_is_written() -> None:
    """The record becomes exactly Tencent's sample."""
    assert record_to_json(RECORD) == RAW


def test_known_values_are_read_as_enums() -> None:
    """A value that this version knows is a member, not a text that equals one."""
    record = record_from_json(RAW)
    values = (record.media_type, record.call_type, record.call_result, record.room_id_type)
    assert [type(value) for value in values] == [MediaType, CallType, CallResult, RoomIdType]


@pytest.mark.parametrize("name", ["start_time", "accept_time", "end_time"])
def test_times_are_in_utc(name: str) -> None:
    """Each time of a record is an aware datetime in UTC."""
    assert getattr(record_from_json(RAW), name).tzinfo is UTC


@pytest.mark.parametrize(
    "raw",
    [{**RAW, "AcceptTime": 0}, {**RAW, "AcceptTime": None}, {**RAW, "AcceptTime": "0"}, without("AcceptTime")],
    ids=["0", "null", "text 0", "absent"],
)
def test_a_call_that_was_never_answered_has_no_accept_time(raw: dict[str, Any]) -> None:
    """The service may say in any of these ways that a call was never answered."""
    assert record_from_json(raw).accept_time is None


@pytest.mark.parametrize(
    "value", [0, None, 0.0, "00", " 0 ", "+0", -1, "-1", -(10**400)], ids=lambda each: repr(each)[:9]
)
@pytest.mark.parametrize("name", ["AcceptTime", "EndTime"])
def test_a_time_that_is_not_set_is_none(name: str, value: object) -> None:
    """Zero is zero however it is written; no call was answered, or ended, before 1970."""
    attribute = {"AcceptTime": "accept_time", "EndTime": "end_time"}[name]
    assert getattr(record_from_json({**RAW, name: value}), attribute) is None


@pytest.mark.parametrize("raw", [{**RAW, "StartTime": 0}, {**RAW, "StartTime": None}, without("StartTime")])
def test_another_time_takes_the_place_of_a_start_that_is_not_set(raw: dict[str, Any]) -> None:
    """No call began in 1970: the record stays usable, and keeps the service's own StartTime."""
    record = record_from_json(raw)
    assert record == attrs.evolve(RECORD, start_time=RECORD.accept_time, extra={"StartTime": raw.get("StartTime")})
    assert record_to_json(record)["StartTime"] == raw.get("StartTime")


def test_the_end_takes_the_place_of_a_start_where_no_call_was_answered() -> None:
    """The earliest time that is set is the nearest to the start."""
    assert record_from_json({**RAW, "StartTime": 0, "AcceptTime": 0}).start_time == RECORD.end_time


def test_a_record_without_any_time_is_refused() -> None:
    """Without a time, a call has no place in a window."""
    with pytest.raises(ResponseDecodeError, match=r"^\$\.StartTime: is not set, got 0$"):
        record_from_json({**RAW, "StartTime": 0, "AcceptTime": None, "EndTime": -1})


@pytest.mark.parametrize("kind", [list, dict])
def test_an_unknown_field_that_is_nested_too_deeply_is_named(kind: type) -> None:
    """Code that follows the levels by calls would fail on it with a RecursionError, anywhere."""
    deep: object = 1
    for _ in range(970):
        deep = [deep] if kind is list else {"": deep}
    with pytest.raises(ResponseDecodeError, match=r"^\$\.New: nested more than 100 levels deep"):
        record_from_json({**RAW, "New": deep})


def test_an_unknown_field_may_be_nested() -> None:
    """A hundred levels are read."""
    deep: object = 1
    for _ in range(100):
        deep = [0, deep]
    assert record_from_json({**RAW, "New": deep}).extra == {"New": deep}


@pytest.mark.parametrize("names", [(), ("AcceptTime",), OPTIONAL], ids=["all", "one left out", "five left out"])
@pytest.mark.parametrize("extra", [{}, {"New": 1}, {"New": [1], "Other": None}], ids=["none", "one", "two"])
def test_records_are_read_in_one_go_whatever_their_fields(
    monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], extra: dict[str, Any]
) -> None:
    """A field that is unknown or left out does not cost a second reading of each record."""
    monkeypatch.setattr(RecordForm, "read", None)
    raws = [{**without(*names), **extra}, RAW]
    records, _ = RECORD_FORM.read_all(raws, "$", "", keep_invalid=False)
    monkeypatch.undo()
    assert records == tuple(map(record_from_json, raws))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, RoomIdType.NONE),
        (1, RoomIdType.NUMERIC),
        (2, RoomIdType.STRING),
        ("2", RoomIdType.STRING),
        (" 1 ", RoomIdType.NUMERIC),
        (2.0, RoomIdType.STRING),
        (None, RoomIdType.NONE),
        (7, 7),
        ("7", 7),
        ("Conference", "Conference"),
        ("", ""),
    ],
)
def test_room_id_type_is_read_as_sampled_and_as_documented(value: object, expected: RoomIdType | int | str) -> None:
    """Tencent documents a string and shows an integer; either is read, and unknown values stay plain."""
    room_id_type = record_from_json({**RAW, "RoomIdType": value}).room_id_type
    assert (room_id_type, type(room_id_type)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("name", "attribute", "value"),
    [
        ("MediaType", "media_type", "Hologram"),
        ("CallType", "call_type", "Broadcast"),
        ("CallResult", "call_result", "Transferred"),
        ("CallResult", "call_result", 3),
    ],
)
def test_a_value_that_tencent_added_later_stays_plain(name: str, attribute: str, value: object) -> None:
    """A value that this version does not know neither fails nor changes."""
    read = getattr(record_from_json({**RAW, name: value}), attribute)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "attribute", "value", "expected"),
    [
        ("CallId", "call_id", 1434, "1434"),
        ("Caller_Account", "caller", 147, "147"),
        ("CalleeList_Account", "callees", [147, "369"], ("147", "369")),
        ("CalleeList_Account", "callees", [], ()),
        ("CalleeList_Account", "callees", None, ()),
        ("CalleeList_Account", "callees", {}, ()),
        ("RoomId", "room_id", 1434, "1434"),
        ("RoomId", "room_id", "", ""),
        ("RoomId", "room_id", None, ""),
        ("StartTime", "start_time", "1739960242", RECORD.start_time),
        ("EndTime", "end_time", 1739960245.0, RECORD.end_time),
        ("AcceptTime", "accept_time", "1739960244", RECORD.accept_time),
        ("EndTime", "end_time", 253402300799, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_ids_and_numbers_are_read_from_either_type(name: str, attribute: str, value: object, expected: object) -> None:
    """Ids made of digits may arrive as numbers, and numbers as texts."""
    assert getattr(record_from_json({**RAW, name: value}), attribute) == expected


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_field_that_may_be_absent_is_read_as_null_is(name: str) -> None:
    """Absent and null say the same."""
    assert record_from_json(without(name)) == record_from_json({**RAW, name: None})


def test_a_known_record_has_nothing_extra() -> None:
    """A known field is not repeated in extra."""
    assert record_from_json(RAW).extra == {}


def test_unknown_fields_survive() -> None:
    """Fields that this version does not know are kept as they are, and written back."""
    unknown = {"Duration": 3, "extra": {"x": [None]}, "call_id": "not the CallId", "": False}
    raw = {**RAW, **unknown}
    record = record_from_json(raw)
    assert record.extra == unknown
    assert record_to_json(record) == raw


def test_unknown_fields_of_a_page_keep_the_order_of_the_service() -> None:
    """That of each record, though others have another one; it is no accident of this process."""
    extras: list[dict[str, Any]] = [
        {"Zone": 1},
        {"Zone": 1, "Ring": 2, "Ages": 3},
        {},
        {"Ages": {"a": []}, "Zone": 1},
    ]
    records, _ = RECORD_FORM.read_all(
        [raw_record(number, **extra) for number, extra in enumerate(extras)], "$", "", keep_invalid=False
    )
    assert [list(record.extra.items()) for record in records] == [list(extra.items()) for extra in extras]
    assert records[0].extra is not records[2].extra


def test_the_answer_is_not_shared_with_the_record() -> None:
    """Reading takes nothing out of the raw record."""
    raw = {**RAW, "Duration": 3}
    record_from_json(raw)
    assert raw == {**RAW, "Duration": 3}


# -- There and back ----------------------------------------------------------------------------------

TEXTS = st.text(max_size=20)
TIMES = st.integers(1, 253_402_300_799)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)
UNKNOWN_NAMES = TEXTS.filter(lambda name: name not in RAW)


def is_no_number(text: str) -> bool:
    """Return whether *text* stays a text where a number is expected."""
    return not text.strip().lstrip("+-").isdecimal()


def one_of_or_unknown(enum: type[MediaType | CallType | CallResult]) -> st.SearchStrategy[Any]:
    """Return members of *enum*, and texts that are none."""
    return st.sampled_from(enum) | TEXTS.filter(lambda text: text not in {member.value for member in enum})


RECORDS = st.builds(
    CallRecord,
    call_id=TEXTS,
    caller=TEXTS,
    callees=st.lists(TEXTS, max_size=4).map(tuple),
    media_type=one_of_or_unknown(MediaType),
    call_type=one_of_or_unknown(CallType),
    call_result=one_of_or_unknown(CallResult) | st.integers(),
    start_time=TIMES.map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    accept_time=st.none() | TIMES.filter(bool).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    end_time=st.none() | TIMES.map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    room_id=TEXTS,
    room_id_type=st.sampled_from(RoomIdType) | st.integers() | TEXTS.filter(is_no_number),
    extra=st.dictionaries(UNKNOWN_NAMES, VALUES, max_size=4),
)
CANONICAL = st.builds(
    lambda known, extra: {**known, **extra},
    st.fixed_dictionaries(
        {
            "CallId": TEXTS,
            "Caller_Account": TEXTS,
            "MediaType": st.sampled_from(["Audio", "Video"]) | TEXTS,
            "CallType": st.sampled_from(["SingleCall", "MultiCall"]) | TEXTS,
            "StartTime": TIMES,
            "EndTime": st.just(0) | TIMES,
            "AcceptTime": st.just(0) | TIMES,
            "CallResult": st.sampled_from(["NormalEnd", "Cancel"]) | TEXTS | st.integers(),
            "CalleeList_Account": st.lists(TEXTS, max_size=4),
            "RoomId": TEXTS,
            "RoomIdType": st.integers(0, 2) | st.integers() | TEXTS.filter(is_no_number),
        }
    ),
    st.dictionaries(UNKNOWN_NAMES, VALUES, max_size=4),
)


@given(RECORDS)
def test_a_record_survives_the_way_to_json_and_back(record: CallRecord) -> None:
    """The JSON of any record holds all of its values."""
    assert record_from_json(json.loads(json.dumps(record_to_json(record)))) == record


@given(CANONICAL)
def test_json_survives_the_way_to_a_record_and_back(raw: dict[str, Any]) -> None:
    """JSON in the service's usual types comes out unchanged."""
    assert record_to_json(record_from_json(raw)) == raw


@given(RECORDS)
def test_written_json_holds_plain_types_only(record: CallRecord) -> None:
    """The result for a JSON encoder has no enum, tuple or datetime."""
    raw = record_to_json(record)
    assert {type(raw[name]) for name in RAW} <= {str, int, list}


@given(
    st.datetimes(
        # Floats of later timestamps have no precise microseconds.
        min_value=datetime(1970, 1, 2),  # noqa: DTZ001 - Hypothesis adds the time zone
        max_value=datetime(2200, 1, 1),  # noqa: DTZ001
        timezones=st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    )
)
def test_a_time_is_written_to_the_second_whatever_its_zone(start_time: datetime) -> None:
    """Times of any zone, as in a record made by hand, are written as the same instant."""
    written = datetime.fromtimestamp(record_to_json(attrs.evolve(RECORD, start_time=start_time))["StartTime"], UTC)
    assert timedelta() <= start_time - written < timedelta(seconds=1)


def test_a_time_of_another_class_is_written() -> None:
    """A record made by hand may hold pendulum's times."""
    pendulum = pytest.importorskip("pendulum", reason="pendulum comes with dlt")
    record = attrs.evolve(RECORD, end_time=pendulum.instance(RECORD.end_time).in_timezone("Asia/Tokyo"))
    assert record_to_json(record) == RAW


# -- Invalid records ---------------------------------------------------------------------------------

STRING, INTEGER, ARRAY = "expected a string", "expected an integer", "expected an array"
OUT_OF_RANGE = "expected Unix seconds within the years 1970 to 9999; are these milliseconds?"


def each(names: tuple[str, ...], reason: str, *values: object) -> list[tuple[str, object, str]]:
    """Return a row for each of the fields with each of the values."""
    return [(name, value, reason) for name in names for value in values]


WRONG = [
    *each(("CallId", "Caller_Account"), STRING, None, True, 1.5, [], {}),
    *each(("CalleeList_Account",), ARRAY, "147", 5, False, 1.5, {"0": "147"}),
    *each(("RoomId",), STRING, True, 1.5, [], {}),
    *each(("MediaType", "CallType"), STRING, None, 1, False, 1.5, [], {}),
    *each(("CallResult",), "expected a string or an integer", None, True, 1.5, [], {}),
    *each(("RoomIdType",), INTEGER, True, 1.5, [], {}),
    *each(("StartTime", "EndTime"), INTEGER, "", "soon", "1e9", "\N{FULLWIDTH DIGIT ONE}", "1_000", "9" * 21),
    *each(("StartTime", "EndTime"), INTEGER, 1.5, True, float("inf"), float("nan"), [], {}),
    *each(("AcceptTime",), INTEGER, "", "soon", 1.5, False, True, [], {}),
]


@pytest.mark.parametrize(("name", "value", "reason"), WRONG)
def test_a_field_of_the_wrong_type_is_named(name: str, value: object, reason: str) -> None:
    """The error has the path, the value, the expected type, and the RequestId."""
    with pytest.raises(ResponseDecodeError) as caught:
        record_from_json({**RAW, name: value}, path="$.Response.CallRecordList[3]", request_id="Id-1")
    error = caught.value
    assert (error.path, error.reason, error.request_id) == (
        f"$.Response.CallRecordList[3].{name}",
        reason,
        "Id-1",
    )
    assert error.value is value


@pytest.mark.parametrize("value", [None, True, 1.5, ["369"], {}], ids=repr)
def test_a_callee_of_the_wrong_type_is_named_with_its_index(value: object) -> None:
    """The path leads to the member of the list, not to the list."""
    with pytest.raises(ResponseDecodeError) as caught:
        record_from_json({**RAW, "CalleeList_Account": ["147", "369", value]}, request_id="Id-1")
    assert (caught.value.path, caught.value.value, caught.value.reason, caught.value.request_id) == (
        "$.CalleeList_Account[2]",
        value,
        STRING,
        "Id-1",
    )


@pytest.mark.parametrize("name", TIMES_OF_A_CALL)
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(1739960242000, id="milliseconds"),
        pytest.param(253402300800, id="year 10000"),
        pytest.param(10**30, id="no time_t"),
        pytest.param(10**400, id="no float"),
        pytest.param("99999999999999999999", id="text"),
        pytest.param(1e300, id="float"),
    ],
)
def test_a_time_outside_the_calendar_is_named(name: str, value: object) -> None:
    """A time that no datetime can hold, milliseconds for example, is refused by its path and in our words."""
    with pytest.raises(ResponseDecodeError) as caught:
        record_from_json({**RAW, name: value})
    assert (caught.value.path, caught.value.reason, caught.value.value) == (f"$.{name}", OUT_OF_RANGE, value)


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_field_is_named(name: str) -> None:
    """A field that every record has is missed by its name."""
    with pytest.raises(ResponseDecodeError) as caught:
        record_from_json(without(name, *OPTIONAL), path="$.Response.CallRecord", request_id="Id-1")
    assert (caught.value.path, caught.value.reason, caught.value.value, caught.value.request_id) == (
        f"$.Response.CallRecord.{name}",
        "is missing",
        None,
        "Id-1",
    )


@pytest.mark.parametrize("raw", [None, [], "record", 5, True], ids=repr)
def test_only_an_object_is_a_record(raw: object) -> None:
    """The path is that of the record itself."""
    with pytest.raises(ResponseDecodeError) as caught:
        record_from_json(raw, path="$.Response.CallRecordList[0]", request_id="Id-1")
    assert (caught.value.path, caught.value.reason, caught.value.value, caught.value.request_id) == (
        "$.Response.CallRecordList[0]",
        "expected an object",
        raw,
        "Id-1",
    )


def test_the_cause_stays_inside() -> None:
    """An error about a record comes without the converter's own errors behind it."""
    with pytest.raises(ResponseDecodeError) as caught:
        record_from_json({**RAW, "StartTime": "soon"})
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def _fail_without_a_field(raw: object, _: object) -> CallRecord:
    raise ClassValidationError("no field is to blame", [ValueError("nobody")], CallRecord)


def _succeed(raw: object, _: object) -> CallRecord:
    return RECORD


@pytest.mark.parametrize("detailed", [_fail_without_a_field, _succeed], ids=["blames no field", "finds nothing wrong"])
def test_a_failure_of_no_field_is_still_a_decode_error(
    monkeypatch: pytest.MonkeyPatch, detailed: Callable[[object, object], CallRecord]
) -> None:
    """Where the second, detailed reading cannot say which field failed the first, the record as a whole is named."""
    monkeypatch.setattr(RECORD_FORM, "_structure", _fail_without_a_field)
    monkeypatch.setattr(RECORD_FORM, "_structure_detailed", detailed)
    with pytest.raises(ResponseDecodeError, match=r"^\$: cannot be read as a call record, got \{'CallId'"):
        record_from_json(RAW)


# -- Arbitrary JSON ----------------------------------------------------------------------------------

ANYTHING = st.recursive(
    SCALARS | st.floats() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXTS | st.sampled_from(sorted(RAW)), inner, max_size=6)
    ),
    max_leaves=20,
)


def outcome(raw: object, path: str = "$") -> CallRecord | str:
    """Return the record, or the message of the one error that reading may raise."""
    try:
        return record_from_json(raw, path=path)
    except ResponseDecodeError as error:
        return str(error)


@given(ANYTHING)
def test_arbitrary_json_is_a_record_or_a_decode_error(raw: object) -> None:
    """Arbitrary JSON is a record or a decode error."""
    assert isinstance(outcome(raw), CallRecord | str)


@given(st.dictionaries(st.sampled_from(sorted(RAW)), ANYTHING, min_size=1), st.sets(st.sampled_from(sorted(RAW))))
def test_a_record_with_arbitrary_fields_is_a_record_or_a_decode_error(
    replaced: dict[str, Any], dropped: set[str]
) -> None:
    """A record that is right but for some fields is read, or refused by a path into it."""
    result = outcome({**without(*dropped), **replaced})
    assert isinstance(result, CallRecord) or result.startswith("$.")


def assert_a_page_is_read_as_its_records_are(raws: list[Any]) -> None:
    """Check that records read together are those, and the errors are those, of records read alone."""
    alone = [outcome(raw, f"$[{index}]") for index, raw in enumerate(raws)]
    records, invalid = RECORD_FORM.read_all(raws, "$", "", keep_invalid=True)
    # As text, in which 1 and True are not the same.
    assert list(map(repr, records)) == [repr(each) for each in alone if isinstance(each, CallRecord)]
    assert [str(each.error) for each in invalid] == [each for each in alone if isinstance(each, str)]
    assert [hash(each) for each in records] == [hash(each) for each in alone if isinstance(each, CallRecord)]


UNCOMMON: list[Any] = [
    None, True, False, 0, 1, -1, 2, 7, 10**15, 10**400, 253_402_300_799, 253_402_300_800, 0.0, 1.0, 1.5, float("nan"),
    "", "1", " 2 ", "NormalEnd", "Audio", "New", "\ud800", [], {}, ["1"], [1], [None], [["1"]], {"a": 1}, [True],
]  # fmt: skip


@pytest.mark.parametrize("name", [*RAW, "New"])
@pytest.mark.parametrize("value", UNCOMMON, ids=repr)
def test_a_page_with_an_uncommon_value_is_read_as_its_records_are(name: str, value: Any) -> None:
    """Each field, with values of every type, among records without any."""
    assert_a_page_is_read_as_its_records_are([RAW_RECORDS[0], {**RAW_RECORDS[1], name: value}, RAW_RECORDS[1]])
    assert_a_page_is_read_as_its_records_are([{**RAW, name: value}, without(name)])


@given(
    st.lists(
        st.builds(
            lambda replaced, dropped: {**without(*dropped), **replaced},
            st.dictionaries(st.sampled_from([*sorted(RAW), "New"]), ANYTHING | st.sampled_from(UNCOMMON), max_size=3),
            st.sets(st.sampled_from(OPTIONAL)),
        )
        | CANONICAL
        | ANYTHING,
        max_size=5,
    )
)
def test_any_page_is_read_as_its_records_are(raws: list[Any]) -> None:
    """Records that are read together do not differ from those read alone, nor do their errors."""
    assert_a_page_is_read_as_its_records_are(raws)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, 0), (-5, -5), (10**30, 10**30), ("12", 12), (" -3 ", -3), ("+4", 4), ("007", 7), (3.0, 3), (-0.0, 0)],
)
def test_integers_are_read_from_numbers_and_texts(value: object, expected: int) -> None:
    """A whole number is read however it is written, and comes out as an int."""
    number = read_integer(value)
    assert (number, type(number)) == (expected, int)


def integer_or_message(value: object) -> object:
    """Return the integer, or the message of the one error that reading it may raise."""
    try:
        return read_integer(value)
    except ValueError as error:
        return str(error)


@given(ANYTHING)
def test_read_integer_gives_an_int_or_a_value_error(value: object) -> None:
    """Any value but a whole number is refused by a ValueError with the same message."""
    result = integer_or_message(value)
    assert type(result) is int or result == INTEGER
