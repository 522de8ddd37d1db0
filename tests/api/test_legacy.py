"""The dialect of the older service: API.md's section about it, and both ways where that leaves a way open."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtc_records._api.current import CURRENT
from trtc_records._api.dialect import Dialect
from trtc_records._api.error_codes import CALL_CODES
from trtc_records._api.legacy import LEGACY
from trtc_records._api.models import CallRecord, CallResult, CallType, MediaType, Region, RoomIdType, Service
from trtc_records._api.protocol import (
    Response,
    check_has_webhooks,
    choose_dialect,
    complete_query,
    page_request,
    read_page,
    read_record,
    read_total,
    record_request,
)
from trtc_records._api.query import Query
from trtc_records._api.wire import record_from_json, record_to_json
from trtc_records._errors import (
    AccountError,
    APIError,
    AuthenticationError,
    CallRecordNotFoundError,
    ConfigurationError,
    InvalidRequestError,
    PermissionDeniedError,
    RateLimitError,
    ResponseDecodeError,
    ServerError,
)

NOW = 1_740_000_000
RAW: dict[str, Any] = {
    "callId": "04c9a0ac-8e38-4a19-be45-349c5ce7911b",
    "sdkAppId": 1400000000,
    "mediaType": "video",
    "roomId": "29482938",
    "startCallTs": 1739960242,
    "acceptTs": 1739960244,
    "endTs": 1739960245,
    "caller": "147",
    "totalUserNumber": 2,
    "callType": "single",
    "callResult": "normal_end",
    "callees": ["147", "369"],
}
RECORD = CallRecord(
    call_id="04c9a0ac-8e38-4a19-be45-349c5ce7911b",
    caller="147",
    callees=("147", "369"),
    media_type=MediaType.VIDEO,
    call_type=CallType.SINGLE_CALL,
    call_result=CallResult.NORMAL_END,
    start_time=datetime(2025, 2, 19, 10, 17, 22, tzinfo=UTC),
    accept_time=datetime(2025, 2, 19, 10, 17, 24, tzinfo=UTC),
    end_time=datetime(2025, 2, 19, 10, 17, 25, tzinfo=UTC),
    room_id="29482938",
    extra={"sdkAppId": 1400000000, "totalUserNumber": 2},
)
RESULTS = {
    "cancel": CallResult.CANCEL,
    "reject": CallResult.REJECT,
    "not_answer": CallResult.NOT_ANSWER,
    "normal_end": CallResult.NORMAL_END,
    "call_busy": CallResult.CALL_BUSY,
    "interrupt": CallResult.INTERRUPT,
    "offline": CallResult.OFFLINE,
}
CODES: dict[int, type[APIError]] = {
    50001: AccountError,
    70001: InvalidRequestError,
    70002: AuthenticationError,
    70003: AuthenticationError,
    70004: PermissionDeniedError,
    70005: RateLimitError,
    70009: InvalidRequestError,
}
QUERY = Query(start_time=NOW - 60, page_size=100)


def answer(data: object = None, *, code: object = 0, **fields: object) -> Response:
    """Return a whole answer of the older service."""
    envelope = {"errorCode": code, "errorMessage": "Success", "requestId": "id-1", "data": data, **fields}
    return Response(200, {}, json.dumps(envelope).encode())


def read(raw: dict[str, Any]) -> CallRecord:
    """Read one record of a page."""
    (record,) = read_page(answer({"callRecordList": [raw]}), 1, LEGACY).records
    return record


# -- The choice ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", [Service.LEGACY, "legacy", "LEGACY", " legacy\n"])
def test_a_service_is_a_member_or_its_name(service: str) -> None:
    """The service may be given as a member, or by name in any case."""
    assert choose_dialect(service) is LEGACY


@pytest.mark.parametrize("service", ["old", "", None, 1, b"legacy", True], ids=repr)
def test_another_service_is_refused(service: object) -> None:
    """The error names the argument, the value and the services."""
    with pytest.raises(ConfigurationError) as caught:
        choose_dialect(service)
    assert str(caught.value) == f"service={service!r}: pass one of current, legacy"


def test_hosts_are_one_for_china_and_one_for_the_rest() -> None:
    """Every region has a host, and all but China the same."""
    hosts = dict(LEGACY.hosts)
    assert hosts.pop(Region.CHINA) == "callkit.trtc.tencent-cloud.com"
    assert hosts == dict.fromkeys(set(Region) - {Region.CHINA}, "callkit-intl.trtc.tencent-cloud.com")


def test_it_has_no_webhooks() -> None:
    """A request about webhooks is refused with the argument's name; the current service has them."""
    check_has_webhooks(CURRENT)
    with pytest.raises(
        ConfigurationError, match=r"^service='legacy': webhooks are those of the current service; pass 'current'$"
    ):
        check_has_webhooks(LEGACY)


