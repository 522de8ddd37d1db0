"""Summaries of call records."""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from statistics import median_low
from zoneinfo import ZoneInfo

import attrs
import pytest
from exported import make_record
from hypothesis import given
from hypothesis import strategies as st
from summed import START, call, sum_up

from trtc_records.summary import NO_CALLS, Caller, ReportScope, Summary
from trtc_records.summary._format import show_length, show_share
from trtc_records.summary._quantiles import DurationHistogram
from trtc_records.summary._text import _measure
from trtc_records.summary._top_keys import TopKeys


def test_calls_are_counted_by_kind() -> None:
    """Results, types and media are counted, even values that Tencent adds later."""
    result = sum_up(
        call(1),
        call(2, call_type="MultiCall", media_type="Video"),
        call(3, talk=None, call_result="NotAnswer"),
        call(4, talk=None, call_result="Forwarded"),
        call(5, talk=None, call_result=7),
    ).result
    assert (result.calls, result.answered) == (5, 2)
    assert result.results == {"NormalEnd": 2, "7": 1, "Forwarded": 1, "NotAnswer": 1}
    assert result.call_types == {"SingleCall": 4, "MultiCall": 1}
    assert result.media_types == {"Audio": 4, "Video": 1}


def test_times_are_described() -> None:
    """Ring time is that of all calls, talk time that of the answered ones."""
    result = sum_up(*[call(number, ring=number, talk=number * 2 or None) for number in range(101)]).result
    assert (result.ring_time.count, result.talk_time.count) == (101, 100)
    assert result.ring_time.median == timedelta(seconds=50)
    assert result.ring_time.p95 == timedelta(seconds=95)
    assert result.ring_time.longest == timedelta(seconds=100)
    assert result.talk_time.median == timedelta(seconds=100)
    assert result.talk_time.total == timedelta(seconds=10_100)
    assert dict(result.ring_time.spread)["5 to 15 s"] == 10
    assert sum(count for _, count in result.ring_time.spread) == 101


@pytest.mark.parametrize(
    ("seconds", "name"),
    [
        (0, "under 5 s"),
        (4.9, "under 5 s"),
        (5, "5 to 15 s"),
        (119, "1 to 2 min"),
        (299, "2 to 5 min"),
        (300, "5 to 15 min"),
        (899, "5 to 15 min"),
        (900, "15 to 60 min"),
        (3_599, "15 to 60 min"),
        (3_600, "1 h and more"),
        (1e9, "1 h and more"),
    ],
)
def test_range_begins_where_it_says(seconds: float, name: str) -> None:
    """A duration is counted in the range that it lies in, to the second at its ends."""
    spread = sum_up(call(talk=seconds)).result.talk_time.spread
    assert [label for label, count in spread if count] == [name]


def test_hours_are_those_of_the_zone() -> None:
    """Hours and weekdays are counted in the summary's time zone."""
    assert sum_up(call()).result.week[2][10] == 1
    there = sum_up(call(), zone=ZoneInfo("Pacific/Auckland")).result  # 13 hours ahead
    assert there.hours[23] == 1
    assert there.week[2][23] == 1
    assert (there.zone, there.first and there.first.hour) == ("Pacific/Auckland", 23)


@pytest.mark.parametrize(
    ("start", "zone"),
    [
        (datetime.max.replace(tzinfo=UTC), ZoneInfo("Asia/Singapore")),
        (datetime.min.replace(tzinfo=UTC), timezone(-timedelta(hours=5))),
    ],
)
def test_time_at_the_end_of_the_calendar_stays_in_utc(start: datetime, zone: tzinfo) -> None:
    """A time that the zone would move out of the years 1 to 9999 is counted as it is, and results go on."""
    wrong = make_record(start_time=start, accept_time=None, end_time=start)
    summary = sum_up(call(1), wrong, call(2), zone=zone)
    assert start in {summary.result.first, summary.result.last}
    assert summary.result.week[start.weekday()][start.hour] == 1
    assert (summary.result.calls, sum(summary.result.hours)) == (3, 3)
    assert summary.to_text()
    assert summary.to_html()
    assert summary.to_dict()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"zone": None}, "zone must be a tzinfo, got None: write ZoneInfo"),
        ({"zone": "Asia/Singapore"}, "zone must be a tzinfo, got 'Asia/Singapore': write ZoneInfo"),
        ({"top": -1}, "top must be an integer of at least 0, got -1: write how many"),
        ({"top": 2.5}, "top must be an integer of at least 0, got 2.5: write how many"),
        ({"top": True}, "top must be an integer of at least 0, got True: write how many"),
        ({"top": None}, "top must be an integer of at least 0, got None: write how many"),
        ({"scope": "the service"}, "scope must be a ReportScope or None, got 'the service': pass one, or leave it out"),
    ],
)
def test_wrong_argument_is_refused(options: dict[str, object], message: str) -> None:
    """The constructor names the argument, the value and the remedy."""
    with pytest.raises(ValueError, match=message):
        sum_up(**options)


