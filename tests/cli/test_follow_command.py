"""``trtc-records follow``."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_process import COMMAND, Run, clean_environment, is_short, running, start, wait_until
from records import envelope, raw_record
from scripted_service import scripted_service

from trtc_records.sandbox import Sandbox

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals, pipes and terminals")
ALL = ("follow", "--since", "7d", "--interval", "0.1")


@pytest.fixture(scope="module")
def quiet_service() -> Iterator[dict[str, str]]:
    """Run a service with ten calls, and yield its account."""
    with Sandbox(records=10, seed=5) as service:
        yield {**clean_environment(), **service.environment}


def read_ids(path: Path) -> list[str]:
    """Return the call ids of a file."""
    return [json.loads(line)["call_id"] for line in path.read_text().splitlines()]


def count_seen(state: Path) -> int:
    """Return the number of calls that a state counts as given."""
    with sqlite3.connect(state) as file:
        (count,) = file.execute("SELECT count(*) FROM seen").fetchone()
    file.close()
    return int(count)


def test_next_run_goes_on(run: Run, quiet_service: dict[str, str], tmp_path: Path) -> None:
    """Runs with one state and one output give each call once, in the shape of an export."""
    for limit in ("1", "6", "3"):
        done = run(*ALL, "--state", "state", "-o", "calls.jsonl", "--limit", limit, **quiet_service)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert run("export", "-o", "exported.jsonl", **quiet_service).returncode == 0
    calls, exported = (sorted((tmp_path / name).read_text().splitlines()) for name in ("calls.jsonl", "exported.jsonl"))
    assert len(calls) == 10
    assert calls == exported


def test_filters_reach_the_service(run: Run, sandbox: Sandbox) -> None:
    """Only calls with the result and of the type are given."""
    wanted = {
        record.call_id
        for record in sandbox.records
        if (record.call_result, record.call_type) == ("NormalEnd", "MultiCall")
    }
    arguments = ("--result", "normal-end", "--type", "MultiCall", "--limit", str(len(wanted)))
    done = run(*ALL, *arguments)
    assert done.returncode == 0, done.stderr
    assert {json.loads(line)["call_id"] for line in done.stdout.splitlines()} == wanted


@pytest.mark.slow
def test_sandbox_needs_no_account(run: Run) -> None:
    """With --sandbox calls end meanwhile, and are given."""
    done = run("follow", "--sandbox", "--interval", "0.2", "--limit", "2")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2


@posix
@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("SIGTERM", 0, ""),
        ("SIGINT", 130, "trtc-records: interrupted\n"),
        ("SIGHUP", 129, "trtc-records: stopped by SIGHUP\n"),
    ],
)
def test_signal_saves_the_state(
    quiet_service: dict[str, str], tmp_path: Path, name: str, code: int, message: str
) -> None:
    """A signal ends it with its exit code, and the calls that were printed count as given."""
    state = tmp_path / "state"
    with start([*ALL, "--state", str(state)], quiet_service) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert all(process.stdout.readline() for _ in range(10))
        process.send_signal(signal.Signals[name])
        assert process.wait(30) == code
        assert process.stderr.read() == message
        assert process.stdout.read() == ""
    assert count_seen(state) == 10


@posix
def test_sigterm_counts_where_ctrl_c_is_ignored(quiet_service: dict[str, str], tmp_path: Path) -> None:
    """SIGTERM ends a job of a shell script's background, which ignores Ctrl-C, as any other."""
    script = ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh", *COMMAND, *ALL, "--state", str(tmp_path / "state")]
    with subprocess.Popen(script, env=quiet_service, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert all(process.stdout.readline() for _ in range(10))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert count_seen(tmp_path / "state") == 10


@posix
def test_gone_reader_ends_it_at_once(quiet_service: dict[str, str]) -> None:
    """It ends without a message when the reader of the pipe goes, even while no call ends."""
    with start([*ALL, "--quiet"], quiet_service) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert all(process.stdout.readline() for _ in range(10))
        process.stdout.close()
        assert process.wait(30) == 141
        assert process.stderr.read() == ""


@pytest.mark.slow
@posix
def test_signal_does_not_wait_for_a_reader(environment: dict[str, str], tmp_path: Path) -> None:
    """With a reader that has stopped SIGTERM ends it, and the call in hand does not count as given."""
    read_end, write_end = os.pipe()
    with Sandbox(records=3_000) as service:
        process = subprocess.Popen(
            [*COMMAND, *ALL, "--state", str(tmp_path / "state")],
            env={**environment, **service.environment},
            stdout=write_end,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(write_end)
        with process:
            os.read(read_end, 1)
            time.sleep(1.0)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 143
            assert process.stderr is not None
            assert process.stderr.read() == "trtc-records: stopped by SIGTERM\n"
        with os.fdopen(read_end) as rest:
            lines = 1 + rest.read().count("\n")
    assert count_seen(tmp_path / "state") in {lines, lines - 1}


def test_cut_line_spoils_no_other(run: Run, quiet_service: dict[str, str], tmp_path: Path) -> None:
    """Records follow a line that a crash has cut on a line of their own; nothing is taken away."""
    (tmp_path / "calls.jsonl").write_text('{"call_id":"a"}\n{"call_i')
    done = run(*ALL, "-o", "calls.jsonl", "--limit", "2", **quiet_service)
    assert done.returncode == 0
    assert "the last line of calls.jsonl is cut" in done.stderr
    lines = (tmp_path / "calls.jsonl").read_text().splitlines()
    assert lines[:2] == ['{"call_id":"a"}', '{"call_i']
    assert len([json.loads(line) for line in lines[2:]]) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_call_that_is_not_written_is_given_again(run: Run, quiet_service: dict[str, str], tmp_path: Path) -> None:
    """A full disk is an error, and the call does not count as given."""
    done = run(*ALL, "--state", "state", "-o", "/dev/full", **quiet_service)
    assert done.returncode == 2
    assert "cannot write /dev/full: No space left on device" in done.stderr
    assert is_short(done.stderr)
    assert count_seen(tmp_path / "state") == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("--interval 0", "'0' is not a length of time"),
        ("--interval soon", "'soon' is not a length of time"),
        ("--lookback 8d", "--lookback="),
        ("--since yesterday", "'yesterday' is not a time"),
        ("--limit 0", "'--limit'"),
        ("--sandbox --state state", "--state is of no use with --sandbox"),
        ("--state missing/state", "--state missing/state: unable to open database file"),
        ("-o missing/calls.jsonl", "cannot write missing/calls.jsonl: No such file"),
        ("--result busy", "'busy' is not one of"),
    ],
)
def test_wrong_option_is_a_usage_error(run: Run, arguments: str, complaint: str) -> None:
    """A value that cannot be used is named in a line, with exit code 2."""
    done = run("follow", *arguments.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr.splitlines()[0]
    assert is_short(done.stderr)


def test_state_of_another_feed_is_refused(run: Run, quiet_service: dict[str, str]) -> None:
    """A state belongs to its filters."""
    assert run(*ALL, "--state", "state", "--limit", "1", **quiet_service).returncode == 0
    done = run(*ALL, "--state", "state", "--limit", "1", "--result", "Cancel", **quiet_service)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "trtc-records: --state state belongs to another feed (call_result None instead of 'Cancel')",
        "hint: give each feed its own",
    ]


