"""Callbacks that a sandbox posts, and the calls that configure them."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections import Counter

import pytest
import trustme
from http_server import Reply, serve

from trtc_records import record_from_json
from trtc_records._api.wire import record_to_json
from trtc_records.sandbox import Behaviour, Faults, Sandbox, Webhooks

START, END, CHANGED = (
    "Call.CallbackAfterStartCall",
    "Call.CallbackAfterEndCall",
    "Call.CallbackAfterMemberChanged",
)
OK = {"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0}

pytestmark = pytest.mark.anyio


async def answer_ok(_):
    return OK


@pytest.fixture
def unused_port():
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def wait_until(condition):
    """Wait for what another thread does."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def get_bodies(receiver, command=END):
    return [request.body for request in receiver.requests if request.parameters["CallbackCommand"] == [command]]


def count(receiver, command=END):
    return sum(request.parameters["CallbackCommand"] == [command] for request in receiver.requests)


async def receive(connect, clock, *, seconds=60, commands=(END,), **options):
    """Return the receiver of the callbacks of a while, and the sandbox, which has stopped."""
    async with serve(answer_ok) as receiver:
        with Sandbox(**{"records": 0, "live": "1/s", "call_seconds": 5} | options) as sandbox:
            caller = connect(sandbox)
            url = f"{receiver.base_url}/hook"
            assert caller.configure("set_callback", Url=url, CallbackCommandList=commands)["ErrorCode"] == 0
            clock.now += seconds
            ended = len(sandbox.ended_records)

            def is_done():
                counts = sandbox.stats.webhooks
                all_drawn = counts["posted"] + counts["lost"] >= ended + counts["repeated"] + counts["forged"]
                return all_drawn and counts["posted"] == len(receiver.requests)

            await wait_until(is_done)
    return receiver, sandbox


async def test_calls_of_the_older_service_are_not_posted(connect, clock):
    """A sandbox whose calls the older service keeps posts no callbacks; one whose calls both keep does."""
    async with serve(answer_ok) as receiver:
        options = {"records": 0, "live": "1/s", "call_seconds": 5, "webhook_url": f"{receiver.base_url}/hook"}
        with Sandbox(**options, calls_in="legacy") as older, Sandbox(**options) as both:
            clock.now += 60
            assert older.ended_records
            await wait_until(lambda: both.stats.webhooks["posted"] >= len(both.ended_records))
            assert older.stats.webhooks["posted"] == 0


async def test_each_end_is_posted_with_its_record(connect, clock):
    """Every call that ends brings one callback, with the record that can be read 5 seconds later."""
    receiver, sandbox = await receive(connect, clock)
    posted = [record_from_json(body["CallRecord"]) for body in get_bodies(receiver)]
    assert len(posted) > 30
    assert sorted(posted, key=lambda record: record.call_id) == sorted(
        sandbox.ended_records, key=lambda record: record.call_id
    )
    nothing = dict.fromkeys(("failed", "lost", "repeated", "forged", "withheld"), 0)
    assert sandbox.stats.webhooks == {"posted": len(posted), **nothing}


async def test_a_callback_has_the_documented_parameters(connect, clock):
    """The URL keeps its own path, and gets the app, the command and the client."""
    receiver, _ = await receive(connect, clock, sdk_app_id=1_400_000_007)
    request = receiver.requests[0]
    assert (request.method, request.path) == ("POST", "/hook")
    assert request.headers["content-type"] == "application/json"
    assert request.parameters.pop("OptPlatform")[0] in {"Android", "iOS", "Web", "Windows"}
    assert request.parameters == {
        "SdkAppid": ["1400000007"],
        "CallbackCommand": [END],
        "contenttype": ["json"],
        "ClientIP": ["203.0.113.7"],
    }


