"""The sync to a Delta table in a directory."""

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

import attrs
import pytest

from trtc_records import CallRecord, CallRecordsClient, CallRecordsWarning, CallResult, ConfigurationError

pytest.importorskip("dlt", reason='needs the extra: pip install ".[delta]"')
pytest.importorskip("deltalake", reason='needs the extra: pip install ".[delta]"')

import duckdb
from deltalake import DeltaTable

from trtc_records.export import make_row
from trtc_records.sandbox import Drift, Sandbox, make_records
from trtc_records.warehouse import _lake
from trtc_records.warehouse.dlt import DestinationError, sync_call_records

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
WEEK = timedelta(days=7)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Return the directory of the lake, with characters that URLs escape."""
    return tmp_path / "my läke #1%"


@pytest.fixture
def to(lake: Path) -> str:
    """Return its URL."""
    return f"delta:///{lake.parent}/my%20l%C3%A4ke%20%231%25"


def client_of(sandbox: Sandbox) -> Callable[[], CallRecordsClient]:
    """Return a function that makes clients of *sandbox*."""
    return lambda: CallRecordsClient(**sandbox.credentials)


def open_table(lake: Path) -> DeltaTable:
    return DeltaTable(lake / "trtc_records" / "call_records")


def read_rows(lake: Path) -> list[dict[str, Any]]:
    """Return the rows of the table's last version, sorted by call id."""
    rows: list[dict[str, Any]] = open_table(lake).to_pyarrow_table().to_pylist()
    return sorted(rows, key=lambda row: str(row["call_id"]))


def ids(lake: Path) -> list[str]:
    return [row["call_id"] for row in read_rows(lake)]


def ids_of(records: list[CallRecord]) -> list[str]:
    return sorted(record.call_id for record in records)


def as_row(record: CallRecord) -> dict[str, Any]:
    """Return *record* as its row of the table reads."""
    times = {name: getattr(record, name) for name in ("start_time", "accept_time", "end_time")}
    return {**make_row(record), **times, "callees": json.dumps(record.callees), "extra": "{}"}


def sync_in_process(to: str, sandbox: Sandbox, before: str = "") -> list[str]:
    """Return the command of a sync in a process of its own, after some statements."""
    sandbox_client = f"lambda: CallRecordsClient(**{sandbox.credentials!r})"
    code = (
        "from trtc_records import CallRecordsClient\n"
        "from trtc_records.warehouse.dlt import sync_call_records\n"
        f"{before}\n"
        f"print(sync_call_records({to!r}, {sandbox_client}).added)\n"
    )
    return [sys.executable, "-P", "-c", code]


def test_two_runs_hold_each_record_as_the_service_keeps_it(to: str, lake: Path) -> None:
    """The second run continues from the mark in the lake, reads the overlap again, and adds the calls since."""
    calls = make_records(700)
    with Sandbox(records=calls[:600]) as sandbox:
        first = sync_call_records(to, client_of(sandbox))
    with Sandbox(records=calls) as sandbox:
        second = sync_call_records(to, client_of(sandbox), overlap=WEEK)
    assert read_rows(lake) == [as_row(call) for call in sorted(calls, key=lambda call: call.call_id)]
    assert (first.read, first.added, first.seen_before, first.total) == (600, 600, 0, 600)
    assert (second.read, second.added, second.seen_before, second.total) == (700, 100, 600, 700)
    assert second.previous_end_time == first.end_time
    assert (second.destination, second.table) == (f"delta:///{lake}", "trtc_records.call_records")


def test_records_that_were_amended_replace_their_rows(to: str, lake: Path) -> None:
    """A record that the service has changed replaces its row, and no other row changes."""
    calls = make_records(300)
    amended = [attrs.evolve(call, call_result=CallResult.INTERRUPT, callees=("x",)) for call in calls[100:110]]
    with Sandbox(records=calls) as sandbox:
        sync_call_records(to, client_of(sandbox))
    with Sandbox(records=[*calls[:100], *amended, *calls[110:]]) as sandbox:
        report = sync_call_records(to, client_of(sandbox), overlap=WEEK)
    truth = {call.call_id: as_row(call) for call in [*calls, *amended]}
    assert {row["call_id"]: row for row in read_rows(lake)} == truth
    assert (report.added, report.total) == (0, 300)


def test_run_without_news_writes_nothing(to: str, lake: Path) -> None:
    """Rows that replace themselves would have their files written anew; they are skipped."""
    with Sandbox(records=200) as sandbox:
        sync_call_records(to, client_of(sandbox))
        files = sorted(open_table(lake).file_uris())
        sync_call_records(to, client_of(sandbox), overlap=WEEK)
    assert sorted(open_table(lake).file_uris()) == files