def test_state_in_use_is_refused(run: Run, quiet_service: dict[str, str], tmp_path: Path) -> None:
    """Two processes cannot share a state."""
    with start([*ALL, "--state", str(tmp_path / "state")], quiet_service) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            done = run(*ALL, "--state", "state", **quiet_service)
        finally:
            process.kill()
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "trtc-records: --state state is in use by another process"


def test_damaged_state_is_left_alone(run: Run, tmp_path: Path) -> None:
    """A state that cannot be read is named with a remedy, and stays as it is."""
    (tmp_path / "state").write_bytes(b"no database, but long enough for a header" * 20)
    done = run(*ALL, "--state", "state")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "trtc-records: --state state: file is not a database"
    assert "pass --since" in done.stderr.splitlines()[1]
    assert (tmp_path / "state").read_bytes().startswith(b"no database")


def test_wrong_credentials_end_it(run: Run) -> None:
    """An error that does not pass ends it with that error's exit code."""
    done = run("follow", TRTC_SECRET_KEY="0" * 64)
    assert done.returncode == 3
    assert is_short(done.stderr)


def test_record_that_cannot_be_read_is_kept(run: Run, tmp_path: Path) -> None:
    """A record that breaks the contract goes to a file beside the output, and the others are given."""
    now = int(time.time())
    times = {"StartTime": now - 90, "AcceptTime": now - 80, "EndTime": now - 60}
    good, bad = raw_record(1, **times), raw_record(2, **{**times, "StartTime": "soon"})

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        records = [bad, good] if body.get("Page", 1) == 1 else []
        return envelope({"Page": body.get("Page", 1), "TotalNum": 2, "CallRecordList": records})

    with scripted_service(answer) as environment:
        done = run(*ALL, "-o", "calls.jsonl", "--limit", "1", **environment)
    assert done.returncode == 4, done.stderr
    assert done.stderr.count("a record could not be read: see calls.jsonl.rejects.jsonl") == 1
    (line,) = (tmp_path / "calls.jsonl.rejects.jsonl").read_text().splitlines()
    assert json.loads(line)["raw"]["StartTime"] == "soon"
    assert len(read_ids(tmp_path / "calls.jsonl")) == 1


