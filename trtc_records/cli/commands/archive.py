"""``trtc-records archive``: every record in day files that outlive the service's 7 days."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta, tzinfo
from typing import Annotated, Any, Final, Literal

import typer

from trtc_records import CallRecordsClient, ConfigurationError
from trtc_records.archive import LONGEST_SETTLE, ArchivedPartition, ArchiveReport, archive_call_records, verify_archive
from trtc_records.cli._errors import CommandError, explain_writing, show_warnings
from trtc_records.cli._exit_codes import ExitCode
from trtc_records.cli._options import (
    Log,
    PageSize,
    Pseudonymize,
    Quiet,
    SandboxFlag,
    ServiceOption,
    Since,
    Until,
    make_choice_option,
    make_window,
    read_length,
    read_zone,
)
from trtc_records.cli._output import Colour, configure_output, flatten, note, say
from trtc_records.cli._pseudonyms import note_pseudonyms, open_pseudonyms
from trtc_records.cli._source import choose_client
from trtc_records.export import FileFormat

__all__ = ["EXAMPLES", "archive"]

EXAMPLES: Final = (
    ("trtc-records archive calls", "a Parquet file a day, in the directory calls; run it daily"),
    ("trtc-records archive calls --zone Asia/Singapore", "days of that time zone"),
    ("trtc-records archive calls --by hour --format jsonl.gz", "a file an hour, as JSON Lines"),
    ("trtc-records archive s3://bucket/calls", "in an object store"),
    ("trtc-records archive calls --verify", "check the files against their manifests"),
    ("trtc-records archive demo --sandbox --format jsonl", "made-up calls, without an account"),
)


def archive(
    *,
    directory: Annotated[
        str,
        typer.Argument(
            metavar="DIR", help="The archive's directory, or a URL such as s3://bucket/calls.", show_default=False
        ),
    ],
    since: Since = None,
    until: Until = None,
    by: Annotated[Literal["day", "hour"], typer.Option(help="Length of time of each file.")] = "day",
    zone: Annotated[
        tzinfo, typer.Option(parser=read_zone, metavar="ZONE", help="Time zone of the days, such as Asia/Singapore.")
    ] = "UTC",  # type: ignore[assignment]  # read by the parser
    file_format: Annotated[
        FileFormat,
        make_choice_option(FileFormat, "--format", "-f", metavar="FORMAT", help_text="Format of the files"),
    ] = FileFormat.PARQUET,
    settle: Annotated[
        timedelta,
        typer.Option(
            parser=read_length,
            metavar="LENGTH",
            help="Time after the end of a day until which its calls end; a day read later is final.",
        ),
    ] = "72h",  # type: ignore[assignment]  # read by the parser
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the files against their manifests; read nothing from the service.")
    ] = False,
    pseudonymize: Pseudonymize = False,
    page_size: PageSize = 100,
    service: ServiceOption = None,
    sandbox: SandboxFlag = False,
    quiet: Quiet = False,
    log_level: Log = None,
) -> ExitCode:
    """Keep every record in day files, each with a manifest.

    Run it every day, as the service keeps records for 7 days only. A call belongs to the day on which it started. Days
    that are final are skipped, others are read again and written anew as a whole; --since and --until choose the days
    that they lie in, and those between. Exit code 4 if a day is not complete,
    or if --verify finds a file that differs from its manifest.
    """
    configure_output(quiet=quiet, log_level=log_level)
    if verify:
        return _verify(directory)
    make_window(since, until)
    if settle > LONGEST_SETTLE:
        raise CommandError("--settle is longer than 5 days, and a day expires before it is final", "write 72h, or 5d")
    started = time.monotonic()
    options: dict[str, Any] = {
        "since": since,
        "until": until,
        "partition": by,
        "zone": zone,
        "file_format": file_format,
        "settle": settle,
        "page_size": page_size,
    }
    with ExitStack() as stack:
        pseudonyms = stack.enter_context(open_pseudonyms(wanted=pseudonymize))
        options["pseudonyms"] = pseudonyms
        make_client = stack.enter_context(choose_client(service, sandbox=sandbox))
        incomplete = stack.enter_context(show_warnings())
        with explain_writing(directory, "DIR"):
            report = asyncio.run(_archive(make_client, directory, options))
    for line in _make_lines(report, time.monotonic() - started):
        note(line)
    note_pseudonyms(pseudonyms)
    if report.rejects:
        say(
            f"warning: records that could not be read: {report.rejects:,}: see _rejects in {report.directory}",
            colour=Colour.YELLOW,
        )
    has_all = report.complete and not report.rejects
    return max(ExitCode.DONE if has_all else ExitCode.INCOMPLETE, incomplete())


async def _archive(
    make_client: Callable[[], CallRecordsClient], directory: str, options: dict[str, Any]
) -> ArchiveReport:
    async with make_client() as client:
        try:
            return await archive_call_records(client, directory, on_partition=_show, **options)
        except ImportError as error:
            # An error of the URL's package has its name, one of the format's package has not.
            raise CommandError(str(error), "" if error.name else "or choose another --format, such as jsonl") from error


def _show(partition: ArchivedPartition) -> None:
    """Print a line for a day, or a warning if it is not complete."""
    if not partition.complete and not partition.begins:
        say(f"warning: {partition.name} is not complete: {partition.reason}", colour=Colour.YELLOW)
    if partition.action == "skipped":
        return
    state = "final" if partition.final else "begins here" if partition.begins else "may change"
    noun = "call record" if partition.records == 1 else "call records"
    note(f"{partition.name}  {partition.records:,} {noun}, {partition.action}, {state}")


def _make_lines(report: ArchiveReport, seconds: float) -> Iterator[str]:
    noun = "call record" if report.records == 1 else "call records"
    yield f"Archived {report.records:,} {noun} in {report.directory} in {seconds:.1f} s"
    skipped = sum(each.action == "skipped" for each in report.partitions)
    if skipped:
        yield f"  skipped   {skipped:,} that are final"


def _verify(directory: str) -> ExitCode:
    try:
        check = verify_archive(directory)
    except ConfigurationError:
        raise
    except ImportError as error:
        raise CommandError(str(error)) from error
    except ValueError as error:
        raise CommandError(str(error), "name the directory of an archive") from error
    except OSError as error:
        raise CommandError(f"cannot read {directory}: {error.strerror or error}") from error
    for problem in check.problems:
        say(flatten(problem))
    for name in check.incomplete:
        note(f"{name} is not complete")
    files = "1 file" if check.partitions == 1 else f"{check.partitions:,} files"
    note(f"Checked {files} with {check.records:,} call records: {len(check.problems):,} problems")
    return ExitCode.INCOMPLETE if check.problems else ExitCode.DONE
