"""``trtc-records export``: the records of a time window into a file."""

from __future__ import annotations

import asyncio
import stat
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import ExitStack, aclosing, contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Final, Literal

import typer

from trtc_records import CallRecord, CallRecordPage, CallRecordsClient
from trtc_records.cli._errors import CommandError, explain_writing, show_warnings
from trtc_records.cli._exit_codes import ExitCode
from trtc_records.cli._options import (
    Log,
    PageSize,
    Pseudonymize,
    Quiet,
    Result,
    SandboxFlag,
    ServiceOption,
    Since,
    Type,
    Until,
    make_choice_option,
    make_window,
)
from trtc_records.cli._output import configure_output, flatten, note
from trtc_records.cli._progress import show_progress
from trtc_records.cli._pseudonyms import note_pseudonyms, open_pseudonyms
from trtc_records.cli._rejects import Rejects
from trtc_records.cli._source import Selection, choose_client
from trtc_records.cli._streams import STDOUT, Terminal, get_binary_stdout, is_stdout
from trtc_records.cli._times import show_time
from trtc_records.export import FileFormat, Pseudonyms, RecordWriter, make_writer
from trtc_records.summary import NO_CALLS, Summary, SummaryResult, show_length

__all__ = ["EXAMPLES", "export"]

EXAMPLES: Final = (
    ("trtc-records export -o calls.jsonl", "all that the service keeps, 7 days"),
    ("trtc-records export --since 24h -o calls.parquet", "the last day, for polars, pandas, DuckDB"),
    ("trtc-records export --result NotAnswer -o missed.csv", "only calls that nobody answered"),
    ("trtc-records export --format jsonl -o - | jq .caller", "into a pipe"),
    ("trtc-records export --pseudonymize -o shared.parquet", "without user ids"),
    ("trtc-records export --sandbox -o demo.jsonl.gz", "made-up calls, without an account"),
)

_DESCRIPTORS: Final = ("/dev/std", "/dev/fd/", "/proc/")


def export(
    *,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help=f"Output file; its extension sets the format: {', '.join(f'.{member}' for member in FileFormat)}. "
            "- is stdout, the default except on a terminal.",
        ),
    ] = None,
    file_format: Annotated[
        FileFormat | None,
        make_choice_option(
            FileFormat,
            "--format",
            "-f",
            metavar="FORMAT",
            help_text="Format, if the file's extension does not set it",
            show_default="jsonl on stdout",
        ),
    ] = None,
    for_spreadsheets: Annotated[
        bool,
        typer.Option(
            "--for-spreadsheets",
            help="Write CSV for a spreadsheet: an apostrophe before text that it would compute or convert, times that "
            "Excel reads, cells of 32,767 characters at most, a mark for UTF-8.",
        ),
    ] = False,
    since: Since = None,
    until: Until = None,
    result: Result = None,
    call_type: Type = None,
    order: Annotated[
        Literal["service", "time"],
        typer.Option(help="Order of the records: as the service gives them, or by start time, then call id."),
    ] = "service",
    pseudonymize: Pseudonymize = False,
    page_size: PageSize = 100,
    service: ServiceOption = None,
    sandbox: SandboxFlag = False,
    quiet: Quiet = False,
    log_level: Log = None,
) -> ExitCode:
    """Export call records to a file or to stdout.

    The file appears when every record is written; an error leaves an older file unchanged. Records that cannot be read
    go to FILE.rejects.jsonl as the service sent them, or with --pseudonymize only the reasons, with exit code 4.
    """
    configure_output(quiet=quiet, log_level=log_level)
    selection = Selection(make_window(since, until), result, call_type, page_size, order)
    if output is None and sys.stdout.isatty():
        raise CommandError(
            "no --output given, and the records would fill this terminal",
            "write -o calls.jsonl for a file, or -o - to show them here",
        )
    output = STDOUT if output is None or is_stdout(output) else output
    on_terminal = _is_terminal(output)
    file_format = _choose_format(output, file_format, on_terminal=on_terminal)
    if for_spreadsheets and file_format not in {FileFormat.CSV, FileFormat.CSV_GZIP}:
        raise CommandError(f"--for-spreadsheets is for CSV, not {file_format}", "name the --output .csv")
    summary = Summary(traffic=False)
    pages = 0
    started = time.monotonic()
    with ExitStack() as stack:
        pseudonyms = stack.enter_context(open_pseudonyms(wanted=pseudonymize))
        target = stack.enter_context(_open_output(output, on_terminal=on_terminal))
        writer = _make_writer(target, file_format, for_spreadsheets=for_spreadsheets)
        make_client = stack.enter_context(choose_client(service, sandbox=sandbox))
        incomplete = stack.enter_context(show_warnings())
        rejects = stack.enter_context(Rejects(_name_rejects(output), pseudonyms))
        advance = stack.enter_context(show_progress(hidden=on_terminal))

        def pass_by(page: CallRecordPage) -> None:
            nonlocal pages
            pages += 1
            advance(page)

        with explain_writing(output):
            lead = asyncio.run(
                _export(
                    make_client, selection, writer, rejects, summary=summary, pass_by=pass_by, pseudonyms=pseudonyms
                )
            )
    shown = "stdout" if output == STDOUT else output
    seconds = time.monotonic() - started
    window = str(selection.window.shift(lead))
    for line in _make_report(summary.result, pages, target=shown, window=window, seconds=seconds):
        note(line)
    note_pseudonyms(pseudonyms)
    return max(rejects.report(), incomplete())


