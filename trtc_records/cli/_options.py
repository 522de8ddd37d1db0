"""Options that commands share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final

import attrs
import typer

from trtc_records import CallResult, CallType
from trtc_records.cli._errors import CommandError
from trtc_records.cli._output import LogLevel
from trtc_records.cli._times import read_ago, read_time, show_time

__all__ = [
    "CallIdArgument",
    "Log",
    "PageSize",
    "Quiet",
    "Result",
    "SandboxFlag",
    "Since",
    "Type",
    "Until",
    "Window",
    "make_choice_option",
    "make_window",
    "read_length",
]


_KEPT_DAYS: Final = 7


def _read_option_time(text: str) -> datetime:
    try:
        return read_time(text, datetime.now(UTC))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def read_length(text: str) -> timedelta:
    """Read a length of time: ``90m``, ``24h``, ``7d``.

    Raises:
        typer.BadParameter: It is none.
    """
    try:
        return read_ago(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def make_choice_option(choices: type[StrEnum], *names: str, metavar: str, help_text: str, **more: Any) -> Any:
    """Return an option that takes a member of *choices*, however it is spelled, and that shells complete.

    Args:
        choices: What there is to choose from.
        names: What the option is called; by default as its parameter.
        metavar: What stands for the value in help.
        help_text: What it is for; the choices are added.
        more: What else Typer is to know.
    """

    def read(text: str) -> StrEnum:
        plain = text.replace("-", "").replace("_", "").lower()
        for choice in choices:
            if plain == choice.lower():
                return choice
        raise typer.BadParameter(f"'{text}' is none of {', '.join(choices)}")

    return typer.Option(
        *names,
        parser=read,
        metavar=metavar,
        help=f"{help_text}: {', '.join(choices)}.",
        autocompletion=lambda: [choice.value for choice in choices],
        **more,
    )


Since = Annotated[
    datetime | None,
    typer.Option(
        parser=_read_option_time,
        metavar="TIME",
        help="Only calls started since then: 24h, 7d, 2026-01-31, 2026-01-31T08:30+08:00 (UTC without a zone). "
        "By default as far back as the service keeps records, 7 days.",
    ),
]
Until = Annotated[
    datetime | None,
    typer.Option(parser=_read_option_time, metavar="TIME", help="Only calls started until then; by default now."),
]
Result = Annotated[
    CallResult | None,
    make_choice_option(CallResult, metavar="RESULT", help_text="Only calls that ended so"),
]
Type = Annotated[
    CallType | None,
    make_choice_option(CallType, "--type", metavar="TYPE", help_text="Only calls of this type"),
]
PageSize = Annotated[
    int, typer.Option(min=1, metavar="N", help="Records to ask for per request; the service may give fewer.")
]
SandboxFlag = Annotated[
    bool, typer.Option("--sandbox", help="Read made-up calls from an embedded sandbox; needs no account.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show only warnings and errors.")]
Log = Annotated[
    LogLevel | None,
    make_choice_option(
        LogLevel,
        "--log-level",
        metavar="LEVEL",
        help_text="Show the library's log from this level on",
    ),
]
CallIdArgument = Annotated[str, typer.Argument(metavar="CALL_ID", help="The call's id.", show_default=False)]


@attrs.frozen
class Window:
    """Hold the time for which records are asked."""

    since: datetime | None
    until: datetime

    def __str__(self) -> str:
        if self.since is None:
            return f"the 7 days that the service keeps, to {show_time(self.until)}"
        return f"{show_time(self.since)} to {show_time(self.until)}"


def make_window(since: datetime | None, until: datetime | None) -> Window:
    """Return the window between two options, its end fixed.

    Raises:
        CommandError: Nothing can be in it.
    """
    now = datetime.now(UTC)
    end = now if until is None else until
    if since is not None and since > end:
        if until is None:
            raise CommandError(f"--since {show_time(since)} lies in the future")
        raise CommandError(f"--since {show_time(since)} is after --until {show_time(end)}", "swap them")
    if since is None and end < now - timedelta(days=_KEPT_DAYS):
        raise CommandError(
            f"--until {show_time(end)} is before what the service keeps, {_KEPT_DAYS} days",
            "leave it out, or choose a later time",
        )
    return Window(since, end)
