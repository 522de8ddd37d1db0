"""The walk over a window that one list does not hold, against a service in memory; no HTTP, no real time."""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moving_service import (
    END_STYLES,
    MEANINGS,
    ORDERS,
    REFUSALS,
    WINDOW_START,
    MovingService,
    Outcome,
    Stored,
    collect,
    make_call,
)
from virtual_time import run

from trtc_records import CallRecordPage, CallResult, CallType
from trtc_records._api.query import Query
from trtc_records._walking import ledger
from trtc_records._walking.facts import Limits, Meaning, ServiceFacts, looks_capped
from trtc_records._walking.listing import Shortfall, ShortfallKind
from trtc_records._walking.slices import Division, DivisionKind, Slice, divide

WEEK = 604_800
TYPES = [call_type.value for call_type in CallType]
RESULTS = [result.value for result in CallResult]


def ids_of(calls: Iterable[Stored]) -> list[str]:
    return sorted(call.record.call_id for call in calls)


def matching(service: MovingService, width: int) -> list[str]:
    """Return the ids of all calls of the window, as the service has them now."""
    whole = Query(start_time=WINDOW_START, end_time=WINDOW_START + width, page_size=10)
    return ids_of(call for call in service.calls if service.matches(whole, call))


def count_slices(service: MovingService) -> int:
    """Return how many windows the service was asked for."""
    return len({query for query, _ in service.requested})


