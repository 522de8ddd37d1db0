"""The API without I/O: a query becomes a request, a response becomes a page, a record or an error.

Two services keep records: each has a dialect, which :func:`choose_dialect` picks. Tencent's pages are named there, and
in :mod:`trtc_records._api.webhook` for webhooks.
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

from trtc_records._api.current import CURRENT
from trtc_records._api.dialect import Dialect
from trtc_records._api.error_codes import NO_RECORDS, NO_WEBHOOK
from trtc_records._api.legacy import LEGACY
from trtc_records._api.models import CallRecord, CallRecordPage, Service
from trtc_records._api.query import RETENTION, Query
from trtc_records._api.webhook import Webhook, read_event
from trtc_records._api.wire import read_integer
from trtc_records._checks import trim
from trtc_records._errors import (
    APIError,
    CallRecordNotFoundError,
    ConfigurationError,
    ResponseDecodeError,
    TransportError,
    shorten,
)

__all__ = [
    "FIELD_NAMES",
    "TIME_NAMES",
    "Request",
    "Response",
    "build_target",
    "check_has_webhooks",
    "choose_dialect",
    "complete_query",
    "delete_webhook_request",
    "get_webhook_request",
    "page_request",
    "read_http_date",
    "read_nothing",
    "read_page",
    "read_record",
    "read_retry_after",
    "read_total",
    "read_webhook",
    "record_request",
    "set_webhook_request",
]

_DIALECTS: Final = {dialect.service: dialect for dialect in (CURRENT, LEGACY)}
FIELD_NAMES: Final = frozenset().union(*(dialect.records.field_names for dialect in _DIALECTS.values()))
"""The names of a record's fields that this version knows, in any dialect."""
TIME_NAMES: Final = tuple(name for dialect in _DIALECTS.values() for name in dialect.records.time_names)
"""Those of its times, the start first; a record has those of one dialect."""
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


def choose_dialect(service: object) -> Dialect:
    """Return the dialect of a service, a :class:`Service` or its name.

    Raises:
        ConfigurationError: There is no such service.
    """
    name = str(trim(service)).lower() if isinstance(service, str) else ""
    if name not in set(Service):
        raise ConfigurationError(f"service={shorten(service)}: pass one of {', '.join(Service)}")
    return _DIALECTS[Service(name)]


def complete_query(query: Query, now: float, dialect: Dialect = CURRENT) -> Query:
    """Return *query* with the start that the service needs: by default that of the records that it keeps.

    Args:
        query: The conditions.
        now: Unix seconds at the service.
        dialect: The service's.
    """
    if query.start_time is None and dialect.needs_start:
        return attrs.evolve(query, start_time=int(now) - RETENTION)
    return query


def page_request(query: Query, page: int, dialect: Dialect = CURRENT) -> Request:
    """Return the request for one page of *query*; pages are numbered from 1."""
    spell = dialect.spellings.get
    conditions = {
        dialect.start_time: query.start_time,
        dialect.end_time: query.end_time,
        dialect.call_result: query.call_result and spell(query.call_result, query.call_result),
        dialect.call_type: query.call_type and spell(query.call_type, query.call_type),
    }
    body: dict[str, Any] = {name: value for name, value in conditions.items() if value is not None}
    return Request(dialect.filter_path, {**body, dialect.page_size: query.page_size, dialect.query_page: page})


def record_request(call_id: str, dialect: Dialect = CURRENT) -> Request:
    """Return the request for one record."""
    return Request(dialect.lookup_path, {dialect.call_id: call_id})


def check_has_webhooks(dialect: Dialect) -> None:
    """Check that the library knows the callbacks of the service.

    Raises:
        ConfigurationError: It does not.
    """
    if not dialect.has_webhooks:
        raise ConfigurationError(
            f"service={dialect.service.value!r}: webhooks are those of the current service; pass '{Service.CURRENT}'"
        )


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


def read_page(
    response: Response, requested: int, dialect: Dialect = CURRENT, *, keep_invalid: bool = False
) -> CallRecordPage:
    """Read the response to :func:`page_request`; a page without records ends a walk.

    Tencent documents ``Page`` 0 as the end. An empty or absent list and the error 101050 mean the same. An empty map
    is an empty list, and an empty list an empty map: some languages do not tell them apart.

    Raises:
        APIError: The service answered with another error code.
        TransportError: The status is not 200.
        ResponseDecodeError: The response breaks the contract.
    """
    try:
        result, request_id = _read_result(response, dialect)
    except CallRecordNotFoundError as error:
        return CallRecordPage(records=(), page=0, request_id=error.request_id)
    parent = f"$.{dialect.result}"
    path = f"{parent}.{dialect.record_list}"
    raw_records = result.get(dialect.record_list)
    if raw_records is None or raw_records == {}:
        raw_records = []
    if not isinstance(raw_records, list):
        raise ResponseDecodeError("expected an array", path, raw_records, request_id)
    number = _read_count(result, dialect.page, parent, request_id)
    if number is None:
        number = requested if raw_records else 0
    records, invalid = dialect.records.read_all(raw_records, path, request_id, keep_invalid=keep_invalid)
    return CallRecordPage(
        records=records,
        invalid=invalid,
        page=number,
        total_num=_read_count(result, dialect.total_num, parent, request_id),
        request_id=request_id,
    )


