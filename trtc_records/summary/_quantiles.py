"""Quantiles of durations in bounded memory.

Durations under a day are counted second by second. The service's are whole seconds, so their quantiles are exact.
A day or more is counted in buckets, each 1 % wider than the one before (the idea of DDSketch, Masson, Rim and Lee,
2019). The counts of all seconds of a day take 700 KB, those up to an hour 30 KB; the buckets are some 800.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from typing import Final

__all__ = ["DurationHistogram"]

_DAY: Final = 86_400
_LOG_WIDTH: Final = math.log(1.01)
_LAST: Final = int(math.log(10 * 365) / _LOG_WIDTH)
"""The bucket of all durations of ten years and more."""


class _Bucket:
    """The number of durations in a bucket, and the shortest and the longest of them: of a single one it is exact."""

    __slots__ = ("count", "longest", "shortest")

    def __init__(self) -> None:
        self.count = 0
        self.shortest = math.inf
        self.longest = 0.0

    def add(self, seconds: float) -> None:
        self.count += 1
        self.shortest = min(self.shortest, seconds)
        self.longest = max(self.longest, seconds)


class DurationHistogram:
    """Counts of durations in seconds, none of them negative.

    Args:
        edges: The lower ends of ranges whose durations are counted, in ascending order from 0; each range ends where
            the next begins.
    """

    def __init__(self, edges: tuple[float, ...] = (0,)) -> None:
        self._edges = edges
        self.spread = [0] * len(edges)
        """The number of durations in each range."""
        self.count = 0
        self.total = 0.0
        self.longest = 0.0
        self._seconds = array("Q")
        """The number of durations of 0, 1, 2, … whole seconds, up to the longest one under a day."""
        self._buckets: dict[int, _Bucket] = {}

    def add(self, seconds: float) -> None:
        """Count one duration."""
        if seconds < _DAY:
            second = int(seconds)
            if second >= len(self._seconds):
                self._seconds.extend([0] * (second + 1 - len(self._seconds)))
            self._seconds[second] += 1
        else:
            number = min(int(math.log(seconds / _DAY) / _LOG_WIDTH), _LAST)
            self._buckets.setdefault(number, _Bucket()).add(seconds)
        self.spread[bisect_right(self._edges, seconds) - 1] += 1
        self.count += 1
        self.total += seconds
        self.longest = max(self.longest, seconds)

    def quantile(self, share: float) -> float:
        """Return the shortest duration, in seconds, that at least *share* of all do not exceed; 0 without any.

        Args:
            share: From 0 to 1; 0.5 is the median.
        """
        wanted = max(math.ceil(share * self.count), 1)
        seen = 0
        for second, count in enumerate(self._seconds):
            seen += count
            if seen >= wanted:
                return float(second)
        for number, bucket in sorted(self._buckets.items()):
            seen += bucket.count
            if seen >= wanted:
                middle = _DAY * math.exp((number + 0.5) * _LOG_WIDTH)
                return min(max(middle, bucket.shortest), bucket.longest)
        return 0.0
