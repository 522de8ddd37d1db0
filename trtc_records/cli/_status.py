"""Show the state of a feed on stderr: its troubles as they change, and on a terminal a line that is kept up to date."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from trtc_records import CallRecord, CallRecordsError
from trtc_records.cli._output import Colour, is_quiet, note, say
from trtc_records.summary import show_length

__all__ = ["Status", "show_log", "show_troubles"]

_INTERVAL: Final = 1.0  # seconds between two drawings
_WIDTH: Final = 80  # columns of a terminal that does not know
_CLEAR: Final = "\r\x1b[2K"
_logger: Final = logging.getLogger("trtc_records")


class Status:
    """The last line of a terminal, with the number of calls given; nothing in a pipe or with ``--quiet``."""

    def __init__(self) -> None:
        self._count = 0
        self._last: datetime | None = None
        self._is_shown = sys.stderr.isatty() and not is_quiet() and os.environ.get("TERM") != "dumb"
        self._timer: asyncio.TimerHandle | None = None

    def add(self, record: CallRecord) -> None:
        """Count a call that was given."""
        self._count += 1
        self._last = record.end_time or self._last

    @contextmanager
    def show(self) -> Iterator[None]:
        """Draw the line every second in the length of a ``with`` block in an event loop; then clear it."""
        self._draw()
        try:
            yield
        finally:
            self._clear()

    @contextmanager
    def hide(self) -> Iterator[None]:
        """Clear the line for the length of a ``with`` block, which writes to the terminal."""
        self._clear()
        try:
            yield
        finally:
            self._draw()

    def _draw(self) -> None:
        if self._is_shown:
            # Other messages begin where the line does, and replace it.
            self._print(f"{_CLEAR}{self._make_text()[: self._get_width()]}\r")
            self._timer = asyncio.get_running_loop().call_later(_INTERVAL, self._draw)

    def _clear(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._print(_CLEAR)

    def _make_text(self) -> str:
        calls = "1 call" if self._count == 1 else f"{self._count:,} calls"
        if self._last is None:
            return f"{calls} so far; waiting for calls to end"
        ago = show_length(max(datetime.now(UTC) - self._last, self._last - self._last))
        return f"{calls} so far; the last ended {self._last.astimezone(UTC):%H:%M:%S} UTC, {ago} ago"

    def _get_width(self) -> int:
        try:
            return (os.get_terminal_size(sys.stderr.fileno()).columns or _WIDTH) - 1
        except OSError:
            return _WIDTH - 1

    def _print(self, text: str) -> None:
        try:
            print(text, end="", file=sys.stderr, flush=True)
        except OSError:  # a terminal that has gone fails no command
            self._is_shown = False


class _Handler(logging.Handler):
    def __init__(self, show: Callable[[logging.LogRecord], object]) -> None:
        super().__init__(logging.WARNING)
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        self._show(record)


@contextmanager
def _handling(show: Callable[[logging.LogRecord], object]) -> Iterator[None]:
    handler = _Handler(show)
    _logger.addHandler(handler)
    try:
        yield
    finally:
        _logger.removeHandler(handler)


@contextmanager
def show_log() -> Iterator[None]:
    """Print each warning in the library's log."""
    with _handling(lambda record: say(f"warning: {record.getMessage()}", colour=Colour.YELLOW)):
        yield


@contextmanager
def show_troubles() -> Iterator[None]:
    """Print the reason why a feed cannot be read, once until it changes, and the end of the trouble."""
    current: object = None

    def show(record: logging.LogRecord) -> None:
        nonlocal current
        if not hasattr(record, "trtc_trouble"):
            return
        error: CallRecordsError | None = record.trtc_trouble
        # The text has a number of the request in it.
        kind = error and (type(error), getattr(error, "code", None), getattr(error, "status_code", None))
        if kind == current:
            return
        current = kind
        if error is None:
            note("trtc-records: calls can be read again")
        else:
            say(f"warning: calls cannot be read, and are tried again and again: {error}", colour=Colour.YELLOW)

    with _handling(show):
        yield