def test_no_callers_may_be_named() -> None:
    """A top of 0 leaves the callers out."""
    assert sum_up(call(), top=0).result.top_callers == ()


def test_first_and_last_do_not_depend_on_the_order() -> None:
    """The order of records is the service's, and unknown."""
    records = [call(number) for number in (5, 1, 9, 3)]
    result = sum_up(*records).result
    assert (result.first, result.last) == (records[1].start_time, records[2].start_time)


def test_callers_are_named_by_their_calls() -> None:
    """Who called most comes first, and equal ones by name."""
    records = [call(caller=name) for name in ("b", "a", "c", "c", "d")]
    result = sum_up(*records, top=3).result
    assert result.top_callers == (
        Caller(user_id="c", calls=2),
        Caller(user_id="a", calls=1),
        Caller(user_id="b", calls=1),
    )
    assert (result.callers, result.callers_error) == (4, 0)


def test_an_unknown_duration_is_not_counted() -> None:
    """A call that ends before it begins, or whose end is not set, counts as a call, and its durations do not."""
    result = sum_up(call(ring=-5, talk=None), attrs.evolve(call(ring=5), end_time=None)).result
    assert (result.calls, result.answered, result.ring_time.count, result.talk_time.count) == (2, 1, 1, 0)
    assert result.ring_time.total == timedelta(seconds=5)


def test_result_may_be_asked_for_at_any_time() -> None:
    """A result stays as it was while more records are added."""
    summary = sum_up(call())
    before = summary.result
    summary.add(call(2))
    assert (before.calls, summary.result.calls) == (1, 2)


def test_nothing_is_a_result_too() -> None:
    """A summary without calls has no shares and medians, and a hint at the older service."""
    summary = Summary()
    assert (summary.result.calls, summary.result.asr, summary.result.first) == (0, None, None)
    assert "TUICallKit.call()" in summary.to_text()
    assert "TUICallKit.call()" in summary.to_html()
    assert json.loads(json.dumps(summary.to_dict()))["ring_seconds"]["median"] is None


def test_dictionary_is_json() -> None:
    """All values are plain, and durations are seconds."""
    plain = json.loads(json.dumps(sum_up(call(talk=1_000), call(2, talk=None)).to_dict()))
    assert plain["talk_seconds"]["median"] == 1_000
    assert plain["asr"] == 0.5
    assert plain["first"] == "2025-02-19T10:17:22+00:00"
    assert plain["top_callers"] == [{"user_id": "147", "calls": 2}]


def test_dictionary_holds_no_half_pair() -> None:
    """Half a surrogate pair, which JSON readers refuse, becomes U+FFFD; the counts of equal names are added."""
    summary = sum_up(call(caller="x\ud83d", call_result="\ud800"), call(2, call_result="\udfff"))
    plain = summary.to_dict()
    assert json.dumps(plain, ensure_ascii=False).encode()
    assert plain["results"] == {"\ufffd": 2}
    assert {"user_id": "x\ufffd", "calls": 1} in plain["top_callers"]
    assert Caller(user_id="x\ud83d", calls=1) in summary.result.top_callers


