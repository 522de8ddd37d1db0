"""Measure the quota that processes share through Redis, as a server on loopback counts it.

Needs redis-server or valkey-server; prints a table for 1, 4 and 16 processes whose wall clocks are an hour apart.
The server shares the machine's cores with them: after a stall it counts late requests in the second after, so
the longest stall is printed too.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import redis
from http_server import Request, serve
from service import describe_machine, show_table

from trtc_records import CallRecordsClient
from trtc_records.quota.redis import RedisRateLimiter

APP = 1400000000
SECONDS = 8.0
IN_FLIGHT = 8
ANSWER = {"ErrorCode": 0, "ErrorInfo": "", "ActionStatus": "OK", "RequestId": "bench"}


async def answer(_: Request) -> dict[str, Any]:
    """Answer with an empty page."""
    return {**ANSWER, "Response": {"TotalNum": 0, "Page": 0, "CallRecordList": []}}


def work(redis_url: str, base_url: str, skew: float, pipe: Connection) -> None:
    """Send as much as the quota allows, and report how many requests that were."""
    wall = time.time
    time.time = lambda: wall() + skew

    async def main() -> None:
        sent = 0

        async def lane(client: CallRecordsClient, end: float) -> None:
            nonlocal sent
            while time.monotonic() < end:
                await client.get_page()
                sent += 1

        async with (
            RedisRateLimiter.from_url(redis_url, sdk_app_id=APP) as limiter,
            CallRecordsClient(
                sdk_app_id=APP, identifier="bench", user_sig="none", base_url=base_url, limiter=limiter
            ) as client,
        ):
            await asyncio.gather(*(client.get_page() for _ in range(IN_FLIGHT)))  # opens the connections
            pipe.send("ready")
            begin = await asyncio.to_thread(pipe.recv)
            await asyncio.sleep(begin - time.monotonic())
            await asyncio.gather(*(lane(client, begin + SECONDS) for _ in range(IN_FLIGHT)))
        pipe.send(sent)

    asyncio.run(main())


async def watch(stalls: list[float]) -> None:
    """Note how late this loop is, over and over."""
    while True:
        due = time.monotonic() + 0.005
        await asyncio.sleep(0.005)
        stalls.append(time.monotonic() - due)


async def measure(admin: redis.Redis, redis_url: str, processes: int) -> list[str]:
    """Return a row of the table."""
    context = multiprocessing.get_context("spawn")
    stalls: list[float] = []
    async with serve(answer) as server:
        watcher = asyncio.create_task(watch(stalls))
        pipes = []
        workers = []
        for number in range(processes):
            pipe, end = context.Pipe()
            pipes.append(pipe)
            skew = (number % 3 - 1) * 3600.0
            workers.append(context.Process(target=work, args=(redis_url, server.base_url, skew, end)))
            workers[-1].start()
        for pipe in pipes:
            await asyncio.to_thread(pipe.recv)
        admin.config_resetstat()
        begin = time.monotonic() + 0.5
        for pipe in pipes:
            pipe.send(begin)
        sent = [await asyncio.to_thread(pipe.recv) for pipe in pipes]
        watcher.cancel()
        for worker in workers:
            worker.join()
        busiest = server.busiest_second
        arrived = sum(begin <= request.arrived_at < begin + SECONDS for request in server.requests)
    questions = admin.info("commandstats")["cmdstat_evalsha"]["calls"]
    return [
        str(processes),
        str(busiest),
        f"{max(stalls) * 1000:.0f} ms",
        f"{arrived / SECONDS:.1f}",
        f"{min(sent) * processes / sum(sent):.2f}",
        f"{questions / sum(sent):.2f}",
    ]


async def measure_latency(redis_url: str) -> tuple[float, float]:
    """Return the median and 95th percentile, in milliseconds, of the wait for a permit without competition."""
    took = []
    async with RedisRateLimiter.from_url(redis_url, sdk_app_id=APP) as limiter:
        await limiter.acquire()
        for _ in range(200):
            await asyncio.sleep(0.01)
            asked_at = time.perf_counter()
            await limiter.acquire()
            took.append((time.perf_counter() - asked_at) * 1000)
    return statistics.median(took), statistics.quantiles(took, n=20)[-1]


def main() -> None:
    """Start a Redis, measure, and print."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        sys.stderr.write("bench_redis: skipped, neither redis-server nor valkey-server is installed\n")
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as directory:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", directory, "--save", ""]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            admin = redis.Redis(port=port)
            for _ in range(500):
                try:
                    admin.ping()
                    break
                except redis.ConnectionError:
                    time.sleep(0.02)
            url = f"redis://localhost:{port}"
            rows = [asyncio.run(measure(admin, url, processes)) for processes in (1, 4, 16)]
            head = ["processes", "busiest second", "server's longest stall", "sustained per second"]
            show_table(
                f"One quota of 200 for many processes, through Redis ({describe_machine()})",
                [*head, "least of a fair share", "round trips per request"],
                rows,
            )
            median, most = asyncio.run(measure_latency(url))
            show_table(
                "What the limiter adds to a request that need not wait",
                ["median", "95 % are below"],
                [[f"{median:.2f} ms", f"{most:.2f} ms"]],
            )
            admin.close()
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main()
