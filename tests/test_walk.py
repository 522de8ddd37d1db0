"""The walk over pages, against a service in memory that moves as the test says; no HTTP, no real time."""

from __future__ import annotations

import asyncio
import random
import warnings
from collections.abc import Callable
from contextlib import aclosing

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import call_id, raw_record
from trtc_records._walk import walk
from virtual_time import run

from trtc_records import (
    CallRecordPage,
    IncompleteWalkWarning,
    RepeatedPageError,
    ServerError,
    record_from_json,
)
from trtc_records._walking.prefetch import Prefetcher

END_STYLES = ("page zero", "page zero, no total", "nothing", "zero behind records")


class Service:
    """Answer pages of a list of record numbers, which may change between any two requests."""

    def __init__(
        self,
        numbers: list[int],
        *,
        page_size: int,
        ending: str = "page zero",
        latency: Callable[[], float] = lambda: 0.0,
        change: Callable[[list[int]], None] = lambda _: None,
        knows_total: bool = True,
    ) -> None:
        self.numbers = numbers
        self.page_size = page_size
        self.ending = ending
        self.latency = latency
        self.change = change
        self.knows_total = knows_total
        self.requested: list[int] = []

    async def fetch(self, page: int) -> CallRecordPage:
        await asyncio.sleep(self.latency())
        answer = self.answer(page)
        self.change(self.numbers)
        await asyncio.sleep(self.latency())
        return answer

    def answer(self, page: int) -> CallRecordPage:
        self.requested.append(page)
        first = (page - 1) * self.page_size
        numbers = self.numbers[first : first + self.page_size]
        total = len(self.numbers) if self.knows_total else None
        if not numbers:
            return CallRecordPage(records=(), page=0, total_num=total if self.ending == "page zero" else None)
        last = first + self.page_size >= len(self.numbers)
        return CallRecordPage(
            records=tuple(record_from_json(raw_record(number)) for number in numbers),
            page=0 if last and self.ending == "zero behind records" else page,
            total_num=total,
            request_id=f"Id-{len(self.requested)}",
        )


async def collect(service: Service, depth: int = 8, *, is_far: bool = False) -> list[str]:
    source = Prefetcher(service.fetch, lambda: depth, lambda: is_far)
    try:
        async with aclosing(walk(source)) as pages:
            return [record.call_id async for page in pages for record in page.records]
    finally:
        await source.aclose()


def ids(numbers: list[int]) -> list[str]:
    return [call_id(number) for number in numbers]


