"""The sandbox's answers: records, pages, filters, and the options where Tencent's page says nothing."""

import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from trtc_records._api.models import CallRecord
from trtc_records._api.wire import record_from_json
from trtc_records.sandbox import Behaviour, Sandbox, make_records

DAY = 86_400


def record(call_id="04c9a0ac-8e38-4a19-be45-349c5ce7911b", *, age=3_600, **changes):
    """Return a record that began *age* seconds ago."""
    start = datetime.fromtimestamp(int(time.time()) - age, UTC)
    defaults = {
        "call_id": call_id,
        "caller": "147",
        "callees": ("147", "369"),
        "media_type": "Audio",
        "call_type": "SingleCall",
        "call_result": "NotAnswer",
        "start_time": start,
        "end_time": start + timedelta(seconds=30),
    }
    return CallRecord(**defaults | changes)


def test_a_success_has_tencents_envelope(caller):
    """A success has code 0, an empty ErrorInfo, OK, an id and a Response."""
    answer = caller.ask(NumberPerPage=3, Page=2)
    assert {name: answer[name] for name in ("ErrorCode", "ErrorInfo", "ActionStatus")} == {
        "ErrorCode": 0,
        "ErrorInfo": "",
        "ActionStatus": "OK",
    }
    response = answer["Response"]
    assert (response["TotalNum"], response["Page"], len(response["CallRecordList"])) == (60, 2, 3)


def test_an_answer_is_json_under_status_200(caller):
    """An answer has status 200, and headers that describe its JSON."""
    answer = caller.post()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


def test_request_ids_look_like_tencents_and_differ(caller):
    """Each answer, a failure too, has a fresh RequestId."""
    ids = [caller.ask(Page=page)["RequestId"] for page in (0, 1, 2)]
    assert len(set(ids)) == 3
    assert all(re.fullmatch(r"Id-[0-9a-f]{32}-O-Seq-\d+", request_id) for request_id in ids)


def test_a_record_has_the_documented_fields(caller):
    """A record has the names and types of Tencent's sample."""
    (found,) = caller.query(NumberPerPage=1)["CallRecordList"]
    types = {name: type(value) for name, value in found.items()}
    assert types == {
        **dict.fromkeys(("CallId", "Caller_Account", "MediaType", "CallType", "CallResult", "RoomId"), str),
        **dict.fromkeys(("StartTime", "EndTime", "AcceptTime", "RoomIdType"), int),
        "CalleeList_Account": list,
    }


def test_a_page_has_ten_records_by_default(caller):
    """A query without NumberPerPage gets the first ten records."""
    response = caller.query()
    assert (response["Page"], len(response["CallRecordList"])) == (1, 10)


def test_a_walk_brings_every_record_once(caller, shared):
    """Pages follow each other without a gap or a repetition, the last one shorter."""
    assert [record_from_json(found) for found in caller.walk(7)] == shared.records


def test_a_page_may_hold_everything(caller):
    """A page's size has no limit by default."""
    assert len(caller.query(NumberPerPage=10**12)["CallRecordList"]) == 60


@pytest.mark.parametrize("name", ["CallResult", "CallType"])
def test_a_query_filters(caller, name):
    """A filtered query returns only matching records, and TotalNum counts only those."""
    everything = caller.walk(60)
    wanted = everything[0][name]
    expected = [found for found in everything if found[name] == wanted]
    assert caller.walk(60, **{name: wanted}) == expected
    assert caller.query(**{name: wanted})["TotalNum"] == len(expected)


def test_filters_combine(caller):
    """A record has to match both result and type."""
    expected = [
        found for found in caller.walk(60) if (found["CallResult"], found["CallType"]) == ("NormalEnd", "SingleCall")
    ]
    assert caller.walk(60, CallResult="NormalEnd", CallType="SingleCall") == expected


def test_both_ends_of_the_window_are_included(caller):
    """A record that starts at StartTime or at EndTime is in the window."""
    everything = caller.walk(60)
    start, end = everything[20]["StartTime"], everything[30]["StartTime"]
    expected = [found for found in everything if start <= found["StartTime"] <= end]
    assert caller.walk(60, StartTime=start, EndTime=end) == expected


