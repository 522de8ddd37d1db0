"""The records, and everything that touches them: each is encoded once, and a page joins encoded records."""

from __future__ import annotations

import json
import sys
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from operator import sub
from typing import Any, Final, NamedTuple

import attrs

from trtc_records._api.models import CallRecord
from trtc_records._api.query import RETENTION
from trtc_records._api.wire import record_from_json
from trtc_records.sandbox._options import Behaviour

__all__ = ["NEW_CALL_RESULT", "NEW_CALL_TYPE", "Query", "RecordStore", "encode"]

NEW_CALL_RESULT: Final = "Transferred"
NEW_CALL_TYPE: Final = "Broadcast"

# A walk needs one entry; a divided walk, and several walks at once, need one for each window in progress.
_CACHE_SIZE: Final = 4_000_000  # references to records, which take 32 MB
_ENTRY_SIZE: Final = 50  # in the same unit: a window without records takes memory, too
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
    """The records that a request wants; all times are Unix seconds."""

    start_time: int
    end_time: int
    call_result: str | None
    call_type: str | None
    page_size: int
    page: int
    """The page from 1; 0 for none."""


_Kind = tuple[str | None, str | None]


@attrs.define
class _View:
    """Records with the same values of the fields that a query filters by, sorted by StartTime."""

    starts: array[int]
    ends: array[int]
    bodies: list[bytes]
    longest: int = attrs.field(init=False)
    """The seconds of the longest call."""

    @longest.default
    def _find_longest(self) -> int:
        return max(map(sub, self.ends, self.starts), default=0)

    def take(self, places: Sequence[int]) -> _View:
        """Return a view of the records at *places*, in that order."""
        starts, ends = (array("q", [column[place] for place in places]) for column in (self.starts, self.ends))
        return _View(starts, ends, [self.bodies[place] for place in places])

    def insert(self, start: int, end: int, body: bytes) -> int:
        """Insert a record, and return its place."""
        place = bisect_right(self.starts, start)
        self.starts.insert(place, start)
        self.ends.insert(place, end)
        self.bodies.insert(place, body)
        self.longest = max(self.longest, end - start)
        return place

    def remove(self, start: int, body: bytes) -> int:
        """Remove the record of that *body*, and return the place it had."""
        place = self.bodies.index(body, bisect_left(self.starts, start))
        del self.starts[place], self.ends[place], self.bodies[place]
        return place


class _Selection(NamedTuple):
    """The records that a query matches: those of a kind, at places from first to last, that end within bounds."""

    kind: _Kind
    first: int
    last: int
    earliest_end: int
    latest_end: int


