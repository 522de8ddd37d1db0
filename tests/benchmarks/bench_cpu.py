"""CPU per page of 100 call records, compared with code that a user would write without this library.

Near: a server without latency, one page after another; this library gives typed records, the loop of plain
httpx stops at dicts. Far: 64 requests in flight. Each way runs in a process of its own, in turn with the
others, against one server in yet another; plain httpx runs in an environment that holds nothing else.

``python tests/benchmarks/bench_cpu.py fields`` takes a second: it reads pages in this process, whose records have
unknown fields or lack optional ones, and compares them with records that have exactly the documented fields.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

from service import describe_machine, service, show_table

PATH = "/v4/call_record_http_srv/get_record_by_filter"
NEAR_PAGES = 300
FAR_PAGES = 600
ROUNDS = 5


class Unlimited:
    """A limiter without a limit, so that only the work is measured, not the waiting."""

    async def acquire(self) -> None:
        """Give a permit."""


async def ours(task: dict[str, Any]) -> float:
    """Walk with this library."""
    from trtc_records import CallRecordsClient

    async with CallRecordsClient(**task["credentials"], limiter=Unlimited(), max_in_flight=task["in_flight"]) as client:
        await client.get_page()
        started = time.process_time()
        pages = 0
        async for _ in client.iter_pages():
            pages += 1
            if pages == task["pages"]:
                break
        return time.process_time() - started


async def plain_httpx(task: dict[str, Any]) -> float:
    """Read pages with httpx, up to the dicts."""
    import httpx

    limits = httpx.Limits(max_connections=task["in_flight"], max_keepalive_connections=task["in_flight"])
    gate = asyncio.Semaphore(task["in_flight"])
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:

        async def read(page: int) -> None:
            async with gate:
                response = await client.post(task["url"], json={"NumberPerPage": 100, "Page": page})
                assert len(response.json()["Response"]["CallRecordList"]) == 100

        return await measure(read, task)


async def plain_aiohttp(task: dict[str, Any]) -> float:
    """Read pages with aiohttp, up to the dicts."""
    import aiohttp

    connector = aiohttp.TCPConnector(limit=task["in_flight"])
    async with aiohttp.ClientSession(connector=connector) as session:

        async def read(page: int) -> None:
            async with session.post(task["url"], json={"NumberPerPage": 100, "Page": page}) as response:
                assert len((await response.json(content_type=None))["Response"]["CallRecordList"]) == 100

        return await measure(read, task)


async def measure(read: Any, task: dict[str, Any]) -> float:
    """Return the CPU seconds of reading all pages, after one to warm up."""
    await read(1)
    started = time.process_time()
    if task["in_flight"] == 1:
        for page in range(1, task["pages"] + 1):
            await read(page)
    else:
        await asyncio.gather(*(read(page) for page in range(1, task["pages"] + 1)))
    return time.process_time() - started


def compare_fields() -> None:
    """Print the time to read a page of records, by their fields."""
    from trtc_records import record_to_json
    from trtc_records._api.wire import RECORD_FORM
    from trtc_records.sandbox import make_records

    plain = list(map(record_to_json, make_records(100)))
    pages = {
        "the documented fields": plain,
        "one more": [{**raw, "Duration": 3} for raw in plain],
        "without RoomId": [{name: raw[name] for name in raw if name != "RoomId"} for raw in plain],
        "one more, without RoomId": [
            {name: value for name, value in {**raw, "Duration": 3}.items() if name != "RoomId"} for raw in plain
        ],
        "every second with one more": [{**raw, "Duration": 3} if place % 2 else raw for place, raw in enumerate(plain)],
    }
    least = dict.fromkeys(pages, math.inf)
    for _ in range(300):  # in turn, so that a slow moment of the machine hits all
        for name, raws in pages.items():
            started = time.perf_counter()
            RECORD_FORM.read_all(raws, "$", "", keep_invalid=False)
            least[name] = min(least[name], time.perf_counter() - started)
    base = least["the documented fields"]
    rows = [[name, f"{taken * 1000:.2f} ms", f"{taken / base:.2f}"] for name, taken in least.items()]
    show_table(f"Reading a page of 100 records ({describe_machine()})", ["fields", "least", "ratio"], rows)


def run(way: str, interpreter: str, task: dict[str, Any]) -> float:
    """Run one way in a process and return its milliseconds of CPU per page."""
    command = [interpreter, __file__, way, json.dumps(task)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout) / task["pages"] * 1000


def main() -> None:
    """Print the table."""
    from bench_rate import request_of

    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        plain = str(Path(folder, "Scripts" if os.name == "nt" else "bin", "python"))
        subprocess.run([plain, "-m", "pip", "install", "-q", "httpx", "aiohttp"], check=True)
        rows = []
        for distance, in_flight, pages, latency in (("near", 1, NEAR_PAGES, 0.0), ("far", 64, FAR_PAGES, 0.1)):
            with service(records=pages * 100 + 5000, latency=latency, quota=None) as server:
                task = {
                    "credentials": server.credentials,
                    "url": request_of(server.credentials, 1)["url"],
                    "in_flight": in_flight,
                    "pages": pages,
                }
                ways = {"this library, typed": ("ours", sys.executable), "plain httpx, dicts": ("plain_httpx", plain)}
                if in_flight > 1:
                    ways["plain aiohttp, dicts"] = ("plain_aiohttp", plain)
                taken: dict[str, list[float]] = {name: [] for name in ways}
                for _ in range(ROUNDS):
                    for name, (way, interpreter) in ways.items():
                        taken[name].append(run(way, interpreter, task))
                for name, figures in taken.items():
                    pairs = zip(taken["this library, typed"], figures, strict=True)
                    ratio = statistics.median(mine / other for mine, other in pairs)
                    rows.append(
                        [
                            f"{distance}, {in_flight} in flight",
                            name,
                            f"{min(figures):.2f} ms",
                            f"{statistics.median(figures):.2f} ms",
                            "" if name.startswith("this") else f"{ratio:.2f}",
                        ]
                    )
    head = ["distance", "way", "least", "median", "this library / it"]
    show_table(f"CPU per page of 100 records ({describe_machine()})", head, rows)


if __name__ == "__main__":
    if sys.argv[1:] == ["fields"]:
        compare_fields()
    elif len(sys.argv) > 1:
        print(asyncio.run(globals()[sys.argv[1]](json.loads(sys.argv[2]))))
    else:
        main()