def test_columns_have_types(to: str, lake: Path) -> None:
    """Times are times, numbers numbers, and all else is text, for DuckDB too."""
    with Sandbox(records=10) as sandbox:
        sync_call_records(to, client_of(sandbox))
    calls = open_table(lake).to_pyarrow_dataset()  # noqa: F841  (DuckDB looks it up by its name)
    with duckdb.connect() as connection:
        described = connection.execute("DESCRIBE FROM calls").fetchall()
    types = {name: kind for name, kind, *_ in described}
    assert {kind for name, kind in types.items() if name.endswith("_time")} == {"TIMESTAMP WITH TIME ZONE"}
    assert {kind for name, kind in types.items() if name.endswith("_seconds")} == {"BIGINT"}
    assert {types["callees"], types["extra"], types["call_id"]} == {"VARCHAR"}


def test_window_neither_uses_nor_moves_the_mark_of_a_lake(to: str, lake: Path) -> None:
    """A window loads its calls only, while others arrive; the mark stays."""
    until = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    since = until - timedelta(days=1)
    with Sandbox(records=300, drift=Drift(arrivals=0.9)) as sandbox:
        truth = ids_of([call for call in sandbox.records if since <= call.start_time < until])
        for _ in range(2):
            report = sync_call_records(to, client_of(sandbox), since=since, until=until, page_size=10)
            assert ids(lake) == truth
    assert (report.previous_end_time, report.added, report.read) == (None, 0, len(truth))
    with Sandbox(records=10) as sandbox:
        assert sync_call_records(to, client_of(sandbox)).previous_end_time is None


def test_service_without_records_leaves_a_mark(to: str) -> None:
    """A sync without records makes no table, and stores the end of its window."""
    with Sandbox(records=0) as sandbox:
        first = sync_call_records(to, client_of(sandbox))
        second = sync_call_records(to, client_of(sandbox))
    assert (first.added, first.total, second.previous_end_time) == (0, 0, first.end_time)


def test_records_of_one_key_have_one_row(to: str, lake: Path) -> None:
    """Delta merges no two rows of a key: the first one of a run is loaded, be the table new or not."""
    call, other = make_records(2)
    twice = [call, attrs.evolve(call, call_result="Later"), other]
    for _ in range(2):
        with Sandbox(records=twice) as sandbox, pytest.warns(CallRecordsWarning, match="share it with another record"):
            report = sync_call_records(to, client_of(sandbox), overlap=WEEK)
        assert ids(lake) == ids_of([call, other])
    assert (report.read, report.added, report.complete) == (3, 0, True)


@pytest.mark.slow
@posix
@pytest.mark.parametrize(
    "step",
    [
        "dlt.normalize.Normalize.run",
        "dlt.load.Load.run",
        "dlt.common.libs.deltalake.merge_delta_table",
        "dlt.destinations.impl.filesystem.filesystem.FilesystemClient._store_current_state",
        "dlt.destinations.impl.filesystem.filesystem.FilesystemClient._store_load",
    ],
    ids=["after reading", "before loading", "before merging", "after merging", "after the mark"],
)
def test_killed_sync_leaves_no_gap_and_no_duplicate(to: str, lake: Path, step: str) -> None:
    """However far the second run had come when it was killed, the next one brings every record, once."""
    owner, _, name = step.rpartition(".")
    module = owner if owner[owner.rindex(".") + 1].islower() else owner.rpartition(".")[0]
    kill = f"import os, signal, {module}\n{owner}.{name} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
    calls = make_records(500)
    with Sandbox(records=calls[:300]) as sandbox:
        first = sync_call_records(to, client_of(sandbox))
    with Sandbox(records=calls) as sandbox:
        command = sync_in_process(to, sandbox, before=kill)
        killed = subprocess.run(command, env={**os.environ, "TMPDIR": str(lake.parent)}, timeout=60, check=False)
        assert killed.returncode == -signal.SIGKILL
        report = sync_call_records(to, client_of(sandbox), overlap=WEEK)
    assert ids(lake) == ids_of(calls)
    assert (report.previous_end_time == first.end_time) is (name != "_store_load")