async def test_a_query_of_the_url_is_kept(clock):
    """A secret in the URL, the only proof of a sender that there is, arrives with each callback."""
    async with serve(answer_ok) as receiver:
        url = f"{receiver.base_url}/hook?secret=a%2Fb"
        with Sandbox(records=0, live="1/s", call_seconds=1, webhook_url=url):
            clock.now += 10
            await wait_until(lambda: receiver.requests)
    assert receiver.requests[0].parameters["secret"] == ["a/b"]
    assert receiver.requests[0].parameters["contenttype"] == ["json"]


async def test_times_of_events_are_those_of_the_call(connect, clock):
    """EventTime is the end of the call, in milliseconds."""
    receiver, _ = await receive(connect, clock)
    for body in get_bodies(receiver):
        assert body["EventTime"] // 1_000 == body["CallRecord"]["EndTime"]


async def test_a_webhook_url_gets_all_kinds(clock):
    """Without ``set_callback`` starts, changes and ends are posted, in the forms of Tencent's pages."""
    async with serve(answer_ok) as receiver:
        with Sandbox(records=0, live="2/s", webhook_url=receiver.base_url) as sandbox:
            clock.now += 60
            ended = len(sandbox.ended_records)
            await wait_until(lambda: count(receiver) == ended and count(receiver, START) > 90)
    starts = get_bodies(receiver, START)
    fields = {"CallId", "ChatGroupId", "RoomId", "RoomIdType"}
    assert {frozenset(body["CallInfo"]) for body in starts} == {
        frozenset(fields | {"MediaType"}),
        frozenset(fields | {"CallMediaType"}),
    }
    users = [user for body in starts for user in body["UserList"]]
    assert {type(user["User_Account"]) for user in users} == {int, str}
    assert {user["Status"] for user in users} == {"Calling", "Waiting"}
    changes = get_bodies(receiver, CHANGED)
    assert {frozenset(body) for body in changes} == {
        frozenset({"CallbackCommand", "CallId", "UserList", "ChangedUserList", "EventTime"})
    }
    assert {change["ActionType"] for body in changes for change in body["ChangedUserList"]} == {
        *("Accept", "Answer", "Hangup", "HangUp", "Hang Up", "Reject", "NotAnswer", "Cancel_Invite", "Canncel_Invite"),
        "Offline",
    }


async def test_callbacks_of_a_call_belong_together(clock):
    """The callbacks of one call have its id, its members and times in order."""
    async with serve(answer_ok) as receiver:
        with Sandbox(records=0, live="1/s", call_seconds=30, webhook_url=receiver.base_url) as sandbox:
            clock.now += 120
            ended = len(sandbox.ended_records)
            await wait_until(lambda: count(receiver) == ended)
    starts = {body["CallInfo"]["CallId"]: body for body in get_bodies(receiver, START)}
    changes = {body["CallId"]: body for body in get_bodies(receiver, CHANGED)}
    checked = 0
    for body in get_bodies(receiver):
        record = body["CallRecord"]
        if record["CallId"] in starts.keys() & changes.keys():
            start, change = starts[record["CallId"]], changes[record["CallId"]]
            assert start["EventTime"] // 1_000 == record["StartTime"]
            assert start["EventTime"] <= change["EventTime"] <= body["EventTime"]
            assert [str(user["User_Account"]) for user in start["UserList"]] == record["CalleeList_Account"]
            assert change["ChangedUserList"][0]["User_Account"] in record["CalleeList_Account"]
            checked += 1
    assert checked > 20


async def test_a_callback_is_posted_when_its_call_ends(clock):
    """A receiver gets the callback before the record can be read."""
    arrivals = []

    async def keep_time(request):
        arrivals.append((clock.now, request.body["EventTime"] / 1_000))
        return OK

    async with serve(keep_time) as receiver:
        with Sandbox(records=0, live="2/s", call_seconds=1, webhook_url=receiver.base_url) as sandbox:
            for _ in range(10):
                clock.now += 1
                ended = len(sandbox.ended_records)
                await wait_until(lambda ended=ended: count(receiver) >= ended)
    assert len(arrivals) > 20
    assert all(0 <= at - event < 2 for at, event in arrivals)


