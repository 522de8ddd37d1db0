"""The API without I/O: requests, and the result of each response."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import RAW_RECORDS, RECORDS, REQUEST_ID, SAMPLE

from trtc_records._api.models import CallRecord, CallRecordPage, CallType
from trtc_records._api.protocol import (
    Query,
    Request,
    Response,
    build_target,
    page_request,
    read_page,
    read_record,
    read_retry_after,
    record_request,
)
from trtc_records._errors import (
    AccountError,
    APIError,
    AuthenticationError,
    CallRecordNotFoundError,
    CallRecordsError,
    InvalidRequestError,
    RateLimitError,
    ResponseDecodeError,
    ServerError,
    TransportError,
)


def answer(value: object, *, status: int = 200, **headers: str) -> Response:
    """Return an HTTP answer whose body is *value* as JSON."""
    headers = {name.replace("_", "-"): text for name, text in headers.items()}
    return Response(status, headers, json.dumps(value).encode())


def envelope(response: object = None, **fields: object) -> dict[str, object]:
    """Return a whole answer of the API."""
    return {
        "ErrorCode": 0,
        "ErrorInfo": "",
        "ActionStatus": "OK",
        "RequestId": "Id-1",
        "Response": response,
        **fields,
    }


def page_of(**response: object) -> CallRecordPage:
    """Read page 5, for which the service answers *response*."""
    return read_page(answer(envelope(response)), 5)


# -- Requests ---------------------------------------------------------------------------------------


def test_the_sample_request_is_made() -> None:
    """Tencent's sample query becomes exactly Tencent's sample body, and goes to the documented path."""
    query = Query(start_time=0, end_time=1740531683, call_result="NormalEnd", call_type="SingleCall", page_size=2)
    request = page_request(query, 2)
    assert request.path == "/v4/call_record_http_srv/get_record_by_filter"
    assert json.loads(request.content) == {
        "StartTime": 0,
        "EndTime": 1740531683,
        "CallResult": "NormalEnd",
        "CallType": "SingleCall",
        "NumberPerPage": 2,
        "Page": 2,
    }


@pytest.mark.parametrize(
    ("query", "body"),
    [
        (Query(page_size=100), {}),
        (Query(start_time=0, page_size=100), {"StartTime": 0}),
        (Query(end_time=5, page_size=100), {"EndTime": 5}),
        (Query(call_result="Reject", page_size=100), {"CallResult": "Reject"}),
        (Query(call_type=CallType.MULTI_CALL, page_size=100), {"CallType": "MultiCall"}),
    ],
)
def test_a_condition_that_is_not_set_is_not_sent(query: Query, body: dict[str, object]) -> None:
    """Only conditions of the query go into the body; a start at 0 is a start."""
    assert json.loads(page_request(query, 1).content) == {**body, "NumberPerPage": 100, "Page": 1}


def test_a_lookup_sends_the_call_id() -> None:
    """The lookup goes to the documented path with the documented body."""
    request = record_request("04c9a0ac-8e38-4a19-be45-349c5ce7911b")
    assert request.path == "/v4/call_record_http_srv/get_record_by_callid"
    assert json.loads(request.content) == {"CallId": "04c9a0ac-8e38-4a19-be45-349c5ce7911b"}


def test_a_body_is_never_empty() -> None:
    """A query without conditions has an empty object as its body."""
    assert Request("/path", {}).content == b"{}"


@given(st.text(st.characters()))
def test_any_text_can_be_sent(text: str) -> None:
    """A body is JSON in ASCII for any text of a caller."""
    content = record_request(text).content
    assert content.isascii()
    assert json.loads(content) == {"CallId": text}


def parameters_of(target: str) -> list[tuple[str, str]]:
    """Return the names and values of a target's query string."""
    return parse_qsl(target.partition("?")[2], keep_blank_values=True, strict_parsing=True)


def test_a_target_has_each_parameter_once() -> None:
    """The URL has the five parameters, each once, with the given values."""
    target = build_target("/path", sdk_app_id=1400000000, identifier="administrator", user_sig="eJw*-_")
    assert target.partition("?")[0] == "/path"
    assert sorted((name, value) for name, value in parameters_of(target) if name != "random") == [
        ("contenttype", "json"),
        ("identifier", "administrator"),
        ("sdkappid", "1400000000"),
        ("usersig", "eJw*-_"),
    ]
    assert [name for name, _ in parameters_of(target)].count("random") == 1


