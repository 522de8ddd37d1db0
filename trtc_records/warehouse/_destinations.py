"""dlt's destination of a sync: making it, counting its rows, and keeping other syncs from it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from importlib.util import find_spec
from typing import Any, Final

import dlt
from dlt.common.destination import Destination
from dlt.common.destination.exceptions import (
    DestinationUndefinedEntity,
    SqlClientNotAvailable,
    UnknownDestinationModule,
)

from trtc_records._lock import lock_file
from trtc_records.warehouse._failures import DestinationError, miss_driver
from trtc_records.warehouse._lake import count_rows, find_text, make_lake, repair
from trtc_records.warehouse._targets import Target, TargetError
from trtc_records.warehouse._walk import NAME, TABLE

__all__ = ["count_loads", "count_records", "find_caller", "lock", "make_destination"]

_LOADS: Final = "_dlt_loads"
"""dlt's table of the loads that were completed."""

_running: Final[set[tuple[str, str]]] = set()
"""This process's syncs: DuckDB's lock keeps out other processes only."""
_running_lock: Final = threading.Lock()


def make_destination(target: Target) -> Any:
    """Return dlt's destination.

    Raises:
        TargetError: dlt has no destination of this name, or it cannot merge, or a package for it is not installed.
    """
    if target.lake is not None:
        return make_lake(target.lake, target.shown)
    if target.name == "sqlalchemy" and find_spec("sqlalchemy") is None:
        raise miss_driver(target)  # without it, dlt's error does not name the cause
    options = {} if target.credentials is None else {"credentials": target.credentials.reveal()}
    try:
        destination = Destination.from_reference(target.name, **options)
    except UnknownDestinationModule:
        raise TargetError(f"dlt has no destination '{target.name}'") from None
    assert destination is not None
    capabilities = destination.capabilities()
    strategies = capabilities.supported_merge_strategies or ()
    if capabilities.merge_strategies_selector is not None:
        strategies = capabilities.merge_strategies_selector(strategies, table_schema={"name": TABLE})
    if not strategies:
        raise TargetError(f"'{target.name}' cannot merge, so records would be there twice; export files instead")
    return destination


@contextmanager
def lock(pipeline: dlt.Pipeline, target: Target, dataset: str) -> Iterator[Callable[[], object]]:
    """Keep other syncs from the dataset; yield a function that fails if the lock was lost meanwhile.

    PostgreSQL has a lock for it, which ends with its connection. It belongs to a transaction, since a pooler such as
    PgBouncer may give the session to others. DuckDB locks its file against other processes as long as it is open, so it
    stays open. A lake has a file that is locked. Other destinations have no lock that all of them share: there, a sync
    counts the loads of others.

    Raises:
        DestinationError: Another sync is running.
        TargetError: The directory of a lake cannot be written to.
    """
    with ExitStack() as stack:
        sync = target.shown, dataset
        with _running_lock:
            if sync in _running:
                raise _refuse_second(target, dataset)
            _running.add(sync)
        stack.callback(_running.discard, sync)
        if target.lake is not None:
            try:
                target.lake.mkdir(exist_ok=True)
                stack.enter_context(lock_file(target.lake / f"{dataset}.lock"))
                repair(target.lake / dataset)
            except BlockingIOError:
                raise _refuse_second(target, dataset) from None
            except OSError as error:
                raise TargetError(f"{target.shown} cannot be written to: {error.strerror or error}") from None
        if target.name not in {"duckdb", "postgres"}:
            yield bool
            return
        client: Any = pipeline.sql_client()
        connection = stack.enter_context(client)
        if target.name == "postgres":
            number = int.from_bytes(sha256(f"{NAME}.{dataset}".encode()).digest()[:8], signed=True)
            connection.execute_sql("BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0")
            if connection.execute_sql(f"SELECT pg_try_advisory_xact_lock({number})") != [(True,)]:
                raise _refuse_second(target, dataset)
        yield lambda: connection.execute_sql("SELECT 1")


def _refuse_second(target: Target, dataset: str) -> DestinationError:
    return DestinationError(f"{target.shown}: another sync is writing to {dataset}; run one at a time")


def count_records(pipeline: dlt.Pipeline, target: Target) -> int | None:
    """Return the number of records in the table; ``None`` if the destination does not speak SQL and is no lake."""
    if target.lake is not None:
        return count_rows(target.lake / pipeline.dataset_name / TABLE)
    return _count(pipeline, TABLE)


def count_loads(pipeline: dlt.Pipeline, target: Target) -> int | None:
    """Return the number of loads by syncs; ``None`` if the destination does not speak SQL, and for a lake."""
    return None if target.lake is not None else _count(pipeline, _LOADS, f" WHERE schema_name = '{NAME}'")


def find_caller(pipeline: dlt.Pipeline, target: Target) -> str | None:
    """Return the caller of one of the records in the table, which exists; ``None`` if none of them has one."""
    if target.lake is not None:
        return find_text(target.lake / pipeline.dataset_name / TABLE, "caller")
    return _select_one(pipeline, "max(caller)", TABLE) or None


def _count(pipeline: dlt.Pipeline, table: str, condition: str = "") -> int | None:
    try:
        return int(_select_one(pipeline, "count(*)", table, condition))
    except SqlClientNotAvailable:
        return None
    except DestinationUndefinedEntity:
        return 0


def _select_one(pipeline: dlt.Pipeline, value: str, table: str, condition: str = "") -> Any:
    client: Any = pipeline.sql_client()
    with client as connection:
        name = connection.make_qualified_table_name(table)
        rows = connection.execute_sql(f"SELECT {value} FROM {name}{condition}")  # noqa: S608
    return rows[0][0]
