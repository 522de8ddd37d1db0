"""Pages per second from a distant server, compared with code that a user would write without this library.

The server runs in another process and counts arrivals; the latency has a jitter of a quarter.
"""

from __future__ import annotations

import asyncio
import time
from statistics import linear_regression
from typing import Any
from urllib.parse import urlencode

import httpx
from service import describe_machine, service, show_table

from trtc_records import CallRecordsClient, generate_user_sig

PATH = "/v4/call_record_http_srv/get_record_by_filter"
SECONDS = 8
LATENCIES = (0.05, 0.2, 0.5, 1.0)


def request_of(credentials: dict[str, Any], page: int) -> dict[str, Any]:
    """Return the arguments of an httpx request for *page*."""
    user_sig = generate_user_sig(credentials["sdk_app_id"], credentials["identifier"], credentials["secret_key"])
    parameters = urlencode(
        {
            "sdkappid": credentials["sdk_app_id"],
            "identifier": credentials["identifier"],
            "usersig": user_sig,
            "random": page,
            "contenttype": "json",
        }
    )
    return {
        "url": f"{credentials['base_url']}{PATH}?{parameters}",
        "json": {"NumberPerPage": 100, "Page": page},
        "timeout": 30,
    }


async def walk(credentials: dict[str, Any], pages: int) -> tuple[float, float]:
    """Walk *pages* pages with this library at its defaults; return the seconds, and the rate between the ends.

    That rate is the slope of a line through the pages' arrivals, the first and the last tenth left out: the jitter
    of two single pages would be a few per cent of it.
    """
    started = time.perf_counter()
    arrivals = []
    async with CallRecordsClient(**credentials) as client:
        async for _ in client.iter_pages():
            arrivals.append(time.perf_counter())  # noqa: PERF401 - the moments are the point
    assert len(arrivals) == pages
    seconds = time.perf_counter() - started
    between = arrivals[pages // 10 : pages * 9 // 10]
    return seconds, linear_regression(between, range(len(between))).slope


async def loop(credentials: dict[str, Any], pages: int) -> tuple[float, float]:
    """Read *pages* pages one after another with httpx."""
    started = time.perf_counter()
    async with httpx.AsyncClient() as client:
        for page in range(1, pages + 1):
            (await client.post(**request_of(credentials, page))).raise_for_status()
    seconds = time.perf_counter() - started
    return seconds, pages / seconds


async def gather(credentials: dict[str, Any], pages: int) -> tuple[float, float]:
    """Read *pages* pages with httpx, 64 at a time."""
    started = time.perf_counter()
    semaphore = asyncio.Semaphore(64)
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(limits=limits) as client:

        async def one(page: int) -> None:
            async with semaphore:
                (await client.post(**request_of(credentials, page))).raise_for_status()

        await asyncio.gather(*(one(page) for page in range(1, pages + 1)))
    seconds = time.perf_counter() - started
    return seconds, pages / seconds


def main() -> None:
    """Print the table."""
    rows = []
    for latency in LATENCIES:
        pages = 200 * SECONDS
        ways = (
            ("this library", walk, pages),
            ("httpx, one by one", loop, max(5, int(3 / latency))),
            ("httpx, gather of 64", gather, 800),
        )
        with service(records=pages * 100, latency=latency, jitter=latency / 4, quota=None) as server:
            for name, way, count in ways:
                seconds, rate = asyncio.run(way(server.credentials, count))
                ours = way is walk
                rows.append(
                    [
                        f"{latency * 1000:.0f} ms",
                        name,
                        f"{count}",
                        f"{seconds:.2f} s",
                        f"{1.05 * count / 200 + 2.5 * latency + 0.3:.2f} s" if ours else "",
                        f"{rate:.0f}",
                        # The server counts on: only the first way's figure is of one way alone.
                        f"{server.busiest_second()}" if ours else "",
                    ]
                )
    head = ["latency", "way", "pages", "wall time", "target", "pages/s sustained", "busiest second"]
    show_table(f"Pages per second ({describe_machine()})", head, rows)


if __name__ == "__main__":
    main()
