"""Peak memory of a walk over 10,000 to 1,000,000 call records."""

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


async def walk(credentials: dict[str, Any]) -> None:
    """Walk over all records, and print how many they were and the process's peak in MB."""
    from trtc_records import CallRecordsClient

    count = 0
    async with CallRecordsClient(**credentials, limiter=Unlimited()) as client:
        async for _ in client.iter_records():
            count += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([count, peak / (1024 if sys.platform == "linux" else 1024 * 1024)]))


def main() -> None:
    """Print the table."""
    rows = []
    base = 0.0
    for records in (10_000, 20_000, 100_000, 1_000_000):
        with service(records=records, quota=None) as server:
            command = [sys.executable, __file__, json.dumps(server.credentials)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
        count, peak = json.loads(done.stdout)
        assert count == records
        base = peak if records == 20_000 else base
        rows.append([f"{records:,}", f"{peak:.1f} MB", f"{peak - base:+.1f} MB" if base else ""])
    show_table(f"Peak memory of a walk ({describe_machine()})", ["records", "peak", "over 20,000"], rows)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(walk(json.loads(sys.argv[1])))
    else:
        main()
