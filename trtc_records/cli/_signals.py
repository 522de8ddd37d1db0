"""Signals: every command cleans up after the first one; a feed first brings its record in hand to an end.

State: the commands that come to an end by themselves. All that touches them is in this file.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

__all__ = ["Stop", "interrupt_at_signals", "stop_at_signals"]

_STOP_SIGNALS: Final = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]

_stops: Final[list[Stop]] = []


@contextmanager
def interrupt_at_signals() -> Iterator[Callable[[], int | None]]:
    """Have SIGTERM and SIGHUP clean up as Ctrl-C does; yield a function that returns the one that came, if any.

    Only the first one counts, as a job runner may send both, and a second one would end the cleaning. A signal that is
    ignored, as ``nohup`` has it, stays ignored.
    """
    received: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        if received:
            return
        received.append(number)
        if _stops:
            _stops[-1].take(number)
            return
        handler = signal.getsignal(signal.SIGINT)  # asyncio's, where it runs: it cancels the task
        (handler if callable(handler) else signal.default_int_handler)(number, frame)

    with _handling(interrupt, _STOP_SIGNALS):
        yield lambda: next(iter(received), None)


class Stop:
    """The signal that asks a command to come to an end, if one came."""

    def __init__(self) -> None:
        self.number: int | None = None
        """The signal."""
        self._on_stop: Callable[[], object] | None = None

    def take(self, number: int) -> None:
        """Note the first signal."""
        if self.number is None:
            self.number = number
            if self._on_stop is not None:
                self._on_stop()

    @contextmanager
    def calling(self, on_stop: Callable[[], object]) -> Iterator[None]:
        """Call a function when a signal comes during a ``with`` block, or at its start if one has come already.

        Args:
            on_stop: Called in the main thread at any moment of its work.
        """
        self._on_stop = on_stop
        if self.number is not None:
            on_stop()
        try:
            yield
        finally:
            self._on_stop = None


@contextmanager
def stop_at_signals() -> Iterator[Stop]:
    """Note a signal for the length of a ``with`` block, instead of an interruption; a second Ctrl-C interrupts."""
    stop = Stop()

    def press(number: int, frame: FrameType | None) -> None:
        if stop.number == number:
            signal.default_int_handler(number, frame)
        stop.take(number)

    _stops.append(stop)
    try:
        with _handling(press, [signal.SIGINT]):
            yield stop
    finally:
        _stops.remove(stop)


@contextmanager
def _handling(handler: Callable[[int, FrameType | None], Any], numbers: list[int]) -> Iterator[None]:
    """Set *handler* for the signals that are not ignored, as far as Python can set handlers here."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in numbers:
            # None is a handler of C code, which Python could not restore.
            if signal.getsignal(number) not in {signal.SIG_IGN, None}:
                before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
