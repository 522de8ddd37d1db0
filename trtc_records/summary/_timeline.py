"""Talk time per hour, and the most calls at once, from calls in any order.

Each call adds one to the second in which it connects, and takes one from the second in which it ends; the running sum
is the number of calls at once. The seconds of a day take 350 KB, however many calls it has.
"""

from __future__ import annotations

from array import array
from datetime import UTC, datetime, tzinfo
from itertools import accumulate
from typing import Final

from trtc_records.summary._result import HourTraffic, Peak

__all__ = ["Timeline"]

_HOUR: Final = 3_600
_DAY: Final = 86_400
_LATEST: Final = 2**32 - 1  # in the year 2106
_LONGEST: Final = 31 * _DAY
"""The longest call that is believed; the longest in Tencent's samples took 55 hours."""
_MOST_DAYS: Final = 400
"""The most days in which calls may connect or end: a year and a month, in 140 MB."""


class Timeline:
    """The talk of answered calls over time, to the second.

    Args:
        zone: Time zone for the beginnings of hours.
    """

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._changes: dict[int, array[int]] = {}
        """The change of the number of calls in each second of a day, by the days since 1970."""
        self._talk: dict[int, int] = {}
        """Seconds of talk in each hour, by the Unix seconds of the hour's beginning."""
        self.left_out = 0
        """Calls without a place: no end, an end before the answer, more than 31 days, a time before 1970 or after 2105,
        or a time on more than 400 different days."""

    def add(self, start: datetime, end: datetime | None) -> None:
        """Add the talk of one call, from its answer to its end."""
        first, last = int(start.timestamp()), -1 if end is None else int(end.timestamp())
        new = {first // _DAY, last // _DAY} - self._changes.keys()
        if not 0 <= first <= last <= min(first + _LONGEST, _LATEST) or len(self._changes) + len(new) > _MOST_DAYS:
            self.left_out += 1
            return
        if first == last:
            return
        for day in new:
            self._changes[day] = array("i", bytes(_DAY * array("i").itemsize))
        self._changes[first // _DAY][first % _DAY] += 1
        self._changes[last // _DAY][last % _DAY] -= 1
        while first < last:
            local = datetime.fromtimestamp(first, self._zone)
            hour = first - local.minute * 60 - local.second
            until = min(hour + _HOUR, last)
            self._talk[hour] = self._talk.get(hour, 0) + until - first
            first = until

    @property
    def traffic(self) -> tuple[HourTraffic, ...]:
        """Return the traffic of each hour that has any, in the order of time."""
        return tuple(
            HourTraffic(start=datetime.fromtimestamp(hour, self._zone), erlangs=seconds / _HOUR)
            for hour, seconds in sorted(self._talk.items())
        )

    @property
    def peak(self) -> Peak | None:
        """Return the most calls at once, and the first second that has them; ``None`` without talk."""
        level = most = at = 0
        for day in sorted(self._changes):
            levels = list(accumulate(self._changes[day], initial=level))
            highest = max(levels)
            if highest > most:
                most, at = highest, day * _DAY + levels.index(highest) - 1  # the initial level stands before the day
            level = levels[-1]
        return Peak(calls=most, at=datetime.fromtimestamp(at, UTC).astimezone(self._zone)) if most else None
