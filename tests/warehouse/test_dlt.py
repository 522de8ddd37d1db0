"""The sync to DuckDB and PostgreSQL."""

from __future__ import annotations

import asyncio
import csv
import errno
import json
import logging
import math
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from exported import make_record
from records import page_answer, raw_record

from trtc_records import (
    AuthenticationError,
    CallRecord,
    CallRecordPage,
    CallRecordsClient,
    CallRecordsWarning,
    ClockSkewWarning,
    ConfigurationError,
    IncompleteWalkWarning,
    RetentionWarning,
    TransportError,
)

pytest.importorskip("dlt", reason='needs the extra: pip install ".[dlt]"')

import dlt
import duckdb

from trtc_records.export import make_row, make_writer
from trtc_records.sandbox import Drift, Faults, Sandbox, make_records
from trtc_records.warehouse import _destinations
from trtc_records.warehouse import dlt as integration
from trtc_records.warehouse._configuration import CONFIGURATION
from trtc_records.warehouse.dlt import DestinationError, call_records_source, sync_call_records

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and users")
PASSWORD = "s3cret:/@"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of the database."""
    return tmp_path / "calls.duckdb"


@pytest.fixture
def to(path: Path) -> str:
    """Return its URL."""
    return f"duckdb:///{path}"


def client_of(sandbox: Sandbox, **arguments: Any) -> Callable[[], CallRecordsClient]:
    """Return a function that makes clients of *sandbox*."""
    return lambda: CallRecordsClient(**{**sandbox.credentials, **arguments})


def read_table(path: Path, table: str = "trtc_records.call_records") -> list[dict[str, Any]]:
    """Return the rows of the table, as every other format writes them."""
    with duckdb.connect(str(path), read_only=True) as connection:
        names = [name for name, *_ in connection.sql(f"DESCRIBE {table}").fetchall()]
        rows = connection.sql(f"FROM {table}").fetchall()
    return [dict(zip(names, row, strict=True)) for row in rows]


def ids(rows: list[dict[str, Any]]) -> list[str]:
    """Return the call ids, sorted and with those that are there twice."""
    return sorted(row["call_id"] for row in rows)


def ids_of(records: list[CallRecord]) -> list[str]:
    return sorted(record.call_id for record in records)


def test_table_holds_each_record_as_the_service_keeps_it(to: str, path: Path) -> None:
    """Every record is one row, value by value."""
    with Sandbox(records=700) as sandbox:
        report = sync_call_records(to, client_of(sandbox))
        expected = {record.call_id: as_row(record) for record in sandbox.records}
    assert {row["call_id"]: row for row in read_table(path)} == expected
    assert (report.read, report.added, report.seen_before, report.total) == (700, 700, 0, 700)
    assert (report.complete, report.start_time, report.previous_end_time) == (True, None, None)
    assert (report.destination, report.table) == (to, "trtc_records.call_records")


def as_row(record: CallRecord) -> dict[str, Any]:
    """Return *record* as its row of the table reads."""
    members = ", ".join(f'"{callee}"' for callee in record.callees)
    times = {name: getattr(record, name) for name in ("start_time", "accept_time", "end_time")}
    return {**make_row(record), **times, "callees": f"[{members}]", "extra": "{}"}


def test_columns_have_types(to: str, path: Path) -> None:
    """Times are times, numbers numbers, and all else is text."""
    with Sandbox(records=10) as sandbox:
        sync_call_records(to, client_of(sandbox))
    with duckdb.connect(str(path), read_only=True) as connection:
        types = {name: kind for name, kind, *_ in connection.sql("DESCRIBE trtc_records.call_records").fetchall()}
    assert {kind for name, kind in types.items() if name.endswith("_time")} == {"TIMESTAMP WITH TIME ZONE"}
    assert {kind for name, kind in types.items() if name.endswith("_seconds")} == {"BIGINT"}
    assert {types["callees"], types["extra"], types["call_id"]} == {"VARCHAR"}


def test_second_run_reads_the_overlap_and_adds_nothing(to: str, path: Path) -> None:
    """Run twice: no duplicate; the second run goes on where the first ended, less the overlap."""
    with Sandbox(records=700) as sandbox:
        first = sync_call_records(to, client_of(sandbox))
        second = sync_call_records(to, client_of(sandbox))
        assert ids(read_table(path)) == ids_of(sandbox.records)
    assert second.previous_end_time == first.end_time
    assert second.start_time == first.end_time - timedelta(hours=72)
    assert 0 < second.read < first.read
    assert (second.added, second.seen_before, second.total) == (0, second.read, 700)


def test_call_that_was_recorded_late_is_added(to: str, path: Path) -> None:
    """A call that had started before the last run, and ended after it, is found by the overlap."""
    calls = make_records(300)
    late = [record for record in calls if record.start_time > datetime.now(UTC) - timedelta(hours=20)][:5]
    with Sandbox(records=[record for record in calls if record not in late]) as before:
        sync_call_records(to, client_of(before))
    with Sandbox(records=calls) as after:
        assert sync_call_records(to, client_of(after)).added == len(late) == 5
    assert ids(read_table(path)) == ids_of(calls)


def test_overlap_is_the_chosen_one(to: str) -> None:
    """A shorter overlap reads less again."""
    with Sandbox(records=50) as sandbox:
        first = sync_call_records(to, client_of(sandbox))
        second = sync_call_records(to, client_of(sandbox), overlap=timedelta(hours=1))
    assert second.start_time == first.end_time - timedelta(hours=1)


def test_since_bounds_the_first_run(to: str, path: Path) -> None:
    """The first run reads from there, the next ones from where the last ended."""
    since = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
    with Sandbox(records=300) as sandbox:
        first = sync_call_records(to, client_of(sandbox), since=since)
        inside = [record for record in sandbox.records if record.start_time >= since]
        assert ids(read_table(path)) == ids_of(inside)
        later = sync_call_records(to, client_of(sandbox), since=datetime.now(UTC) - timedelta(minutes=1))
    assert first.start_time == since
    assert later.start_time == first.end_time - timedelta(hours=72)


def test_earlier_since_reads_more_again(to: str, path: Path) -> None:
    """An earlier *since* reads the records that are missing before the first start."""
    with Sandbox(records=300) as sandbox:
        sync_call_records(to, client_of(sandbox), since=datetime.now(UTC) - timedelta(days=2))
        sync_call_records(to, client_of(sandbox), since=datetime.now(UTC) - timedelta(days=7))
        assert len(read_table(path)) >= 299  # the oldest may expire meanwhile


def test_apps_do_not_share_a_mark(to: str, path: Path) -> None:
    """Another app's records are read from the beginning, into the same table."""
    with Sandbox(records=60, seed=1) as one, Sandbox(records=40, seed=2, sdk_app_id=1_400_000_001) as other:
        sync_call_records(to, client_of(one))
        report = sync_call_records(to, client_of(other))
        assert (report.previous_end_time, report.added) == (None, 40)
        assert ids(read_table(path)) == sorted(ids_of(one.records) + ids_of(other.records))


