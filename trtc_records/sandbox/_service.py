"""The service between HTTP and the records: it checks a request and writes its answer in Tencent's envelope.

The older service, in :mod:`trtc_records.sandbox._legacy`, stands before it.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs

from trtc_records._api.models import CallRecord
from trtc_records._api.wire import record_from_json
from trtc_records.sandbox._drift import Mover
from trtc_records.sandbox._live import CallEvent, LiveCalls
from trtc_records.sandbox._options import Behaviour
from trtc_records.sandbox._requests import (
    App,
    RefusedError,
    WebhookSettings,
    check_request,
    read_call_id,
    read_nothing,
    read_query,
    read_webhook_settings,
)
from trtc_records.sandbox._store import NEW_CALL_RESULT, NEW_CALL_TYPE, Query, RecordStore, encode

__all__ = ["PageNames", "Respond", "Service", "add_member"]

Respond = Callable[[bytes], bytes | None]
"""A call of the API: it takes the body of a request and returns the result, as JSON."""

_EXTRA_FIELDS: Final[dict[str, Any]] = {"ServerInfo": {"Zone": "sandbox-1", "Cost": 3}}


@attrs.frozen
class PageNames:
    """The names of a page's fields."""

    total_num: str
    page: str
    records: str


_NAMES: Final = PageNames("TotalNum", "Page", "CallRecordList")