def test_repr_shows_the_calls() -> None:
    """A summary in a log or at a prompt shows how many calls it has, and from when to when, in its zone."""
    assert repr(Summary()) == "Summary(calls=0, answered=0, first=None, last=None, zone=UTC)"
    summary = sum_up(call(1), call(0), call(2, talk=None), zone=ZoneInfo("Asia/Singapore"))
    assert repr(summary) == (
        "Summary(calls=3, answered=2, first=2025-02-19T18:17:22+08:00, last=2025-02-19T18:19:22+08:00, "
        "zone=Asia/Singapore)"
    )


def test_text_has_a_bar_for_each_hour() -> None:
    """Bars are as long as counts are large, within the width that was asked for."""
    lines = sum_up(*[call()] * 4, call(60), call(60)).to_text(width=60).splitlines()
    bars = {line.split()[0]: line.count("█") for line in lines if line.startswith("  1")}
    assert bars["10"] // 2 == bars["11"] > 0
    assert bars["12"] == 0


@pytest.mark.parametrize("width", [1, 40, 60, 80])
@pytest.mark.parametrize("name", ["x" * 300, "漢" * 300, "a name of many words " * 20])
def test_no_line_of_the_text_is_too_wide(width: int, name: str) -> None:
    """Names, zones and notes are wrapped or cut to the width, and to 40 where it is less."""
    scope = ReportScope(source=name, region=name, host=name, since=START, filters={"result": name})
    summary = Summary(zone=timezone(timedelta(hours=8), name), scope=scope)
    summary.add_missing(name)
    for number in range(10_000):
        summary.add(call(caller=f"{number}{name}", call_result=name, talk=number * 100))
    for kind in (name, f"other {name}"):
        summary.add(call(call_type=kind, media_type=kind))
    lines = summary.to_text(width=width, before=sum_up(call(), scope=scope)).splitlines()
    assert max(map(_measure, lines)) <= max(width, 40)
    assert any("█" in line for line in lines)


@pytest.mark.parametrize("width", [40, 60, 80])
def test_text_without_calls_is_not_too_wide(width: int) -> None:
    """The word on where calls may be is wrapped too, and is whole."""
    text = Summary().to_text(width=width)
    assert max(map(len, text.splitlines())) <= width
    assert " ".join(text.split()) == NO_CALLS


def test_lines_go_on_behind_their_labels() -> None:
    """Text that does not fit into a line continues below its start."""
    lines = sum_up(call(), call(call_type="MultiCall"), call(talk=None)).to_text(width=40).splitlines()
    place = lines.index("kind                    one to one 2")
    assert lines[place + 1] == "                        (66.7%), group 1"


def test_long_path_is_whole() -> None:
    """A path that is longer than a line is broken, not cut: the report says what it is about."""
    path = f"/archives/{'calls-of-a-customer/' * 9}漢字\x1b[2J.parquet"
    lines = sum_up(call(), scope=ReportScope(source=f"file {path}")).to_text(width=60).splitlines()
    start = lines.index("source                  file")
    end = next(number for number, line in enumerate(lines) if line.startswith("window"))
    assert "".join(line[24:] for line in lines[start + 1 : end]) == path.replace("\x1b", "\ufffd")


def test_kind_and_media_are_safe_for_a_terminal() -> None:
    """A value that Tencent adds later can neither move the cursor nor break a line, and is cut."""
    text = sum_up(call(call_type="\x1b[31mEvil\nanswered 0", media_type="m" * 300)).to_text()
    assert f"{'kind':<24}\ufffd[31mEvil\ufffdanswered 0 1 (100%)\n" in text
    assert f"{'media':<24}{'m' * 23}… 1 (100%)\n" in text


def test_empty_id_has_a_name() -> None:
    """An empty user id, or an empty result, is no empty row of a chart."""
    summary = sum_up(call(caller="", call_result=""))
    assert [line[:11] for line in summary.to_text().splitlines()].count("  (empty)  ") == 2
    assert summary.to_html().count('<th scope="row">(empty)</th>') == 2
    assert summary.to_dict()["top_callers"] == [{"user_id": "", "calls": 1}]


def test_text_is_safe_for_a_terminal() -> None:
    """A user id cannot move the cursor, break a line, or push the bars about."""
    text = sum_up(call(caller="\x1b[2J\nx\ud800"), call(caller="漢" * 40), call(caller="e\u0301")).to_text()
    assert "\x1b" not in text
    text.encode()
    assert "漢…" in text


