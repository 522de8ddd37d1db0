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
_SHARE_KEPT: Final = 0.8  # of the rate of the last second
_SHARE_KEPT_FAR_ABOVE: Final = 0.4
_FAR_ABOVE: Final = 3
"""Calls that change nothing, from which the rate is far above what the service accepts: few come by chance."""
_FEW: Final = 30
"""Permits in a second: fewer do not show a rate, or at a low rate fewer than half of it. Then the rate is that of the
brake, if it has slowed down before."""
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
        self._few = min(_FEW, rate / 2)
        self._lock = threading.Lock()
        self._share = 1.0
        self._next_at = 0.0
        self._slowed_at = -math.inf
        self._calls = 0
        self._permits: deque[float] = deque()

    def slow_down(self, now: float) -> None:
        """Pause, and go on at a lower rate; further calls within a second change nothing."""
        with self._lock:
            if now < self._slowed_at + _WINDOW:
                self._calls += 1
                return
            self._forget(now)
            self._next_at = now + _PAUSE
            if self._permits:  # those of the second before may have used up the service's second
                self._next_at = max(self._next_at, self._permits[0] + _WINDOW)
            share, permits = self._share_at(now), len(self._permits)
            shows_rate = permits >= self._few
            if shows_rate or share < 1.0:
                share = min(share, permits / _WINDOW / self._rate) if shows_rate else share
                kept = _SHARE_KEPT if self._calls < _FAR_ABOVE else _SHARE_KEPT_FAR_ABOVE
                self._share = max(share * kept, _LEAST_SHARE)
                self._calls = 0
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
