"""A feed gives each call once, soon after its end, across restarts, outages and clocks that are set anew."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
import virtual_time
from hypothesis import given, settings
from hypothesis import strategies as st
from live_service import APPEARANCE, Follower, LiveService, MemoryCheckpoint, take_until
from moving_service import MEANINGS, ORDERS, WINDOW_START, Stored, make_call

from trtc_records import CallRecord, ConfigurationError, RetentionWarning

HOUR = 3_600
DAY = 24 * HOUR
BEGIN = WINDOW_START + DAY
"""The service's time when a feed begins."""

Taken = list[tuple[CallRecord, float]]


def make_calls(seed: int, *, count: int, hours: float, longest: int = DAY) -> list[Stored]:
    """Return calls of all lengths, most of them short; half of them end within *hours* after the beginning."""
    rng = random.Random(seed)
    calls = []
    for number in range(count):
        length = int(rng.choice([rng.uniform(0, 120), rng.uniform(0, HOUR), rng.uniform(0, longest)]))
        end = DAY + int(rng.uniform(-hours, hours) * HOUR)
        calls.append(make_call(number, end - length, length))
    return calls


def ended_since(calls: list[Stored], moment: float, *, longest: int = DAY) -> set[str]:
    """Return the ids of the calls whose records appeared after *moment*."""
    return {
        call.record.call_id for call in calls if call.end + APPEARANCE >= moment and call.end - call.start <= longest
    }


def assert_once(taken: Taken, expected: set[str]) -> None:
    assert Counter(record.call_id for record, _ in taken) == Counter(expected)


def find_late(taken: Taken, *, interval: float = 10.0, slack: float = 3.0) -> list[tuple[str, float]]:
    """Return the calls that came later than promised; *slack* seconds are for the requests themselves."""
    late = []
    for record, moment in taken:
        length = (record.end_time - record.start_time).total_seconds()
        bound = record.end_time.timestamp() + interval + length / 8 + APPEARANCE + slack
        if moment > bound:
            late.append((record.call_id, moment - bound))
    return late


@pytest.mark.parametrize("meaning", MEANINGS)
@pytest.mark.parametrize("order", ORDERS)
def test_each_call_comes_once_within_its_bound(meaning: str, order: str) -> None:
    """A call of length D comes within interval + D/8 + 5 s of its end; those that had ended before do not come."""
    calls = make_calls(1, count=120, hours=2)
    service = LiveService(calls, begin=DAY, meaning=meaning, order=order)

    async def main() -> Taken:
        follower = Follower(service)
        taken = await take_until(follower.feed.records(), BEGIN + 6 * HOUR, service)
        assert follower.doubts == []
        return taken

    taken = virtual_time.run(main())
    assert_once(taken, ended_since(calls, BEGIN))
    assert find_late(taken) == []
    assert len(service.answered_at) < 0.4 * 6 * HOUR


def test_since_gives_the_earlier_calls_first() -> None:
    """Calls that started since then come first, and calls under way as they end."""
    calls = make_calls(2, count=120, hours=2)
    service = LiveService(calls, begin=DAY)
    since = BEGIN - HOUR

    async def main() -> Taken:
        return await take_until(Follower(service, since=since).feed.records(), BEGIN + 6 * HOUR, service)

    taken = virtual_time.run(main())
    earlier = {call.record.call_id for call in calls if call.start >= since and call.end + APPEARANCE < BEGIN}
    assert_once(taken, ended_since(calls, BEGIN) | earlier)
    assert {record.call_id for record, _ in taken[: len(earlier)]} == earlier


