"""``trtc-records export``."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest
from cli_process import COMMAND, Run, is_short, start, wait_until
from exported import FORMATS, PYARROW, expected_row, read_rows
from records import call_id, envelope, page_answer, raw_record
from scripted_service import scripted_service

from trtc_records import RequestTimeoutError
from trtc_records.cli._errors import explain_writing
from trtc_records.sandbox import Behaviour, Drift, Faults, Sandbox, make_records

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and terminals")


def test_file_holds_each_record_as_the_service_keeps_it(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """Every record of the sandbox is one line of the file, value by value."""
    done = run("export", "--output", "calls.jsonl")
    assert done.returncode == 0, done.stderr
    rows = read_lines((tmp_path / "calls.jsonl").read_text())
    assert by_id(rows) == by_id([expected_row(record) for record in sandbox.records])
    assert len(rows) == len(sandbox.records)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.skipif(not PYARROW, reason="needs the extra parquet"))
        if name == "parquet"
        else name
        for name in FORMATS
    ],
)
@pytest.mark.parametrize("to_file", [True, False], ids=["file", "stdout"])
def test_every_format_holds_each_record(
    run: Run, environment: dict[str, str], sandbox: Sandbox, tmp_path: Path, name: str, to_file: bool
) -> None:
    """Every record of the sandbox is in the file, or on stdout, value by value."""
    if to_file:
        done = run("export", "-o", f"calls.{name}")
        assert done.returncode == 0, done.stderr
        content = (tmp_path / f"calls.{name}").read_bytes()
    else:  # a process, whose stdout takes bytes
        command = [*COMMAND, "export", "--format", name, "--output", "-"]
        content = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=True).stdout
    rows = read_rows(content, name)
    assert by_id(rows) == by_id([expected_row(record) for record in sandbox.records])
    assert len(rows) == len(sandbox.records)


@pytest.mark.parametrize(
    ("arguments", "explanation"),
    [
        (["-o", "calls"], "'calls' ends in none of .jsonl, .jsonl.gz, .csv, .csv.gz, .parquet"),
        (["-o", "calls.xlsx"], "choose a --format"),
        (["-o", "calls.csv", "--format", "xml"], "'xml' is not one of jsonl, jsonl.gz, csv, csv.gz, parquet"),
        (["-o", "calls.jsonl", "--for-spreadsheets"], "--for-spreadsheets is for CSV, not jsonl"),
    ],
)
def test_format_that_cannot_be_is_explained(run: Run, tmp_path: Path, arguments: list[str], explanation: str) -> None:
    """A name without a format, and an unknown format, end with exit code 2 before anything is read."""
    done = run("export", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert explanation in done.stderr
    assert is_short(done.stderr)
    assert list(tmp_path.iterdir()) == []


def test_format_wins_over_the_name(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """``--format`` wins over the extension of the file's name."""
    assert run("export", "-o", "calls.txt", "--format", "csv").returncode == 0
    assert len(read_rows((tmp_path / "calls.txt").read_bytes(), "csv")) == len(sandbox.records)


def test_spreadsheets_get_a_byte_order_mark(run: Run, tmp_path: Path) -> None:
    """``--for-spreadsheets`` reaches the writer."""
    assert run("export", "-o", "calls.csv", "--for-spreadsheets").returncode == 0
    assert (tmp_path / "calls.csv").read_text(encoding="utf-8").startswith('\ufeff"call_id",')


def test_cells_cut_for_spreadsheets_are_a_warning(run: Run, tmp_path: Path) -> None:
    """The command says how many, and the file has a mark in each."""
    record = raw_record(1, CalleeList_Account=["x" * 40_000])
    with scripted_service(lambda body: page_of(body, [record])) as environment:
        done = run("export", "-o", "calls.csv", "--for-spreadsheets", **environment)
    assert done.returncode == 0
    assert "warning: cells of more than 32,767 characters, which no spreadsheet holds, were cut: 1" in done.stderr
    assert "… [cut: 40,004 characters]" in (tmp_path / "calls.csv").read_text(encoding="utf-8")


