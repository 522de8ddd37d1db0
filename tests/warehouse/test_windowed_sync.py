"""The sync of a window with two ends, as a scheduler asks for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import attrs
import pytest

from trtc_records import CallRecord, CallRecordsClient, ConfigurationError, RetentionWarning

pytest.importorskip("dlt", reason='needs the extra: pip install ".[dlt]"')

import dlt
import duckdb

from trtc_records.sandbox import Behaviour, Drift, Sandbox, make_records
from trtc_records.warehouse import _walk
from trtc_records.warehouse.dlt import call_records_source, sync_call_records

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of the database."""
    return tmp_path / "calls.duckdb"


@pytest.fixture
def to(path: Path) -> str:
    """Return its URL."""
    return f"duckdb:///{path}"


@pytest.fixture
def noon() -> datetime:
    """Return a full hour two days ago."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 2 * DAY


def client_of(sandbox: Sandbox) -> Callable[[], CallRecordsClient]:
    """Return a function that makes clients of *sandbox*."""
    return lambda: CallRecordsClient(**sandbox.credentials)


def read_rows(path: Path, dataset: str = "trtc_records") -> list[tuple[Any, ...]]:
    """Return all rows of the table, sorted."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return sorted(connection.sql(f"FROM {dataset}.call_records").fetchall())


def ids_of(records: list[CallRecord], since: datetime, until: datetime) -> list[str]:
    return sorted(record.call_id for record in records if since <= record.start_time < until)


def ids(path: Path) -> list[str]:
    return sorted(row[0] for row in read_rows(path))


def place(record: CallRecord, start: datetime, length: timedelta = timedelta(minutes=1)) -> CallRecord:
    """Return *record* as a call at that time."""
    return attrs.evolve(record, start_time=start, accept_time=None, end_time=start + length)


@pytest.mark.parametrize("window", ["start", "end", "within", "overlap"])
@pytest.mark.parametrize("half_open", [False, True])
def test_window_is_loaded_whatever_the_service_means_by_one(
    to: str, path: Path, noon: datetime, window: Literal["start", "end", "within", "overlap"], half_open: bool
) -> None:
    """Two adjacent windows hold each call once: one at their border is in the second, one at the last end in none.

    Some calls last from one window into the next.
    """
    others = make_records(400)
    ends = [noon + hours * HOUR for hours in (-6, 0, 6)]
    at_ends = [attrs.evolve(place(others[0], end), call_id=f"end-{i}") for i, end in enumerate(ends)]
    across = [attrs.evolve(place(others[1], end - HOUR, 20 * HOUR), call_id=f"across-{end}") for end in ends]
    calls = [*others, *at_ends, *across]
    with Sandbox(records=calls, behaviour=Behaviour(window=window, half_open=half_open)) as sandbox:
        one = sync_call_records(to, client_of(sandbox), since=noon - 6 * HOUR, until=noon)
        assert ids(path) == ids_of(calls, noon - 6 * HOUR, noon)
        two = sync_call_records(to, client_of(sandbox), since=noon, until=noon + 6 * HOUR)
    assert ids(path) == ids_of(calls, noon - 6 * HOUR, noon + 6 * HOUR)
    assert {"end-0", "end-1"} < set(ids(path))
    assert (one.added, two.added) == (one.read, two.read)
    assert two.read == len(ids_of(calls, noon, noon + 6 * HOUR))
    assert (two.start_time, two.end_time, two.complete) == (noon, noon + 6 * HOUR, True)


def test_window_gives_the_same_however_often_it_is_loaded(to: str, path: Path, noon: datetime) -> None:
    """Runs of a window in any order, and while calls arrive, leave the same rows as one run."""
    with Sandbox(records=300, drift=Drift(arrivals=0.9), seed=5) as sandbox:
        truth = ids_of(sandbox.records, noon - DAY, noon)
        first = sync_call_records(to, client_of(sandbox), since=noon - DAY, until=noon, page_size=10)
        rows = read_rows(path)
        sync_call_records(to, client_of(sandbox), since=noon, until=noon + HOUR, page_size=10)
        again = sync_call_records(to, client_of(sandbox), since=noon - DAY, until=noon, page_size=10)
        assert len(sandbox.records) > 300
    assert [row[0] for row in rows] == truth
    assert [row for row in read_rows(path) if row in rows] == rows
    assert (again.read, again.added, again.seen_before) == (first.read, 0, first.read)