def test_an_end_before_the_retention_edge_finds_nothing(caller):
    """An end before the retention edge is no error, but finds no record."""
    assert caller.query(StartTime=0, EndTime=1_000)["TotalNum"] == 0


def test_records_older_than_seven_days_are_gone(connect):
    """An older StartTime is replaced by the retention edge, without an error."""
    old, young = record("old", age=7 * DAY + 5), record("young", age=7 * DAY - 60)
    with Sandbox(records=[old, young]) as sandbox:
        caller = connect(sandbox)
        assert [found["CallId"] for found in caller.walk(StartTime=0)] == ["young"]
        assert caller.ask("get_record_by_callid", CallId="old")["ErrorCode"] == 101050
        assert sandbox.records == [young]


def test_a_record_of_the_future_is_outside_the_default_window(connect):
    """EndTime is now by default, so records of the future are not found."""
    with Sandbox(records=[record(age=-60)]) as sandbox:
        caller = connect(sandbox)
        assert caller.query()["TotalNum"] == 0
        assert caller.query(EndTime=int(time.time()) + 120)["TotalNum"] == 1


def test_a_lookup_finds_a_call(caller):
    """A lookup returns one record, under CallRecord."""
    (wanted,) = caller.query(NumberPerPage=1, Page=5)["CallRecordList"]
    answer = caller.ask("get_record_by_callid", CallId=wanted["CallId"])
    assert (answer["ErrorCode"], answer["Response"]) == (0, {"CallRecord": wanted})


def test_a_lookup_of_no_call_is_an_error(caller):
    """A lookup of an unknown call is error 101050."""
    assert caller.ask("get_record_by_callid", CallId="none")["ErrorCode"] == 101050


@pytest.mark.parametrize(
    ("end", "response"),
    [
        ("page_zero", {"TotalNum": 3, "Page": 0, "CallRecordList": []}),
        ("empty_list", {"TotalNum": 3, "Page": 2, "CallRecordList": []}),
        ("absent", {"TotalNum": 3}),
        ("null", {"TotalNum": 3, "Page": None, "CallRecordList": None}),
    ],
)
def test_a_walk_ends_as_chosen(connect, end, response):
    """The page after the last one has the chosen form."""
    with Sandbox(records=3, behaviour=Behaviour(end=end)) as sandbox:
        assert connect(sandbox).query(Page=2) == response


def test_a_walk_may_end_by_an_error(connect):
    """The page after the last one may be error 101050."""
    with Sandbox(records=3, behaviour=Behaviour(end="error")) as sandbox:
        assert connect(sandbox).ask(Page=2)["ErrorCode"] == 101050


def test_records_descend_if_chosen(connect):
    """In descending order the newest record comes first."""
    with Sandbox(records=30, behaviour=Behaviour(order="descending")) as sandbox:
        assert [record_from_json(found) for found in connect(sandbox).walk()] == sandbox.records[::-1]


def test_a_random_order_stays_the_same_for_its_seed(connect):
    """A random order is not by time, and its pages fit together."""
    records = make_records(30)
    walks = []
    for seed in (1, 1, 2):
        with Sandbox(records=records, seed=seed, behaviour=Behaviour(order="random")) as sandbox:
            walks.append([found["CallId"] for found in connect(sandbox).walk(7)])
    ids = [made.call_id for made in records]
    assert walks[0] == walks[1] != walks[2]
    assert walks[0] != ids
    assert sorted(walks[0]) == sorted(ids)


def test_a_page_cap_shortens_pages_without_a_gap(connect):
    """A capped page has fewer records than requested, and a walk still finds all."""
    with Sandbox(records=30, behaviour=Behaviour(page_cap=4)) as sandbox:
        caller = connect(sandbox)
        assert len(caller.query(NumberPerPage=10)["CallRecordList"]) == 4
        assert [record_from_json(found) for found in caller.walk(10)] == sandbox.records


