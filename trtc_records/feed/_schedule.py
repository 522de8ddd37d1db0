"""The windows of a feed, and the times at which each is read again.

A record can be read five seconds after its call ended, but it is found by the time at which the call started. A short
window, read often, finds short calls; a longer one, read less often, finds longer calls. Every window ends now, because
Tencent does not document whether a query compares with the start or the end of a call.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import attrs

from trtc_records._api.query import RETENTION
from trtc_records._errors import ConfigurationError, shorten

__all__ = ["SLACK", "Window", "check_lookback", "make_windows"]

SLACK: Final = 15
"""Seconds by which a window begins earlier than it must: those until a record can be read, and some to be late."""

_SHORTEST: Final = 300
"""Seconds of the longest call that the shortest window finds."""

_GROWTH: Final = 2
_SHARE: Final = 8
"""A call may be found later than its end by this part of its length."""


def check_lookback(value: object) -> float:
    """Return the seconds of *lookback*.

    Raises:
        ConfigurationError: It is no timedelta above 0 and up to 7 days.
    """
    if not isinstance(value, timedelta) or not 0 < value.total_seconds() <= RETENTION:
        raise ConfigurationError(f"lookback={shorten(value)}: pass a timedelta above 0, 7 days at most")
    return value.total_seconds()


@attrs.define(eq=False)
class Window:
    """A window that is read again and again."""

    span: float
    """Seconds of the longest call that it finds."""
    period: float
    """Seconds from one reading to the next."""
    due_at: float
    """The time of the next reading, on the event loop's clock."""
    read_at: float
    """The time at which the last complete reading began, on the event loop's clock."""
    pages: int = 0
    """Pages of the last reading."""
    was_incomplete: bool = False
    """Whether the last reading may have missed records."""


def make_windows(lookback: float, interval: float, now: float) -> list[Window]:
    """Return the windows, shortest first: a call of length D is found within *interval* + D/8 of its appearance.

    Args:
        lookback: Seconds of the longest call that is to be found.
        interval: Seconds between readings of the shortest window.
        now: The event loop's time, at which all are due.
    """
    windows = []
    shorter, span = 0.0, min(float(_SHORTEST), lookback)
    while True:
        windows.append(Window(span, interval + shorter / _SHARE, now, now))
        if span >= lookback:
            return windows
        shorter, span = span, min(span * _GROWTH, lookback)
