"""Walks over a service that is slow, late, failing or refusing, compared with 64 requests at once by httpx.

The service runs in a process of its own, and so does each walk: the peer for two walks is a second process that does
not share a limiter. ``bench_slow.py NAME`` measures one case.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from typing import Any

import httpx
from bench_rate import request_of
from service import describe_machine, service, show_table

PAGES = {10: 100, 20: 200, 50: 500, 100: 1000}
FAULTS = {"http_502": 0.03, "reset": 0.03, "truncated": 0.03, "internal_error": 0.03, "not_json": 0.03, "slow": 0.01}
REFUSING = {**FAULTS, "not_json": 0.007, "rate_limited": 0.023}
CASES: dict[str, dict[str, Any]] = {
    **{f"{rate} answers/s": {"pages": pages, "capacity": rate} for rate, pages in PAGES.items()},
    **{
        f"{rate} answers/s, 200 ms away": {"pages": pages, "capacity": rate, "latency": 0.2}
        for rate, pages in PAGES.items()
    },
    "one in five late by 1 s": {"pages": 6000, "latency": 0.05, "faults": {"slow": 0.2}},
    "16 % fail, 10 records a page": {"pages": 6000, "size": 10, "latency": 0.1, "jitter": 0.025, "faults": FAULTS},
    "16 % fail, 100 records a page": {"pages": 6000, "latency": 0.1, "jitter": 0.025, "faults": FAULTS},
    "16 % fail, 2.3 % refused": {"pages": 2000, "size": 10, "latency": 0.1, "jitter": 0.025, "faults": REFUSING},
    "two processes": {"pages": 2000, "size": 10, "latency": 0.05, "jitter": 0.0125, "quota": 200, "walks": 2},
}


async def walk(credentials: dict[str, Any], size: int, pages: int) -> dict[str, float]:
    """Walk with this library; return the seconds, and the longest time between two pages."""
    from trtc_records import CallRecordsClient

    started = last = time.perf_counter()
    longest = count = 0.0
    async with CallRecordsClient(**credentials, attempts=12) as client:
        async for page in client.iter_pages(page_size=size):
            longest, last = max(longest, time.perf_counter() - last), time.perf_counter()
            count += bool(page.records)
    assert count == pages
    return {"seconds": last - started, "longest": longest}


async def gather(credentials: dict[str, Any], size: int, pages: int) -> dict[str, float]:
    """Read all pages by httpx, 64 at a time; a failed page is left out."""
    semaphore = asyncio.Semaphore(64)
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    started = time.perf_counter()
    failed = 0
    async with httpx.AsyncClient(limits=limits) as client:

        async def one(page: int) -> None:
            nonlocal failed
            arguments = request_of(credentials, page)
            arguments |= {"json": {"NumberPerPage": size, "Page": page}, "timeout": 10}
            async with semaphore:
                try:
                    answer = await client.post(**arguments)
                    failed += answer.json()["ErrorCode"] != 0
                except (httpx.HTTPError, ValueError):
                    failed += 1

        await asyncio.gather(*(one(page) for page in range(1, pages + 1)))
    return {"seconds": time.perf_counter() - started, "failed": failed}


def measure(name: str, way: str) -> list[str]:
    """Return the row of a case for one way."""
    from trtc_records.sandbox import Faults

    options = dict(CASES[name])
    pages, size, walks = options.pop("pages"), options.pop("size", 100), options.pop("walks", 1)
    faults = Faults(**options.pop("faults", {}), slow_seconds=1)
    with service(records=pages * size, faults=faults, **{"quota": None, **options}) as server:
        command = [sys.executable, __file__, way, json.dumps([server.credentials, size, pages])]
        processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(walks)]
        results = [json.loads(process.communicate()[0]) for process in processes]
        requests, refused, connections = server.requests(), server.refused(), server.connections()
        busiest = server.busiest_second()
    seconds = max(result["seconds"] for result in results)
    return [
        name,
        "this library" if way == "walk" else "httpx, gather of 64",
        f"{walks * pages / seconds:.0f}",
        f"{requests / pages / walks:.2f}",
        f"{100 * refused / requests:.1f} %",
        f"{max(result.get('longest', 0) for result in results):.1f} s" if way == "walk" else "",
        f"{connections}",
        f"{busiest}",
        f"{sum(result.get('failed', 0) for result in results):.0f}",
    ]


def main(names: list[str]) -> None:
    """Print the table."""
    head = ["service", "way", "pages/s", "requests/page", "over quota", "longest wait", "connections", "busiest second"]
    rows = [measure(name, way) for name in names for way in ("walk", "gather")]
    show_table(f"Services that are not well ({describe_machine()})", [*head, "pages lost"], rows)


if __name__ == "__main__":
    if sys.argv[1:2] in (["walk"], ["gather"]):
        print(json.dumps(asyncio.run({"walk": walk, "gather": gather}[sys.argv[1]](*json.loads(sys.argv[2])))))
    else:
        main(sys.argv[1:] or list(CASES))
