"""The API without I/O: a query becomes a request, a response becomes a page, a record or an error.

Tencent's pages: https://trtc.io/document/68931 (by conditions), https://trtc.io/document/68930 (by call id) and those
in :mod:`trtc_records._api.webhook`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import quote

import attrs

from trtc_records._api.error_codes import NO_RECORDS, NO_WEBHOOK, error_from_code
from trtc_records._api.models import CallRecord, CallRecordPage
from trtc_records._api.query import Query
from trtc_records._api.webhook import Webhook, read_event
from trtc_records._api.wire import read_integer, record_from_json, records_from_json
from trtc_records._errors import APIError, CallRecordNotFoundError, ResponseDecodeError, TransportError, shorten

__all__ = [
    "SERVICE_PATH",
    "Request",
    "Response",
    "build_target",
    "delete_webhook_request",
    "get_webhook_request",
    "page_request",
    "read_http_date",
    "read_nothing",
    "read_page",
    "read_record",
    "read_retry_after",
    "read_webhook",
    "record_request",
    "set_webhook_request",
]

SERVICE_PATH: Final = "/v4/call_record_http_srv"
"""The path of the call-record service, before the name of a command."""

_WEBHOOK_PATH: Final = "/v4/call_config"
_RETRYABLE_STATUSES: Final = frozenset({408, 425, 429})
_SHOWN_BODY: Final = 200  # characters of a body that is not JSON
_LONGEST_NUMBER: Final = 15  # digits of the seconds in a Retry-After
_LARGEST_COUNT: Final = 2**53  # the largest integer up to which every float is exact
_MOST_DIGITS: Final = 640  # the smallest limit on integers that Python can be set to


@attrs.frozen
class Request:
    """A request to the API, without the credential."""

    path: str
    body: Mapping[str, Any]

    @property
    def content(self) -> bytes:
        """Return the body; it is never empty, as Tencent demands."""
        return json.dumps(self.body).encode()


@attrs.frozen
class Response:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    content: bytes = attrs.field(repr=False)
    sent_at: float = 0.0
    """The time when the request was sent, on the event loop's clock."""
    connection: Any = attrs.field(default=None, repr=False, eq=False)
    """The connection that it came over; only the transport knows its type."""


def page_request(query: Query, page: int) -> Request:
    """Return the request for one page of *query*; pages are numbered from 1."""
    conditions = {
        "StartTime": query.start_time,
        "EndTime": query.end_time,
        "CallResult": query.call_result,
        "CallType": query.call_type,
    }
    body: dict[str, Any] = {name: value for name, value in conditions.items() if value is not None}
    return Request(f"{SERVICE_PATH}/get_record_by_filter", {**body, "NumberPerPage": query.page_size, "Page": page})


def record_request(call_id: str) -> Request:
    """Return the request for one record."""
    return Request(f"{SERVICE_PATH}/get_record_by_callid", {"CallId": call_id})


def get_webhook_request() -> Request:
    """Return the request for the app's webhook."""
    return Request(f"{_WEBHOOK_PATH}/get_callback", {})


def set_webhook_request(webhook: Webhook) -> Request:
    """Return the request that makes *webhook* the app's one."""
    return Request(
        f"{_WEBHOOK_PATH}/set_callback",
        {"Url": webhook.url, "CallbackCommandList": [str(name) for name in webhook.events]},
    )


def delete_webhook_request() -> Request:
    """Return the request that removes the app's webhook."""
    return Request(f"{_WEBHOOK_PATH}/delete_callback", {})


def build_target(path: str, *, sdk_app_id: int, identifier: str, user_sig: str) -> str:
    """Return path and query string of a request, with a fresh ``random``. They contain the credential."""
    return (
        f"{path}?sdkappid={sdk_app_id}&identifier={quote(identifier, safe='')}&usersig={quote(user_sig, safe='*')}"
        f"&random={random.getrandbits(32)}&contenttype=json"
    )


def read_page(response: Response, requested: int, *, keep_invalid: bool = False) -> CallRecordPage:
    """Read the response to :func:`page_request`; a page without records ends a walk.

    Tencent documents ``Page`` 0 as the end. An empty or absent list and the error 101050 mean the same. An empty map
    is an empty list, and an empty list an empty map: some languages do not tell them apart.

    Raises:
        APIError: The service answered with another error code.
        TransportError: The status is not 200.
        ResponseDecodeError: The response breaks the contract.
    """
    try:
        result, request_id = _read_result(response)
    except CallRecordNotFoundError as error:
        return CallRecordPage(records=(), page=0, request_id=error.request_id)
    raw_records = result.get("CallRecordList")
    if raw_records is None or raw_records == {}:
        raw_records = []
    if not isinstance(raw_records, list):
        raise ResponseDecodeError("expected an array", "$.Response.CallRecordList", raw_records, request_id)
    number = _read_count(result, "Page", request_id)
    if number is None:
        number = requested if raw_records else 0
    records, invalid = records_from_json(
        raw_records, "$.Response.CallRecordList", request_id, keep_invalid=keep_invalid
    )
    return CallRecordPage(
        records=records,
        invalid=invalid,
        page=number,
        total_num=_read_count(result, "TotalNum", request_id),
        request_id=request_id,
    )