@pytest.mark.slow
@posix
def test_sync_that_is_killed_amid_its_load_is_finished_by_the_next(to: str, lake: Path) -> None:
    """A process that is killed while Delta writes its files leaves some that no version has."""
    calls = make_records(40_000)
    table = lake / "trtc_records" / "call_records"
    with Sandbox(records=calls, quota=None) as sandbox:
        command = sync_in_process(to, sandbox)
        environment = {**os.environ, "TMPDIR": str(lake.parent)}
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 60
            while not list(table.glob("*.parquet")) and process.poll() is None:
                assert time.monotonic() < deadline
            process.kill()
        assert process.returncode == -signal.SIGKILL
        report = sync_call_records(to, client_of(sandbox), overlap=WEEK)
    assert report.previous_end_time is None
    assert ids(lake) == ids_of(calls)


@pytest.mark.parametrize("directory", ["_dlt_pipeline_state", "_dlt_version"])
@pytest.mark.parametrize("length", [0, 20])
def test_file_of_the_state_that_was_cut_short_is_replaced(to: str, lake: Path, directory: str, length: int) -> None:
    """A sync that was killed while it wrote its mark has none: the one before it holds."""
    calls = make_records(60)
    with Sandbox(records=calls) as sandbox:
        first = sync_call_records(to, client_of(sandbox))
        second = sync_call_records(to, client_of(sandbox))
        newest = max((lake / "trtc_records" / directory).glob("*.jsonl"))
        newest.write_bytes(newest.read_bytes()[:length])
        third = sync_call_records(to, client_of(sandbox))
    marks = {"_dlt_pipeline_state": first.end_time, "_dlt_version": second.end_time}
    assert third.previous_end_time == marks[directory]
    assert ids(lake) == ids_of(calls)


def test_second_sync_is_refused_while_the_first_one_reads(to: str, lake: Path) -> None:
    """One sync at a time writes to a dataset, be the other one in this process or elsewhere; it loses nothing."""
    refused: list[str] = []
    with Sandbox(records=50) as sandbox:

        def start_others(_: object) -> None:
            with pytest.raises(DestinationError, match="another sync is writing to trtc_records"):
                sync_call_records(f"{to}/../{to.rpartition('/')[2]}", client_of(sandbox))
            done = subprocess.run(sync_in_process(to, sandbox), capture_output=True, text=True, timeout=60, check=False)
            refused.append(done.stderr.splitlines()[-1])

        sync_call_records(to, client_of(sandbox), on_page=start_others)
        assert sync_call_records(to, client_of(sandbox), overlap=WEEK).added == 0
    assert {line.partition(":")[0] for line in refused} == {"trtc_records.warehouse.dlt.DestinationError"}
    assert all("another sync is writing to trtc_records; run one at a time" in line for line in refused)
    assert ids(lake) == ids_of(sandbox.records)


def test_change_by_another_program_amid_the_load_loses_nothing(
    to: str, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that another program compacts and shortens meanwhile is merged anew, as of the version that results."""
    from dlt.common.libs import deltalake as dlts

    merge, tries = dlts.merge_delta_table, []

    def merge_late(table: DeltaTable, **arguments: Any) -> None:
        tries.append(table.version())
        if len(tries) == 1:
            open_table(lake).delete()  # every row that this version had
        merge(table=table, **arguments)

    calls = make_records(400)
    with Sandbox(records=calls[:200]) as sandbox:
        sync_call_records(to, client_of(sandbox))
    monkeypatch.setattr(dlts, "merge_delta_table", merge_late)
    amended = [attrs.evolve(call, call_result="Later") for call in calls]
    with Sandbox(records=amended) as sandbox:
        sync_call_records(to, client_of(sandbox), overlap=WEEK)
    assert len(tries) == 2
    assert read_rows(lake) == [as_row(call) for call in sorted(amended, key=lambda call: call.call_id)]


@pytest.mark.slow
def test_lake_that_cannot_be_written_to_is_explained(to: str, lake: Path) -> None:
    """A path that is taken, and a table that cannot be read, have a message of one line."""
    (lake / "trtc_records.lock").mkdir(parents=True)
    with Sandbox(records=5) as sandbox:
        with pytest.raises(ConfigurationError, match=r"^to: delta:.* cannot be written to: .*cannot be locked"):
            sync_call_records(to, client_of(sandbox))
        (lake / "trtc_records.lock").rmdir()
        (lake / "trtc_records").mkdir()
        (lake / "trtc_records" / "call_records").write_text("no table")
        with pytest.raises(DestinationError, match="Not a directory") as raised:
            sync_call_records(to, client_of(sandbox))
    assert str(raised.value).isprintable()


def test_missing_package_is_named(to: str, lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the extra to install, and nothing is made."""
    monkeypatch.setattr(_lake, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r'^to: .*needs deltalake.*pip install "\.\[delta\]"'):
        sync_call_records(to)
    assert not lake.exists()
