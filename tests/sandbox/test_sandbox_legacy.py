"""The sandbox's older service, by API.md's contract of it."""

import re
import time

import pytest

from trtc_records.sandbox import Behaviour, Faults, Sandbox

QUERY = "get_records_by_filter"
LOOKUP = "get_record_by_callId"
FIELDS = {
    **dict.fromkeys(("callId", "caller", "mediaType", "callType", "callResult", "roomId"), str),
    **dict.fromkeys(("sdkAppId", "startCallTs", "acceptTs", "endTs", "totalUserNumber"), int),
    "callees": list,
}


def week(**fields):
    """Return the body of a query for the last 7 days."""
    return {"startTimestamp": int(time.time()) - 7 * 86_400, **fields}


def ask(caller, call, fields, **parameters):
    """Send a body to the older service and return the decoded answer."""
    params = caller.parameters(**parameters)
    answer = caller.http.post(f"/v1/records/{call}", params=params, json=fields)
    assert answer.status_code == 200
    return answer.json()


def test_a_success_has_the_documented_envelope(caller):
    """A success has code 0, Success, an id and the data."""
    answer = ask(caller, QUERY, week(numberPerPage=3, page=2))
    assert (answer["errorCode"], answer["errorMessage"]) == (0, "Success")
    assert answer.keys() == {"errorCode", "errorMessage", "requestId", "data"}
    data = answer["data"]
    assert (data["totalNum"], data["page"], len(data["callRecordList"])) == (60, 2, 3)


def test_a_record_has_the_documented_fields(caller):
    """A record has the names and types of Tencent's table, and no field for the kind of a room id."""
    (found,) = ask(caller, QUERY, week(numberPerPage=1))["data"]["callRecordList"]
    assert {name: type(value) for name, value in found.items()} == FIELDS
    assert (found["sdkAppId"], found["totalUserNumber"]) == (1400000000, len(found["callees"]))


def test_values_are_in_the_older_words(caller):
    """Every value of a record is one of Tencent's lower-case words."""
    records = ask(caller, QUERY, week())["data"]["callRecordList"]
    assert len(records) == 60
    assert {each["mediaType"] for each in records} == {"audio", "video"}
    assert {each["callType"] for each in records} == {"single", "group"}
    assert {each["callResult"] for each in records} <= {
        "cancel", "reject", "not_answer", "normal_end", "call_busy", "interrupt", "offline"
    }  # fmt: skip


def test_both_services_hold_the_same_calls(caller):
    """By default each call is in both services, with the same ids, times and members, in the same order."""
    old = ask(caller, QUERY, week())["data"]["callRecordList"]
    new = caller.walk()
    pairs = {"callId": "CallId", "startCallTs": "StartTime", "acceptTs": "AcceptTime", "callees": "CalleeList_Account"}
    for name, other in pairs.items():
        assert [each[name] for each in old] == [each[other] for each in new]


def test_a_filter_keeps_its_records(caller):
    """A condition in the older words keeps the records with that value."""
    records = ask(caller, QUERY, week(callResult="not_answer", callType="single"))["data"]["callRecordList"]
    assert {(each["callResult"], each["callType"]) for each in records} == {("not_answer", "single")}


def test_a_page_has_a_hundred_records_by_default(connect):
    """The default of numberPerPage is 100 here."""
    with Sandbox(records=120) as sandbox:
        assert len(ask(connect(sandbox), QUERY, week())["data"]["callRecordList"]) == 100


@pytest.mark.parametrize(
    ("end", "data"),
    [
        ("page_zero", {"totalNum": 60, "page": 0, "callRecordList": []}),
        ("empty_list", {"totalNum": 60, "page": 9, "callRecordList": []}),
        ("absent", {"totalNum": 60}),
        ("null", {"totalNum": 60, "page": None, "callRecordList": None}),
    ],
)
def test_the_end_is_a_choice(connect, end, data):
    """A page after the last one is answered in each of the ways that the newer service has."""
    with Sandbox(records=60, behaviour=Behaviour(end=end)) as sandbox:
        assert ask(connect(sandbox), QUERY, week(page=9))["data"] == data