def read_record(response: Response, requested: str | None = None) -> CallRecord:
    """Read the response to :func:`record_request`.

    Args:
        response: The response.
        requested: The call id that the record must have, in whatever case; by default any.

    Raises:
        CallRecordNotFoundError: The record does not exist, or has expired.
        APIError: The service answered with another error code.
        TransportError: The status is not 200.
        ResponseDecodeError: The response breaks the contract.
    """
    result, request_id = _read_result(response)
    raw = result.get("CallRecord")
    if raw is None or raw in ({}, []):
        raise error_from_code(NO_RECORDS, "the answer holds no record", request_id)
    record = record_from_json(raw, path="$.Response.CallRecord", request_id=request_id)
    if requested is not None and record.call_id.casefold() != requested.casefold():
        # A connection that is one response behind gives that to an earlier request; another connection may do better.
        reason = f"expected {shorten(requested)}, so this answers another request"
        raise ResponseDecodeError(reason, "$.Response.CallRecord.CallId", record.call_id, request_id, retryable=True)
    return record


def read_retry_after(response: Response, now: float) -> float | None:
    """Return the seconds that ``Retry-After`` asks to wait, or ``None`` if it does not or cannot be read.

    Args:
        response: The response.
        now: The Unix seconds that a date counts from if the response has no ``Date``.
    """
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value) if len(value) <= _LONGEST_NUMBER else float("inf")
    until = read_http_date(value)
    if until is None:
        return None
    sent = read_http_date(response.headers.get("date", ""))
    return max(until - (now if sent is None else sent), 0.0)


def read_http_date(text: str) -> float | None:
    """Return the Unix seconds of a date in one of HTTP's three forms, or ``None`` if it is none."""
    try:
        date = parsedate_to_datetime(text)
        # HTTP's dates are in UTC, also in the form that does not say so.
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def read_webhook(response: Response) -> Webhook | None:
    """Read the response to :func:`get_webhook_request`; ``None`` where the app has no webhook.

    Tencent's page does not say whether the fields stand in ``Response`` or beside it.

    Raises:
        APIError: The service answered with another error code.
        TransportError: The status is not 200.
        ResponseDecodeError: The response breaks the contract.
    """
    try:
        result, request_id = _read_result(response)
    except APIError as error:
        if error.code == NO_WEBHOOK:
            return None
        raise
    path = "$.Response"
    if "Url" not in result:
        result, path = _read_envelope(response), "$"
    url, names = result.get("Url"), result.get("CallbackCommandList")
    if url is None or url == "":
        return None
    if not isinstance(url, str):
        raise ResponseDecodeError("expected a string", f"{path}.Url", url, request_id)
    if names is None:
        names = []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ResponseDecodeError("expected an array of strings", f"{path}.CallbackCommandList", names, request_id)
    return Webhook(url=url, events=tuple(read_event(name) for name in names))


def read_nothing(response: Response) -> None:
    """Read the response to a request that changes the webhook; there is none to delete where none is configured.

    Raises:
        APIError: The service answered with another error code.
        TransportError: The status is not 200.
        ResponseDecodeError: The response breaks the contract.
    """
    try:
        _read_result(response)
    except APIError as error:
        if error.code != NO_WEBHOOK:
            raise


def _read_result(response: Response) -> tuple[dict[str, Any], str]:
    """Return the ``Response`` object of a response, empty if it is left out, and the RequestId; raise its error."""
    envelope = _read_envelope(response)
    request_id = _read_request_id(envelope)
    code = _read_code(envelope, request_id)
    if code:
        raise error_from_code(code, _read_info(envelope), request_id)
    result = envelope.get("Response")
    if result is None or result == []:
        return {}, request_id
    if not isinstance(result, dict):
        raise ResponseDecodeError("expected an object", "$.Response", result, request_id)
    return result, request_id


def _read_envelope(response: Response) -> dict[str, Any]:
    if response.status != 200:
        raise _error_from_status(response)
    try:
        envelope = _load(response.content)
    except (ValueError, RecursionError) as error:
        reason = f"not JSON ({type(error).__name__})"
    else:
        if isinstance(envelope, dict):
            return envelope
        raise ResponseDecodeError("expected an object", "$", envelope)
    # A gateway, or a cut connection, wrote this: the next try may get a whole response.
    shown = response.content[:_SHOWN_BODY].decode(errors="replace")
    raise ResponseDecodeError(reason, "$", shown, retryable=True)


def _load(content: bytes) -> Any:
    """Return the JSON value *content*; an integer that Python finds too long stays a text.

    Raises:
        ValueError: It is not JSON.
        RecursionError: It is nested too deeply.
    """
    try:
        return json.loads(content)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except ValueError:
        return json.loads(content, parse_int=_read_long)


def _read_long(digits: str) -> int | str:
    return int(digits) if len(digits) < _MOST_DIGITS else digits


def _error_from_status(response: Response) -> TransportError:
    status = response.status
    if 300 <= status < 400:
        return TransportError(
            f"HTTP status {status}: a redirect, which is not followed because the URL carries the credential",
            status,
            retryable=False,
        )
    retryable = status >= 500 or status in _RETRYABLE_STATUSES
    remedy = "a gateway's, not the API's" if retryable else "check region or base_url"
    return TransportError(f"HTTP status {status}: {remedy}", status, retryable=retryable)


def _read_code(envelope: dict[str, Any], request_id: str) -> int:
    code = _read_number(envelope, "ErrorCode", "$", request_id)
    if code is None:
        raise ResponseDecodeError("is missing", "$.ErrorCode", None, request_id)
    return code


def _read_count(result: dict[str, Any], name: str, request_id: str) -> int | None:
    count = _read_number(result, name, "$.Response", request_id)
    if count is not None and not 0 <= count <= _LARGEST_COUNT:
        reason = f"expected an integer from 0 to {_LARGEST_COUNT}"
        raise ResponseDecodeError(reason, f"$.Response.{name}", result[name], request_id)
    return count


def _read_number(parent: dict[str, Any], name: str, parent_path: str, request_id: str) -> int | None:
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
