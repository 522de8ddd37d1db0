"""``trtc-records export``: every record of a window into a file."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import attrs
import typer

from trtc_records import CallRecord, CallRecordPage, CallRecordsClient, CallResult, CallType
from trtc_records.cli._errors import CommandError, ExitCode, show_warnings
from trtc_records.cli._options import PageSize, Result, Since, Type, Until, Window, make_window
from trtc_records.cli._progress import show_progress
from trtc_records.cli._sandboxes import make_sandbox
from trtc_records.cli._summary import Summary
from trtc_records.export import JsonLinesWriter

__all__ = ["export"]

PassBy = Callable[[CallRecordPage], None]

_SANDBOX_RECORDS: Final = 5_000
_STDOUT: Final = "-"


def export(
    *,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="Where to write JSON Lines; - is stdout.")
    ] = _STDOUT,
    since: Since = None,
    until: Until = None,
    result: Result = None,
    call_type: Type = None,
    page_size: PageSize = 100,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Export from an embedded sandbox with made-up calls; needs no account.")
    ] = False,
) -> ExitCode:
    """Export call records as JSON Lines, one record per line.

    The file appears once every record is written; after an error an older file is as it was.
    """
    job = _Job(output, make_window(since, until), result, call_type, page_size)
    summary = Summary()
    started = time.monotonic()
    with ExitStack() as stack:
        client = _make_client(stack, sandbox=sandbox)
        incomplete = stack.enter_context(show_warnings())
        advance = stack.enter_context(show_progress())

        def pass_by(page: CallRecordPage) -> None:
            summary.add(page)
            advance(page)

        asyncio.run(job.run(client, pass_by))
    shown = "stdout" if output == _STDOUT else output
    for line in summary.make_lines(target=shown, window=str(job.window), seconds=time.monotonic() - started):
        print(line, file=sys.stderr)
    return incomplete()


def _make_client(stack: ExitStack, *, sandbox: bool) -> Callable[[], CallRecordsClient]:
    """Return what makes the client; a sandbox that it talks to is closed by *stack*."""
    if not sandbox:
        return CallRecordsClient.from_env
    service = stack.enter_context(make_sandbox(records=_SANDBOX_RECORDS))
    return lambda: CallRecordsClient(**service.credentials)


@attrs.frozen
class _Job:
    """What to export, and where to."""

    output: str
    window: Window
    result: CallResult | None
    call_type: CallType | None
    page_size: int

    async def run(self, make_client: Callable[[], CallRecordsClient], pass_by: PassBy) -> None:
        target: Path | BinaryIO = sys.stdout.buffer if self.output == _STDOUT else Path(self.output)
        async with make_client() as client, aclosing(self._read(client, pass_by)) as records:
            try:
                await JsonLinesWriter(target).write(records)
            except BrokenPipeError:
                raise
            except OSError as error:  # the client's own are TransportErrors
                raise CommandError(
                    f"cannot write {self.output}: {error.strerror or error}", "choose another --output; - is stdout"
                ) from error

    async def _read(self, client: CallRecordsClient, pass_by: PassBy) -> AsyncGenerator[CallRecord, None]:
        pages = client.iter_pages(
            start_time=self.window.since,
            end_time=self.window.until,
            call_result=self.result,
            call_type=self.call_type,
            page_size=self.page_size,
        )
        async with aclosing(pages):
            async for page in pages:
                pass_by(page)
                for record in page.records:
                    yield record