def test_the_end_may_be_an_error(connect):
    """The end, and a look-up of no record, may be an error."""
    with Sandbox(records=6, behaviour=Behaviour(end="error")) as sandbox:
        caller = connect(sandbox)
        assert ask(caller, QUERY, week(page=9))["errorCode"] == 101050
        assert ask(caller, LOOKUP, {"callId": "x"})["errorCode"] == 101050


@pytest.mark.parametrize(
    ("end", "data"),
    [("page_zero", {"record": {}}), ("empty_list", {"record": {}}), ("absent", {}), ("null", {"record": None})],
)
def test_a_lookup_gives_the_record_or_none(connect, end, data):
    """A look-up gives the record, or data without one."""
    with Sandbox(records=6, behaviour=Behaviour(end=end)) as sandbox:
        caller = connect(sandbox)
        first = ask(caller, QUERY, week())["data"]["callRecordList"][0]
        assert ask(caller, LOOKUP, {"callId": first["callId"]})["data"] == {"record": first}
        assert ask(caller, LOOKUP, {"callId": "x"})["data"] == data


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, 70001),
        (None, 70009),
        ([], 70009),
        (week(startTimestamp="1"), 70001),
        (week(endTimestamp=1), 70001),
        (week(endTimestamp=None), 70001),
        (week(callResult="NormalEnd"), 70001),
        (week(callType="SingleCall"), 70001),
        (week(numberPerPage=0), 70001),
        (week(page=0), 70001),
        (week(StartTime=1), 70001),
    ],
)
def test_every_field_of_a_query_is_checked(caller, fields, code):
    """A query without a start, or with a wrong or unknown field, is refused."""
    assert ask(caller, QUERY, fields)["errorCode"] == code


@pytest.mark.parametrize("fields", [{}, {"CallId": "x"}, {"callId": ""}, {"callId": 1}, {"callId": "x", "page": 1}])
def test_every_field_of_a_lookup_is_checked(caller, fields):
    """A look-up without a call id, or with an unknown field, is refused."""
    assert ask(caller, LOOKUP, fields)["errorCode"] == 70001


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sdkappid": None}, 70001),
        ({"sdkappid": 1400000001}, 70002),
        ({"usersig": None}, 70002),
        ({"usersig": "eJw"}, 70002),
        ({"identifier": "root"}, 70002),
        ({"contenttype": "xml"}, 70001),
    ],
)
def test_credentials_have_codes_of_their_own(caller, changes, code):
    """A wrong parameter has one of the older codes, which mean something else to the newer service."""
    assert ask(caller, QUERY, week(), **changes)["errorCode"] == code


def test_an_expired_user_sig_is_70003(caller):
    """70003 is an expired UserSig here, and a malformed one there."""
    user_sig = caller.sign(lifetime=60, issued_at=int(time.time()) - 61)
    assert ask(caller, QUERY, week(), usersig=user_sig)["errorCode"] == 70003


def test_only_an_administrator_may_ask(caller):
    """A user of the app who is no administrator is refused."""
    user_sig = caller.sign(identifier="user_1")
    assert ask(caller, QUERY, week(), identifier="user_1", usersig=user_sig)["errorCode"] == 70004


def test_an_unknown_command_is_refused(caller):
    """An unknown command is refused in the older envelope."""
    assert ask(caller, "get_records", {})["errorCode"] == 70001


def test_twenty_lookups_a_second_are_allowed(connect):
    """The 21st look-up in a second is refused; queries, and the newer service's look-ups, are not."""
    with Sandbox(records=3) as sandbox:
        caller = connect(sandbox)
        answers = [ask(caller, LOOKUP, {"callId": "x"})["errorCode"] for _ in range(21)]
        assert answers == [0] * 20 + [70005]
        assert ask(caller, QUERY, week())["errorCode"] == 0
        assert caller.ask("get_record_by_callid", CallId=sandbox.records[0].call_id)["ErrorCode"] == 0
    assert (sandbox.stats.requests, sandbox.stats.refused) == (23, 1)


