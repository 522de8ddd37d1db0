"""The days and hours of an archive: their names, ends and files, without I/O."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final, Literal

import attrs

__all__ = ["Partition", "Period", "day_of", "divide_day", "is_name"]

Partition = Literal["day", "hour"]
"""The length of time that a file covers."""

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


@attrs.frozen
class Period:
    """A day or an hour of a time zone."""

    name: str
    """``2026-11-24``, or ``2026-11-24T08``."""
    start: datetime
    """Its first second, in UTC."""
    end: datetime
    """The first second after it, in UTC."""
    directory: str
    """The directory of its file within the archive, as Hive names partitions."""


def divide_day(day: date, partition: Partition, zone: tzinfo) -> Iterator[Period]:
    """Yield the periods of a day, in order.

    An hour that comes twice, as daylight saving time ends, is one period; an hour or a day that a zone leaves out is
    none.

    Args:
        day: The day.
        partition: The length of a period.
        zone: The time zone of the day.
    """
    first = datetime.combine(day, time())
    name = f"{first:%Y-%m-%d}"
    length = _DAY if partition == "day" else _HOUR
    for number in range(_DAY // length):
        start = first + number * length
        ends = _to_utc(start, zone), _to_utc(start + length, zone)
        if ends[0] >= ends[1]:
            continue
        if partition == "day":
            yield Period(name, *ends, f"start_date={name}")
        else:
            yield Period(f"{name}T{start:%H}", *ends, f"start_date={name}/start_hour={start:%H}")


def is_name(text: str, partition: Partition) -> bool:
    """Return whether *text* is the name of a day, or of an hour.

    Args:
        text: The text.
        partition: The length of a period.
    """
    try:
        datetime.strptime(text, "%Y-%m-%d" if partition == "day" else "%Y-%m-%dT%H")  # noqa: DTZ007  (no time is made)
    except ValueError:
        return False
    return True


def day_of(moment: datetime, zone: tzinfo) -> date:
    """Return the day of a moment."""
    return moment.astimezone(zone).date()


def _to_utc(wall: datetime, zone: tzinfo) -> datetime:
    """Return the first moment at which clocks show *wall*; the moment of the change where they leave it out."""
    return wall.replace(tzinfo=zone).astimezone(UTC)
