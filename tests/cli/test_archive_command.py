"""``trtc-records archive``, also killed, twice at once, and with damages."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from cli_process import COMMAND, Run, clean_environment, is_short, start
from scripted_service import Answer, scripted_service

from trtc_records.archive import verify_archive
from trtc_records.export import read_records
from trtc_records.sandbox import Behaviour, Faults, Sandbox

FORMAT = ("--format", "jsonl")
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


def check_truth(directory: Path, sandbox: Sandbox) -> None:
    """Check that the archive has every call of the service once, in order, and nothing else."""
    truth = sorted(sandbox.records, key=lambda record: (record.start_time, record.call_id))
    assert list(read_records(directory)) == truth
    assert verify_archive(directory).problems == ()
    assert not [*directory.rglob(".*.part")]


def test_every_record_is_archived(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """The lines show each day, and then the whole; a second run skips the final days."""
    done = run("archive", "calls", *FORMAT)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "Archived 450 call records in calls in" in done.stderr
    assert done.stderr.count("call records, written, final") == 3
    assert "begins here" in done.stderr
    check_truth(tmp_path / "calls", sandbox)
    again = run("archive", "calls", *FORMAT)
    assert again.returncode == 0
    assert "  skipped   3 that are final" in again.stderr


def test_quiet_is_quiet(run: Run) -> None:
    """With ``--quiet`` a run that went well says nothing."""
    done = run("archive", "calls", *FORMAT, "--quiet", "--since", "2d")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_hours_of_a_zone(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """``--by hour`` makes a file an hour."""
    assert run("archive", "calls", *FORMAT, "--by", "hour", "--zone", "Asia/Kolkata").returncode == 0
    assert [*(tmp_path / "calls").glob("start_date=*/start_hour=*/calls.jsonl")]
    check_truth(tmp_path / "calls", sandbox)


def test_day_that_is_not_complete_has_exit_code_4(run: Run) -> None:
    """A day whose beginning has expired, if it was asked for, is a warning and an exit code."""
    done = run("archive", "calls", *FORMAT, "--since", "7d")
    assert done.returncode == 4
    assert "is not complete: the service had dropped records of its beginning" in done.stderr


def test_verify_needs_no_account(run: Run, tmp_path: Path) -> None:
    """``--verify`` reads files only; a file that differs has exit code 4."""
    run("archive", "calls", *FORMAT, "--since", "2d")
    done = run("archive", "calls", "--verify", TRTC_SDK_APP_ID="")
    assert done.returncode == 0
    assert "450" not in done.stderr
    assert ": 0 problems" in done.stderr
    path = max((tmp_path / "calls").glob("start_date=*/calls.jsonl"), key=lambda each: each.stat().st_size)
    path.write_bytes(path.read_bytes()[:-1])
    done = run("archive", "calls", "--verify", TRTC_SDK_APP_ID="")
    assert done.returncode == 4
    assert "differs from its manifest" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "explanation"),
    [
        (("archive", "calls", "--settle", "6d"), "--settle is longer than 5 days"),
        (("archive", "calls", "--verify"), "calls is no archive"),
        (("archive", "file", *FORMAT), "cannot write file"),
    ],
)
def test_mistake_is_explained(run: Run, arguments: tuple[str, ...], explanation: str, tmp_path: Path) -> None:
    """A mistake is a line with a hint, and exit code 2."""
    (tmp_path / "file").touch()
    done = run(*arguments)
    assert done.returncode == 2
    assert explanation in done.stderr
    assert is_short(done.stderr)


def test_other_layout_is_refused(run: Run) -> None:
    """Another format than the archive's is exit code 2."""
    run("archive", "calls", *FORMAT, "--since", "2d")
    done = run("archive", "calls", "--format", "csv")
    assert done.returncode == 2
    assert "DIR=calls: the archive is of SDKAppID" in done.stderr


def test_schema_is_printed(run: Run) -> None:
    """``schema`` prints JSON Schema, and SQL."""
    assert '"$schema": "https://json-schema.org/draft/2020-12/schema"' in run("schema").stdout
    assert "CREATE TABLE call_records (" in run("schema", "--format", "sql").stdout


