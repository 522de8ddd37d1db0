"""Call records and answers as the service writes them, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

JsonObject = dict[str, Any]


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
