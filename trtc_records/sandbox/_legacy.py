"""The older service: the same records and checks, under its own names, words and error codes. No I/O.

Tencent's pages: https://trtc.io/document/60136 (by conditions), https://trtc.io/document/60137 (by call id) and
https://trtc.io/document/60138, an overview.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Final

from trtc_records._api.models import CallResult, CallType, MediaType
from trtc_records.sandbox._requests import (
    RefusedError,
    read_object,
    refuse_rest,
    take_choice,
    take_integer,
    take_text,
)
from trtc_records.sandbox._service import PageNames, Respond, Service, add_member
from trtc_records.sandbox._store import NEW_CALL_RESULT, NEW_CALL_TYPE, Query, encode

__all__ = ["LegacyService"]

_PAGE: Final = PageNames("totalNum", "page", "callRecordList")
_DEFAULT_PAGE_SIZE: Final = 100
_FIELDS: Final = {
    "CallId": "callId",
    "Caller_Account": "caller",
    "MediaType": "mediaType",
    "CallType": "callType",
    "StartTime": "startCallTs",
    "AcceptTime": "acceptTs",
    "EndTime": "endTs",
    "CallResult": "callResult",
    "CalleeList_Account": "callees",
    "RoomId": "roomId",
}
_WORDS: Final[dict[str, str]] = {
    MediaType.AUDIO: "audio",
    MediaType.VIDEO: "video",
    CallType.SINGLE_CALL: "single",
    CallType.MULTI_CALL: "group",
    CallResult.CANCEL: "cancel",
    CallResult.REJECT: "reject",
    CallResult.NOT_ANSWER: "not_answer",
    CallResult.NORMAL_END: "normal_end",
    CallResult.CALL_BUSY: "call_busy",
    CallResult.INTERRUPT: "interrupt",
    CallResult.OFFLINE: "offline",
}
_VALUES: Final = {word: value for value, word in _WORDS.items()}
_INVALID_PARAMETER: Final = 70001
_BAD_SIGNATURE: Final = 70002
_INTERNAL: Final = 50000  # any code without a meaning is an internal error
_CODES: Final = {
    60002: _INVALID_PARAMETER,
    60003: 70009,
    60007: 70005,
    60009: _INVALID_PARAMETER,
    60010: 70004,
    60011: 70005,
    60012: _INVALID_PARAMETER,
    60018: 70005,
    60019: 70005,
    60025: _INVALID_PARAMETER,
    70001: 70003,
    70002: _BAD_SIGNATURE,
    70003: _BAD_SIGNATURE,
    70009: _BAD_SIGNATURE,
    70013: _BAD_SIGNATURE,
    70014: _BAD_SIGNATURE,
    70020: _BAD_SIGNATURE,
    70402: _INVALID_PARAMETER,
    101002: _INVALID_PARAMETER,
    101050: 101050,  # no page names the code for a record that does not exist
}
"""The code for each of the other service's."""


class LegacyService:
    """The answers of the older service.

    Args:
        service: The service with the records.
        sdk_app_id: The app.
        has_calls: Whether it keeps the calls; without, it has none.
    """

    def __init__(self, service: Service, sdk_app_id: int, *, has_calls: bool) -> None:
        self._service = service
        self._sdk_app_id = sdk_app_id
        self._has_calls = has_calls

    def answer(self, respond: Respond, method: str, query_string: bytes, body: bytes) -> bytes:
        """Answer one request within the quota by *respond*, a method of this object."""
        try:
            result = self._service.run(respond, method, query_string, body)
        except RefusedError as refusal:
            return self.refuse(refusal)
        assert result is not None
        return add_member(self._make_envelope(0, "Success"), b"data", result)

    def refuse(self, refusal: RefusedError) -> bytes:
        """Answer with the error code that stands for that of the other service."""
        return encode(self._make_envelope(_CODES.get(refusal.code, _INTERNAL), refusal.info))

    def refuse_frequency(self) -> bytes:
        """Answer that the quota is used up."""
        return self.refuse(RefusedError(60011, "call frequency exceeded"))

    def get_records_by_filter(self, body: bytes) -> bytes:
        """Return the data of a query.

        Raises:
            RefusedError: The body is wrong, or no records are left and the behaviour calls for an error.
        """
        query = self._read_query(body)
        total, records = self._service.find_page(query) if self._has_calls else (0, [])
        return self._service.write_page(query, total, [_translate(each, self._sdk_app_id) for each in records], _PAGE)

    def get_record_by_call_id(self, body: bytes) -> bytes:
        """Return the data of a look-up, without a record if there is none: no page says how that looks.

        Raises:
            RefusedError: The body is wrong, or the record does not exist and the behaviour calls for an error.
        """
        fields = read_object(body)
        call_id = take_text(fields, "callId")
        refuse_rest(fields)
        record = self._service.find_record(call_id) if self._has_calls else None
        extra = self._service.extra
        if record is not None:
            translated = _translate(record, self._sdk_app_id)
            return translated if self._service.behaviour.bare_record else add_member(extra, b"record", translated)
        match self._service.behaviour.end:
            case "error":
                raise RefusedError(101050, "no such call record")
            case "absent":
                return encode(extra)
            case "null":
                return encode({"record": None, **extra})
            case _:
                return encode({"record": {}, **extra})

    def _read_query(self, body: bytes) -> Query:
        now = int(self._service.read_clock())
        new = self._service.behaviour.new_enum_values
        fields = read_object(body)
        call_result = take_choice(
            fields, "callResult", {*(_WORDS[each] for each in CallResult), *[NEW_CALL_RESULT] * new}
        )
        call_type = take_choice(fields, "callType", {*(_WORDS[each] for each in CallType), *[NEW_CALL_TYPE] * new})
        query = Query(
            start_time=take_integer(fields, "startTimestamp", None, minimum=0),
            end_time=take_integer(fields, "endTimestamp", now, minimum=0),
            call_result=None if call_result is None else _VALUES.get(call_result, call_result),
            call_type=None if call_type is None else _VALUES.get(call_type, call_type),
            page_size=take_integer(fields, "numberPerPage", _DEFAULT_PAGE_SIZE, minimum=1),
            page=take_integer(fields, "page", 1, minimum=1),
        )
        refuse_rest(fields)
        if query.start_time > query.end_time:
            raise RefusedError(101002, "invalid parameter: startTimestamp is after endTimestamp")
        return query

    def _make_envelope(self, code: int, message: str) -> dict[str, Any]:
        shown = str(code) if self._service.behaviour.error_code_as_text else code
        request_id = self._service.draw_digits()
        return {"errorCode": shown, "errorMessage": message, "requestId": request_id, **self._service.extra}


@lru_cache(maxsize=65_536)
def _translate(record: bytes, sdk_app_id: int) -> bytes:
    """Return a record in the form of the older service, which has no field for the kind of a room id."""
    call = json.loads(record)
    del call["RoomIdType"]
    members = call["CalleeList_Account"]
    translated = {
        _FIELDS.get(name, name): _WORDS.get(value, value) if name.endswith(("Type", "Result")) else value
        for name, value in call.items()
    }
    return encode({**translated, "sdkAppId": sdk_app_id, "totalUserNumber": len(members)})