@posix
@pytest.mark.parametrize("output", ["-", "/dev/stdout", "/dev/fd/0"])
def test_bytes_are_nothing_for_a_terminal(environment: dict[str, str], output: str) -> None:
    """A format that no person can read is not written to a terminal."""
    import pty

    parent, child = pty.openpty()
    done = subprocess.run(
        [*COMMAND, "export", "--format", "csv.gz", "-o", output],
        env=environment,
        stdin=child,
        stdout=child,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(child)
    assert read_terminal(parent) == ""
    assert done.returncode == 2
    assert b"a terminal cannot show csv.gz" in done.stderr


@posix
@pytest.mark.parametrize("arguments", [[], ["--format", "csv"], ["--sandbox"]])
def test_terminal_is_not_filled_with_records(environment: dict[str, str], arguments: list[str]) -> None:
    """Without ``--output`` on a terminal nothing is read, and the message names both ways on."""
    done, shown = run_on_terminal([*COMMAND, "export", *arguments], environment)
    assert done == 2
    assert "no --output given" in shown
    assert "-o calls.jsonl" in shown
    assert "-o - " in shown
    assert len(shown.splitlines()) == 2


@posix
@pytest.mark.parametrize("output", ["-", "/dev/fd/0"])
@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_control_characters_do_not_reach_a_terminal(environment: dict[str, str], output: str, name: str) -> None:
    """Ids are shown on a terminal with control characters escaped, and no progress is mixed in; a pipe has them all."""
    caller = "a\x1b[31mb\x9bc\x00d\re\u202ef\U0001f600g"
    with scripted_service(lambda body: page_of(body, [raw_record(1, Caller_Account=caller)])) as there:
        command = [*COMMAND, "export", "--format", name, "-o", output]
        done, shown = run_on_terminal(command, {**environment, **there})
        piped = subprocess.run(
            [*COMMAND, "export", "--format", name],
            env={**environment, **there},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=60,
            check=True,
        )
    assert done == 0
    assert "\\u001b[31mb\\u009bc\\u0000d\\" in shown
    assert "\\u202ef" in shown
    assert "pages/s" not in shown
    assert {each for each in shown if not each.isprintable()} == {"\r", "\n"}
    assert "\r" not in shown.replace("\r\n", "")
    assert read_rows(piped.stdout, name)[0]["caller"] == caller


def test_records_that_cannot_be_read_are_kept_aside(run: Run, tmp_path: Path) -> None:
    """Invalid records go to a file of their own, are counted, and make exit code 4."""
    bad: list[Any] = [raw_record(2, StartTime="soon", Secret="\ud800", Big=math.inf), "no record"]
    with scripted_service(lambda body: page_of(body, [raw_record(1), *bad, raw_record(3)])) as environment:
        done = run("export", "-o", "calls.csv", **environment)
    assert done.returncode == 4, done.stderr
    assert "2 records could not be read: see calls.csv.rejects.jsonl" in done.stderr
    assert [row["call_id"] for row in read_rows((tmp_path / "calls.csv").read_bytes(), "csv")] == [
        call_id(1),
        call_id(3),
    ]
    rejects = read_lines((tmp_path / "calls.csv.rejects.jsonl").read_text())
    assert [reject["raw"] for reject in rejects] == [{**bad[0], "Secret": "\ufffd", "Big": "Infinity"}, bad[1]]
    assert json.loads(rejects[0]["_exact"]["raw"]) == {**bad[0], "Big": "Infinity"}
    assert rejects[0]["path"] == "$.Response.CallRecordList[1].StartTime"
    assert rejects[0]["request_id"] == "Id-test-O-Seq-1"
    assert rejects[0]["reason"]


def test_records_that_cannot_be_read_are_counted_on_stdout(run: Run, tmp_path: Path) -> None:
    """An export to stdout writes no file of rejects; the exit code is the same."""
    with scripted_service(lambda body: page_of(body, [raw_record(1), {}])) as environment:
        done = run("export", **environment)
    assert done.returncode == 4
    assert len(read_lines(done.stdout)) == 1
    assert "1 record could not be read and is left out" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_rejects_can_be_read_whatever_is_in_them(run: Run, tmp_path: Path) -> None:
    """Half a surrogate pair, an endless number, a thousand levels: readers take the file, and nothing is lost."""
    deep: Any = 1
    for _ in range(600):
        deep = [deep]
    bad: list[Any] = [
        raw_record(1, StartTime="\ud800", New={"\udfff": ["\udc00"]}),
        {"\ud800": 1, "a\ud801": 2, "Big": 10**400},
        "\ud800",
        raw_record(2, New=deep),
        raw_record(3, EndTime="never"),
    ]

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        return {**page_answer(bad, 1, 5), "RequestId": "\ud800"} if body["Page"] == 1 else envelope()

    with scripted_service(answer) as environment:
        done = run("export", "-o", "calls.csv", **environment)
    assert done.returncode == 4
    path = tmp_path / "calls.csv.rejects.jsonl"
    assert not re.search(r"(?<!\\)\\u[dD][89a-fA-F]", path.read_text())
    if find_spec("duckdb") is not None:
        import duckdb

        with duckdb.connect() as connection:
            assert connection.execute(f"SELECT count(*) FROM read_json('{path}')").fetchall() == [(5,)]
    rejects = read_lines(path.read_text())
    assert [json.loads(each["_exact"]["raw"]) if "_exact" in each else each["raw"] for each in rejects] == bad
    assert ["_exact" in each for each in rejects] == [True, True, True, True, False]


def test_failed_export_leaves_no_rejects(run: Run, tmp_path: Path) -> None:
    """A walk that fails after a bad record leaves nothing behind."""

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        return page_answer([raw_record(1), {}], 1, 4) if body["Page"] == 1 else envelope(code=70051)

    with scripted_service(answer) as environment:
        done = run("export", "-o", "calls.jsonl", **environment)
    assert done.returncode == 3
    assert list(tmp_path.iterdir()) == []


def test_stdout_holds_nothing_but_records(run: Run, sandbox: Sandbox) -> None:
    """With ``-`` the records go to stdout and all else to stderr."""
    done = run("export", "--output", "-")
    assert len(read_lines(done.stdout)) == len(sandbox.records)
    assert "Exported 450 call records to stdout" in done.stderr


def test_file_export_leaves_stdout_empty(run: Run) -> None:
    """Messages about an export to a file go to stderr."""
    assert run("export", "--output", "calls.jsonl").stdout == ""


def test_report_counts_the_exported_records(run: Run, sandbox: Sandbox) -> None:
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
    assert len(read_lines((tmp_path / "calls.jsonl").read_text())) == 5_000


def test_clean_export_removes_rejects_of_another_run(run: Run, tmp_path: Path) -> None:
    """The file beside the output is that of the same run; it stays where the run fails."""
    rejects = tmp_path / "calls.csv.rejects.jsonl"
    rejects.write_text("older\n")
    assert run("export", "-o", "calls.csv", TRTC_SECRET_KEY="not-the-key-of-this-app").returncode == 3
    assert rejects.read_text() == "older\n"
    assert run("export", "-o", "calls.csv").returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["calls.csv"]


def test_rejects_that_cannot_be_removed_are_named(run: Run, tmp_path: Path) -> None:
    """A directory under that name is no file of an older run."""
    (tmp_path / "calls.csv.rejects.jsonl").mkdir()
    done = run("export", "-o", "calls.csv")
    assert done.returncode == 2
    assert "cannot write calls.csv.rejects.jsonl" in done.stderr


@pytest.mark.parametrize("spelling", ["NotAnswer", "not-answer", "NOT_ANSWER"])
def test_result_keeps_only_calls_that_ended_so(run: Run, sandbox: Sandbox, spelling: str) -> None:
    """``--result`` filters, however it is spelled."""
    rows = read_lines(run("export", "--result", spelling).stdout)
    assert ids(rows) == {record.call_id for record in sandbox.records if record.call_result == "NotAnswer"}


def test_type_keeps_only_calls_of_it(run: Run, sandbox: Sandbox) -> None:
    """``--type`` filters."""
    rows = read_lines(run("export", "--type", "MultiCall").stdout)
    assert ids(rows) == {record.call_id for record in sandbox.records if record.call_type == "MultiCall"}


def test_since_and_until_bound_the_window(run: Run, sandbox: Sandbox) -> None:
    """``--since`` and ``--until`` take ISO 8601 times and keep calls that started between them."""
    since, until = (datetime.now(UTC).replace(microsecond=0) - timedelta(days=days) for days in (4, 2))
    rows = read_lines(run("export", "--since", since.isoformat(), "--until", until.isoformat()).stdout)
    inside = {record.call_id for record in sandbox.records if since <= record.start_time <= until}
    assert inside
    assert ids(rows) == inside


@pytest.mark.parametrize("command", ["export", "summary"])
def test_date_as_an_end_is_the_whole_day(run: Run, sandbox: Sandbox, command: str) -> None:
    """``--since`` and ``--until`` with one date are that day, from its first second to its last."""
    day = (datetime.now(UTC) - timedelta(days=3)).date()
    inside = {record.call_id for record in sandbox.records if record.start_time.date() == day}
    assert inside
    done = run(command, "--since", str(day), "--until", str(day), *(["--json"] if command == "summary" else []))
    assert done.returncode == 0, done.stderr
    if command == "summary":
        assert json.loads(done.stdout)["calls"] == len(inside)
    else:
        assert ids(read_lines(done.stdout)) == inside
        assert f"window    {day} 00:00:00 UTC to {day} 23:59:59 UTC" in done.stderr


@pytest.mark.parametrize("half_open", [False, True])
@pytest.mark.parametrize("window", ["start", "end", "within", "overlap"])
def test_call_is_in_the_export_of_the_day_on_which_it_started(
    run: Run, window: Literal["start", "end", "within", "overlap"], half_open: bool
) -> None:
    """Exports of neighbouring days have each call once, whichever part of a call a window of the service means."""
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=3)
    midnight = day + timedelta(days=1)
    starts = [day, midnight - timedelta(seconds=1), midnight, midnight + timedelta(days=1, seconds=-1)]
    calls = [
        attrs.evolve(record, start_time=start, accept_time=start, end_time=start + timedelta(seconds=60 * number))
        for number, (record, start) in enumerate(zip(make_records(8), [*starts, *starts], strict=True))
    ]
    with Sandbox(records=calls, behaviour=Behaviour(window=window, half_open=half_open)) as sandbox:
        exports = []
        for date in (str(day.date()), str(midnight.date())):
            done = run("export", "--since", date, "--until", date, **sandbox.environment)
            exports.append({row["call_id"] for row in read_lines(done.stdout)})
            assert f"Exported {len(exports[-1])} call records" in done.stderr
            counted = run("summary", "--json", "--since", date, "--until", date, **sandbox.environment)
            assert json.loads(counted.stdout)["calls"] == len(exports[-1])
    assert exports == [
        {call.call_id for call in calls if call.start_time < midnight},
        {call.call_id for call in calls if call.start_time >= midnight},
    ]


