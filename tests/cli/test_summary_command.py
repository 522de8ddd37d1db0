"""``trtc-records summary``."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from cli_process import Run, is_short
from records import page_answer, raw_record
from scripted_service import scripted_service

from trtc_records.sandbox import Sandbox


def test_text_tells_of_every_call(run: Run, sandbox: Sandbox) -> None:
    """The text goes to stdout, with counts, times, hours and callers."""
    done = run("summary", "--since", "7d")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("450 calls, ")
    assert f"answered   {sum(record.answered for record in sandbox.records)} (" in done.stdout
    for heading in ("Results", "Calls by hour of the day (UTC)", "Top callers"):
        assert f"\n{heading}" in done.stdout


def test_json_is_all_there_is_on_stdout(run: Run, sandbox: Sandbox) -> None:
    """``--json`` prints one object that counts the sandbox's calls."""
    result = json.loads(run("summary", "--json", "--top", "3").stdout)
    assert result["calls"] == 450
    assert result["answered"] == sum(record.answered for record in sandbox.records)
    assert sum(result["hours"]) == sum(result["results"].values()) == 450
    assert len(result["top_callers"]) == 3


def test_zone_moves_the_hours(run: Run) -> None:
    """``--zone`` counts hours where the user is."""
    here = json.loads(run("summary", "--json").stdout)
    there = json.loads(run("summary", "--json", "--zone", "Asia/Singapore").stdout)
    assert there["zone"] == "Asia/Singapore"
    assert [there["hours"][(hour + 8) % 24] for hour in range(24)] == here["hours"]


@pytest.mark.parametrize("zone", ["Asia/Singapore", "utc"])
def test_zone_needs_no_database_of_the_system(run_process: Run, zone: str) -> None:
    """``--zone`` works on Windows and in slim images, which have no time zones."""
    done = run_process("summary", "--json", "--zone", zone, PYTHONTZPATH="")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["zone"].upper() == zone.upper()


def test_extra_brings_time_zones() -> None:
    """The extra of the command names the time zones, which other packages may stop to bring."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert any(name.startswith("tzdata") for name in project["optional-dependencies"]["cli"])


def test_page_is_written_beside_the_text(run: Run, tmp_path: Path) -> None:
    """``--html`` writes a page too, and says so."""
    done = run("summary", "--html", "report.html", "--sandbox")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("5,000 calls, ")
    assert "Wrote report.html" in done.stderr
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("path", ["no/such/report.html", "/proc/report.html", "."])
def test_page_that_cannot_be_written_is_found_out_first(run: Run, path: str) -> None:
    """A page that cannot be written is an error before the first request."""
    with Sandbox(records=5) as service:
        done = run("summary", "--html", path, **service.environment)
        assert (done.returncode, done.stdout, service.stats.requests) == (2, "", 0)
    assert f"cannot write {path}" in done.stderr
    assert "choose another --html" in done.stderr


def test_older_page_survives_a_failure(run: Run, tmp_path: Path) -> None:
    """A walk that fails leaves an older page, and nothing beside it."""
    (tmp_path / "report.html").write_text("older")
    assert run("summary", "--html", "report.html", TRTC_SECRET_KEY="not-the-key").returncode == 3
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("report.html", "older")]


def test_terminal_without_unicode_is_served(run_process: Run) -> None:
    """Block characters that stdout's encoding lacks become question marks, not a failure."""
    done = run_process("summary", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "?" in done.stdout


def test_record_that_cannot_be_read_is_counted_out(run: Run) -> None:
    """A bad record is left out of the numbers, said, and makes exit code 4."""
    records = [raw_record(1), {}]
    with scripted_service(lambda body: page_answer(records if body["Page"] == 1 else [], body["Page"] % 2, 2)) as there:
        done = run("summary", **there)
    assert done.returncode == 4
    assert done.stdout.startswith("1 call, ")
    assert "1 record could not be read and is left out" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "explanation"),
    [
        (["--zone", "Mars/Olympus"], "'Mars/Olympus' is not a time zone"),
        (["--zone", "../etc"], "is not a time zone"),
        (["--top", "-1"], "--top"),
        (["--html", "no/such/report.html"], "cannot write no/such/report.html"),
    ],
)
def test_bad_argument_is_explained(run: Run, arguments: list[str], explanation: str) -> None:
    """A bad argument is named, with exit code 2."""
    done = run("summary", *arguments)
    assert done.returncode == 2
    assert explanation in done.stderr
    assert is_short(done.stderr)
