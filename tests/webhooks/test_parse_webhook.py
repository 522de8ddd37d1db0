"""Callbacks become events, in every form that Tencent's samples and tables give them."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from callbacks import CHANGE, END, SDK_APP_ID, START, change_body, end_body, query_of, start_body
from hypothesis import given
from hypothesis import strategies as st
from records import raw_record

from trtc_records import CallRecordsError, CallResult, ConfigurationError, MediaType, RoomIdType, record_from_json
from trtc_records.webhooks import (
    CallEnded,
    CallMember,
    CallStarted,
    MemberChange,
    MembersChanged,
    UnknownWebhook,
    WebhookError,
    parse_webhook,
)


def parse(body: bytes | str, query: Any = None) -> CallStarted | CallEnded | MembersChanged | UnknownWebhook:
    """Parse a callback for the app of the tests."""
    return parse_webhook(query_of() if query is None else query, body, sdk_app_id=SDK_APP_ID)


def parse_start(body: bytes) -> CallStarted:
    event = parse(body)
    assert isinstance(event, CallStarted)
    return event


def change(body: bytes, **fields: Any) -> bytes:
    """Return a body with other fields; ``...`` removes one."""
    changed = {**json.loads(body), **fields}
    return json.dumps({name: value for name, value in changed.items() if value is not ...}).encode()


def test_an_end_holds_the_record_as_the_api_would_give_it() -> None:
    """The record of an end is read as records of the API are, and the time of the event is an aware datetime."""
    raw = raw_record(1, CallResult="NotAnswer", AcceptTime=0, Added="x")
    event = parse(end_body(1, CallResult="NotAnswer", AcceptTime=0, Added="x"))
    assert event == CallEnded(
        record=record_from_json(raw), event_time=datetime(2025, 2, 19, 10, 17, 40, 123_000, tzinfo=UTC)
    )
    assert isinstance(event, CallEnded)
    assert (event.record.call_result, event.record.accept_time) == (CallResult.NOT_ANSWER, None)
    assert (event.record.extra, event.verified) == ({"Added": "x"}, False)


def test_a_start_is_read_as_the_sample_has_it() -> None:
    """CallMediaType and an account that is a number are read."""
    assert parse_start(start_body()) == CallStarted(
        call_id="call-000001",
        media_type=MediaType.VIDEO,
        chat_group_id="g",
        room_id="r-1",
        room_id_type=RoomIdType.STRING,
        members=(CallMember(user_id="147", status="Calling"), CallMember(user_id="369", status="Waiting")),
        event_time=datetime(2025, 2, 19, 10, 17, 22, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({"MediaType": "Audio"}, MediaType.AUDIO),
        ({"CallMediaType": "Audio"}, MediaType.AUDIO),
        ({"MediaType": "Audio", "CallMediaType": "Video"}, MediaType.AUDIO),
        ({"MediaType": "Hologram"}, "Hologram"),
        ({"MediaType": None}, None),
        ({}, None),
    ],
)
def test_a_medium_is_read_under_both_names(info: dict[str, Any], expected: object) -> None:
    """The table's MediaType and the sample's CallMediaType mean the same, and both may be absent."""
    assert parse_start(start_body(CallInfo={"CallId": "c", **info})).media_type == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (1, RoomIdType.NUMERIC),
        ("2", RoomIdType.STRING),
        (0, RoomIdType.NONE),
        (None, RoomIdType.NONE),
        (9, 9),
        ("x", "x"),
    ],
)
def test_a_room_id_type_is_read_as_in_records(raw: object, expected: object) -> None:
    """A RoomIdType is a number or a text, and a new one is kept."""
    assert parse_start(start_body(CallInfo={"CallId": "c", "RoomIdType": raw})).room_id_type == expected


def test_a_start_needs_a_call_id_only() -> None:
    """All but the call's id may be absent."""
    body = json.dumps({"CallbackCommand": START, "CallInfo": {"CallId": "c"}}).encode()
    assert parse(body) == CallStarted(call_id="c")