@pytest.mark.parametrize("edges", [("0001-01-01", "9999-12-31"), ("1970-01-01", "2999-01-01")])
def test_window_may_be_wider_than_any_calendar(run: Run, sandbox: Sandbox, edges: tuple[str, str]) -> None:
    """The time that is read on both sides of a window does not leave the calendar."""
    rows = read_lines(run("export", "--since", edges[0], "--until", edges[1]).stdout)
    assert len(rows) == len(sandbox.records)


def test_window_ends_by_the_service_s_clock(run: Run) -> None:
    """The report shows the end of the window that was read, which this machine's clock does not decide."""
    with Sandbox(records=5, clock_skew=-86_400 * 2) as sandbox:
        done = run("export", **sandbox.environment)
    shown = re.search(r"window .* to (\S+ \S+) UTC", done.stderr)
    assert shown is not None
    end = datetime.fromisoformat(f"{shown[1]}+00:00")
    assert abs(datetime.now(UTC) - timedelta(days=2) - end) < timedelta(minutes=1)


def test_since_takes_a_length_of_time(run: Run, sandbox: Sandbox) -> None:
    """``--since 48h`` means the last two days."""
    rows = read_lines(run("export", "--since", "48h").stdout)
    edge = datetime.now(UTC) - timedelta(hours=48)
    surely = {record.call_id for record in sandbox.records if record.start_time > edge + timedelta(minutes=1)}
    perhaps = {record.call_id for record in sandbox.records if record.start_time > edge - timedelta(minutes=1)}
    assert surely <= ids(rows) <= perhaps


