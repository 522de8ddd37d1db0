"""The service's clock: this machine's, corrected by the Date of the service's answers.

State: the difference between the two. Everything that touches it is in this file.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from trtc_records._api.protocol import read_http_date
from trtc_records._errors import ClockSkewWarning
from trtc_records._warn import warn_caller

__all__ = ["ServiceClock"]

_TOLERANCE: Final = 60.0
"""Seconds of difference that are ignored: more than an answer takes, and as much as a window's margin covers."""


class ServiceClock:
    """The time at the service.

    Args:
        machine_time: Returns this machine's Unix seconds; by default ``time.time``.
    """

    def __init__(self, machine_time: Callable[[], float] | None = None) -> None:
        self.is_known = False
        """Whether an answer has given the service's time."""
        self.offset = 0.0
        """Seconds by which the service's clock is ahead of this machine's; 0 for less than a minute."""
        self._ahead = 0.0
        self._machine_time = machine_time
        self._last_date = ""
        self._has_warned = False

    def now(self) -> float:
        """Return the Unix seconds of the service's clock."""
        return self._read_machine() + self.offset

    def exact(self) -> float:
        """Return the Unix seconds of the service's clock as its answers gave it: up to a second early, never late."""
        return self._read_machine() + self._ahead

    def observe(self, date: str) -> None:
        """Read the ``Date`` header of an answer that has just come; ignore one that cannot be read."""
        if date == self._last_date:
            return
        self._last_date = date
        seconds = read_http_date(date)
        if seconds is None:
            return
        ahead = seconds - self._read_machine()
        self.is_known = True
        self._ahead = ahead
        if abs(ahead - self.offset) >= _TOLERANCE:
            self.offset = ahead if abs(ahead) >= _TOLERANCE else 0.0

    def warn_if_off(self) -> None:
        """Warn, once, if the two clocks differ.

        Warns:
            ClockSkewWarning: They differ by a minute or more.
        """
        if self.offset and not self._has_warned:
            self._has_warned = True
            direction = "behind" if self.offset > 0 else "ahead of"
            warn_caller(
                f"this machine's clock is {abs(self.offset):,.0f} s {direction} the service's: windows and signatures "
                "follow the service's clock. Set the clock of this machine",
                ClockSkewWarning,
            )

    def _read_machine(self) -> float:
        return time.time() if self._machine_time is None else self._machine_time()
