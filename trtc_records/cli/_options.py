"""Options that commands share."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, TypeVar

import attrs
import typer

from trtc_records import CallResult, CallType
from trtc_records.cli._errors import CommandError
from trtc_records.cli._times import read_time, show_time

__all__ = ["CallIdArgument", "PageSize", "Result", "Since", "Type", "Until", "Window", "make_window"]

Choice = TypeVar("Choice", bound=StrEnum)


def _read_option_time(text: str) -> datetime:
    try:
        return read_time(text, datetime.now(UTC))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _read_result(text: str) -> CallResult:
    return _read_choice(text, CallResult)


def _read_type(text: str) -> CallType:
    return _read_choice(text, CallType)


def _read_choice(text: str, choices: type[Choice]) -> Choice:
    plain = text.replace("-", "").replace("_", "").lower()
    for choice in choices:
        if plain == choice.lower():
            return choice
    raise typer.BadParameter(f"'{text}' is none of {', '.join(choices)}")


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
    typer.Option(parser=_read_result, metavar="RESULT", help=f"Only calls that ended so: {', '.join(CallResult)}."),
]
Type = Annotated[
    CallType | None,
    typer.Option("--type", parser=_read_type, metavar="TYPE", help=f"Only calls of this type: {', '.join(CallType)}."),
]
PageSize = Annotated[
    int, typer.Option(min=1, metavar="N", help="Records to ask for per request; the service may give fewer.")
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
        CommandError: It is empty.
    """
    now = datetime.now(UTC)
    end = now if until is None else until
    if since is not None and since > end:
        if until is None:
            raise CommandError(f"--since {show_time(since)} lies in the future")
        raise CommandError(f"--since {show_time(since)} is after --until {show_time(end)}", "swap them")
    return Window(since, end)
