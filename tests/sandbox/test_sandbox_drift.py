"""Changes of the records during a walk."""

import time

from trtc_records.sandbox import Behaviour, Drift, Sandbox, make_records


def test_nothing_moves_by_default(connect):
    """Without drift, two equal queries get equal records."""
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
    """Only the oldest record that the filter matches expires."""
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
    """An arriving record is the newest of the window and matches the filter."""
    with Sandbox(records=50, drift=Drift(arrivals=1)) as sandbox:
        caller = connect(sandbox)
        end = int(time.time()) - 3 * 86_400
        window = {"EndTime": end, "CallResult": "Cancel", "CallType": "SingleCall", "NumberPerPage": 100}
        first, second = (caller.query(**window)["CallRecordList"] for _ in range(2))
        assert second[:-1] == first
        assert second[-1]["StartTime"] <= end


def test_a_record_arrives_anywhere_if_chosen(connect):
    """Not all arrivals are newer than the records before them."""
    with Sandbox(records=50, quota=None, drift=Drift(arrivals=1, anywhere=True)) as sandbox:
        caller = connect(sandbox)
        known = {record.call_id for record in sandbox.records}
        for _ in range(20):
            caller.query()
        arrived = [place for place, record in enumerate(sandbox.records) if record.call_id not in known]
        assert len(arrived) == 19
        assert arrived[0] < 50


def test_a_record_arrives_in_an_empty_window(connect):
    """A record can arrive in an empty window."""
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
    """Lookups find the records that queries find."""
    with Sandbox(records=5, drift=Drift(arrivals=1)) as sandbox:
        caller = connect(sandbox)
        caller.ask("get_record_by_callid", CallId="x")
        caller.query()
        newest = caller.query()["CallRecordList"][-1]
        assert caller.ask("get_record_by_callid", CallId=newest["CallId"])["Response"]["CallRecord"] == newest


def test_a_random_order_keeps_its_place_when_records_come_and_go(connect):
    """The other records stay in the same order."""
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


def test_a_replica_may_lack_the_newest_record(connect):
    """Some answers, of queries and lookups, do not have the record that appeared last."""
    records = make_records(20)
    newest = max(records, key=lambda made: made.end_time)
    with Sandbox(records=records, quota=None, drift=Drift(replica_lag=0.5)) as sandbox:
        caller = connect(sandbox)
        answers = [caller.query(NumberPerPage=50) for _ in range(40)]
        lookups = [caller.ask("get_record_by_callid", CallId=newest.call_id)["ErrorCode"] for _ in range(40)]
    assert {(answer["TotalNum"], len(answer["CallRecordList"])) for answer in answers} == {(20, 20), (19, 19)}
    assert set(lookups) == {0, 101050}
    lagging = next(answer for answer in answers if answer["TotalNum"] == 19)
    assert newest.call_id not in {call["CallId"] for call in lagging["CallRecordList"]}


def test_a_lagging_replica_lacks_the_last_arrival(connect):
    """A lagging replica lacks the latest arrival."""
    with Sandbox(records=20, drift=Drift(arrivals=1, replica_lag=1)) as sandbox:
        caller = connect(sandbox)
        assert [caller.query()["TotalNum"] for _ in range(3)] == [19, 20, 21]


def test_filtered_queries_follow_arrivals_and_departures(connect):
    """Filtered queries see the same arrivals and expiries as unfiltered ones."""
    drift = Drift(arrivals=0.6, expiries=0.6, anywhere=True)
    with Sandbox(records=60, quota=None, drift=drift, behaviour=Behaviour(window="end")) as sandbox:
        caller = connect(sandbox)
        for _ in range(30):
            for kind in ("Cancel", "NormalEnd"):
                found = caller.query(NumberPerPage=500, CallResult=kind)["CallRecordList"]
                assert [call["CallId"] for call in found] == [
                    made.call_id for made in sandbox.records if made.call_result == kind
                ]