# -- Requests ---------------------------------------------------------------------------------------


def test_a_query_has_the_documented_fields() -> None:
    """A query goes to the documented path, in the documented names and words."""
    query = Query(start_time=1, end_time=2, call_result="NotAnswer", call_type="MultiCall", page_size=7)
    request = page_request(query, 3, LEGACY)
    assert request.path == "/v1/records/get_records_by_filter"
    assert json.loads(request.content) == {
        "startTimestamp": 1,
        "endTimestamp": 2,
        "callResult": "not_answer",
        "callType": "group",
        "numberPerPage": 7,
        "page": 3,
    }


@pytest.mark.parametrize(("word", "result"), RESULTS.items())
def test_each_result_is_asked_for_by_its_word(word: str, result: CallResult) -> None:
    """A filter by one of our members becomes the older word."""
    query = Query(start_time=1, call_result=result.value, page_size=1)
    assert page_request(query, 1, LEGACY).body["callResult"] == word


def test_a_value_of_no_enum_is_asked_for_as_it_is() -> None:
    """A text that is no member may be a word that Tencent added later."""
    query = Query(start_time=1, call_result="transferred", call_type="SingleCall", page_size=1)
    body = page_request(query, 1, LEGACY).body
    assert (body["callResult"], body["callType"]) == ("transferred", "single")


def test_a_query_always_has_a_start() -> None:
    """The start is required: by default it is 7 days before the service's time."""
    assert complete_query(Query(page_size=1), NOW + 0.9, LEGACY).start_time == NOW - 7 * 86_400
    assert complete_query(QUERY, NOW, LEGACY) == QUERY
    assert complete_query(Query(page_size=1), NOW, CURRENT).start_time is None


def test_a_lookup_has_the_documented_field() -> None:
    """A look-up goes to the path with the capital I."""
    request = record_request("c", LEGACY)
    assert (request.path, json.loads(request.content)) == ("/v1/records/get_record_by_callId", {"callId": "c"})


# -- Records ----------------------------------------------------------------------------------------


def test_a_record_is_read() -> None:
    """Every field has its attribute, or its place in extra."""
    assert read(RAW) == RECORD
    assert RECORD.room_id_type is RoomIdType.NONE


def test_a_record_can_be_written_in_the_usual_form() -> None:
    """A record that came from the older service has the form of the current one in files, and is read back the same."""
    assert record_from_json(record_to_json(read(RAW))) == RECORD


@pytest.mark.parametrize("spell", [str, str.upper, str.title, lambda word: word.title().replace("_", "")])
def test_each_word_is_read_in_any_case(spell: Any) -> None:
    """No page says that the case of words is certain: any spelling of a word is its member."""
    for word, result in RESULTS.items():
        assert read({**RAW, "callResult": spell(word)}).call_result is result
    kinds = [read({**RAW, "mediaType": spell(word)}).media_type for word in ("audio", "video")]
    assert kinds == [MediaType.AUDIO, MediaType.VIDEO]
    types = [read({**RAW, "callType": spell(word)}).call_type for word in ("single", "group")]
    assert types == [CallType.SINGLE_CALL, CallType.MULTI_CALL]


def test_a_word_of_no_page_stays_a_text() -> None:
    """A value that this version does not know is kept as it came, and fails nothing."""
    record = read({**RAW, "mediaType": "screen", "callType": "live_Room", "callResult": "transferred"})
    assert (record.media_type, record.call_type, record.call_result) == ("screen", "live_Room", "transferred")
    assert read({**RAW, "callResult": 7}).call_result == 7


@pytest.mark.parametrize("change", [{"acceptTs": 0}, {"acceptTs": None}, {"acceptTs": "0"}, {}])
def test_a_call_that_was_never_answered_has_no_accept_time(change: dict[str, Any]) -> None:
    """Zero, null, the text of zero, and no field at all mean the same."""
    raw = {name: value for name, value in RAW.items() if name != "acceptTs"}
    assert read({**raw, **change}).accept_time is None


@pytest.mark.parametrize(
    ("callees", "expected"),
    [
        (["147", "369"], ("147", "369")),
        ([147], ("147",)),
        ("147", ("147",)),
        ("147, 369,", ("147", "369")),
        ("", ()),
        ([], ()),
        (None, ()),
        ({}, ()),
    ],
    ids=repr,
)
def test_members_are_a_list_or_a_text(callees: object, expected: tuple[str, ...]) -> None:
    """A list of ids, and a text of them, are the same members."""
    assert read({**RAW, "callees": callees}).callees == expected


