"""The cron job, as a process."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from example_programs import run, skip_without, without_slowness

skip_without("fcntl", remedy="a system with cron")
skip_without("dlt", "duckdb", "pyarrow", remedy="extra dlt")

import duckdb  # noqa: E402

from trtc_records.sandbox import Faults, SandboxFixture  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.trtc_sandbox(records=300)]


def sync(directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the job."""
    return run("daily_sync", environment=environment, directory=directory)


def count(directory: Path) -> int:
    """Return how many calls the database holds."""
    with duckdb.connect(str(directory / "calls.duckdb")) as database:
        row = database.execute("SELECT count(DISTINCT call_id) FROM trtc_records.call_records").fetchone()
    assert row is not None
    return int(row[0])


def test_second_run_adds_nothing(trtc_sandbox: SandboxFixture, tmp_path: Path) -> None:
    """Two runs leave each call once; a run prints its result in one line, and nothing else, every warning an error."""
    first, second = (sync(tmp_path, **trtc_sandbox.environment) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0)
    line = r"\S+ \S+ INFO daily_sync {} calls read, {} of them new, 300 in duckdb:///calls.duckdb\n"
    assert re.fullmatch(line.format(300, 300), without_slowness(first.stderr))
    assert re.fullmatch(line.format(r"\d+", 0), without_slowness(second.stderr))
    assert count(tmp_path) == 300


def test_run_beside_another_does_nothing(trtc_sandbox: SandboxFixture, tmp_path: Path) -> None:
    """A run that finds the last one still running ends without a request to the service."""
    import fcntl

    with (tmp_path / "daily_sync.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = sync(tmp_path, **trtc_sandbox.environment)
    assert (done.returncode, trtc_sandbox.stats.requests) == (75, 0)
    assert "the last run has not ended" in done.stderr


def test_wrong_key_has_its_exit_code(trtc_sandbox: SandboxFixture, tmp_path: Path) -> None:
    """Refused credentials have an exit code of their own, and a message of one line."""
    done = sync(tmp_path, **{**trtc_sandbox.environment, "TRTC_SECRET_KEY": "0" * 64})
    assert (done.returncode, len(without_slowness(done.stderr).splitlines())) == (3, 1)


def test_missing_account_has_its_exit_code(tmp_path: Path) -> None:
    """Without an account the job names the variable."""
    done = sync(tmp_path)
    assert done.returncode == 2
    assert "TRTC_SDK_APP_ID" in done.stderr


@pytest.mark.trtc_sandbox(faults=Faults(not_json=1))
def test_failing_service_has_its_exit_code(trtc_sandbox: SandboxFixture, tmp_path: Path) -> None:
    """A service whose answers are not JSON has an exit code of its own."""
    done = sync(tmp_path, **trtc_sandbox.environment)
    assert done.returncode == 5
