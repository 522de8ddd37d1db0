"""A slow-down after the service has refused requests for quota, which means that another process uses the same quota.

The rate falls below that of the last second, and by more each time as long as the service goes on refusing. From there
it rises again, slowly at first: as long as the other process goes on, each rise ends in further refusals.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from typing import Final

__all__ = ["Brake"]

_WINDOW: Final = 1.0  # seconds: that in which the service counts
_PAUSE: Final = 0.1
"""Seconds without permits, in which the service forgets those that it has refused, where it counts these as well."""
_SHARE_KEPT: Final = 0.8  # of the rate of the last second; less after each further slow-down
_LEAST_KEPT: Final = 0.4
_SOON: Final = 2.5  # seconds in which a further slow-down shows that the rate is still far too high
_FEW: Final = 30
"""Permits in a second, from which no rate follows: then the rate is that of the brake, if it has slowed down before."""
_LEAST_SHARE: Final = 0.02
_RISE: Final = 0.005
"""Share of the full rate by which it rises in the first second; from a half to the full rate in 15 seconds."""
_ACCELERATION: Final = 0.002


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
        self._slowed_at = -math.inf
        self._kept = _SHARE_KEPT
        self._permits: deque[float] = deque()

    def slow_down(self, now: float) -> None:
        """Pause, and go on at a lower rate; further calls within a second change nothing."""
        with self._lock:
            if now < self._slowed_at + _WINDOW:
                return
            self._forget(now)
            self._next_at = now + _PAUSE
            if self._permits:  # those of the second before may have used up the service's second
                self._next_at = max(self._next_at, self._permits[0] + _WINDOW)
            share, permits = self._share_at(now), len(self._permits)
            if permits >= _FEW or share < 1.0:
                rate = self._rate * share if permits < _FEW else min(self._rate * share, permits / _WINDOW)
                self._kept = (
                    max(self._kept * _SHARE_KEPT, _LEAST_KEPT) if now < self._slowed_at + _SOON else _SHARE_KEPT
                )
                self._share = max(rate / self._rate * self._kept, _LEAST_SHARE)
                self._slowed_at = now

    def take(self, now: float) -> float:
        """Take a permit and return 0, or return the seconds to wait before asking again."""
        with self._lock:
            if now < self._next_at:
                return self._next_at - now
            share = self._share_at(now)
            if share < 1.0:
                self._next_at = now + 1.0 / (self._rate * share)
            self._permits.append(now)
            self._forget(now)
            return 0.0

    def _forget(self, now: float) -> None:
        while self._permits and self._permits[0] <= now - _WINDOW:
            self._permits.popleft()

    def _share_at(self, now: float) -> float:
        elapsed = max(now - self._slowed_at, 0.0)
        return min(1.0, self._share + _RISE * elapsed + _ACCELERATION * elapsed**2)
