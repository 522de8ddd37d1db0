"""Options that commands share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import attrs
import typer

from trtc_records import CallResult, CallType, Service
from trtc_records._api.query import RETENTION
from trtc_records.cli._errors import CommandError
from trtc_records.cli._output import LogLevel
from trtc_records.cli._times import read_ago, read_seconds, read_time, show_time

__all__ = [
    "CallIdArgument",
    "Log",
    "PageSize",
    "Pseudonymize",
    "Quiet",
    "Result",
    "SandboxFlag",
    "ServiceOption",
    "Since",
    "Type",
    "Until",
    "Window",
    "go_back",
    "make_choice_option",
    "make_earlier_window",
    "make_window",
    "read_duration",
    "read_end",
    "read_length",
    "read_start",
    "read_zone",
]

_DAY: Final = timedelta(days=1)


def read_start(text: str, *, into_day: timedelta = timedelta()) -> datetime:
    """Read a time: ``24h`` (ago), ``2026-01-31``, ``2026-01-31T08:30+08:00``.

    Args:
        text: The text to read.
        into_day: The time that a date without a time means, from the first second of its day, the default.

    Raises:
        typer.BadParameter: It is not one.
    """
    try:
        return read_time(text, datetime.now(UTC), into_day=into_day)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def read_end(text: str) -> datetime:
    """Read the end of a window that lies outside, as :func:`read_start` does; a date means the end of its day.

    Raises:
        typer.BadParameter: It is not one.
    """
    return read_start(text, into_day=_DAY)


def _read_last(text: str) -> datetime:
    return read_start(text, into_day=_DAY - timedelta(seconds=1))


def read_length(text: str) -> timedelta:
    """Read a length of time: ``90m``, ``24h``, ``7d``.

    Raises:
        typer.BadParameter: It is not one.
    """
    try:
        return read_ago(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def read_duration(text: str) -> timedelta:
    """Read a length of time, or a number of seconds: ``10s``, ``24h``, ``2.5``.

    Raises:
        typer.BadParameter: It is neither.
    """
    return read_seconds(text) or read_length(text)


def read_zone(name: str) -> tzinfo:
    """Read the name of a time zone.

    Raises:
        typer.BadParameter: This system knows no such zone.
    """
    if name.upper() == "UTC":
        return UTC  # which needs no time zone database
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise typer.BadParameter(
            f"'{name}' is not a time zone that this system knows: write UTC or Asia/Singapore"
        ) from None


def make_choice_option(choices: type[StrEnum], *names: str, metavar: str, help_text: str, **more: Any) -> Any:
    """Return an option that takes a member of *choices*, in any spelling, and that shells complete.

    Args:
        choices: The values that the option takes.
        names: The option's names; by default its parameter's.
        metavar: The value's name in help.
        help_text: The option's help; the choices are added.
        more: Further arguments of ``typer.Option``.
    """

    def read(text: str) -> StrEnum:
        plain = text.replace("-", "").replace("_", "").lower()
        for choice in choices:
            if plain == choice.lower():
                return choice
        raise typer.BadParameter(f"'{text}' is not one of {', '.join(choices)}")

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
        parser=read_start,
        metavar="TIME",
        help="Only calls that started at this time or later: 24h (ago), 7d, 2026-01-31 (its first second), "
        "2026-01-31T08:30+08:00; UTC if it has no offset. By default all that the service keeps, 7 days.",
    ),
]
Until = Annotated[
    datetime | None,
    typer.Option(
        parser=_read_last,
        metavar="TIME",
        help="Only calls that started at this time or earlier, written like --since; a date means its last second. "
        "By default now.",
    ),
]
Result = Annotated[
    CallResult | None,
    make_choice_option(CallResult, metavar="RESULT", help_text="Only calls with this result"),
]
Type = Annotated[
    CallType | None,
    make_choice_option(CallType, "--type", metavar="TYPE", help_text="Only calls of this type"),
]
PageSize = Annotated[int, typer.Option(min=1, metavar="N", help="Records per request; the service may return fewer.")]
Pseudonymize = Annotated[
    bool,
    typer.Option(
        "--pseudonymize",
        help="Replace user ids and room ids by pseudonyms under the key in TRTC_PSEUDONYM_KEY, and leave out unknown "
        "fields.",
    ),
]
SandboxFlag = Annotated[
    bool, typer.Option("--sandbox", help="Read made-up calls from a local sandbox; needs no account.")
]
ServiceOption = Annotated[
    Service | None,
    make_choice_option(
        Service,
        "--service",
        metavar="SERVICE",
        help_text="Service to read, by default that of TRTC_SERVICE. Calls that TUICallKit.call() or groupCall() "
        "started are kept by legacy, the older one. One of",
    ),
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
    """The time window of the records to read."""

    since: datetime | None
    until: datetime
    ends_now: bool = False
    """Whether no end was given: the client then ends the window by the service's clock."""

    def shift(self, lead: float) -> Window:
        """Return the window that the client read, by a service's clock with that *lead* in seconds."""
        return attrs.evolve(self, until=self.until + timedelta(seconds=round(lead))) if self.ends_now else self

    def __str__(self) -> str:
        if self.since is None:
            return f"the 7 days that the service keeps, to {show_time(self.until)}"
        return f"{show_time(self.since)} to {show_time(self.until)}"


