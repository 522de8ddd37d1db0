"""Peak memory of a walk over 20,000 to 1,000,000 call records, near and far, on pages of 100 and of 500."""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
from typing import Any

from service import describe_machine, service, show_table


class Unlimited:
    """A limiter without a limit, because the quota would only make the run longer."""

    async def acquire(self) -> None:
        """Give a permit."""


async def walk(credentials: dict[str, Any], size: int) -> None:
    """Walk over all records, and print how many they were and the process's peak in MB."""
    from trtc_records import CallRecordsClient

    count = 0
    async with CallRecordsClient(**credentials, limiter=Unlimited()) as client:
        async for _ in client.iter_records(page_size=size):
            count += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([count, peak / (1024 if sys.platform == "linux" else 1024 * 1024)]))


def measure(records: int, size: int, latency: float) -> float:
    """Return the peak in MB of a process that walks over so many records."""
    with service(records=records, quota=None, latency=latency, jitter=latency / 4) as server:
        command = [sys.executable, __file__, json.dumps([server.credentials, size])]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    count, peak = json.loads(done.stdout)
    assert count == records
    return float(peak)


def main() -> None:
    """Print the table."""
    rows = []
    for size in (100, 500):
        for latency in (0.0, 0.2):
            base = measure(20_000, size, latency)
            for records in (100_000, 1_000_000):
                peak = measure(records, size, latency)
                away = f"{1000 * latency:.0f} ms"
                rows.append([f"{size}", away, f"{records:,}", f"{peak:.1f} MB", f"{peak - base:+.1f} MB"])
    head = ["records a page", "latency", "records", "peak", "over 20,000"]
    show_table(f"Peak memory of a walk ({describe_machine()})", head, rows)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(walk(*json.loads(sys.argv[1])))
    else:
        main()
