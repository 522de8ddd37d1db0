"""A day of a live feed at 100,000 calls, on a clock that jumps, with the pace of the client: a tenth of the quota.

The argument is the number of hours; the feed begins at the end of a day of as many calls per hour, which it has to look
through first.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import time
import tracemalloc
from bisect import bisect_left, bisect_right, insort
from operator import attrgetter
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import virtual_time
from live_service import APPEARANCE, Follower, LiveService, take_until
from moving_service import WINDOW_START, Stored, make_call
from service import describe_machine, show_table

from trtc_records import CallRecordPage
from trtc_records._api.query import Query
from trtc_records.feed._seen import SeenCalls
from trtc_records.quota._local import LocalRateLimiter

CALLS_A_DAY: Final = 100_000
DAY: Final = 86_400
INTERVAL: Final = 10.0
_start: Final = attrgetter("start")


class BusyService(LiveService):
    """A service that finds calls by their start in a sorted list, so that a day of requests takes a minute."""

    def answer(self, query: Query, page: int) -> CallRecordPage:
        """Answer one request now."""
        now = self.now()
        self.answered_at.append(now)
        while self.planned and self.planned[-1].end + APPEARANCE <= now:
            insort(self.calls, self.planned.pop(), key=_start)
        first = bisect_left(self.calls, query.start_time or 0, key=_start)
        last = bisect_right(self.calls, query.end_time or 0, key=_start)
        found = self.calls[first + (page - 1) * query.page_size : min(first + page * query.page_size, last)]
        records = tuple(call.record for call in found)
        return CallRecordPage(records=records, page=page if records else 0, total_num=last - first)


class PacedFollower(Follower):
    """A feed that takes a permit for each request, as the client's do."""

    _pace = LocalRateLimiter(20)

    async def _fetch(self, query: Query, page: int) -> CallRecordPage:
        await self._pace.acquire()
        return await super()._fetch(query, page)


def make_calls(hours: float) -> list[Stored]:
    """Return the calls of the day before and of *hours*: of three minutes on average, and one in 100 of hours."""
    rng = random.Random(0)
    seconds = DAY + int(hours * 3600)
    calls = []
    for number in range(CALLS_A_DAY * seconds // DAY):
        length = rng.uniform(3600, 6 * 3600) if rng.random() < 0.01 else rng.expovariate(1 / 180)
        calls.append(make_call(number, int(rng.uniform(0, seconds)), int(length)))
    return calls


def measure(hours: float) -> None:
    """Follow the calls for so long, and print the figures."""
    calls = make_calls(hours)
    service = BusyService(calls, begin=DAY)
    started = time.perf_counter()
    most_digests = 0

    async def main() -> list[tuple[float, float, float]]:
        nonlocal most_digests
        follower = PacedFollower(service, interval=INTERVAL, page_size=100)
        loop = asyncio.get_running_loop()

        def watch() -> None:
            nonlocal most_digests
            seen = follower.feed._progress._seen
            most_digests = max(most_digests, sum(map(len, seen._hours.values())))
            loop.call_later(600, watch)

        watch()
        end = WINDOW_START + DAY + hours * 3600
        taken = await take_until(follower.feed.records(), end, service)
        assert follower.doubts == []
        return [
            (moment - record.end_time.timestamp(), (record.end_time - record.start_time).total_seconds(), moment)
            for record, moment in taken
            if record.end_time is not None
        ]

    waits = virtual_time.run(main())
    begin, end = WINDOW_START + DAY, WINDOW_START + DAY + hours * 3600
    due = [call for call in calls if call.end + APPEARANCE >= begin]
    late = [wait - (INTERVAL + length / 8 + APPEARANCE) for wait, length, moment in waits if moment >= begin + 600]
    latest = max(INTERVAL + (call.end - call.start) / 8 + APPEARANCE for call in calls)
    owed = sum(call.end + INTERVAL + (call.end - call.start) / 8 + APPEARANCE + 3 < end for call in due)
    in_running = [moment for moment in service.answered_at if moment >= begin + 600]
    rows = [
        ["calls that came, and that were due", f"{len(waits):,} of {owed:,} to {len(due):,}"],
        ["requests per second, the first 10 minutes left out", f"{len(in_running) / (hours * 3600 - 600):.2f}"],
        ["requests in the busiest second", str(find_busiest(service.answered_at))],
        [
            "from the end of a call to the feed's consumer, median",
            f"{statistics.median(wait for wait, *_ in waits):.1f} s",
        ],
        ["the longest wait, and the longest that is promised", f"{max(waits)[0]:,.0f} s, {latest:,.0f} s"],
        ["longest wait beyond interval + D/8 + 5 s, likewise", f"{max(late):+.1f} s"],
        ["digests in memory at the most", f"{most_digests:,}, {weigh(most_digests) / 1e6:.1f} MB"],
        ["time that it took here", f"{time.perf_counter() - started:.0f} s"],
    ]
    title = f"{hours:g} hours at {CALLS_A_DAY:,} calls a day, interval {INTERVAL:g} s ({describe_machine()})"
    show_table(title, ["figure", "value"], rows)


def find_busiest(times: list[float]) -> int:
    """Return the most requests that were answered within any one second."""
    busiest = first = 0
    for index, moment in enumerate(times):
        while moment - times[first] >= 1.0:
            first += 1
        busiest = max(busiest, index - first + 1)
    return busiest


def weigh(digests: int) -> int:
    """Return the bytes of so many digests that lie in 24 hours."""
    rng = random.Random(0)
    tracemalloc.start()
    seen = SeenCalls()
    seen.add((rng.getrandbits(63), rng.randrange(DAY)) for _ in range(digests))
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size


if __name__ == "__main__":
    measure(float(sys.argv[1]) if len(sys.argv) > 1 else 24.0)
