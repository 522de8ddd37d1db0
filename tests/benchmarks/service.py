"""The sandbox in a process of its own, for benchmarks."""

from __future__ import annotations

import gc
import multiprocessing
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import attrs


@attrs.frozen
class Service:
    """A running sandbox, as seen from another process."""

    credentials: dict[str, Any]
    _pipe: Connection

    def busiest_second(self) -> int:
        """Return the most requests that it counted in any one second so far."""
        return self._ask("busiest_second")

    def requests(self) -> int:
        """Return the requests that it counted so far."""
        return self._ask("requests")

    def refused(self) -> int:
        """Return the requests over the quota so far."""
        return self._ask("refused")

    def connections(self) -> int:
        """Return the connections that brought requests so far."""
        return self._ask("connections")

    def _ask(self, figure: str) -> int:
        self._pipe.send(figure)
        answer: int = self._pipe.recv()
        return answer


@contextmanager
def service(**options: Any) -> Iterator[Service]:
    """Run ``Sandbox(**options)`` in another process for as long as the block lasts."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, options), daemon=True)
    process.start()
    try:
        yield Service(ours.recv(), ours)
    finally:
        ours.send("stop")
        process.join()


def _serve(pipe: Connection, options: dict[str, Any]) -> None:
    from trtc_records.sandbox import Sandbox

    with Sandbox(**options) as sandbox:
        gc.freeze()  # a garbage collection over all its records would delay reads, so that requests count in bursts
        pipe.send(sandbox.credentials)
        while (figure := pipe.recv()) != "stop":
            pipe.send(getattr(sandbox.stats, figure))


def describe_machine() -> str:
    """Return the Python version, cores and processor of this machine."""
    described = Path("/proc/cpuinfo")
    lines = described.read_text(encoding="utf-8").splitlines() if described.exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, {models[0] if models else platform.machine()}"


def show_table(title: str, head: list[str], rows: list[list[str]]) -> None:
    """Print a table in Markdown, which the documentation quotes."""
    print(f"\n{title}\n")
    print("| " + " | ".join(head) + " |")
    print("| " + " | ".join("---" for _ in head) + " |")
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)