def test_a_since_before_the_lookback_is_read_from_there() -> None:
    """All records since then come, however long ago."""
    calls = [make_call(number, number * HOUR, 60) for number in range(24)]
    service = LiveService(calls, begin=DAY)

    async def main() -> Taken:
        follower = Follower(service, since=WINDOW_START + 2 * HOUR, lookback=HOUR)
        return await take_until(follower.feed.records(), BEGIN + HOUR, service)

    assert [record.call_id for record, _ in virtual_time.run(main())] == [
        call.record.call_id for call in calls if call.start >= WINDOW_START + 2 * HOUR
    ]


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    meaning=st.sampled_from(MEANINGS),
    order=st.sampled_from(ORDERS),
    gives_time=st.booleans(),
    # A feed that runs for less has not learnt the service's time, and has no place to save.
    stops=st.lists(st.tuples(st.floats(1, 4_000), st.floats(0, 7_200), st.booleans()), max_size=5),
    outages=st.lists(st.tuples(st.floats(0, 10_000), st.floats(0, 4_000)), max_size=3),
    set_back=st.floats(0, 7_200),
)
def test_a_feed_survives_restarts_outages_and_a_clock_set_back(
    seed: int,
    meaning: str,
    order: str,
    gives_time: bool,
    stops: list[tuple[float, float, bool]],
    outages: list[tuple[float, float]],
    set_back: float,
) -> None:
    """Every call that ends while it is not older than the lookback comes, twice only across a kill."""
    lookback = 6 * HOUR
    calls = make_calls(seed, count=60, hours=3, longest=3 * DAY)
    service = LiveService(
        calls,
        begin=DAY,
        meaning=meaning,
        order=order,
        gives_time=gives_time,
        outages=[(DAY + begin, DAY + begin + length) for begin, length in outages],
    )
    checkpoint = MemoryCheckpoint()
    killed_with: set[str] = set()

    async def main() -> Taken:
        taken: Taken = []
        rng = random.Random(seed)
        turned_at = service.now() + rng.uniform(0, 10_000)

        def skew() -> float:
            return -set_back if service.now() > turned_at else 0.0

        for running, sleeping, is_kill in [*stops, (0, 0, False)]:
            end = service.now() + running if running else BEGIN + 12 * HOUR
            follower = Follower(service, lookback=lookback, interval=60, checkpoint=checkpoint, skew=skew)
            if is_kill:
                asyncio.get_running_loop().call_later(end - service.now() - 0.001, checkpoint.kill)
            part = await take_until(follower.feed.records(), end, service)
            taken += part
            if is_kill:
                killed_with.update(record.call_id for record, moment in part if moment > end - 1.5)
            await asyncio.sleep(sleeping)
        return taken

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trtc_records.feed._feed.warn_caller", lambda *_: None)
        patch.setattr("trtc_records._sending.clock.warn_caller", lambda *_: None)
        taken = virtual_time.run(main())
    counts = Counter(record.call_id for record, _ in taken)
    # A feed that is stopped before it could learn the service's time has not begun.
    begun = json.loads(checkpoint.place or "")["begun"]
    assert ended_since(calls, begun + 1, longest=lookback) <= counts.keys()
    # Where the clock is set back while the service is away, the beginning is set back as well.
    assert counts.keys() <= ended_since(calls, min(begun, BEGIN), longest=3 * DAY)
    assert {call_id for call_id, times in counts.items() if times > 1} <= killed_with


def follow_for(service: LiveService, seconds: float, **arguments: Any) -> Taken:
    """Return what one feed gives in that time."""

    async def main() -> Taken:
        return await take_until(Follower(service, **arguments).feed.records(), BEGIN + seconds, service)

    return virtual_time.run(main())


@pytest.mark.slow
def test_a_busy_window_delays_no_short_call() -> None:
    """While a long window of many pages is read, the short one is read in between."""
    calls = [make_call(number, DAY - 8 * HOUR + number * 10, 30) for number in range(2_880)]
    calls += [make_call(10_000 + number, DAY + number * 60, 20) for number in range(240)]
    service = LiveService(calls, begin=DAY)
    taken = follow_for(service, 4 * HOUR, interval=5.0, page_size=2)
    assert {f"call-{10_000 + number:06}" for number in range(238)} <= {record.call_id for record, _ in taken}
    # The first reading takes more than a minute.
    assert find_late([entry for entry in taken if entry[1] > BEGIN + 180], interval=5.0) == []


def test_never_more_than_one_call_is_lost_by_a_consumer_that_fails() -> None:
    """A call counts as given when the next one is asked for: it comes again after a crash of its consumer."""
    service = LiveService([make_call(number, DAY + 60 * number, 10) for number in range(10)], begin=DAY)
    checkpoint = MemoryCheckpoint()

    async def main() -> list[str]:
        seen = []
        for _ in range(30):
            records = Follower(service, checkpoint=checkpoint).feed.records()
            try:
                async with asyncio.timeout(150):
                    async for record in records:
                        seen.append(record.call_id)
                        if len(seen) % 3 == 0:
                            break
            except TimeoutError:
                pass
            finally:
                await records.aclose()
        return seen

    counts = Counter(virtual_time.run(main()))
    assert counts.keys() == {f"call-{number:06}" for number in range(10)}
    assert max(counts.values()) > 1


def test_nothing_runs_while_the_consumer_has_a_call() -> None:
    """Between two steps no task and no timer of the feed is left, and no request goes out."""
    calls = [make_call(number, DAY - 100 * number, 30) for number in range(400)]
    service = LiveService(calls, begin=DAY)

    async def main() -> None:
        records = Follower(service, since=WINDOW_START, page_size=3).feed.records()
        for _ in range(50):
            await anext(records)
            assert asyncio.all_tasks() == {asyncio.current_task()}
            before = len(service.answered_at)
            await asyncio.sleep(30)
            assert len(service.answered_at) == before
        await records.aclose()

    virtual_time.run(main())


class Hints:
    """Hints that a test gives."""

    def __init__(self) -> None:
        self._hints: asyncio.Queue[datetime | None] = asyncio.Queue()

    def give(self, started: datetime | None) -> None:
        self._hints.put_nowait(started)

    async def wait(self) -> datetime | None:
        return await self._hints.get()


