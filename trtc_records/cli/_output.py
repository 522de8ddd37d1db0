"""Print messages on stderr, in colour on a terminal; no more than the user wants."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TextIO

from trtc_records.cli._streams import drop_unwritten
from trtc_records.cli._times import show_time

__all__ = [
    "Colour",
    "LogLevel",
    "configure_output",
    "fit_encoding",
    "flatten",
    "is_quiet",
    "note",
    "paint",
    "restore_output",
    "say",
]

_quiet: Final[ContextVar[bool]] = ContextVar("quiet", default=False)
_logger: Final = logging.getLogger("trtc_records")
"""The library's own logger; loggers of the layers below may show whole URLs, and the credential is in them."""


class Colour(StrEnum):
    """A terminal's code for a colour."""

    RED = "31"
    GREEN = "32"
    YELLOW = "33"
    BOLD = "1"


class LogLevel(StrEnum):
    """The lowest level of the library's log to show."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def configure_output(*, quiet: bool, log_level: LogLevel | None) -> None:
    """Set how much to show on stderr, until :func:`restore_output` ends.

    Args:
        quiet: Whether to show only warnings and errors.
        log_level: The lowest level of the library's log to show; ``None`` shows no log.
    """
    _quiet.set(quiet)
    if log_level is not None:
        handler = logging.StreamHandler()
        handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        _logger.addHandler(handler)
        _logger.setLevel(log_level.upper())


@contextmanager
def restore_output() -> Iterator[None]:
    """Undo :func:`configure_output` at the end of a ``with`` block."""
    token, handlers, level = _quiet.set(False), [*_logger.handlers], _logger.level
    try:
        yield
    finally:
        _logger.handlers[:] = handlers
        _logger.setLevel(level)
        _quiet.reset(token)


def is_quiet() -> bool:
    """Return whether the user wants only warnings and errors."""
    return _quiet.get()


def say(text: str, hint: str = "", *, colour: Colour = Colour.RED) -> None:
    """Print one line on stderr, and a second one with a remedy.

    Args:
        text: The message.
        hint: The remedy; none by default.
        colour: The colour of the command's name on a terminal.
    """
    _print_aside(f"{paint('trtc-records:', colour, sys.stderr)} {flatten(text)}")
    if hint:
        _print_aside(f"{paint('hint:', Colour.BOLD, sys.stderr)} {flatten(hint)}")


def note(text: str) -> None:
    """Print a line on stderr, unless the user wants only warnings and errors."""
    if not is_quiet():
        _print_aside(text)


def _print_aside(text: str) -> None:
    """Print *text* on stderr; where it cannot be written, the command goes on without it."""
    try:
        print(text, file=sys.stderr)
    except OSError:
        drop_unwritten(sys.stderr)


def paint(text: str, colour: Colour, stream: TextIO) -> str:
    """Return *text* in *colour* where *stream* is a terminal that shows colours, and ``NO_COLOR`` is not set."""
    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"


def flatten(text: str) -> str:
    """Return *text* on one line: a server's text may hold line feeds and terminal escapes."""
    return "".join(character if character.isprintable() else " " for character in text)


def fit_encoding(text: str) -> str:
    """Return *text* with a question mark for each character that stdout's encoding lacks."""
    encoding = sys.stdout.encoding
    # A StringIO has none, and takes every character.
    return text.encode(encoding, "replace").decode(encoding) if encoding else text


class _Formatter(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        return show_time(datetime.fromtimestamp(record.created, UTC))

    def format(self, record: logging.LogRecord) -> str:
        return flatten(super().format(record))
