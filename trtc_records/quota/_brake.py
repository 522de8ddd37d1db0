"""A slow-down after the service has refused requests for quota, which means that another process uses the same quota.

From full speed the rate falls to a half, so that two processes begin with equal shares. A lower rate falls by little,
and by more where the slower pace is refused as well. Then it rises, ever faster: it stays near the rate that the
service accepts, and is back at full speed within 12 seconds when the other process has ended.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from typing import Final

__all__ = ["Brake"]

_WINDOW: Final = 1.0  # seconds: that in which the service counts
_HALF: Final = 0.48  # of the full rate, for twice that is to fit into the quota
_SHARE_KEPT: Final = 0.88
"""Of a rate below the full one. With 0.8, two processes use a twentieth less of the quota; with 0.93, more requests are
refused, and the shares take longer to become equal."""
_SHARE_KEPT_FAR_ABOVE: Final = 0.4
"""The same if requests at that rate were refused within its first second. With 0.5, some walks that others leave only
10 calls a second fail: requests use up their attempts."""
_FEW: Final = 30  # permits in a second, or at a low rate half of it: fewer do not show a rate
_LEAST_SHARE: Final = 0.02
_RISE: Final = (14.0, 3)
"""Seconds in which the rate would rise from none to the full one, and the power of the time with which it rises. Two
processes then exceed the quota every six seconds. With a higher power one of them takes what the other one gives up."""


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
        self._is_refused_again = False
        self._permits: deque[float] = deque()

    def slow_down(self, now: float) -> None:
        """Pause, and go on at a lower rate; further calls within a second change nothing."""
        with self._lock:
            since = now - self._slowed_at
            if since < _WINDOW:
                self._is_refused_again = True
                return
            self._forget(now)
            if self._permits:  # those of the second before may have used up the service's second
                self._next_at = self._permits[0] + _WINDOW
            share, permits = self._share_at(now), len(self._permits)
            if share < 1.0:
                is_far_above = self._is_refused_again and since < 2 * _WINDOW
                kept = _SHARE_KEPT_FAR_ABOVE if is_far_above else _SHARE_KEPT
                self._share = max(share * kept, _LEAST_SHARE)
            elif permits >= self._few:
                kept = _HALF
                self._share = min(kept, permits / _WINDOW / self._rate * _SHARE_KEPT)
            else:
                return
            # As many permits leave the service's second meanwhile as the lower rate is to give fewer.
            self._next_at = max(self._next_at, now + (1.0 - kept) * _WINDOW)
            self._slowed_at = now
            self._is_refused_again = False

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
        seconds, power = _RISE
        return min(1.0, self._share + max((now - self._slowed_at) / seconds, 0.0) ** power)