def test_a_change_keeps_actions_as_text() -> None:
    """An action, whose spelling varies, stays the text that Tencent sent."""
    assert parse(change_body("Canncel_Invite")) == MembersChanged(
        call_id="call-000001",
        members=(CallMember(user_id="147", status="Calling"),),
        changes=(MemberChange(user_id="369", action="Canncel_Invite"),),
        event_time=datetime(2025, 2, 19, 10, 17, 30, tzinfo=UTC),
    )


def test_members_may_be_user_ids_alone() -> None:
    """A list of user ids is read like a list of objects."""
    event = parse(change_body(UserList=["147", 369]))
    assert isinstance(event, MembersChanged)
    assert event.members == (CallMember(user_id="147"), CallMember(user_id="369"))


def test_unknown_fields_are_kept() -> None:
    """Fields that nobody knows are kept beside those that are read."""
    info = {"CallId": "c", "New": 1}
    start = parse_start(start_body(CallInfo=info, Other=[2], UserList=[{"User_Account": "a", "Seat": 3}]))
    assert start.extra == {"Other": [2], "CallInfo": {"New": 1}}
    assert start.members[0].extra == {"Seat": 3}
    end = parse(change(end_body(), New=1))
    assert isinstance(end, CallEnded)
    assert end.extra == {"New": 1}


@pytest.mark.parametrize("raw", ["soon", {}, 10**30, True, 1.5, -(10**30)])
def test_an_odd_time_is_kept_as_an_extra_field(raw: object) -> None:
    """A time that cannot be read fails nothing."""
    event = parse(change(end_body(), EventTime=raw))
    assert isinstance(event, CallEnded)
    assert (event.event_time, event.extra) == (None, {"EventTime": raw})


@pytest.mark.parametrize("raw", [..., None, 0, "0"])
def test_a_time_may_be_absent(raw: object) -> None:
    """An event without a time has none, and nothing extra."""
    event = parse(change(end_body(), EventTime=raw))
    assert isinstance(event, CallEnded)
    assert (event.event_time, event.extra) == (None, {})


@pytest.mark.parametrize(
    "query",
    [
        query_of(),
        query_of().encode(),
        f"?{query_of()}",
        f"SdkAppid={SDK_APP_ID}",
        f"sdkappid={SDK_APP_ID}&CallbackCommand=",
        {"SdkAppid": SDK_APP_ID},
        {"SdkAppid": [str(SDK_APP_ID)], "CallbackCommand": [END]},
    ],
)
def test_a_query_may_have_any_form(query: Any) -> None:
    """Text, bytes and a mapping of parameters are read alike; the command may stand in the body alone."""
    assert isinstance(parse(end_body(), query), CallEnded)


def test_a_command_may_stand_in_the_query_alone() -> None:
    """The body may lack the command."""
    assert isinstance(parse(change(change_body(), CallbackCommand=...), query_of(CHANGE)), MembersChanged)


def test_a_body_may_be_text() -> None:
    """A body that a framework has decoded is read too."""
    assert parse(end_body().decode()) == parse(end_body())


def test_an_unknown_command_keeps_its_body() -> None:
    """A command that Tencent adds later is no error."""
    body = b'{"CallbackCommand": "Call.CallbackAfterNap", "Length": 5}'
    assert parse(body, query_of("Call.CallbackAfterNap")) == UnknownWebhook(command="Call.CallbackAfterNap", body=body)


