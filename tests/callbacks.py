"""Callbacks as Tencent sends them, and an ASGI caller without a server, for tests."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import attrs
from records import raw_record

SDK_APP_ID = 1400000000
QUERY = f"SdkAppid={SDK_APP_ID}&CallbackCommand={{}}&contenttype=json&ClientIP=203.0.113.7&OptPlatform=Android"

END = "Call.CallbackAfterEndCall"
START = "Call.CallbackAfterStartCall"
CHANGE = "Call.CallbackAfterMemberChanged"
OK = {"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0}


def query_of(command: str = END) -> str:
    """Return the query string of a callback."""
    return QUERY.format(command)


def end_body(number: int = 1, **fields: Any) -> bytes:
    """Return the body of the callback for the end of call *number*, with other fields of its record."""
    return json.dumps(
        {"CallbackCommand": END, "CallRecord": raw_record(number, **fields), "EventTime": 1739960260123}
    ).encode()


def start_body(call_id: str = "call-000001", **fields: Any) -> bytes:
    """Return the body of the callback for the start of a call, as Tencent's sample has it."""
    info = {"CallId": call_id, "CallMediaType": "Video", "ChatGroupId": "g", "RoomId": "r-1", "RoomIdType": 2}
    users = [{"User_Account": 147, "Status": "Calling"}, {"User_Account": "369", "Status": "Waiting"}]
    return json.dumps(
        {"CallbackCommand": START, "CallInfo": info, "UserList": users, "EventTime": 1739960242000, **fields}
    ).encode()


def change_body(action: str = "Hang Up", **fields: Any) -> bytes:
    """Return the body of the callback for a change of a member."""
    return json.dumps(
        {
            "CallbackCommand": CHANGE,
            "CallId": "call-000001",
            "UserList": [{"User_Account": "147", "Status": "Calling"}],
            "ChangedUserList": [{"User_Account": 369, "ActionType": action}],
            "EventTime": 1739960250000,
            **fields,
        }
    ).encode()


@attrs.frozen
class Answer:
    """An answer of an ASGI application."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content)


Application = Callable[..., Awaitable[None]]


async def call(app: Application, *chunks: bytes, method: str = "POST", query: str | None = None) -> Answer:
    """Send a request to an ASGI application."""
    sent: list[MutableMapping[str, Any]] = []
    waiting = list(chunks) or [b""]

    async def receive() -> dict[str, Any]:
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    text = query_of() if query is None else query
    scope = {"type": "http", "method": method, "path": "/", "query_string": text.encode(), "headers": []}
    await app(scope, receive, send)
    start, *bodies = sent
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], headers, b"".join(message["body"] for message in bodies))
