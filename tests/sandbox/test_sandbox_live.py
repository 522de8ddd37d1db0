"""Calls that start and end while a sandbox runs, on a clock that goes on when the test says so."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from trtc_records import CallResult
from trtc_records.sandbox import Behaviour, Sandbox

LENGTHS = (1, 12)


def poll(connect, clock, *, seconds=1_000, step=10, **options):
    """Return each call with the time at which a query first had it."""
    seen = {}
    with Sandbox(records=0, quota=None, **{"live": 0.5, "call_seconds": LENGTHS} | options) as sandbox:
        caller = connect(sandbox)
        for _ in range(int(seconds / step) + 1):
            for call in caller.query(NumberPerPage=9_999)["CallRecordList"]:
                seen.setdefault(call["CallId"], (clock.now, call))
            clock.now += step
    return list(seen.values())


def test_as_many_calls_end_as_chosen(connect, clock):
    """Half a call per second ends, on average."""
    assert 420 < len(poll(connect, clock)) < 580


@pytest.mark.parametrize("rate", ["30/min", "0.5/s", "1800/h", "43200/day", 0.5])
def test_a_rate_has_several_spellings(connect, clock, rate):
    """The same rate brings the same calls, however it is written."""
    found = [call["CallId"] for _, call in poll(connect, clock, seconds=100, live=rate)]
    clock.now -= 110
    assert found == [call["CallId"] for _, call in poll(connect, clock, seconds=100)]
    assert found


def test_a_record_appears_five_seconds_after_its_end(connect, clock):
    """No record is there 5 seconds after its EndTime, which is cut to a second, and all are there after 6."""
    lags = [at - call["EndTime"] for at, call in poll(connect, clock, seconds=200, step=0.125)]
    assert len(lags) > 50
    assert min(lags) >= 5
    assert max(lags) <= 6.125


def test_records_do_not_appear_in_the_order_of_their_starts(connect, clock):
    """A long call appears after shorter ones that started later."""
    seen = poll(connect, clock, seconds=300, step=1)
    starts = [call["StartTime"] for _, call in seen]
    assert sum(later < earlier for earlier, later in pairwise(starts)) > 20


def test_lengths_lie_between_the_bounds(connect, clock):
    """Lengths are drawn evenly between two bounds."""
    lengths = [call["EndTime"] - call["StartTime"] for _, call in poll(connect, clock)]
    assert (min(lengths), max(lengths)) == LENGTHS
    assert 6 < sum(lengths) / len(lengths) < 7


def test_lengths_lie_around_a_mean(connect, clock):
    """Lengths are half to one and a half times the mean."""
    lengths = [call["EndTime"] - call["StartTime"] for _, call in poll(connect, clock, call_seconds=60)]
    assert min(lengths) >= 29
    assert max(lengths) <= 90
    assert 55 < sum(lengths) / len(lengths) < 65


def test_lengths_suit_the_results_by_default(connect, clock):
    """Without a length, unanswered calls are short and some answered ones long; all results and types occur."""
    calls = [call for _, call in poll(connect, clock, seconds=4_000, step=100, call_seconds=None)]
    assert len(Counter(call["CallResult"] for call in calls)) == len(CallResult)
    assert {call["CallType"] for call in calls} == {"SingleCall", "MultiCall"}
    lengths = {
        answered: [call["EndTime"] - call["StartTime"] for call in calls if bool(call["AcceptTime"]) is answered]
        for answered in (False, True)
    }
    assert max(lengths[False]) <= 30
    assert max(lengths[True]) > 600


def test_times_of_a_call_are_in_order(connect, clock):
    """A call is accepted, if at all, between its start and its end."""
    for _, call in poll(connect, clock, call_seconds=(0, 30)):
        assert call["StartTime"] <= (call["AcceptTime"] or call["StartTime"]) <= call["EndTime"]


def test_calls_are_under_way_at_the_start(connect, clock):
    """With calls of up to 3 days, those that end in the first hour started before it, most of them long before."""
    begun = clock.now
    calls = [call for _, call in poll(connect, clock, seconds=3_600, step=600, live=0.1, call_seconds=(1, 259_200))]
    assert 250 < len(calls) < 470
    ages = [begun - call["StartTime"] for call in calls]
    assert sum(age > 86_400 for age in ages) > 100
    assert all(call["EndTime"] > begun - 1 for call in calls)


def test_live_calls_follow_the_seed(connect, clock):
    """The same seed brings the same calls, another one others."""
    begun = clock.now
    runs = []
    for seed in (1, 1, 2):
        clock.now = begun
        runs.append(poll(connect, clock, seconds=100, seed=seed))
    assert runs[0] == runs[1] != runs[2]


def test_the_way_of_asking_changes_nothing(connect, clock):
    """Calls do not depend on how often a program asks."""
    begun = clock.now
    often, seldom = {}, {}
    for found, step in ((often, 1), (seldom, 50)):
        clock.now = begun
        found |= {call["CallId"]: call for _, call in poll(connect, clock, seconds=100, step=step)}
    assert often == seldom


def test_a_lookup_lets_time_pass_too(connect, clock):
    """A call is found by its id as soon as its record appears, without a query in between."""
    with Sandbox(records=0, live="1/s", call_seconds=5) as sandbox:
        caller = connect(sandbox)
        clock.now += 20
        last = sandbox.ended_records[-1].call_id
        assert caller.ask("get_record_by_callid", CallId=last)["ErrorCode"] == 101050
        clock.now += 6
        assert caller.ask("get_record_by_callid", CallId=last)["ErrorCode"] == 0


def test_records_are_those_readable_now(connect, clock):
    """``records`` follows the clock by itself, and is what a query finds."""
    with Sandbox(records=3, live="1/s", call_seconds=5) as sandbox:
        clock.now += 60
        records = sandbox.records
        assert len(records) > 30
        calls = connect(sandbox).walk(size=100)
        assert {call["CallId"] for call in calls} == {record.call_id for record in records}


def test_ended_records_hold_the_last_seconds(connect, clock):
    """``ended_records`` has what is readable and the calls of the last 5 seconds, by end time."""
    with Sandbox(records=3, live="2/s", call_seconds=5) as sandbox:
        clock.now += 60
        ended = sandbox.ended_records
        readable = {record.call_id for record in sandbox.records}
        assert [record.end_time for record in ended] == sorted(record.end_time for record in ended)
        unreadable = [record for record in ended if record.call_id not in readable]
        assert len(ended) == len(readable) + len(unreadable)
        assert len(unreadable) > 3
        assert all(clock.now - 6 < record.end_time.timestamp() <= clock.now for record in unreadable)
        clock.now += 6
        assert {record.call_id for record in unreadable} <= {record.call_id for record in sandbox.records}


def test_ended_records_hold_expired_ones(clock):
    """A record older than 7 days is not served, and has ended all the same."""
    with Sandbox(records=0, live="1/min", call_seconds=5) as sandbox:
        clock.now += 3_600
        early = {record.call_id for record in sandbox.records}
        clock.now += 7 * 86_400
        assert early
        assert early.isdisjoint(record.call_id for record in sandbox.records)
        assert early <= {record.call_id for record in sandbox.ended_records}


def test_ended_records_look_like_those_served(connect, clock):
    """A call that cannot be read yet has the record that it will have."""
    with Sandbox(records=0, live="2/s", call_seconds=5, behaviour=Behaviour(new_enum_values=True)) as sandbox:
        clock.now += 60
        ended = sandbox.ended_records
        clock.now += 6
        assert {record.call_id: record for record in sandbox.records}.items() >= {
            record.call_id: record for record in ended
        }.items()


def test_a_clock_set_back_takes_nothing_away(connect, clock):
    """Records stay when the clock goes back, and none appears until it has caught up."""
    with Sandbox(records=0, live="1/s", call_seconds=5) as sandbox:
        clock.now += 60
        before = sandbox.ended_records
        clock.now -= 30
        assert sandbox.ended_records == before
        clock.now += 60
        assert len(sandbox.ended_records) > len(before)


def test_a_stopped_sandbox_keeps_its_last_records(clock):
    """After the block no call ends any more."""
    with Sandbox(records=0, live="1/s", call_seconds=5) as sandbox:
        clock.now += 60
        records, ended = sandbox.records, sandbox.ended_records
    clock.now += 60
    assert (sandbox.records, sandbox.ended_records) == (records, ended)


def test_records_may_be_read_during_queries(connect):
    """While a client queries in real time, another thread reads all ended calls, each once, and loses none."""
    with Sandbox(records=50, quota=None, live="500/s", call_seconds=(0, 0.1)) as sandbox, ThreadPoolExecutor() as pool:
        caller = connect(sandbox)
        queries = pool.submit(lambda: [caller.query() for _ in range(100)])
        known = set()
        while not queries.done():
            ids = [record.call_id for record in sandbox.ended_records]
            assert len(ids) == len(set(ids))
            assert known <= set(ids)
            known = set(ids)
        assert len(queries.result()) == 100
    assert len(known) > 50


def test_calls_end_in_real_time(connect):
    """Without a virtual clock time passes by itself."""
    with Sandbox(records=0, live="200/s", call_seconds=(0, 0.1)) as sandbox:
        caller = connect(sandbox)
        while not sandbox.ended_records:
            caller.query()
        assert sandbox.records == []
