"""``trtc-records sync``: new records into a database or a lake."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from trtc_records.cli._errors import CommandError, show_warnings
from trtc_records.cli._exit_codes import ExitCode
from trtc_records.cli._options import (
    Log,
    PageSize,
    Pseudonymize,
    Quiet,
    SandboxFlag,
    ServiceOption,
    Since,
    make_window,
    read_end,
    read_length,
)
from trtc_records.cli._output import configure_output, note
from trtc_records.cli._progress import show_progress
from trtc_records.cli._pseudonyms import note_pseudonyms, open_pseudonyms
from trtc_records.cli._source import choose_client
from trtc_records.cli._times import show_time
from trtc_records.warehouse._targets import DEFAULT_TARGET, read_target

if TYPE_CHECKING:
    from trtc_records.warehouse.dlt import SyncReport

__all__ = ["EXAMPLES", "sync"]

EXAMPLES: Final = (
    ("trtc-records sync", "into calls.duckdb in this directory; run it daily"),
    ("trtc-records sync --to duckdb:////data/calls.duckdb", "an absolute path: four slashes"),
    ("trtc-records sync --to postgresql://me@db.example/calls", "password from PGPASSWORD"),
    ("trtc-records sync --to delta:///lake", "a Delta table in the directory lake"),
    ("trtc-records sync --since 7d", "read all 7 days again, add missing records"),
    ("trtc-records sync --since 2026-01-31 --until 2026-01-31", "exactly this day, whatever was read before"),
    ("trtc-records sync --sandbox", "made-up calls, without an account"),
)

_DATASET: Final = "trtc_records"
_KEPT: Final = timedelta(days=7)
_SANDBOX_DATASET: Final = "trtc_records_sandbox"


def sync(
    *,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="URL",
            envvar="TRTC_SYNC_TO",
            help="Database: duckdb:///calls.duckdb, postgresql://user:password@host/database, a directory for a Delta "
            "table (delta:///lake), or a dlt destination that is configured as dlt documents it (bigquery, snowflake). "
            "Put a password into the variable, not here.",
        ),
    ] = DEFAULT_TARGET,
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Schema of the table call_records.",
            show_default=f"{_DATASET}; with --sandbox {_SANDBOX_DATASET}",
        ),
    ] = None,
    since: Since = None,
    until: Annotated[
        datetime | None,
        typer.Option(
            parser=read_end,
            metavar="TIME",
            help="With --since: load exactly the calls that started before this time, written like --since; a date "
            "means the end of its day. The place of the other runs is neither used nor moved.",
            show_default="continue from the last run, until now",
        ),
    ] = None,
    overlap: Annotated[
        timedelta | None,
        typer.Option(
            parser=read_length,
            metavar="LENGTH",
            help="Time to read again before the end of the last run, or with --until to read beyond it; longer than "
            "any call.",
            show_default="72h",
        ),
    ] = None,
    pseudonymize: Pseudonymize = False,
    page_size: PageSize = 100,
    service: ServiceOption = None,
    sandbox: SandboxFlag = False,
    quiet: Quiet = False,
    log_level: Log = None,
) -> ExitCode:
    """Add new records to a database table, each once.

    Run it every day, as the service keeps records for 7 days only. It continues where the last run ended; --since is
    for the first run, or to read more again. A run that was killed or repeated loses and repeats no record.
    """
    configure_output(quiet=quiet, log_level=log_level)
    _check_window(since, until)
    if overlap is not None and overlap > _KEPT:
        raise CommandError("--overlap is longer than the 7 days that the service keeps", "write 24h, or 7d at most")
    read_target(to)  # before dlt is imported, which takes a second
    sync_call_records = _import_sync()
    options: dict[str, Any] = {"since": since, "until": until, "page_size": page_size}
    if dataset is None:
        dataset = _SANDBOX_DATASET if sandbox else _DATASET
    options["dataset"] = dataset
    if overlap is not None:
        options["overlap"] = overlap
    started = time.monotonic()
    with ExitStack() as stack:
        pseudonyms = stack.enter_context(open_pseudonyms(wanted=pseudonymize))
        options["pseudonyms"] = pseudonyms
        make_client = stack.enter_context(choose_client(service, sandbox=sandbox))
        incomplete = stack.enter_context(show_warnings())
        with show_progress() as advance:
            report = sync_call_records(to, make_client, on_page=advance, **options)
    for line in _make_lines(report, time.monotonic() - started, is_bounded=until is not None):
        note(line)
    note_pseudonyms(pseudonyms)
    return incomplete()


def _check_window(since: datetime | None, until: datetime | None) -> None:
    """Check the window.

    Raises:
        CommandError: It cannot be read.
    """
    make_window(since, until)
    if until is None:
        return
    if since is None:
        raise CommandError("--until needs --since", "add the start of the window, or leave both out to go on")
    if until > datetime.now(UTC):
        raise CommandError(f"--until {show_time(until)} lies in the future", "leave it out to read until now")


def _import_sync() -> Callable[..., SyncReport]:
    """Return the function that syncs.

    Raises:
        CommandError: The extra is not installed.
    """
    try:
        from trtc_records.warehouse.dlt import sync_call_records  # noqa: PLC0415  (the extra may be missing)
    except ImportError as error:
        raise CommandError(str(error)) from error
    return sync_call_records


def _make_lines(report: SyncReport, seconds: float, *, is_bounded: bool) -> Iterator[str]:
    noun = "call record" if report.read == 1 else "call records"
    news = "" if report.added is None else f": {report.added:,} new, {report.seen_before:,} seen before"
    yield f"Synced {report.read:,} {noun} to {report.destination} in {seconds:.1f} s{news}"
    start = "the 7 days that the service keeps," if report.start_time is None else show_time(report.start_time)
    yield f"  window    {start} to {show_time(report.end_time)}"
    last = report.previous_end_time
    if not is_bounded:
        yield f"  last run  {'none' if last is None else f'complete until {show_time(last)}'}"
    yield f"  table     {report.table}" + ("" if report.total is None else f", {report.total:,} in all")