class RecordStore:
    """The encoded records, which answer queries.

    Args:
        calls: The calls as the service writes them, in any order; an AcceptTime of 0 says that it was never answered.
        behaviour: The form and the order of records.
        seed: The same seed makes the same random order.
    """

    def __init__(self, calls: Iterable[dict[str, Any]], behaviour: Behaviour, *, seed: int) -> None:
        self._behaviour = behaviour
        self._salt = seed & 0xFFFF_FFFF
        unsorted = _View(array("q"), array("q"), [])
        kinds: list[_Kind] = []
        shared_kinds: dict[_Kind, _Kind] = {}
        for call in calls:
            look = self.dress(call)
            unsorted.starts.append(look["StartTime"])
            unsorted.ends.append(look["EndTime"])
            unsorted.bodies.append(encode(look))
            kind = (look["CallResult"], look["CallType"])
            kinds.append(shared_kinds.setdefault(kind, kind))
        places = range(len(kinds))
        order = sorted(places, key=unsorted.starts.__getitem__)
        self._all = unsorted.take(order)
        self._kinds = [kinds[place] for place in order]
        self._views: dict[_Kind, _View] = {(None, None): self._all}
        self._newest = unsorted.bodies[max(places, key=unsorted.ends.__getitem__)] if kinds else b""
        self._by_id: dict[str, bytes] = {}
        self._forget()

    def _forget(self) -> None:
        """Drop the encoded pages, because the records have changed."""
        self._ordered: dict[_Selection, list[bytes]] = {}
        self._ordered_size = 0

    def get_page(self, query: Query, now: int, *, lagging: bool = False) -> tuple[int, list[bytes]]:
        """Return how many records match *query*, and those of its page; none after the last page.

        Args:
            query: A start before the 7 days that the service keeps is replaced by their start.
            now: Unix seconds.
            lagging: Whether the record that appeared last is left out.
        """
        records = self._get_ordered(self._select(query, now))
        if lagging:
            records = [record for record in records if record is not self._newest]
        offset = (query.page - 1) * query.page_size
        return len(records), records[offset : offset + query.page_size] if query.page else []

    def get_record(self, call_id: str, now: int, *, lagging: bool = False) -> bytes | None:
        """Return the record of one call, or ``None`` if the service has none or no longer keeps it.

        Args:
            call_id: The call.
            now: Unix seconds.
            lagging: Whether the record that appeared last is left out.
        """
        if not self._by_id:
            self._by_id = {json.loads(body)["CallId"]: body for body in self._all.bodies}
        body = self._by_id.get(call_id)
        if body is None or (lagging and body is self._newest):
            return None
        return body if json.loads(body)["StartTime"] >= now - RETENTION else None

    def get_records(self, now: int) -> list[CallRecord]:
        """Return the service's records by start time, as a correct client reads them; safe from another thread."""
        records = [record_from_json(json.loads(body)) for body in self.get_bodies()]
        return [record for record in records if record.start_time.timestamp() >= now - RETENTION]

    def get_bodies(self) -> list[bytes]:
        """Return all encoded records by start time, even if they are too old to be served."""
        return list(self._all.bodies)

    def find_newest(self, query: Query, now: int) -> int | None:
        """Return the last StartTime among the records that match *query*, or ``None`` if none does."""
        selection = self._select(query, now)
        places = self._find_places(selection)
        return self._get_view(selection.kind).starts[places[-1]] if places else None

    def add(self, call: dict[str, Any]) -> None:
        """Add one call, given as to the constructor."""
        look = self.dress(call)
        body = encode(look)
        kind = (look["CallResult"], look["CallType"])
        place = self._all.insert(look["StartTime"], look["EndTime"], body)
        self._kinds.insert(place, kind)
        for wanted, view in self._views.items():
            if view is not self._all and _matches(kind, wanted):
                view.insert(look["StartTime"], look["EndTime"], body)
        if self._by_id:
            self._by_id[look["CallId"]] = body
        self._newest = body
        self._forget()

    def remove_oldest(self, query: Query, now: int) -> None:
        """Remove the oldest record that matches *query*, if any does."""
        selection = self._select(query, now)
        places = self._find_places(selection)
        if not places:
            return
        view = self._get_view(selection.kind)
        start, body = view.starts[places[0]], view.bodies[places[0]]
        kind = self._kinds.pop(self._all.remove(start, body))
        for wanted, view in self._views.items():
            if view is not self._all and _matches(kind, wanted):
                view.remove(start, body)
        self._by_id = {}
        self._forget()

    def _select(self, query: Query, now: int) -> _Selection:
        kind = (query.call_result, query.call_type)
        view = self._get_view(kind)
        begin, end = query.start_time, query.end_time - self._behaviour.half_open
        window = self._behaviour.window
        earliest_end = begin if window in {"end", "overlap"} else 0
        latest_end = end if window in {"end", "within"} else sys.maxsize
        earliest_start = begin - view.longest if earliest_end else begin
        first = bisect_left(view.starts, max(earliest_start, now - RETENTION))
        return _Selection(kind, first, max(first, bisect_right(view.starts, end)), earliest_end, latest_end)

    def _find_places(self, selection: _Selection) -> Sequence[int]:
        places = range(selection.first, selection.last)
        if self._behaviour.window == "start":
            return places
        ends = self._get_view(selection.kind).ends
        return [place for place in places if selection.earliest_end <= ends[place] <= selection.latest_end]

    def _get_ordered(self, selection: _Selection) -> list[bytes]:
        records = self._ordered.pop(selection, None)
        if records is None:
            bodies = self._get_view(selection.kind).bodies
            places = self._find_places(selection)
            if isinstance(places, range):
                records = self._order(bodies[places.start : places.stop])
            else:
                records = self._order([bodies[place] for place in places])
            self._ordered_size += len(records) + _ENTRY_SIZE
        self._ordered[selection] = records  # as the one used last
        while self._ordered_size > _CACHE_SIZE and len(self._ordered) > 1:
            oldest = next(iter(self._ordered))
            self._ordered_size -= len(self._ordered.pop(oldest)) + _ENTRY_SIZE
        return records

    def _get_view(self, wanted: _Kind) -> _View:
        view = self._views.get(wanted)
        if view is None:
            places = [place for place, kind in enumerate(self._kinds) if _matches(kind, wanted)]
            view = self._views[wanted] = self._all.take(places)
        return view

    def _order(self, records: list[bytes]) -> list[bytes]:
        if self._behaviour.order == "descending":
            records.reverse()
        elif self._behaviour.order == "random":
            # A checksum and not a shuffle: when a record appears or goes away, the others keep their order.
            records.sort(key=lambda record: zlib.crc32(record, self._salt))
        return records

    def dress(self, call: dict[str, Any]) -> dict[str, Any]:
        """Return *call* in the form that the behaviour sets."""
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


def _matches(kind: _Kind, wanted: _Kind) -> bool:
    return wanted[0] in (None, kind[0]) and wanted[1] in (None, kind[1])
