"""Tencent's callbacks, read. No I/O.

Tencent's pages: https://trtc.io/document/68941 (start), https://trtc.io/document/68940 (end) and
https://trtc.io/document/69215 (members). Where a sample contradicts its table, both are read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs

import attrs

from trtc_records._api.models import CallRecord, MediaType, RoomIdType
from trtc_records._api.webhook import WebhookEvent
from trtc_records._api.wire import read_integer, read_room_id_type, record_from_json
from trtc_records._checks import clean_text
from trtc_records._errors import CallRecordsError, ConfigurationError, ResponseDecodeError, shorten

__all__ = [
    "CallEnded",
    "CallMember",
    "CallStarted",
    "MemberChange",
    "MembersChanged",
    "UnknownWebhook",
    "WebhookError",
    "parse_webhook",
]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_ID: Final = 256  # characters; Tencent's have 36, and an id is kept while its call is looked up

Item = TypeVar("Item")


class WebhookError(CallRecordsError):
    """A request that is no callback for this app, or one that cannot be read."""

    def __init__(self, reason: str, path: str = "$", value: Any = None, status: int = 400) -> None:
        super().__init__(reason, path, value, status)
        self.reason = reason
        self.path = path
        """The place in the body, as a JSON path; ``?SdkAppid`` for the parameter of the URL."""
        self.value = value
        """The value at that place."""
        self.status = status
        """The HTTP status to answer with: 403 for another app's callback, otherwise 400."""

    def __str__(self) -> str:
        text = f"{self.path}: {self.reason}"
        return text if self.reason == "is missing" else f"{text}, got {shorten(self.value)}"


@attrs.frozen(kw_only=True)
class CallMember:
    """A member of a call."""

    user_id: str
    status: str = ""
    """The member's status, in Tencent's words; empty if the callback has none."""
    extra: dict[str, Any] = attrs.field(factory=dict, hash=False)
    """Fields that this version does not know, as Tencent sent them."""


@attrs.frozen(kw_only=True)
class MemberChange:
    """A change of a member of a call."""

    user_id: str
    action: str = ""
    """The change, in Tencent's words, which has several spellings of some, such as ``Hangup`` and ``Hang Up``."""
    extra: dict[str, Any] = attrs.field(factory=dict, hash=False)
    """Fields that this version does not know, as Tencent sent them."""


@attrs.frozen(kw_only=True)
class CallStarted:
    """A callback that says that a call has started. It is not signed, and the service cannot confirm it."""

    call_id: str
    """The call's id."""
    media_type: MediaType | str | None = None
    chat_group_id: str = ""
    """The chat group of a group call; empty if it has none."""
    room_id: str = ""
    room_id_type: RoomIdType | int | str = RoomIdType.NONE
    members: tuple[CallMember, ...] = ()
    event_time: datetime | None = None
    """When the event happened, in UTC; ``None`` if the callback has no time that can be read."""
    extra: dict[str, Any] = attrs.field(factory=dict, hash=False)
    """Fields that this version does not know, as Tencent sent them; those of ``CallInfo`` under that name."""


@attrs.frozen(kw_only=True)
class CallEnded:
    """A callback that says that a call has ended."""

    record: CallRecord
    """The call's record: the service's own if the callback is verified, otherwise the callback's."""
    verified: bool = False
    """Whether the service has confirmed it. Then nothing here comes from the callback, which may be forged."""
    event_time: datetime | None = None
    """When the event happened, in UTC; ``None`` if the callback has no time that can be read, or is verified."""
    extra: dict[str, Any] = attrs.field(factory=dict, hash=False)
    """Fields that this version does not know, as Tencent sent them; those of the record are in the record's."""


@attrs.frozen(kw_only=True)
class MembersChanged:
    """A callback that says that members of a call have changed. It is not signed, and the service cannot confirm it."""

    call_id: str
    """The call's id."""
    members: tuple[CallMember, ...] = ()
    changes: tuple[MemberChange, ...] = ()
    event_time: datetime | None = None
    """When the event happened, in UTC; ``None`` if the callback has no time that can be read."""
    extra: dict[str, Any] = attrs.field(factory=dict, hash=False)
    """Fields that this version does not know, as Tencent sent them."""


