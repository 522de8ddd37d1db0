"""How records change under a walk."""

import time

from trtc_records.sandbox import Behaviour, Drift, Sandbox


def test_nothing_moves_by_default(connect):
    """Two equal queries have equal records."""
    with Sandbox(records=20) as sandbox:
        caller = connect(sandbox)
        assert caller.walk() == caller.walk()


def test_nothing_moves_before_the_first_query(connect):
    """Records change between queries only."""
    with Sandbox(records=20, drift=Drift(expiries=1, arrivals=1)) as sandbox:
        before = sandbox.records
        connect(sandbox).query()
        assert sandbox.records == before


def test_the_oldest_record_of_the_query_expires(connect):
    """Each query after the first finds one fewer, and the oldest is gone."""
    with Sandbox(records=20, drift=Drift(expiries=1)) as sandbox:
        caller = connect(sandbox)
        before = sandbox.records
        assert [caller.query()["TotalNum"] for _ in range(3)] == [20, 19, 18]
        assert sandbox.records == before[2:]


def test_the_oldest_record_that_a_filter_matches_expires(connect):
    """Others stay."""
    with Sandbox(records=50, drift=Drift(expiries=1)) as sandbox:
        caller = connect(sandbox)
        before = sandbox.records
        matching = [record for record in before if record.call_result == "Cancel"]
        for _ in range(2):
            caller.query(CallResult="Cancel")
        assert [record for record in before if record not in sandbox.records] == matching[:1]


def test_everything_may_expire(connect):
    """An empty service stays empty."""
    with Sandbox(records=2, drift=Drift(expiries=1)) as sandbox:
        caller = connect(sandbox)
        assert [caller.query()["TotalNum"] for _ in range(5)] == [2, 1, 0, 0, 0]


def test_a_record_arrives_at_the_recent_end_of_the_query(connect):
    """It is the newest of the window and matches the filter."""
    with Sandbox(records=50, drift=Drift(arrivals=1)) as sandbox:
        caller = connect(sandbox)
        end = int(time.time()) - 3 * 86_400
        window = {"EndTime": end, "CallResult": "Cancel", "CallType": "SingleCall", "NumberPerPage": 100}
        first, second = (caller.query(**window)["CallRecordList"] for _ in range(2))
        assert second[:-1] == first
        assert second[-1]["StartTime"] <= end


def test_a_record_arrives_anywhere_if_chosen(connect):
    """Not all arrivals are newer than what was there."""
    with Sandbox(records=50, quota=None, drift=Drift(arrivals=1, anywhere=True)) as sandbox:
        caller = connect(sandbox)
        known = {record.call_id for record in sandbox.records}
        for _ in range(20):
            caller.query()
        arrived = [place for place, record in enumerate(sandbox.records) if record.call_id not in known]
        assert len(arrived) == 19
        assert arrived[0] < 50


def test_a_record_arrives_in_an_empty_window(connect):
    """There needs to be no record before it."""
    with Sandbox(records=0, drift=Drift(arrivals=1)) as sandbox:
        caller = connect(sandbox)
        assert [caller.query()["TotalNum"] for _ in range(3)] == [0, 1, 2]


def test_no_record_arrives_before_the_retention_edge(connect):
    """A window that the service no longer keeps stays empty."""
    with Sandbox(records=0, drift=Drift(arrivals=1)) as sandbox:
        caller = connect(sandbox)
        assert [caller.query(EndTime=1_000)["TotalNum"] for _ in range(2)] == [0, 0]
        assert sandbox.records == []


def test_an_arrival_can_be_looked_up(connect):
    """Lookups know what queries know."""
    with Sandbox(records=5, drift=Drift(arrivals=1)) as sandbox:
        caller = connect(sandbox)
        caller.ask("get_record_by_callid", CallId="x")
        caller.query()
        newest = caller.query()["CallRecordList"][-1]
        assert caller.ask("get_record_by_callid", CallId=newest["CallId"])["Response"]["CallRecord"] == newest


def test_a_random_order_keeps_its_place_when_records_come_and_go(connect):
    """What was there stays in the same order."""
    with Sandbox(records=30, behaviour=Behaviour(order="random"), drift=Drift(arrivals=1, expiries=1)) as sandbox:
        caller = connect(sandbox)
        first, second = ([found["CallId"] for found in caller.query(NumberPerPage=99)["CallRecordList"]] for _ in "12")
        assert [call for call in first if call in second] == [call for call in second if call in first]
        assert first != second


def move(connect, seed):
    with Sandbox(records=40, seed=seed, drift=Drift(arrivals=0.5, expiries=0.5)) as sandbox:
        caller = connect(sandbox)
        return [caller.query()["TotalNum"] for _ in range(30)]


def test_drift_follows_the_seed(connect):
    """The same seed moves records the same way."""
    assert move(connect, 1) == move(connect, 1) != move(connect, 2)
