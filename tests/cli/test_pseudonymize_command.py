"""``--pseudonymize`` of ``export``, ``archive`` and ``sync``."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from cli_process import Run, is_short
from records import page_answer, raw_record
from scripted_service import scripted_service

from trtc_records.export import Pseudonyms, read_records
from trtc_records.sandbox import Sandbox

KEY = "0123456789abcdef" * 2
OTHER_KEY = KEY[::-1]
ALICE = "zq7-alice-zq7"
"""A user id that is nowhere else."""
needs_dlt = pytest.mark.skipif(find_spec("dlt") is None, reason="needs the extra dlt")
COMMANDS = {
    "export": ["export", "-o", "calls.jsonl"],
    "archive": ["archive", "calls", "--format", "jsonl"],
    "sync": ["sync"],
}
each_command = pytest.mark.parametrize(
    "command", ["export", "archive", pytest.param("sync", marks=needs_dlt)], ids=COMMANDS.get
)


def run_with(run: Run, command: str, **changes: str) -> Any:
    """Run a command with ``--pseudonymize``, and show the whole log."""
    log = ("--log-level", "debug")
    return run(*COMMANDS[command], "--pseudonymize", *log, **{"TRTC_PSEUDONYM_KEY": KEY, **changes})


def read_ids(tmp_path: Path, command: str) -> dict[str, tuple[str, list[str], str]]:
    """Return caller, callees and room by call id."""
    if command == "sync":
        import duckdb

        with duckdb.connect(str(tmp_path / "calls.duckdb"), read_only=True) as connection:
            query = "SELECT call_id, caller, callees, room_id, extra FROM trtc_records.call_records"
            rows = connection.sql(query).fetchall()
        assert {row[4] for row in rows} == {"{}"}
        return {row[0]: (row[1], json.loads(row[2]), row[3]) for row in rows}
    records = [*read_records(tmp_path / ("calls" if command == "archive" else "calls.jsonl"))]
    assert not any(record.extra for record in records)
    return {record.call_id: (record.caller, [*record.callees], record.room_id) for record in records}


@each_command
def test_ids_are_pseudonyms(run: Run, sandbox: Sandbox, tmp_path: Path, command: str) -> None:
    """Every record is there, under the same pseudonyms in a file, an archive and a table."""
    done = run_with(run, command)
    assert done.returncode == 0, done.stderr
    of = Pseudonyms(KEY).of
    assert read_ids(tmp_path, command) == {
        record.call_id: (of(record.caller), [*map(of, record.callees)], of(record.room_id))
        for record in sandbox.records
    }
    assert f"ids       pseudonyms of the key {Pseudonyms(KEY).fingerprint}" in done.stderr


def count_in(sent: list[Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return a function that adds each request to *sent*, and answers that there are no records."""

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        sent.append(body)
        return page_answer([], 0, 0)

    return answer


@each_command
@pytest.mark.parametrize(
    ("environment", "explanation"),
    [
        ({}, "TRTC_PSEUDONYM_KEY is not set"),
        ({"TRTC_PSEUDONYM_KEY": KEY[:31]}, "TRTC_PSEUDONYM_KEY is too short, or no line of text"),
        ({"TRTC_PSEUDONYM_KEY_FILE": "/no/where"}, "TRTC_PSEUDONYM_KEY_FILE='/no/where' cannot be read"),
    ],
)
def test_nothing_is_read_without_a_key(
    run: Run, tmp_path: Path, command: str, environment: dict[str, str], explanation: str
) -> None:
    """A key that is missing or too short is an error with a remedy, before anything is sent or written."""
    sent: list[Any] = []
    with scripted_service(count_in(sent)) as account:
        done = run(*COMMANDS[command], "--pseudonymize", **{**account, **environment})
    assert done.returncode == 2
    assert is_short(done.stderr)
    assert explanation in done.stderr
    assert "hint: set it to" in done.stderr
    assert KEY[:31] not in done.stderr
    assert sent == []
    assert list(tmp_path.iterdir()) == []


