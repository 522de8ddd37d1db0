"""``trtc-records summary``: figures about the calls in a time window."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Callable
from contextlib import ExitStack, aclosing
from datetime import tzinfo
from pathlib import Path
from typing import Annotated, Final

import typer

from trtc_records import CallRecordPage, CallRecordsClient
from trtc_records.cli._errors import ExitCode, explain_writing, show_warnings
from trtc_records.cli._options import (
    Log,
    PageSize,
    Quiet,
    Result,
    SandboxFlag,
    Since,
    Type,
    Until,
    make_window,
    read_zone,
)
from trtc_records.cli._output import configure_output, fit_encoding, note
from trtc_records.cli._progress import show_progress
from trtc_records.cli._rejects import Rejects
from trtc_records.cli._source import Selection, choose_client
from trtc_records.export import replace_file
from trtc_records.summary import Summary

__all__ = ["EXAMPLES", "summary"]

EXAMPLES: Final = (
    ("trtc-records summary --since 7d", "text with bars"),
    ("trtc-records summary --since 24h --zone Asia/Singapore", "hours of the day in that time zone"),
    ("trtc-records summary --html report.html", "also a page with charts"),
    ("trtc-records summary --json | jq .answered_share", "for a program"),
)

_LINE: Final = 100  # columns; longer bars add nothing


def summary(
    *,
    since: Since = None,
    until: Until = None,
    result: Result = None,
    call_type: Type = None,
    zone: Annotated[
        tzinfo,
        typer.Option(parser=read_zone, metavar="ZONE", help="Time zone for hours of the day, such as Asia/Singapore."),
    ] = "UTC",  # type: ignore[assignment]  # read by the parser
    top: Annotated[int, typer.Option(min=0, max=1_000, metavar="N", help="Number of callers to list.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Also write a page with charts, which needs no network."),
    ] = None,
    page_size: PageSize = 100,
    sandbox: SandboxFlag = False,
    quiet: Quiet = False,
    log_level: Log = None,
) -> ExitCode:
    """Summarize the calls in a time window.

    Shows results, ring and talk times, busiest hours and top callers. Memory stays flat for any number of calls.
    """
    configure_output(quiet=quiet, log_level=log_level)
    selection = Selection(make_window(since, until), result, call_type, page_size)
    account = Summary(zone=zone, top=top)
    with show_warnings() as incomplete, ExitStack() as page:
        file = None
        if html is not None:  # opened before the walk, which would be in vain if it cannot be written
            with explain_writing(html, "--html"):
                file = page.enter_context(replace_file(html))
        with choose_client(sandbox=sandbox) as make_client, Rejects(None) as rejects, show_progress() as advance:
            asyncio.run(_read(make_client, selection, account, rejects, advance))
        if as_json:
            print(json.dumps(account.to_dict(), indent=2))
        else:
            width = min(shutil.get_terminal_size().columns, _LINE)
            sys.stdout.write(fit_encoding(account.to_text(width=width)))
        if file is not None:
            with explain_writing(html, "--html"):
                file.write(account.to_html().encode())
                page.close()
            note(f"Wrote {html}")
        return max(rejects.report(), incomplete())


async def _read(
    make_client: Callable[[], CallRecordsClient],
    selection: Selection,
    account: Summary,
    rejects: Rejects,
    advance: Callable[[CallRecordPage], None],
) -> None:
    async with make_client() as client, aclosing(selection.read(client, rejects.add)) as pages:
        async for page in pages:
            advance(page)
            for record in filter(selection.keep, page.records):
                account.add(record)
