"""The most frequent of many keys, in bounded memory.

The table has room for twice its capacity of keys. When it is full, the median of the counts is subtracted from all of
them, and keys whose count reaches zero are dropped (the algorithm of Misra and Gries, 1982, in batches). Each such
step subtracts the median from at least *capacity* counts, so all steps together subtract at most the number of keys
counted, divided by the capacity, from any one count. A count is therefore never too high, and too low by at most that.
"""

from __future__ import annotations

from typing import Final

__all__ = ["TopKeys"]

_LONGEST_KEY: Final = 256  # characters; a user id may have 32 bytes


class TopKeys:
    """Counts of the most frequent keys; exact for up to twice *capacity* different keys.

    Args:
        capacity: Counts are at most the number of keys counted, divided by this, too low. A key of more than 256
            characters is counted by its first 255 and an ellipsis.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._counts: dict[str, int] = {}
        self.error = 0
        """The largest amount by which a count can be too low."""

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
        """Return the number of different keys; if :attr:`error` is not 0, a lower bound of it."""
        return len(self._counts) if not self.error else max(len(self._counts), 2 * self._capacity + 1)

    def most_common(self, count: int | None = None) -> list[tuple[str, int]]:
        """Return keys and their counts, the most frequent first, ties by name; by default all that are kept."""
        return sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))[:count]

    def _shrink(self) -> None:
        middle = sorted(self._counts.values())[self._capacity]
        self._counts = {key: count - middle for key, count in self._counts.items() if count > middle}
        self.error += middle