def make_window(since: datetime | None, until: datetime | None, *, expires: bool = True) -> Window:
    """Return the window between two options, with a fixed end.

    Args:
        since: Its start; ``None`` for none.
        until: Its end; ``None`` for now.
        expires: Whether the records are the service's, which keeps them for 7 days.

    Raises:
        CommandError: The window cannot contain a record.
    """
    now = datetime.now(UTC)
    end = now if until is None else until
    if since is not None and since > end:
        if until is None:
            raise CommandError(f"--since {show_time(since)} lies in the future")
        raise CommandError(f"--since {show_time(since)} is after --until {show_time(end)}", "swap them")
    if since is not None and end - since < timedelta(seconds=1):
        raise CommandError(
            f"--since {show_time(since)} is not before the end of the window",
            "write 24h, or dates: --since 2026-01-31 --until 2026-01-31 is a whole day",
        )
    if expires and end < now - timedelta(seconds=RETENTION):
        raise CommandError(
            f"--until {show_time(end)} is before the 7 days that the service keeps",
            "leave it out, or choose a later time",
        )
    return Window(since, end, ends_now=until is None)


def go_back(moment: datetime, length: timedelta) -> datetime:
    """Return the time that lies *length* before *moment*.

    Raises:
        CommandError: The calendar does not go back so far.
    """
    try:
        return moment - length
    except OverflowError:
        raise CommandError("--compare leads to a time before the year 1", "write 7d") from None


def make_earlier_window(window: Window, length: timedelta, *, expires: bool = True) -> Window:
    """Return *window* shifted back by *length*; the two share no second.

    Args:
        window: A window with a start; one without has no length, and is its end.
        length: The value of ``--compare``.
        expires: Whether the records are the service's, which keeps them for 7 days.

    Raises:
        CommandError: The windows would overlap, or the earlier one cannot contain a record.
    """
    start = window.until if window.since is None else window.since
    since, until = go_back(start, length), go_back(window.until, length)
    if until >= start + timedelta(seconds=1):
        raise CommandError(
            "--compare is shorter than the window, so that the two would overlap",
            "write a longer one, or a later --since",
        )
    until = min(until, go_back(start, timedelta(microseconds=1)))
    if expires and until < datetime.now(UTC) - timedelta(seconds=RETENTION):
        raise CommandError(
            f"--compare needs calls from {show_time(since)} to {show_time(until)}, and the service keeps 7 days",
            "compare shorter windows, as by --since 1d --compare 1d, or read an archive with --input DIR",
        )
    return Window(since, until)
