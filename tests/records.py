"""Call records and answers as the service writes them, for tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from trtc_records._api.models import CallRecord, CallResult, CallType, MediaType, RoomIdType

JsonObject = dict[str, Any]

SAMPLE = """
{"ErrorCode": 0, "ErrorInfo": "", "ActionStatus": "OK",
 "RequestId": "Id-d3d6aa216dcc4cf4a4eee19c4942e740-O-Seq-2556133",
 "Response": {"TotalNum": 141, "Page": 2, "CallRecordList": [
  {"CallId": "04c9a0ac-8e38-4a19-be45-349c5ce7911b", "Caller_Account": "147", "MediaType": "Audio",
   "CallType": "SingleCall", "StartTime": 1739960242, "EndTime": 1739960245, "AcceptTime": 1739960244,
   "CallResult": "NormalEnd", "CalleeList_Account": ["147", "369"], "RoomId": "roomid-1434", "RoomIdType": 2},
  {"CallId": "055662e1-bc8a-469c-a334-1126c8c17d58", "Caller_Account": "3423", "MediaType": "Video",
   "CallType": "SingleCall", "StartTime": 1739960500, "EndTime": 1739960507, "AcceptTime": 1739960503,
   "CallResult": "NormalEnd", "CalleeList_Account": ["3423", "3243"], "RoomId": "roomid-1434", "RoomIdType": 2}]}}
"""
"""Tencent's sample response."""

REQUEST_ID = "Id-d3d6aa216dcc4cf4a4eee19c4942e740-O-Seq-2556133"
RECORDS = (
    CallRecord(
        call_id="04c9a0ac-8e38-4a19-be45-349c5ce7911b",
        caller="147",
        callees=("147", "369"),
        media_type=MediaType.AUDIO,
        call_type=CallType.SINGLE_CALL,
        call_result=CallResult.NORMAL_END,
        start_time=datetime(2025, 2, 19, 10, 17, 22, tzinfo=UTC),
        accept_time=datetime(2025, 2, 19, 10, 17, 24, tzinfo=UTC),
        end_time=datetime(2025, 2, 19, 10, 17, 25, tzinfo=UTC),
        room_id="roomid-1434",
        room_id_type=RoomIdType.STRING,
    ),
    CallRecord(
        call_id="055662e1-bc8a-469c-a334-1126c8c17d58",
        caller="3423",
        callees=("3423", "3243"),
        media_type=MediaType.VIDEO,
        call_type=CallType.SINGLE_CALL,
        call_result=CallResult.NORMAL_END,
        start_time=datetime(2025, 2, 19, 10, 21, 40, tzinfo=UTC),
        accept_time=datetime(2025, 2, 19, 10, 21, 43, tzinfo=UTC),
        end_time=datetime(2025, 2, 19, 10, 21, 47, tzinfo=UTC),
        room_id="roomid-1434",
        room_id_type=RoomIdType.STRING,
    ),
)
RAW_RECORDS: list[dict[str, Any]] = json.loads(SAMPLE)["Response"]["CallRecordList"]


def raw_record(number: int, **fields: Any) -> JsonObject:
    """Return the record of call *number*."""
    return {
        "CallId": f"call-{number:06}",
        "Caller_Account": "147",
        "MediaType": "Audio",
        "CallType": "SingleCall",
        "StartTime": 1_739_960_242 + number,
        "EndTime": 1_739_960_260 + number,
        "AcceptTime": 1_739_960_244 + number,
        "CallResult": "NormalEnd",
        "CalleeList_Account": ["147", "369"],
        "RoomId": "roomid-1434",
        "RoomIdType": 2,
        **fields,
    }


def call_id(number: int) -> str:
    """Return the id of call *number*."""
    return f"call-{number:06}"


def envelope(response: object = None, *, code: int = 0, info: str = "") -> JsonObject:
    """Return a whole answer."""
    answer = {
        "ErrorCode": code,
        "ErrorInfo": info,
        "ActionStatus": "FAIL" if code else "OK",
        "RequestId": "Id-test-O-Seq-1",
    }
    return answer if response is None else {**answer, "Response": response}


def page_answer(records: Sequence[JsonObject], page: int, total: int) -> JsonObject:
    """Return the answer that holds a page."""
    return envelope({"TotalNum": total, "Page": page, "CallRecordList": list(records)})


ENDINGS: dict[str, JsonObject] = {
    "Page 0": envelope({"TotalNum": 0, "Page": 0, "CallRecordList": []}),
    "Page 0 with the total": envelope({"TotalNum": 10**6, "Page": 0, "CallRecordList": []}),
    "an empty list": envelope({"Page": 7, "CallRecordList": []}),
    "error 101050": envelope(code=101050, info="no records"),
    "fields left out": envelope({}),
    "null fields": envelope({"TotalNum": None, "Page": None, "CallRecordList": None}),
    "no Response": envelope(),
    "a null Response": {**envelope(), "Response": None},
}
"""Every way in which API.md lets a walk end; the second keeps TotalNum, which tests replace by the true one."""
