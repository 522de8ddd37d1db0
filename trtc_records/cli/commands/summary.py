"""``trtc-records summary``: figures about the calls in a time window."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, aclosing
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import attrs
import typer

from trtc_records import CallRecordPage, CallRecordsClient, Region, Service
from trtc_records.cli._errors import CommandError, explain_writing, show_warnings
from trtc_records.cli._exit_codes import ExitCode
from trtc_records.cli._input import RecordInput
from trtc_records.cli._options import (
    Log,
    PageSize,
    Quiet,
    Result,
    SandboxFlag,
    ServiceOption,
    Since,
    Type,
    Until,
    Window,
    go_back,
    make_earlier_window,
    make_window,
    read_length,
    read_zone,
)
from trtc_records.cli._output import configure_output, fit_encoding, note
from trtc_records.cli._progress import show_progress
from trtc_records.cli._rejects import Rejects, describe_rejects
from trtc_records.cli._source import Selection, choose_client
from trtc_records.cli._times import show_time
from trtc_records.export import replace_file
from trtc_records.summary import ReportScope, Summary

__all__ = ["EXAMPLES", "summary"]

EXAMPLES: Final = (
    ("trtc-records summary --since 7d", "text with bars"),
    ("trtc-records summary --since 24h --zone Asia/Singapore", "days and hours in that time zone"),
    ("trtc-records summary --since 1d --compare 1d", "the last day beside the day before"),
    ("trtc-records summary --input calls --compare 7d", "two weeks of an archive, without an account"),
    ("trtc-records summary --html report.html", "also a page with charts"),
    ("trtc-records summary --json | jq .asr", "for a program"),
)

_LINE: Final = 100  # columns; longer bars add nothing
_SOURCES: Final = {Service.CURRENT: "the service", Service.LEGACY: "the older service"}


@attrs.frozen
class _Part:
    """A window, and the summary of its calls."""

    selection: Selection
    summary: Summary


def summary(
    *,
    since: Since = None,
    until: Until = None,
    result: Result = None,
    call_type: Type = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--input",
            "-i",
            metavar="PATH",
            help="Read an archive's directory or a file of an export, by path or URL, instead of the service; needs no "
            "account.",
        ),
    ] = None,
    compare: Annotated[
        timedelta | None,
        typer.Option(
            parser=read_length,
            metavar="LENGTH",
            help="Compare each figure with the window that lies this long before, such as 1d or 7d. Without --since "
            "the window has this length, too.",
        ),
    ] = None,
    zone: Annotated[
        tzinfo,
        typer.Option(parser=read_zone, metavar="ZONE", help="Time zone for days and hours, such as Asia/Singapore."),
    ] = "UTC",  # type: ignore[assignment]  # read by the parser
    top: Annotated[int, typer.Option(min=0, max=1_000, metavar="N", help="Number of callers to list.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Also write a page with charts, which needs no network."),
    ] = None,
    page_size: PageSize = 100,
    service: ServiceOption = None,
    sandbox: SandboxFlag = False,
    quiet: Quiet = False,
    log_level: Log = None,
) -> ExitCode:
    """Summarize the calls in a time window.

    Shows answered and delivered shares, results, ring and talk times, erlangs, the busy hour, the most concurrent
    calls, calls by day and hour, and top callers. Each report names its app, window and filters, and says if calls may
    be missing.
    """
    configure_output(quiet=quiet, log_level=log_level)
    if source is not None and sandbox:
        raise CommandError("--input and --sandbox are two sources", "keep one of them")
    if source is not None and service is not None:
        raise CommandError("--input and --service are two sources", "keep one of them")
    if compare == timedelta():
        raise CommandError("--compare 0 leaves no time between the windows", "write 1d or 7d")
    opened = None if source is None else RecordInput.open(source)
    if opened is not None and html is not None and opened.holds(html):
        raise CommandError(f"--html {html} is a file of --input, which it would replace", "choose another --html")
    windows = _make_windows(opened, since, until, compare)
    parts = [_Part(Selection(window, result, call_type, page_size), Summary(zone=zone, top=top)) for window in windows]
    with ExitStack() as page:
        file = None
        if html is not None:  # opened before the walk, which would be in vain if it cannot be written
            with explain_writing(html, "--html"):
                file = page.enter_context(replace_file(html))
        code = _walk(parts, service, sandbox=sandbox) if opened is None else _read(opened, parts)
        account, *earlier = [part.summary for part in parts]
        before = earlier[0] if earlier else None
        if as_json:
            print(json.dumps(account.to_dict(before=before), indent=2))
        else:
            width = min(shutil.get_terminal_size().columns, _LINE)
            sys.stdout.write(fit_encoding(account.to_text(width=width, before=before)))
        if file is not None:
            with explain_writing(html, "--html"):
                file.write(account.to_html(before=before).encode())
                page.close()
            note(f"Wrote {html}")
        return code


def _make_windows(
    source: RecordInput | None, since: datetime | None, until: datetime | None, compare: timedelta | None
) -> list[Window]:
    """Return the window of the report, and that which it is compared with.

    Raises:
        CommandError: A window cannot contain a record.
    """
    expires = source is None
    if source is not None and until is None and (since is not None or compare is not None):
        until = _find_end(source, since)
    if compare is None:
        return [make_window(since, until, expires=expires)]
    if since is None:
        since = go_back(until or datetime.now(UTC), compare - timedelta(seconds=1))  # both ends belong to the window
    window = make_window(since, until, expires=expires)
    return [window, make_earlier_window(window, compare, expires=expires)]


def _find_end(source: RecordInput, since: datetime | None) -> datetime | None:
    """Return the end of a window that ends now: the time up to which an archive was read; ``None`` for a file.

    Raises:
        CommandError: The archive ends before the window starts.
    """
    end = source.end
    if end is not None and since is not None and since >= end:
        raise CommandError(
            f"--since {show_time(since)} is not before {show_time(end)}, when the archive was last read",
            "bring it up to date by trtc-records archive, or write an earlier --since",
        )
    return end


def _walk(parts: Sequence[_Part], service: Service | None, *, sandbox: bool) -> ExitCode:
    """Add the service's calls in each window to its summary."""
    reading = parts[0].summary

    async def walk_all() -> None:
        nonlocal reading
        async with make_client() as client:
            for part in parts:
                reading = part.summary
                reading.scope = _describe(client, part.selection, is_sandbox=sandbox)
                await _walk_one(client, part, rejects, advance)

    def add_missing(reason: str) -> None:
        reading.add_missing(reason)

    with (
        show_warnings(add_missing) as incomplete,
        choose_client(service, sandbox=sandbox) as make_client,
        Rejects(None) as rejects,
        show_progress() as advance,
    ):
        asyncio.run(walk_all())
    return max(rejects.report(), incomplete())