def test_page_size_is_asked_for(run: Run) -> None:
    """``--page-size`` sets the number of pages."""
    assert "pages     3" in run("export", "-o", "calls.jsonl", "--page-size", "150").stderr


def test_window_beyond_retention_is_a_line_of_warning(run: Run) -> None:
    """A window that begins too early is exported, with a line that says so."""
    done = run("export", "--since", "30d", "-o", "calls.jsonl")
    assert done.returncode == 0
    assert done.stderr.startswith("trtc-records: warning: records from before")
    assert "RetentionWarning" not in done.stderr


def test_empty_window_says_where_else_calls_may_be(run: Run) -> None:
    """An export without records is a success that names the older service."""
    done = run("export", "-o", "calls.jsonl", "--since", "1s")
    assert done.returncode == 0
    assert "TUICallKit.call()" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "explanation"),
    [
        (["--since", "yesterday"], "'yesterday' is not a time: write 24h, 7d, 2026-01-31"),
        (["--until", "2026-02-30"], "'2026-02-30' is not a time: write 24h"),
        (["--since", "999999999w"], "'999999999w' is not a time: write 24h"),
        (["--since", "1h", "--until", "2h"], "swap them"),
        (["--since", "0s"], "is not before the end of the window"),
        (["--since", "2026-01-31T08:00", "--until", "2026-01-31T08:00Z"], "is not before the end of the window"),
        (["--until", "2020-01-01"], "--until 2020-01-01 23:59:59 UTC is before the 7 days that the service keeps"),
        (["--since", "2020-01-01", "--until", "2020-01-02"], "is before the 7 days that the service keeps"),
        (["--since", "2026-01-31+08:00"], "'2026-01-31+08:00' is not a time: write 24h"),
        (["--until", "20260131-0800"], "'20260131-0800' is not a time: write 24h"),
        (["--since", "2999-01-01"], "lies in the future"),
        (["--result", "Ended"], "'Ended' is not one of Cancel, Reject"),
        (["--type", "Conference"], "'Conference' is not one of SingleCall, MultiCall"),
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
    """Without an account each missing variable is named on a line of its own, with exit code 2."""
    done = run("export", **dict.fromkeys(account_names(environment), ""))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "trtc-records: TRTC_SDK_APP_ID is not set",
        "trtc-records: TRTC_IDENTIFIER is not set",
        "trtc-records: TRTC_SECRET_KEY or TRTC_USER_SIG is not set",
        "trtc-records: TRTC_REGION or TRTC_BASE_URL is not set",
        "hint: trtc-records --help lists the environment variables; export --sandbox needs no account",
    ]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("TRTC_REGION", "mars; moon", ["TRTC_REGION and TRTC_BASE_URL are set: keep one of them", "--help"]),
        ("TRTC_BASE_URL", "http://example.com", ["TRTC_BASE_URL='http://example.com' cannot be used", "set it to an"]),
        ("TRTC_BASE_URL", "example", ["TRTC_BASE_URL: not a URL of the form 'https://host'", "--help"]),
        ("TRTC_IDENTIFIER", " ", ["TRTC_IDENTIFIER is not set", "--help"]),
        ("TRTC_SECRET_KEY", " ", ["TRTC_SECRET_KEY or TRTC_USER_SIG is not set", "--help"]),
        ("TRTC_SDK_APP_ID", "x", ["TRTC_SDK_APP_ID='x' cannot be used", "set it to the SDKAppID"]),
        ("TRTC_REDIS_URL", "x", ["TRTC_REDIS_URL: not a URL", "--help"]),
    ],
)
def test_bad_variable_is_explained_in_the_shells_terms(run: Run, name: str, value: str, expected: list[str]) -> None:
    """No message names an argument of the library or how to pass it."""
    done = run("get", "x", **{name: value})
    assert done.returncode == 2
    assert is_short(done.stderr)
    assert all(text in line for text, line in zip(expected, done.stderr.splitlines(), strict=True))
    assert "pass " not in done.stderr
    assert "=\n" not in done.stderr