@pytest.mark.parametrize("length", [20, 5 * HOUR])
@pytest.mark.parametrize("knows_start", [True, False])
def test_a_hint_has_the_window_of_its_call_read_at_once(length: int, knows_start: bool) -> None:
    """Without a start, the shortest window is read; polling finds longer calls."""
    ended = DAY + 2 * HOUR
    service = LiveService([make_call(1, ended - length, length)], begin=DAY)
    hints = Hints()

    async def main() -> Taken:
        follower = Follower(service, interval=300, wake=hints)
        started = datetime.fromtimestamp(WINDOW_START + ended - length, UTC) if knows_start else None
        asyncio.get_running_loop().call_later(2 * HOUR + 6, hints.give, started)
        return await take_until(follower.feed.records(), BEGIN + 5 * HOUR, service)

    [(record, moment)] = virtual_time.run(main())
    waited = moment - record.end_time.timestamp()
    assert (waited < 8) == (knows_start or length == 20)
    assert waited < 300 + length / 8 + 8


def test_a_flood_of_hints_keeps_to_a_tenth_of_the_quota() -> None:
    """Hints that come all the time cause no more requests than the pace of the feed allows, and stop nothing."""
    service = LiveService([make_call(number, DAY + 60 * number, 20) for number in range(10)], begin=DAY)

    class Flood:
        async def wait(self) -> None:
            await asyncio.sleep(0)

    taken = follow_for(service, 900, wake=Flood())
    assert len(taken) == 10
    assert len(service.answered_at) <= 901 * 20


def test_a_hint_of_another_type_has_the_shortest_window_read() -> None:
    """An event of asyncio, whose wait() returns True, is a hint without a start."""
    service = LiveService([make_call(1, DAY + 60, 20)], begin=DAY)

    class Hint:
        async def wait(self) -> Any:
            await asyncio.sleep(30)
            return True

    assert len(follow_for(service, 300, wake=Hint())) == 1


def test_a_restart_after_more_than_seven_days_names_the_gap() -> None:
    """Calls that expired meanwhile are warned about, and the feed goes on with those that are left."""
    calls = [make_call(number, DAY + number * HOUR, 60) for number in range(24 * 12)]
    service = LiveService(calls, begin=DAY)
    checkpoint = MemoryCheckpoint()

    async def main() -> Taken:
        await take_until(Follower(service, checkpoint=checkpoint).feed.records(), BEGIN + HOUR, service)
        await asyncio.sleep(9 * DAY)
        records = Follower(service, checkpoint=checkpoint).feed.records()
        with pytest.warns(RetentionWarning, match="calls from 2027-01-16 .* cannot be given any more"):
            return await take_until(records, BEGIN + 10 * DAY, service)

    taken = virtual_time.run(main())
    assert min(record.start_time.timestamp() for record, _ in taken) >= BEGIN + 2 * DAY


@pytest.mark.slow
def test_a_feed_down_for_longer_than_its_lookback_loses_nothing() -> None:
    """It goes on from its mark."""
    calls = [make_call(number, DAY + number * 600, 60) for number in range(6 * 60)]
    service = LiveService(calls, begin=DAY)
    checkpoint = MemoryCheckpoint()

    async def main() -> Taken:
        taken = await take_until(
            Follower(service, checkpoint=checkpoint, lookback=HOUR).feed.records(), BEGIN + 5 * HOUR, service
        )
        await asyncio.sleep(40 * HOUR)
        records = Follower(service, checkpoint=checkpoint, lookback=HOUR).feed.records()
        return taken + await take_until(records, BEGIN + 61 * HOUR, service)

    assert_once(virtual_time.run(main()), {call.record.call_id for call in calls})


@pytest.mark.slow
def test_memory_holds_digests_of_the_lookback_only() -> None:
    """The digests in memory and in the checkpoint do not grow with the age of a feed."""
    service = LiveService([make_call(number, DAY + number * 60, 20) for number in range(60 * 24)], begin=DAY)
    checkpoint = MemoryCheckpoint()
    follow_for(service, DAY, lookback=HOUR, interval=60, checkpoint=checkpoint)
    assert 60 <= len(checkpoint.seen) <= 60 * 2


def test_a_checkpoint_of_another_feed_is_refused() -> None:
    """Another app's place is no use, and stays as it is."""
    service = LiveService([], begin=DAY)
    checkpoint = MemoryCheckpoint()
    follow_for(service, 60, checkpoint=checkpoint)
    assert checkpoint.place is not None
    checkpoint.place = before = checkpoint.place.replace('"app": 1', '"app": 2')
    with pytest.raises(ConfigurationError, match="belongs to another feed \\(app 2 instead of 1\\)"):
        follow_for(service, 120, checkpoint=checkpoint)
    assert checkpoint.place == before
    assert not checkpoint.is_open
