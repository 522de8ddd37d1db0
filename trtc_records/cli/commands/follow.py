"""``trtc-records follow``: each call's record, soon after the call ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, aclosing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from trtc_records import (
    CallRecordsClient,
    CheckpointError,
    ConfigurationError,
    FileCheckpoint,
    ResponseDecodeError,
)
from trtc_records.cli._errors import CommandError, explain_writing, show_warnings
from trtc_records.cli._exit_codes import ExitCode
from trtc_records.cli._lines import Ending, Lines, open_lines, pour
from trtc_records.cli._options import (
    Log,
    PageSize,
    Quiet,
    Result,
    SandboxFlag,
    ServiceOption,
    Type,
    read_duration,
    read_start,
)
from trtc_records.cli._output import Colour, configure_output, say
from trtc_records.cli._signals import Stop, stop_at_signals
from trtc_records.cli._source import choose_client
from trtc_records.cli._status import Status, show_troubles
from trtc_records.cli._streams import STDOUT, is_stdout
from trtc_records.export._rejects import encode_reject

__all__ = ["EXAMPLES", "follow"]

EXAMPLES: Final = (
    ("trtc-records follow --state calls.state -o calls.jsonl", "goes on where it ended"),
    ("trtc-records follow --result NotAnswer | while read -r call; do …; done", "missed calls"),
    ("trtc-records follow --since 24h --state calls.state -o calls.jsonl", "the last day first"),
    ("trtc-records follow --limit 1 | jq .caller", "the next call that ends"),
    ("trtc-records follow --sandbox", "made-up calls, without an account"),
)


def follow(
    *,
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="FILE", help="File to append JSON Lines to, each flushed at once; - is stdout."
        ),
    ] = STDOUT,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File that keeps the place, so that the next run goes on there. Without it each run begins anew.",
        ),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            parser=read_start,
            metavar="TIME",
            help="First give the calls that started at this time or later: 24h (ago), 2026-01-31T08:30+08:00. By "
            "default only those that end from now on. Counts for the first run with a --state.",
        ),
    ] = None,
    interval: Annotated[
        timedelta,
        typer.Option(parser=read_duration, metavar="LENGTH", help="Time between two looks for short calls."),
    ] = "10s",  # type: ignore[assignment]  # read by the parser
    lookback: Annotated[
        timedelta,
        typer.Option(
            parser=read_duration, metavar="LENGTH", help="The longest call that is found for certain; 7d at most."
        ),
    ] = "24h",  # type: ignore[assignment]  # read by the parser
    result: Result = None,
    call_type: Type = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="End after N calls; by default never.")] = None,
    page_size: PageSize = 100,
    service: ServiceOption = None,
    sandbox: SandboxFlag = False,
    quiet: Quiet = False,
    log_level: Log = None,
) -> ExitCode:
    """Write each call's record as JSON, soon after the call ends, until Ctrl-C or SIGTERM.

    A call of length D is written within --interval + D/8 + 5 s of its end. With a --state, a run goes on where the last
    one ended: no call is lost, and only a run that was killed writes the calls of its last second again. If the service
    or the network fails, it tries again for as long as it takes. SIGTERM ends it with exit code 0.
    """
    configure_output(quiet=quiet, log_level=log_level)
    if sandbox and state is not None:
        raise CommandError(
            "--state is of no use with --sandbox, whose calls end with the command",
            "run trtc-records sandbox --live 30/min, and follow that one",
        )
    options: dict[str, Any] = {
        "since": since,
        "interval": interval.total_seconds(),
        "lookback": lookback,
        "call_result": result,
        "call_type": call_type,
        "page_size": page_size,
    }
    with ExitStack() as stack:
        stop = stack.enter_context(stop_at_signals())
        if state is not None:
            options["checkpoint"] = FileCheckpoint(state)
            stack.enter_context(_explain_state(options["checkpoint"]))
        lines = stack.enter_context(open_lines(output))
        make_client = stack.enter_context(choose_client(service, sandbox=sandbox, live=True))
        incomplete = stack.enter_context(show_warnings())
        stack.enter_context(show_troubles())
        rejects = _Rejects(None if is_stdout(output) or not Path(output).is_file() else f"{output}.rejects.jsonl")
        ending = asyncio.run(_follow(make_client, {**options, "on_invalid": rejects.add}, lines, stop, limit))
    ending.check()
    return ExitCode.DONE if ending.number else max(rejects.code, incomplete())


async def _follow(
    make_client: Callable[[], CallRecordsClient], options: dict[str, Any], lines: Lines, stop: Stop, limit: int | None
) -> Ending:
    status = Status()
    async with make_client() as client, aclosing(client.follow(**options)) as records:
        with status.show():
            return await pour(records, lines, stop, limit=limit, status=status)


class _Rejects:
    """The records that cannot be read, each appended to a file at once.

    Args:
        name: The file; ``None`` for none.
    """

    def __init__(self, name: str | None) -> None:
        self._name = name
        self.code = ExitCode.DONE
        """The exit code that they call for."""

    def add(self, raw: Any, error: ResponseDecodeError) -> None:
        """Add a record."""
        self.code = ExitCode.INCOMPLETE
        where = " and is left out" if self._name is None else f": see {self._name}"
        say(f"warning: a record could not be read{where}: {error}", colour=Colour.YELLOW)
        if self._name is not None:
            with explain_writing(self._name), Path(self._name).open("ab", buffering=0) as file:
                file.write(encode_reject(raw, error))


@contextmanager
def _explain_state(state: FileCheckpoint) -> Iterator[None]:
    """Turn an error of the state's into one in a shell's terms."""
    try:
        yield
    except (CheckpointError, ConfigurationError) as error:
        text = str(error).replace(repr(state), "the checkpoint")
        if "the checkpoint" not in text:
            raise
        text = text.replace("the checkpoint", f"--state {state.path}").replace("since=", "--since")
        problem, _, remedy = text.rpartition(": ")
        raise CommandError(problem, remedy.replace("another checkpoint", "another file")) from error