def test_fields_may_be_left_out() -> None:
    """A record needs no members, room or end."""
    raw = {name: value for name, value in RAW.items() if name not in {"callees", "roomId", "endTs"}}
    record = read(raw)
    assert (record.callees, record.room_id, record.end_time) == ((), "", None)


def test_a_start_that_is_not_set_is_kept_in_extra() -> None:
    """Another time takes its place, and the ringing time is unknown, as with the current service."""
    record = read({**RAW, "startCallTs": 0})
    assert (record.start_time, record.extra["StartTime"], record.ring_time) == (RECORD.accept_time, 0, None)


@pytest.mark.parametrize(
    ("change", "path", "reason"),
    [
        ({"startCallTs": "soon"}, "startCallTs", "expected an integer"),
        ({"startCallTs": NOW * 1000}, "startCallTs", "milliseconds"),
        ({"callees": ["1", None]}, "callees[1]", "expected a string"),
        ({"callees": 5}, "callees", "expected an array"),
        ({"mediaType": None}, "mediaType", "expected a string"),
        ({"callId": None}, "callId", "expected a string"),
    ],
)
def test_a_bad_value_is_named_by_its_path(change: dict[str, Any], path: str, reason: str) -> None:
    """An error has the path in the older service's names."""
    with pytest.raises(ResponseDecodeError, match=reason) as caught:
        read({**RAW, **change})
    assert caught.value.path == f"$.data.callRecordList[0].{path}"


def test_a_missing_field_is_named_by_its_path() -> None:
    """A record of the current service is none of the older one's."""
    with pytest.raises(ResponseDecodeError) as caught:
        read(record_to_json(RECORD))
    assert str(caught.value) == "$.data.callRecordList[0].callId: is missing (RequestId id-1)"


# -- Answers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, "0", 0.0, " 0 "])
def test_a_page_is_read_whatever_the_type_of_the_code(code: object) -> None:
    """The code 0 is a success as a number and as a text."""
    page = read_page(answer({"totalNum": 141, "page": 2, "callRecordList": [RAW]}, code=code), 2, LEGACY)
    assert (page.records, page.page, page.total_num, page.request_id) == ((RECORD,), 2, 141, "id-1")


@pytest.mark.parametrize(
    "end",
    [
        answer({"totalNum": 141, "page": 0, "callRecordList": []}),
        answer({"page": 7, "callRecordList": []}),
        answer({"callRecordList": {}}),
        answer({"totalNum": None, "page": None, "callRecordList": None}),
        answer({}),
        answer([]),
        answer(None),
        answer(code=101050),
        answer(code="101050"),
    ],
)
def test_every_end_is_an_empty_page(end: Response) -> None:
    """Whatever the service says at the end, no records are left."""
    assert read_page(end, 7, LEGACY).size == 0


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize(("code", "error"), CODES.items())
def test_a_code_becomes_an_error(code: int, error: type[APIError], text: bool) -> None:
    """Each code of Tencent's table is this class, as a number and as a text, with a hint."""
    with pytest.raises(APIError) as caught:
        read_page(answer(code=str(code) if text else code, errorMessage="why"), 1, LEGACY)
    assert type(caught.value) is error
    assert (caught.value.code, caught.value.info, caught.value.request_id) == (code, "why", "id-1")
    assert caught.value.hint


def test_the_table_is_tencents() -> None:
    """The library knows these codes, and the current service's for no record."""
    assert set(LEGACY.errors.rows) == {*CODES, 101050}


@given(st.integers().filter(lambda code: code not in {0, *LEGACY.errors.rows}))
def test_any_other_code_is_an_internal_error(code: int) -> None:
    """A code of no page is an internal error, which is retried."""
    error = LEGACY.errors.make_error(code)
    assert (type(error), error.retryable) == (ServerError, True)


def test_the_codes_of_the_services_collide() -> None:
    """The same number has another meaning there: the limit of the rate here is a malformed UserSig there."""
    pairs = {code: (type(LEGACY.errors.make_error(code)), type(CALL_CODES.make_error(code))) for code in CODES}
    assert pairs[70005] == (RateLimitError, AuthenticationError)
    assert pairs[70001] == (InvalidRequestError, AuthenticationError)
    assert (LEGACY.errors.renewal, LEGACY.errors.check_failed) == ({70003}, frozenset())