def answer_bad(body: dict[str, Any]) -> dict[str, Any]:
    """Answer with a good record, and with some that cannot be read."""
    bad: list[Any] = [
        raw_record(2, StartTime=ALICE, Caller_Account=ALICE),
        raw_record(3, Caller_Account=[ALICE]),
        ALICE,
    ]
    records = [raw_record(1, Caller_Account=ALICE, Group=ALICE), *bad]
    records = records[: body["NumberPerPage"]]
    return page_answer(records, 1, 4) if body["Page"] == 1 else page_answer([], 0, 4)


@each_command
def test_records_that_cannot_be_read_show_no_id(run: Run, tmp_path: Path, command: str) -> None:
    """Files of rejects, warnings and the log have the reasons, and no value."""
    with scripted_service(answer_bad) as account:
        done = run_with(run, command, **account)
    assert done.returncode == 4, done.stderr
    assert "could not be read" in done.stderr
    assert ALICE not in done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and ALICE.encode() in path.read_bytes()]
    lines = [line for path in tmp_path.rglob("*.jsonl") for line in path.read_text().splitlines() if '"reason"' in line]
    assert command == "sync" or lines
    assert not any("raw" in json.loads(line) for line in lines)


def test_left_out_fields_are_counted(run: Run) -> None:
    """The command says that fields are missing."""
    with scripted_service(answer_bad) as account:
        done = run_with(run, "export", **account)
    assert "left out  fields that this version does not know: 1" in done.stderr


@each_command
@pytest.mark.parametrize(
    "page",
    [{"CallRecordList": {"a": ALICE}, "Page": 1}, {"CallRecordList": [], "Page": ALICE, "TotalNum": ALICE}],
    ids=["list", "page"],
)
def test_page_that_cannot_be_read_shows_no_id(run: Run, tmp_path: Path, command: str, page: dict[str, Any]) -> None:
    """The error that ends a run has the place and the reason, and no value; nor has the log."""
    with scripted_service(lambda _: {**page_answer([], 1, 1), "Response": page}) as account:
        done = run_with(run, command, **account)
        plain = run("export", "-o", "plain.jsonl", **account)
    assert ALICE in plain.stderr
    assert done.returncode == 5, done.stderr
    assert "got a value that is not shown" in done.stderr
    assert ALICE not in done.stderr


def test_log_of_a_retry_shows_no_id(run: Run) -> None:
    """A body that breaks off within a record is sent again for, and the log does not quote it."""
    cut = json.dumps(page_answer([raw_record(1, Caller_Account=ALICE)], 1, 1)).encode()[:-20]
    bodies = [cut]

    def answer(body: dict[str, Any]) -> Any:
        return bodies.pop() if bodies else page_answer([], 0, 0)

    with scripted_service(answer) as account:
        done = run_with(run, "export", **account)
    assert done.returncode == 0, done.stderr
    assert "got a value that is not shown" in done.stderr
    assert ALICE not in done.stderr


@pytest.mark.parametrize("command", ["archive", pytest.param("sync", marks=needs_dlt)])
@pytest.mark.parametrize(
    ("first", "second"), [(KEY, OTHER_KEY), (KEY, ""), ("", KEY)], ids=["two keys", "then plain", "plain first"]
)
def test_ids_of_two_kinds_are_not_mixed(run: Run, tmp_path: Path, command: str, first: str, second: str) -> None:
    """An archive or a table keeps to its key: another run is refused before anything is sent, and changes nothing."""

    def run_once(key: str, **account: str) -> Any:
        flag = ["--pseudonymize"] if key else []
        return run(*COMMANDS[command], *flag, TRTC_PSEUDONYM_KEY=key, **account)

    assert run_once(first).returncode == 0
    before = read_ids(tmp_path, command) if first else None
    sent: list[Any] = []
    with scripted_service(count_in(sent)) as account:
        done = run_once(second, TRTC_BASE_URL=account["TRTC_BASE_URL"])
    assert done.returncode == 2
    assert "--pseudonymize: the" in done.stderr
    assert "hint: pass the same" in done.stderr
    assert sent == []
    assert before is None or read_ids(tmp_path, command) == before
    assert run_once(first).returncode == 0