def test_mark_is_neither_used_nor_moved(to: str, noon: datetime) -> None:
    """The runs that continue from the mark do not notice the others, and these do not notice the mark."""
    with Sandbox(records=200) as sandbox:
        before = sync_call_records(to, client_of(sandbox), since=noon - DAY, until=noon)
        first = sync_call_records(to, client_of(sandbox))
        between = sync_call_records(to, client_of(sandbox), since=noon - DAY, until=noon)
        second = sync_call_records(to, client_of(sandbox))
    assert (before.previous_end_time, first.previous_end_time, between.previous_end_time) == (None, None, None)
    assert second.previous_end_time == first.end_time
    assert (before.added, before.read, between.added, between.read) == (before.read, between.read, 0, before.read)


def test_call_that_was_in_progress_comes_with_a_later_run(to: str, path: Path, noon: datetime) -> None:
    """A call of two days that started in the window has no record yet; a run of the same window adds it later."""
    calls = [place(call, noon + number * HOUR) for number, call in enumerate(make_records(5))]
    long = place(make_records(6)[5], noon + HOUR, 45 * HOUR)
    with Sandbox(records=calls) as sandbox:
        sync_call_records(to, client_of(sandbox), since=noon, until=noon + 3 * HOUR)
        assert ids(path) == ids_of(calls, noon, noon + 3 * HOUR)
    with Sandbox(records=[*calls, long], behaviour=Behaviour(window="end")) as sandbox:
        report = sync_call_records(to, client_of(sandbox), since=noon, until=noon + 3 * HOUR)
    assert (report.added, report.seen_before) == (1, 3)
    assert ids(path) == ids_of([*calls, long], noon, noon + 3 * HOUR)


class FakeClock:
    """The time of a sync, which passes while it sleeps."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def time(self) -> float:
        return time.time() + self.ahead

    def sleep(self, seconds: float) -> None:
        self.ahead += seconds


def test_sync_waits_until_the_last_calls_can_be_read(to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler starts a run when its window ends, some seconds before the last call has a record."""
    clock = FakeClock()
    monkeypatch.setattr(_walk, "time", SimpleNamespace(time=clock.time, sleep=clock.sleep))
    until = int(time.time()) - 6
    begins: list[float] = []
    with Sandbox(records=20) as sandbox:
        sync_call_records(
            to, client_of(sandbox), since=until - 86_400, until=until, on_page=lambda _: begins.append(clock.time())
        )
    assert begins[0] >= until + 10


def test_window_that_has_not_ended_for_the_service_loads_nothing(to: str) -> None:
    """If this machine's clock is fast, the calls of the window are not all there; the next sync has no trace of it."""
    now = int(time.time())
    with (
        Sandbox(records=20, clock_skew=-7_200) as sandbox,
        pytest.raises(ConfigurationError, match=r"^until=\d+ had not passed for the service"),
    ):
        sync_call_records(to, client_of(sandbox), since=now - 86_400, until=now - 60)
    with Sandbox(records=20) as sandbox:
        assert sync_call_records(to, client_of(sandbox)).added == 20


def test_window_that_has_expired_in_part_warns(to: str, path: Path) -> None:
    """A window of which the service keeps only the end is loaded as far as it can be, with a warning."""
    week_ago = datetime.now(UTC) - 7 * DAY
    with Sandbox(records=300) as sandbox:
        with pytest.warns(RetentionWarning, match="have expired"):
            sync_call_records(to, client_of(sandbox), since=week_ago - DAY, until=week_ago + DAY)
        assert set(ids(path)) <= set(ids_of(sandbox.records, week_ago - DAY, week_ago + DAY))
        assert ids(path)


@pytest.mark.parametrize("arguments", [{"until": 1}, {"since": 2, "until": 1}, {"since": 1, "until": 99_999_999_999}])
def test_unusable_window_sends_nothing(to: str, path: Path, arguments: dict[str, Any]) -> None:
    """A bad window is refused before a client or a file is made."""
    with pytest.raises(ConfigurationError, match="^until="):
        sync_call_records(to, lambda: pytest.fail("a client was made"), **arguments)
    with pytest.raises(ConfigurationError, match="^until="):
        call_records_source(lambda: pytest.fail("a client was made"), **arguments)
    assert not path.exists()


def test_window_in_a_pipeline_of_ones_own(
    path: Path, tmp_path: Path, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source loads a window, too, and leaves no mark in the pipeline's state."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    pipeline = dlt.pipeline(
        "mine", pipelines_dir=str(tmp_path / "dlt"), destination=dlt.destinations.duckdb(str(path)), dataset_name="mine"
    )
    with Sandbox(records=200) as sandbox:
        for _ in range(2):
            pipeline.run(call_records_source(client_of(sandbox), since=noon - DAY, until=noon))
        expected = ids_of(sandbox.records, noon - DAY, noon)
    assert [row[0] for row in read_rows(path, "mine")] == expected
    assert "read_until" not in str(pipeline.state)
    pipeline.deactivate()