@given(
    count=st.integers(0, 60),
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
    """Any number, page size, cap, order and way of ending: each record once, in order, in at most two requests more."""
    chance = random.Random(seed)
    numbers = list(range(count))
    chance.shuffle(numbers)
    service = Service(list(numbers), page_size=page_size, ending=ending, latency=chance.random, knows_total=knows_total)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run(collect(service, depth, is_far=is_far)) == ids(numbers)
    assert len(service.requested) <= -(-count // page_size) + 2


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
def test_a_record_that_stays_comes_once_or_the_walk_says_so(
    count: int, page_size: int, depth: int, drift: tuple[str, float, float, int]
) -> None:
    """Records arrive and expire between any two requests: what matches throughout is yielded once, or warned about."""
    order, arrivals, expiries, seed = drift
    chance = random.Random(seed)
    numbers = list(range(1000, 1000 + count))
    if order == "descending":
        numbers.reverse()
    stable = set(numbers)
    newest = iter(range(5000, 9000))

    def change(current: list[int]) -> None:
        if chance.random() < arrivals and len(current) < 200:
            where = {"ascending": len(current), "descending": 0}.get(order, chance.randint(0, len(current)))
            current.insert(where, next(newest))
        if current and chance.random() < expiries:
            oldest = min(current)
            current.remove(oldest)
            stable.discard(oldest)

    service = Service(numbers, page_size=page_size, change=change, latency=lambda: chance.choice((0.0, 0.0, 0.1)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = run(collect(service, depth))
    assert len(found) == len(set(found))
    assert set(ids(sorted(stable))) <= set(found) or caught
    assert all(warning.category is IncompleteWalkWarning for warning in caught)


def test_records_that_only_arrive_cost_neither_a_record_nor_a_warning() -> None:
    """Late arrivals are what a real window sees: the walk takes them in its stride."""
    chance = random.Random(7)
    numbers = list(range(1000, 1400))
    newest = iter(range(5000, 9000))

    def change(current: list[int]) -> None:
        if chance.random() < 0.3:
            current.insert(chance.randint(0, len(current)), next(newest))

    service = Service(numbers, page_size=10, change=change, latency=lambda: chance.choice((0.0, 0.1)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = run(collect(service))
    assert len(found) == len(set(found))
    assert set(ids(list(range(1000, 1400)))) <= set(found)


def test_a_falling_total_has_the_pages_around_it_read_again() -> None:
    """A record that left page 1 moved another over an edge that was read already: it is yielded all the same."""
    service = Service(list(range(30)), page_size=10)

    def change(current: list[int]) -> None:
        if service.requested == [1, 2]:
            current.remove(0)

    service.change = change
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = run(collect(service, depth=1))
    assert sorted(found) == ids(list(range(30)))
    assert service.requested.count(2) == service.requested.count(3) == 2


def test_a_record_that_leaves_as_another_arrives_is_warned_about() -> None:
    """TotalNum shows nothing then; the second look at page 1 does."""
    service = Service(list(range(30)), page_size=10)

    def change(current: list[int]) -> None:
        if service.requested == [1]:
            current.remove(0)
            current.append(99)

    service.change = change
    with pytest.warns(IncompleteWalkWarning, match="left the list while others arrived"):
        found = run(collect(service, depth=1))
    assert len(found) == len(set(found))


@pytest.mark.parametrize(("is_far", "round_trips"), [(False, 3), (True, 2)])
def test_the_second_look_waits_for_the_last_pages_where_that_is_not_felt(is_far: bool, round_trips: int) -> None:
    """Near, it comes behind all answers and sees what moved under them; far, it goes along with the last requests."""
    service = Service(list(range(30)), page_size=10, latency=lambda: 0.5)

    async def main() -> float:
        await collect(service, is_far=is_far)
        return asyncio.get_running_loop().time() - 1000

    assert run(main()) == pytest.approx(round_trips, abs=0.01)
    assert sorted(service.requested) == [1, 1, 2, 3, 4]
    assert service.requested[-1] == 1


def test_far_too_the_second_look_waits_where_the_data_moves() -> None:
    """One that went along with the last pages was too early to see all, so page 1 is asked for behind them."""
    service = Service(list(range(30)), page_size=10, latency=lambda: 0.5)

    def change(current: list[int]) -> None:
        if service.requested == [1, 2]:
            current.append(99)

    service.change = change
    assert run(collect(service, is_far=True)) == ids([*range(30), 99])
    assert service.requested.count(1) == 3
    assert service.requested[-1] == 1


def test_an_end_that_comes_too_early_is_read_again() -> None:
    """A page that is empty for a moment does not cut the walk short."""
    service = Service(list(range(50)), page_size=10)
    whole = service.answer

    def answer(page: int) -> CallRecordPage:
        if page == 3 and 3 not in service.requested:
            service.requested.append(3)
            return CallRecordPage(records=(), page=0)
        return whole(page)

    service.answer = answer  # type: ignore[method-assign]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run(collect(service)) == ids(list(range(50)))


@pytest.mark.parametrize("depth", [1, 8])
def test_an_end_that_stays_too_early_is_warned_about(depth: int) -> None:
    """The walk says how many of how many it got, and keeps what it has already asked for behind the gap."""
    service = Service(list(range(50)), page_size=10)
    whole = service.answer

    def answer(page: int) -> CallRecordPage:
        if page == 3:
            service.requested.append(3)
            return CallRecordPage(records=(), page=0, total_num=50)
        return whole(page)

    service.answer = answer  # type: ignore[method-assign]
    with pytest.warns(IncompleteWalkWarning, match=r"after \d\d of 50 records"):
        found = run(collect(service, depth))
    assert found[:20] == ids(list(range(20)))
    assert found[20:] == ids(list(range(30, 50)))[: len(found) - 20]


@pytest.mark.parametrize("depth", [1, 8])
def test_a_service_that_ignores_the_page_number_is_an_error(depth: int) -> None:
    """A page that repeats ends the walk with an error instead of never."""
    service = Service(list(range(50)), page_size=10)
    first = service.answer(1)
    service.answer = lambda page: service.requested.append(page) or first  # type: ignore[method-assign,func-returns-value]
    with pytest.raises(RepeatedPageError) as caught:
        run(collect(service, depth))
    assert caught.value.page == 2
    assert len(service.requested) < 20


def test_a_service_that_starts_over_is_an_error() -> None:
    """Pages that come round again beyond the end are noticed however many records lie between."""
    service = Service(list(range(50)), page_size=10)
    whole = service.answer
    service.answer = lambda page: whole((page - 1) % 5 + 1)  # type: ignore[method-assign]
    with pytest.raises(RepeatedPageError):
        run(collect(service))


def test_a_page_of_known_records_that_moved_is_no_error() -> None:
    """As many leave as arrive, so no TotalNum shows it; but page 1 no longer holds what page 2 does."""
    service = Service([3, 2, 1], page_size=2)

    def change(current: list[int]) -> None:
        if service.requested == [1]:
            current[:] = [4, 3, 2]

    service.change = change
    with pytest.warns(IncompleteWalkWarning, match="left the list while others arrived"):
        assert run(collect(service, depth=1)) == ids([3, 2, 4])


def test_a_service_that_grows_and_repeats_is_an_error_too() -> None:
    """Arrivals explain some pages of known records, not any number of them."""
    service = Service(list(range(50)), page_size=10)
    first = service.answer(1)

    def answer(page: int) -> CallRecordPage:
        service.requested.append(page)
        return CallRecordPage(records=first.records, page=page, total_num=50 + len(service.requested))

    service.answer = answer  # type: ignore[method-assign]
    with pytest.raises(RepeatedPageError):
        run(collect(service, depth=1))
    assert len(service.requested) < 40


def test_pages_that_never_agree_are_warned_about() -> None:
    """A list that shrinks at every request cannot be read consistently, and the walk says so."""
    service = Service(list(range(300)), page_size=10, change=lambda current: current.pop(0) and None)
    with pytest.warns(IncompleteWalkWarning):
        found = run(collect(service, depth=4))
    assert len(found) == len(set(found))


def test_a_failing_page_is_raised_where_it_stands() -> None:
    """Pages before the failure are yielded; what was requested behind it is given up."""
    service = Service(list(range(100)), page_size=10)
    whole = service.answer

    def answer(page: int) -> CallRecordPage:
        if page == 4:
            raise ServerError(101001, "internal", "Id-4")
        return whole(page)

    service.answer = answer  # type: ignore[method-assign]

    async def main() -> list[str]:
        found = []
        source = Prefetcher(service.fetch, lambda: 8, lambda: False)
        with pytest.raises(ServerError):
            async for page in walk(source):
                found += [record.call_id for record in page.records]
        await source.aclose()
        assert len(asyncio.all_tasks()) == 1
        return found

    assert run(main()) == ids(list(range(30)))


def test_no_more_records_are_held_than_the_bound_says() -> None:
    """A consumer that stands still does not make memory grow."""
    service = Service(list(range(60_000)), page_size=500)

    async def main() -> None:
        source = Prefetcher(service.fetch, lambda: 200, lambda: False)
        async with aclosing(walk(source)) as pages:
            await anext(pages)
            await anext(pages)
            await asyncio.sleep(100)
            assert 70 <= len(service.requested) <= 80
        await source.aclose()

    run(main())


def test_nothing_is_requested_beyond_the_planned_end() -> None:
    """TotalNum and the first page say where the end is: one page behind it is asked for, to be sure."""
    service = Service(list(range(95)), page_size=10, latency=lambda: 0.1)
    run(collect(service, depth=50))
    assert sorted(service.requested) == [1, *range(1, 12)]


def test_a_total_that_promises_too_much_does_not_keep_the_walk_going() -> None:
    """Behind an early end only what was requested already is looked at, however much TotalNum promises."""
    service = Service(list(range(50)), page_size=10)
    whole = service.answer
    service.answer = lambda page: attrs.evolve(whole(page), total_num=10**6)  # type: ignore[method-assign]
    with pytest.warns(IncompleteWalkWarning, match="after 50 of 1000000 records"):
        assert run(collect(service, depth=8)) == ids(list(range(50)))
    assert len(service.requested) < 40


def test_a_walk_remembers_no_more_than_it_needs() -> None:
    """50,000 records pass, and the ids remembered stay within two generations and a page."""
    service = Service(list(range(50_000)), page_size=500)

    async def main() -> None:
        from trtc_records._walking.ledger import Ledger

        ledger = Ledger()
        for number in range(1, 101):
            fresh = ledger.take(service.answer(number))
            assert len(fresh.records) == 500
        assert sum(map(len, ledger._memory)) <= 41_000

    run(main())
