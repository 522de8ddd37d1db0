"""The command as a process."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Final

Run = Callable[..., subprocess.CompletedProcess[str]]

COMMAND: Final = (sys.executable, "-m", "trtc_records.cli")
EXTRAS: Final = all(find_spec(name) for name in ("rich", "typer"))
"""Whether the command can run here."""


def clean_environment() -> dict[str, str]:
    """Return this process's environment without an account."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TRTC_")}


def start(arguments: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start the command with its output in pipes."""
    return subprocess.Popen(
        [*COMMAND, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until *condition* holds, for 30 seconds at most."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_short(text: str) -> bool:
    """Return whether *text* is a line or two, and no traceback."""
    return 1 <= len(text.splitlines()) <= 2 and "Traceback" not in text


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Run a sandbox as a process; yield it and the variables that it prints."""
    with start(["sandbox", *arguments], clean_environment()) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(4)]
            assignments = [shlex.split(line.removeprefix("export "))[0] for line in lines]
            yield process, dict(assignment.split("=", 1) for assignment in assignments)
        finally:
            process.kill()