def test_wrong_key_is_a_credential_error(run: Run) -> None:
    """A key of another app ends with exit code 3 and the hint, and does not show the key."""
    done = run("export", "-o", "calls.jsonl", TRTC_SECRET_KEY="not-the-key-of-this-app")
    assert done.returncode == 3
    assert "hint: " in done.stderr
    assert is_short(done.stderr)
    assert "not-the-key-of-this-app" not in done.stderr


@pytest.mark.usefixtures("quick_back_off")
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
    """A walk that may have missed records keeps the others, warns in a line, and ends with 4."""
    with Sandbox(records=120, drift=Drift(expiries=1.0)) as moving:
        done = run("export", "-o", "calls.jsonl", "--page-size", "5", **moving.environment)
    assert done.returncode == 4
    assert "trtc-records: warning: a walk may have missed records" in done.stderr
    assert (tmp_path / "calls.jsonl").exists()


def test_unknown_fields_and_values_are_kept(run: Run) -> None:
    """Fields and values that this version does not know reach the file."""
    with Sandbox(records=40, behaviour=Behaviour(extra_fields=True, new_enum_values=True)) as newer:
        rows = read_lines(run("export", **newer.environment).stdout)
        assert by_id(rows) == by_id([expected_row(record) for record in newer.records])
    assert all(row["extra"] for row in rows)


