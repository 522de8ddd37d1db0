"""Estimate how long the service takes to answer, and so how many requests keep the quota busy."""

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
        """Tell whether one more round trip would be felt."""
        return (self._mean or 0.0) > _FAR

    def requests_in_flight(self, rate: float) -> int:
        """Return how many requests have to be on their way to send *rate* per second."""
        return 2 + math.ceil(rate * ((self._mean or 0.0) + 2 * self._deviation))
