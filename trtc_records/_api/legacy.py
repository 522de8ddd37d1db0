"""The dialect of the older service, which keeps calls that were started through deprecated interfaces of TUICallKit.

Tencent's pages: https://trtc.io/document/60136 (by conditions), https://trtc.io/document/60137 (by call id) and
https://trtc.io/document/60138, an overview. Their tables and samples do not agree whether a code or an id of a request
is a number or a text, and whether a look-up's record is the data or in it. They leave open how values are spelled,
whether ``callees`` may be a text, and which code says that a record does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from itertools import chain
from typing import Final

from trtc_records._api.dialect import Dialect
from trtc_records._api.error_codes import (
    ADMINISTRATOR,
    CHECK_CALL,
    CHECK_KEY,
    FIX_REQUEST,
    NO_RECORDS,
    RETRY,
    ErrorCodes,
)
from trtc_records._api.models import CallResult, CallType, MediaType, Region, Service
from trtc_records._api.wire import FIELDS, Read, RecordForm
from trtc_records._errors import (
    AccountError,
    AuthenticationError,
    CallRecordNotFoundError,
    InvalidRequestError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)

__all__ = ["LEGACY"]

_MEDIA_TYPES: Final = {"audio": MediaType.AUDIO, "video": MediaType.VIDEO}
_CALL_TYPES: Final = {"single": CallType.SINGLE_CALL, "group": CallType.MULTI_CALL}
_CALL_RESULTS: Final = {
    "cancel": CallResult.CANCEL,
    "reject": CallResult.REJECT,
    "not_answer": CallResult.NOT_ANSWER,
    "normal_end": CallResult.NORMAL_END,
    "call_busy": CallResult.CALL_BUSY,
    "interrupt": CallResult.INTERRUPT,
    "offline": CallResult.OFFLINE,  # in samples only
}


def _read_member(members: Mapping[str, Enum], read: Read) -> Read:
    """Return a hook that reads a member by the service's word in any spelling, and all else as *read* does."""
    words = {_strip(word): member for word, member in members.items()}

    def read_word(value: object, kind: object) -> object:
        member = words.get(_strip(value)) if type(value) is str else None
        return read(value, kind) if member is None else member

    return read_word


def _strip(word: str) -> str:
    return word.replace("_", "").lower()


def _read(attribute: str) -> Read:
    """Return the hook of the current service, which does not depend on names and words."""
    return FIELDS[attribute][1]


_read_list: Final = _read("callees")


def _read_callees(value: object, kind: object) -> object:
    """Read a list of user ids, or a text of them with commas in between, which no user id has."""
    if type(value) is str:
        value = [name for part in value.split(",") if (name := part.strip())]
    return _read_list(value, kind)


_RECORDS: Final = RecordForm(
    {
        "call_id": ("callId", _read("call_id")),
        "caller": ("caller", _read("caller")),
        "callees": ("callees", _read_callees),
        "media_type": ("mediaType", _read_member(_MEDIA_TYPES, _read("media_type"))),
        "call_type": ("callType", _read_member(_CALL_TYPES, _read("call_type"))),
        "call_result": ("callResult", _read_member(_CALL_RESULTS, _read("call_result"))),
        "start_time": ("startCallTs", _read("start_time")),
        "accept_time": ("acceptTs", _read("accept_time")),
        "end_time": ("endTs", _read("end_time")),
        "room_id": ("roomId", _read("room_id")),
    }
)
"""The kind of a room id has no field. ``sdkAppId`` and ``totalUserNumber`` have no attribute: ``extra`` keeps them."""

_USED_UP: Final = (
    "The app's processes together have used up its 200 calls per second or, with look-ups by call id, its 20 per "
    "second: slow down, or let them share a limiter"
)
_ERRORS: Final = ErrorCodes(
    rows={
        50001: (AccountError, "The app needs a package with the Group Call version. Buy it in Tencent's console"),
        70001: (InvalidRequestError, "Fix the parameter that the message names"),
        70002: (AuthenticationError, f"The UserSig is invalid. {CHECK_KEY}"),
        70003: (
            AuthenticationError,
            "The UserSig has expired. Pass a new user_sig, or secret_key= to have them signed",
        ),
        70004: (PermissionDeniedError, ADMINISTRATOR),
        70005: (RateLimitError, _USED_UP),
        70009: (InvalidRequestError, f"The service cannot read the body. {FIX_REQUEST}"),
        # Not documented here: the other service's.
        NO_RECORDS: (CallRecordNotFoundError, CHECK_CALL),
    },
    invalid_parameter=70001,
    renewal=frozenset({70003}),
    others=(ServerError, RETRY),
)

_INTERNATIONAL: Final = "callkit-intl.trtc.tencent-cloud.com"

LEGACY: Final = Dialect(
    service=Service.LEGACY,
    hosts={**dict.fromkeys(Region, _INTERNATIONAL), Region.CHINA: "callkit.trtc.tencent-cloud.com"},
    errors=_ERRORS,
    records=_RECORDS,
    filter_path="/v1/records/get_records_by_filter",
    lookup_path="/v1/records/get_record_by_callId",
    start_time="startTimestamp",
    end_time="endTimestamp",
    call_result="callResult",
    call_type="callType",
    page_size="numberPerPage",
    query_page="page",
    call_id="callId",
    spellings={member.value: word for word, member in chain(_CALL_TYPES.items(), _CALL_RESULTS.items())},
    needs_start=True,
    code="errorCode",
    info="errorMessage",
    request_id="requestId",
    result="data",
    page="page",
    total_num="totalNum",
    record_list="callRecordList",
    record="record",
    may_be_bare=True,
    lookups_per_second=20,
)