@pytest.mark.slow
@posix
@pytest.mark.parametrize("name", ["jsonl", "csv", "csv.gz"])
def test_closed_pipe_is_quiet(environment: dict[str, str], name: str) -> None:
    """A reader that closes the pipe ends the export without a message."""
    with (
        Sandbox(records=3_000) as large,
        start(["export", "--format", name], {**environment, **large.environment}) as process,
    ):
        assert process.stdout is not None
        os.read(process.stdout.fileno(), 1)
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(30) == 141


@pytest.mark.slow
@posix
@pytest.mark.parametrize(
    ("names", "line", "background"),
    [
        (["SIGINT"], "interrupted", False),
        (["SIGTERM"], "stopped by SIGTERM", False),
        (["SIGTERM"], "stopped by SIGTERM", True),
        (["SIGHUP"], "stopped by SIGHUP", False),
        (["SIGHUP", "SIGTERM"], "stopped by SIG(HUP|TERM)", False),
    ],
)
def test_interruption_leaves_no_file(
    environment: dict[str, str], tmp_path: Path, names: list[str], line: str, background: bool
) -> None:
    """Ctrl-C, a job runner's SIGTERM and a lost terminal's SIGHUP end an export with a line and no half of a file.

    A shell that starts it in the background has SIGINT ignored. A second signal does not disturb the cleaning.
    """
    numbers = [signal.Signals[name] for name in names]
    with Sandbox(records=1_000, latency=0.2) as slow:
        arguments = ["export", "-o", str(tmp_path / "calls.jsonl"), "--page-size", "1"]
        before = signal.signal(signal.SIGINT, signal.SIG_IGN) if background else None
        with start(arguments, {**environment, **slow.environment}) as process:
            if background:
                signal.signal(signal.SIGINT, before)
            wait_until(lambda: slow.stats.requests > 3)
            for number in numbers:
                process.send_signal(number)
            assert process.stderr is not None
            said = process.stderr.read()
            assert re.fullmatch(f"trtc-records: {line}\n", said)
            # The system may deliver the later one first. The other one may also end the interpreter on its way out.
            (first,) = [number for number in numbers if number.name in said] or numbers
            assert process.wait(30) in {128 + first, *(-number for number in numbers if number != first)}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@posix