@given(st.text(), st.text())
def test_a_target_escapes_its_arguments(identifier: str, user_sig: str) -> None:
    """Any identifier and UserSig arrive unchanged and add no parameter."""
    target = build_target("/path", sdk_app_id=1, identifier=identifier, user_sig=user_sig)
    parameters = parameters_of(target)
    assert len(parameters) == 5
    assert (dict(parameters)["identifier"], dict(parameters)["usersig"]) == (identifier, user_sig)
    assert target.isascii()
    assert " " not in target


def randoms(count: int) -> list[int]:
    """Return the random parameters of that many targets."""
    targets = [build_target("/path", sdk_app_id=1, identifier="a", user_sig="b") for _ in range(count)]
    return [int(dict(parameters_of(target))["random"]) for target in targets]


def test_random_is_fresh_for_each_request() -> None:
    """A hundred requests have nearly a hundred different numbers."""
    assert len(set(randoms(100))) >= 99


def test_random_uses_all_of_its_32_bits() -> None:
    """Numbers are unsigned 32-bit integers and reach into both halves of their range."""
    numbers = randoms(200)
    assert 0 <= min(numbers) < 2**31 <= max(numbers) < 2**32


def test_an_answer_does_not_show_its_body() -> None:
    """Bodies hold people's ids: an answer's repr leaves its own out."""
    assert "secret" not in repr(Response(200, {}, b'{"secret": 1}'))


# -- A page ------------------------------------------------------------------------------------------


def test_the_sample_answer_is_read() -> None:
    """Tencent's sample becomes exactly this page."""
    assert read_page(Response(200, {}, SAMPLE.encode()), 2) == CallRecordPage(
        records=RECORDS, page=2, total_num=141, request_id=REQUEST_ID
    )


ENDINGS = {
    "Page 0": envelope({"TotalNum": 0, "Page": 0, "CallRecordList": []}),
    "Page 0 as text": envelope({"TotalNum": "0", "Page": "0", "CallRecordList": []}),
    "Page 0 and the total": envelope({"TotalNum": 141, "Page": 0, "CallRecordList": []}),
    "Page 0 and no list": envelope({"Page": 0}),
    "an empty list": envelope({"TotalNum": 141, "Page": 5, "CallRecordList": []}),
    "an empty list and no Page": envelope({"TotalNum": 141, "CallRecordList": []}),
    "no list": envelope({"TotalNum": 141, "Page": 5}),
    "a null list": envelope({"TotalNum": 141, "Page": 5, "CallRecordList": None}),
    "a null Page": envelope({"TotalNum": 141, "Page": None, "CallRecordList": []}),
    "nulls": envelope({"TotalNum": None, "Page": None, "CallRecordList": None}),
    "a map for a list": envelope({"TotalNum": 141, "Page": 5, "CallRecordList": {}}),
    "a list for a Response": envelope([]),
    "an empty Response": envelope({}),
    "a null Response": envelope(None),
    "no Response": {"ErrorCode": 0, "ErrorInfo": "", "ActionStatus": "OK", "RequestId": "Id-1"},
    "error 101050": envelope(None, ErrorCode=101050, ErrorInfo="no records", ActionStatus="FAIL"),
    "error 101050 as text": envelope(None, ErrorCode="101050"),
    "error 101050 and a Response": envelope({"Page": 0}, ErrorCode=101050),
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=list(ENDINGS))
def test_a_walk_may_end_in_any_of_these_ways(ending: dict[str, object]) -> None:
    """None of the ways to end a walk is a failure: the page has no records, and the RequestId."""
    page = read_page(answer(ending), 5)
    assert (page.records, page.request_id) == ((), "Id-1")


@pytest.mark.parametrize(
    "ending", ["Page 0", "Page 0 as text", "an empty list and no Page", "nulls", "no Response", "error 101050"]
)
def test_an_end_without_a_number_is_page_0(ending: str) -> None:
    """If the service gives no page number at the end, the number is 0, Tencent's sign of the end."""
    assert read_page(answer(ENDINGS[ending]), 5).page == 0