@attrs.frozen(kw_only=True)
class UnknownWebhook:
    """A callback with a command that this version does not know."""

    command: str
    """Tencent's name of it."""
    body: bytes
    """The body as it came, a JSON object."""


def parse_webhook(
    query: str | bytes | Mapping[str, Any], body: bytes | str, *, sdk_app_id: int
) -> CallStarted | CallEnded | MembersChanged | UnknownWebhook:
    """Read a callback.

    Callbacks are not signed: anybody who knows the URL can send one. :class:`WebhookApp` verifies them.

    Args:
        query: The URL's query string, or its parameters.
        body: The request's body.
        sdk_app_id: The app whose callbacks are expected.

    Raises:
        ConfigurationError: *query* or *body* is of another type.
        WebhookError: It is another app's, or cannot be read; with the path of the bad value and the HTTP status to
            answer with.
    """
    if not isinstance(query, str | bytes | Mapping):
        raise ConfigurationError(f"query={shorten(query)}: pass the URL's query string, or its parameters")
    if not isinstance(body, str | bytes | bytearray | memoryview):
        raise ConfigurationError(f"body={shorten(body)}: pass the request's body, as bytes or text")
    parameters = _read_query(query)
    _check_app(parameters.get("sdkappid", []), sdk_app_id)
    content = body.encode(errors="replace") if isinstance(body, str) else bytes(body)
    root = _Object(_read_json(content), "$")
    command = root.fields.get("CallbackCommand")
    if command is None:
        command = next(iter(parameters.get("callbackcommand", [])), None)
    if not isinstance(command, str) or not command:
        raise WebhookError("is missing" if not command else "expected a string", "$.CallbackCommand", command)
    if command == WebhookEvent.CALL_ENDED:
        return _read_end(root)
    if command == WebhookEvent.CALL_STARTED:
        return _read_start(root)
    if command == WebhookEvent.MEMBERS_CHANGED:
        return _read_change(root)
    return UnknownWebhook(command=command, body=content)