def test_service_without_records_is_a_sync_too(to: str) -> None:
    """A sync without records stores the end of its window too."""
    with Sandbox(records=0) as sandbox:
        first = sync_call_records(to, client_of(sandbox))
        second = sync_call_records(to, client_of(sandbox))
    assert (first.read, first.added, first.total) == (0, 0, 0)
    assert second.previous_end_time == first.end_time


def test_sync_after_a_long_pause_warns(to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records may have expired unseen since a run more than 7 days ago; all that is left is read."""
    with Sandbox(records=50) as sandbox:
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda now=time.time: now() - 8 * 86_400)
            sync_call_records(to, client_of(sandbox))
        with pytest.warns(RetentionWarning, match="may have expired unseen"):
            report = sync_call_records(to, client_of(sandbox))
    assert report.read == 50


def test_look_back_beyond_the_seven_days_is_no_reason_to_warn(to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a pause of five days the look-back reaches beyond what the service keeps; nothing was lost."""
    with Sandbox(records=50) as sandbox:
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda now=time.time: now() - 5 * 86_400)
            sync_call_records(to, client_of(sandbox))
        report = sync_call_records(to, client_of(sandbox))  # a warning is an error here
    assert (report.start_time, report.read, report.complete) == (None, 50, True)


def test_mark_in_the_future_tells_nothing(to: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a clock was set back, the whole retention is read, because records before the stored end may be missing."""
    calls = make_records(120)
    old = [record for record in calls if record.start_time < datetime.now(UTC) - timedelta(days=3)]
    with Sandbox(records=old) as before, monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda now=time.time: now() + 86_400)  # it was three days ago, and four days ahead
        ahead = sync_call_records(to, client_of(before))
    with Sandbox(records=calls) as now:
        report = sync_call_records(to, client_of(now), since=datetime.now(UTC) - timedelta(hours=1))
        last = sync_call_records(to, client_of(now))
    assert (report.previous_end_time, report.start_time, report.complete) == (ahead.end_time, None, True)
    assert ids(read_table(path)) == ids_of(calls)
    assert last.previous_end_time == report.end_time


def test_end_is_in_the_service_s_time(to: str) -> None:
    """The reported end of a window is the stored one, whatever this machine's clock says."""
    with Sandbox(records=20, clock_skew=-7_200) as sandbox, pytest.warns(ClockSkewWarning):
        first = sync_call_records(to, client_of(sandbox))
        second = sync_call_records(to, client_of(sandbox))
    assert abs(datetime.now(UTC) - timedelta(hours=2) - first.end_time) < timedelta(minutes=1)
    assert second.previous_end_time == first.end_time


def test_nul_is_kept_beside_its_column(to: str, path: Path) -> None:
    """A character that PostgreSQL's texts do not hold is replaced everywhere; ``extra`` keeps the exact text."""
    with Sandbox(records=calls_with_nul()) as sandbox:
        sync_call_records(to, client_of(sandbox))
    check_nul({row["call_id"]: row for row in read_table(path)})


def calls_with_nul() -> list[CallRecord]:
    """Return two calls with U+0000 in their texts, one with a field that is named as ours, and one without."""
    first, second, third = make_records(3)
    return [
        attrs.evolve(first, call_id="all", caller="a\0b", callees=("c", "\0d"), room_id="\0", extra={"x": "\0"}),
        attrs.evolve(second, call_id="ours", caller="\0", extra={"_exact": "theirs"}),
        attrs.evolve(third, call_id="none", caller="a", extra={}),
    ]


def check_nul(rows: dict[str, dict[str, Any]]) -> None:
    """Check the rows of these calls."""
    assert [rows["all"][name] for name in ("caller", "room_id")] == ["a\ufffdb", "\ufffd"]
    assert json.loads(rows["all"]["callees"]) == ["c", "\ufffdd"]
    exact = {
        "caller": '"a\\u0000b"',
        "room_id": '"\\u0000"',
        "callees": '["c", "\\u0000d"]',
        "extra": '{"x": "\\u0000"}',
    }
    assert json.loads(rows["all"]["extra"]) == {"x": "\ufffd", "_exact": exact}
    assert json.loads(rows["ours"]["extra"]) == {"_exact": "theirs", "__exact": {"caller": '"\\u0000"'}}
    assert (rows["none"]["caller"], rows["none"]["extra"]) == ("a", "{}")


def test_records_without_an_id_of_their_own_have_a_row_each(to: str, path: Path) -> None:
    """Blank ids, one id for several calls, ids that databases change: no row replaces that of another call."""
    ids = ["", "", " ", "same", "same", "a\0", "a\ufffd", "\ud800", "\udfff", "\ufffd"]
    calls = [attrs.evolve(each, call_id=value) for each, value in zip(make_records(len(ids)), ids, strict=True)]
    changed = [attrs.evolve(calls[3], call_result="Interrupt"), *calls[4:]]
    week = timedelta(days=7)
    with Sandbox(records=calls) as sandbox, pytest.warns(CallRecordsWarning, match="share it with another record"):
        sync_call_records(to, client_of(sandbox))
        again = sync_call_records(to, client_of(sandbox), overlap=week)
    with Sandbox(records=changed) as sandbox, pytest.warns(CallRecordsWarning, match="share it with another record"):
        sync_call_records(to, client_of(sandbox), overlap=week)
    rows = read_table(path)
    exact = [json.loads(row["extra"]).get("_exact", {}).get("call_id", json.dumps(row["call_id"])) for row in rows]
    assert sorted(map(json.loads, exact)) == sorted(ids)
    assert sum(row["call_id"].startswith("no id ") for row in rows) == 6
    assert [row["call_result"] for row in rows if row["start_time"] == calls[3].start_time] == ["Interrupt"]
    assert (again.read, again.added, again.complete) == (len(ids), 0, True)


def test_incomplete_walk_keeps_the_mark_where_it_was(to: str, path: Path) -> None:
    """The records that were read are loaded; the next run reads the whole window again."""
    calls = make_records(120)
    with (
        Sandbox(records=calls, drift=Drift(expiries=1.0)) as moving,
        pytest.warns(IncompleteWalkWarning, match="may have missed"),
    ):
        first = sync_call_records(to, client_of(moving), page_size=5)
    assert not first.complete
    assert first.added
    with Sandbox(records=calls) as still:
        second = sync_call_records(to, client_of(still))
    assert (second.previous_end_time, second.complete) == (None, True)
    assert ids(read_table(path)) == ids_of(calls)


def test_warning_points_at_the_caller(to: str) -> None:
    """However deep it was found, the warning is given at the line that called."""
    with Sandbox(records=120, drift=Drift(expiries=1.0)) as moving, pytest.warns(IncompleteWalkWarning) as caught:
        sync_call_records(to, client_of(moving), page_size=5)
    assert {warning.filename for warning in caught} == {__file__}


def test_record_that_cannot_be_read_holds_the_mark_and_nothing_else(to: str, path: Path) -> None:
    """One bad record stops neither the others nor the next run, and is not forgotten."""

    def answer(request: httpx.Request) -> httpx.Response:
        page = 0 if b'"Page":1' not in request.content.replace(b" ", b"") else 1
        records = [raw_record(1), raw_record(2, StartTime="soon"), raw_record(3)] if page else []
        return httpx.Response(200, json=page_answer(records, page, 3))

    def make_client() -> CallRecordsClient:
        return CallRecordsClient(
            sdk_app_id=1, identifier="a", secret_key="k", region="seoul", transport=httpx.MockTransport(answer)
        )

    for _ in range(2):
        with pytest.warns(IncompleteWalkWarning, match=r"records that could not be read: 1.*StartTime"):
            report = sync_call_records(to, make_client)
        assert (report.previous_end_time, report.complete) == (None, False)
    assert ids(read_table(path)) == ["call-000001", "call-000003"]


def test_failed_walk_changes_nothing(to: str) -> None:
    """A service that refuses leaves no mark, and its own error arrives."""
    with Sandbox(records=50) as sandbox:
        with pytest.raises(AuthenticationError):
            sync_call_records(to, client_of(sandbox, secret_key="not-the-key"))
        report = sync_call_records(to, client_of(sandbox))
    assert (report.previous_end_time, report.added) == (None, 50)


def test_walk_that_breaks_off_is_made_up_for(to: str, path: Path) -> None:
    """Requests that fail half-way leave no gap behind."""
    calls = make_records(400)
    with Sandbox(records=calls, seed=3, faults=Faults(reset=0.3)) as shaky, pytest.raises(TransportError):
        sync_call_records(to, client_of(shaky, attempts=1), page_size=10)
    with Sandbox(records=calls) as sound:
        assert sync_call_records(to, client_of(sound)).previous_end_time is None
    assert ids(read_table(path)) == ids_of(calls)


def test_pages_are_shown_as_they_come(to: str) -> None:
    """``on_page`` gets every page."""
    pages: list[CallRecordPage] = []
    with Sandbox(records=250) as sandbox:
        sync_call_records(to, client_of(sandbox), on_page=pages.append)
    assert sum(len(page.records) for page in pages) == 250


def test_error_of_a_callback_arrives_as_it_is(to: str) -> None:
    """An error of the caller's own function is not wrapped."""

    def fail(_: object) -> None:
        raise LookupError("mine")

    with Sandbox(records=50) as sandbox, pytest.raises(LookupError, match="mine"):
        sync_call_records(to, client_of(sandbox), on_page=fail)


def test_source_fits_a_pipeline_of_ones_own(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The source brings its key and its way to merge along."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    pipeline = dlt.pipeline(
        "mine", pipelines_dir=str(tmp_path / "dlt"), destination=dlt.destinations.duckdb(str(path)), dataset_name="mine"
    )
    with Sandbox(records=200) as sandbox:
        for _ in range(2):
            pipeline.run(call_records_source(client_of(sandbox)))
        assert ids(read_table(path, "mine.call_records")) == ids_of(sandbox.records)
    pipeline.deactivate()


def test_source_warns_while_it_is_read(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipeline of the user's own has no report, so the source gives the warning."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    pipeline = dlt.pipeline(
        "mine", pipelines_dir=str(tmp_path / "dlt"), destination=dlt.destinations.duckdb(str(path)), dataset_name="mine"
    )
    with Sandbox(records=120, drift=Drift(expiries=1.0)) as moving, pytest.warns(IncompleteWalkWarning):
        pipeline.run(call_records_source(client_of(moving), page_size=5))
    pipeline.deactivate()


def test_source_that_is_kept_forgets_an_earlier_run(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source may be run again: a walk that missed records holds the mark and warns in its own run only."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    pipeline = dlt.pipeline(
        "mine", pipelines_dir=str(tmp_path / "dlt"), destination=dlt.destinations.duckdb(str(path)), dataset_name="mine"
    )
    with Sandbox(records=120, drift=Drift(expiries=1.0)) as moving, Sandbox(records=30) as still:
        clients = iter([client_of(moving), client_of(still)])

        def make_client() -> CallRecordsClient:
            return next(clients)()

        source = call_records_source(make_client, page_size=5)
        marks: list[dict[str, int]] = []
        with pytest.warns(IncompleteWalkWarning):
            pipeline.run(source)
        marks.append(pipeline.state["sources"]["trtc_records"]["resources"]["call_records"]["read_until"])
        pipeline.run(source)
        marks.append(pipeline.state["sources"]["trtc_records"]["resources"]["call_records"]["read_until"])
    pipeline.deactivate()
    assert [list(mark) for mark in marks] == [[], ["1400000000/current"]]


def test_syncs_at_once_share_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first to end does not take it from the other, and the last one restores the old values."""
    for name in CONFIGURATION:
        monkeypatch.delenv(name, raising=False)
    before, filters = dict(os.environ), list(logging.getLogger("dlt").filters)
    first_reads, second_reads = threading.Event(), threading.Event()
    seen: list[dict[str, str | None]] = []

    def wait(_: object) -> None:
        first_reads.set()
        assert second_reads.wait(30)

    def look(_: object) -> None:
        second_reads.set()
        first.join()
        seen.append({name: os.environ.get(name) for name in CONFIGURATION})

    with Sandbox(records=5) as sandbox:
        first = threading.Thread(
            target=sync_call_records,
            args=(f"duckdb:///{tmp_path}/a.duckdb", client_of(sandbox)),
            kwargs={"on_page": wait},
        )
        first.start()
        assert first_reads.wait(30)
        sync_call_records(f"duckdb:///{tmp_path}/b.duckdb", client_of(sandbox), on_page=look)
    assert seen[0] == CONFIGURATION
    assert (dict(os.environ), logging.getLogger("dlt").filters) == (before, filters)


def test_second_sync_of_a_process_is_refused(to: str, path: Path) -> None:
    """DuckDB locks its file against other processes only, so a sync in another thread is refused by name."""
    refused: list[BaseException | None] = []

    with Sandbox(records=50) as sandbox:

        def start_another(_: object) -> None:
            with pytest.raises(DestinationError, match="another sync is writing to trtc_records") as raised:
                sync_call_records(to, client_of(sandbox))
            refused.append(raised.value)

        report = sync_call_records(to, client_of(sandbox), on_page=start_another)
        assert refused
        assert (report.added, ids(read_table(path))) == (50, ids_of(sandbox.records))
        assert sync_call_records(to, client_of(sandbox)).added == 0


@pytest.mark.slow
def test_second_process_is_refused_while_the_first_one_reads(to: str, path: Path) -> None:
    """DuckDB's file stays locked for a whole sync, not only while rows are written."""
    code = f"from trtc_records.warehouse.dlt import sync_call_records; sync_call_records({to!r})"
    others: list[subprocess.CompletedProcess[str]] = []
    with Sandbox(records=50) as sandbox:
        environment = {**os.environ, **sandbox.environment}

        def start_another(_: object) -> None:
            command = [sys.executable, "-P", "-c", code]
            others.append(subprocess.run(command, env=environment, capture_output=True, text=True, check=False))

        sync_call_records(to, client_of(sandbox), on_page=start_another)
        assert ids(read_table(path)) == ids_of(sandbox.records)
    assert others[0].returncode == 1
    assert "DestinationError" in others[0].stderr
    assert "lock" in others[0].stderr


@pytest.mark.parametrize("statement", ["load", "rows"])
def test_rows_of_another_program_are_an_error(to: str, path: Path, statement: str) -> None:
    """Where no lock keeps others away, their loads and rows are noticed: the numbers cannot be right."""
    statements = {
        "load": "INSERT INTO trtc_records._dlt_loads SELECT * REPLACE ('1.0' AS load_id) FROM trtc_records._dlt_loads",
        "rows": "INSERT INTO trtc_records.call_records SELECT calls.* REPLACE (call_id || copy AS call_id) "
        "FROM trtc_records.call_records AS calls, range(2) AS copies (copy)",
    }
    with Sandbox(records=50) as sandbox:
        sync_call_records(to, client_of(sandbox))

        def write(_: object) -> None:
            with duckdb.connect(str(path)) as connection:
                connection.execute(statements[statement])

        with pytest.raises(DestinationError, match="another program wrote to trtc_records.call_records"):
            sync_call_records(to, client_of(sandbox), overlap=timedelta(days=7), on_page=write)
        assert set(ids_of(sandbox.records)) <= set(ids(read_table(path)))


def test_rows_that_are_there_twice_become_one(to: str, path: Path) -> None:
    """A sync that replaces two rows by one has no number of new records, rather than a negative one."""
    with Sandbox(records=50) as sandbox:
        sync_call_records(to, client_of(sandbox))
        with duckdb.connect(str(path)) as connection:
            connection.execute("INSERT INTO trtc_records.call_records FROM trtc_records.call_records")
        report = sync_call_records(to, client_of(sandbox), overlap=timedelta(days=7))
    assert (report.added, report.seen_before) == (None, None)


def test_environment_and_log_are_as_they_were(to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """dlt is configured and silent for the sync only."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "true")
    before, filters = dict(os.environ), list(logging.getLogger("dlt").filters)
    with Sandbox(records=5) as sandbox:
        sync_call_records(to, client_of(sandbox))
    assert (dict(os.environ), logging.getLogger("dlt").filters) == (before, filters)


@pytest.mark.slow
@pytest.mark.parametrize("level", [None, "INFO"])
def test_dlt_speaks_if_it_is_asked_to(to: str, level: str | None) -> None:
    """Its log is silent, unless the environment chooses a level."""
    code = f"from trtc_records.warehouse.dlt import sync_call_records; sync_call_records({to!r})"
    environment = {**os.environ, **({} if level is None else {"RUNTIME__LOG_LEVEL": level})}
    with Sandbox(records=5) as sandbox:
        done = subprocess.run(
            [sys.executable, "-P", "-c", code],
            env={**environment, **sandbox.environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    assert bool(done.stderr) is (level is not None)


def test_overlap_may_be_a_duration_of_pendulum(to: str) -> None:
    """Any subclass of timedelta works."""
    pendulum = pytest.importorskip("pendulum", reason="pendulum comes with dlt")
    with Sandbox(records=1) as sandbox:
        assert (
            sync_call_records(to, client_of(sandbox), overlap=pendulum.duration(hours=1), since=pendulum.now()).read
            == 0
        )


@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), timedelta(days=8), "24h", 24, None])
def test_overlap_has_bounds(to: str, overlap: Any) -> None:
    """No overlap is negative, or longer than the service keeps records, or something else than a timedelta."""
    with pytest.raises(ConfigurationError, match="overlap=.*: pass a timedelta from 0 to 7 days"):
        sync_call_records(to, overlap=overlap)


@pytest.mark.parametrize(
    ("target", "explanation"),
    [
        ("nonsense", "dlt has no destination 'nonsense'"),
        ("filesystem", "cannot merge"),
        ("iceberg:///lake", "'iceberg://' is not known"),
        ("bigquery", "dlthub.com/docs/dlt-ecosystem/destinations/bigquery says how"),
    ],
)
def test_destination_that_cannot_be_used_is_explained(target: str, explanation: str) -> None:
    """An unknown name, one that cannot merge, and one without its settings have different messages."""
    with pytest.raises(ConfigurationError, match=rf"^to: .*{explanation}"):
        sync_call_records(target)


def test_driver_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the package to install."""
    monkeypatch.setattr(_destinations, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'dlt\[sqlalchemy\]'"):
        sync_call_records("sqlite:///calls.db")


@pytest.mark.parametrize("dataset", ["", "Calls", "my calls", "calls__all", "calls", "calls_", "1", None])
def test_dataset_that_would_get_another_name_is_refused(to: str, path: Path, dataset: Any) -> None:
    """dlt would change some names, and DuckDB knows a schema by none that is its file's; ``None`` is none at all."""
    with pytest.raises(ConfigurationError, match="dataset="):
        sync_call_records(to, dataset=dataset)
    assert not path.exists()


def test_file_that_is_no_database_is_explained(to: str, path: Path) -> None:
    """The error has DuckDB's reason, and the file stays."""
    path.write_text("no database" * 500)
    with pytest.raises(DestinationError, match="not a valid DuckDB database file"):
        sync_call_records(to)
    assert path.read_text().startswith("no database")


@pytest.mark.parametrize(
    "failure",
    [
        ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
        TimeoutError("timed out"),
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_server_that_cannot_be_reached_is_the_destinations_error(
    to: str, monkeypatch: pytest.MonkeyPatch, failure: OSError
) -> None:
    """A driver in Python (MySQL's, for one) lets the error of its socket through."""

    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(integration, "count_records", fail)
    with pytest.raises(DestinationError, match=rf"{to}: .*{failure.args[-1]}"):
        sync_call_records(to)


def test_disk_that_is_full_is_not_the_destinations_error(to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of this machine arrives unchanged."""

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(integration, "count_records", fail)
    with pytest.raises(OSError, match="No space left"):
        sync_call_records(to)


def test_password_is_in_no_error() -> None:
    """Neither the error nor a traceback with locals, as error reporters make it, shows the password."""
    url = f"postgresql://me:{PASSWORD.replace(':', '%3A').replace('/', '%2F').replace('@', '%40')}@127.0.0.1:1/calls"
    with pytest.raises(DestinationError, match=r"postgresql://me@127.0.0.1:1/calls: .*refused") as raised:
        sync_call_records(url)
    assert raised.value.__cause__ is raised.value.__context__ is None
    frames = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    frames.stack = traceback.StackSummary.from_list(frames.stack[1:])  # this test's own frame
    shown = "".join(frames.format())
    assert "s3cret" not in shown


@pytest.mark.slow
@posix
@pytest.mark.parametrize(
    "step",
    ["dlt.normalize.Normalize.run", "dlt.load.Load.run", "dlt.load.Load.complete_package"],
    ids=["after reading", "before loading", "after merging"],
)
def test_killed_sync_leaves_no_gap_and_no_duplicate(to: str, path: Path, step: str) -> None:
    """However far it had come when it was killed, the next run brings every record, once."""
    owner, _, name = step.rpartition(".")
    module, _, _ = owner.rpartition(".")
    code = (
        f"import os, signal, {module}\n"
        "from trtc_records.warehouse.dlt import sync_call_records\n"
        f"{owner}.{name} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"sync_call_records({to!r})\n"
    )
    with Sandbox(records=500) as sandbox:
        killed = subprocess.run(
            [sys.executable, "-P", "-c", code],
            env={**os.environ, **sandbox.environment, "TMPDIR": str(path.parent)},
            timeout=60,
            check=False,
        )
        assert killed.returncode == -signal.SIGKILL
        report = sync_call_records(to, client_of(sandbox))
        assert report.previous_end_time is None
        assert ids(read_table(path)) == ids_of(sandbox.records)


@pytest.mark.slow
def test_nothing_is_left_behind_and_nobody_is_called(to: str, tmp_path: Path) -> None:
    """No telemetry, and no file but the database: not here, not at home, not among the temporary ones."""
    here, home, temporary = (tmp_path / name for name in ("here", "home", "temporary"))
    for directory in (here, home, temporary):
        directory.mkdir()
    code = f"from trtc_records.warehouse.dlt import sync_call_records; sync_call_records({to!r})"
    with Sandbox(records=20) as sandbox, closing(socket.create_server(("127.0.0.1", 0))) as telemetry:
        environment = {
            **os.environ,
            **sandbox.environment,
            "HOME": str(home),
            "USERPROFILE": str(home),
            "TMPDIR": str(temporary),
            "RUNTIME__DLTHUB_TELEMETRY": "true",
            "RUNTIME__DLTHUB_TELEMETRY_ENDPOINT": f"http://127.0.0.1:{telemetry.getsockname()[1]}",
        }
        subprocess.run([sys.executable, "-P", "-c", code], env=environment, cwd=here, timeout=60, check=True)
        telemetry.setblocking(False)
        with pytest.raises(BlockingIOError):
            telemetry.accept()
    assert [*here.iterdir(), *home.iterdir(), *temporary.iterdir()] == []


def test_missing_extra_is_named() -> None:
    """Without dlt the import error names the package to install."""
    code = (
        "import sys\n"
        "sys.modules['dlt'] = None\n"
        "try:\n"
        "    import trtc_records.warehouse.dlt\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == 'syncing needs dlt, which is not installed: pip install ".[dlt]"\n'


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Run a PostgreSQL of our own, and return its URL."""
    if sys.platform == "win32":
        pytest.skip("starts PostgreSQL by POSIX means")
    found: list[str | Path] = [
        *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True),
        *os.environ["PATH"].split(os.pathsep),
    ]
    programs = next((Path(place) for place in found if Path(place, "initdb").exists()), None)
    if programs is None:
        pytest.skip("no PostgreSQL server is installed (Debian: postgresql)")
    as_user: list[str] = []
    if os.geteuid() == 0:  # as whom PostgreSQL does not start
        if shutil.which("runuser") is None or not has_user("postgres"):
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    with tempfile.TemporaryDirectory(prefix="pg") as directory:  # pytest's own is closed to other users
        (Path(directory) / "password").write_text(PASSWORD)
        if as_user:
            shutil.chown(directory, "postgres")
            shutil.chown(Path(directory, "password"), "postgres")
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            port = free.getsockname()[1]

        def run(program: str, *arguments: str) -> None:
            subprocess.run(
                [*as_user, str(programs / program), "-D", f"{directory}/data", *arguments],
                check=True,
                cwd=directory,
                stdout=subprocess.DEVNULL,
                timeout=60,
            )

        run("initdb", "-U", "me", "-A", "scram-sha-256", f"--pwfile={directory}/password", "--no-sync")
        options = f"-p {port} -k {directory} -c listen_addresses=127.0.0.1 -c fsync=off"
        run("pg_ctl", "-w", "-o", options, "-l", f"{directory}/log", "start")
        try:
            yield f"postgresql://me:s3cret%3A%2F%40@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-m", "immediate", "stop")


def has_user(name: str) -> bool:
    return not subprocess.run(["id", name], check=False, capture_output=True).returncode


def query(url: str, text: str) -> list[tuple[Any, ...]]:
    """Return PostgreSQL's answer."""
    import psycopg2  # type: ignore[import-untyped]

    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(text)
        return list(cursor.fetchall())


@pytest.mark.slow
def test_postgresql_holds_each_record_once(postgres: str) -> None:
    """The same records get into PostgreSQL, and a second run adds none."""
    with Sandbox(records=700) as sandbox:
        first = sync_call_records(postgres, client_of(sandbox), dataset="twice")
        second = sync_call_records(postgres, client_of(sandbox), dataset="twice")
        records = {record.call_id: record for record in sandbox.records}
    rows = query(
        postgres, "SELECT call_id, callees::jsonb, start_time, accept_time, talk_seconds FROM twice.call_records"
    )
    assert {call_id: (tuple(callees), start, accept, talk) for call_id, callees, start, accept, talk in rows} == {
        call_id: (record.callees, record.start_time, record.accept_time, make_row(record)["talk_seconds"])
        for call_id, record in records.items()
    }
    assert len(rows) == 700
    assert (first.added, second.added, second.previous_end_time) == (700, 0, first.end_time)
    assert "s3cret" not in first.destination


@pytest.mark.slow
def test_nul_does_not_stop_postgresql(postgres: str) -> None:
    """One call with U+0000 in its texts is loaded as all others are."""
    with Sandbox(records=calls_with_nul()) as sandbox:
        assert sync_call_records(postgres, client_of(sandbox), dataset="nul").added == 3
    names = ("call_id", "caller", "callees", "room_id", "extra")
    rows = query(postgres, f"SELECT {', '.join(names)} FROM nul.call_records")
    check_nul({row[0]: dict(zip(names, row, strict=True)) for row in rows})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["calls.jsonl", "calls.csv"])
def test_postgresql_reads_extra_of_files_as_jsonb(postgres: str, tmp_path: Path, name: str) -> None:
    """Whatever ``extra`` holds: U+0000, half a surrogate pair, a field of two types, great numbers."""
    values: list[Any] = [1, "x", [{}], "\0", "\ud800", "\\u0000", 10**400, 1e22, math.inf, {"\0": None}]
    records = [make_record(str(number), extra={"Tag": value}) for number, value in enumerate(values)]
    asyncio.run(make_writer(tmp_path / name).write(records))
    if name.endswith("csv"):
        with (tmp_path / name).open(encoding="utf-8", newline="") as file:
            extras = [row["extra"] for row in csv.DictReader(file)]
    else:
        extras = [json.loads(line)["extra"] for line in (tmp_path / name).read_text("ascii").splitlines()]
    tags = [query(postgres, f"SELECT $${extra}$$::jsonb -> 'Tag'")[0][0] for extra in extras]
    assert tags == [1, "x", [{}], "\ufffd", "\ufffd", "\\u0000", str(10**400), 1e22, "Infinity", {"\ufffd": None}]


@pytest.mark.slow
def test_staging_table_keeps_no_copy(postgres: str) -> None:
    """Rows that dlt loads by way of another table do not stay there."""
    with Sandbox(records=30) as sandbox:
        sync_call_records(postgres, client_of(sandbox), dataset="staged")
    assert query(postgres, "SELECT count(*) FROM staged_staging.call_records") == [(0,)]


@pytest.mark.slow
def test_postgresql_refuses_a_wrong_password_without_showing_it(postgres: str) -> None:
    """The error is the server's, and shows neither password."""
    with pytest.raises(DestinationError, match="password authentication failed") as raised:
        sync_call_records(postgres.replace("s3cret", "wr0ng"))
    assert "wr0ng" not in str(raised.value)


@pytest.mark.slow
def test_password_may_come_from_where_libpq_looks(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PGPASSWORD keeps it out of the URL."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    with Sandbox(records=10) as sandbox:
        url = postgres.replace(":s3cret%3A%2F%40", "")
        assert sync_call_records(url, client_of(sandbox), dataset="elsewhere").added == 10


@pytest.mark.slow
def test_syncs_at_once_into_a_fresh_schema_lose_nothing(postgres: str) -> None:
    """Of processes that start together, some may be refused; each record is there once, and every number is right."""
    dataset = f"at_once_{secrets.token_hex(4)}"
    code = (
        "import sys\n"
        "from trtc_records.warehouse.dlt import DestinationError, sync_call_records\n"
        "try:\n"
        f"    report = sync_call_records({postgres!r}, dataset={dataset!r})\n"
        "    print(report.added, report.seen_before, report.complete)\n"
        "except DestinationError as error:\n"
        "    print(error)\n"
    )
    with Sandbox(records=3_000, latency=0.05) as sandbox:
        environment = {**os.environ, **sandbox.environment}
        command = [sys.executable, "-P", "-c", code]
        processes = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(4)]
        lines = [process.communicate(timeout=100)[0].strip() for process in processes]
        expected = ids_of(sandbox.records)
    assert sorted(name for (name,) in query(postgres, f"SELECT call_id FROM {dataset}.call_records")) == expected
    done = [line for line in lines if "another sync is writing to at_once" not in line]
    assert done[0].split()[0] in {"3000", "0"}
    assert sum(line == "3000 0 True" for line in done) == 1
    assert all(line == "3000 0 True" or (line.startswith("0 ") and line.endswith(" True")) for line in done)


@pytest.mark.slow
def test_lock_that_is_lost_loads_nothing(postgres: str) -> None:
    """A lock ends with its connection; then nothing is written, and no mark is set."""

    def cut(_: object) -> None:
        query(
            postgres,
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'",
        )

    with Sandbox(records=50) as sandbox:
        with pytest.raises(DestinationError):
            sync_call_records(postgres, client_of(sandbox), dataset="lost", on_page=cut)
        report = sync_call_records(postgres, client_of(sandbox), dataset="lost")
    assert (report.previous_end_time, report.added) == (None, 50)
