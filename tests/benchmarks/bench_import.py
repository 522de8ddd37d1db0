"""Time of ``import trtc_records`` beside ``import httpx``."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from service import describe_machine, show_table

ROUNDS = 15


def seconds_of(statement: str) -> float:
    """Return the wall time of a fresh interpreter that runs *statement*."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - started


def main() -> None:
    """Print the table."""
    taken: dict[str, list[float]] = {"pass": [], "import httpx": [], "import trtc_records": []}
    for _ in range(ROUNDS):
        for statement, figures in taken.items():
            figures.append(seconds_of(statement))
    bare = statistics.median(taken["pass"])
    rows = []
    for statement in ("import httpx", "import trtc_records"):
        net = statistics.median(taken[statement]) - bare
        ratio = net / (statistics.median(taken["import httpx"]) - bare)
        rows.append([statement, f"{net * 1000:.0f} ms", f"{ratio:.2f}"])
    show_table(
        f"Import, without the interpreter's own start ({describe_machine()})", ["", "time", "beside httpx"], rows
    )


if __name__ == "__main__":
    main()