@pytest.mark.parametrize(
    ("unanswered", "fields"), [("zero", {"AcceptTime": 0}), ("null", {"AcceptTime": None}), ("absent", {})]
)
def test_an_unanswered_call_has_the_accept_time_chosen(connect, unanswered, fields):
    """AcceptTime of an unanswered call is 0, null or absent, as chosen."""
    with Sandbox(records=[record()], behaviour=Behaviour(unanswered=unanswered)) as sandbox:
        (found,) = connect(sandbox).walk()
        assert {name: value for name, value in found.items() if name == "AcceptTime"} == fields


def test_an_answered_call_keeps_its_accept_time(connect):
    """The choice does not change AcceptTime of answered calls."""
    answered = record(accept_time=datetime.fromtimestamp(int(time.time()) - 3_590, UTC))
    with Sandbox(records=[answered], behaviour=Behaviour(unanswered="absent")) as sandbox:
        (found,) = connect(sandbox).walk()
        assert found["AcceptTime"] == answered.accept_time.timestamp()


def test_a_room_id_type_may_be_text(connect):
    """RoomIdType may be a string, as in Tencent's table."""
    with Sandbox(
        records=[record(room_id="1", room_id_type=1)], behaviour=Behaviour(room_id_type_as_text=True)
    ) as sandbox:
        (found,) = connect(sandbox).walk()
        assert found["RoomIdType"] == "1"


def test_extra_fields_are_everywhere_if_chosen(connect, caller):
    """Records, responses and envelopes have fields that are not documented, and ``records`` has them too."""
    with Sandbox(records=3, behaviour=Behaviour(extra_fields=True)) as sandbox:
        answer, plain = connect(sandbox).ask(), caller.ask()
        lookup = connect(sandbox).ask("get_record_by_callid", CallId=sandbox.records[0].call_id)
        assert answer.keys() > plain.keys()
        assert answer["Response"].keys() > plain["Response"].keys()
        assert answer["Response"]["CallRecordList"][0].keys() > plain["Response"]["CallRecordList"][0].keys()
        assert lookup["Response"].keys() > {"CallRecord"}
        assert all(made.extra for made in sandbox.records)


def test_new_enum_values_are_in_some_records_if_chosen(connect):
    """A quarter of the records has values that are not documented, and a query may ask for them."""
    with Sandbox(records=100, behaviour=Behaviour(new_enum_values=True)) as sandbox:
        caller = connect(sandbox)
        new = [found for found in caller.walk(100) if found["CallResult"] == "Transferred"]
        assert 10 <= len(new) <= 45
        assert {(found["MediaType"], found["CallType"], found["RoomIdType"]) for found in new} == {
            ("Screen", "Broadcast", 3)
        }
        assert caller.walk(100, CallResult="Transferred", CallType="Broadcast") == new


def test_given_records_are_served_by_start_time(connect):
    """Given records are served by start time, with fields of later versions."""
    records = [record("b", age=100, extra={"Later": [1]}), record("a", age=200)]
    with Sandbox(records=iter(records)) as sandbox:
        assert [record_from_json(found) for found in connect(sandbox).walk()] == records[::-1]


@pytest.mark.parametrize("behaviour", [Behaviour(), Behaviour(new_enum_values=True)])
def test_half_a_surrogate_pair_is_served(connect, behaviour):
    """A record may hold text that JSON can hold and UTF-8 cannot."""
    with Sandbox(records=[record("\ud800", room_id="\udfff")], behaviour=behaviour) as sandbox:
        assert connect(sandbox).walk()[0]["RoomId"] == "\udfff"
        answer = connect(sandbox).post(b'{"CallId": "\\ud800"}', call="get_record_by_callid")
        assert answer.json()["ErrorCode"] == 0


def test_more_windows_than_are_remembered_are_answered_right(caller):
    """Queries of more windows than the cache holds are answered correctly."""
    starts = [found["StartTime"] for found in caller.walk(60)]
    totals = [caller.query(StartTime=start)["TotalNum"] for start in starts[:40]]
    assert totals == [sum(other >= start for other in starts) for start in starts[:40]]


