"""Days and hours of time zones."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from trtc_records.archive._periods import Partition, divide_day

HOUR = timedelta(hours=1)


def test_day_of_a_zone() -> None:
    """A day begins and ends at midnight of its zone."""
    (day,) = divide_day(date(2026, 11, 24), "day", ZoneInfo("Asia/Singapore"))
    assert (day.name, day.directory) == ("2026-11-24", "start_date=2026-11-24")
    assert day.start.isoformat() == "2026-11-23T16:00:00+00:00"
    assert day.end - day.start == 24 * HOUR


@pytest.mark.parametrize(
    ("day", "hours", "length"), [(date(2026, 3, 8), 23, 23 * HOUR), (date(2026, 11, 1), 24, 25 * HOUR)]
)
def test_change_of_the_clock(day: date, hours: int, length: timedelta) -> None:
    """An hour that is left out has no file, and one that comes twice has one."""
    zone = ZoneInfo("America/New_York")
    periods = [*divide_day(day, "hour", zone)]
    assert len({period.name for period in periods}) == len(periods) == hours
    assert periods[-1].end - periods[0].start == length
    (whole,) = divide_day(day, "day", zone)
    assert (whole.start, whole.end) == (periods[0].start, periods[-1].end)


@pytest.mark.parametrize("partition", ["day", "hour"])
@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "UTC"])
def test_periods_leave_no_gap(zone: str, partition: Partition) -> None:
    """Each moment of a year lies in one period, and no other."""
    days = (date(2026, 1, 1) + timedelta(days=number) for number in range(366))
    periods = [period for day in days for period in divide_day(day, partition, ZoneInfo(zone))]
    assert all(before.end == after.start for before, after in pairwise(periods))
    assert periods[0].start.tzinfo is UTC
