"""``trtc-records sandbox``."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli_process import Run, clean_environment, start

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Run the command; yield it and the variables that it prints."""
    with start(["sandbox", *arguments], clean_environment()) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(4)]
            assignments = [shlex.split(line.removeprefix("export "))[0] for line in lines]
            yield process, dict(assignment.split("=", 1) for assignment in assignments)
        finally:
            process.kill()


def test_printed_variables_lead_to_the_records(run: Run, tmp_path: Path) -> None:
    """Another process that has the printed variables exports as many records as were asked for."""
    with running("--records", "42") as (_, variables):
        done = run("export", "-o", "calls.jsonl", **variables)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "calls.jsonl").read_text().splitlines()) == 42


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_interruption_ends_it_quietly(name: str) -> None:
    """Ctrl-C is how it ends: exit code 0, and nothing but what was said at the start."""
    with running("--records", "0") as (process, _):
        assert process.stderr is not None
        assert "until Ctrl-C" in process.stderr.readline()
        process.send_signal(signal.Signals[name])
        assert process.stderr.read() == ""
        assert process.wait(30) == 0


def test_port_in_use_is_explained(run: Run) -> None:
    """A port that another program has is named, with exit code 2."""
    with running() as (_, variables):
        port = variables["TRTC_BASE_URL"].rpartition(":")[2]
        done = run("sandbox", "--port", port)
    assert done.returncode == 2
    assert f"cannot listen on port {port}" in done.stderr
