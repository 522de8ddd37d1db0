"""Call records in a database, a warehouse or a lake, by dlt: each once, even if jobs are repeated or killed.

::

    report = sync_call_records("duckdb:///calls.duckdb")  # the account comes from the environment

or in a pipeline of your own: ``pipeline.run(call_records_source())``.

The records go to one table, ``call_records``, whose columns are those of every other format; ``callees`` is JSON as
text, since not every destination has lists, or takes JSON from Arrow. A record that is there already is replaced by
itself, or by its newer form: dlt merges by ``call_id``, ``caller`` and ``start_time``, which tell calls apart even if
the service gives several the same id; most destinations get no constraint for them. A record whose id is blank, or no
text that every destination holds, gets one that is made of its content, or of its id.

The destination keeps the end of the last sync, per SDKAppID, and commits it together with the records; a lake, after
them. So a run that is killed loses nothing, and another machine can continue. The next run starts an overlap before
that end, since a call appears when it ends but is found by its start time. A walk that may have missed records loads
the others, and leaves the stored end unchanged. A run with *until* loads the calls of its window, and neither reads nor
changes the stored end.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import attrs

from trtc_records._client import PAGE_SIZE, CallRecordsClient
from trtc_records._errors import ConfigurationError, shorten
from trtc_records._secret import hide
from trtc_records.warehouse._targets import DEFAULT_TARGET, Target, read_target
from trtc_records.warehouse._window import OVERLAP, Window, to_datetime

try:
    import dlt
    import pyarrow as pa  # noqa: F401  (the modules below need it)
except ModuleNotFoundError as _error:
    _missing = (_error.name or "").partition(".")[0]
    if _missing not in {"dlt", "pyarrow"}:
        raise
    raise ImportError(f'syncing needs {_missing}, which is not installed: pip install ".[dlt]"') from _error

from trtc_records.export._pseudonyms import Pseudonyms
from trtc_records.warehouse._configuration import configured_dlt
from trtc_records.warehouse._destinations import (
    count_loads,
    count_records,
    find_caller,
    lock,
    make_destination,
)
from trtc_records.warehouse._failures import DestinationError, explain
from trtc_records.warehouse._walk import NAME, TABLE, MakeClient, OnPage, Walk

if TYPE_CHECKING:
    from dlt.extract import DltSource

__all__ = ["OVERLAP", "DestinationError", "SyncReport", "call_records_source", "sync_call_records"]

DestinationError.__module__ = __name__  # it prints as it is imported

DATASET: Final = "trtc_records"
"""The schema of the database; some destinations call it a dataset."""

_DATASET_NAME: Final = re.compile("[a-z][a-z0-9]*(_[a-z0-9]+)*")


@attrs.frozen(kw_only=True)
class SyncReport:
    """The result of a sync."""

    destination: str
    """The destination, without a password."""
    table: str
    """The table, with its dataset."""
    start_time: datetime | None
    """Start of the window that was read; ``None`` for as far back as the service keeps records."""
    end_time: datetime
    """End of the window, which lies outside; the next sync continues here if this one is complete, and had no *until*.
    """
    previous_end_time: datetime | None
    """The end of the last complete sync; ``None`` for the first one, and for one with *until*, which ignores it."""
    read: int
    """Records that the service gave; with *until*, those of the window."""
    added: int | None
    """Records that are new in the table; ``None`` where the destination does not speak SQL, or lost rows meanwhile:
    rows that were there twice are replaced by one."""
    total: int | None
    """Records in the table after the sync."""
    complete: bool
    """Whether the walk saw everything; if not, the next sync reads this window again, unless it had *until*."""

    @property
    def seen_before(self) -> int | None:
        """Return how many records the table had already; each replaced itself."""
        return None if self.added is None else self.read - self.added


def call_records_source(
    make_client: MakeClient = CallRecordsClient.from_env,
    *,
    since: datetime | int | None = None,
    until: datetime | int | None = None,
    overlap: timedelta = OVERLAP,
    page_size: int = PAGE_SIZE,
    on_page: OnPage | None = None,
    pseudonyms: Pseudonyms | None = None,
) -> DltSource:
    """Return a dlt source with one resource, ``call_records``, for a pipeline of your own.

    It yields Arrow tables and is merged by ``call_id``, ``caller`` and ``start_time``. It warns while dlt extracts; its
    errors reach you as the cause of dlt's.

    Args:
        make_client: Returns the client to read with, which is closed at the end.
        since: Start of the first run, an aware datetime or Unix seconds; by default as far back as the service keeps
            records. A later run starts there only if that is earlier than its own start. With *until*, the start of
            every run.
        until: End of the window, an aware datetime or Unix seconds, not later than now. The run then loads exactly the
            calls that started at *since* or later and before *until*, and neither reads nor moves the mark of the last
            run. It waits if *until* is less than 10 seconds ago. By default a run continues from its mark until now.
        overlap: The time to read again before the end of the last run, longer than any call; 72 hours by default. With
            *until*, the time to read beyond it, in case the service selects calls by their end.
        page_size: Records to ask for per request.
        on_page: Called with each page that was read, in another thread.
        pseudonyms: Replaces the ids in the table by pseudonyms, all of one key; by default they are the service's.

    Raises:
        ConfigurationError: An argument cannot be used.
    """
    hidden = hide(pseudonyms)
    del pseudonyms  # it may be a key by mistake
    window = Window.check(since, until, overlap, time.time())
    return Walk(make_client, window, page_size, on_page, hidden).make_source(warns=True)


def sync_call_records(
    to: str = DEFAULT_TARGET,
    make_client: MakeClient = CallRecordsClient.from_env,
    *,
    since: datetime | int | None = None,
    until: datetime | int | None = None,
    overlap: timedelta = OVERLAP,
    page_size: int = PAGE_SIZE,
    dataset: str = DATASET,
    on_page: OnPage | None = None,
    pseudonyms: Pseudonyms | None = None,
) -> SyncReport:
    """Bring the table of a destination up to date. It blocks: in async code, call it by ``asyncio.to_thread``.

    One sync at a time may write to a dataset: in PostgreSQL, DuckDB and Delta lakes a second one is refused, elsewhere
    the one that ends last fails. dlt's working files are in a temporary directory while it runs, and its telemetry is
    off, unless the process has used dlt before.

    Args:
        to: A URL such as ``duckdb:///calls.duckdb``, ``delta:///lake`` (a directory for Delta tables) or
            ``postgresql://user:password@host/database``, or the name of one of dlt's destinations, which is configured
            as dlt documents it.
        make_client: As for :func:`call_records_source`, and so are *since*, *until*, *overlap*, *page_size* and
            *on_page*.
        since: As there.
        until: As there.
        overlap: As there.
        page_size: As there.
        dataset: The dataset of the destination for the tables: ``call_records`` and some of dlt's own.
        on_page: As there.
        pseudonyms: As there.

    Raises:
        ConfigurationError: An argument, or the configuration of the destination, cannot be used.
        DestinationError: The destination failed, or another sync writes to the dataset.
        CallRecordsError: The service could not be read.
        OSError: The temporary files, or those of a lake, cannot be written.

    Warns:
        RetentionWarning: Records have expired since the last sync, or *since* is more than 7 days ago.
        IncompleteWalkWarning: Records may be missing, or could not be read; the next sync tries them again.
    """
    hidden, hidden_pseudonyms = hide(to), hide(pseudonyms)
    del to, pseudonyms  # from here on no frame of ours, and so no traceback with locals, shows a password
    target = read_target(hidden)
    _check_dataset(dataset, target)
    window = Window.check(since, until, overlap, time.time())
    walk = Walk(make_client, window, page_size, on_page, hidden_pseudonyms)
    with configured_dlt, TemporaryDirectory(prefix="trtc-records-sync-", ignore_cleanup_errors=True) as directory:
        report = _try_sync(walk, target, dataset, directory)
    if isinstance(report, BaseException):
        raise report
    walk.warn()
    return report


def _try_sync(walk: Walk, target: Target, dataset: str, directory: str) -> SyncReport | BaseException:
    """Return the report, or an error for the caller to raise: a traceback from there shows no credentials."""
    try:
        pipeline = dlt.pipeline(
            NAME, pipelines_dir=directory, destination=make_destination(target), dataset_name=dataset
        )
        try:
            with lock(pipeline, target, dataset) as check_lock:
                pipeline.sync_destination()
                before, loads_before = count_records(pipeline, target), count_loads(pipeline, target)
                walk.stored_caller = find_caller(pipeline, target) if before else None
                pipeline.extract(walk.make_source(warns=False, lake=target.lake is not None))
                pipeline.normalize()
                check_lock()
                loads = len(pipeline.load().loads_ids)
                after, loads_after = count_records(pipeline, target), count_loads(pipeline, target)
        finally:
            pipeline.deactivate()
    except Exception as error:  # noqa: BLE001  (dlt and its drivers raise errors of any type)
        return explain(error, target)
    added = None if before is None or after is None else after - before
    others = 0 if loads_before is None or loads_after is None else loads_after - loads_before - loads
    if others or (added is not None and added > walk.read):
        return DestinationError(
            f"{target.shown}: another program wrote to {dataset}.{TABLE} during this sync, so records may be missing, "
            f"or there twice: run one sync at a time, and read all 7 days again (since=, --since 7d)"
        )
    return SyncReport(
        destination=target.shown,
        table=f"{dataset}.{TABLE}",
        start_time=to_datetime(walk.start),
        end_time=datetime.fromtimestamp(walk.end, UTC),
        previous_end_time=to_datetime(walk.previous),
        read=walk.read,
        added=None if added is None or added < 0 else added,
        total=after,
        complete=walk.complete,
    )


def _check_dataset(dataset: str, target: Target) -> None:
    """Refuse a name that dlt would change.

    Raises:
        ConfigurationError: It is not text, dlt would change it, or DuckDB would confuse it with the file's name.
    """
    if not isinstance(dataset, str) or not _DATASET_NAME.fullmatch(dataset):
        raise ConfigurationError(f"dataset={shorten(dataset)}: pass lower-case words joined by underscores")
    path = target.credentials.reveal() if target.name == "duckdb" and target.credentials else ""
    if Path(path).stem in {dataset, f"{dataset}_staging"}:
        raise ConfigurationError(f"dataset={shorten(dataset)}: DuckDB's file has the same name; rename one of them")
