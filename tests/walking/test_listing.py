"""The walk over one list, against a service in memory that changes as the test says; no HTTP, no real time."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Iterable
from contextlib import aclosing

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moving_service import END_STYLES, WINDOW_START, MovingService, Outcome, Stored, collect, make_call
from records import call_id
from virtual_time import run

from trtc_records import CallRecordPage, RepeatedPageError, ServerError, TransportError
from trtc_records._api.query import Query
from trtc_records._walking.facts import ServiceFacts, looks_capped
from trtc_records._walking.ledger import Ledger
from trtc_records._walking.listing import ListWalk
from trtc_records._walking.prefetch import Prefetcher
from trtc_records._walking.walk import Walk

WIDTH = 10_000
PAGE = 10

Change = Callable[[list[Stored]], None]


def call(number: int) -> Stored:
    """Return call *number*, which begins that many seconds into the window."""
    return make_call(number, number, 18)


def make_service(
    numbers: Iterable[int],
    *,
    change: Change = lambda _: None,
    latency: Callable[[], float] = lambda: 0.0,
    page_cap: int = 10**9,
    ending: str = "page zero",
    knows_total: bool = True,
    lag: float = 0.0,
) -> MovingService:
    """Return a service whose records are in the order of *numbers*."""
    return MovingService(
        map(call, numbers),
        order="insertion",
        change=change,
        latency=latency,
        page_cap=page_cap,
        ending=ending,
        knows_total=knows_total,
        lag=lag,
    )


def read(
    service: MovingService, *, depth: int = 8, is_far: bool = False, page_size: int = PAGE, width: int = WIDTH
) -> Outcome:
    return run(collect(service, width=width, page_size=page_size, depth=depth, is_far=is_far))


def ids(numbers: Iterable[int]) -> list[str]:
    return [call_id(number) for number in numbers]


def pages_of(service: MovingService) -> list[int]:
    return [page for _, page in service.requested]


@given(
    count=st.integers(0, 70),
    page_size=st.integers(1, 12),
    ending=st.sampled_from(END_STYLES),
    depth=st.integers(1, 10),
    seed=st.integers(0, 1000),
    knows_total=st.booleans(),
    is_far=st.booleans(),
)
def test_each_record_of_a_quiet_service_comes_once(
    count: int, page_size: int, ending: str, depth: int, seed: int, knows_total: bool, is_far: bool
) -> None:
    """Any number, page size, order and way of ending: each record once, in order, in at most two requests more."""
    chance = random.Random(seed)
    numbers = list(range(count))
    chance.shuffle(numbers)
    service = make_service(numbers, ending=ending, latency=chance.random, knows_total=knows_total)
    outcome = read(service, depth=depth, is_far=is_far, page_size=page_size, width=max(count, 2))
    assert outcome.ids == ids(numbers)
    assert outcome.doubts == []
    # Two more, for the TotalNums of both halves, where the count looks like a limit; without TotalNum, both are read.
    if knows_total or not looks_capped(count):
        assert len(service.requested) <= -(-count // page_size) + 2 + 2 * looks_capped(count)


@st.composite
def drifts(draw: st.DrawFn) -> tuple[str, float, float, int]:
    return (
        draw(st.sampled_from(("ascending", "descending", "anywhere"))),
        draw(st.sampled_from((0.0, 0.02, 0.1, 0.3))),
        draw(st.sampled_from((0.0, 0.02, 0.1, 0.3))),
        draw(st.integers(0, 10**6)),
    )


@settings(max_examples=200)
@given(count=st.integers(0, 80), page_size=st.integers(2, 12), depth=st.integers(1, 10), drift=drifts())
def test_a_record_that_stays_comes_once_or_there_is_a_doubt(
    count: int, page_size: int, depth: int, drift: tuple[str, float, float, int]
) -> None:
    """Records arrive and expire between any two requests: each that matches throughout is yielded once, or doubted."""
    order, arrivals, expiries, seed = drift
    chance = random.Random(seed)
    numbers = list(range(1000, 1000 + count))
    if order == "descending":
        numbers.reverse()
    stable = set(ids(numbers))
    newest = iter(range(5000, 9000))

    def change(current: list[Stored]) -> None:
        if chance.random() < arrivals and len(current) < 200:
            where = {"ascending": len(current), "descending": 0}.get(order, chance.randint(0, len(current)))
            current.insert(where, call(next(newest)))
        if current and chance.random() < expiries:
            oldest = min(current, key=lambda stored: stored.start)
            current.remove(oldest)
            stable.discard(oldest.record.call_id)

    service = make_service(numbers, change=change, latency=lambda: chance.choice((0.0, 0.0, 0.1)))
    outcome = read(service, depth=depth, page_size=page_size)
    assert len(outcome.ids) == len(set(outcome.ids))
    assert stable <= set(outcome.ids) or outcome.doubts


def test_records_that_only_arrive_cost_neither_a_record_nor_a_doubt() -> None:
    """Late arrivals are normal in a live window."""
    chance = random.Random(7)
    newest = iter(range(5000, 9000))

    def change(current: list[Stored]) -> None:
        if chance.random() < 0.3:
            current.insert(chance.randint(0, len(current)), call(next(newest)))

    service = make_service(range(1000, 1400), change=change, latency=lambda: chance.choice((0.0, 0.1)))
    outcome = read(service)
    assert outcome.doubts == []
    assert len(outcome.ids) == len(set(outcome.ids))
    assert set(ids(range(1000, 1400))) <= set(outcome.ids)


@pytest.mark.parametrize("period", [20, 40])
def test_arrivals_in_mid_walk_cost_next_to_no_requests(period: int) -> None:
    """Calls that end while the walk reads them are inserted before its place: answers overtake one another."""
    chance = random.Random(3)
    newest = iter(range(5000, 9000))
    requests = 0

    def change(current: list[Stored]) -> None:
        nonlocal requests
        requests += 1
        if requests % period == 0:
            current.insert(len(current) - chance.randint(0, 50), call(next(newest)))

    service = make_service(range(3601), change=change, latency=lambda: chance.uniform(0.05, 0.15))
    outcome = run(collect(service, width=WIDTH, page_size=PAGE, depth=20, pace=1 / 200))
    assert outcome.doubts == []
    assert len(service.requested) <= 1.1 * len(outcome.ids) / PAGE


@pytest.mark.parametrize("lag", [0.01, 0.1])
@pytest.mark.parametrize("seed", range(5))
def test_a_replica_that_is_one_record_behind_loses_and_doubts_nothing(lag: float, seed: int) -> None:
    """Some answers lack the last record, and all of them together lack none."""
    service = make_service(range(2001), lag=lag, latency=lambda: 0.05)
    service.chance.seed(seed)
    outcome = read(service)
    assert sorted(outcome.ids) == ids(range(2001))
    assert outcome.doubts == []
    assert len(service.requested) <= 2 * 201


def test_a_falling_total_has_the_pages_around_it_read_again() -> None:
    """A record that left page 1 moved another over an edge that was read already: it is yielded all the same."""
    service = make_service(range(30))

    def change(current: list[Stored]) -> None:
        if pages_of(service) == [1, 2]:
            del current[0]

    service.change = change
    outcome = read(service, depth=1)
    assert sorted(outcome.ids) == ids(range(30))
    assert outcome.doubts == []
    assert pages_of(service).count(2) == 2
    assert pages_of(service).count(3) <= 5


def test_a_record_that_leaves_as_another_arrives_is_doubted() -> None:
    """TotalNum shows nothing then; the second look at page 1 does."""
    service = make_service(range(30))

    def change(current: list[Stored]) -> None:
        if pages_of(service) == [1]:
            del current[0]
            current.append(call(99))

    service.change = change
    outcome = read(service, depth=1)
    (doubt,) = outcome.doubts
    assert doubt.startswith("records left the list while others arrived")
    assert len(outcome.ids) == len(set(outcome.ids))


@pytest.mark.parametrize(("is_far", "round_trips"), [(False, 3), (True, 2)])
def test_the_second_look_waits_for_the_last_pages_where_that_is_not_felt(is_far: bool, round_trips: int) -> None:
    """Near, it comes behind all answers and sees the whole drift; far, it goes along with the last requests."""
    service = make_service(range(30), latency=lambda: 0.5)

    async def main() -> float:
        await collect(service, width=WIDTH, is_far=is_far)
        return asyncio.get_running_loop().time() - 1000

    assert run(main()) == pytest.approx(round_trips, abs=0.01)
    assert sorted(pages_of(service)) == [1, 1, 2, 3, 4]
    assert pages_of(service)[-1] == 1


def test_far_too_the_second_look_waits_where_the_data_drifts() -> None:
    """One that went along with the last pages was too early to see all, so page 1 is requested behind them."""
    service = make_service(range(30), latency=lambda: 0.5)

    def change(current: list[Stored]) -> None:
        if pages_of(service) == [1, 2]:
            current.append(call(99))

    service.change = change
    assert read(service, is_far=True).ids == ids([*range(30), 99])
    assert pages_of(service).count(1) <= 4
    assert pages_of(service)[-1] == 1


def test_a_second_look_that_is_the_first_to_show_drift_is_taken_again() -> None:
    """It was answered before a record left, so a record that page 3 no longer holds would be missed without a doubt."""
    service = make_service(range(30))

    async def fetch(query: Query, page: int) -> CallRecordPage:
        is_look = page == 1 and bool(service.requested)
        await asyncio.sleep({1: 2, 2: 1}.get(page, 3))
        answer = service.answer(query, page)
        if pages_of(service) == [1, 2]:
            service.calls.append(call(99))
        if pages_of(service) == [1, 2, 1]:
            del service.calls[0]
        await asyncio.sleep(5 if is_look else 0)
        return answer

    service.fetch = fetch  # type: ignore[method-assign]
    outcome = read(service, is_far=True)
    assert set(ids(range(30))) - set(outcome.ids) == {call_id(20)}
    (doubt,) = outcome.doubts
    assert doubt.startswith("records left the list while others arrived")


@pytest.mark.parametrize("total", [None, 50])
def test_an_end_that_comes_too_early_is_read_again(total: int | None) -> None:
    """A page that is empty for a moment does not cut the walk short."""
    service = make_service(range(50))
    whole = service.answer

    def answer(query: Query, page: int) -> CallRecordPage:
        if page == 3 and 3 not in pages_of(service):
            service.requested.append((query, 3))
            return CallRecordPage(records=(), page=0, total_num=total)
        return whole(query, page)

    service.answer = answer  # type: ignore[method-assign]
    outcome = read(service)
    assert outcome.ids == ids(range(50))
    assert outcome.doubts == []


def test_an_arrival_behind_the_only_page_is_no_limit_of_the_service() -> None:
    """A record that arrives before the end is read comes too, and the window is not divided, then or later."""
    service = make_service(range(3), change=lambda calls: calls.append(call(3)) if len(calls) == 3 else None)
    facts = ServiceFacts()
    outcome = run(collect(service, width=WIDTH, page_size=PAGE, facts=facts))
    assert outcome.ids == ids(range(4))
    assert outcome.doubts == []
    assert facts.limits(PAGE).most_records is None
    assert {query.end_time for query, _ in service.requested} == {WINDOW_START + WIDTH}


@pytest.mark.parametrize("depth", [1, 8])
def test_an_end_that_stays_too_early_divides_the_window(depth: int) -> None:
    """The parts give the records that the list of the whole window does not."""
    service = make_service(range(50))
    whole = service.answer

    def answer(query: Query, page: int) -> CallRecordPage:
        if page < 3:
            return whole(query, page)
        service.requested.append((query, page))
        return CallRecordPage(records=(), page=0, total_num=50)

    service.answer = answer  # type: ignore[method-assign]
    outcome = read(service, depth=depth, width=50)
    assert sorted(outcome.ids) == ids(range(50))
    assert outcome.ids[:20] == ids(range(20))
    assert outcome.doubts == []


@pytest.mark.parametrize("knows_total", [True, False])
@pytest.mark.parametrize("depth", [1, 8])
def test_a_service_that_ignores_page_and_window_is_an_error(depth: int, knows_total: bool) -> None:
    """A page that repeats, in each part of the window too, ends the walk with an error."""
    service = make_service(range(50), knows_total=knows_total)
    first = service.answer(Query(start_time=WINDOW_START, end_time=WINDOW_START + WIDTH, page_size=PAGE), 1)
    service.answer = lambda query, page: service.requested.append((query, page)) or first  # type: ignore[method-assign,func-returns-value]
    with pytest.raises(RepeatedPageError) as caught:
        read(service, depth=depth)
    assert caught.value.page == 2
    assert len(service.requested) < 500


def test_a_service_that_starts_over_ends_there() -> None:
    """A page that comes round again behind TotalNum records is as good as the end signal."""
    service = make_service(range(50))
    whole = service.answer
    service.answer = lambda query, page: whole(query, (page - 1) % 5 + 1)  # type: ignore[method-assign]
    outcome = read(service, width=50)
    assert outcome.ids == ids(range(50))
    assert outcome.doubts == []


def test_a_page_of_known_records_that_drifted_is_no_error() -> None:
    """As many leave as arrive, so no TotalNum shows it; but page 1 no longer holds the records of page 2."""
    service = make_service([3, 2, 1])

    def change(current: list[Stored]) -> None:
        if pages_of(service) == [1]:
            current[:] = map(call, [4, 3, 2])

    service.change = change
    assert read(service, depth=1, page_size=2).ids == ids([3, 2, 4])


def test_a_service_that_grows_and_repeats_is_an_error_too() -> None:
    """Arrivals explain some pages of known records, not any number of them."""
    service = make_service(range(50))
    first = service.answer(Query(start_time=WINDOW_START, end_time=WINDOW_START + WIDTH, page_size=PAGE), 1)

    def answer(query: Query, page: int) -> CallRecordPage:
        service.requested.append((query, page))
        return CallRecordPage(records=first.records, page=page, total_num=50 + len(service.requested))

    service.answer = answer  # type: ignore[method-assign]
    with pytest.raises(RepeatedPageError):
        read(service, depth=1)
    assert len(service.requested) < 500


def test_pages_that_never_agree_are_doubted() -> None:
    """A list that shrinks at every request cannot be read consistently."""
    service = make_service(range(300), change=lambda current: current.pop(0) and None)
    outcome = read(service, depth=4)
    assert outcome.doubts
    assert len(outcome.ids) == len(set(outcome.ids))


@pytest.mark.parametrize("error", [TransportError("reset", None), ServerError(101001, "internal", "Id-4")])
@pytest.mark.parametrize("parts_fail", [True, False])
def test_a_failing_page_is_raised_where_it_stands(error: Exception, *, parts_fail: bool) -> None:
    """Pages before the failure are yielded; requests behind it are given up, and none is left over.

    An error that may mean a depth is raised too, unless parts of the window bring more.
    """
    service = make_service(range(30))
    whole = service.answer

    def answer(query: Query, page: int) -> CallRecordPage:
        if query != whole_query and not parts_fail:
            return whole(query, page)
        if query != whole_query or page == 4:
            raise error
        return attrs.evolve(whole(query, page), total_num=45)

    service.answer = answer  # type: ignore[method-assign]
    whole_query = Query(start_time=WINDOW_START, end_time=WINDOW_START + WIDTH, page_size=PAGE)

    async def main() -> list[str]:
        found = []
        prefetcher = Prefetcher(service.fetch, lambda: 8, lambda: False)
        walk = Walk(prefetcher, whole_query, prefetcher.open(whole_query), ServiceFacts())
        with pytest.raises(type(error)):
            async for page in walk.pages():
                found += [record.call_id for record in page.records]
        await prefetcher.aclose()
        assert len(asyncio.all_tasks()) == 1
        return found

    assert run(main()) == ids(range(30))


@pytest.mark.parametrize("knows_total", [True, False])
@pytest.mark.parametrize(("before", "after"), [(5, 10), (4, 10), (10, 5), (7, 3)])
@pytest.mark.parametrize("behind", [1, 2, 5])
@pytest.mark.parametrize("depth", [1, 8])
def test_a_page_cap_that_changes_in_mid_walk_loses_nothing(
    before: int, after: int, behind: int, knows_total: bool, depth: int
) -> None:
    """Page numbers shift with the length of pages, so the walk goes on at the page that holds the next position."""
    service = make_service(range(100), page_cap=before, knows_total=knows_total)

    def change(_: list[Stored]) -> None:
        if len(service.requested) == behind:
            service.page_cap = after

    service.change = change
    outcome = read(service, depth=depth)
    assert sorted(outcome.ids) == ids(range(100))
    assert len(outcome.ids) == 100
    assert outcome.doubts == []


def test_no_more_records_are_held_than_the_bound_says() -> None:
    """A consumer that stands still does not make memory grow."""
    record = call(0).record
    requested = []

    async def fetch(_: Query, page: int) -> CallRecordPage:
        requested.append(page)
        records = tuple(attrs.evolve(record, call_id=f"{page} {number}") for number in range(500))
        return CallRecordPage(records=records, page=page, total_num=60_000)

    async def main() -> None:
        prefetcher = Prefetcher(fetch, lambda: 200, lambda: False)
        listing = ListWalk(prefetcher.open(Query(page_size=500)), Ledger())
        async with aclosing(listing.pages()) as pages:
            await anext(pages)
            await anext(pages)
            await asyncio.sleep(100)
            assert 70 <= len(requested) <= 80
        await prefetcher.aclose()

    run(main())


def test_nothing_is_requested_beyond_the_planned_end() -> None:
    """TotalNum and the first page tell where the end is: one page behind it is requested, to be sure."""
    service = make_service(range(95), latency=lambda: 0.1)
    run(collect(service, width=WIDTH, depth=50))
    assert sorted(pages_of(service)) == [1, *range(1, 12)]


def same_id(numbers: Iterable[int], value: str) -> list[Stored]:
    """Return calls that all have one id."""
    return [make_call(number, number, 18, CallId=value) for number in numbers]


@pytest.mark.parametrize("value", ["", "  ", "unknown"])
def test_records_with_one_id_are_all_yielded(value: str) -> None:
    """Only a record that equals another in all fields is a repeat; nothing else is dropped."""
    calls = same_id(range(95), value)
    outcome = read(MovingService(calls, order="insertion"))
    assert (outcome.records, outcome.doubts) == ([call.record for call in calls], [])


@pytest.mark.parametrize("value", ["", "unknown"])
def test_records_with_one_id_come_once_where_pages_move(value: str) -> None:
    """Arrivals push records to later pages: those that come again are the same records."""
    arriving = iter(same_id(range(1000, 1005), value))

    def arrive(calls: list[Stored]) -> None:
        calls[:0] = itertools.islice(arriving, 1)

    calls = same_id(range(95), value)
    outcome = read(MovingService(calls, order="insertion", change=arrive), depth=1)
    found = [record for record in outcome.records if record.start_time.timestamp() < WINDOW_START + 1000]
    assert found == [call.record for call in calls]


def test_both_forms_of_a_record_that_changes_are_yielded() -> None:
    """A record that comes again with another end is not the same record."""
    longer = make_call(0, 0, 30)

    def change(calls: list[Stored]) -> None:
        calls[0] = longer

    service = make_service(range(30), change=change)
    outcome = read(service, depth=1)
    assert [record.end_time for record in outcome.records if record.call_id == call_id(0)] == [
        call(0).record.end_time,
        longer.record.end_time,
    ]
    assert outcome.doubts == []


def test_a_repeating_service_is_found_out_by_the_known_fields() -> None:
    """The walk ends, and yields each record, where an unknown field is another one in each answer."""
    answers = itertools.count()

    class Repeating(MovingService):
        def answer(self, query: Query, page: int) -> CallRecordPage:
            answer = super().answer(query, 1)
            extra = {"Served": next(answers)}
            return attrs.evolve(answer, records=tuple(attrs.evolve(each, extra=extra) for each in answer.records))

    service = Repeating(map(call, range(30)), order="insertion")
    assert set(read(service).ids) == set(ids(range(30)))
    assert len(service.requested) < 100


@pytest.mark.parametrize(
    ("one", "other", "are_one"),
    [
        ({"a": 1, "b": [1, {"c": None, "d": 2}]}, {"b": [1, {"d": 2, "c": None}], "a": 1}, True),
        ({"a": float("nan")}, {"a": float("nan")}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": -1}, {"a": -2}, False),
        ({"a": [1], "b": 2}, {"a": [1, "b", 2]}, False),
    ],
)
def test_unknown_fields_tell_records_apart(one: dict[str, object], other: dict[str, object], are_one: bool) -> None:
    """Their values count, the order of their names does not."""
    records = tuple(attrs.evolve(call(0).record, extra=extra) for extra in (one, other))
    assert Ledger().take(CallRecordPage(records=records, page=1)).size == (1 if are_one else 2)


def test_a_ledger_remembers_no_more_than_it_needs() -> None:
    """50,000 records pass, and the ids remembered stay within two generations and a page."""
    record = call(0).record
    ledger = Ledger()
    for page in range(1, 101):
        records = tuple(attrs.evolve(record, call_id=f"{page} {number}") for number in range(500))
        assert len(ledger.take(CallRecordPage(records=records, page=page)).records) == 500
    assert sum(map(len, ledger._memory)) <= 41_000
    assert len(ledger.digests) == 50_000


def test_a_ledger_keeps_a_bounded_number_of_digests() -> None:
    """Beyond 200,000 records it no longer knows all of them, and says so."""
    record = call(0).record
    ledger = Ledger()
    for page in range(1, 203):
        assert ledger.remembers_all is (page <= 201)
        records = tuple(attrs.evolve(record, call_id=f"{page} {number}") for number in range(1000))
        ledger.take(CallRecordPage(records=records, page=page))
    assert not ledger.remembers_all
    assert len(ledger.digests) == 200_000
