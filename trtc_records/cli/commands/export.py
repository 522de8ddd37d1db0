"""``trtc-records export``: every record of a window into a file."""

from __future__ import annotations

import asyncio
import stat
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import typer

from trtc_records import CallRecord, CallRecordPage, CallRecordsClient
from trtc_records.cli._errors import CommandError, ExitCode, explain_writing, show_warnings
from trtc_records.cli._options import (
    Log,
    PageSize,
    Quiet,
    Result,
    SandboxFlag,
    Since,
    Type,
    Until,
    make_choice_option,
    make_window,
)
from trtc_records.cli._output import configure_output, flatten, note
from trtc_records.cli._progress import show_progress
from trtc_records.cli._rejects import Rejects
from trtc_records.cli._source import Selection, choose_client
from trtc_records.cli._streams import STDOUT, get_binary_stdout, is_stdout
from trtc_records.cli._times import show_time
from trtc_records.export import FileFormat, RecordWriter, make_writer
from trtc_records.summary import NO_CALLS, Summary, SummaryResult, show_length

__all__ = ["EXAMPLES", "export"]

EXAMPLES: Final = (
    ("trtc-records export -o calls.jsonl", "all that the service keeps, 7 days"),
    ("trtc-records export --since 24h -o calls.parquet", "the last day, for polars, pandas, DuckDB"),
    ("trtc-records export --result NotAnswer -o missed.csv", "only calls that nobody answered"),
    ("trtc-records export --format jsonl -o - | jq .caller", "into a pipe"),
    ("trtc-records export --sandbox -o demo.jsonl.gz", "made-up calls, without an account"),
)

_DESCRIPTORS: Final = ("/dev/std", "/dev/fd/", "/proc/")


def export(
    *,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help=f"Where to; its end tells the format: {', '.join(f'.{member}' for member in FileFormat)}. "
            "- is stdout.",
        ),
    ] = STDOUT,
    file_format: Annotated[
        FileFormat | None,
        make_choice_option(
            FileFormat,
            "--format",
            "-f",
            metavar="FORMAT",
            help_text="The format, where the file's name does not tell",
            show_default="jsonl on stdout",
        ),
    ] = None,
    for_spreadsheets: Annotated[
        bool,
        typer.Option(
            "--for-spreadsheets",
            help="In CSV, put an apostrophe before what a spreadsheet would take for a formula, and mark it as UTF-8.",
        ),
    ] = False,
    since: Since = None,
    until: Until = None,
    result: Result = None,
    call_type: Type = None,
    page_size: PageSize = 100,
    sandbox: SandboxFlag = False,
    quiet: Quiet = False,
    log_level: Log = None,
) -> ExitCode:
    """Export call records to a file or to stdout.

    The file appears once every record is written; after an error an older file is as it was. Records that cannot be
    read are written to FILE.rejects.jsonl as the service sent them, with exit code 4.
    """
    configure_output(quiet=quiet, log_level=log_level)
    selection = Selection(make_window(since, until), result, call_type, page_size)
    output = STDOUT if is_stdout(output) else output
    file_format = _choose_format(output, file_format)
    if for_spreadsheets and file_format not in {FileFormat.CSV, FileFormat.CSV_GZIP}:
        raise CommandError(f"--for-spreadsheets is for CSV, not {file_format}", "name the --output .csv")
    writer = _make_writer(output, file_format, for_spreadsheets=for_spreadsheets)
    summary = Summary()
    pages = 0
    started = time.monotonic()
    with ExitStack() as stack:
        make_client = stack.enter_context(choose_client(sandbox=sandbox))
        incomplete = stack.enter_context(show_warnings())
        rejects = stack.enter_context(Rejects(_name_rejects(output)))
        advance = stack.enter_context(show_progress())

        def pass_by(page: CallRecordPage) -> None:
            nonlocal pages
            pages += 1
            advance(page)
            for record in page.records:
                summary.add(record)

        with explain_writing(output):
            asyncio.run(_export(make_client, selection, writer, rejects, pass_by))
    target = "stdout" if output == STDOUT else output
    seconds = time.monotonic() - started
    for line in _make_report(summary.result, pages, target=target, window=str(selection.window), seconds=seconds):
        note(line)
    return max(rejects.report(), incomplete())


async def _export(
    make_client: Callable[[], CallRecordsClient],
    selection: Selection,
    writer: RecordWriter,
    rejects: Rejects,
    pass_by: Callable[[CallRecordPage], None],
) -> None:
    async def read() -> AsyncGenerator[CallRecord, None]:
        async with aclosing(selection.read(client, rejects.add)) as pages:
            async for page in pages:
                pass_by(page)
                for record in page.records:
                    yield record

    async with make_client() as client, aclosing(read()) as records:
        await writer.write(records)


def _choose_format(output: str, file_format: FileFormat | None) -> FileFormat:
    """Return the format, which neither a device nor a pipe has in its name."""
    if file_format is None and _is_plain_file(output):
        try:
            return FileFormat.of(output)
        except ValueError as error:
            raise CommandError(str(error), "name the file so, or say which --format it is in") from error
    chosen = file_format or FileFormat.JSON_LINES
    if output == STDOUT and not chosen.is_text and sys.stdout.isatty():
        raise CommandError(f"{chosen} is nothing for a terminal to show", "choose an --output, or redirect stdout")
    return chosen


def _is_plain_file(output: str) -> bool:
    """Tell whether *output* is a file with a name of its own, or will be one."""
    if output == STDOUT or output.startswith(_DESCRIPTORS):
        return False
    try:
        mode = Path(output).stat().st_mode
    except OSError:
        return True
    return stat.S_ISREG(mode)


def _make_writer(output: str, file_format: FileFormat, *, for_spreadsheets: bool) -> RecordWriter:
    try:
        target: Path | BinaryIO = get_binary_stdout() if output == STDOUT else Path(output)
    except ValueError as error:
        raise CommandError(str(error), "choose an --output") from error
    try:
        return make_writer(target, file_format, for_spreadsheets=for_spreadsheets)
    except ImportError as error:
        raise CommandError(str(error)) from error


def _name_rejects(output: str) -> Path | None:
    """Return where to put what cannot be read: beside the output, where that is a file."""
    return Path(f"{output}.rejects.jsonl") if _is_plain_file(output) else None


def _make_report(result: SummaryResult, pages: int, *, target: str, window: str, seconds: float) -> Iterator[str]:
    """Yield the lines to show.

    Args:
        result: What was exported.
        pages: How many pages it came on.
        target: Where the records were written.
        window: The time that was asked for.
        seconds: How long it took.
    """
    noun = "call record" if result.calls == 1 else "call records"
    yield f"Exported {result.calls:,} {noun} to {target} in {seconds:.1f} s"
    yield f"  window    {window}"
    if result.first is None or result.last is None:
        yield f"  note      {NO_CALLS}"
        return
    yield f"  started   {show_time(result.first)} to {show_time(result.last)}"
    talk = show_length(result.talk_time.total)
    yield f"  answered  {result.answered:,} ({result.answered_share:.1%}), {talk} of talk"
    yield f"  results   {', '.join(f'{flatten(name)} {count:,}' for name, count in result.results.items())}"
    yield f"  pages     {pages:,}"
