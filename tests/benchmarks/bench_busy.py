"""A walk over the last hour of an app whose calls end meanwhile, beside the same walk without these arrivals.

Calls last about a minute, so their records arrive in the middle of the window. An argument chooses the service's order
of records: ``ascending`` (the default), ``descending`` or ``random``.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
import time
import warnings
from collections import Counter
from datetime import timedelta
from functools import cache
from statistics import median
from typing import Any, Final, Literal, cast

import attrs
from service import describe_machine, service, show_table

from trtc_records import CallRecord, CallRecordsClient
from trtc_records.sandbox import Behaviour, make_records

HOUR: Final = 3_600
RECORDS: Final = 36_000
LATENCIES: Final = (0.03, 0.1, 0.5)
RATES: Final = (0, 5, 20)
RUNS: Final = 3


@attrs.frozen
class Run:
    """Figures of one walk."""

    seconds: float
    requests: int
    is_whole: bool
    """Whether each record that was there throughout came, and none came twice."""
    warnings: int


@cache
def make_week() -> list[CallRecord]:
    """Return as many calls as the hour has, spread over a week."""
    return make_records(RECORDS)


def make_hour(now: int) -> list[CallRecord]:
    """Return calls of about a minute, spread evenly over the hour before *now*."""
    rng = random.Random(0)
    starts = sorted(now - rng.randrange(60, HOUR - 60) for _ in range(RECORDS))
    records = []
    for record, second in zip(make_week(), starts, strict=True):
        later = timedelta(seconds=second - int(record.start_time.timestamp()))
        start = record.start_time + later
        end = start + timedelta(seconds=rng.randrange(30, 60))
        records.append(attrs.evolve(record, start_time=start, end_time=end, accept_time=None))
    return records


async def walk(credentials: dict[str, Any], now: int) -> tuple[float, Counter[str], int]:
    """Walk once; return the seconds, how often each call came, and the warnings."""
    seen: Counter[str] = Counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        started = time.perf_counter()
        async with CallRecordsClient(**credentials) as client:
            async for page in client.iter_pages(start_time=now - HOUR, end_time=now):
                seen.update(record.call_id for record in page.records)
        seconds = time.perf_counter() - started
    return seconds, seen, len(caught)


def measure(rate: int, latency: float, jitter: float, behaviour: Behaviour) -> list[Run]:
    """Walk some times over a service of its own, whose records increase from run to run."""
    now = int(time.time())
    records = make_hour(now)
    there = {record.call_id for record in records}
    live = {"live": rate, "call_seconds": 55}
    options = {"latency": latency, "jitter": jitter, "behaviour": behaviour, "quota": None, **live}
    runs = []
    with service(records=records, **options) as server:
        before = server.requests()
        for _ in range(RUNS):
            seconds, seen, count = asyncio.run(walk(server.credentials, now))
            requests = server.requests()
            is_whole = there <= seen.keys() and max(seen.values()) == 1
            runs.append(Run(seconds, requests - before, is_whole, count))
            before = requests
    return runs


def main(order: str = "ascending") -> None:
    """Print the table."""
    logging.getLogger("trtc_records").setLevel(logging.CRITICAL)
    behaviour = Behaviour(order=cast("Literal['ascending', 'descending', 'random']", order))
    rows = []
    for latency in LATENCIES:
        for jitter in (0, latency / 4):
            quiet_seconds = quiet_requests = 1.0
            for rate in RATES:
                runs = measure(rate, latency, jitter, behaviour)
                seconds = median(run.seconds for run in runs)
                requests = median(run.requests for run in runs)
                if not rate:
                    quiet_seconds, quiet_requests = seconds, requests
                rows.append(
                    [
                        f"{latency * 1000:.0f} ms",
                        f"{jitter * 1000:.0f} ms",
                        f"{rate}",
                        f"{seconds:.2f} s",
                        f"{seconds / quiet_seconds:.2f}",
                        f"{requests:.0f}",
                        f"{requests / quiet_requests:.2f}",
                        f"{sum(run.is_whole for run in runs)} of {len(runs)}",
                        f"{sum(run.warnings for run in runs)}",
                    ]
                )
    head = ["latency", "jitter", "arrivals/s", "wall time", "ratio", "requests", "ratio", "whole", "warnings"]
    show_table(f"{RECORDS // 100} pages of a busy hour, {order} ({describe_machine()})", head, rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