async def _walk_one(
    client: CallRecordsClient, part: _Part, rejects: Rejects, advance: Callable[[CallRecordPage], None]
) -> None:
    rejected = rejects.count
    async with aclosing(part.selection.read(client, rejects.add)) as pages:
        async for page in pages:
            advance(page)
            for record in filter(part.selection.keep, page.records):
                part.summary.add(record)
    if rejects.count > rejected:
        part.summary.add_missing(describe_rejects(rejects.count - rejected))


def _read(source: RecordInput, parts: Sequence[_Part]) -> ExitCode:
    """Add the calls of an archive or a file in each window to its summary."""
    code = ExitCode.DONE
    for part in parts:
        window = part.selection.window
        part.summary.scope = _make_scope(
            part.selection,
            source=source.describe(),
            sdk_app_id=source.sdk_app_id,
            until=None if window.ends_now else window.until,
        )
        for reason in source.list_missing(window):
            part.summary.add_missing(reason)
            code = ExitCode.INCOMPLETE
    for record in source.read([part.selection.window for part in parts]):
        for part in parts:
            if part.selection.matches(record):
                part.summary.add(record)
    return code


def _describe(client: CallRecordsClient, selection: Selection, *, is_sandbox: bool) -> ReportScope:
    """Return the subject of a report on the service's calls."""
    host = urlsplit(client.base_url).netloc
    return _make_scope(
        selection,
        source="embedded sandbox, made-up calls" if is_sandbox else _SOURCES[client.service],
        sdk_app_id=client.sdk_app_id,
        region=next((region.value for region in Region if region.host == host), None),
        host=host,
        until=selection.window.until,
    )


def _make_scope(selection: Selection, **more: Any) -> ReportScope:
    filters = {"result": selection.result, "type": selection.call_type}
    return ReportScope(
        since=selection.window.since,
        filters={name: value.value for name, value in filters.items() if value is not None},
        **more,
    )
