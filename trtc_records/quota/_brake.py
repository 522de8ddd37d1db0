"""A slow-down after the service refuses for quota, which means that another process uses the same quota.

A refusal stops all permits for a second, the service's window, and then halves the rate. From there the rate
rises step by step to the full one.
"""

from __future__ import annotations

import threading
from typing import Final

__all__ = ["BACK_OFF", "LEAST_SHARE", "PAUSE", "RECOVERY", "Brake"]

PAUSE: Final = 1.0
"""Seconds: the window in which the service counts."""
BACK_OFF: Final = 0.5
RECOVERY: Final = 0.05
"""Share of the full rate by which the rate rises per second: from half to full in 10 seconds."""
LEAST_SHARE: Final = 0.02


class Brake:
    """The wait, after refusals, before the next permit. Times are a monotonic clock's seconds.

    Args:
        rate: Permits per second at full speed.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._share = 1.0
        self._next_at = 0.0
        self._resumed_at = 0.0

    def slow_down(self, now: float) -> None:
        """Stop for a second and go on at half the rate; further calls within that second change nothing."""
        with self._lock:
            if now < self._resumed_at:
                return
            self._share = max(self._share_at(now) * BACK_OFF, LEAST_SHARE)
            self._resumed_at = self._next_at = now + PAUSE

    def take(self, now: float) -> float:
        """Take a permit and return 0, or return the seconds to wait before asking again."""
        with self._lock:
            if now < self._next_at:
                return self._next_at - now
            share = self._share_at(now)
            if share < 1.0:
                self._next_at = now + 1.0 / (self._rate * share)
            return 0.0

    def _share_at(self, now: float) -> float:
        return min(1.0, self._share + RECOVERY * max(now - self._resumed_at, 0.0))
