"""Redials, counted from calls in any order.

A call's start, and the end of an unanswered call, are kept as one integer of 64 bits each: 32 bits of a checksum of the
caller's id, then 32 bits of Unix seconds. Callers whose checksums are equal are taken for one, which adds one redial in
some millions of calls.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from datetime import datetime
from typing import Final
from zlib import crc32

__all__ = ["MOST_CALLS", "REDIAL_SECONDS", "Redials"]

REDIAL_SECONDS: Final = 600
"""The longest time between the end of an unanswered call and a call that counts as its redial."""
MOST_CALLS: Final = 10_000_000
"""The most calls that are kept, in 160 MB."""
_LATEST: Final = 2**32 - 1  # in the year 2106
_PARTS: Final = 64
"""Parts by caller, which are sorted one by one, so that little more memory is needed."""


class Redials:
    """The starts of calls and the ends of unanswered ones: 8 bytes a call, and 8 more if nobody answered."""

    def __init__(self) -> None:
        self._parts = [(array("Q"), array("Q")) for _ in range(_PARTS)]
        self._calls = 0

    def add(self, caller: str, start: datetime, end: datetime | None, *, answered: bool) -> None:
        """Add a call.

        Args:
            caller: The caller's user id; a call without one is left out.
            start: The start of the call.
            end: Its end; ``None``, or a time before the start, counts as a second after the start.
            answered: Whether the call connected.
        """
        second = int(start.timestamp())
        if not caller or not REDIAL_SECONDS <= second < _LATEST or self._calls > MOST_CALLS:
            return
        self._calls += 1
        if self._calls > MOST_CALLS:
            self._parts.clear()
            return
        checksum = crc32(caller.encode("utf-8", "surrogatepass"))
        starts, ends = self._parts[checksum % _PARTS]
        starts.append(checksum << 32 | second)
        if not answered:
            # A call that ends at once ends a second later here, so that it is no redial of itself.
            last = second + 1 if end is None else min(max(int(end.timestamp()), second + 1), _LATEST)
            ends.append(checksum << 32 | last)

    @property
    def count(self) -> int | None:
        """Return the calls whose caller had an unanswered one that ended at most 10 minutes before.

        ``None`` for more than 10 million calls.
        """
        if self._calls > MOST_CALLS:
            return None
        return sum(_count(starts, sorted(ends)) for starts, ends in self._parts)


def _count(starts: array[int], ends: list[int]) -> int:
    """Return the number of starts that follow an end of the same caller soon enough; *ends* are sorted."""
    found = 0
    for start in starts:
        place = bisect_left(ends, start - REDIAL_SECONDS)
        found += place < len(ends) and ends[place] <= start
    return found
