"""The API without I/O: a query becomes a call, an answer becomes a page, a record or an error.

The vendor's pages: https://trtc.io/document/68931 (by conditions) and https://trtc.io/document/68930 (by call id).
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import attrs

from trtc_records._api.error_codes import NO_RECORDS, error_from_code
from trtc_records._api.models import CallRecord, CallRecordPage
from trtc_records._api.wire import read_integer, record_from_json, records_from_json
from trtc_records._errors import CallRecordNotFoundError, ResponseDecodeError, TransportError

__all__ = ["Answer", "Call", "Query", "build_target", "page_call", "read_page", "read_record", "record_call"]

_SERVICE: Final = "/v4/call_record_http_srv"
_RETRYABLE_STATUSES: Final = frozenset({408, 425, 429})
_SHOWN_BODY: Final = 200  # characters of an answer that is not JSON


@attrs.frozen
class Call:
    """Say what to ask the API, without the credential."""

    path: str
    body: Mapping[str, Any]

    @property
    def content(self) -> bytes:
        """Return the request's body; never empty, as the vendor wants."""
        return json.dumps(self.body).encode()


@attrs.frozen(kw_only=True)
class Query:
    """Say which records to ask for; ``None`` leaves a condition out."""

    start_time: int | None = None
    """Unix seconds."""
    end_time: int | None = None
    """Unix seconds."""
    call_result: str | None = None
    call_type: str | None = None
    page_size: int


@attrs.frozen
class Answer:
    """Hold an HTTP answer."""

    status: int
    headers: Mapping[str, str]
    content: bytes = attrs.field(repr=False)
    sent_at: float = 0.0
    """When the request was, on the event loop's clock."""


def page_call(query: Query, page: int) -> Call:
    """Ask for one page of *query*, numbered from 1."""
    conditions = {
        "StartTime": query.start_time,
        "EndTime": query.end_time,
        "CallResult": query.call_result,
        "CallType": query.call_type,
    }
    body: dict[str, Any] = {name: value for name, value in conditions.items() if value is not None}
    return Call(f"{_SERVICE}/get_record_by_filter", {**body, "NumberPerPage": query.page_size, "Page": page})


def record_call(call_id: str) -> Call:
    """Ask for one record."""
    return Call(f"{_SERVICE}/get_record_by_callid", {"CallId": call_id})


def build_target(path: str, *, sdk_app_id: int, identifier: str, user_sig: str) -> str:
    """Return path and query string of a request, with a fresh ``random``. It holds the credential."""
    return (
        f"{path}?sdkappid={sdk_app_id}&identifier={quote(identifier, safe='')}&usersig={quote(user_sig, safe='*')}"
        f"&random={random.getrandbits(32)}&contenttype=json"
    )


def read_page(answer: Answer, requested: int, *, keep_invalid: bool = False) -> CallRecordPage:
    """Read the answer to :func:`page_call`; a page without records is where a walk ends.

    The vendor documents ``Page`` 0 as the end. An empty or absent list and the error 101050 say the same.

    Raises:
        APIError: The service answered with another error code.
        TransportError: The status is not 200.
        ResponseDecodeError: The answer is not the contract.
    """
    try:
        response, request_id = _read_response(answer)
    except CallRecordNotFoundError as error:
        return CallRecordPage(records=(), page=0, request_id=error.request_id)
    raw_records = response.get("CallRecordList")
    if raw_records is None:
        raw_records = []
    if not isinstance(raw_records, list):
        raise ResponseDecodeError("expected an array", "$.Response.CallRecordList", raw_records, request_id)
    number = _read_number(response, "Page", request_id)
    if number is None:
        number = requested if raw_records else 0
    records, invalid = records_from_json(
        raw_records, "$.Response.CallRecordList", request_id, keep_invalid=keep_invalid
    )
    return CallRecordPage(
        records=records,
        invalid=invalid,
        page=number,
        total_num=_read_number(response, "TotalNum", request_id),
        request_id=request_id,
    )


def read_record(answer: Answer) -> CallRecord:
    """Read the answer to :func:`record_call`.

    Raises:
        CallRecordNotFoundError: There is no such record.
        APIError: The service answered with another error code.
        TransportError: The status is not 200.
        ResponseDecodeError: The answer is not the contract.
    """
    response, request_id = _read_response(answer)
    raw = response.get("CallRecord")
    if raw is None:
        raise error_from_code(NO_RECORDS, "the answer holds no record", request_id)
    return record_from_json(raw, path="$.Response.CallRecord", request_id=request_id)


def _read_response(answer: Answer) -> tuple[dict[str, Any], str]:
    """Return what an answer holds, nothing if it is left out, and the RequestId; raise what it reports."""
    envelope = _read_envelope(answer)
    request_id = _read_request_id(envelope)
    code = _read_code(envelope, request_id)
    if code:
        raise error_from_code(code, _read_info(envelope), request_id)
    response = envelope.get("Response")
    if response is None:
        return {}, request_id
    if not isinstance(response, dict):
        raise ResponseDecodeError("expected an object", "$.Response", response, request_id)
    return response, request_id


def _read_envelope(answer: Answer) -> dict[str, Any]:
    if answer.status != 200:
        raise _error_from_status(answer)
    try:
        envelope = json.loads(answer.content)
    except (ValueError, RecursionError) as error:
        reason = f"not JSON ({type(error).__name__})"
    else:
        if isinstance(envelope, dict):
            return envelope
        raise ResponseDecodeError("expected an object", "$", envelope)
    # A gateway, or a cut connection, wrote this: the next try may get a whole answer.
    shown = answer.content[:_SHOWN_BODY].decode(errors="replace")
    raise ResponseDecodeError(reason, "$", shown, retryable=True)


def _error_from_status(answer: Answer) -> TransportError:
    status = answer.status
    if 300 <= status < 400:
        return TransportError(
            f"HTTP status {status}: a redirect, which is not followed because the URL carries the credential",
            status,
            retryable=False,
        )
    retryable = status >= 500 or status in _RETRYABLE_STATUSES
    remedy = "a gateway's, not the API's" if retryable else "check region or base_url"
    return TransportError(f"HTTP status {status}: {remedy}", status, _read_retry_after(answer), retryable)


def _read_retry_after(answer: Answer) -> float | None:
    value = answer.headers.get("retry-after", "").strip()
    return float(value) if value.isascii() and value.isdecimal() else None


def _read_code(envelope: dict[str, Any], request_id: str) -> int:
    code = _read_number(envelope, "ErrorCode", request_id, parent_path="$")
    if code is None:
        raise ResponseDecodeError("is missing", "$.ErrorCode", None, request_id)
    return code


def _read_number(parent: dict[str, Any], name: str, request_id: str, *, parent_path: str = "$.Response") -> int | None:
    value = parent.get(name)
    if value is None:
        return None
    try:
        return read_integer(value)
    except ValueError as error:
        raise ResponseDecodeError(str(error), f"{parent_path}.{name}", value, request_id) from None


def _read_request_id(envelope: dict[str, Any]) -> str:
    value = envelope.get("RequestId")
    return value if isinstance(value, str) else ""


def _read_info(envelope: dict[str, Any]) -> str:
    value = envelope.get("ErrorInfo")
    return value if isinstance(value, str) else ""
