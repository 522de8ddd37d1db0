"""The quota, counted as the service counts it: on arrival, in a window that slides."""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["Quota"]

_WINDOW: Final = 1.0  # seconds


class Quota:
    """A count of requests in every one-second window, refused ones included.

    Args:
        limit: Requests allowed in any one second; ``None`` counts and allows all.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._arrivals: deque[float] = deque()
        self.counted = 0
        """Requests so far."""
        self.refused = 0
        """Requests over the quota."""
        self.busiest_second = 0
        """The most requests in any one-second window."""

    def admit(self, now: float) -> bool:
        """Count a request and return whether it is within the quota.

        Args:
            now: The time of its arrival, in seconds of a monotonic clock.
        """
        arrivals = self._arrivals
        while arrivals and now - arrivals[0] >= _WINDOW:
            arrivals.popleft()
        arrivals.append(now)
        self.counted += 1
        self.busiest_second = max(self.busiest_second, len(arrivals))
        if self._limit is None or len(arrivals) <= self._limit:
            return True
        self.refused += 1
        return False
