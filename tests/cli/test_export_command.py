"""``trtc-records export``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cli_process import COMMAND, Run, is_short, start

from trtc_records import CallRecord
from trtc_records.sandbox import Behaviour, Drift, Sandbox

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and terminals")


def test_file_holds_each_record_as_the_service_keeps_it(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """Every record of the sandbox is one line of the file, value by value."""
    done = run("export", "--output", "calls.jsonl")
    assert done.returncode == 0, done.stderr
    rows = read_rows((tmp_path / "calls.jsonl").read_text())
    assert by_id(rows) == by_id([expected_row(record) for record in sandbox.records])
    assert len(rows) == len(sandbox.records)


def test_stdout_holds_nothing_but_records(run: Run, sandbox: Sandbox) -> None:
    """With ``-`` the records go to stdout and all else to stderr."""
    done = run("export", "--output", "-")
    assert len(read_rows(done.stdout)) == len(sandbox.records)
    assert "Exported 450 call records to stdout" in done.stderr


def test_file_export_leaves_stdout_empty(run: Run) -> None:
    """What is said about an export to a file is said on stderr."""
    assert run("export", "--output", "calls.jsonl").stdout == ""


def test_summary_tells_what_was_exported(run: Run, sandbox: Sandbox) -> None:
    """The summary counts records, answered calls, results and pages."""
    done = run("export", "-o", "calls.jsonl")
    answered = sum(record.answered for record in sandbox.records)
    normal = sum(record.call_result == "NormalEnd" for record in sandbox.records)
    assert "Exported 450 call records to calls.jsonl in" in done.stderr
    assert f"answered  {answered} (" in done.stderr
    assert f"NormalEnd {normal}" in done.stderr
    assert "pages     5" in done.stderr


def test_embedded_sandbox_needs_no_account(run: Run, environment: dict[str, str], tmp_path: Path) -> None:
    """``--sandbox`` exports thousands of records with no variable set."""
    done = run("export", "--sandbox", "--output", "calls.jsonl", **dict.fromkeys(account_names(environment), ""))
    assert done.returncode == 0, done.stderr
    assert len(read_rows((tmp_path / "calls.jsonl").read_text())) == 5_000


@pytest.mark.parametrize("spelling", ["NotAnswer", "not-answer", "NOT_ANSWER"])
def test_result_keeps_only_calls_that_ended_so(run: Run, sandbox: Sandbox, spelling: str) -> None:
    """``--result`` filters, however it is spelled."""
    rows = read_rows(run("export", "--result", spelling).stdout)
    assert ids(rows) == {record.call_id for record in sandbox.records if record.call_result == "NotAnswer"}


def test_type_keeps_only_calls_of_it(run: Run, sandbox: Sandbox) -> None:
    """``--type`` filters."""
    rows = read_rows(run("export", "--type", "MultiCall").stdout)
    assert ids(rows) == {record.call_id for record in sandbox.records if record.call_type == "MultiCall"}


def test_since_and_until_bound_the_window(run: Run, sandbox: Sandbox) -> None:
    """``--since`` and ``--until`` take ISO 8601 times and keep what started between them."""
    since, until = (datetime.now(UTC).replace(microsecond=0) - timedelta(days=days) for days in (4, 2))
    rows = read_rows(run("export", "--since", since.isoformat(), "--until", until.isoformat()).stdout)
    inside = {record.call_id for record in sandbox.records if since <= record.start_time <= until}
    assert inside
    assert ids(rows) == inside


def test_since_takes_a_length_of_time(run: Run, sandbox: Sandbox) -> None:
    """``--since 48h`` means the last two days."""
    rows = read_rows(run("export", "--since", "48h").stdout)
    edge = datetime.now(UTC) - timedelta(hours=48)
    surely = {record.call_id for record in sandbox.records if record.start_time > edge + timedelta(minutes=1)}
    perhaps = {record.call_id for record in sandbox.records if record.start_time > edge - timedelta(minutes=1)}
    assert surely <= ids(rows) <= perhaps


def test_page_size_is_asked_for(run: Run) -> None:
    """``--page-size`` decides how many pages there are."""
    assert "pages     3" in run("export", "-o", "calls.jsonl", "--page-size", "150").stderr


def test_window_beyond_retention_is_a_line_of_warning(run: Run) -> None:
    """A window that begins too early is exported, with a line that says so."""
    done = run("export", "--since", "30d", "-o", "calls.jsonl")
    assert done.returncode == 0
    assert done.stderr.startswith("trtc-records: warning: records from before")
    assert "RetentionWarning" not in done.stderr


def test_empty_window_says_where_else_calls_may_be(run: Run) -> None:
    """Nothing found is a success that names the older service."""
    done = run("export", "-o", "calls.jsonl", "--since", "0s")
    assert done.returncode == 0
    assert "TUICallKit.call()" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "explanation"),
    [
        (["--since", "yesterday"], "'yesterday' is not a time: write 24h, 7d, 2026-01-31"),
        (["--until", "2026-02-30"], "'2026-02-30' is not a time: write 24h"),
        (["--since", "999999999w"], "'999999999w' is not a time: write 24h"),
        (["--since", "1h", "--until", "2h"], "swap them"),
        (["--since", "2999-01-01"], "lies in the future"),
        (["--result", "Ended"], "'Ended' is none of Cancel, Reject"),
        (["--type", "Conference"], "'Conference' is none of SingleCall, MultiCall"),
        (["--page-size", "0"], "--page-size"),
        (["--frobnicate"], "--frobnicate"),
    ],
)
def test_bad_argument_is_explained(run: Run, arguments: list[str], explanation: str) -> None:
    """A bad argument is named in two lines at the most, with exit code 2."""
    done = run("export", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert explanation in done.stderr
    assert is_short(done.stderr)


def test_missing_account_is_explained(run: Run, environment: dict[str, str]) -> None:
    """Without an account the first missing variable is named, with exit code 2."""
    done = run("export", **dict.fromkeys(account_names(environment), ""))
    assert (done.returncode, done.stdout) == (2, "")
    assert "TRTC_SDK_APP_ID is not set" in done.stderr
    assert is_short(done.stderr)


def test_wrong_key_is_a_credential_error(run: Run) -> None:
    """A key of another app ends with exit code 3 and the hint, and does not show the key."""
    done = run("export", "-o", "calls.jsonl", TRTC_SECRET_KEY="not-the-key-of-this-app")
    assert done.returncode == 3
    assert "hint: " in done.stderr
    assert is_short(done.stderr)
    assert "not-the-key-of-this-app" not in done.stderr


def test_unreachable_service_is_a_network_error(run: Run) -> None:
    """A port where nothing listens ends with exit code 5."""
    done = run("get", "some-id", TRTC_BASE_URL="http://127.0.0.1:9")
    assert done.returncode == 5
    assert is_short(done.stderr)


def test_failed_export_leaves_the_older_file_alone(run: Run, tmp_path: Path) -> None:
    """After an error the file is as it was, and no other file is left."""
    (tmp_path / "calls.jsonl").write_text("older\n")
    run("export", "-o", "calls.jsonl", TRTC_SECRET_KEY="not-the-key-of-this-app")
    assert [path.name for path in tmp_path.iterdir()] == ["calls.jsonl"]
    assert (tmp_path / "calls.jsonl").read_text() == "older\n"


@pytest.mark.parametrize("target", ["no/such/directory/calls.jsonl", "."])
def test_target_that_cannot_be_written_is_explained(run: Run, target: str) -> None:
    """A target that cannot be written is named, with exit code 2."""
    done = run("export", "-o", target)
    assert done.returncode == 2
    assert f"cannot write {target}" in done.stderr
    assert is_short(done.stderr)


def test_incomplete_walk_has_an_exit_code_of_its_own(run: Run, tmp_path: Path) -> None:
    """A walk that may have missed records keeps what it got, warns in a line, and ends with 4."""
    with Sandbox(records=120, drift=Drift(expiries=1.0)) as moving:
        done = run("export", "-o", "calls.jsonl", "--page-size", "5", **moving.environment)
    assert done.returncode == 4
    assert "trtc-records: warning: a walk may have missed records" in done.stderr
    assert (tmp_path / "calls.jsonl").exists()


def test_unknown_fields_and_values_are_kept(run: Run) -> None:
    """Fields and values that this version does not know reach the file."""
    with Sandbox(records=40, behaviour=Behaviour(extra_fields=True, new_enum_values=True)) as newer:
        rows = read_rows(run("export", **newer.environment).stdout)
        assert by_id(rows) == by_id([expected_row(record) for record in newer.records])
    assert all(row["extra"] for row in rows)


@posix
def test_closed_pipe_is_quiet(environment: dict[str, str]) -> None:
    """A reader that has read enough ends the export without a word."""
    with Sandbox(records=3_000) as large, start(["export"], {**environment, **large.environment}) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(30) == 141


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_leaves_no_file(environment: dict[str, str], tmp_path: Path, number: int) -> None:
    """Ctrl-C and a job runner's SIGTERM end an export with 130, a line, and no half of a file."""
    with Sandbox(records=1_000, latency=0.2) as slow:
        arguments = ["export", "-o", str(tmp_path / "calls.jsonl"), "--page-size", "1"]
        with start(arguments, {**environment, **slow.environment}) as process:
            wait_until(lambda: slow.stats.requests > 3)
            process.send_signal(number)
            assert process.stderr is not None
            assert process.stderr.read() == "trtc-records: interrupted\n"
            assert process.wait(30) == 130
    assert list(tmp_path.iterdir()) == []


