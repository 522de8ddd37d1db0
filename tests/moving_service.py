"""A service in memory whose records come and go while it is read, on a virtual clock: no HTTP, no real time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from contextlib import aclosing
from typing import Any, Final

import attrs
from records import call_id

from trtc_records import (
    CallRecord,
    CallRecordPage,
    InvalidRequestError,
    ServerError,
    record_from_json,
)
from trtc_records._api.query import Query
from trtc_records._walking.facts import ServiceFacts
from trtc_records._walking.ordering import sort_by_time
from trtc_records._walking.prefetch import Prefetcher
from trtc_records._walking.walk import Walk

END_STYLES: Final = ("page zero", "page zero, no total", "nothing", "zero behind records")
REFUSALS: Final = ("invalid parameter", "internal error", "empty", "repeat")
MEANINGS: Final = ("start", "end", "within", "overlap")
ORDERS: Final = ("ascending", "descending", "random")

WINDOW_START: Final = 1_800_000_000


@attrs.frozen(eq=False)
class Stored:
    """A call as the service keeps it."""

    record: CallRecord
    start: int
    end: int
    rank: float


def make_call(number: int, start: int, length: int, **fields: Any) -> Stored:
    """Return call *number*, which begins *start* seconds into the window."""
    begin = WINDOW_START + start
    record = record_from_json(
        {
            "CallId": call_id(number),
            "Caller_Account": "147",
            "MediaType": "Audio",
            "CallType": "SingleCall",
            "StartTime": begin,
            "EndTime": begin + length,
            "AcceptTime": 0,
            "CallResult": "NormalEnd",
            "CalleeList_Account": ["147"],
            "RoomId": "",
            "RoomIdType": 0,
            **fields,
        }
    )
    return Stored(record, begin, begin + length, random.Random(number).random())


class MovingService:
    """Answer pages of the calls that match a query; the calls may change between any two requests."""

    def __init__(
        self,
        calls: Iterable[Stored],
        *,
        page_cap: int = 10**9,
        order: str = "ascending",
        ending: str = "page zero",
        deepest: int | None = None,
        refusal: str = "empty",
        total_cap: int | None = None,
        knows_total: bool = True,
        meaning: str = "start",
        half_open: bool = False,
        latency: Callable[[], float] = lambda: 0.0,
        change: Callable[[list[Stored]], None] = lambda _: None,
        lag: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.calls = list(calls)
        self.page_cap = page_cap
        self.order = order
        self.ending = ending
        self.deepest = deepest
        self.refusal = refusal
        self.total_cap = total_cap
        self.knows_total = knows_total
        self.meaning = meaning
        self.half_open = half_open
        self.latency = latency
        self.change = change
        self.lag = lag
        self.chance = random.Random(seed)
        self._found: dict[object, list[Stored]] = {}
        self._found_among: list[Stored] = []
        self.requested: list[tuple[Query, int]] = []

    async def fetch(self, query: Query, page: int) -> CallRecordPage:
        """Answer one request, somewhere between its start and its end."""
        await asyncio.sleep(self.latency())
        try:
            return self.answer(query, page)
        finally:
            self.change(self.calls)
            await asyncio.sleep(self.latency())

    def answer(self, query: Query, page: int) -> CallRecordPage:
        """Answer one request now."""
        self.requested.append((query, page))
        matches = self.find(query, is_behind=bool(self.lag) and self.chance.random() < self.lag)
        size = min(query.page_size, self.page_cap)
        total = len(matches) if self.total_cap is None else min(len(matches), self.total_cap)
        given_total = total if self.knows_total else None
        if self.deepest is not None and page * size > self.deepest:
            if self.refusal == "invalid parameter":
                raise InvalidRequestError(101002, "Page", "Id")
            if self.refusal == "internal error":
                raise ServerError(101001, "internal", "Id")
            if self.refusal == "empty":
                return CallRecordPage(records=(), page=0, total_num=given_total)
            page = max(self.deepest // size, 1)
        records = tuple(call.record for call in matches[(page - 1) * size : page * size])
        if not records:
            return CallRecordPage(records=(), page=0, total_num=given_total if self.ending == "page zero" else None)
        last = page * size >= len(matches)
        return CallRecordPage(
            records=records,
            page=0 if last and self.ending == "zero behind records" else page,
            total_num=given_total,
            request_id=f"Id-{len(self.requested)}",
        )

    def find(self, query: Query, *, is_behind: bool = False) -> list[Stored]:
        """Return the calls that match, in the service's order; a replica that is behind lacks the last one.

        Answers are kept while the calls do not change.
        """
        if self._found_among != self.calls:
            self._found_among = list(self.calls)
            self._found.clear()
        key = (query.start_time, query.end_time, query.call_type, query.call_result, is_behind)
        if key not in self._found:
            if len(self._found) > 50:
                self._found.clear()
            calls = self.calls[:-1] if is_behind else self.calls
            matches = [call for call in calls if self.matches(query, call)]
            if self.order != "insertion":
                matches.sort(
                    key=lambda call: call.rank if self.order == "random" else (call.start, call.record.call_id),
                    reverse=self.order == "descending",
                )
            self._found[key] = matches
        return self._found[key]

    def matches(self, query: Query, call: Stored) -> bool:
        """Return whether a call is among those asked for."""
        first, last = query.start_time or 0, query.end_time or 0
        if self.half_open:
            last -= 1
        record = call.record
        return (
            (query.call_type is None or record.call_type == query.call_type)
            and (query.call_result is None or record.call_result == query.call_result)
            and {
                "start": first <= call.start <= last,
                "end": first <= call.end <= last,
                "within": first <= call.start and call.end <= last,
                "overlap": call.start <= last and call.end >= first,
            }[self.meaning]
        )


@attrs.frozen
class Outcome:
    """The records of a walk, and its reasons for doubt."""

    records: list[CallRecord]
    doubts: list[str]
    expected: int | None

    @property
    def ids(self) -> list[str]:
        return [record.call_id for record in self.records]


async def collect(
    service: MovingService,
    *,
    width: int,
    page_size: int = 10,
    depth: int = 8,
    is_far: bool = False,
    in_time_order: bool = False,
    facts: ServiceFacts | None = None,
    pace: float = 0.0,
) -> Outcome:
    """Walk over the first *width* seconds of the service's window."""
    query = Query(start_time=WINDOW_START, end_time=WINDOW_START + width, page_size=page_size)
    due = 0.0

    async def fetch(part: Query, page: int) -> CallRecordPage:
        nonlocal due
        now = asyncio.get_running_loop().time()
        due = max(due, now) + pace
        await asyncio.sleep(due - now)
        return await service.fetch(part, page)

    prefetcher = Prefetcher(fetch, lambda: depth, lambda: is_far)
    walk = Walk(prefetcher, query, prefetcher.open(query), facts or ServiceFacts(), in_time_order=in_time_order)
    try:
        async with aclosing(sort_by_time(walk, page_size) if in_time_order else walk.pages()) as pages:
            records = [record async for page in pages for record in page.records]
        return Outcome(records, walk.doubts, walk.expected)
    finally:
        await prefetcher.aclose()
