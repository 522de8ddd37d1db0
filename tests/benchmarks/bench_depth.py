"""A walk over 1,000,000 records of a service that gives no page beyond its 10,000th record.

Beside it: the same records from a service without a depth, and a loop over pages that stops where they end. Each
takes a process of its own, so that its peak of memory is its own. The arguments choose how the service refuses:
``error`` (the default), ``empty`` or ``capped``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import resource
import subprocess
import sys
import time
import warnings
from statistics import linear_regression
from typing import Any, Final

from service import describe_machine, service, show_table

from trtc_records import APIError, CallRecordsClient

RECORDS: Final = 1_000_000
DEPTH: Final = 10_000
PAGE_SIZE: Final = 100
LATENCY: Final = 0.1
WAYS: Final[dict[str, dict[str, Any]]] = {
    "error": {"beyond": "invalid_parameter"},
    "empty": {"beyond": "empty"},
    "capped": {"beyond": "empty", "total_cap": DEPTH},
}


async def walk(credentials: dict[str, Any]) -> dict[str, float]:
    """Walk over all pages; the rate is the slope of a line through the records' arrivals, without both ends."""
    started = time.perf_counter()
    moments, counts = [], []
    records = 0
    async with CallRecordsClient(**credentials) as client:
        async for page in client.iter_pages():
            records += len(page.records)
            moments.append(time.perf_counter())
            counts.append(records / PAGE_SIZE)
    seconds = time.perf_counter() - started
    middle = slice(len(counts) // 10, len(counts) * 9 // 10)
    rate = linear_regression(moments[middle], counts[middle]).slope
    return {"records": records, "seconds": seconds, "rate": rate}


async def loop(credentials: dict[str, Any]) -> dict[str, float]:
    """Read page after page, as an integration of one's own would, until one is empty or refused."""
    started = time.perf_counter()
    records = number = 0
    async with CallRecordsClient(**credentials) as client:
        while True:
            number += 1
            try:
                page = await client.get_page(number)
            except APIError:
                break
            if not page.records:
                break
            records += len(page.records)
    seconds = time.perf_counter() - started
    return {"records": records, "seconds": seconds, "rate": number / seconds}


def measure(way: str, credentials: dict[str, Any]) -> None:
    """Print the figures of one way as JSON."""
    logging.getLogger("trtc_records").setLevel(logging.CRITICAL)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figures = asyncio.run({"walk": walk, "loop": loop}[way](credentials))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures["peak"] = peak / (1024 if sys.platform == "linux" else 1024 * 1024)
    figures["warnings"] = len(caught)
    print(json.dumps(figures))


def run(way: str, behaviour: dict[str, Any]) -> dict[str, float]:
    """Return the figures of one way, against a service of its own."""
    from trtc_records.sandbox import Behaviour

    options = {"records": RECORDS, "latency": LATENCY, "jitter": LATENCY / 4, "quota": None}
    with service(**options, behaviour=Behaviour(**behaviour)) as server:
        command = [sys.executable, __file__, way, json.dumps(server.credentials)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        return {**json.loads(done.stdout), "requests": server.requests(), "busiest": server.busiest_second()}


def main(*ways: str) -> None:
    """Print the table."""
    runs = [("no depth, this library", run("walk", {}))]
    for way in ways or ("error",):
        behaviour = WAYS[way] | {"deepest": DEPTH}
        runs.append((f"{way}, this library", run("walk", behaviour)))
        runs.append((f"{way}, a loop over pages", run("loop", behaviour)))
    undivided = runs[0][1]["peak"]
    rows = [
        [
            name,
            f"{figures['records']:,.0f}",
            f"{figures['warnings']:.0f}",
            f"{figures['seconds']:.1f} s",
            f"{figures['rate']:.0f}",
            f"{figures['requests']:,.0f}",
            f"{figures['busiest']:.0f}",
            f"{figures['peak']:.1f} MB",
            f"{figures['peak'] - undivided:+.1f} MB",
        ]
        for name, figures in runs
    ]
    title = f"{RECORDS:,} records, depth {DEPTH:,}, {LATENCY * 1000:.0f} ms away ({describe_machine()})"
    head = ["service, way", "records", "warnings", "wall time", "full pages/s", "requests", "busiest second"]
    show_table(title, [*head, "peak", "over no depth"], rows)


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] in {"walk", "loop"}:
        measure(sys.argv[1], json.loads(sys.argv[2]))
    else:
        main(*sys.argv[1:])