SPREAD = [
    make_call(number, number * (WEEK - 1000) // 1250, 5 + number * 37 % 120, CallType=TYPES[number % 3 == 0])
    for number in range(1250)
]
"""1,250 calls, spread evenly over a week."""


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("total_cap", [None, 256])
def test_every_record_is_read_however_deep_pages_are_refused(refusal: str, total_cap: int | None) -> None:
    """A fifth of the records is all that one list gives: in any order, and whatever a window means, all are read."""
    for order, meaning, half_open in itertools.product(ORDERS, MEANINGS, (False, True)):
        service = MovingService(
            SPREAD,
            deepest=256,
            refusal=refusal,
            total_cap=total_cap,
            order=order,
            meaning=meaning,
            half_open=half_open,
            latency=lambda: 0.05,
        )
        outcome = run(collect(service, width=WEEK, page_size=16, depth=8))
        case = (order, meaning, half_open)
        assert (case, sorted(outcome.ids)) == (case, ids_of(SPREAD))
        pages = len(SPREAD) / 16
        assert len(service.requested) <= 1.2 * pages + 4 * count_slices(service) + 20, case
        if total_cap is None:
            assert (case, outcome.doubts) == (case, [])


@pytest.mark.parametrize("meaning", MEANINGS)
@pytest.mark.parametrize("order", ORDERS)
def test_times_that_are_not_set_or_absurd_do_no_harm(meaning: str, order: str) -> None:
    """Records without an end, or with one before the start or thousands of years on, are each read once."""
    ends = itertools.cycle(((), (0,), (), (None,), (WINDOW_START - 10**6,), (253_402_300_799,)))
    calls = [
        make_call(number, number * WEEK // 500, 50, **dict.fromkeys(("EndTime",), *end) if end else {})
        for number, end in zip(range(500), ends, strict=False)
    ]
    outcome = run(
        collect(MovingService(calls, deepest=128, meaning=meaning, order=order), width=WEEK, page_size=16, depth=8)
    )
    assert (sorted(outcome.ids), outcome.doubts) == (ids_of(calls), [])


@attrs.frozen
class Case:
    """A service, and the way in which it is read."""

    service: MovingService
    width: int
    page_size: int
    depth: int
    by_time: bool
    stable: list[str]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    width = draw(st.sampled_from((3, 60, 1000, 100_000)))
    deepest = draw(st.sampled_from((None, 64, 100, 128, 256)))
    refusal = draw(st.sampled_from(REFUSALS))
    longest = draw(st.sampled_from((1, 10, width)))
    arrivals = draw(st.sampled_from((0.0, 0.0, 0.02, 0.1)))
    clump = draw(st.sampled_from((0, 0, 30, 120)))
    count = draw(st.sampled_from((0, 5, 50, 200, 400)))
    chance = random.Random(draw(st.integers(0, 10**6)))

    def draw_call(number: int, start: int | None = None) -> Stored:
        begin = chance.randrange(width) if start is None else start
        length = chance.randint(0, min(longest, width - begin))
        result, call_type = chance.choice(RESULTS[:4]), chance.choice(TYPES)
        return make_call(number, begin, length, CallType=call_type, CallResult=result)

    busy = chance.randrange(width)
    calls = [draw_call(number, None if number < count else busy) for number in range(count + clump)]
    chance.shuffle(calls)
    later = itertools.count(100_000)

    def change(current: list[Stored]) -> None:
        if chance.random() < arrivals and len(current) < 2000:
            current.append(draw_call(next(later)))

    service = MovingService(
        calls,
        order=draw(st.sampled_from((*ORDERS, "insertion"))),
        deepest=deepest,
        refusal=refusal,
        total_cap=draw(st.sampled_from((None, None, deepest if deepest != 100 else None))),
        # Nobody can see where a list without TotalNum and with an empty page at its end goes on.
        knows_total=refusal == "empty" or draw(st.sampled_from((True, True, True, False))),
        meaning=draw(st.sampled_from(MEANINGS)),
        half_open=draw(st.booleans()),
        page_cap=draw(st.sampled_from((10**9, 10**9, 5))),
        ending=draw(st.sampled_from(END_STYLES)),
        change=change,
        latency=lambda: chance.choice((0.0, 0.0, 0.1)),
    )
    return Case(
        service,
        width,
        # Pages of one record cannot show that something drifted.
        page_size=draw(st.sampled_from((5, 7, 10, 20))),
        depth=draw(st.sampled_from((1, 4, 8))),
        by_time=draw(st.sampled_from((False, False, True))),
        stable=matching(service, width),
    )


@settings(max_examples=100, derandomize=True)
@given(case=cases())
def test_each_record_that_stays_comes_once_or_there_is_a_doubt(case: Case) -> None:
    """The promise of a walk: each record that matches throughout, once, or a reason for doubt."""
    outcome = run(
        collect(
            case.service,
            width=case.width,
            page_size=case.page_size,
            depth=case.depth,
            in_time_order=case.by_time,
        )
    )
    assert len(outcome.ids) == len(set(outcome.ids))
    assert set(case.stable) <= set(outcome.ids) or outcome.doubts
    if case.by_time:
        assert outcome.records == sorted(outcome.records, key=lambda record: (record.start_time, record.call_id))


def test_a_call_longer_than_the_reach_is_doubted_though_all_calls_read_are_short() -> None:
    """A list without TotalNum, half-open windows that mean the whole call, and only short calls on the first pages."""
    spans = [(2, 0)] * 8 + [(1, 0)] * 8 + [(1, 1)] * 4 + [(0, 2)] * 4
    service = MovingService(
        [make_call(number, start, length) for number, (start, length) in enumerate(spans)],
        deepest=10,
        refusal="repeat",
        meaning="within",
        half_open=True,
        order="descending",
        knows_total=False,
    )
    outcome = run(collect(service, width=3, page_size=5))
    assert outcome.ids
    assert set(outcome.ids) >= set(matching(service, 3)) or outcome.doubts


def in_one_second(kinds: Sequence[tuple[str, str]], second: int = 500) -> list[Stored]:
    """Return a call of each type and result, all of the same second, among others before and behind."""
    fields = [{"CallType": call_type, "CallResult": result} for call_type, result in kinds]
    busy = [make_call(number, second, 0, **each) for number, each in enumerate(fields)]
    return [*busy, *(make_call(1000 + start, start, 10) for start in range(0, 1000, 50) if start != second)]


def read(service: MovingService, *, width: int = 1000, facts: ServiceFacts | None = None, **options: Any) -> Outcome:
    return run(collect(service, width=width, facts=facts, **options))


SECOND = "the second 2027-01-15 08:08:20 UTC"


@pytest.mark.parametrize("half_open", [False, True])
@pytest.mark.parametrize("meaning", MEANINGS)
@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_second_that_holds_more_than_the_depth_is_divided_by_type_and_result(
    refusal: str, meaning: str, half_open: bool
) -> None:
    """Time is no help there, but the conditions of a query are."""
    calls = in_one_second([*itertools.product(TYPES, RESULTS)] * 5)
    service = MovingService(calls, deepest=20, refusal=refusal, meaning=meaning, half_open=half_open)
    outcome = read(service)
    assert sorted(outcome.ids) == ids_of(calls)
    assert outcome.doubts == []


@pytest.mark.parametrize(
    "unknown", [("Conference", "NormalEnd"), ("SingleCall", "Forgotten")], ids=["a type", "a result"]
)
def test_calls_of_an_unknown_kind_in_a_crowded_second_are_doubted(unknown: tuple[str, str]) -> None:
    """They can be asked for by no condition, and the doubt says how many there are, and when."""
    calls = in_one_second([*[*itertools.product(TYPES, RESULTS)] * 8, *[unknown] * 7])
    service = MovingService(calls, deepest=20, refusal="empty", order="random")
    outcome = read(service)
    missing = set(ids_of(calls)) - set(outcome.ids)
    assert missing
    assert any(doubt.startswith("7 of the ") and SECOND in doubt for doubt in outcome.doubts)
    assert outcome.doubts[0].startswith(f"the service counts {len(calls)} records and gives {len(outcome.ids)}")


def test_unknown_kinds_are_doubted_where_the_count_is_capped() -> None:
    """Nobody can say how many there are, if any."""
    calls = in_one_second([*itertools.product(TYPES, RESULTS)] * 8)
    service = MovingService(calls, deepest=64, total_cap=64, refusal="empty")
    outcome = read(service, page_size=8)
    assert sorted(outcome.ids) == ids_of(calls)
    assert any(doubt.startswith(f"the service does not say how many calls {SECOND} holds") for doubt in outcome.doubts)


def test_a_second_of_one_kind_that_holds_more_than_the_depth_is_doubted() -> None:
    """All that can be read is read, and the doubt gives the second, the kind and the numbers."""
    calls = in_one_second([("SingleCall", "NormalEnd")] * 50)
    outcome = read(MovingService(calls, deepest=20, refusal="invalid parameter"))
    assert len(outcome.ids) == 20 + 19
    assert f"20 of 50 of the calls of {SECOND} SingleCall NormalEnd could be read" in outcome.doubts


def test_a_part_that_gives_fewer_calls_than_it_counts_is_doubted() -> None:
    """It is no longer than others that were read, so dividing it would not help; the doubt gives its window."""
    calls = [make_call(number, number * 20, 5) for number in range(50)]
    service = MovingService(calls, deepest=20, refusal="invalid parameter")
    whole = service.answer

    def answer(query: Query, page: int) -> CallRecordPage:
        given = whole(query, page)
        is_last_part = (query.start_time or 0) > WINDOW_START and query.end_time == WINDOW_START + 1000
        return attrs.evolve(given, total_num=(given.total_num or 0) + 2 * is_last_part)

    service.answer = answer  # type: ignore[method-assign]
    outcome = read(service)
    assert sorted(outcome.ids) == ids_of(calls)
    part = "2027-01-15 08:14:35 to 2027-01-15 08:16:40 UTC"
    assert outcome.doubts == [f"6 of 8 of the calls of {part} could be read"]


def test_a_service_that_ignores_conditions_is_not_asked_by_them_again() -> None:
    """Each part holds as many as the whole then, and the second is read as far as it goes."""
    calls = in_one_second([("SingleCall", "NormalEnd")] * 50)
    service = MovingService(calls, deepest=20, refusal="empty")
    whole = service.answer
    service.answer = lambda query, page: whole(attrs.evolve(query, call_type=None, call_result=None), page)  # type: ignore[method-assign]
    outcome = read(service)
    assert len(outcome.ids) == 20 + 19
    assert f"20 of 50 of the calls of {SECOND} could be read" in outcome.doubts


def test_more_calls_under_way_at_once_than_the_depth_are_doubted() -> None:
    """Where any second holds the same calls, the walk gives up after some parts and says why."""
    calls = [make_call(number, 0, 60) for number in range(300)]
    service = MovingService(calls, deepest=20, refusal="empty", meaning="overlap", order="insertion")
    outcome = read(service, width=60)
    assert any("more calls seem to be under way at once than the service gives" in doubt for doubt in outcome.doubts)
    assert len(service.requested) < 20_000


@pytest.mark.parametrize(("total_cap", "depth"), [(None, 250), (256, 256)])
def test_a_client_divides_at_once_the_next_time(
    total_cap: int | None, depth: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It remembers the depth, so no page beyond it is requested again; that is logged once."""
    caplog.set_level(logging.INFO, "trtc_records")
    facts = ServiceFacts()
    requests = []
    for _ in range(3):
        service = MovingService(SPREAD, deepest=depth, refusal="invalid parameter", total_cap=total_cap)
        outcome = read(service, width=WEEK, facts=facts, page_size=10 if total_cap is None else 16)
        assert sorted(outcome.ids) == ids_of(SPREAD)
        requests.append(max(page for _, page in service.requested))
    assert requests[0] > requests[1] == requests[2]
    assert facts.meaning is Meaning.START
    assert facts.longest_call == 124
    assert len(caplog.records) == 1
    assert caplog.records[0].trtc_depth == depth  # type: ignore[attr-defined]


def test_a_total_that_comes_again_for_another_window_is_looked_into() -> None:
    """A cap that looks like no limit shows when two windows have the same count."""
    facts = ServiceFacts()
    for width in (WEEK, WEEK - 2000):
        service = MovingService(SPREAD, total_cap=300, deepest=300, refusal="empty")
        outcome = read(service, width=width, facts=facts)
    assert sorted(outcome.ids) == matching(service, WEEK - 2000)
    assert facts.capped_total == 300


def test_two_windows_that_hold_as_many_are_no_cap() -> None:
    """The parts of the second one add up to its count, so it is read as one list."""
    facts = ServiceFacts()
    for width in (WEEK, WEEK + 5):
        service = MovingService(SPREAD)
        assert read(service, width=width, facts=facts).ids == ids_of(SPREAD)
        assert len(service.requested) <= 125 + 2 + 2
    assert facts.capped_total is None


@pytest.mark.parametrize("clustered", [False, True])
def test_a_cap_at_which_the_list_ends_is_found_by_the_counts_of_parts(clustered: bool) -> None:
    """The list is as long as its TotalNum says, and no error shows; also where one half holds everything."""
    calls = [make_call(number, number if clustered else number * 400, 5) for number in range(1250)]
    service = MovingService(calls, total_cap=512, deepest=512, refusal="empty")
    outcome = read(service, width=WEEK, page_size=16)
    assert sorted(outcome.ids) == ids_of(calls)


def test_a_cap_within_one_second_is_found_by_types() -> None:
    """A window of one second has no halves: call types are counted in place of them."""
    kinds = [*itertools.product(TYPES, RESULTS)] * 12
    calls = [
        make_call(number, 0, 0, CallType=call_type, CallResult=result)
        for number, (call_type, result) in enumerate(kinds)
    ]
    service = MovingService(calls, total_cap=64, deepest=64, refusal="empty")
    outcome = read(service, width=0, page_size=8)
    assert sorted(outcome.ids) == ids_of(calls)


def test_a_list_without_total_that_ends_at_a_limit_is_looked_into() -> None:
    """No TotalNum tells that more must follow, but the halves of the window hold some more."""
    calls = [make_call(number, number * 400, 5) for number in range(300)]
    service = MovingService(calls, deepest=64, refusal="empty", knows_total=False)
    outcome = read(service, width=WEEK, page_size=8)
    assert len(set(outcome.ids)) == len(outcome.ids) >= 64
    assert set(outcome.ids) == set(ids_of(calls)) or not outcome.doubts


def test_an_overstated_total_is_said_and_remembered() -> None:
    """Parts of the window bring nothing more the first time; from then on none are asked for."""
    facts = ServiceFacts()
    calls = SPREAD[:95]
    requests = []
    for _ in range(2):
        service = MovingService(calls)
        whole = service.answer

        def answer(query: Query, page: int, whole: Callable[..., CallRecordPage] = whole) -> CallRecordPage:
            given = whole(query, page)
            is_whole = (query.start_time, query.end_time) == (WINDOW_START, WINDOW_START + WEEK)
            return attrs.evolve(given, total_num=(given.total_num or 0) + 5 * is_whole)

        service.answer = answer  # type: ignore[method-assign]
        outcome = read(service, width=WEEK, facts=facts)
        assert outcome.ids == ids_of(calls)
        assert outcome.doubts == [
            "the service counts 100 records and gives 95: walk again later to see whether it gives the others then"
        ]
        requests.append(len(service.requested))
        assert facts.overstates_total
    assert requests[1] < requests[0]
    assert requests[1] <= 10 + 9


@pytest.mark.parametrize("refusal", ["invalid parameter", "internal error", "repeat"])
@pytest.mark.parametrize("meaning", MEANINGS)
def test_a_refusal_behind_the_last_record_is_the_end(refusal: str, meaning: str) -> None:
    """Without TotalNum, the slices show that the list was whole."""
    service = MovingService(SPREAD[:30], refusal=refusal, deepest=30, knows_total=False, meaning=meaning)
    outcome = read(service, width=WEEK)
    assert sorted(outcome.ids) == ids_of(SPREAD[:30])


@pytest.mark.parametrize("passes", [True, False])
def test_an_error_that_passes_is_no_depth(passes: bool) -> None:
    """Pages that failed for a while, and come again behind the slices, leave no limit for the next walk."""
    service = MovingService(SPREAD[:100], refusal="internal error", deepest=30)
    facts = ServiceFacts()

    def end_outage(_: list[Stored]) -> None:
        if passes and count_slices(service) > 3:
            service.deepest = None

    service.change = end_outage
    outcome = run(collect(service, width=WEEK, facts=facts))
    assert sorted(outcome.ids) == ids_of(SPREAD[:100])
    assert outcome.doubts == []
    assert facts.limits(10).most_records == (None if passes else 30)


def test_a_list_too_long_to_be_remembered_is_divided_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ids that were yielded are not all known, so nothing could be divided without yielding some twice."""
    monkeypatch.setattr(ledger, "_MOST_DIGESTS", 200)
    facts = ServiceFacts()
    service = MovingService(SPREAD, deepest=250, refusal="invalid parameter")
    outcome = read(service, width=WEEK, facts=facts)
    assert outcome.ids == ids_of(SPREAD[:250])
    (doubt,) = outcome.doubts
    assert doubt.startswith("the service gave 250 records of the window and no more: walk again with the same client")
    monkeypatch.undo()
    outcome = read(service, width=WEEK, facts=facts)
    assert outcome.ids == ids_of(SPREAD)
    assert outcome.doubts == []


@pytest.mark.parametrize("meaning", MEANINGS)
@pytest.mark.parametrize("half_open", [False, True])
def test_the_meaning_of_a_window_is_found_out(meaning: str, half_open: bool) -> None:
    """A call is searched by a few seconds around its start, and around its end."""
    facts = ServiceFacts()
    read(MovingService(SPREAD, deepest=250, meaning=meaning, half_open=half_open), width=WEEK, facts=facts)
    assert facts.meaning is {"end": Meaning.END, "within": Meaning.WITHIN}.get(meaning, Meaning.START)
    assert facts.single_seconds is (meaning != "within" and not half_open)


def test_short_calls_show_no_meaning() -> None:
    """The seconds around the start of a call hold the whole of it, so the meaning stays open."""
    calls = [make_call(number, number * 400, number % 3) for number in range(1250)]
    facts = ServiceFacts()
    outcome = read(MovingService(calls, deepest=250, meaning="within"), width=WEEK, facts=facts)
    assert sorted(outcome.ids) == ids_of(calls)
    assert outcome.doubts == []
    assert facts.meaning is None


def test_crowded_seconds_show_no_meaning() -> None:
    """The call searched for may lie behind the first page, so one that is not on it says nothing."""
    calls = [make_call(number, number % 4 * 100, 10) for number in range(400)]
    facts = ServiceFacts()
    outcome = read(MovingService(calls, deepest=200, order="random", refusal="repeat"), facts=facts)
    assert sorted(outcome.ids) == ids_of(calls)


def test_a_crowded_second_at_the_end_of_calls_shows_no_meaning() -> None:
    """A call is not found by its start, but where it ends so many others do that the first page says nothing."""
    long = [make_call(number, number * 5, 500 - number * 5) for number in range(60)]
    short = [make_call(number, 500, 0) for number in range(60, 72)]
    service = MovingService([*long, *short], deepest=50, meaning="within", refusal="invalid parameter")
    facts = ServiceFacts()
    outcome = read(service, facts=facts)
    assert sorted(outcome.ids) == ids_of(service.calls)
    assert outcome.doubts == []
    assert facts.meaning is None


def test_a_call_that_no_slice_holds_is_doubted() -> None:
    """Where a window means the whole call, and TotalNum is capped, a longer call than those seen may be missing."""
    service = MovingService(SPREAD, deepest=256, total_cap=256, meaning="within", refusal="empty")
    outcome = read(service, width=WEEK, page_size=16)
    assert sorted(outcome.ids) == ids_of(SPREAD)
    assert outcome.doubts == [
        "the service seems to find a call only by a window that holds the whole of it, and windows had to be divided: "
        "a call of more than 124 seconds may be missing"
    ]


def make_slice(start: int, end: int, reach: int = 0, **conditions: str) -> Slice:
    query = Query(start_time=start, end_time=end, page_size=10, **conditions)  # type: ignore[arg-type]
    return Slice.of(query, reach)


def spans_of(division: Division) -> list[tuple[int, int]]:
    return [(part.start, part.end) for part in division.parts]


@pytest.mark.parametrize(
    ("whole", "total", "options", "spans"),
    [
        (make_slice(0, 100), 100, {}, [(0, 33), (33, 66), (66, 100)]),
        (make_slice(0, 100), None, {}, [(0, 50), (50, 100)]),
        (make_slice(0, 100), 51, {}, [(0, 50), (50, 100)]),
        (
            make_slice(0, 100),
            10_000,
            {},
            [(0, 12), (12, 25), (25, 37), (37, 50), (50, 62), (62, 75), (75, 87), (87, 100)],
        ),
        (make_slice(0, 100), None, {"newest_first": True}, [(50, 100), (0, 50)]),
        (make_slice(0, 3), 10_000, {}, [(0, 1), (1, 2), (2, 3)]),
        (make_slice(0, 2), None, {}, [(0, 1), (1, 2)]),
        (make_slice(0, 1), None, {"single_seconds": True}, [(0, 0), (1, 1)]),
        (make_slice(0, 1), None, {"single_seconds": True, "newest_first": True}, [(1, 1), (0, 0)]),
        (make_slice(0, 100, 100), None, {}, [(0, 50), (50, 100)]),
    ],
)
def test_time_is_divided_evenly(
    whole: Slice, total: int | None, options: dict[str, bool], spans: list[tuple[int, int]]
) -> None:
    """Parts have room for a quarter more than an even share, are two to eight, and share their boundary second."""
    division = divide(whole, total, 50, **options)
    assert division.kind is DivisionKind.TIME
    assert spans_of(division) == spans
    assert not division.needs_judging


def test_parts_reach_back_but_not_before_the_window() -> None:
    """Where windows mean the whole call, a part begins earlier than its seconds, by the longest call."""
    division = divide(make_slice(0, 90, 40), 120, 50)
    assert [(part.query.start_time, part.query.end_time) for part in division.parts] == [(0, 30), (0, 60), (20, 90)]


@pytest.mark.parametrize(("whole", "reach"), [(make_slice(0, 30, 40), 20), (make_slice(5, 6, 1), 0)])
def test_a_part_shorter_than_its_reach_reaches_back_half_as_far(whole: Slice, reach: int) -> None:
    """Its seconds stay the same."""
    division = divide(whole, 100, 50)
    assert division.kind is DivisionKind.REACH
    ((start, end),) = spans_of(division)
    assert (start, end, division.parts[0].reach) == (whole.start, whole.end, reach)


def test_a_second_is_divided_by_type_then_by_result_and_no_further() -> None:
    """The parts by condition are judged by their counts; the last ones are final."""
    by_type = divide(make_slice(7, 8), 100, 50)
    assert by_type.kind is DivisionKind.CONDITIONS
    assert by_type.needs_judging
    assert [part.query.call_type for part in by_type.parts] == TYPES
    by_result = divide(by_type.parts[0], 100, 50)
    assert [(part.query.call_type, part.query.call_result) for part in by_result.parts] == [
        (TYPES[0], result) for result in RESULTS
    ]
    last = divide(by_result.parts[0], 100, 50)
    assert last.kind is DivisionKind.NONE
    assert [part.is_final for part in last.parts] == [True]


@pytest.mark.parametrize(
    ("totals", "is_kept"), [([60, 40], True), ([100, 0], True), ([100, 100], False), ([120, 100], False)]
)
def test_a_condition_that_the_service_ignores_is_given_up(totals: list[int], is_kept: bool) -> None:
    """Each part has as many as the whole then."""
    division = divide(make_slice(7, 8), 100, 50)
    other = division.judge(totals)
    assert not division.needs_judging
    if is_kept:
        assert other is None
    else:
        assert other is not None
        assert other.kind is DivisionKind.NONE


@pytest.mark.parametrize("total", [63, 500, 64, 127, 128, 1000, 1024, 1500, 8191, 10_000, 65_536, 100_000])
def test_counts_that_look_like_a_limit(total: int) -> None:
    """Multiples of 500, powers of two, and one less."""
    assert looks_capped(total)


@pytest.mark.parametrize("total", [0, 1, 31, 32, 62, 65, 129, 999, 1001, 1250, 9999, 12_345])
def test_counts_that_look_like_none(total: int) -> None:
    """All others, and small ones."""
    assert not looks_capped(total)


def test_facts_keep_the_smallest_limit() -> None:
    """The depth may be one of pages or of records, so the smaller counts; below a cap, one record less."""
    facts = ServiceFacts()
    assert facts.limits(100) == Limits(None, None)
    facts.learn(Shortfall(ShortfallKind.REFUSED, 20, 100))
    assert facts.limits(100) == Limits(2000, None)
    assert facts.limits(50) == Limits(1000, None)
    assert facts.limits(100, Shortfall(ShortfallKind.EARLY, 5, 100)) == Limits(500, None)
    facts.learn(Shortfall(ShortfallKind.CAPPED, 10, 100, total=1000))
    assert facts.limits(100) == Limits(999, 1000)
    assert facts.limits(100, Shortfall(ShortfallKind.CAPPED, 3, 100, total=300), None) == Limits(299, 300)


def test_facts_remember_a_bounded_number_of_totals() -> None:
    """An old one is forgotten, and counts as new when it comes again."""
    facts = ServiceFacts()
    assert not facts.is_suspicious(7, (0, 1))
    assert not facts.is_suspicious(7, (0, 1))
    assert facts.is_suspicious(7, (0, 2))
    for total in range(1001, 1257):
        facts.is_suspicious(total, (0, 1))
    assert not facts.is_suspicious(7, (0, 2))