def test_without_a_quota_there_is_none_of_lookups(connect):
    """A sandbox without a quota refuses no look-up."""
    with Sandbox(records=3, quota=None) as sandbox:
        caller = connect(sandbox)
        assert {ask(caller, LOOKUP, {"callId": "x"})["errorCode"] for _ in range(40)} == {0}


@pytest.mark.parametrize("code", [60007, 60011, 60018, 60019])
def test_the_quota_of_all_calls_counts_here_too(connect, code):
    """A request over the quota of all calls gets the one code that the older service has for it."""
    with Sandbox(records=3, quota=1, behaviour=Behaviour(quota_code=code)) as sandbox:
        caller = connect(sandbox)
        assert [ask(caller, QUERY, week())["errorCode"] for _ in range(2)] == [0, 70005]


def test_an_internal_error_has_a_code_without_a_meaning(connect):
    """The fault of the service is in the older envelope, with a code that no page names."""
    with Sandbox(records=3, faults=Faults(internal_error=1.0)) as sandbox:
        answer = ask(connect(sandbox), QUERY, week())
    assert answer["errorCode"] not in {0, 50001, 70001, 70002, 70003, 70004, 70005, 70009}
    assert answer.keys() == {"errorCode", "errorMessage", "requestId"}


def test_the_code_may_be_text(connect):
    """errorCode may be a string, as in Tencent's table."""
    with Sandbox(records=3, behaviour=Behaviour(error_code_as_text=True)) as sandbox:
        caller = connect(sandbox)
        assert [ask(caller, QUERY, fields)["errorCode"] for fields in (week(), {})] == ["0", "70001"]


def test_a_record_may_be_the_data_itself(connect):
    """A look-up may answer with the record as its data."""
    with Sandbox(records=3, behaviour=Behaviour(bare_record=True)) as sandbox:
        caller = connect(sandbox)
        first = ask(caller, QUERY, week())["data"]["callRecordList"][0]
        assert ask(caller, LOOKUP, {"callId": first["callId"]})["data"] == first


def test_request_ids_are_digits(caller):
    """The id of an answer has 32 digits, and each answer its own."""
    ids = [ask(caller, QUERY, fields)["requestId"] for fields in (week(), week(), {})]
    assert len(set(ids)) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)


def test_behaviours_of_records_count_here_too(connect):
    """Unknown fields and values, and a time left out, are those of the newer service."""
    behaviour = Behaviour(extra_fields=True, new_enum_values=True, unanswered="absent")
    with Sandbox(records=60, behaviour=behaviour) as sandbox:
        caller = connect(sandbox)
        records = ask(caller, QUERY, week())["data"]["callRecordList"]
        moved = ask(caller, QUERY, week(callResult="Transferred"))["data"]["callRecordList"]
    assert {each["Platform"] for each in records} == {"Web"}
    assert any("acceptTs" not in each for each in records)
    assert moved
    assert {each["mediaType"] for each in moved} == {"Screen"}


@pytest.mark.parametrize(("calls_in", "counts"), [("both", (9, 9)), ("current", (9, 0)), ("legacy", (0, 9))])
def test_one_service_may_keep_the_calls(connect, calls_in, counts):
    """The service that does not keep the calls answers that it has none, to look-ups too."""
    with Sandbox(records=9, calls_in=calls_in) as sandbox:
        caller = connect(sandbox)
        new, old = caller.query()["TotalNum"], ask(caller, QUERY, week())["data"]["totalNum"]
        call_id = sandbox.records[0].call_id
        found_new = caller.ask("get_record_by_callid", CallId=call_id)["ErrorCode"] == 0
        found_old = bool(ask(caller, LOOKUP, {"callId": call_id})["data"]["record"])
    assert (new, old) == counts
    assert (found_new, found_old) == (counts[0] > 0, counts[1] > 0)


def test_an_unknown_keeper_is_refused():
    """Another name of a service is an error that lists the names."""
    with pytest.raises(ValueError, match=r"calls_in cannot be 'old': write one of 'both', 'current', 'legacy'"):
        Sandbox(calls_in="old")
