"""Records in the order of time, whatever the order of the service."""

from __future__ import annotations

import itertools
from contextlib import aclosing

import pytest
from moving_service import MEANINGS, ORDERS, WINDOW_START, MovingService, collect, make_call
from virtual_time import run

from trtc_records import CallRecord
from trtc_records._api.query import Query
from trtc_records._walking import walk as walk_module
from trtc_records._walking.facts import ServiceFacts
from trtc_records._walking.ordering import sort_by_time
from trtc_records._walking.prefetch import Prefetcher
from trtc_records._walking.walk import Walk

WIDTH = 10_000
CALLS = [make_call(number, number * 7919 % 9000, 20) for number in range(600)]


def by_time(record: CallRecord) -> tuple[object, str]:
    return record.start_time, record.call_id


@pytest.mark.parametrize("deepest", [None, 100])
@pytest.mark.parametrize("order", [*ORDERS, "insertion"])
@pytest.mark.parametrize("meaning", MEANINGS)
def test_records_come_by_start_time_then_id(
    meaning: str, order: str, deepest: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One list, or slices that are sorted one at a time: all records, in order."""
    monkeypatch.setattr(walk_module, "_MOST_SORTED", 200)
    service = MovingService(CALLS, order=order, meaning=meaning, deepest=deepest)
    outcome = run(collect(service, width=WIDTH, in_time_order=True))
    assert outcome.records == sorted((call.record for call in CALLS), key=by_time)
    assert outcome.doubts == []


def test_no_more_than_a_slice_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first page comes when the first slice is read, long before the last."""
    monkeypatch.setattr(walk_module, "_MOST_SORTED", 100)
    service = MovingService(CALLS, order="random")
    query = Query(start_time=WINDOW_START, end_time=WINDOW_START + WIDTH, page_size=10)

    async def main() -> list[list[CallRecord]]:
        prefetcher = Prefetcher(service.fetch, lambda: 1, lambda: False)
        walk = Walk(prefetcher, query, prefetcher.open(query), ServiceFacts(), in_time_order=True)
        chunks, read_at_first = [], 0
        async with aclosing(sort_by_time(walk, 10)) as pages:
            async for page in pages:
                read_at_first = read_at_first or walk.yielded
                chunks.append(list(page.records))
                assert page.page == len(chunks)
        await prefetcher.aclose()
        assert read_at_first <= 200
        return chunks

    chunks = run(main())
    assert max(map(len, chunks)) == 10
    assert list(itertools.chain(*chunks)) == sorted((call.record for call in CALLS), key=by_time)


def test_a_late_arrival_behind_its_slice_is_left_for_the_next_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records stay sorted; the call that arrived can be read by the next walk."""
    monkeypatch.setattr(walk_module, "_MOST_SORTED", 100)
    service = MovingService(CALLS, order="ascending")
    late = make_call(9999, 1, 5)

    def arrive(calls: list[object]) -> None:
        if len(service.requested) == 60:
            calls.append(late)

    service.change = arrive  # type: ignore[assignment]
    outcome = run(collect(service, width=WIDTH, in_time_order=True))
    assert outcome.records == sorted((call.record for call in CALLS), key=by_time)
