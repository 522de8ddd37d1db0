"""Call records in a database or a warehouse, by dlt: each once, even if jobs are repeated or killed.

::

    report = sync_call_records("duckdb:///calls.duckdb")  # the account comes from the environment

or in a pipeline of your own: ``pipeline.run(call_records_source())``.

The records go to one table, ``call_records``, whose columns are those of every other format; ``callees`` is JSON as
text, since not every destination has lists, or takes JSON from Arrow. A record that is there already is replaced by
itself, or by its newer form: dlt merges by ``call_id``, ``caller`` and ``start_time``, which tell calls apart even if
the service gives several the same id; most destinations get no constraint for them. A record whose id is blank, or no
text that every destination holds, gets one that is made of its content, or of its id.

The destination keeps the end of the last sync, per SDKAppID, and commits it together with the records. So a run that
is killed changes nothing, and another machine can continue. The next run starts an overlap before that end, since a
call appears when it ends but is found by its start time. A walk that may have missed records loads the others, and
leaves the stored end unchanged.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import re
import socket
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import ExitStack, aclosing, contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Final

import attrs

from trtc_records._api.models import CallRecord, CallRecordPage
from trtc_records._api.query import READABLE_AFTER, RETENTION, check_query
from trtc_records._api.wire import record_to_json
from trtc_records._checks import clean_text
from trtc_records._client import PAGE_SIZE, CallRecordsClient
from trtc_records._errors import (
    CallRecordsError,
    CallRecordsWarning,
    ConfigurationError,
    IncompleteWalkWarning,
    ResponseDecodeError,
    RetentionWarning,
    shorten,
)
from trtc_records._secret import hide
from trtc_records._warn import collect_warnings, warn_caller
from trtc_records.warehouse._bridge import iterate
from trtc_records.warehouse._targets import DEFAULT_TARGET, Target, TargetError, read_target

try:
    import dlt
    import pyarrow as pa
    from dlt.common.configuration.exceptions import ConfigurationException
    from dlt.common.destination import Destination
    from dlt.common.destination.exceptions import (
        DestinationUndefinedEntity,
        SqlClientNotAvailable,
        UnknownDestinationModule,
    )
    from dlt.common.exceptions import MissingDependencyException
    from dlt.extract import DltSource
    from dlt.pipeline.exceptions import PipelineStepFailed
except ModuleNotFoundError as _error:
    _missing = (_error.name or "").partition(".")[0]
    if _missing not in {"dlt", "pyarrow"}:
        raise
    raise ImportError(f'syncing needs {_missing}, which is not installed: pip install ".[dlt]"') from _error

from trtc_records.export._json import HALF_PAIR, clean
from trtc_records.export._pseudonyms import Pseudonyms, check_pseudonyms, describe_ids
from trtc_records.export._rejects import conceal
from trtc_records.export._rows import LIST_COLUMNS, TEXT_COLUMNS, keep_exact
from trtc_records.export.arrow import ARROW_SCHEMA, to_arrow

__all__ = ["OVERLAP", "DestinationError", "SyncReport", "call_records_source", "sync_call_records"]

OVERLAP: Final = timedelta(hours=24)
"""The overlap of a sync with the last one. It would miss a longer call, and reading records again is cheap: a day
of 100,000 calls is 1,000 requests, five seconds of the quota."""

DATASET: Final = "trtc_records"
"""The schema of the database; some destinations call it a dataset."""

_KEY: Final = ("call_id", "caller", "start_time")
"""The columns that tell two calls apart."""

_NAME: Final = "trtc_records"
"""The name of the source and of the pipeline, under which the destination stores its state."""
_TABLE: Final = "call_records"
_LOADS: Final = "_dlt_loads"
"""dlt's table of the loads that were completed."""
_MARKS: Final = "read_until"
"""The key in dlt's state of the resource: per SDKAppID, the Unix seconds until which everything was read."""
_FINGERPRINT: Final = "pseudonyms"
"""The key there of the fingerprint of the pseudonyms' key; a table with the service's ids has none."""
_RECORDS_PER_TABLE: Final = 5_000
"""The items that dlt gathers before it writes."""
_MARGIN: Final = 2 * READABLE_AFTER
"""Seconds before now at which a sync ends, since later calls may have no record yet."""
_TABLES_AHEAD: Final = 2
_DATASET_NAME: Final = re.compile("[a-z][a-z0-9]*(_[a-z0-9]+)*")
_REASON_CHARACTERS: Final = 300
_DLT_DOCS: Final = "https://dlthub.com/docs/dlt-ecosystem/destinations"