async def test_callbacks_look_like_the_records(connect, clock):
    """The options of records hold for those in callbacks."""
    receiver, _ = await receive(connect, clock, behaviour=Behaviour(extra_fields=True, unanswered="absent"))
    records = [body["CallRecord"] for body in get_bodies(receiver)]
    assert all("Platform" in record for record in records)
    assert {"AcceptTime" in record for record in records} == {True, False}


async def test_some_callbacks_are_lost(connect, clock):
    """A lost callback is not posted, and counted."""
    receiver, sandbox = await receive(connect, clock, webhooks=Webhooks(loss=0.5))
    ids = {body["CallRecord"]["CallId"] for body in get_bodies(receiver)}
    ended = {record.call_id for record in sandbox.ended_records}
    assert ids < ended
    assert len(ended) - len(ids) == sandbox.stats.webhooks["lost"]
    assert 0.25 < len(ids) / len(ended) < 0.75


async def test_some_callbacks_are_repeated(connect, clock):
    """A repeated callback is posted twice, unchanged, and counted."""
    receiver, sandbox = await receive(connect, clock, webhooks=Webhooks(repetition=0.5))
    times = Counter(request.content for request in receiver.requests)
    assert set(times.values()) == {1, 2}
    assert list(times.values()).count(2) == sandbox.stats.webhooks["repeated"]
    assert len(times) == len(sandbox.ended_records)


async def test_forged_callbacks_come_beside_the_true_ones(connect, clock):
    """Some forged ends are of no call, the others have the id of a call and other content."""
    receiver, sandbox = await receive(connect, clock, webhooks=Webhooks(forgery=0.5))
    true = {record.call_id: record_to_json(record) for record in sandbox.ended_records}
    posted = [body["CallRecord"] for body in get_bodies(receiver)]
    forged = [record for record in posted if true.get(record["CallId"]) != record]
    assert len(forged) == sandbox.stats.webhooks["forged"] > 10
    assert len(posted) - len(forged) == len(true)
    assert {record["CallId"] in true for record in forged} == {True, False}
    assert all(record_from_json(record).call_id == record["CallId"] for record in forged)


async def test_late_callbacks_overtake_each_other(clock):
    """A callback is up to *delay* seconds late, and not in the order of events."""
    arrivals = []

    async def keep_time(request):
        arrivals.append((clock.now, request.body["EventTime"] / 1_000))
        return OK

    async with serve(keep_time) as receiver:
        options = {"records": 0, "live": "2/s", "call_seconds": 1, "webhooks": Webhooks(delay=10)}
        with Sandbox(**options, webhook_url=receiver.base_url) as sandbox:
            clock.now += 20
            early = {record.call_id for record in sandbox.ended_records}
            for _ in range(10):
                clock.now += 1
                await asyncio.sleep(0.03)
            await wait_until(lambda: early <= {body["CallRecord"]["CallId"] for body in get_bodies(receiver)})
    assert all(at >= event for at, event in arrivals)
    events = [event for _, event in arrivals]
    assert events != sorted(events)