class Service:
    """The answers to the API's calls.

    Args:
        app: The app whose requests it answers.
        store: The records.
        mover: Changes the records before each query.
        live: The calls in running time, which go on before each answer.
        behaviour: Its answers where Tencent's page leaves them open.
        has_calls: Whether it keeps the calls; without, it has none.
        webhook: The receiver of callbacks at the start, or ``None``.
        clock: Returns the service's time, in Unix seconds.
        seed: The same seed makes the same RequestIds.
    """

    def __init__(
        self,
        app: App,
        store: RecordStore,
        mover: Mover,
        live: LiveCalls,
        behaviour: Behaviour,
        *,
        has_calls: bool,
        webhook: WebhookSettings | None,
        clock: Callable[[], float],
        seed: int,
    ) -> None:
        self._app = app
        self._store = store
        self._mover = mover
        self._live = live
        self._has_calls = has_calls
        self._lock = threading.Lock()  # calls go on before an answer, and when another thread reads the records
        self.webhook = webhook
        """The receiver of callbacks, or ``None``."""
        self.behaviour = behaviour
        """Its answers where Tencent's page leaves them open."""
        self.read_clock = clock
        """Returns the service's time, in Unix seconds."""
        self._rng = random.Random(f"request:{seed}")
        self._sequence = self._rng.randrange(1_000_000, 5_000_000)
        self.extra = _EXTRA_FIELDS if behaviour.extra_fields else {}
        """Fields of every response that no page documents."""
        self.pages: list[int] = []
        """The Page of each query so far."""

    def catch_up(self) -> None:
        """Let the live calls go on to the present; safe from another thread."""
        with self._lock:
            self._live.catch_up(self.read_clock())

    def take_events(self) -> Iterator[CallEvent]:
        """Let the live calls go on to the present, then remove and yield the changes so far."""
        self.catch_up()
        while self._live.events:
            yield self._live.events.popleft()

    def get_ended(self) -> list[CallRecord]:
        """Return the records of all calls that have ended, by their end; safe from another thread."""
        with self._lock:
            bodies, unreadable = self._store.get_bodies(), self._live.get_unreadable()
        calls = [*map(json.loads, bodies), *map(self._store.dress, unreadable)]
        return sorted(map(record_from_json, calls), key=lambda record: record.end_time or record.start_time)

    def run(self, respond: Respond, method: str, query_string: bytes, body: bytes) -> bytes | None:
        """Check a request, let the live calls go on, and return the result of *respond*.

        Raises:
            RefusedError: The request is refused.
        """
        check_request(self._app, method, query_string, self.read_clock())
        self.catch_up()
        with self._lock:
            return respond(body)

    def answer(self, respond: Respond, method: str, query_string: bytes, body: bytes) -> bytes:
        """Answer one request within the quota by *respond*, a method of this object."""
        try:
            response = self.run(respond, method, query_string, body)
        except RefusedError as refusal:
            return self.refuse(refusal)
        envelope = self._make_envelope(0, "")
        return encode(envelope) if response is None else add_member(envelope, b"Response", response)

    def refuse(self, refusal: RefusedError) -> bytes:
        """Answer with an error code."""
        return encode(self._make_envelope(refusal.code, refusal.info))

    def refuse_frequency(self) -> bytes:
        """Answer that the quota is used up."""
        return self.refuse(RefusedError(self.behaviour.quota_code, "call frequency exceeded"))

    def get_record_by_filter(self, body: bytes) -> bytes:
        """Return the Response of a query.

        Raises:
            RefusedError: The body is wrong, or no records are left and the behaviour calls for an error.
        """
        new = self.behaviour.new_enum_values
        query = read_query(
            body, int(self.read_clock()), more_results=[NEW_CALL_RESULT] * new, more_types=[NEW_CALL_TYPE] * new
        )
        total, records = self.find_page(query) if self._has_calls else (0, [])
        return self.write_page(query, total, records, _NAMES)

    def find_page(self, query: Query) -> tuple[int, list[bytes]]:
        """Return how many records match *query*, and those of its page.

        Raises:
            RefusedError: The page lies too deep, and the behaviour calls for an error.
        """
        now = int(self.read_clock())
        self.pages.append(query.page)
        self._mover.move(query, now)
        lagging = self._mover.draw_lag()
        total, records = self._store.get_page(self._limit(query), now, lagging=lagging)
        return total if self.behaviour.total_cap is None else min(total, self.behaviour.total_cap), records

    def write_page(self, query: Query, total: int, records: list[bytes], names: PageNames) -> bytes:
        """Return the result of a query, or the end as the behaviour has it.

        Raises:
            RefusedError: No records are left, and the behaviour calls for an error.
        """
        if records:
            head = {names.total_num: total, names.page: query.page, **self.extra}
            return add_member(head, names.records.encode(), b"[%b]" % b",".join(records))
        match self.behaviour.end:
            case "page_zero":
                tail: dict[str, Any] = {names.page: 0, names.records: []}
            case "empty_list":
                tail = {names.page: query.page, names.records: []}
            case "absent":
                tail = {}
            case "null":
                tail = {names.page: None, names.records: None}
            case "error":
                raise RefusedError(101050, "no call records")
        return encode({names.total_num: total, **tail, **self.extra})

    def _limit(self, query: Query) -> Query:
        """Return the query that is answered instead of *query*: within the greatest length and depth of a page.

        Raises:
            RefusedError: The page lies too deep, and the behaviour calls for an error.
        """
        behaviour = self.behaviour
        size = min(query.page_size, behaviour.page_cap or query.page_size)
        page = query.page
        if behaviour.deepest is not None and page * size > behaviour.deepest:
            match behaviour.beyond:
                case "invalid_parameter":
                    raise RefusedError(101002, f"invalid parameter: Page reaches beyond record {behaviour.deepest}")
                case "illegal_parameter":
                    raise RefusedError(70402, "illegal parameter")
                case "internal_error":
                    raise RefusedError(101001, "internal error")
                case "empty":
                    page = 0
                case "repeat":
                    page = behaviour.deepest // size
        return attrs.evolve(query, page_size=size, page=page)

    def get_record_by_callid(self, body: bytes) -> bytes:
        """Return the Response of a lookup.

        Raises:
            RefusedError: The body is wrong, or the record does not exist.
        """
        record = self.find_record(read_call_id(body)) if self._has_calls else None
        if record is None:
            raise RefusedError(101050, "no such call record")
        return add_member(self.extra, b"CallRecord", record)

    def find_record(self, call_id: str) -> bytes | None:
        """Return the record of one call, or ``None``."""
        return self._store.get_record(call_id, int(self.read_clock()), lagging=self._mover.draw_lag())

    def set_callback(self, body: bytes) -> None:
        """Replace the receiver of callbacks.

        Raises:
            RefusedError: The body is wrong.
        """
        self.webhook = read_webhook_settings(body)

    def get_callback(self, body: bytes) -> bytes:
        """Return the Response that names the receiver of callbacks.

        Raises:
            RefusedError: The body is wrong, or no receiver is set.
        """
        read_nothing(body)
        if self.webhook is None:
            raise RefusedError(100301, "no callback is configured")
        return encode({"Url": self.webhook.url, "CallbackCommandList": self.webhook.commands, **self.extra})

    def delete_callback(self, body: bytes) -> None:
        """Forget the receiver of callbacks, if any is set.

        Raises:
            RefusedError: The body is wrong.
        """
        read_nothing(body)
        self.webhook = None

    def _make_envelope(self, code: int, info: str) -> dict[str, Any]:
        return {
            "ErrorCode": code,
            "ErrorInfo": info,
            "ActionStatus": "FAIL" if code else "OK",
            "RequestId": self.make_request_id(),
            **self.extra,
        }

    def make_request_id(self) -> str:
        """Return the id of the next answer."""
        self._sequence += 1
        return f"Id-{self.draw_digits()}-O-Seq-{self._sequence}"

    def draw_digits(self) -> str:
        """Draw the 32 digits that make an id unique."""
        return f"{self._rng.getrandbits(128):032x}"


def add_member(head: dict[str, Any], name: bytes, value: bytes) -> bytes:
    """Encode *head* with one more member, whose *value* is encoded already."""
    return b'%b%b"%b":%b}' % (encode(head)[:-1], b"," if head else b"", name, value)
