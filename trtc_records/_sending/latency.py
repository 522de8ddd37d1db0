"""An estimate of the service's response time, and so of the requests in flight that use the whole quota."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["Latency"]

# The gains and the spread of TCP's round-trip estimator (RFC 6298).
_MEAN_GAIN: Final = 1 / 8
_DEVIATION_GAIN: Final = 1 / 4

_FAR: Final = 0.25  # seconds


class Latency:
    """The smoothed time from a request's first byte to its response's last."""

    def __init__(self) -> None:
        self._mean: float | None = None
        self._deviation = 0.0

    def add(self, seconds: float) -> None:
        """Take one more measurement, in seconds."""
        if self._mean is None:
            self._mean, self._deviation = seconds, seconds / 2
            return
        self._deviation += _DEVIATION_GAIN * (abs(seconds - self._mean) - self._deviation)
        self._mean += _MEAN_GAIN * (seconds - self._mean)

    @property
    def is_far(self) -> bool:
        """Return whether one more round trip would be noticed."""
        return (self._mean or 0.0) > _FAR

    def requests_in_flight(self, rate: float) -> int:
        """Return the number of requests in flight that sends *rate* per second."""
        return 2 + math.ceil(rate * ((self._mean or 0.0) + 2 * self._deviation))