def test_hangup_of_the_terminal_leaves_no_file(environment: dict[str, str], tmp_path: Path) -> None:
    """A terminal that is closed under the bar ends an export with 129 and no half of a file."""
    import pty

    parent, child = pty.openpty()
    with Sandbox(records=1_000, latency=0.2) as slow:
        arguments = ["export", "-o", str(tmp_path / "calls.jsonl"), "--page-size", "1"]
        process = subprocess.Popen([*COMMAND, *arguments], env={**environment, **slow.environment}, stderr=child)
        os.close(child)
        wait_until(lambda: slow.stats.requests > 3)
        os.close(parent)
        process.send_signal(signal.SIGHUP)
        assert process.wait(30) == 129
    assert list(tmp_path.iterdir()) == []


@posix
def test_ignored_hangup_stays_ignored(environment: dict[str, str], tmp_path: Path) -> None:
    """A command under ``nohup`` goes on."""
    target = tmp_path / "calls.jsonl"
    with Sandbox(records=20, latency=0.1) as slow:
        process = subprocess.Popen(
            ["nohup", *COMMAND, "export", "-o", target, "--page-size", "1"],
            env={**environment, **slow.environment},
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: slow.stats.requests > 3)
        process.send_signal(signal.SIGHUP)
        assert process.wait(30) == 0
    assert len(target.read_text().splitlines()) == 20


@posix
def test_kill_leaves_no_half_file_under_the_name(environment: dict[str, str], tmp_path: Path) -> None:
    """A job that is killed half-way leaves the older file whole, and the next one replaces it."""
    target = tmp_path / "calls.jsonl"
    target.write_text("older\n")
    with Sandbox(records=1_000, latency=0.2) as slow:
        arguments = ["export", "-o", str(target), "--page-size", "1"]
        with start(arguments, {**environment, **slow.environment}) as process:
            wait_until(lambda: slow.stats.requests > 3)
            process.kill()
        assert target.read_text() == "older\n"
        again = [*COMMAND, "export", "-o", str(target)]
        subprocess.run(again, env={**environment, **slow.environment}, timeout=60, check=True, capture_output=True)
        assert by_id(read_lines(target.read_text())) == by_id([expected_row(record) for record in slow.records])