@pytest.mark.parametrize(
    ("query", "status"),
    [("SdkAppid=1", 403), ("", 400), ("SdkAppid=", 403), (f"SdkAppid={SDK_APP_ID}&SdkAppid=1", 403), ({}, 400)],
)
def test_another_app_is_refused(query: Any, status: int) -> None:
    """A callback for another app, or for none, is an error that names the parameter."""
    with pytest.raises(WebhookError) as caught:
        parse(end_body(), query)
    assert (caught.value.path, caught.value.status) == ("?SdkAppid", status)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"", "$"),
        (b"<p>", "$"),
        (b"\xff\xfe\xfa", "$"),
        (b"[" * 100_000, "$"),
        (b"[]", "$"),
        (b"null", "$"),
        (change(end_body(), CallRecord=...), "$.CallRecord"),
        (change(end_body(), CallRecord=[]), "$.CallRecord"),
        (change(end_body(), CallbackCommand=7), "$.CallbackCommand"),
        (end_body(StartTime="noon"), "$.CallRecord.StartTime"),
        (end_body(EndTime="x"), "$.CallRecord.EndTime"),
        (end_body(CallId=""), "$.CallRecord.CallId"),
        (end_body(CallId="\ud800"), "$.CallRecord.CallId"),
        (end_body(CallId="x" * 257), "$.CallRecord.CallId"),
        (end_body(CalleeList_Account=["147", {}]), "$.CallRecord.CalleeList_Account[1]"),
        (change(start_body(), CallInfo=...), "$.CallInfo"),
        (start_body(CallInfo={}), "$.CallInfo.CallId"),
        (start_body(CallInfo={"CallId": " "}), "$.CallInfo.CallId"),
        (start_body(CallInfo={"CallId": "c", "RoomId": []}), "$.CallInfo.RoomId"),
        (start_body(UserList={}), "$.UserList"),
        (start_body(UserList=[{"User_Account": "a"}, None]), "$.UserList[1]"),
        (start_body(UserList=[{}]), "$.UserList[0].User_Account"),
        (change_body(ChangedUserList=[{"User_Account": {}}]), "$.ChangedUserList[0].User_Account"),
        (change_body(CallId=None), "$.CallId"),
    ],
)
def test_a_body_that_cannot_be_read_names_the_place(body: bytes, path: str) -> None:
    """A bad value is an error with its path and the status 400."""
    with pytest.raises(WebhookError) as caught:
        parse(body)
    assert (caught.value.path, caught.value.status) == (path, 400)
    assert str(caught.value).startswith(f"{path}: ")
    assert isinstance(caught.value, CallRecordsError)


def test_a_callback_without_a_command_is_an_error() -> None:
    """Neither query nor body names a command."""
    with pytest.raises(WebhookError, match=r"^\$\.CallbackCommand: is missing$"):
        parse(b"{}", f"SdkAppid={SDK_APP_ID}")


def test_an_error_can_be_pickled() -> None:
    """An error passes between processes with all its attributes."""
    error = pickle.loads(pickle.dumps(WebhookError("is missing", "$.CallId", None, 400)))
    assert (error.reason, error.path, error.value, error.status) == ("is missing", "$.CallId", None, 400)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from([END, START, CHANGE]), st.data())
def test_no_value_brings_another_error(command: str, data: st.DataObject) -> None:
    """Whatever a forger puts into a field, the outcome is an event or a WebhookError."""
    body = json.loads({END: end_body(), START: start_body(), CHANGE: change_body()}[command])
    parent = data.draw(st.sampled_from([body, body.get("CallRecord", body), body.get("CallInfo", body)]))
    parent[data.draw(st.sampled_from(sorted(parent)))] = data.draw(json_values)
    outcome: object
    try:
        outcome = parse(json.dumps(body), query_of(command))
    except WebhookError as error:
        outcome = error
    assert isinstance(outcome, CallStarted | CallEnded | MembersChanged | UnknownWebhook | WebhookError)
    assert len(str(outcome)) > 1


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_no_bytes_bring_another_error(body: bytes, query: bytes) -> None:
    """Bytes that are no callback are a WebhookError."""
    with pytest.raises(WebhookError):
        parse(body, query)


@pytest.mark.parametrize(
    ("query", "body", "message"),
    [
        (None, b"{}", "query=None: pass the URL's query string"),
        ("SdkAppid=1", None, "body=None: pass the request's body"),
    ],
)
def test_an_argument_of_another_type_is_named(query: Any, body: Any, message: str) -> None:
    """It is the caller's mistake, not the sender's."""
    with pytest.raises(ConfigurationError, match=message):
        parse_webhook(query, body, sdk_app_id=1)