@pytest.mark.slow
def test_trouble_is_shown_once(tmp_path: Path) -> None:
    """A service that does not answer is a line, its return another, and then calls are given."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    service = Sandbox(records=3, port=port)
    with start([*ALL, "--limit", "3"], {**clean_environment(), **Sandbox(port=port).environment}) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        time.sleep(1.5)
        with service:
            out, rest = process.communicate(timeout=60)
    assert first.startswith("trtc-records: warning: calls cannot be read, and are tried again and again: ")
    assert rest == "trtc-records: calls can be read again\n"
    assert len(out.splitlines()) == 3
    assert process.returncode == 0


@posix
def test_terminal_has_a_status_line(quiet_service: dict[str, str]) -> None:
    """On a terminal stderr shows the number of calls, and when the last one ended."""
    import pty

    leader, follower = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *ALL],
        env={**quiet_service, "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=follower,
    ) as process:
        os.close(follower)
        shown = b""
        try:
            while b"10 calls so far; the last ended " not in shown:
                shown += os.read(leader, 4096)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
            shown += os.read(leader, 4096)
        finally:
            process.kill()
            os.close(leader)
    assert b"0 calls so far; waiting for calls to end" in shown
    assert shown.endswith(b"\r\x1b[2K")


@pytest.mark.slow
@posix
def test_ten_kills_lose_nothing(tmp_path: Path) -> None:
    """Killed ten times at random it writes every call, and again at most those of the second before a kill."""
    rng = random.Random(3)
    output, state = tmp_path / "calls.jsonl", tmp_path / "state"
    output.touch()
    arguments = [*ALL, "--state", str(state), "-o", str(output)]
    repeatable: set[str] = set()
    with running("--records", "0", "--live", "30/s", "--call-seconds", "0-2") as (_, variables):
        environment = {**clean_environment(), **variables}
        for _ in range(10):
            with start(arguments, environment) as process:
                begun, sizes = time.monotonic(), [(0.0, output.stat().st_size)]
                lifetime = rng.uniform(0.2, 3.0)
                while (now := time.monotonic() - begun) < lifetime:
                    time.sleep(0.02)
                    sizes.append((now, output.stat().st_size))
                process.kill()
                process.wait(30)
            # A second, and the time that a save takes on a busy machine.
            before = [size for moment, size in sizes if moment < now - 1.5] or [sizes[0][1]]
            tail = output.read_bytes()[before[-1] :].decode().splitlines()
            repeatable |= {json.loads(line)["call_id"] for line in tail if line.endswith("}")}
        exported = subprocess.run(
            [*COMMAND, "export", "-q"], env=environment, capture_output=True, text=True, timeout=60, check=True
        )
        ended = {json.loads(line)["call_id"] for line in exported.stdout.splitlines()}

        def has_all() -> bool:
            text = output.read_text()
            return all(call_id in text for call_id in ended)

        with start(arguments, environment) as process:
            wait_until(has_all)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
    written = Counter(read_ids(output))
    assert len(ended) > 200
    assert ended - written.keys() == set()
    assert {call_id for call_id, count in written.items() if count > 1} <= repeatable