async def _export(
    make_client: Callable[[], CallRecordsClient],
    selection: Selection,
    writer: RecordWriter,
    rejects: Rejects,
    *,
    summary: Summary,
    pass_by: Callable[[CallRecordPage], None],
    pseudonyms: Pseudonyms | None,
) -> float:
    """Write the records, and return the lead of the service's clock in seconds."""

    async def read() -> AsyncGenerator[CallRecord, None]:
        async with aclosing(selection.read(client, rejects.add)) as pages:
            async for page in pages:
                pass_by(page)
                for record in filter(selection.keep, page.records):
                    summary.add(record)
                    yield record if pseudonyms is None else pseudonyms(record)

    async with make_client() as client, aclosing(read()) as records:
        await writer.write(records)
        return client.service_time - time.time()


def _choose_format(output: str, file_format: FileFormat | None, *, on_terminal: bool) -> FileFormat:
    """Return the format; the name of a device or a pipe does not set one."""
    if file_format is None and _is_plain_file(output):
        try:
            return FileFormat.of(output)
        except ValueError as error:
            raise CommandError(str(error), "change the extension, or choose a --format") from error
    chosen = file_format or FileFormat.JSON_LINES
    if on_terminal and not chosen.is_text:
        raise CommandError(f"a terminal cannot show {chosen}", "choose an --output, or redirect stdout")
    return chosen


def _is_plain_file(output: str) -> bool:
    """Return whether *output* is a file with a name of its own, or will be one."""
    if output == STDOUT or output.startswith(_DESCRIPTORS):
        return False
    try:
        mode = Path(output).stat().st_mode
    except OSError:
        return True
    return stat.S_ISREG(mode)


def _is_terminal(output: str) -> bool:
    if output == STDOUT:
        return sys.stdout.isatty()
    try:
        if _is_plain_file(output) or not Path(output).is_char_device():
            return False
        with Path(output).open("wb") as device:
            return device.isatty()
    except OSError:
        return False


@contextmanager
def _open_output(output: str, *, on_terminal: bool) -> Iterator[Path | BinaryIO]:
    """Yield stdout or a terminal as a stream, and any other output as a path."""
    if output == STDOUT:
        try:
            stream = get_binary_stdout()
        except ValueError as error:
            raise CommandError(str(error), "choose an --output") from error
        yield stream
    elif on_terminal:
        with Path(output).open("wb") as device, Terminal(device) as terminal:
            yield terminal
    else:
        yield Path(output)


def _make_writer(target: Path | BinaryIO, file_format: FileFormat, *, for_spreadsheets: bool) -> RecordWriter:
    try:
        return make_writer(target, file_format, for_spreadsheets=for_spreadsheets)
    except ImportError as error:
        raise CommandError(str(error)) from error


def _name_rejects(output: str) -> Path | None:
    """Return the path for records that cannot be read, beside an output that is a file."""
    return Path(f"{output}.rejects.jsonl") if _is_plain_file(output) else None


def _make_report(result: SummaryResult, pages: int, *, target: str, window: str, seconds: float) -> Iterator[str]:
    """Yield the lines of the report on an export.

    Args:
        result: The figures of the records.
        pages: The number of pages read.
        target: The output's name.
        window: The time window of the query.
        seconds: The duration of the export.
    """
    noun = "call record" if result.calls == 1 else "call records"
    yield f"Exported {result.calls:,} {noun} to {target} in {seconds:.1f} s"
    yield f"  window    {window}"
    if result.first is None or result.last is None:
        yield f"  note      {NO_CALLS}"
        return
    yield f"  started   {show_time(result.first)} to {show_time(result.last)}"
    talk = show_length(result.talk_time.total)
    yield f"  answered  {result.answered:,} ({result.asr or 0:.1%}), {talk} of talk"
    yield f"  results   {', '.join(f'{flatten(name)} {count:,}' for name, count in result.results.items())}"
    yield f"  pages     {pages:,}"