_CONFIGURATION: Final = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "LOAD__TRUNCATE_STAGING_DATASET": "true",  # otherwise a copy of the last load stays in the database
}
_LOG_LEVEL: Final = "RUNTIME__LOG_LEVEL"
_NETWORK_ERRORS: Final = (ConnectionError, TimeoutError, socket.gaierror)
_NUL: Final = "\0"
_UNFIT: Final = re.compile(f"{_NUL}|{HALF_PAIR.pattern}")
_REPLACEMENT: Final = "\ufffd"

_SCHEMA: Final = pa.schema(
    [
        # dlt warns about a key that may be null.
        field.with_nullable(field.name not in _KEY).with_type(pa.string() if field.name in LIST_COLUMNS else field.type)
        for field in ARROW_SCHEMA
    ]
)
_to_json: Final = json.JSONEncoder(ensure_ascii=False).encode

MakeClient = Callable[[], CallRecordsClient]
OnPage = Callable[[CallRecordPage], object]


class DestinationError(CallRecordsError):
    """A destination that cannot be reached or written to, or that another sync writes to.

    No record was lost, and the next sync tries again, unless the message says otherwise.
    """


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
    """End of the window; the next sync continues here if this one is complete."""
    previous_end_time: datetime | None
    """The end of the last complete sync; ``None`` for the first one."""
    read: int
    """Records that the service gave."""
    added: int | None
    """Records that are new in the table; ``None`` where the destination does not speak SQL, or lost rows meanwhile:
    rows that were there twice are replaced by one."""
    total: int | None
    """Records in the table after the sync."""
    complete: bool
    """Whether the walk saw everything; if not, the next sync reads this window again."""

    @property
    def seen_before(self) -> int | None:
        """Return how many records the table had already; each replaced itself."""
        return None if self.added is None else self.read - self.added


