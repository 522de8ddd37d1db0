"""Callbacks: which of them a change of a call brings, when they are due, and how they look. No I/O.

Tencent's samples and tables contradict each other (https://trtc.io/document/68941, https://trtc.io/document/69215).
Each callback takes one of the documented forms by chance.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import attrs

from trtc_records._api.models import CallResult
from trtc_records.sandbox._data import Calls
from trtc_records.sandbox._live import CallEvent
from trtc_records.sandbox._options import Webhooks
from trtc_records.sandbox._store import encode

__all__ = ["AFTER_END_CALL", "AFTER_MEMBER_CHANGED", "AFTER_START_CALL", "COMMANDS", "Callback", "Callbacks"]

AFTER_START_CALL: Final = "Call.CallbackAfterStartCall"
AFTER_END_CALL: Final = "Call.CallbackAfterEndCall"
AFTER_MEMBER_CHANGED: Final = "Call.CallbackAfterMemberChanged"
COMMANDS: Final = (AFTER_START_CALL, AFTER_END_CALL, AFTER_MEMBER_CHANGED)

_FORGERS: Final = 20
_CLIENT_IP: Final = "203.0.113.7"  # an address for documentation (RFC 5737)
_PLATFORMS: Final = ("Android", "iOS", "Web", "Windows")
_ACCEPT: Final = ("Accept", "Answer")
_LAST_ACTIONS: Final = {
    CallResult.NORMAL_END.value: ("Hangup", "HangUp", "Hang Up"),
    CallResult.CANCEL.value: ("Cancel_Invite", "Canncel_Invite"),
    CallResult.REJECT.value: ("Reject",),
    CallResult.NOT_ANSWER.value: ("NotAnswer",),
    CallResult.INTERRUPT.value: ("Offline",),
    CallResult.OFFLINE.value: ("Offline",),
}
"""The spellings of the change of a member that ends a call, by the call's result; a busy member does not change."""


@attrs.frozen
class Callback:
    """A request to the receiver of callbacks."""

    query: str
    """The parameters to add to its URL."""
    body: bytes


class Callbacks:
    """The callbacks of calls, each due at the time of its change or later.

    Args:
        sdk_app_id: The app.
        webhooks: Their faults.
        dress: Returns a call in the form of the service's records.
        seed: The same seed and changes bring the same callbacks and faults.
    """

    def __init__(
        self,
        sdk_app_id: int,
        webhooks: Webhooks,
        dress: Callable[[dict[str, Any]], dict[str, Any]],
        *,
        seed: int,
    ) -> None:
        self._sdk_app_id = sdk_app_id
        self._webhooks = webhooks
        self._dress = dress
        self._rng = random.Random(f"callbacks:{seed}")
        self._order = random.Random(f"order:{seed}")
        self._forged_calls = Calls(f"forgeries:{seed}", users=_FORGERS)
        self._due: list[tuple[float, float, Callback]] = []
        self.counts: Counter[str] = Counter()
        """The faults so far: ``lost``, ``repeated`` and ``forged``."""

    def add(self, event: CallEvent, wanted: Collection[str]) -> None:
        """Add the callbacks of a change; those of commands other than *wanted* are drawn all the same, and dropped."""
        webhooks, rng = self._webhooks, self._rng
        for body in self._make_bodies(event):
            is_lost, copies = rng.random() < webhooks.loss, 1 + (rng.random() < webhooks.repetition)
            dues = [event.time + webhooks.delay * rng.random() for _ in range(copies)]
            if body["CallbackCommand"] not in wanted:
                continue
            if is_lost:
                self.counts["lost"] += 1
                continue
            self.counts["repeated"] += copies - 1
            for due in dues:
                self._schedule(due, body)
        if event.kind == "end" and rng.random() < webhooks.forgery:
            forged, due = self._forge(event), event.time + webhooks.delay * rng.random()
            if AFTER_END_CALL in wanted:
                self.counts["forged"] += 1
                self._schedule(due, forged)

    def take_due(self, now: float) -> list[Callback]:
        """Remove and return the callbacks that are due by *now*, in Unix seconds."""
        due = []
        while self._due and self._due[0][0] <= now:
            due.append(heapq.heappop(self._due)[-1])
        return due

    def _schedule(self, due: float, body: dict[str, Any]) -> None:
        parameters = {
            "SdkAppid": self._sdk_app_id,
            "CallbackCommand": body["CallbackCommand"],
            "contenttype": "json",
            "ClientIP": _CLIENT_IP,
            "OptPlatform": self._order.choice(_PLATFORMS),
        }
        callback = Callback(urlencode(parameters), encode(body))
        # The order of what is due at the same time is drawn, as none is documented.
        heapq.heappush(self._due, (due, self._order.random(), callback))

    def _make_bodies(self, event: CallEvent) -> list[dict[str, Any]]:
        call = event.call
        match event.kind:
            case "start":
                return [self._make_start(event)]
            case "answer":
                return [self._make_change(event, _ACCEPT)]
            case "end":
                spellings = _LAST_ACTIONS.get(call["CallResult"])
                changes = [self._make_change(event, spellings)] if spellings else []
                return [*changes, self._make_end(event, call)]

    def _make_start(self, event: CallEvent) -> dict[str, Any]:
        call = event.call
        is_like_sample = self._rng.random() < 0.5
        users = _list_users(call["CalleeList_Account"], connected=1)
        if is_like_sample:
            for user in users:
                account = user["User_Account"]
                user["User_Account"] = int(account) if account.isdigit() else account
        return {
            "CallbackCommand": AFTER_START_CALL,
            "CallInfo": {
                "CallId": call["CallId"],
                "CallMediaType" if is_like_sample else "MediaType": call["MediaType"],
                "ChatGroupId": "",
                "RoomId": call["RoomId"],
                "RoomIdType": call["RoomIdType"],
            },
            "UserList": users,
            "EventTime": _to_milliseconds(event.time),
        }

    def _make_change(self, event: CallEvent, spellings: Sequence[str]) -> dict[str, Any]:
        """Make the change of the last member; which of them acted is no part of a record."""
        members = event.call["CalleeList_Account"]
        return {
            "CallbackCommand": AFTER_MEMBER_CHANGED,
            "CallId": event.call["CallId"],
            "UserList": _list_users(members, connected=len(members) if event.call["AcceptTime"] else 1),
            "ChangedUserList": [{"User_Account": members[-1], "ActionType": self._rng.choice(spellings)}],
            "EventTime": _to_milliseconds(event.time),
        }

    def _make_end(self, event: CallEvent, call: dict[str, Any]) -> dict[str, Any]:
        return {
            "CallbackCommand": AFTER_END_CALL,
            "CallRecord": self._dress(call),
            "EventTime": _to_milliseconds(event.time),
        }

    def _forge(self, event: CallEvent) -> dict[str, Any]:
        """Make an end that is not true: of a call that does not exist, or of this one with another call's content."""
        call = event.call
        forged = self._forged_calls.make(call["StartTime"], latest=call["EndTime"])
        if self._rng.random() < 0.5:
            forged["CallId"] = call["CallId"]
        return self._make_end(event, forged)


def _list_users(members: Sequence[str], *, connected: int) -> list[dict[str, Any]]:
    """Return the members of a call, of whom the first *connected* are."""
    return [
        {"User_Account": member, "Status": "Calling" if place < connected else "Waiting"}
        for place, member in enumerate(members)
    ]


def _to_milliseconds(seconds: float) -> int:
    return int(seconds * 1_000)
