"""``trtc-records sync``."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest
from cli_process import COMMAND, Run, is_short, start, wait_until

pytest.importorskip("dlt", reason='needs the extra: pip install ".[dlt]"')

import duckdb

from trtc_records.sandbox import Drift, Sandbox

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


def read_ids(path: Path, dataset: str = "trtc_records") -> list[str]:
    """Return the call ids in the database, sorted and with those that are there twice."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return sorted(name for (name,) in connection.sql(f"SELECT call_id FROM {dataset}.call_records").fetchall())


def ids_of(sandbox: Sandbox) -> list[str]:
    return sorted(record.call_id for record in sandbox.records)


def test_default_is_a_file_here(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """Without ``--to`` the records are in calls.duckdb, and nothing else is in the directory."""
    done = run("sync")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["calls.duckdb"]
    assert read_ids(tmp_path / "calls.duckdb") == ids_of(sandbox)


def test_it_reports_new_and_known_records(run: Run) -> None:
    """The lines show new and known records, the window, the run before, and the table."""
    first, second = run("sync"), run("sync", "--overlap", "7d")
    assert "Synced 450 call records to duckdb:///calls.duckdb in" in first.stderr
    assert "450 new, 0 seen before" in first.stderr
    assert "last run  none" in first.stderr
    assert "0 new, 450 seen before" in second.stderr
    assert "last run  complete until 20" in second.stderr
    assert "table     trtc_records.call_records, 450 in all" in second.stderr


def test_window_is_loaded_beside_the_mark(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """``--until`` loads the calls of whole days, each once, and the next run continues from the one before."""
    days = [(datetime.now(UTC) - timedelta(days=ago)).date() for ago in (3, 2)]
    for _ in range(2):
        for day in days:
            done = run("sync", "--since", f"{day}", "--until", f"{day}")
            assert done.returncode == 0, done.stderr
            assert f"window    {day} 00:00:00 UTC to {day + timedelta(days=1)} 00:00:00 UTC\n" in done.stderr
            assert "last run" not in done.stderr
    inside = sorted(record.call_id for record in sandbox.records if record.start_time.date() in days)
    assert read_ids(tmp_path / "calls.duckdb") == inside
    assert " 0 new" in done.stderr
    times = [f"{day}T00:00:00+00:00" for day in (days[0], days[1] + timedelta(days=1))]  # as Airflow writes them
    assert f": 0 new, {len(inside):,} seen before" in run("sync", "--since", times[0], "--until", times[1]).stderr
    assert "last run  none" in run("sync").stderr
    assert read_ids(tmp_path / "calls.duckdb") == ids_of(sandbox)


def test_look_back_is_three_days(run: Run) -> None:
    """By default a run reads the last 72 hours again."""
    run("sync")
    lines = run("sync").stderr
    begin, _, mark = (datetime.fromisoformat(time) for time in re.findall(r"(\S+ \S+) UTC", lines))
    assert mark - begin == timedelta(hours=72)


@pytest.mark.skipif(find_spec("deltalake") is None, reason='needs the extra: pip install ".[delta]"')
def test_lake_holds_each_record_once(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """``--to delta:///lake`` makes a Delta table in a directory here, in two runs."""
    from deltalake import DeltaTable

    first, second = (run("sync", "--to", "delta:///lake") for _ in range(2))
    assert "to delta:///lake in" in first.stderr
    assert "450 new, 0 seen before" in first.stderr
    assert ": 0 new," in second.stderr
    assert "table     trtc_records.call_records, 450 in all" in second.stderr
    rows = DeltaTable(tmp_path / "lake/trtc_records/call_records").to_pyarrow_table(columns=["call_id"]).to_pylist()
    assert sorted(row["call_id"] for row in rows) == ids_of(sandbox)


def test_quiet_is_quiet(run: Run) -> None:
    """With ``--quiet`` a run that went well says nothing."""
    done = run("sync", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_destination_may_come_from_the_environment(run: Run, tmp_path: Path) -> None:
    """A URL with a password in it does not belong on a command line."""
    assert run("sync", TRTC_SYNC_TO="duckdb:///other.duckdb").returncode == 0
    assert (tmp_path / "other.duckdb").exists()


@pytest.mark.slow
def test_embedded_sandbox_has_a_dataset_of_its_own(run: Run, environment: dict[str, str], tmp_path: Path) -> None:
    """``--sandbox`` needs no account, and made-up calls do not get among real ones."""
    done = run("sync", "--sandbox", **dict.fromkeys((name for name in environment if name.startswith("TRTC_")), ""))
    assert done.returncode == 0, done.stderr
    assert len(read_ids(tmp_path / "calls.duckdb", "trtc_records_sandbox")) == 5_000


def test_dataset_is_the_chosen_one(run: Run, tmp_path: Path) -> None:
    """``--dataset`` names the schema."""
    assert run("sync", "--dataset", "mine", "--since", "2d").returncode == 0
    assert read_ids(tmp_path / "calls.duckdb", "mine")


@pytest.mark.parametrize(
    ("arguments", "explanation"),
    [
        (["--to", "calls.duckdb"], "--to or TRTC_SYNC_TO: not a URL; for a file, write duckdb:/// before its path"),
        (["--to", "ftp://host/calls"], "hint: pass duckdb:///calls.duckdb"),
        (["--to", "filesystem"], "--to or TRTC_SYNC_TO: 'filesystem' cannot merge"),
        (["--to", "duckdb:///no/such/directory/calls.duckdb"], "/no/such/directory' does not exist"),
        (["--overlap", "yesterday"], "'yesterday' is not a length of time: write 90m, 24h"),
        (["--overlap", "2026-01-31"], "'2026-01-31' is not a length of time"),
        (["--overlap", "2026-01-31T00:00Z"], "'2026-01-31T00:00Z' is not a length of time"),
        (["--overlap", "8d"], "--overlap is longer than the 7 days"),
        (["--dataset", "calls"], "dataset='calls': DuckDB's file has the same name"),
        (["--dataset", ""], "dataset=''"),
        (["--since", "2999-01-01"], "lies in the future"),
        (["--until", "2d"], "--until needs --since"),
        (["--since", "2d", "--until", "2999-01-01"], "--until 2999-01-02 00:00:00 UTC lies in the future"),
        (["--since", "2d", "--until", "3d"], "is after --until"),
        (["--since", "20d", "--until", "10d"], "is before the 7 days that the service keeps"),
        (["--since", "2d", "--until", "soon"], "'soon' is not a time"),
        (["--to", "delta://lake"], "three slashes stand before the path of a directory"),
        (["--to", "iceberg:///lake"], "'iceberg://' is not known"),
        (["--page-size", "0"], "--page-size"),
    ],
)
def test_bad_argument_is_explained(run: Run, tmp_path: Path, arguments: list[str], explanation: str) -> None:
    """A bad argument is named in two lines at the most, with exit code 2, and no file is made."""
    done = run("sync", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert explanation in done.stderr
    assert is_short(done.stderr)
    assert list(tmp_path.iterdir()) == []


def test_wrong_key_is_a_credential_error(run: Run) -> None:
    """A key of another app ends with exit code 3."""
    done = run("sync", TRTC_SECRET_KEY="not-the-key-of-this-app")
    assert done.returncode == 3
    assert is_short(done.stderr)


def test_missing_account_is_explained(run: Run) -> None:
    """Without an account the variable is named, with exit code 2."""
    done = run("sync", TRTC_SDK_APP_ID="")
    assert done.returncode == 2
    assert "TRTC_SDK_APP_ID is not set" in done.stderr


@pytest.mark.usefixtures("quick_back_off")
@pytest.mark.parametrize("variable", ["TRTC_BASE_URL", "TRTC_SYNC_TO"])
def test_unreachable_service_or_database_has_exit_code_5(run: Run, variable: str) -> None:
    """Neither shows a password."""
    url = {"TRTC_BASE_URL": "http://127.0.0.1:9", "TRTC_SYNC_TO": "postgresql://me:s3cret@127.0.0.1:9/calls"}[variable]
    done = run("sync", **{variable: url})
    assert done.returncode == 5
    assert is_short(done.stderr)
    assert "s3cret" not in done.stderr


@pytest.mark.slow
def test_incomplete_walk_has_an_exit_code_of_its_own(run: Run) -> None:
    """A walk that may have missed records ends with 4, and the next one begins where it did."""
    with Sandbox(records=120, drift=Drift(expiries=1.0)) as moving:
        done = run("sync", "--page-size", "5", **moving.environment)
    assert done.returncode == 4
    assert "trtc-records: warning: a walk may have missed records" in done.stderr
    assert "last run  none" in run("sync").stderr


@pytest.mark.slow
@posix
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129), ("SIGKILL", -9)])
def test_interrupted_sync_is_made_up_for(
    run: Run, environment: dict[str, str], tmp_path: Path, name: str, code: int
) -> None:
    """However it is stopped while it reads, the next run brings every record, once."""
    path = tmp_path / "calls.duckdb"
    with Sandbox(records=300, latency=0.2) as slow:
        changes = {**slow.environment, "TMPDIR": str(tmp_path)}
        arguments = ["sync", "--to", f"duckdb:///{path}", "--page-size", "1"]
        with start(arguments, {**environment, **changes}) as process:
            wait_until(lambda: slow.stats.requests >= 20)
            process.send_signal(signal.Signals[name])
            assert process.stderr is not None
            lines = {130: "interrupted", 143: "stopped by SIGTERM", 129: "stopped by SIGHUP"}
            assert process.stderr.read() == (f"trtc-records: {lines[code]}\n" if code > 0 else "")
            assert process.wait(30) == code
        if code > 0:
            assert [entry.name for entry in tmp_path.iterdir()] == ["calls.duckdb"]
        assert "last run  none" in run("sync", **slow.environment).stderr
        assert read_ids(path) == ids_of(slow)


@pytest.mark.slow
def test_missing_extra_is_explained() -> None:
    """Without dlt the command names the package to install, with exit code 2."""
    code = (
        "import sys\n"
        "sys.modules['dlt'] = None\n"
        "from trtc_records.cli import main\n"
        "sys.exit(main(['sync', '--sandbox']))\n"
    )
    done = subprocess.run([COMMAND[0], "-P", "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert 'pip install ".[dlt]"' in done.stderr
    assert is_short(done.stderr)