async def test_faults_follow_the_seed(connect, clock):
    """The same seed loses, repeats and forges the same callbacks."""
    begun = clock.now
    faults = Webhooks(loss=0.2, repetition=0.2, forgery=0.2)
    runs = []
    for seed in (1, 1, 2):
        clock.now = begun
        receiver, _ = await receive(connect, clock, webhooks=faults, seed=seed)
        runs.append(Counter((request.content, *request.parameters["OptPlatform"]) for request in receiver.requests))
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"", status=500),
        Reply(b"OK"),
        Reply(b"[]"),
        Reply(b'{"ActionStatus": "FAIL", "ErrorInfo": "no", "ErrorCode": 1}'),
        Reply(raw=b"not HTTP"),
        Reply(status=307, headers={"Location": "http://192.0.2.1/"}),
    ],
)
async def test_a_failing_receiver_is_counted_and_not_asked_again(clock, reply):
    """Each callback is posted once, whatever its receiver answers, and the service goes on."""

    async def fail(_):
        return reply

    async with serve(fail) as receiver:
        with Sandbox(records=0, live="1/s", call_seconds=1, webhook_url=receiver.base_url) as sandbox:
            clock.now += 20
            ended = len(sandbox.ended_records)
            await wait_until(lambda: count(receiver) == ended)
            await wait_until(lambda: sandbox.stats.webhooks["failed"] == sandbox.stats.webhooks["posted"])
            await asyncio.sleep(0.1)
    assert len(receiver.requests) == sandbox.stats.webhooks["posted"]


async def test_a_receiver_that_is_not_there_is_counted(clock, unused_port):
    """A refused connection is a failed callback."""
    with Sandbox(records=0, live="1/s", webhook_url=f"http://127.0.0.1:{unused_port}/") as sandbox:
        clock.now += 60
        await wait_until(lambda: sandbox.stats.webhooks["failed"] > 30)


async def test_a_slow_receiver_holds_nothing_up(connect, clock):
    """While a receiver does not answer, the service does; and the sandbox stops at once, and leaves no thread."""
    begun, released = asyncio.Event(), asyncio.Event()
    threads = set(threading.enumerate())

    async def wait(_):
        begun.set()
        await released.wait()
        return OK

    async with serve(wait) as receiver:
        with Sandbox(records=10, live="5/s", webhook_url=receiver.base_url) as sandbox:
            clock.now += 60
            await begun.wait()
            assert connect(sandbox).query()["TotalNum"] > 10
            leaving = time.monotonic()
        assert time.monotonic() - leaving < 1
        assert threads >= set(threading.enumerate())
        released.set()
        await wait_until(lambda: receiver.open_connections == 0)


