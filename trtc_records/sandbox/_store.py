"""The records, and everything that touches them: each is encoded once, and a page is a join of what is ready."""

from __future__ import annotations

import json
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Any, Final

import attrs

from trtc_records._api.models import CallRecord
from trtc_records._api.query import RETENTION
from trtc_records._api.wire import record_from_json
from trtc_records.sandbox._options import Behaviour

__all__ = ["NEW_CALL_RESULT", "NEW_CALL_TYPE", "Query", "RecordStore", "encode"]

NEW_CALL_RESULT: Final = "Transferred"
NEW_CALL_TYPE: Final = "Broadcast"

_CACHED_QUERIES: Final = 16  # a walk needs one; more only serve walks that run side by side
_EXTRA_FIELDS: Final[dict[str, Any]] = {"Platform": "Web", "Quality": {"Score": 4.5, "Tags": ["clear"]}}
_NEW_ENUM_VALUES: Final[dict[str, Any]] = {
    "MediaType": "Screen",
    "CallType": NEW_CALL_TYPE,
    "CallResult": NEW_CALL_RESULT,
    "RoomIdType": 3,
}

_to_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def encode(value: object) -> bytes:
    """Return *value* as JSON without spaces, escaped if it has half of a surrogate pair, which UTF-8 cannot hold."""
    try:
        return _to_json(value).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


@attrs.frozen(kw_only=True)
class Query:
    """Say which records a request wants; all times are Unix seconds, both ends included."""

    start_time: int
    end_time: int
    call_result: str | None
    call_type: str | None
    page_size: int
    page: int


@attrs.define
class _View:
    """Hold records that share what a query filters by, sorted by StartTime."""

    starts: array[int]
    bodies: list[bytes]


_Kind = tuple[str | None, str | None]


class RecordStore:
    """Keep encoded records and answer queries from them.

    Args:
        calls: The calls as the service writes them, in any order; an AcceptTime of 0 says that it was never answered.
        behaviour: How records look, and how they are ordered.
        seed: Makes the random order.
    """

    def __init__(self, calls: Iterable[dict[str, Any]], behaviour: Behaviour, *, seed: int) -> None:
        self._behaviour = behaviour
        self._salt = seed & 0xFFFF_FFFF
        starts: list[int] = []
        bodies: list[bytes] = []
        kinds: list[_Kind] = []
        shared_kinds: dict[_Kind, _Kind] = {}
        for call in calls:
            look = self._dress(call)
            starts.append(look["StartTime"])
            bodies.append(encode(look))
            kind = (look["CallResult"], look["CallType"])
            kinds.append(shared_kinds.setdefault(kind, kind))
        order = sorted(range(len(starts)), key=starts.__getitem__)
        self._all = _View(array("q", [starts[index] for index in order]), [bodies[index] for index in order])
        self._kinds = [kinds[index] for index in order]
        self._forget()

    def _forget(self) -> None:
        """Drop what is derived from the records, which have changed."""
        self._views: dict[_Kind, _View] = {(None, None): self._all}
        self._ordered: dict[tuple[_Kind, int, int], list[bytes]] = {}
        self._by_id: dict[str, bytes] = {}

    def get_page(self, query: Query, now: int) -> tuple[int, list[bytes]]:
        """Return how many records match *query*, and those of its page; none after the last page.

        Args:
            query: An older start than the service keeps is moved to what it keeps.
            now: Unix seconds.
        """
        kind = (query.call_result, query.call_type)
        first, last = self._find_range(query, now)
        key = (kind, first, last)
        records = self._ordered.get(key)
        if records is None:
            if len(self._ordered) >= _CACHED_QUERIES:
                self._ordered.clear()
            records = self._ordered[key] = self._order(self._get_view(kind).bodies[first:last])
        size = min(query.page_size, self._behaviour.page_cap or query.page_size)
        offset = (query.page - 1) * size
        return len(records), records[offset : offset + size]

    def get_record(self, call_id: str, now: int) -> bytes | None:
        """Return the record of one call, or ``None`` if the service has none or no longer keeps it."""
        if not self._by_id:
            self._by_id = {json.loads(body)["CallId"]: body for body in self._all.bodies}
        body = self._by_id.get(call_id)
        return body if body and json.loads(body)["StartTime"] >= now - RETENTION else None

    def get_records(self, now: int) -> list[CallRecord]:
        """Return what the service has, by start time, as a right client reads it; safe from another thread."""
        records = [record_from_json(json.loads(body)) for body in list(self._all.bodies)]
        return [record for record in records if record.start_time.timestamp() >= now - RETENTION]

    def find_newest(self, query: Query, now: int) -> int | None:
        """Return the last StartTime among the records that match *query*, or ``None`` if none does."""
        first, last = self._find_range(query, now)
        return self._get_view((query.call_result, query.call_type)).starts[last - 1] if first < last else None

    def add(self, call: dict[str, Any]) -> None:
        """Add one call, given as to the constructor."""
        look = self._dress(call)
        place = bisect_right(self._all.starts, look["StartTime"])
        self._all.starts.insert(place, look["StartTime"])
        self._all.bodies.insert(place, encode(look))
        self._kinds.insert(place, (look["CallResult"], look["CallType"]))
        self._forget()

    def remove_oldest(self, query: Query, now: int) -> None:
        """Remove the oldest record that matches *query*, if any does."""
        first, last = self._find_range(query, now)
        if first == last:
            return
        view = self._get_view((query.call_result, query.call_type))
        place = self._all.bodies.index(view.bodies[first], bisect_left(self._all.starts, view.starts[first]))
        del self._all.starts[place], self._all.bodies[place], self._kinds[place]
        self._forget()

    def _find_range(self, query: Query, now: int) -> tuple[int, int]:
        starts = self._get_view((query.call_result, query.call_type)).starts
        first = bisect_left(starts, max(query.start_time, now - RETENTION))
        return first, max(first, bisect_right(starts, query.end_time))

    def _get_view(self, wanted: _Kind) -> _View:
        view = self._views.get(wanted)
        if view is None:
            call_result, call_type = wanted
            places = [
                place
                for place, kind in enumerate(self._kinds)
                if call_result in (None, kind[0]) and call_type in (None, kind[1])
            ]
            view = self._views[wanted] = _View(
                array("q", [self._all.starts[place] for place in places]),
                [self._all.bodies[place] for place in places],
            )
        return view

    def _order(self, records: list[bytes]) -> list[bytes]:
        if self._behaviour.order == "descending":
            records.reverse()
        elif self._behaviour.order == "random":
            # A checksum and not a shuffle: a record that comes or goes leaves the others in their order.
            records.sort(key=lambda record: zlib.crc32(record, self._salt))
        return records

    def _dress(self, call: dict[str, Any]) -> dict[str, Any]:
        """Return *call* with the looks that the behaviour chooses."""
        behaviour = self._behaviour
        look = dict(call)
        if behaviour.new_enum_values and zlib.crc32(look["CallId"].encode(errors="surrogatepass")) % 4 == 0:
            look |= _NEW_ENUM_VALUES
        if behaviour.room_id_type_as_text:
            look["RoomIdType"] = str(look["RoomIdType"])
        if behaviour.extra_fields:
            look |= _EXTRA_FIELDS
        if not look["AcceptTime"] and behaviour.unanswered != "zero":
            look["AcceptTime"] = None
            if behaviour.unanswered == "absent":
                del look["AcceptTime"]
        return look