def test_a_page_size_that_is_refused_is_named() -> None:
    """The hint says to lower page_size."""
    assert "page_size" in LEGACY.errors.make_error(70001, "numberPerPage is out of range").hint
    assert "page_size" not in LEGACY.errors.make_error(70001, "page is out of range").hint


@pytest.mark.parametrize("data", [{"record": RAW}, RAW], ids=["in the data", "the data"])
def test_a_record_is_looked_up(data: dict[str, Any]) -> None:
    """A look-up gives the record that was asked for, be it in the data or the data itself: Tencent's samples differ."""
    assert read_record(answer(data), RAW["callId"].upper(), LEGACY) == RECORD


def test_a_bare_record_is_named_by_its_path() -> None:
    """A bad value of a record that is the data itself has the path of that."""
    with pytest.raises(ResponseDecodeError) as caught:
        read_record(answer({**RAW, "acceptTs": "soon"}), RAW["callId"], LEGACY)
    assert caught.value.path == "$.data.acceptTs"
    with pytest.raises(ResponseDecodeError, match=r"^\$\.data\.callId: expected 'c'"):
        read_record(answer(RAW), "c", LEGACY)


def test_a_request_id_may_be_a_number() -> None:
    """The id of a request is an integer in Tencent's table, and a text in every sample."""
    assert read_page(answer({}, requestId=7), 1, LEGACY).request_id == "7"


def test_a_record_of_the_current_service_is_never_bare() -> None:
    """What only the older service's samples show is not read into the current service's answers."""
    raw = record_to_json(RECORD)
    response = Response(200, {}, json.dumps({"ErrorCode": 0, "Response": raw}).encode())
    with pytest.raises(CallRecordNotFoundError):
        read_record(response, RECORD.call_id)


@pytest.mark.parametrize("data", [None, [], {}, {"record": None}, {"record": {}}, {"record": []}], ids=repr)
def test_no_record_is_not_found(data: object) -> None:
    """An answer without a record says that there is none."""
    with pytest.raises(CallRecordNotFoundError, match="service="):
        read_record(answer(data), "c", LEGACY)


def test_another_record_is_an_error() -> None:
    """A record that was not asked for answers another request."""
    with pytest.raises(ResponseDecodeError, match=r"^\$\.data\.record\.callId: expected 'c'") as caught:
        read_record(answer({"record": RAW}), "c", LEGACY)
    assert caught.value.retryable


def test_a_count_needs_a_total() -> None:
    """A first page with records, and without a total, cannot be counted."""
    page = read_page(answer({"callRecordList": [RAW]}), 1, LEGACY)
    with pytest.raises(ResponseDecodeError, match=r"^\$\.data\.totalNum: is missing"):
        read_total(page, LEGACY)


@pytest.mark.parametrize(
    ("response", "path"),
    [
        (answer(code=None), "$.errorCode"),
        (answer(code="none"), "$.errorCode"),
        (answer("text"), "$.data"),
        (answer({"callRecordList": 1}), "$.data.callRecordList"),
        (answer({"page": "x"}), "$.data.page"),
        (answer({"totalNum": -1}), "$.data.totalNum"),
        (Response(200, {}, b'{"ErrorCode": 0, "Response": {}}'), "$.ErrorCode"),
    ],
)
def test_an_answer_that_breaks_the_contract_is_named_by_its_path(response: Response, path: str) -> None:
    """An answer of another shape, or of the current service, is an error with its path."""
    with pytest.raises(ResponseDecodeError) as caught:
        read_page(response, 1, LEGACY)
    assert caught.value.path == path


@pytest.mark.parametrize(("dialect", "other"), [(CURRENT, LEGACY), (LEGACY, CURRENT)], ids=["current", "legacy"])
def test_an_answer_of_the_other_service_points_to_the_host(dialect: Dialect, other: Dialect) -> None:
    """A base_url that leads to the other service's host is named as the cause, with the code that this answered."""
    response = Response(200, {}, json.dumps({other.code: 60009, other.request_id: "Id-7"}).encode())
    message = r"check service= and base_url, got 60009 \(RequestId Id-7\)$"
    for read_answer in (lambda: read_page(response, 1, dialect), lambda: read_record(response, "c", dialect)):
        with pytest.raises(ResponseDecodeError, match=message) as caught:
            read_answer()
        assert caught.value.path == f"$.{other.code}"


def test_a_null_code_is_not_the_other_services() -> None:
    """An answer with a code that is null has the path of its own code, as one without any has."""
    for envelope in ({"errorCode": None}, {}):
        with pytest.raises(ResponseDecodeError, match=r"^\$\.errorCode: is missing$"):
            read_page(Response(200, {}, json.dumps(envelope).encode()), 1, LEGACY)