def call_records_source(
    make_client: MakeClient = CallRecordsClient.from_env,
    *,
    since: datetime | int | None = None,
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
            records. A later run starts there only if that is earlier than its own start.
        overlap: The time to read again before the end of the last run; a day by default.
        page_size: Records to ask for per request.
        on_page: Called with each page that was read, in another thread.
        pseudonyms: Replaces the ids in the table by pseudonyms, all of one key; by default they are the service's.

    Raises:
        ConfigurationError: An argument cannot be used.
    """
    hidden = hide(pseudonyms)
    del pseudonyms  # it may be a key by mistake
    return _Walk.prepare(make_client, since, overlap, page_size, on_page, pseudonyms=hidden).make_source(warns=True)


def sync_call_records(
    to: str = DEFAULT_TARGET,
    make_client: MakeClient = CallRecordsClient.from_env,
    *,
    since: datetime | int | None = None,
    overlap: timedelta = OVERLAP,
    page_size: int = PAGE_SIZE,
    dataset: str = DATASET,
    on_page: OnPage | None = None,
    pseudonyms: Pseudonyms | None = None,
) -> SyncReport:
    """Bring the table of a destination up to date. It blocks: in async code, call it by ``asyncio.to_thread``.

    One sync at a time may write to a dataset: in PostgreSQL and DuckDB a second one is refused, elsewhere the one that
    ends last fails. dlt's working files are in a temporary directory while it runs, and its telemetry is off, unless
    the process has used dlt before.

    Args:
        to: A URL such as ``duckdb:///calls.duckdb`` or ``postgresql://user:password@host/database``, or the name of one
            of dlt's destinations, which is configured as dlt documents it.
        make_client: As for :func:`call_records_source`, and so are *since*, *overlap*, *page_size* and *on_page*.
        since: As there.
        overlap: As there.
        page_size: As there.
        dataset: The dataset of the destination for the tables: ``call_records`` and some of dlt's own.
        on_page: As there.
        pseudonyms: As there.

    Raises:
        ConfigurationError: An argument, or the configuration of the destination, cannot be used.
        DestinationError: The destination failed, or another sync writes to the dataset.
        CallRecordsError: The service could not be read.
        OSError: The temporary files cannot be written.

    Warns:
        RetentionWarning: Records have expired since the last sync.
        IncompleteWalkWarning: Records may be missing, or could not be read; the next sync tries them again.
    """
    hidden, hidden_pseudonyms = hide(to), hide(pseudonyms)
    del to, pseudonyms  # from here on no frame of ours, and so no traceback with locals, shows a password
    target = read_target(hidden)
    _check_dataset(dataset, target)
    walk = _Walk.prepare(make_client, since, overlap, page_size, on_page, pseudonyms=hidden_pseudonyms)
    with _configured_dlt, TemporaryDirectory(prefix="trtc-records-sync-", ignore_cleanup_errors=True) as directory:
        report = _try_sync(walk, target, dataset, directory)
    if isinstance(report, BaseException):
        raise report
    walk.warn()
    return report


def _try_sync(walk: _Walk, target: Target, dataset: str, directory: str) -> SyncReport | BaseException:
    """Return the report, or an error for the caller to raise: a traceback from there shows no credentials."""
    try:
        pipeline = dlt.pipeline(
            _NAME, pipelines_dir=directory, destination=_make_destination(target), dataset_name=dataset
        )
        try:
            with _lock(pipeline, target, dataset) as check_lock:
                pipeline.sync_destination()
                before, loads_before = _count(pipeline, _TABLE), _count(pipeline, _LOADS)
                pipeline.extract(walk.make_source(warns=False))
                pipeline.normalize()
                check_lock()
                loads = len(pipeline.load().loads_ids)
                after, loads_after = _count(pipeline, _TABLE), _count(pipeline, _LOADS)
        finally:
            pipeline.deactivate()
    except Exception as error:  # noqa: BLE001  (dlt and its drivers raise errors of any type)
        return _explain(error, target)
    added = None if before is None or after is None else after - before
    others = 0 if loads_before is None or loads_after is None else loads_after - loads_before - loads
    if others or (added is not None and added > walk.read):
        return DestinationError(
            f"{target.shown}: another program wrote to {dataset}.{_TABLE} during this sync, so records may be missing, "
            f"or there twice: run one sync at a time, and read all 7 days again (since=, --since 7d)"
        )
    return SyncReport(
        destination=target.shown,
        table=f"{dataset}.{_TABLE}",
        start_time=_to_datetime(walk.start),
        end_time=datetime.fromtimestamp(walk.end, UTC),
        previous_end_time=_to_datetime(walk.previous),
        read=walk.read,
        added=None if added is None or added < 0 else added,
        total=after,
        complete=walk.complete,
    )


class _Configuration:
    """The configuration of dlt during a sync, set by the environment, which wins over dlt's files.

    dlt's log is off, unless a level was chosen: serious problems are raised. The whole process shares one environment,
    so the first of several syncs sets it, and the last one restores it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> None:
        with self._lock:
            if not self._users:
                self._before = {name: os.environ.get(name) for name in _CONFIGURATION}
                if _LOG_LEVEL not in os.environ:
                    logging.getLogger("dlt").addFilter(_drop)
                os.environ.update(_CONFIGURATION)
            self._users += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._users -= 1
            if self._users:
                return
            logging.getLogger("dlt").removeFilter(_drop)
            for name, value in self._before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _drop(_: logging.LogRecord) -> bool:
    return False


_configured_dlt: Final = _Configuration()


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


def _make_destination(target: Target) -> Any:
    """Return dlt's destination.

    Raises:
        TargetError: dlt has no destination of this name, or it cannot merge.
    """
    if target.name == "sqlalchemy" and find_spec("sqlalchemy") is None:
        raise _missing_driver(target)  # without it, dlt's error does not name the cause
    options = {} if target.credentials is None else {"credentials": target.credentials.reveal()}
    try:
        destination = Destination.from_reference(target.name, **options)
    except UnknownDestinationModule:
        raise TargetError(f"dlt has no destination '{target.name}'") from None
    assert destination is not None
    capabilities = destination.capabilities()
    strategies = capabilities.supported_merge_strategies or ()
    if capabilities.merge_strategies_selector is not None:
        strategies = capabilities.merge_strategies_selector(strategies, table_schema={"name": _TABLE})
    if not strategies:
        raise TargetError(f"'{target.name}' cannot merge, so records would be there twice; export files instead")
    return destination


@contextmanager
def _lock(pipeline: dlt.Pipeline, target: Target, dataset: str) -> Iterator[Callable[[], object]]:
    """Keep other syncs from the dataset; yield a function that fails if the lock was lost meanwhile.

    PostgreSQL has a lock for it, which ends with its connection. It belongs to a transaction, since a pooler such as
    PgBouncer may give the session to others. DuckDB locks its file against other processes as long as it is open, so it
    stays open. Other destinations have no lock that all of them share: there, a sync counts the loads of others.

    Raises:
        DestinationError: Another sync is running.
    """
    with ExitStack() as stack:
        sync = target.shown, dataset
        with _running_lock:
            if sync in _running:
                raise _refuse_second(target, dataset)
            _running.add(sync)
        stack.callback(_running.discard, sync)
        if target.name not in {"duckdb", "postgres"}:
            yield bool
            return
        client: Any = pipeline.sql_client()
        connection = stack.enter_context(client)
        if target.name == "postgres":
            number = int.from_bytes(sha256(f"{_NAME}.{dataset}".encode()).digest()[:8], signed=True)
            connection.execute_sql("BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0")
            if connection.execute_sql(f"SELECT pg_try_advisory_xact_lock({number})") != [(True,)]:
                raise _refuse_second(target, dataset)
        yield lambda: connection.execute_sql("SELECT 1")


_running: Final[set[tuple[str, str]]] = set()
"""This process's syncs: DuckDB's lock keeps out other processes only."""
_running_lock: Final = threading.Lock()


def _refuse_second(target: Target, dataset: str) -> DestinationError:
    return DestinationError(f"{target.shown}: another sync is writing to {dataset}; run one at a time")


def _count(pipeline: dlt.Pipeline, table: str) -> int | None:
    """Return the number of rows of a table, of our own loads only; ``None`` if the destination does not speak SQL."""
    try:
        client = pipeline.sql_client()
    except SqlClientNotAvailable:
        return None
    condition = f" WHERE schema_name = '{_NAME}'" if table == _LOADS else ""
    try:
        with client as connection:
            name = connection.make_qualified_table_name(table)
            rows = connection.execute_sql(f"SELECT count(*) FROM {name}{condition}")  # noqa: S608
    except DestinationUndefinedEntity:
        return 0
    assert rows is not None
    return int(rows[0][0])


def _explain(error: Exception, target: Target) -> BaseException:
    """Return an error of this library for *error*, without any password."""
    causes = list(_causes(error))
    for cause in causes:
        # dlt wraps Ctrl-C as it wraps everything.
        if isinstance(cause, CallRecordsError | CallRecordsWarning) or not isinstance(cause, Exception):
            return cause
    root = causes[-1]
    is_local = isinstance(root, OSError) and not isinstance(root, _NETWORK_ERRORS)
    if is_local or (isinstance(error, PipelineStepFailed) and error.step == "extract"):
        return root
    reason = target.conceal(" ".join(str(root).split()))[:_REASON_CHARACTERS]
    for cause in causes:
        if isinstance(cause, MissingDependencyException):
            return _missing_driver(target)
        if isinstance(cause, ConfigurationException):
            return TargetError(f"{target.shown} is not configured; {_DLT_DOCS}/{target.name} says how. {reason}")
    return DestinationError(f"{target.shown}: {reason}")


def _missing_driver(target: Target) -> TargetError:
    return TargetError(f"{target.shown} needs a driver that is not installed: pip install 'dlt[{target.name}]'")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


@attrs.define
class _Walk:
    """A walk over the records that are new since the last run."""

    make_client: MakeClient
    since: int | None
    overlap: int
    page_size: int
    on_page: OnPage | None
    pseudonyms: Pseudonyms | None

    previous: int | None = None
    """Unix seconds, as all times here."""
    start: int | None = None
    end: int = 0
    read: int = 0
    warnings: list[CallRecordsWarning] = attrs.field(factory=list)

    @classmethod
    def prepare(
        cls,
        make_client: MakeClient,
        since: datetime | int | None,
        overlap: timedelta,
        page_size: int,
        on_page: OnPage | None,
        *,
        pseudonyms: object,
    ) -> _Walk:
        """Check the arguments.

        Raises:
            ConfigurationError: One cannot be used.
        """
        query = check_query(start_time=since, end_time=None, call_result=None, call_type=None, page_size=page_size)
        seconds = overlap.total_seconds() if isinstance(overlap, timedelta) else math.nan
        if not 0 <= seconds <= RETENTION:
            raise ConfigurationError(f"overlap={shorten(overlap)}: pass a timedelta from 0 to 7 days")
        return cls(make_client, query.start_time, int(seconds), page_size, on_page, check_pseudonyms(pseudonyms))

    @property
    def complete(self) -> bool:
        """Return whether certainly no record is missing."""
        return not any(isinstance(warning, IncompleteWalkWarning) for warning in self.warnings)

    def make_source(self, *, warns: bool) -> DltSource:
        """Return the dlt source."""

        def call_records() -> Iterator[pa.Table]:
            yield from self.run()
            if warns:
                self.warn()

        # dlt sees no parameters, so none is filled from its configuration or from the environment.
        resource = dlt.resource(call_records, name=_TABLE, primary_key=_KEY, write_disposition="merge")
        return dlt.source(lambda: resource, name=_NAME)()

    def warn(self) -> None:
        """Give the warnings."""
        for warning in self.warnings:
            warn_caller(str(warning), type(warning))

    def run(self) -> Iterator[pa.Table]:
        """Yield the tables, and store the end of the window if no record is missing."""
        self.warnings, self.read = [], 0  # dlt may run a source more than once
        client = self.make_client()
        app = str(client.sdk_app_id)
        state = dlt.current.resource_state(_TABLE)
        self._keep_to_key(state)
        marks = state.setdefault(_MARKS, {})
        self.previous = marks.get(app)
        self.end = int(time.time())
        self.start = self._choose_start()
        for records in iterate(self._read(client), ahead=_TABLES_AHEAD):
            yield _make_table(records if self.pseudonyms is None else list(map(self.pseudonyms, records)))
        # The walk ended its window by the service's clock, which this machine's may be far from.
        self.end += round(client.service_time - time.time()) - _MARGIN
        if self.complete:
            marks[app] = self.end

    def _keep_to_key(self, state: dict[str, Any]) -> None:
        """Store the fingerprint of the pseudonyms' key with the table.

        Raises:
            ConfigurationError: The table has ids of another kind: each call would get a second row.
        """
        fingerprint = None if self.pseudonyms is None else self.pseudonyms.fingerprint
        if _MARKS in state and state.get(_FINGERPRINT) != fingerprint:
            raise ConfigurationError(
                f"pseudonyms: the table has {describe_ids(state.get(_FINGERPRINT))}, and this sync "
                f"{describe_ids(fingerprint)}: pass the same, or another dataset"
            )
        if fingerprint is not None:
            state[_FINGERPRINT] = fingerprint

    def _choose_start(self) -> int | None:
        edge = self.end - RETENTION
        if self.previous is None:
            return self.since
        if self.previous > self.end:
            return None  # a clock was set back, so the end of the last sync is unknown
        if self.previous < edge:
            self.warnings.append(
                RetentionWarning(
                    f"the last complete sync was at {_show(self.previous)}: calls that started between then and "
                    f"{_show(edge)} may have expired unseen, as the service keeps records for 7 days. Sync more often"
                )
            )
        start = max(self.previous - self.overlap, edge)
        return start if self.since is None else min(start, self.since)

    async def _read(self, client: CallRecordsClient) -> AsyncGenerator[list[CallRecord], None]:
        records: list[CallRecord] = []
        rejects: list[ResponseDecodeError] = []
        with collect_warnings() as warnings:
            async with client, aclosing(self._read_pages(client, rejects)) as pages:
                async for page in pages:
                    records.extend(page.records)
                    if len(records) >= _RECORDS_PER_TABLE:
                        yield records
                        records = []
        if records:
            yield records
        self.warnings += warnings
        if rejects:
            first = rejects[0] if self.pseudonyms is None else conceal(rejects[0])
            self.warnings.append(
                IncompleteWalkWarning(f"records that could not be read: {len(rejects):,}, the first: {first}")
            )

    async def _read_pages(
        self, client: CallRecordsClient, rejects: list[ResponseDecodeError]
    ) -> AsyncGenerator[CallRecordPage, None]:
        pages = client.iter_pages(
            start_time=self.start,
            page_size=self.page_size,
            on_invalid=lambda _, error: rejects.append(error),
        )
        async with aclosing(pages):
            async for page in pages:
                self.read += len(page.records)
                if self.on_page is not None:
                    self.on_page(page)
                yield page


def _make_table(records: list[CallRecord]) -> pa.Table:
    """Return the table of every other format, but with lists as JSON text."""
    table = to_arrow(map(_fit, records))
    columns = table.columns
    for name in LIST_COLUMNS:
        place = table.schema.get_field_index(name)
        columns[place] = pa.array(map(_to_json, columns[place].to_pylist()), pa.string())
    return pa.Table.from_arrays(columns, schema=_SCHEMA)


def _fit(record: CallRecord) -> CallRecord:
    """Return *record* with an id of its own, and without U+0000, which PostgreSQL's texts and JSON do not hold.

    ``extra`` keeps the exact values.
    """
    exact = {name: getattr(record, name) for name in TEXT_COLUMNS if _NUL in str(getattr(record, name))}
    replaced: dict[str, Any] = {name: text.replace(_NUL, _REPLACEMENT) for name, text in exact.items()}
    for name in LIST_COLUMNS:
        texts = getattr(record, name)
        if any(_NUL in text for text in texts):
            exact[name] = texts
            replaced[name] = tuple(text.replace(_NUL, _REPLACEMENT) for text in texts)
    if "call_id" in exact or clean_text(record.call_id) is None:
        exact["call_id"], replaced["call_id"] = record.call_id, _make_id(record)
    extra = clean(record.extra, _UNFIT) if record.extra else {}
    if extra != record.extra:
        exact["extra"] = record.extra
    return attrs.evolve(record, extra=keep_exact(extra, exact), **replaced) if exact else record


def _make_id(record: CallRecord) -> str:
    """Return an id for a record whose own one is blank, or another one once the destination has it."""
    content = record.call_id if record.call_id.strip() else record_to_json(record)
    return f"no id {hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]}"


def _to_datetime(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _show(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
