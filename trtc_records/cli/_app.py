"""Put the commands together."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from trtc_records import __version__
from trtc_records.cli._errors import ExitCode, guard, say
from trtc_records.cli._export import export
from trtc_records.cli._get import get
from trtc_records.cli._sandbox import sandbox

__all__ = ["run"]

_NAME: Final = "trtc-records"
_EPILOG: Final = """\
The account comes from the environment: TRTC_SDK_APP_ID, TRTC_IDENTIFIER (an app administrator), TRTC_SECRET_KEY or
TRTC_USER_SIG, and TRTC_REGION (china, singapore, seoul, frankfurt, silicon-valley, jakarta) or TRTC_BASE_URL.
"""

_app: Final = typer.Typer(
    name=_NAME,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def run(argv: Sequence[str]) -> int:
    """Run the command line *argv* and return the exit code."""
    _open_closed_streams()
    if threading.current_thread() is threading.main_thread():
        # A job runner's SIGTERM tidies up as Ctrl-C does: no half-written file stays.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Without a handler a retry would show up as a bare word on stderr.
    logging.getLogger("stamina").addHandler(logging.NullHandler())
    try:
        code: int | None = _app(list(argv) or ["--help"], prog_name=_NAME, standalone_mode=False)
    except typer.TyperException as error:  # the arguments
        say(error.format_message(), f"{_NAME} --help")
        return ExitCode.USAGE
    if code == ExitCode.INTERRUPTED:
        say("interrupted")
    return code or ExitCode.DONE


def _open_closed_streams() -> None:
    """Give a daemon, whose streams may be closed, streams that lead nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  (open to the end)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"{_NAME} {__version__}")
        raise typer.Exit


@_app.callback()
def _main(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Export and look up the call records of a Tencent RTC app (TUICallKit)."""


for _command in (export, get, sandbox):
    _app.command(epilog=_EPILOG if _command is not sandbox else None)(guard(_command))
