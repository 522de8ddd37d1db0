"""Erlangs, the busy hour, concurrent calls and calls by day."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from summed import START, call, call_at, sum_up

from trtc_records.summary import HourTraffic, Peak, Summary

NOON = datetime(2025, 2, 19, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_talk_is_split_at_full_hours() -> None:
    """A call counts in each hour by the talk within it; erlangs are that talk by an hour."""
    result = sum_up(call_at(at(-1_800), talk=5_400), call_at(at(900), ring=30, talk=900)).result
    assert result.traffic == (
        HourTraffic(start=at(-3_600), erlangs=0.5),
        HourTraffic(start=at(0), erlangs=1.25),
    )
    assert result.busy_hour == HourTraffic(start=at(0), erlangs=1.25)
    assert (result.hour_traffic[11], result.hour_traffic[12], sum(result.hour_traffic)) == (0.5, 1.25, 1.75)


def test_long_call_is_split_over_days() -> None:
    """The vendor's sample of 54.5 hours talks in 55 hours, and no second is lost."""
    result = sum_up(call_at(at(1_000), talk=54.5 * 3_600)).result
    assert len(result.traffic) == 55
    assert sum(hour.erlangs for hour in result.traffic) == pytest.approx(54.5)
    assert result.peak == Peak(calls=1, at=at(1_000))


def test_hours_of_a_zone_begin_when_its_clocks_say() -> None:
    """Where the offset has half an hour, so have the beginnings of hours in UTC."""
    result = sum_up(call_at(at(0), talk=3_600), zone=ZoneInfo("Asia/Kolkata")).result
    assert [(hour.start.hour, hour.start.minute, hour.erlangs) for hour in result.traffic] == [
        (17, 0, 0.5),
        (18, 0, 0.5),
    ]
    assert [hour.start.astimezone(UTC) for hour in result.traffic] == [at(-1_800), at(1_800)]


def test_hour_that_comes_twice_is_two_hours() -> None:
    """When summer time ends, the hour that the clocks repeat is two hours of traffic."""
    start = datetime(2025, 10, 26, 0, tzinfo=UTC)  # 02:00, and an hour later 02:00 again
    result = sum_up(call_at(start, talk=7_200), zone=ZoneInfo("Europe/Berlin")).result
    assert [(hour.start.hour, hour.start.utcoffset(), hour.erlangs) for hour in result.traffic] == [
        (2, timedelta(hours=2), 1.0),
        (2, timedelta(hours=1), 1.0),
    ]


def test_half_an_hour_that_is_skipped_loses_no_talk() -> None:
    """Where clocks jump by half an hour, hours are shorter, and the talk in them is all there."""
    zone = ZoneInfo("Australia/Lord_Howe")
    for start in (datetime(2025, 4, 5, 13, tzinfo=UTC), datetime(2025, 10, 4, 13, tzinfo=UTC)):
        result = sum_up(call_at(start, talk=14_400), zone=zone).result
        assert sum(hour.erlangs for hour in result.traffic) == pytest.approx(4)


def test_calls_that_meet_do_not_overlap() -> None:
    """A call that ends in the second in which another connects does not talk at the same time."""
    assert sum_up(call_at(at(0), talk=60), call_at(at(60), talk=60)).result.peak == Peak(calls=1, at=at(0))
    assert sum_up(call_at(at(0), talk=61), call_at(at(60), talk=60)).result.peak == Peak(calls=2, at=at(60))


def test_calls_that_ring_are_not_concurrent() -> None:
    """Only talk counts: not the time that a call rings, and not a call that nobody answers."""
    calls = [call_at(at(0), ring=100, talk=10), call_at(at(50), ring=100, talk=10), call_at(at(0), ring=200)]
    assert sum_up(*calls).result.peak == Peak(calls=1, at=at(100))


def test_peak_is_found_across_midnight() -> None:
    """Calls that go on after midnight, and for days, count with those that connect then."""
    midnight = datetime(2025, 2, 20, tzinfo=UTC)
    hour = timedelta(hours=1)
    calls = [call_at(midnight - hour, talk=30 * 3_600), call_at(midnight + 24 * hour, talk=60)]
    assert sum_up(*calls).result.peak == Peak(calls=2, at=midnight + 24 * hour)


def test_peak_is_in_the_zone() -> None:
    """The time of the peak is that of the summary's zone."""
    peak = sum_up(call_at(at(0), talk=60), zone=ZoneInfo("Asia/Singapore")).result.peak
    assert peak is not None
    assert peak.at.isoformat() == "2025-02-19T20:00:00+08:00"


spans = st.lists(st.tuples(st.integers(-100_000, 100_000), st.integers(0, 90_000)), max_size=30)


@given(spans, st.randoms(use_true_random=False))
def test_traffic_is_that_of_a_plain_count(calls: list[tuple[int, int]], rng: random.Random) -> None:
    """Peak and erlangs equal those counted from all pairs of calls, in any order."""
    starts = {start: sum(s <= start < s + talk for s, talk in calls) for start, talk in calls if talk}
    most = max(starts.values(), default=0)
    first = min((start for start, count in starts.items() if count == most), default=0)
    rng.shuffle(calls)
    result = sum_up(*[call_at(at(start), talk=talk) for start, talk in calls]).result
    assert result.peak == (Peak(calls=most, at=at(first)) if most else None)
    for hour in result.traffic:
        low = (hour.start - NOON).total_seconds()
        talk = sum(max(min(s + t, low + 3_600) - max(s, low), 0) for s, t in calls)
        assert hour.erlangs == pytest.approx(talk / 3_600)
    assert sum(hour.erlangs for hour in result.traffic) * 3_600 == pytest.approx(sum(talk for _, talk in calls))