def test_schema_of_arrow_is_printed(run: Run) -> None:
    """``schema --format arrow`` prints the types of Parquet."""
    pytest.importorskip("pyarrow", reason="needs the extra parquet")
    assert "start_time: timestamp[us, tz=UTC]" in run("schema", "--format", "arrow").stdout


@pytest.mark.slow
def test_corrupt_manifest_is_mended(run_process: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """A manifest that cannot be read is found by ``--verify``, and costs the next run one day."""
    directory = tmp_path / "calls"
    assert run_process("archive", "calls", *FORMAT).returncode == 0
    manifest = next(path for path in directory.glob("_manifest/*.json") if json.loads(path.read_text())["final"])
    manifest.write_bytes(manifest.read_bytes()[:50])
    done = run_process("archive", "calls", "--verify")
    assert done.returncode == 4
    assert f"{Path('calls', '_manifest', manifest.name)} cannot be read" in done.stderr
    done = run_process("archive", "calls", *FORMAT)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert f"{manifest.stem}  " in done.stderr
    assert "  skipped   2 that are final" in done.stderr
    check_truth(directory, sandbox)


@pytest.mark.slow
def test_day_that_expires_under_the_job_keeps_its_records(tmp_path: Path) -> None:
    """While a day expires, in part and then as a whole, its file has all that it had, and late calls too."""
    now = int(time.time())
    day = now - now % 86_400 - 86_400
    early, late = make_call(day + 3_600), make_call(day + 23 * 3_600)
    name = f"{datetime.fromtimestamp(day, UTC):%Y-%m-%d}"

    def archive(service_now: int, calls: list[dict[str, Any]]) -> tuple[int, str]:
        kept = [each for each in calls if each["StartTime"] >= service_now - 7 * 86_400]

        with scripted_service(answer_from(kept), clock_skew=service_now - now) as account:
            arguments = ["archive", str(tmp_path / "calls"), *FORMAT, "--since", f"{name}T00:00:00Z"]
            process = start(arguments, {**clean_environment(), **account})
            _, errors = process.communicate(timeout=60)
        return process.returncode, errors

    def list_starts() -> list[float]:
        path = tmp_path / "calls" / f"start_date={name}" / "calls.jsonl"
        return [record.start_time.timestamp() for record in read_records(path)]

    code, errors = archive(now, [early])
    assert code == 0, errors
    code, errors = archive(day + 43_200 + 7 * 86_400, [early, late])
    assert code == 4, errors
    assert f"{name}  2 call records, merged, may change" in errors
    assert list_starts() == [early["StartTime"], late["StartTime"]]
    code, errors = archive(day + 2 * 86_400 + 7 * 86_400, [early, late])
    assert code == 4, errors
    assert f"{name} is not complete: its records expired at the service before it was final" in errors
    assert list_starts() == [early["StartTime"], late["StartTime"]]


@pytest.mark.slow
def test_day_of_a_repeated_page_is_a_warning(tmp_path: Path) -> None:
    """A service that repeats a page of one day costs that day: the others are archived, and the exit code is 4."""
    now = int(time.time())
    [bad, *others] = [now - now % 86_400 - days * 86_400 for days in (2, 3, 1)]
    stored = [make_call(start + second) for start in others for second in range(5)]
    stored += [make_call(bad + second) for second in range(200)]
    whole = answer_from(stored)

    def answer(body: dict[str, Any]) -> Any:
        if bad - 1 <= body.get("StartTime", 0) < bad + 86_399:
            body = {"StartTime": bad}  # whichever page of whichever part of that day is asked for
        return whole(body)

    with scripted_service(answer) as account:
        arguments = ["archive", str(tmp_path / "calls"), *FORMAT, "--since", "3d"]
        run = start(arguments, {**clean_environment(), **account})
        _, errors = run.communicate(timeout=60)
    assert run.returncode == 4, errors
    day = f"{datetime.fromtimestamp(bad, UTC):%Y-%m-%d}"
    assert f"warning: {day} is not complete: page " in errors
    assert " repeats records that earlier pages gave" in errors
    assert errors.count("is not complete") == 1
    kept = {record.start_time.timestamp() for record in read_records(tmp_path / "calls")}
    assert {start + second for start in others for second in range(5)} <= kept


def answer_from(calls: list[dict[str, Any]]) -> Answer:
    """Return a service that has some calls, and selects them by their start."""

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        start, end = body.get("StartTime", 0), body.get("EndTime", 2**40)
        found = sorted((each for each in calls if start <= each["StartTime"] <= end), key=itemgetter("StartTime"))
        page, size = body.get("Page", 1), body.get("NumberPerPage", 10)
        shown = found[(page - 1) * size : page * size]
        response = {"TotalNum": len(found), "Page": page if shown else 0, "CallRecordList": shown}
        return {"ErrorCode": 0, "ErrorInfo": "", "ActionStatus": "OK", "RequestId": "Id-1", "Response": response}

    return answer


def make_call(started: int) -> dict[str, Any]:
    """Return a call as the service writes it."""
    return {
        "CallId": f"call-{started}",
        "Caller_Account": "147",
        "MediaType": "Audio",
        "CallType": "SingleCall",
        "StartTime": started,
        "AcceptTime": started + 1,
        "EndTime": started + 2,
        "CallResult": "NormalEnd",
        "CalleeList_Account": ["147", "369"],
        "RoomId": "1",
        "RoomIdType": 2,
    }


@pytest.mark.slow
@posix
@pytest.mark.parametrize("window", ["start", "end"])
def test_killed_runs_lose_and_repeat_nothing(window: str, tmp_path: Path) -> None:
    """Twenty runs are killed, each at a random moment of its work, and the next one makes the archive whole."""
    chance = random.Random(window)
    behaviour = Behaviour(window=window)  # type: ignore[arg-type]
    with Sandbox(records=400, latency=0.02, behaviour=behaviour, faults=Faults(http_502=0.02)) as sandbox:
        environment = {**clean_environment(), **sandbox.environment}
        arguments = [*FORMAT, "--page-size", "20"]
        began = time.monotonic()
        whole = start(["archive", str(tmp_path / "whole"), *arguments], environment)
        whole.communicate(timeout=60)
        seconds = time.monotonic() - began
        directory = tmp_path / "calls"
        kills = 0
        while kills < 20:
            process = start(["archive", str(directory), *arguments], environment)
            try:
                process.communicate(timeout=chance.uniform(0.2, 1) * seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
                kills += 1
        last = start(["archive", str(directory), *arguments], environment)
        _, errors = last.communicate(timeout=60)
        assert last.returncode == 0, errors
        check_truth(directory, sandbox)


@pytest.mark.slow
def test_two_at_once_do_not_mix(tmp_path: Path) -> None:
    """The second of two runs at once is refused, and the first one's archive is whole."""
    with Sandbox(records=400, latency=0.1) as sandbox:
        environment = {**clean_environment(), **sandbox.environment}
        arguments = ["archive", str(tmp_path / "calls"), *FORMAT, "--page-size", "20"]
        runs = [start(arguments, environment) for _ in range(2)]
        ends = [run.communicate(timeout=60)[1] for run in runs]
        assert sorted(run.returncode for run in runs) == [0, 2], ends
        assert sum("another run writes to it" in end for end in ends) == 1
        check_truth(tmp_path / "calls", sandbox)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_full_disk_keeps_the_earlier_archive(tmp_path: Path) -> None:
    """Under a limit of the file size, as on a full disk, the error is explained, and the earlier files are whole."""
    with Sandbox(records=2_000) as sandbox:
        environment = {**clean_environment(), **sandbox.environment}
        arguments = ["archive", str(tmp_path / "calls"), *FORMAT]
        first = start(arguments, environment)
        assert first.communicate(timeout=60)[0] == ""
        assert first.returncode == 0
        script = 'trap "" XFSZ; ulimit -f 8; exec "$@"'
        limited = subprocess.run(
            ["bash", "-c", script, "-", *COMMAND, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert limited.returncode == 2
        assert "File too large" in limited.stderr
        check_truth(tmp_path / "calls", sandbox)