async def test_a_receiver_may_have_a_certificate_of_its_own(clock):
    """HTTPS to this machine needs no certificate that is trusted."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    async with serve(answer_ok, context) as receiver:
        with Sandbox(records=0, live="1/s", webhook_url=receiver.base_url):
            clock.now += 60
            await wait_until(lambda: receiver.requests)
    assert receiver.base_url.startswith("https://localhost")


@pytest.mark.parametrize("url", ["https://bot.example.com/hook", "http://127.0.0.1:8000@192.0.2.1/", "http://[::2]/"])
async def test_nothing_leaves_this_machine(connect, clock, url):
    """A URL elsewhere can be set and read, as at Tencent, and nothing is posted to it."""
    with Sandbox(records=0, live="1/s", call_seconds=1) as sandbox:
        caller = connect(sandbox)
        assert caller.configure("set_callback", Url=url, CallbackCommandList=[END])["ErrorCode"] == 0
        assert caller.configure("get_callback")["Response"]["Url"] == url
        clock.now += 20
        ended = len(sandbox.ended_records)
        await wait_until(lambda: sandbox.stats.webhooks["withheld"] == ended)
    assert sandbox.stats.webhooks["posted"] == 0


async def test_a_deleted_webhook_gets_nothing(connect, clock):
    """After ``delete_callback`` nothing is posted."""
    async with serve(answer_ok) as receiver:
        with Sandbox(records=0, live="1/s", call_seconds=1, webhook_url=receiver.base_url) as sandbox:
            assert connect(sandbox).configure("delete_callback")["ErrorCode"] == 0
            clock.now += 20
            assert sandbox.ended_records
            await asyncio.sleep(0.1)
    assert receiver.requests == []


def test_nothing_is_configured_at_first(caller):
    """``get_callback`` answers 100301, and ``delete_callback`` has nothing to do."""
    answer = caller.configure("get_callback")
    assert (answer["ErrorCode"], answer["ActionStatus"]) == (100301, "FAIL")
    assert caller.configure("delete_callback")["ErrorCode"] == 0


def test_a_webhook_is_set_read_and_deleted(connect):
    """An app has one URL, which setting overwrites, and deleting removes."""
    with Sandbox(records=0, webhook_url="http://localhost:1/") as sandbox:
        caller = connect(sandbox)
        assert caller.configure("get_callback")["Response"] == {
            "Url": "http://localhost:1/",
            "CallbackCommandList": [START, END, CHANGED],
        }
        answer = caller.configure("set_callback", Url="https://bot.example.com/", CallbackCommandList=[END])
        assert answer.keys() == {"ErrorCode", "ErrorInfo", "ActionStatus", "RequestId"}
        assert answer["ActionStatus"] == "OK"
        assert caller.configure("get_callback")["Response"] == {
            "Url": "https://bot.example.com/",
            "CallbackCommandList": [END],
        }
        assert caller.configure("delete_callback")["ErrorCode"] == 0
        assert caller.configure("get_callback")["ErrorCode"] == 100301
        assert sandbox.stats.requests == 5


@pytest.mark.parametrize(
    ("call", "fields", "named"),
    [
        ("set_callback", {}, "Url"),
        ("set_callback", {"Url": 1, "CallbackCommandList": [END]}, "Url"),
        ("set_callback", {"Url": "ftp://bot.example.com", "CallbackCommandList": [END]}, "Url"),
        ("set_callback", {"Url": "http://", "CallbackCommandList": [END]}, "Url"),
        ("set_callback", {"Url": "http://[::1/", "CallbackCommandList": [END]}, "Url"),
        ("set_callback", {"Url": "http://localhost"}, "CallbackCommandList"),
        ("set_callback", {"Url": "http://localhost", "CallbackCommandList": []}, "CallbackCommandList"),
        ("set_callback", {"Url": "http://localhost", "CallbackCommandList": END}, "CallbackCommandList"),
        ("set_callback", {"Url": "http://localhost", "CallbackCommandList": ["AfterEndCall"]}, "CallbackCommandList"),
        ("set_callback", {"Url": "http://localhost", "CallbackCommandList": [END], "Token": "x"}, "Token"),
        ("get_callback", {"Url": "http://localhost"}, "Url"),
        ("delete_callback", {"Url": "http://localhost"}, "Url"),
    ],
)
def test_a_wrong_field_is_an_invalid_parameter(caller, call, fields, named):
    """Code 100002, and ErrorInfo names the field."""
    answer = caller.configure(call, **fields)
    assert answer["ErrorCode"] == 100002
    assert named in answer["ErrorInfo"]


@pytest.mark.parametrize("call", ["set_callback", "get_callback", "delete_callback"])
def test_calls_about_callbacks_are_checked_like_others(caller, call):
    """They need a signature, POST and a JSON object."""
    path = f"/v4/call_config/{call}"
    unsigned = caller.http.post(path, params=caller.parameters(usersig=None), json={})
    assert unsigned.json()["ErrorCode"] == 70002
    assert caller.http.get(path, params=caller.parameters()).json()["ErrorCode"] == 60002
    assert caller.http.post(path, params=caller.parameters(), content=b"").json()["ErrorCode"] == 60003


def test_calls_about_callbacks_have_the_same_quota_and_faults(connect):
    """They count with the others, and an internal error has their code."""
    with Sandbox(records=0, quota=1) as sandbox:
        caller = connect(sandbox)
        assert [caller.ask()["ErrorCode"], caller.configure("get_callback")["ErrorCode"]] == [0, 60011]
    with Sandbox(records=0, faults=Faults(internal_error=1)) as sandbox:
        caller = connect(sandbox)
        assert [caller.ask()["ErrorCode"], caller.configure("get_callback")["ErrorCode"]] == [101001, 100001]