@needs_dlt
@pytest.mark.parametrize("to", ["duckdb:///calls.duckdb", "delta:///lake"])
@pytest.mark.parametrize("makes_table", [True, False], ids=["window first", "window later"])
@pytest.mark.parametrize(
    ("first", "second"), [(KEY, OTHER_KEY), (KEY, ""), ("", KEY)], ids=["two keys", "then plain", "plain first"]
)
def test_window_keeps_to_the_kind_of_ids(
    run: Run, tmp_path: Path, to: str, makes_table: bool, first: str, second: str
) -> None:
    """A run with ``--until`` makes a table that remembers its kind of ids, and adds no other one to a table."""
    if to.startswith("delta"):
        pytest.importorskip("deltalake", reason="needs the extra delta")
    now = datetime.now(UTC)
    window = ["--since", f"{now - timedelta(days=3)}", "--until", f"{now - timedelta(days=1)}"]

    def run_once(key: str, *arguments: str, **account: str) -> Any:
        flag = ["--pseudonymize"] if key else []
        return run("sync", "--to", to, *flag, *arguments, TRTC_PSEUDONYM_KEY=key, **account)

    assert run_once(first, *(window if makes_table else [])).returncode == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    sent: list[Any] = []
    with scripted_service(count_in(sent)) as account:
        for arguments in (window, ["--since", "5d", "--until", "4d"], []):
            done = run_once(second, *arguments, TRTC_BASE_URL=account["TRTC_BASE_URL"])
            assert done.returncode == 2
            assert "--pseudonymize: the table has" in done.stderr
            assert "hint: pass the same, or another dataset" in done.stderr
    assert sent == []
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")} == before
    assert "0 new" in run_once(first, *window).stderr


@needs_dlt
def test_window_without_calls_leaves_the_kind_of_ids(run: Run) -> None:
    """Also a run that loads no record makes the table one of its kind."""
    with scripted_service(count_in([])) as account:
        window = ["--since", "3d", "--until", "1d"]
        assert run("sync", "--pseudonymize", *window, TRTC_PSEUDONYM_KEY=KEY, **account).returncode == 0
    done = run("sync")
    assert done.returncode == 2
    assert f"the table has pseudonyms of the key {Pseudonyms(KEY).fingerprint}" in done.stderr


@needs_dlt
@pytest.mark.parametrize("first", [KEY, ""], ids=["pseudonyms", "plain"])
@pytest.mark.parametrize("to", ["duckdb:///calls.duckdb", "delta:///lake"])
def test_first_sync_that_was_killed_before_its_state_is_no_reason_to_mix(
    run: Run, tmp_path: Path, to: str, first: str
) -> None:
    """Then the table's rows tell their kind of ids; a sync of the same kind goes on."""
    if to.startswith("delta"):
        pytest.importorskip("deltalake", reason="needs the extra delta")

    def run_once(key: str, **account: str) -> Any:
        return run("sync", "--to", to, *(["--pseudonymize"] if key else []), TRTC_PSEUDONYM_KEY=key, **account)

    assert run_once(first).returncode == 0
    if to.startswith("delta"):
        for path in (tmp_path / "lake" / "trtc_records" / "_dlt_pipeline_state").glob("*.jsonl"):
            path.unlink()
    else:
        import duckdb

        with duckdb.connect(str(tmp_path / "calls.duckdb")) as connection:
            connection.execute("DELETE FROM trtc_records._dlt_pipeline_state")
    sent: list[Any] = []
    with scripted_service(count_in(sent)) as account:
        done = run_once("" if first else KEY, TRTC_BASE_URL=account["TRTC_BASE_URL"])
    assert done.returncode == 2
    assert "--pseudonymize: the table has ids that look like " in done.stderr
    assert sent == []
    assert "0 new, 450 seen before" in run_once(first).stderr


@needs_dlt
def test_known_calls_are_known_by_their_pseudonyms(run: Run) -> None:
    """A second sync with the same key adds no row."""
    assert "450 new, 0 seen before" in run_with(run, "sync").stderr
    done = run("sync", "--pseudonymize", "--overlap", "7d", TRTC_PSEUDONYM_KEY=KEY)
    assert "0 new, 450 seen before" in done.stderr


def test_key_in_the_environment_alone_changes_nothing(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """Without the option the ids are those of the service."""
    assert run(*COMMANDS["export"], TRTC_PSEUDONYM_KEY=KEY).returncode == 0
    assert {record.caller for record in read_records(tmp_path / "calls.jsonl")} == {
        record.caller for record in sandbox.records
    }
