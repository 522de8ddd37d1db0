"""Pages per second from a server at a distance, beside what a user would otherwise write.

The server runs in another process and counts arrivals; the latency has a jitter of a quarter.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import urlencode

import httpx
from service import describe_machine, service, show_table

from trtc_records import CallRecordsClient, mint_user_sig

PATH = "/v4/call_record_http_srv/get_record_by_filter"
SECONDS = 8


def request_of(credentials: dict[str, Any], page: int) -> dict[str, Any]:
    """Return the arguments of an httpx request for *page*."""
    user_sig = mint_user_sig(credentials["sdk_app_id"], credentials["identifier"], credentials["secret_key"])
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
        "json": {"NumberPerPage": 10, "Page": page},
        "timeout": 30,
    }


async def walk(credentials: dict[str, Any], pages: int) -> float:
    """Walk *pages* pages with this library, at its defaults, and return the seconds."""
    started = time.perf_counter()
    async with CallRecordsClient(**credentials) as client:
        found = [page async for page in client.iter_pages(page_size=10)]
    assert len(found) == pages
    return time.perf_counter() - started


async def loop(credentials: dict[str, Any], pages: int) -> float:
    """Read *pages* pages one after another with httpx."""
    started = time.perf_counter()
    async with httpx.AsyncClient() as client:
        for page in range(1, pages + 1):
            (await client.post(**request_of(credentials, page))).raise_for_status()
    return time.perf_counter() - started


async def gather(credentials: dict[str, Any], pages: int) -> float:
    """Read *pages* pages with httpx, 64 at a time."""
    started = time.perf_counter()
    semaphore = asyncio.Semaphore(64)
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(limits=limits) as client:

        async def one(page: int) -> None:
            async with semaphore:
                (await client.post(**request_of(credentials, page))).raise_for_status()

        await asyncio.gather(*(one(page) for page in range(1, pages + 1)))
    return time.perf_counter() - started


def main() -> None:
    """Print the table."""
    rows = []
    for latency in (0.05, 0.2, 0.5, 1.0):
        pages = 200 * SECONDS
        for name, way, count in (
            ("this library", walk, pages),
            ("httpx, one by one", loop, None),
            ("httpx, gather of 64", gather, 800),
        ):
            count = count or max(5, int(3 / latency))
            options = {"records": count * 10, "latency": latency, "jitter": latency / 4, "quota": None}
            with service(**options) as server:
                seconds = asyncio.run(way(server.credentials, count))
                bound = 1.05 * count / 200 + 2.5 * latency + 0.3
                rows.append(
                    [
                        f"{latency * 1000:.0f} ms",
                        name,
                        f"{count}",
                        f"{seconds:.2f} s",
                        f"{count / seconds:.0f}",
                        f"{count / max(seconds - 2.25 * latency, 0.01):.0f}" if way is walk else "",
                        f"{server.busiest_second()}",
                        f"{bound:.2f} s" if way is walk else "",
                    ]
                )
    head = ["latency", "way", "pages", "wall time", "pages/s", "sustained", "busiest second", "target"]
    show_table(f"Pages per second ({describe_machine()})", head, rows)


if __name__ == "__main__":
    main()