@pytest.mark.parametrize(
    "changes",
    [
        {"end_time": None},
        {"end_time": START - timedelta(hours=1)},
        {"end_time": START + timedelta(days=32)},
        {"accept_time": datetime(1969, 12, 31, tzinfo=UTC)},
        {"accept_time": datetime(1, 1, 1, tzinfo=UTC)},
        {"accept_time": datetime(2200, 1, 1, tzinfo=UTC), "end_time": datetime(2200, 1, 2, tzinfo=UTC)},
        {"accept_time": datetime(9999, 12, 31, tzinfo=UTC), "end_time": datetime.max.replace(tzinfo=UTC)},
    ],
)
def test_times_that_are_not_credible_are_left_out(changes: dict[str, Any]) -> None:
    """A call without a place in time is counted as left out, a note says so, and the others count."""
    wrong = attrs.evolve(call(1), **changes)
    summary = sum_up(wrong, call(0))
    assert (summary.result.left_out, summary.result.peak) == (1, Peak(calls=1, at=START + timedelta(seconds=5)))
    assert "on too many days: 1." in " ".join(summary.to_text().split())
    assert "on too many days: 1." in summary.to_html()
    assert summary.to_dict()["left_out"] == 1


def test_memory_of_the_timeline_is_bounded() -> None:
    """Days beyond the four hundredth take no memory; calls on known days still count."""
    summary = Summary()
    for number in range(410):
        summary.add(call_at(NOON + timedelta(days=3 * number), talk=60))
    summary.add(call_at(NOON, talk=60))
    assert summary._timeline is not None
    assert len(summary._timeline._changes) == 400
    assert all(changes.itemsize * len(changes) == 345_600 for changes in summary._timeline._changes.values())
    assert (summary.result.left_out, summary.result.peak) == (10, Peak(calls=2, at=NOON))


def test_days_are_those_of_the_zone() -> None:
    """Calls are counted on the days of the summary's zone; days without calls between them have none."""
    moments = [datetime(2025, 2, 19, 23, tzinfo=UTC), datetime(2025, 2, 19, 12, tzinfo=UTC)]
    later = datetime(2025, 2, 22, 12, tzinfo=UTC)
    summary = sum_up(*map(call_at, [*moments, later]), zone=ZoneInfo("Asia/Singapore"))
    assert summary.result.days == (
        (date(2025, 2, 19), 1),
        (date(2025, 2, 20), 1),
        (date(2025, 2, 21), 0),
        (date(2025, 2, 22), 1),
    )
    for report in (summary.to_text(), summary.to_html()):
        for name in ("2025-02-19 Wed", "2025-02-20 Thu", "2025-02-21 Fri", "2025-02-22 Sat"):
            assert name in report
    assert summary.to_dict()["days"][2] == {"day": "2025-02-21", "calls": 0}


def test_day_of_a_change_of_clocks_is_one_day() -> None:
    """A day of 25 hours is one day, to its last hour."""
    start = datetime(2025, 10, 25, 22, tzinfo=UTC)  # midnight in Berlin
    calls = [call_at(start + timedelta(hours=hour)) for hour in range(26)]
    days = sum_up(*calls, zone=ZoneInfo("Europe/Berlin")).result.days
    assert days == ((date(2025, 10, 26), 25), (date(2025, 10, 27), 1))


def test_many_days_are_shown_by_month() -> None:
    """A year of days is twelve bars in text and page, and a call in 1970 does not add decades of empty ones."""
    calls = [call_at(NOON + timedelta(days=number)) for number in range(300)]
    summary = sum_up(*calls, call_at(datetime(1970, 1, 1, tzinfo=UTC)))
    months = Counter(f"{record.start_time:%Y-%m}" for record in calls)
    assert len(summary.result.days) == 301
    lines = [line.split() for line in summary.to_text().splitlines()]
    shown = {words[0]: int(words[-2]) for words in lines if len(words) > 3 and words[0][:3] in {"197", "202"}}
    assert shown == {"1970-01": 1, **months}
    assert "Calls by month" in summary.to_html()


def test_days_are_bounded() -> None:
    """Calls on more than 4,000 different days have no chart, and a note says why."""
    summary = Summary()
    for number in range(4_001):
        summary.add(call_at(NOON - timedelta(days=number)))
    assert summary.result.days == ()
    assert "started on too many different days" in " ".join(summary.to_text().split())


def test_summary_without_traffic_takes_no_memory_for_it() -> None:
    """Without traffic there are no erlangs, concurrent calls and redials, and nothing is kept for them."""
    summary = sum_up(call(0), call(1, talk=None), traffic=False)
    result = summary.result
    assert (result.traffic, result.peak, result.busy_hour, result.redials) == ((), None, None, None)
    assert (summary._timeline, summary._redials) == (None, None)
    assert "redials                 n/a\n" in summary.to_text()