def test_memory_stays_bounded() -> None:
    """Memory does not grow with the number of callers and results."""
    summary = Summary()
    for number in range(30_000):
        name = f"{number:x<300}"
        summary.add(call(caller=name, call_result=name, ring=number, talk=number))
    assert len(summary._callers._counts) <= 2_000
    assert len(summary._results._counts) <= 100
    assert all(len(key) <= 256 for key in summary._callers._counts)
    assert summary.result.callers_error <= 30
    assert "too low, by" in summary.to_text()
    assert "2,001+" in summary.to_html()


@given(st.lists(st.integers(0, 40), max_size=400), st.integers(1, 10))
def test_frequent_keys_are_within_their_error(numbers: list[int], capacity: int) -> None:
    """A count is never too high, and too low by the stated error at most, which has a bound."""
    keys = TopKeys(capacity)
    truth = Counter(map(str, numbers))
    for number in numbers:
        keys.add(str(number))
    found = dict(keys.most_common())
    assert keys.error <= len(numbers) / capacity
    assert len(found) <= 2 * capacity
    for key, count in truth.items():
        assert count - keys.error <= found.get(key, 0) <= count


@given(st.lists(st.floats(0, 1e7), min_size=1, max_size=200), st.floats(0, 1))
def test_quantiles_are_within_their_error(seconds: list[float], share: float) -> None:
    """A quantile is within a second under a day, and within half of a bucket's 1 % above."""
    histogram = DurationHistogram()
    for each in seconds:
        histogram.add(each)
    rank = max(-(-share * len(seconds) // 1), 1)
    exact = sorted(seconds)[int(rank) - 1]
    error = 1 if exact < 86_400 else 0.00501 * exact
    assert histogram.quantile(share) == pytest.approx(exact, rel=0, abs=error)


def test_whole_seconds_are_exact() -> None:
    """Whole seconds, which the service keeps, have an exact median under a day."""
    rng = random.Random(1)
    seconds = [rng.randrange(86_400) for _ in range(999)]
    histogram = DurationHistogram()
    for each in seconds:
        histogram.add(each)
    assert histogram.quantile(0.5) == median_low(seconds)


def test_equal_durations_above_a_day_are_exact() -> None:
    """The median of one call of days is its length; of more, it lies between the shortest and the longest."""
    histogram = DurationHistogram()
    for _ in range(3):
        histogram.add(153_753)
    assert histogram.quantile(0.5) == histogram.quantile(0.95) == 153_753
    histogram.add(153_760)
    assert 153_753 <= histogram.quantile(0.5) <= 153_760


def test_memory_of_a_histogram_is_bounded() -> None:
    """A count for every second of a day and for every bucket above takes less than a megabyte."""
    histogram = DurationHistogram()
    for second in (*range(86_400), *(86_400 * 1.005**power for power in range(2_000))):
        histogram.add(second)
    assert len(histogram._seconds) == 86_400
    assert sys.getsizeof(histogram._seconds) < 900_000
    assert len(histogram._buckets) <= 825


@pytest.mark.parametrize("seconds", [1e9, sys.float_info.max])
def test_longest_bucket_takes_the_rest(seconds: float) -> None:
    """A duration of decades has a place too."""
    histogram = DurationHistogram()
    histogram.add(seconds)
    assert histogram.quantile(1.0) <= seconds


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (59.4, "59 s"), (61, "1 min 01 s"), (3_600, "1 h 00 min"), (400_000, "111 h")],
)
def test_lengths_are_shown_as_people_say_them(seconds: float, shown: str) -> None:
    """A duration is shown in two units at most."""
    assert show_length(timedelta(seconds=seconds)) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [(0, 0, "n/a"), (0, 9, "0%"), (9, 9, "100%"), (1, 3, "33.3%"), (1, 10**6, "0.1%"), (10**6 - 1, 10**6, "99.9%")],
)
def test_shares_are_not_rounded_to_all_or_nothing(part: int, whole: int, shown: str) -> None:
    """Only all is shown as 100 %, and only none as 0 %."""
    assert show_share(part, whole) == shown
