"""Start-up: imports and the command's help, compared with ``import httpx``.

All modules are compiled before, as in an installed package. ``--baseline FOLDER`` measures another checkout too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from service import describe_machine, show_table

ROUNDS = 15
LIBRARY = {
    "import trtc_records": ["-c", "import trtc_records"],
    "from trtc_records import CallRecordsClient": ["-c", "from trtc_records import CallRecordsClient"],
    "trtc-records --help": ["-m", "trtc_records.cli", "--help"],
    "trtc-records export --help": ["-m", "trtc_records.cli", "export", "--help"],
}


def seconds_of(arguments: list[str], folder: Path, compiled: str) -> float:
    """Return the wall time of a fresh interpreter with the checkout in *folder*."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONPYCACHEPREFIX": compiled}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - started


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--baseline", type=Path, help="another checkout of this library")
    baseline: Path | None = parser.parse_args().baseline
    here = Path(__file__).parents[2]
    programs = {"pass": (["-c", "pass"], here), "import httpx": (["-c", "import httpx"], here)}
    programs |= {name: (arguments, here) for name, arguments in LIBRARY.items()}
    if baseline is not None:
        programs |= {f"{name}, baseline": (arguments, baseline.absolute()) for name, arguments in LIBRARY.items()}
    taken: dict[str, list[float]] = {name: [] for name in programs}
    with tempfile.TemporaryDirectory() as compiled:
        for number in range(ROUNDS + 1):
            for name, (arguments, folder) in programs.items():
                seconds = seconds_of(arguments, folder, compiled)
                if number > 0:  # the first round compiles
                    taken[name].append(seconds)
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
    bare = medians.pop("pass")
    rows = []
    for name, seconds in medians.items():
        ratio = (seconds - bare) / (medians["import httpx"] - bare)
        rows.append([name, f"{(seconds - bare) * 1000:.0f} ms", f"{ratio:.2f}"])
    show_table(f"Start-up, without the interpreter's own ({describe_machine()})", ["", "time", "beside httpx"], rows)


if __name__ == "__main__":
    main()