def _read_query(query: str | bytes | Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the values of each parameter, by its name in lower case."""
    if isinstance(query, bytes):
        query = query.decode("ascii", errors="replace")
    raw = parse_qs(query.removeprefix("?"), keep_blank_values=True) if isinstance(query, str) else query
    parameters: dict[str, list[str]] = {}
    for name, value in raw.items():
        values = value if isinstance(value, list | tuple) else [value]
        parameters.setdefault(str(name).lower(), []).extend(map(str, values))
    return parameters


def _check_app(found: list[str], sdk_app_id: int) -> None:
    if not found:
        raise WebhookError("is missing", "?SdkAppid")
    for value in found:
        if value.strip() != str(sdk_app_id):
            raise WebhookError(f"expected {sdk_app_id}", "?SdkAppid", value, 403)


def _read_json(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        reason = f"not JSON ({type(error).__name__})"
        raise WebhookError(reason, "$", content[:_LONGEST_ID].decode(errors="replace")) from None
    if not isinstance(value, dict):
        raise WebhookError("expected an object", "$", value)
    return value


@attrs.frozen
class _Object:
    """A JSON object of the body, and its path."""

    fields: dict[str, Any]
    path: str

    def read_call_id(self) -> str:
        value = self.fields.get("CallId")
        if value is None:
            raise WebhookError("is missing", f"{self.path}.CallId")
        text = self.read_text("CallId")
        _check_call_id(text, f"{self.path}.CallId")
        return text

    def read_user_id(self) -> str:
        if self.fields.get("User_Account") is None:
            raise WebhookError("is missing", f"{self.path}.User_Account")
        return self.read_text("User_Account")

    def read_text(self, name: str) -> str:
        """Return a text, which may be left out; an id made of digits may be a number."""
        value = self.fields.get(name)
        if value is None:
            return ""
        if isinstance(value, str):
            return value
        if type(value) is int:
            return str(value)
        raise WebhookError("expected a string", f"{self.path}.{name}", value)

    def read_object(self, name: str) -> _Object:
        value = self.fields.get(name)
        path = f"{self.path}.{name}"
        if value is None:
            raise WebhookError("is missing", path)
        if not isinstance(value, dict):
            raise WebhookError("expected an object", path, value)
        return _Object(value, path)

    def read_list(self, name: str, read: Callable[[_Object], Item]) -> tuple[Item, ...]:
        """Return the items of an array, which may be left out; a user id alone stands for an object with it."""
        value = self.fields.get(name)
        path = f"{self.path}.{name}"
        if value is None:
            return ()
        if not isinstance(value, list):
            raise WebhookError("expected an array", path, value)
        items = []
        for index, item in enumerate(value):
            fields = {"User_Account": item} if isinstance(item, str) or type(item) is int else item
            if not isinstance(fields, dict):
                raise WebhookError("expected an object", f"{path}[{index}]", item)
            items.append(read(_Object(fields, f"{path}[{index}]")))
        return tuple(items)

    def read_event_time(self) -> tuple[datetime | None, dict[str, Any]]:
        """Return the time of the event; one that cannot be read comes back as an extra field."""
        value = self.fields.get("EventTime")
        try:
            milliseconds = 0 if value is None else read_integer(value)
            if milliseconds == 0:
                return None, {}
            if milliseconds > 0:
                return _EPOCH + timedelta(milliseconds=milliseconds), {}
        except (ValueError, OverflowError):
            pass
        return None, {"EventTime": value}

    def rest(self, *known: str) -> dict[str, Any]:
        """Return the fields other than *known*."""
        return {name: value for name, value in self.fields.items() if name not in known}


def _check_call_id(call_id: str, path: str) -> None:
    """Check that an id can be one of a call.

    Raises:
        WebhookError: It cannot.
    """
    if clean_text(call_id) is None or len(call_id) > _LONGEST_ID:
        raise WebhookError(f"expected a text of 1 to {_LONGEST_ID} characters", path, call_id)


def _read_end(root: _Object) -> CallEnded:
    try:
        record = record_from_json(root.read_object("CallRecord").fields, path="$.CallRecord")
    except ResponseDecodeError as error:
        raise WebhookError(error.reason, error.path, error.value) from None
    _check_call_id(record.call_id, "$.CallRecord.CallId")
    event_time, odd = root.read_event_time()
    return CallEnded(
        record=record,
        event_time=event_time,
        extra=root.rest("CallbackCommand", "CallRecord", "EventTime") | odd,
    )


def _read_start(root: _Object) -> CallStarted:
    info = root.read_object("CallInfo")
    event_time, odd = root.read_event_time()
    unknown = info.rest("CallId", "MediaType", "CallMediaType", "ChatGroupId", "RoomId", "RoomIdType")
    medium = info.read_text("MediaType") or info.read_text("CallMediaType")
    return CallStarted(
        call_id=info.read_call_id(),
        media_type=MediaType(medium) if medium in set(MediaType) else medium or None,
        chat_group_id=info.read_text("ChatGroupId"),
        room_id=info.read_text("RoomId"),
        room_id_type=read_room_id_type(info.read_text("RoomIdType") or None),
        members=root.read_list("UserList", _read_member),
        event_time=event_time,
        extra=root.rest("CallbackCommand", "CallInfo", "UserList", "EventTime")
        | odd
        | ({"CallInfo": unknown} if unknown else {}),
    )


def _read_change(root: _Object) -> MembersChanged:
    event_time, odd = root.read_event_time()
    return MembersChanged(
        call_id=root.read_call_id(),
        members=root.read_list("UserList", _read_member),
        changes=root.read_list("ChangedUserList", _read_member_change),
        event_time=event_time,
        extra=root.rest("CallbackCommand", "CallId", "UserList", "ChangedUserList", "EventTime") | odd,
    )


def _read_member(item: _Object) -> CallMember:
    return CallMember(
        user_id=item.read_user_id(), status=item.read_text("Status"), extra=item.rest("User_Account", "Status")
    )


def _read_member_change(item: _Object) -> MemberChange:
    return MemberChange(
        user_id=item.read_user_id(), action=item.read_text("ActionType"), extra=item.rest("User_Account", "ActionType")
    )