def test_many_windows_side_by_side_stay_within_memory(connect, monkeypatch):
    """Memory stays bounded: the last used pages stay cached, and others are made again."""
    monkeypatch.setattr("trtc_records.sandbox._store._CACHE_SIZE", 200)
    with Sandbox(records=60, quota=None) as sandbox:
        caller = connect(sandbox)
        starts = [found["StartTime"] for found in caller.walk(60)]
        assert [caller.query(StartTime=start)["TotalNum"] for start in starts[:9] * 2] == list(range(60, 51, -1)) * 2
        assert sandbox._store._ordered_size <= 200
        assert len(sandbox._store._ordered) in {1, 2}


@pytest.mark.parametrize(
    ("beyond", "code"), [("invalid_parameter", 101002), ("illegal_parameter", 70402), ("internal_error", 101001)]
)
def test_a_page_beyond_the_deepest_is_an_error_if_chosen(connect, beyond, code):
    """The last position that a page may hold counts, and not how many records it would have."""
    with Sandbox(records=30, behaviour=Behaviour(deepest=20, beyond=beyond)) as sandbox:
        caller = connect(sandbox)
        pages = [(1, 20), (2, 10), (3, 7), (1, 21), (2, 1_000)]
        assert [caller.ask(Page=page, NumberPerPage=size)["ErrorCode"] for page, size in pages] == [0, 0, *[code] * 3]


def test_the_depth_counts_the_length_that_pages_have(connect):
    """The depth of a page counts its capped length."""
    with Sandbox(records=30, behaviour=Behaviour(deepest=20, page_cap=10)) as sandbox:
        caller = connect(sandbox)
        assert [caller.ask(Page=page, NumberPerPage=500)["ErrorCode"] for page in (1, 2, 3)] == [0, 0, 101002]


@pytest.mark.parametrize(
    ("end", "response"),
    [("page_zero", {"TotalNum": 30, "Page": 0, "CallRecordList": []}), ("absent", {"TotalNum": 30})],
)
def test_a_page_beyond_the_deepest_may_be_empty(connect, end, response):
    """It looks like a page after the last one, but TotalNum is greater."""
    with Sandbox(records=30, behaviour=Behaviour(deepest=20, beyond="empty", end=end)) as sandbox:
        assert connect(sandbox).query(Page=3) == response


def test_a_page_beyond_the_deepest_may_be_the_deepest_again(connect):
    """The repeated deepest page has the number of the request."""
    with Sandbox(records=30, behaviour=Behaviour(deepest=25, beyond="repeat")) as sandbox:
        caller = connect(sandbox)
        deepest, beyond = (caller.query(Page=page) for page in (2, 7))
        assert beyond == deepest | {"Page": 7}
        assert caller.query(NumberPerPage=26) == {"TotalNum": 30, "Page": 0, "CallRecordList": []}


def test_the_total_may_be_capped(connect):
    """TotalNum is at most the cap, and all records can still be read."""
    with Sandbox(records=30, behaviour=Behaviour(total_cap=20)) as sandbox:
        caller = connect(sandbox)
        assert [caller.query(Page=page)["TotalNum"] for page in (1, 3, 4)] == [20] * 3
        assert len(caller.walk()) == 30
        assert caller.query(EndTime=caller.walk()[5]["StartTime"])["TotalNum"] == 6


def calls_around(moment):
    """Return calls around a minute that begins at *moment*, by their place in it; each is named after its place."""
    times = {
        "before": (-9, -1),
        "ends_at_start": (-9, 0),
        "begins_before": (-9, 5),
        "spans": (-9, 90),
        "begins_at_start": (0, 70),
        "inside": (5, 6),
        "ends_at_end": (7, 60),
        "begins_inside": (8, 90),
        "at_end": (60, 60),
        "begins_at_end": (60, 90),
        "after": (61, 90),
    }
    return [
        record(
            name,
            start_time=datetime.fromtimestamp(moment + start, UTC),
            end_time=datetime.fromtimestamp(moment + end, UTC),
        )
        for name, (start, end) in times.items()
    ]


