"""The notebook-like script, as a process."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from example_programs import run, skip_without, without_slowness

skip_without("matplotlib", "polars", remedy="dependency group examples")
skip_without("pyarrow", remedy="extra parquet")

from trtc_records.sandbox import SandboxFixture  # noqa: E402


@pytest.mark.parametrize(
    "records", [pytest.param(count, marks=pytest.mark.trtc_sandbox(records=count)) for count in (1, 800)]
)
def test_makes_a_plot(trtc_sandbox: SandboxFixture, tmp_path: Path, records: int) -> None:
    """It prints its frames, writes a PNG of the size it says, and is quiet, every warning an error."""
    done = run("week_in_polars", "week.png", environment=trtc_sandbox.environment, directory=tmp_path)
    assert (done.returncode, without_slowness(done.stderr)) == (0, "")
    assert done.stdout.count("shape: ") == 2
    header = (tmp_path / "week.png").read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", header[16:]) == (1800, 600)


@pytest.mark.trtc_sandbox(records=0)
def test_week_without_calls_is_said_to_be_one(trtc_sandbox: SandboxFixture, tmp_path: Path) -> None:
    """Without calls, a line says so instead of a plot."""
    done = run("week_in_polars", "week.png", environment=trtc_sandbox.environment, directory=tmp_path)
    assert (done.returncode, without_slowness(done.stderr)) == (1, "There were no calls in the last 7 days.\n")
    assert not (tmp_path / "week.png").exists()
