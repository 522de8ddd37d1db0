"""The sandbox's checks of requests."""

import time

import pytest

KEY_OF_ANOTHER_APP = "0f" * 32


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_post_is_allowed(caller, method):
    """Another method is refused as a malformed request."""
    assert caller.post(method=method).json()["ErrorCode"] == 60002


@pytest.mark.parametrize(
    "path", ["/", "/v4/call_record_http_srv/get_records", "/v4/call_record_http_srv/get_record_by_filter/"]
)
def test_an_unknown_path_is_an_unknown_resource(caller, path):
    """An unknown path is answered with Tencent's code, under status 200."""
    answer = caller.http.post(path, params=caller.parameters(), content=b"{}")
    assert (answer.status_code, answer.json()["ErrorCode"]) == (200, 60009)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sdkappid": None}, 60012),
        ({"sdkappid": ""}, 60012),
        ({"sdkappid": "app"}, 60025),
        ({"sdkappid": "-1400000000"}, 60025),
        ({"sdkappid": "9" * 5000}, 60025),
        ({"sdkappid": 1400000001}, 70020),
        ({"identifier": None}, 60025),
        ({"identifier": ""}, 60025),
        ({"identifier": "root"}, 70013),
        ({"usersig": None}, 70002),
        ({"usersig": ""}, 70002),
        ({"usersig": "eJw"}, 70003),
        ({"usersig": "no signature at all"}, 70003),
        ({"contenttype": None}, 60025),
        ({"contenttype": "xml"}, 60025),
        ({"random": None}, 60002),
        ({"random": ""}, 60002),
        ({"random": "one"}, 60002),
        ({"random": "1.5"}, 60002),
        ({"random": "-1"}, 60002),
        ({"random": "٣"}, 60002),
        ({"random": 4294967296}, 60002),
        ({"apn": 1}, 60002),
        ({"random": [1, 2]}, 60002),
        ({"usersig": ["a", "b"]}, 60002),
    ],
)
@pytest.mark.parametrize("call", ["get_record_by_filter", "get_record_by_callid"])
def test_every_query_parameter_is_checked(caller, call, changes, code):
    """A missing, empty, doubled, unknown or wrong parameter has its code, for both calls alike."""
    assert caller.post(call=call, params=caller.parameters(**changes)).json()["ErrorCode"] == code


@pytest.mark.parametrize("number", [0, 1, 4294967295])
def test_random_is_any_unsigned_32_bit_integer(caller, number):
    """Both ends of the range are allowed."""
    assert caller.post(params=caller.parameters(random=number)).json()["ErrorCode"] == 0


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"issued_at": int(time.time()) - 100, "lifetime": 60}, 70001),
        ({"issued_at": int(time.time()) - 60, "lifetime": 60}, 70001),
        ({"secret_key": KEY_OF_ANOTHER_APP}, 70009),
        ({"identifier": "alice"}, 70013),
        ({"sdk_app_id": 1400000001}, 70014),
    ],
)
def test_every_claim_of_a_user_sig_is_checked(caller, claims, code):
    """A UserSig that expired, or is for another key, identifier or app, has its code."""
    assert caller.post(params=caller.parameters(usersig=caller.sign(**claims))).json()["ErrorCode"] == code


def test_only_an_administrator_may_ask(caller):
    """Another user is refused, however well the UserSig is signed."""
    parameters = caller.parameters(identifier="alice", usersig=caller.sign(identifier="alice"))
    assert caller.post(params=parameters).json()["ErrorCode"] == 60010


@pytest.mark.parametrize(
    "content",
    [b"", b" ", b"{", b"[]", b"null", b'"text"', b"1", b"\xff\xfe", b'{"Page": NaN}', b"[" * 100_000, b"{'Page': 1}"],
)
@pytest.mark.parametrize("call", ["get_record_by_filter", "get_record_by_callid"])
def test_a_body_is_a_json_object(caller, call, content):
    """An empty body, text that is not JSON, and JSON that is not an object are refused."""
    assert caller.post(content, call=call).json()["ErrorCode"] == 60003


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"NumberPerPage": 0}, "NumberPerPage"),
        ({"NumberPerPage": "10"}, "NumberPerPage"),
        ({"NumberPerPage": None}, "NumberPerPage"),
        ({"Page": 0}, "Page"),
        ({"Page": -1}, "Page"),
        ({"Page": 1.0}, "Page"),
        ({"Page": True}, "Page"),
        ({"StartTime": "0"}, "StartTime"),
        ({"StartTime": -1}, "StartTime"),
        ({"EndTime": 1.5}, "EndTime"),
        ({"EndTime": []}, "EndTime"),
        ({"StartTime": 2_000, "EndTime": 1_999}, "StartTime"),
        ({"StartTime": int(time.time()) * 1000}, "StartTime"),
        ({"CallResult": "normalend"}, "CallResult"),
        ({"CallResult": 4}, "CallResult"),
        ({"CallResult": None}, "CallResult"),
        ({"CallType": "Single"}, "CallType"),
        ({"CallType": {}}, "CallType"),
        ({"pageSize": 10}, "pageSize"),
    ],
)
def test_every_field_of_a_query_is_checked(caller, fields, name):
    """A field of the wrong type or value is refused, and the error names it."""
    answer = caller.ask(**fields)
    assert answer["ErrorCode"] == 101002
    assert name in answer["ErrorInfo"]


@pytest.mark.parametrize("fields", [{}, {"CallId": ""}, {"CallId": 4}, {"CallId": None}, {"CallId": "x", "Page": 1}])
def test_every_field_of_a_lookup_is_checked(caller, fields):
    """A lookup wants a call id, and nothing else."""
    assert caller.ask("get_record_by_callid", **fields)["ErrorCode"] == 101002


@pytest.mark.parametrize(
    ("call", "content"),
    [("get_record_by_filter", b'{"\\ud800": 1}'), ("get_record_by_callid", b'{"CallId": "a", "\\ud800": 1}')],
)
def test_half_a_surrogate_pair_is_refused_as_any_field(caller, call, content):
    """The answer that names half a surrogate pair is valid JSON, under status 200."""
    answer = caller.post(content, call=call)
    assert (answer.status_code, answer.json()["ErrorCode"]) == (200, 101002)


def test_a_failure_has_the_whole_envelope(caller):
    """A failure has status 200, and everything but a Response."""
    answer = caller.ask(Page=0)
    assert answer.keys() == {"ErrorCode", "ErrorInfo", "ActionStatus", "RequestId"}
    assert answer["ActionStatus"] == "FAIL"
