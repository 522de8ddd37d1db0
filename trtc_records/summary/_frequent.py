"""The most frequent of many keys in bounded memory.

A table takes up to twice its capacity of keys. When it is full, the count in its middle is taken off all of them, and
those that come to nothing are dropped (the algorithm of Misra and Gries, 1982, a batch at a time). Each such step takes
at least that much off as many counts as the capacity is, so together the steps take off at most the number of keys
counted, divided by the capacity: that is how far below the truth a count can lie. Above it, it never lies.
"""

from __future__ import annotations

from typing import Final

__all__ = ["FrequentKeys"]

_LONGEST_KEY: Final = 256  # characters; a user id may have 32 bytes


class FrequentKeys:
    """Count how often each key comes; exact until more than twice *capacity* different ones came.

    Args:
        capacity: The largest share of all keys by which a count can be too low is 1 in this many. A key with more
            than 256 characters is counted by the first 255 of them and an ellipsis.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._counts: dict[str, int] = {}
        self.error = 0
        """By how much a count can be too low."""

    def add(self, key: str) -> None:
        """Count one key."""
        if len(key) > _LONGEST_KEY:
            key = f"{key[: _LONGEST_KEY - 1]}…"
        counts = self._counts
        counts[key] = counts.get(key, 0) + 1
        if len(counts) > 2 * self._capacity:
            self._shrink()

    @property
    def distinct(self) -> int:
        """Return how many different keys came; where :attr:`error` is not 0, how many at least."""
        return len(self._counts) if not self.error else max(len(self._counts), 2 * self._capacity + 1)

    def most_common(self, count: int | None = None) -> list[tuple[str, int]]:
        """Return keys and their counts, the most frequent first, equal ones by name; by default all that are known."""
        return sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))[:count]

    def _shrink(self) -> None:
        middle = sorted(self._counts.values())[self._capacity]
        self._counts = {key: count - middle for key, count in self._counts.items() if count > middle}
        self.error += middle
