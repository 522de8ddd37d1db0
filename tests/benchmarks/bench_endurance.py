"""Memory, tasks and connections of a walk over 100,000 pages while one request in six fails.

At the quota that takes ten minutes.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from service import describe_machine, service, show_table

RECORDS = 1_180_000  # of seven days
DAYS = 6  # of the window: older records may expire during a walk of ten minutes
PAGE_SIZE = 10
STEP = 10_000


def resident_megabytes() -> float:
    """Return how much memory the process has now."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def open_sockets() -> int:
    """Return how many sockets the process holds open."""
    return sum(link.readlink().name.startswith("socket:") for link in Path("/proc/self/fd").iterdir() if link.exists())


async def walk(credentials: dict[str, Any]) -> None:
    """Walk over all pages, and print one line of figures for each step."""
    from trtc_records import CallRecordsClient

    logging.getLogger("trtc_records").setLevel(logging.CRITICAL)  # thousands of attempts fail, as they should
    records = pages = most_tasks = most_sockets = 0
    total: int | None = None
    started = time.perf_counter()
    async with CallRecordsClient(**credentials, attempts=12) as client:
        async for page in client.iter_pages(start_time=int(time.time()) - DAYS * 86_400, page_size=PAGE_SIZE):
            pages += 1
            assert page.page == pages
            records += len(page.records)
            if pages % 100 == 0:
                most_tasks = max(most_tasks, len(asyncio.all_tasks()))
                most_sockets = max(most_sockets, open_sockets())
            if pages % STEP == 0:
                gc.collect()
                figures = [resident_megabytes(), len(gc.get_objects()), most_tasks, most_sockets]
                print(json.dumps([pages, time.perf_counter() - started, *figures]), flush=True)
                most_tasks = most_sockets = 0
            total = page.total_num
    assert records == total


def main() -> None:
    """Print the table."""
    from trtc_records.sandbox import Faults

    faults = Faults(
        http_502=0.03, reset=0.03, truncated=0.03, internal_error=0.03, not_json=0.03, slow=0.01, slow_seconds=1
    )
    with service(records=RECORDS, faults=faults, quota=None, latency=0.1, jitter=0.025) as server:
        command = [sys.executable, __file__, json.dumps(server.credentials)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    rows = [
        [f"{pages:,}", f"{seconds:.0f} s", f"{memory:.1f} MB", f"{objects:,}", f"{tasks}", f"{sockets}"]
        for pages, seconds, memory, objects, tasks, sockets in map(json.loads, done.stdout.splitlines())
    ]
    head = ["pages", "after", "memory", "objects", "most tasks", "most sockets"]
    show_table(f"A long walk, 16 % of its requests failing ({describe_machine()})", head, rows)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(walk(json.loads(sys.argv[1])))
    else:
        main()
