"""Print errors and warnings, and turn them into an exit code."""

from __future__ import annotations

import functools
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, ParamSpec

from trtc_records import (
    APIError,
    AuthenticationError,
    CallRecordsError,
    CallRecordsWarning,
    ConfigurationError,
    IncompleteWalkWarning,
    RetentionWarning,
)
from trtc_records.cli._exit_codes import ExitCode
from trtc_records.cli._output import Colour, say
from trtc_records.cli._streams import drop_unwritten

__all__ = [
    "CommandError",
    "explain_configuration",
    "explain_writing",
    "guard",
    "report",
    "show_warnings",
]

Arguments = ParamSpec("Arguments")

_SHELL_NAMES: Final = {
    "base_url": "TRTC_BASE_URL",
    "call_id": "CALL_ID",
    "dataset": "--dataset",
    "directory": "DIR",
    "end_time": "--until",
    "identifier": "TRTC_IDENTIFIER",
    "interval": "--interval",
    "lifetime": "--lifetime",
    "lookback": "--lookback",
    "overlap": "--overlap",
    "page_size": "--page-size",
    "path": "--state",
    "proxy": "HTTPS_PROXY or ALL_PROXY",
    "pseudonyms": "--pseudonymize",
    "region": "TRTC_REGION",
    "sdk_app_id": "TRTC_SDK_APP_ID",
    "secret_key": "TRTC_SECRET_KEY",
    "service": "TRTC_SERVICE",
    "since": "--since",
    "start_time": "--since",
    "to": "--to or TRTC_SYNC_TO",
    "until": "--until",
    "url": "TRTC_REDIS_URL",
    "user_sig": "TRTC_USER_SIG",
}
"""Names in a shell for the library's arguments, with which its messages begin."""


class CommandError(Exception):
    """A reason outside the service why a command cannot do its work."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def guard(command: Callable[Arguments, ExitCode]) -> Callable[Arguments, ExitCode]:
    """Wrap *command*, so that an exception becomes a short message and an exit code."""

    @functools.wraps(command)
    def guarded(*args: Arguments.args, **kwargs: Arguments.kwargs) -> ExitCode:
        try:
            code = command(*args, **kwargs)
            sys.stdout.flush()
        except Exception as error:  # noqa: BLE001  (a traceback does not help the user)
            return report(error)
        return code

    return guarded


@contextmanager
def explain_writing(target: object, option: str = "--output") -> Iterator[None]:
    """Turn an ``OSError`` into a :class:`CommandError` that names *target*, except where a pipe is closed.

    The client's own errors stay as they are.
    """
    try:
        yield
    except (BrokenPipeError, CallRecordsError):
        raise
    except OSError as error:
        raise CommandError(f"cannot write {target}: {error.strerror or error}", f"choose another {option}") from error


@contextmanager
def show_warnings(on_missing: Callable[[str], object] | None = None) -> Iterator[Callable[[], ExitCode]]:
    """Print the library's warnings, a line each; yield a function that returns the exit code that they call for.

    Args:
        on_missing: Called with the text of each warning that says that records may be missing; by default nothing is.
    """
    code = ExitCode.DONE

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        nonlocal code
        say(f"warning: {message}", colour=Colour.YELLOW)
        if issubclass(category, IncompleteWalkWarning):
            code = ExitCode.INCOMPLETE
        if on_missing is not None and issubclass(category, IncompleteWalkWarning | RetentionWarning):
            on_missing(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", CallRecordsWarning)
        warnings.showwarning = show
        yield lambda: code


def explain_configuration(error: ConfigurationError) -> list[tuple[str, str]]:
    """Return the problems that *error* names and their remedies, in a shell's terms."""
    problems = []
    for problem in re.split(r"; (?=TRTC_)", str(error)):
        text = re.sub(r": set it, or pass \w+=( or \w+=)?$", "", problem)
        text, *remedies = re.split(r"[:;] (?:pass|set it to) ", text, maxsplit=1)
        if remedies and not re.search(r": | cannot | is | holds ", text):
            text += " cannot be used"
        name = re.match(r"\w*", text)[0]  # type: ignore[index]  # matches everything
        shown = _SHELL_NAMES.get(name, name)
        verb = "pass" if shown.startswith(("--", "CALL_ID", "DIR")) else "set it to"
        problems.append((shown + text.removeprefix(name), "".join(f"{verb} {remedy}" for remedy in remedies)))
    last, remedy = problems[-1]
    if not remedy and last.startswith("TRTC_"):
        problems[-1] = (last, "trtc-records --help lists the environment variables; export --sandbox needs no account")
    return problems


def report(error: Exception) -> ExitCode:
    """Print *error*, unless it is a closed pipe, and return the exit code."""
    drop_unwritten(sys.stdout)
    return ExitCode.CLOSED_PIPE if isinstance(error, BrokenPipeError) else _explain(error)


def _explain(error: Exception) -> ExitCode:
    match error:
        case CommandError():
            say(str(error), error.hint)
            return ExitCode.USAGE
        case ConfigurationError():
            for problem, remedy in explain_configuration(error):
                say(problem, remedy)
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
                "this is a bug in trtc-records; please report it with the line above",
            )
            return ExitCode.BUG