@posix
def test_progress_is_shown_on_a_terminal(environment: dict[str, str], tmp_path: Path) -> None:
    """On a terminal a bar counts up to the TotalNum of the service."""
    import pty

    parent, child = pty.openpty()
    with Sandbox(records=100, latency=0.2) as slow:
        process = subprocess.Popen(
            [*COMMAND, "export", "-o", str(tmp_path / "calls.jsonl")],
            env={**environment, **slow.environment, "TERM": "xterm", "COLUMNS": "100"},
            stderr=child,
        )
        os.close(child)
        shown = read_terminal(parent)
        assert process.wait(30) == 0
    assert "100/100" in shown


def expected_row(record: CallRecord) -> dict[str, Any]:
    """Return *record* as its line of the file reads."""
    return {
        "call_id": record.call_id,
        "caller": record.caller,
        "callees": list(record.callees),
        "media_type": record.media_type,
        "call_type": record.call_type,
        "call_result": record.call_result,
        "start_time": show(record.start_time),
        "accept_time": show(record.accept_time) if record.accept_time else None,
        "end_time": show(record.end_time),
        "ring_seconds": ((record.accept_time or record.end_time) - record.start_time).seconds,
        "talk_seconds": (record.end_time - record.accept_time).seconds if record.accept_time else 0,
        "room_id": record.room_id,
        "room_id_type": record.room_id_type,
        "extra": record.extra,
    }


def show(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def read_rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def by_id(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["call_id"]: row for row in rows}


def ids(rows: list[dict[str, Any]]) -> set[str]:
    return set(by_id(rows))


def account_names(environment: dict[str, str]) -> list[str]:
    return [name for name in environment if name.startswith("TRTC_")]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def read_terminal(descriptor: int) -> str:
    parts: list[bytes] = []
    try:
        while part := os.read(descriptor, 4096):
            parts.append(part)
    except OSError:  # Linux's way to say that the other end is closed
        pass
    finally:
        os.close(descriptor)
    return b"".join(parts).decode()