@pytest.mark.slow
@posix
@pytest.mark.parametrize("name", ["jsonl", "csv.gz", *(["parquet"] if PYARROW else [])])
def test_disk_that_fills_up_is_explained(environment: dict[str, str], tmp_path: Path, name: str) -> None:
    """A file that cannot grow any further is a line or two with exit code 2, and leaves nothing."""
    import resource

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, 4_096))

    # Unmeasured: coverage could not write its own file either, and would say so.
    unmeasured = {name: value for name, value in environment.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [*COMMAND, "export", "-o", f"calls.{name}"],
        env={**unmeasured, "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=limit,
    )
    assert done.returncode == 2
    assert f"cannot write calls.{name}: File too large" in done.stderr
    assert is_short(done.stderr)
    assert list(tmp_path.iterdir()) == []


def test_quiet_says_nothing_of_a_success(run: Run) -> None:
    """``--quiet`` leaves warnings and errors, and nothing else."""
    assert run("export", "-o", "calls.jsonl", "--quiet").stderr == ""
    assert "warning" in run("export", "-o", "calls.jsonl", "-q", "--since", "30d").stderr


@pytest.mark.usefixtures("quick_back_off")
def test_log_shows_retries_and_no_secret(run: Run) -> None:
    """``--log-level`` shows the library's log on stderr."""
    with Sandbox(records=50, faults=Faults(http_502=0.5), seed=3) as faulty:
        done = run("export", "--page-size", "10", "--log-level", "debug", **faulty.environment)
    assert re.search(
        r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC [A-Z]+ trtc_records: attempt 1 of", done.stderr, re.MULTILINE
    )
    assert "usersig" not in done.stderr
    assert len(read_lines(done.stdout)) == 50


@pytest.mark.slow
@posix
@pytest.mark.parametrize(("changes", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colours_are_for_terminals(environment: dict[str, str], changes: dict[str, str], coloured: bool) -> None:
    """An error is coloured on a terminal that shows colours, and where ``NO_COLOR`` does not forbid it."""
    import pty

    parent, child = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "export", "-o", "calls"], env={**environment, "TERM": "xterm", **changes}, stderr=child
    )
    os.close(child)
    shown = read_terminal(parent)
    assert process.wait(30) == 2
    assert ("\x1b[31m" in shown) is coloured


@pytest.mark.slow
@posix
def test_progress_is_shown_on_a_terminal(environment: dict[str, str], tmp_path: Path) -> None:
    """On a terminal a bar counts up to the TotalNum of the service."""
    import pty

    parent, child = pty.openpty()
    with Sandbox(records=1_100, latency=0.2) as slow:
        process = subprocess.Popen(
            [*COMMAND, "export", "-o", str(tmp_path / "calls.jsonl")],
            env={**environment, **slow.environment, "TERM": "xterm", "COLUMNS": "100"},
            stderr=child,
        )
        os.close(child)
        shown = read_terminal(parent)
        assert process.wait(30) == 0
    assert "1,100/1,100" in shown
    assert "% of the quota" in shown


def read_lines(text: str) -> list[dict[str, Any]]:
    return read_rows(text.encode(), "jsonl")


def by_id(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["call_id"]: row for row in rows}


def ids(rows: list[dict[str, Any]]) -> set[str]:
    return set(by_id(rows))


def page_of(body: dict[str, Any], records: list[Any]) -> dict[str, Any]:
    """Return the one page of a walk, or the end behind it."""
    return page_answer(records, 1, len(records)) if body["Page"] == 1 else page_answer([], 0, len(records))


def account_names(environment: dict[str, str]) -> list[str]:
    return [name for name in environment if name.startswith("TRTC_")]


def run_on_terminal(command: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """Return the exit code of *command*, and its output to a terminal that stdin, stdout and stderr are."""
    import pty

    parent, child = pty.openpty()
    process = subprocess.Popen(command, env={**environment, "TERM": "dumb"}, stdin=child, stdout=child, stderr=child)
    os.close(child)
    shown = read_terminal(parent)
    return process.wait(30), shown


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


def test_time_out_is_not_blamed_on_the_output() -> None:
    """The client's time-out is an OSError too, but the output has no part in it."""
    with pytest.raises(RequestTimeoutError), explain_writing("calls.csv"):
        raise RequestTimeoutError("no answer within 10 s")