@pytest.mark.parametrize(
    ("total", "expected"), [(141, 141), ("141", 141), (0, 0), (141.0, 141), (None, None)], ids=repr
)
def test_the_total_is_read(total: object, expected: int | None) -> None:
    """TotalNum may be a number, a text or nothing; it may come on the last page, too."""
    assert page_of(TotalNum=total, Page=0).total_num == expected


def test_without_a_total_there_is_none() -> None:
    """A service that does not count is not made to have counted 0."""
    assert page_of(Page=5, CallRecordList=RAW_RECORDS).total_num is None


@pytest.mark.parametrize(("number", "expected"), [(2, 2), ("2", 2), (0, 0), (5, 5)], ids=repr)
def test_the_page_is_numbered_as_the_service_says(number: object, expected: int) -> None:
    """The service's number, of any type, wins over the requested one."""
    page = page_of(Page=number, CallRecordList=RAW_RECORDS)
    assert (page.page, page.records) == (expected, RECORDS)


@pytest.mark.parametrize("response", [{}, {"Page": None}], ids=["absent", "null"])
def test_records_without_a_number_are_the_page_that_was_asked_for(response: dict[str, object]) -> None:
    """Records are data, also where the service leaves out their page's number."""
    page = page_of(**response, CallRecordList=RAW_RECORDS)
    assert (page.page, page.records) == (5, RECORDS)


@pytest.mark.parametrize(
    ("fields", "request_id"),
    [({}, ""), ({"RequestId": None}, ""), ({"RequestId": ["x"]}, ""), ({"RequestId": 5}, "5")],
    ids=["absent", "null", "a list", "a number"],
)
def test_a_page_needs_no_request_id(fields: dict[str, object], request_id: str) -> None:
    """Without a RequestId that is a text or a number, the page is still a page."""
    page = read_page(answer({"ErrorCode": 0, "Response": {"Page": 1, "CallRecordList": RAW_RECORDS}, **fields}), 1)
    assert (page.records, page.request_id) == (RECORDS, request_id)


# -- A record ----------------------------------------------------------------------------------------


def test_a_record_is_found() -> None:
    """A lookup's answer holds one record."""
    assert read_record(answer(envelope({"CallRecord": RAW_RECORDS[1]}))) == RECORDS[1]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(envelope(None, ErrorCode=101050, ErrorInfo="gone"), id="error 101050"),
        pytest.param(envelope(None, ErrorCode="101050"), id="error 101050 as text"),
        pytest.param(envelope({"CallRecord": None}), id="a null record"),
        pytest.param(envelope({}), id="an empty Response"),
        pytest.param(envelope([]), id="a list for a Response"),
        pytest.param(envelope({"CallRecord": {}}), id="an empty record"),
        pytest.param(envelope({"CallRecord": []}), id="a list for a record"),
        pytest.param(envelope(None), id="a null Response"),
        pytest.param({"ErrorCode": 0, "RequestId": "Id-1"}, id="no Response"),
    ],
)
def test_a_record_is_not_found(body: dict[str, object]) -> None:
    """Every way of the service to report a missing record becomes the same error, with the RequestId."""
    with pytest.raises(CallRecordNotFoundError) as caught:
        read_record(answer(body))
    assert (caught.value.code, caught.value.request_id) == (101050, "Id-1")
    assert "7 days" in caught.value.hint


def test_a_bad_record_is_named_by_its_path() -> None:
    """The path of a lookup's record leads through CallRecord."""
    with pytest.raises(ResponseDecodeError) as caught:
        read_record(answer(envelope({"CallRecord": {**RAW_RECORDS[0], "EndTime": "late"}})))
    assert (caught.value.path, caught.value.value, caught.value.request_id) == (
        "$.Response.CallRecord.EndTime",
        "late",
        "Id-1",
    )


# -- Failures ----------------------------------------------------------------------------------------

READERS: dict[str, Callable[[Response], object]] = {"page": lambda given: read_page(given, 5), "record": read_record}
each_reader = pytest.mark.parametrize("read", READERS.values(), ids=list(READERS))
Reader = Callable[[Response], object]


