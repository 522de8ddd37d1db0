"""Say what went wrong in a line or two, and turn it into an exit code.

====  ========================================================================
code  meaning
====  ========================================================================
0     done
2     usage, configuration, or an output that cannot be written
3     the service refuses the credentials
4     done, but records may be missing or could not be read
5     the service or the network failed, or there is no such record
70    a mistake in this program
129   stopped by SIGHUP
130   interrupted
141   whoever read the output has closed it
143   stopped by SIGTERM
====  ========================================================================
"""

from __future__ import annotations

import functools
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any, ParamSpec

from trtc_records import (
    APIError,
    AuthenticationError,
    CallRecordsError,
    CallRecordsWarning,
    ConfigurationError,
    IncompleteWalkWarning,
)
from trtc_records.cli._output import Colour, say
from trtc_records.cli._streams import drop_unwritten

__all__ = ["CommandError", "ExitCode", "explain_writing", "guard", "report", "show_warnings"]

Arguments = ParamSpec("Arguments")


class ExitCode(IntEnum):
    """Name how a command ended."""

    DONE = 0
    USAGE = 2
    CREDENTIALS = 3
    INCOMPLETE = 4
    SERVICE = 5
    BUG = 70
    INTERRUPTED = 130
    CLOSED_PIPE = 141


class CommandError(Exception):
    """A command cannot do what it was asked to, for a reason that stands outside the service."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def guard(command: Callable[Arguments, ExitCode]) -> Callable[Arguments, ExitCode]:
    """Wrap *command*, so that what it raises becomes a line or two and an exit code."""

    @functools.wraps(command)
    def guarded(*args: Arguments.args, **kwargs: Arguments.kwargs) -> ExitCode:
        try:
            code = command(*args, **kwargs)
            sys.stdout.flush()
        except Exception as error:  # noqa: BLE001  (a traceback tells the user nothing)
            return report(error)
        return code

    return guarded


@contextmanager
def explain_writing(target: object) -> Iterator[None]:
    """Turn what the system says against writing to *target* into a line that names it; a closed pipe stays one.

    The client's own failures are no ``OSError``.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CommandError(f"cannot write {target}: {error.strerror or error}", "choose another --output") from error


@contextmanager
def show_warnings() -> Iterator[Callable[[], ExitCode]]:
    """Show the library's warnings as lines; yield what tells whether one of them makes the result incomplete."""
    code = ExitCode.DONE

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        nonlocal code
        say(f"warning: {message}", colour=Colour.YELLOW)
        if issubclass(category, IncompleteWalkWarning):
            code = ExitCode.INCOMPLETE

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", CallRecordsWarning)
        warnings.showwarning = show
        yield lambda: code


def report(error: Exception) -> ExitCode:
    """Say what went wrong, unless it is a closed pipe, and return the exit code."""
    drop_unwritten(sys.stdout)
    return ExitCode.CLOSED_PIPE if isinstance(error, BrokenPipeError) else _explain(error)


def _explain(error: Exception) -> ExitCode:
    match error:
        case CommandError():
            say(str(error), error.hint)
            return ExitCode.USAGE
        case ConfigurationError():
            say(str(error), "trtc-records --help names the environment variables; export --sandbox needs no account")
            return ExitCode.USAGE
        case APIError():
            say(str(error).removesuffix(f". {error.hint}"), error.hint)
            return ExitCode.CREDENTIALS if isinstance(error, AuthenticationError) else ExitCode.SERVICE
        case CallRecordsError():
            say(str(error))
            return ExitCode.SERVICE
        case OSError():
            say(f"cannot write: {error.strerror or error}")
            return ExitCode.USAGE
        case _:
            place = traceback.extract_tb(error.__traceback__)[-1]
            say(
                f"{type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})",
                "this is a mistake in trtc-records; please report it with the line above",
            )
            return ExitCode.BUG
