"""Quantiles of durations in bounded memory: a histogram whose buckets grow with the value.

Below 256 s a bucket holds one whole second, so that what the service keeps, which is whole seconds, stays exact.
Above, each bucket is 1 % wider than the one before, and its middle is within 0.5 % of whatever fell into it (the idea
of DDSketch, Masson, Rim and Lee, 2019). The largest of about 1,500 buckets takes everything from ten years on.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from typing import Final

__all__ = ["DurationHistogram"]

_EXACT: Final = 256
_LOG_WIDTH: Final = math.log(1.01)
_LAST: Final = _EXACT + int(math.log(10 * 365 * 86_400 / _EXACT) / _LOG_WIDTH)


class DurationHistogram:
    """Count durations in seconds; one below zero, as clocks that disagree make it, counts as zero.

    Args:
        edges: Where ranges begin that are counted exactly, in ascending order from 0; each ends where the next begins.
    """

    def __init__(self, edges: tuple[float, ...] = (0,)) -> None:
        self._edges = edges
        self.spread = [0] * len(edges)
        """How many durations lie in each range."""
        self.count = 0
        self.total = 0.0
        self.longest = 0.0
        self._buckets: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count one duration."""
        seconds = max(seconds, 0.0)
        self._buckets[_bucket(seconds)] += 1
        self.spread[bisect_right(self._edges, seconds) - 1] += 1
        self.count += 1
        self.total += seconds
        self.longest = max(self.longest, seconds)

    def quantile(self, share: float) -> float:
        """Return the least duration, in seconds, that at least *share* of all are no longer than; 0 without any.

        Args:
            share: From 0 to 1; 0.5 is the median.
        """
        wanted = max(math.ceil(share * self.count), 1)
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= wanted:
                return min(_middle(bucket), self.longest)
        return 0.0


def _bucket(seconds: float) -> int:
    if seconds < _EXACT:
        return int(seconds)
    return min(_EXACT + int(math.log(seconds / _EXACT) / _LOG_WIDTH), _LAST)


def _middle(bucket: int) -> float:
    if bucket < _EXACT:
        return float(bucket)
    return _EXACT * math.exp((bucket - _EXACT + 0.5) * _LOG_WIDTH)