@each_reader
@pytest.mark.parametrize(
    ("code", "error"),
    [
        (60011, RateLimitError),
        (60026, AccountError),
        (70001, AuthenticationError),
        (101001, ServerError),
        (101002, InvalidRequestError),
        (99999, APIError),
        (-1, APIError),
        ("101001", ServerError),
    ],
)
def test_an_error_code_is_an_error_in_spite_of_status_200(read: Reader, code: int | str, error: type[APIError]) -> None:
    """The body's error code decides; the error carries code, info and RequestId."""
    body = envelope(
        {"Page": 1, "CallRecordList": RAW_RECORDS, "CallRecord": RAW_RECORDS[0]}, ErrorCode=code, ErrorInfo="why"
    )
    with pytest.raises(APIError) as caught:
        read(answer(body))
    assert type(caught.value) is error
    assert (caught.value.code, caught.value.info, caught.value.request_id) == (int(code), "why", "Id-1")


@each_reader
@pytest.mark.parametrize("info", [None, 5, ["x"]], ids=repr)
def test_an_error_needs_no_info(read: Reader, info: object) -> None:
    """Where ErrorInfo is no text, the code is still the error."""
    with pytest.raises(ServerError) as caught:
        read(answer(envelope(ErrorCode=101001, ErrorInfo=info)))
    assert caught.value.info == ""


STATUSES = [
    (302, False, "a redirect, which is not followed because the URL carries the credential"),
    (307, False, "a redirect, which is not followed because the URL carries the credential"),
    (204, False, "check region or base_url"),
    (400, False, "check region or base_url"),
    (404, False, "check region or base_url"),
    (408, True, "a gateway's, not the API's"),
    (425, True, "a gateway's, not the API's"),
    (429, True, "a gateway's, not the API's"),
    (500, True, "a gateway's, not the API's"),
    (502, True, "a gateway's, not the API's"),
    (503, True, "a gateway's, not the API's"),
]


@each_reader
@pytest.mark.parametrize(("status", "retryable", "words"), STATUSES)
def test_another_status_is_a_transport_error(read: Reader, status: int, retryable: bool, words: str) -> None:
    """Every answer of the API has status 200, so another one is a gateway's, with any body."""
    with pytest.raises(TransportError) as caught:
        read(Response(status, {"content-type": "text/html"}, b"<html><h1>Bad Gateway</h1></html>"))
    error = caught.value
    assert (error.status_code, error.retryable, error.retry_after, str(error)) == (
        status,
        retryable,
        None,
        f"HTTP status {status}: {words}",
    )


@each_reader
@pytest.mark.parametrize("status", [302, 404, 500])
def test_another_status_is_not_read_as_an_answer(read: Reader, status: int) -> None:
    """A body that is an answer of the API does not make it one."""
    with pytest.raises(TransportError):
        read(answer(envelope({"Page": 1, "CallRecordList": RAW_RECORDS, "CallRecord": RAW_RECORDS[0]}), status=status))