WINDOWS = {
    "start": "begins_at_start inside ends_at_end begins_inside at_end begins_at_end",
    "end": "ends_at_start begins_before inside ends_at_end at_end",
    "within": "inside ends_at_end at_end",
    "overlap": "ends_at_start begins_before spans begins_at_start inside ends_at_end begins_inside at_end "
    "begins_at_end",
}
AT_END = {"ends_at_end", "at_end", "begins_at_end"}
HALF_OPEN = {
    "start": AT_END - {"ends_at_end"},
    "end": AT_END - {"begins_at_end"},
    "within": AT_END,
    "overlap": AT_END - {"ends_at_end"},
}
AT_ONCE = {"start": (1, 0), "end": (1, 0), "within": (0, 0), "overlap": (4, 3)}


@pytest.mark.parametrize("order", ["ascending", "descending"])
@pytest.mark.parametrize("half_open", [False, True])
@pytest.mark.parametrize("window", WINDOWS)
def test_a_window_has_the_chosen_meaning(connect, window, half_open, order):
    """A window matches a call's start, its end, both, or any moment; half-open, it excludes EndTime."""
    moment = int(time.time()) - 3_600
    expected = [name for name in WINDOWS[window].split() if not (half_open and name in HALF_OPEN[window])]
    behaviour = Behaviour(window=window, half_open=half_open, order=order)
    with Sandbox(records=calls_around(moment), behaviour=behaviour) as sandbox:
        caller = connect(sandbox)
        for kind in ({}, {"CallResult": "NotAnswer"}):
            found = [one["CallId"] for one in caller.walk(2, StartTime=moment, EndTime=moment + 60, **kind)]
            assert found == expected[:: -1 if order == "descending" else 1]
        at_once = caller.query(StartTime=moment + 5, EndTime=moment + 5)["TotalNum"]
        assert at_once == AT_ONCE[window][half_open]


@pytest.mark.parametrize("window", WINDOWS)
def test_records_are_kept_by_their_start_whatever_the_window_means(connect, window):
    """A long call that began more than seven days ago is gone, though it ended later."""
    start = datetime.fromtimestamp(int(time.time()) - 7 * DAY - 5, UTC)
    long = record("long", start_time=start, end_time=start + timedelta(days=2))
    with Sandbox(records=[long, record("short")], behaviour=Behaviour(window=window)) as sandbox:
        assert [found["CallId"] for found in connect(sandbox).walk(StartTime=0)] == ["short"]


@pytest.mark.parametrize("skew", [-50_000, 50_000])
def test_the_clock_of_the_service_may_be_skewed(connect, skew):
    """Its Date header, the retention, the default EndTime and the end of a UserSig follow its own clock."""
    now = int(time.time())
    edge = now + skew - 7 * DAY
    records = [
        record("gone", age=now - edge + 5),
        record("oldest", age=now - edge - 60),
        record("future", age=-skew - 60),
    ]
    with Sandbox(records=records, clock_skew=skew) as sandbox:
        caller = connect(sandbox)
        date = parsedate_to_datetime(caller.post().headers["date"]).timestamp()
        assert abs(date - now - skew) < 5
        assert [found["CallId"] for found in caller.walk()] == ["oldest"]
        assert [found.call_id for found in sandbox.records] == ["oldest", "future"]
        expiring = caller.parameters(usersig=caller.sign(lifetime=40_000))
        assert caller.post(params=expiring).json()["ErrorCode"] == (70001 if skew > 0 else 0)


def test_made_up_records_lie_before_the_service_s_now(connect):
    """Made-up records fill the service's seven days, and none lies in its future."""
    with Sandbox(records=200, clock_skew=-30 * DAY) as sandbox:
        assert len(connect(sandbox).walk(200)) == len(sandbox.records) == 200