def read_total(page: CallRecordPage, dialect: Dialect = CURRENT) -> int:
    """Return the number of records that match a query, by its first page.

    Raises:
        ResponseDecodeError: The page does not say it.
    """
    if page.total_num is None and page.size:
        path = f"$.{dialect.result}.{dialect.total_num}"
        raise ResponseDecodeError("is missing", path, None, page.request_id)
    return page.total_num or 0


def read_record(response: Response, requested: str | None = None, dialect: Dialect = CURRENT) -> CallRecord:
    """Read the response to :func:`record_request`.

    Args:
        response: The response.
        requested: The call id that the record must have, in whatever case; by default any.
        dialect: The service's.

    Raises:
        CallRecordNotFoundError: The record does not exist, or has expired.
        APIError: The service answered with another error code.
        TransportError: The status is not 200.
        ResponseDecodeError: The response breaks the contract.
    """
    result, request_id = _read_result(response, dialect)
    path = f"$.{dialect.result}.{dialect.record}"
    raw = result.get(dialect.record)
    if raw is None and dialect.may_be_bare and dialect.call_id in result:
        path, raw = f"$.{dialect.result}", result
    if raw is None or raw in ({}, []):
        raise dialect.errors.make_error(NO_RECORDS, "the answer holds no record", request_id)
    record = dialect.records.read(raw, path=path, request_id=request_id)
    if requested is not None and record.call_id.casefold() != requested.casefold():
        # A connection that is one response behind gives that to an earlier request; another connection may do better.
        reason = f"expected {shorten(requested)}, so this answers another request"
        raise ResponseDecodeError(reason, f"{path}.{dialect.call_id}", record.call_id, request_id, retryable=True)
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


def _read_result(response: Response, dialect: Dialect = CURRENT) -> tuple[dict[str, Any], str]:
    """Return the result in a response, empty if it is left out, and the id of the response; raise its error."""
    envelope = _read_envelope(response)
    request_id = _read_request_id(envelope, dialect)
    code = _read_number(envelope, dialect.code, "$", request_id)
    if code is None:
        raise _error_without_code(envelope, dialect)
    if code:
        raise dialect.errors.make_error(code, _read_info(envelope, dialect), request_id)
    result = envelope.get(dialect.result)
    if result is None or result == []:
        return {}, request_id
    if not isinstance(result, dict):
        raise ResponseDecodeError("expected an object", f"$.{dialect.result}", result, request_id)
    return result, request_id


def _error_without_code(envelope: dict[str, Any], dialect: Dialect) -> ResponseDecodeError:
    """Return the error for an answer without a code; a wrong host may have answered it, as the other service does."""
    for other in _DIALECTS.values():
        if other is not dialect and other.code in envelope:
            reason = (
                f"is of the {other.service} service, expected {dialect.code} of the {dialect.service} one: "
                "check service= and base_url"
            )
            return ResponseDecodeError(
                reason, f"$.{other.code}", envelope[other.code], _read_request_id(envelope, other)
            )
    return ResponseDecodeError("is missing", f"$.{dialect.code}", None, _read_request_id(envelope, dialect))


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


def _read_count(result: dict[str, Any], name: str, parent_path: str, request_id: str) -> int | None:
    count = _read_number(result, name, parent_path, request_id)
    if count is not None and not 0 <= count <= _LARGEST_COUNT:
        reason = f"expected an integer from 0 to {_LARGEST_COUNT}"
        raise ResponseDecodeError(reason, f"{parent_path}.{name}", result[name], request_id)
    return count


def _read_number(parent: dict[str, Any], name: str, parent_path: str, request_id: str) -> int | None:
    value = parent.get(name)
    if value is None:
        return None
    try:
        return read_integer(value)
    except ValueError as error:
        raise ResponseDecodeError(str(error), f"{parent_path}.{name}", value, request_id) from None


def _read_request_id(envelope: dict[str, Any], dialect: Dialect) -> str:
    value = envelope.get(dialect.request_id)
    return str(value) if type(value) in {str, int} else ""


def _read_info(envelope: dict[str, Any], dialect: Dialect) -> str:
    value = envelope.get(dialect.info)
    return value if isinstance(value, str) else ""
