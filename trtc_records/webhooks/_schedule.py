"""The times at which the calls of callbacks are looked up, and the calls that were found lately. No I/O.

A record can be queried 5 seconds after its call ended (https://trtc.io/document/68940). A callback that is early, or
forged with the id of a call under way, finds nothing, so a look-up is repeated for a minute after the last callback
for its call. In a flood of forgeries the look-ups of calls that were not found yet come last, and give up their places
first: a real call is found by its first look-up.

Times are a monotonic clock's seconds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

import attrs

from trtc_records._api.query import READABLE_AFTER

__all__ = ["Recent", "Schedule"]

_LOOKS: Final = (READABLE_AFTER, 7.0, 11.0, 19.0, 35.0, 65.0)
"""Seconds from a callback to each look-up."""


@attrs.define
class _Entry:
    """A call to look up."""

    called_back_at: float
    """The time of the last callback for it."""
    due_at: float
    looks: int = 0
    is_in_flight: bool = False


class Schedule:
    """The calls to look up.

    Args:
        capacity: The most calls at once.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: dict[str, _Entry] = {}
        self._missed: dict[str, None] = {}  # calls that a look-up did not find, the first one first

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, call_id: str, now: float) -> bool:
        """Add the call of a callback; return ``False`` if there is no place for it."""
        entry = self._entries.get(call_id)
        if entry is not None:
            entry.called_back_at = now
            entry.due_at = min(entry.due_at, now + READABLE_AFTER)
            return True
        if len(self._entries) >= self._capacity:
            if not self._missed:
                return False
            self.remove(next(iter(self._missed)))
        self._entries[call_id] = _Entry(now, now + READABLE_AFTER)
        return True

    def next_due(self) -> float | None:
        """Return the time of the next look-up, or ``None`` if none is left to begin."""
        return min((entry.due_at for entry in self._entries.values() if not entry.is_in_flight), default=None)

    def take(self, now: float) -> str | None:
        """Return a call to look up now, or ``None``."""
        due = (
            (entry.looks, entry.due_at, call_id)
            for call_id, entry in self._entries.items()
            if not entry.is_in_flight and entry.due_at <= now
        )
        first = min(due, default=None)
        if first is None:
            return None
        self._entries[first[-1]].is_in_flight = True
        return first[-1]

    def miss(self, call_id: str, now: float) -> bool:
        """Note that a look-up did not find a call; return whether another follows."""
        entry = self._entries.get(call_id)
        if entry is None:
            return False
        due_at = next((entry.called_back_at + delay for delay in _LOOKS if entry.called_back_at + delay > now), None)
        if due_at is None:
            self.remove(call_id)
            return False
        entry.looks += 1
        entry.due_at = due_at
        entry.is_in_flight = False
        self._missed[call_id] = None
        return True

    def remove(self, call_id: str) -> None:
        """Remove a call, if it is there."""
        self._entries.pop(call_id, None)
        self._missed.pop(call_id, None)


class Recent:
    """The keys of the last minutes.

    Args:
        seconds: How long a key counts as recent.
        capacity: The most keys; the oldest give way.
    """

    def __init__(self, seconds: float, capacity: int) -> None:
        self._seconds = seconds
        self._capacity = capacity
        self._times: OrderedDict[Hashable, float] = OrderedDict()

    def add(self, key: Hashable, now: float) -> None:
        """Add a key that is not recent."""
        self._times[key] = now
        self._times.move_to_end(key)
        if len(self._times) > self._capacity:
            self._times.popitem(last=False)

    def holds(self, key: Hashable, now: float) -> bool:
        """Return whether a key is recent."""
        while self._times and now - next(iter(self._times.values())) >= self._seconds:
            self._times.popitem(last=False)
        return key in self._times