NOW = 784111768.0
DATED = "Sun, 06 Nov 1994 08:49:30 GMT"  # two seconds later


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        (None, "", None),
        ("", "", None),
        ("0", "", 0.0),
        ("7", DATED, 7.0),
        (" 120 ", "", 120.0),
        ("9" * 5000, "", float("inf")),
        ("-1", "", None),
        ("1.5", "", None),
        ("soon", "", None),
        ("٣", "", None),
        ("²", "", None),
        ("Sun, 06 Nov 1994 08:49:37 GMT", "", 9.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", "", 9.0),
        ("Sun Nov  6 08:49:37 1994", "", 9.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", DATED, 7.0),
        ("Sun Nov  6 08:49:37 1994", "Sunday, 06-Nov-94 08:49:30 GMT", 7.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", "yesterday", 9.0),
        ("Sun, 06 Nov 1994 08:49:29 GMT", DATED, 0.0),
        ("Sun, 06 Nov 1994 25:49:29 GMT", DATED, None),
        ("Sun, 06 Nov 99999 08:49:29 GMT", DATED, None),
    ],
)
def test_retry_after_is_read_in_every_form(value: str | None, date: str, seconds: float | None) -> None:
    """The wish to wait is a number of seconds or a date, which counts from the Date of the response."""
    headers = {"date": date} if value is None else {"date": date, "retry-after": value}
    assert read_retry_after(Response(429, headers, b""), NOW) == seconds


def test_a_record_of_another_call_is_refused() -> None:
    """The answer to another request is no answer, and another try may get the right one."""
    response = answer(envelope({"CallRecord": RAW_RECORDS[0]}))
    assert read_record(response, RECORDS[0].call_id.upper()) == RECORDS[0]
    with pytest.raises(ResponseDecodeError, match="answers another request") as caught:
        read_record(response, RECORDS[1].call_id)
    assert caught.value.retryable
    assert caught.value.path == "$.Response.CallRecord.CallId"


NOT_JSON = {
    "empty": b"",
    "HTML": b"<html><h1>Bad Gateway</h1></html>",
    "cut": SAMPLE.encode()[:300],
    "invalid UTF-8": b'{"ErrorCode": 0, "ErrorInfo": "\xff\xfe"}',
    "cut inside a character": '{"ErrorInfo": "ü"}'.encode()[:16],
    "two documents": b"{}{}",
    "deep arrays": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"Response":' * 100_000 + b"1" + b"}" * 100_000,
}


@each_reader
@pytest.mark.parametrize("content", NOT_JSON.values(), ids=list(NOT_JSON))
def test_broken_json_may_be_whole_the_next_time(read: Reader, content: bytes) -> None:
    """A body that is not JSON, under status 200, was cut or replaced on the way, so a retry may help."""
    with pytest.raises(ResponseDecodeError, match=r"^\$: not JSON \(\w+\), got ") as caught:
        read(Response(200, {}, content))
    assert (caught.value.path, caught.value.retryable) == ("$", True)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_broken_json_is_shown_from_its_beginning() -> None:
    """The error quotes the start of a gateway's page, which shows its author."""
    with pytest.raises(ResponseDecodeError) as caught:
        read_page(Response(200, {}, b"<h1>Wartung \xff</h1>" + b"x" * 10_000), 1)
    assert caught.value.value.startswith("<h1>Wartung \N{REPLACEMENT CHARACTER}</h1>xxx")
    assert len(caught.value.value) == 200


@each_reader
@pytest.mark.parametrize("value", [[], "OK", 0, None, True, [SAMPLE]], ids=repr)
def test_json_that_is_no_object_is_no_answer(read: Reader, value: object) -> None:
    """JSON of another shape came whole, so another try would bring the same."""
    with pytest.raises(ResponseDecodeError) as caught:
        read(answer(value))
    error = caught.value
    assert (error.path, error.reason, error.value, error.retryable) == ("$", "expected an object", value, False)


@each_reader
@pytest.mark.parametrize("fields", [{}, {"ErrorCode": None}], ids=["absent", "null"])
def test_an_answer_without_a_code_is_no_answer(read: Reader, fields: dict[str, object]) -> None:
    """A response without an ErrorCode is neither success nor failure."""
    with pytest.raises(ResponseDecodeError) as caught:
        read(answer({"RequestId": "Id-1", "Response": {"Page": 0}, **fields}))
    assert (caught.value.path, caught.value.reason, caught.value.request_id) == ("$.ErrorCode", "is missing", "Id-1")


INTEGER, OBJECT, ARRAY = "expected an integer", "expected an object", "expected an array"


@each_reader
@pytest.mark.parametrize("code", ["none", "", 0.5, True, False, [], {}, float("nan"), float("inf")], ids=repr)
def test_a_code_that_is_no_number_is_named(read: Reader, code: object) -> None:
    """Only the number 0 is a success, not other false values."""
    with pytest.raises(ResponseDecodeError) as caught:
        read(answer(envelope(ErrorCode=code)))
    assert (caught.value.path, caught.value.reason, repr(caught.value.value), caught.value.request_id) == (
        "$.ErrorCode",
        INTEGER,
        repr(code),
        "Id-1",
    )


NO_OBJECTS: list[object] = [[1], "", "none", 0, 5, False, True]
NO_ARRAYS: list[object] = [{"0": 1}, "", "none", 0, 5, False, True]
NO_INTEGERS: list[object] = ["two", "", 1.5, True, [], {}]


@pytest.mark.parametrize(
    ("response", "path", "reason", "value"),
    [
        *((value, "", OBJECT, value) for value in NO_OBJECTS),
        *(({"Page": 1, "CallRecordList": value}, ".CallRecordList", ARRAY, value) for value in NO_ARRAYS),
        *(({"Page": value}, ".Page", INTEGER, value) for value in NO_INTEGERS),
        *(({"Page": 0, "TotalNum": value}, ".TotalNum", INTEGER, value) for value in NO_INTEGERS),
    ],
)
def test_a_response_of_the_wrong_type_is_named(response: object, path: str, reason: str, value: object) -> None:
    """Each part of the answer that has the wrong type is named by its path, with the RequestId."""
    with pytest.raises(ResponseDecodeError) as caught:
        read_page(answer(envelope(response)), 1)
    error = caught.value
    assert (error.path, error.reason, error.value, error.request_id, error.retryable) == (
        f"$.Response{path}",
        reason,
        value,
        "Id-1",
        False,
    )


@pytest.mark.parametrize("name", ["Page", "TotalNum"])
@pytest.mark.parametrize("value", [-1, 10**400, "-1", "9" * 20, 1e300], ids=["-1", "400 digits", "text", "20", "float"])
def test_a_count_that_no_service_can_mean_is_named(name: str, value: object) -> None:
    """A count is no negative number, and none that arithmetic with floats would overflow or round."""
    with pytest.raises(ResponseDecodeError, match="expected an integer from 0 to 9007199254740992") as caught:
        page_of(**{"Page": 1, "CallRecordList": RAW_RECORDS, name: value})
    assert (caught.value.path, caught.value.value) == (f"$.Response.{name}", value)


@pytest.mark.parametrize(("name", "attribute"), [("StartTime", None), ("CallId", "call_id"), ("New", "extra")])
def test_an_integer_too_long_for_python_stays_a_text(name: str, attribute: str | None) -> None:
    """Python reads no integer of more than 4,300 digits: one costs no other record, and no digit is lost."""
    digits = "9" * 5000
    content = json.dumps(envelope({"Page": 1, "CallRecordList": [{**RAW_RECORDS[0], name: 0}]}))
    response = Response(200, {}, content.replace(f'"{name}": 0', f'"{name}": {digits}').encode())
    page = read_page(response, 1, keep_invalid=True)
    if attribute is None:
        assert page.invalid[0].error.path == f"$.Response.CallRecordList[0].{name}"
    else:
        assert getattr(page.records[0], attribute) == (digits if attribute != "extra" else {name: digits})


@pytest.mark.parametrize("response", ["none", 5, True, [RAW_RECORDS[0]]], ids=["text", "number", "true", "array"])
def test_a_lookups_response_of_the_wrong_type_is_named(response: object) -> None:
    """An answer that is not the contract does not mean that the record does not exist."""
    with pytest.raises(ResponseDecodeError) as caught:
        read_record(answer(envelope(response)))
    assert (caught.value.path, caught.value.reason) == ("$.Response", OBJECT)


@pytest.mark.parametrize(
    ("record", "path", "value"),
    [
        ({**RAW_RECORDS[0], "StartTime": "soon"}, ".StartTime", "soon"),
        ({**RAW_RECORDS[0], "CalleeList_Account": ["147", None]}, ".CalleeList_Account[1]", None),
        ({}, ".CallId", None),
        (None, "", None),
        ([], "", []),
    ],
)
def test_a_bad_record_of_a_page_is_named_by_its_path(record: object, path: str, value: object) -> None:
    """The path leads to the record by its index, and into it."""
    with pytest.raises(ResponseDecodeError) as caught:
        page_of(Page=1, CallRecordList=[*RAW_RECORDS, RAW_RECORDS[0], record])
    assert (caught.value.path, caught.value.value, caught.value.request_id) == (
        f"$.Response.CallRecordList[3]{path}",
        value,
        "Id-1",
    )


# -- Any response -----------------------------------------------------------------------------------

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.sampled_from(["0", "1", "101050", "NormalEnd", 101050, 101001, 2**63, 10**400]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text() | st.sampled_from(["ErrorCode", "Response", "Page", "TotalNum", "CallRecordList", "CallRecord"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


def outcome(read: Reader, given: Response) -> object:
    """Return the result of reading, or the error of this library that it raises."""
    try:
        return read(given)
    except CallRecordsError as error:
        return error


def is_well_formed(result: object) -> bool:
    """Return whether this is a page or a record, or an error with a text that can be written down."""
    if isinstance(result, CallRecordsError):
        return bool(str(result).encode(errors="backslashreplace")) and bool(repr(result))
    return isinstance(result, CallRecordPage | CallRecord)


@each_reader
@given(st.binary(), st.sampled_from([200, 200, 302, 404, 500]))
def test_arbitrary_bytes_are_read_or_refused(read: Reader, content: bytes, status: int) -> None:
    """Arbitrary bytes raise only errors of this library."""
    assert isinstance(outcome(read, Response(status, {}, content)), CallRecordsError)


@each_reader
@given(JSON)
def test_arbitrary_json_is_read_or_refused(read: Reader, value: object) -> None:
    """Arbitrary JSON is a response or an error of this library."""
    assert is_well_formed(outcome(read, answer(value)))


@each_reader
@given(JSON)
def test_an_arbitrary_response_is_read_or_refused(read: Reader, value: object) -> None:
    """Any successful response is a page, a record or an error of this library."""
    assert is_well_formed(outcome(read, answer(envelope(value))))


BODIES: dict[str, dict[str, Any]] = {
    "page": json.loads(SAMPLE),
    "record": envelope({"CallRecord": RAW_RECORDS[0]}),
}


def nodes(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of each node below *value*."""
    for step in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*path, step)
        yield from nodes(value[step], (*path, step))


def mutate(body: dict[str, Any], path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    """Return *body* with the node at *path* replaced."""
    mutated: Any = copy.deepcopy(body)
    node = mutated
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    whole: dict[str, Any] = mutated
    return whole


@pytest.mark.parametrize("name", BODIES)
@given(st.data())
def test_a_mutated_answer_is_read_or_refused(name: str, data: st.DataObject) -> None:
    """An answer that is right but for one node is still an answer, or an error of this library."""
    path = data.draw(st.sampled_from(list(nodes(BODIES[name]))))
    assert is_well_formed(outcome(READERS[name], answer(mutate(BODIES[name], path, data.draw(JSON)))))


@pytest.mark.parametrize("name", BODIES)
@given(st.data())
def test_a_cut_answer_is_refused(name: str, data: st.DataObject) -> None:
    """An answer that breaks off anywhere is never taken for a whole one."""
    content = json.dumps(BODIES[name]).encode()
    length = data.draw(st.integers(0, len(content) - 1))
    result = outcome(READERS[name], Response(200, {}, content[:length]))
    assert isinstance(result, ResponseDecodeError)
    assert result.retryable


@each_reader
@pytest.mark.parametrize("name", ["ErrorInfo", "RequestId"])
def test_a_lone_surrogate_makes_no_error_unprintable(read: Reader, name: str) -> None:
    """Half a character in the service's words does not keep the error from being shown."""
    result = outcome(read, Response(200, {}, json.dumps(envelope(ErrorCode=101001, **{name: "\ud800"})).encode()))
    assert type(result) is ServerError
    assert is_well_formed(result)


def test_a_lone_surrogate_in_a_record_is_kept() -> None:
    """JSON may escape half a character; it is read as it was written."""
    content = SAMPLE.replace('"RoomId": "roomid-1434"', '"RoomId": "\\ud800"').encode()
    assert [record.room_id for record in read_page(Response(200, {}, content), 2).records] == ["\ud800", "\ud800"]


@pytest.mark.parametrize("depth", [100, 900])
def test_a_deep_unknown_field_is_kept_or_refused(depth: int) -> None:
    """A value nested less deeply than the parser's limit does not affect other fields."""
    content = SAMPLE.replace('"RoomIdType": 2', '"RoomIdType": 2, "Tags": ' + "[" * depth + "]" * depth).encode()
    assert is_well_formed(outcome(READERS["page"], Response(200, {}, content)))
