"""The calls that the sandbox makes up."""

import time
import uuid
from collections import Counter
from statistics import median

import pytest

from trtc_records._api.models import CallResult, CallType, MediaType, RoomIdType
from trtc_records.sandbox import Sandbox, make_records

NOW = 1_794_769_842
DAY = 86_400
RECORDS = make_records(5_000, seed=3, now=NOW)


def test_the_same_seed_makes_the_same_records():
    """The same seed and time make the same records."""
    assert make_records(50, seed=1, now=NOW) == make_records(50, seed=1, now=NOW) != make_records(50, seed=2, now=NOW)


def test_now_is_the_present_by_default():
    """By default the last records end just before the present."""
    assert time.time() - 7 * DAY < make_records(1)[0].start_time.timestamp() < time.time()


@pytest.mark.parametrize("count", [0, 1, 17])
def test_as_many_records_are_made_as_asked_for(count):
    """The number of records is the requested one, and may be 0."""
    assert len(make_records(count)) == count


def test_records_ascend_by_start_time():
    """Records are sorted by start time."""
    starts = [record.start_time for record in RECORDS]
    assert starts == sorted(starts)


def test_records_cover_the_days_and_stay_inside():
    """Records begin ten minutes inside the retention edge, reach today, and have ended before now."""
    starts = [record.start_time.timestamp() for record in RECORDS]
    assert NOW - 7 * DAY + 600 <= starts[0] < NOW - 6 * DAY
    assert starts[-1] > NOW - DAY
    assert max(record.end_time.timestamp() for record in RECORDS) < NOW
    assert all(record.start_time <= (record.accept_time or record.end_time) <= record.end_time for record in RECORDS)


def test_records_may_cover_fewer_days():
    """Records may cover fewer days than the retention."""
    assert make_records(50, now=NOW, days=1)[0].start_time.timestamp() >= NOW - DAY


def test_call_ids_are_uuids_and_differ():
    """Call ids are UUIDs of version 4, as Tencent's are."""
    ids = [record.call_id for record in RECORDS]
    assert len(set(ids)) == len(ids)
    assert all(str(uuid.UUID(call_id)) == call_id and uuid.UUID(call_id).version == 4 for call_id in ids)


def test_every_value_of_every_enum_occurs():
    """Every documented value of every enum occurs."""
    assert {record.call_result for record in RECORDS} == set(CallResult)
    assert {record.call_type for record in RECORDS} == set(CallType)
    assert {record.media_type for record in RECORDS} == set(MediaType)
    assert {record.room_id_type for record in RECORDS} == set(RoomIdType)


def test_results_decide_whether_a_call_was_answered():
    """Only calls with a normal end, and some interrupted ones, were answered."""
    answered = {(record.call_result, record.answered) for record in RECORDS}
    assert answered == {(result, result == "NormalEnd") for result in CallResult} | {
        ("Interrupt", True),
        ("Offline", True),
    }


def test_most_calls_end_normally():
    """Most calls end normally, as in a real app."""
    assert 0.5 < Counter(record.call_result for record in RECORDS)["NormalEnd"] / len(RECORDS) < 0.75


def test_single_calls_have_two_members_and_group_calls_more():
    """Single calls have two members, group calls more, and the caller is the first."""
    assert all(record.callees[0] == record.caller for record in RECORDS)
    assert all(len(set(record.callees)) == len(record.callees) for record in RECORDS)
    assert {len(record.callees) for record in RECORDS if record.call_type == "SingleCall"} == {2}
    assert {len(record.callees) for record in RECORDS if record.call_type == "MultiCall"} == set(range(3, 10))


def test_evenings_are_busier_than_nights():
    """Evenings have more calls than nights."""
    hours = Counter(record.start_time.hour for record in RECORDS)
    assert hours[20] > 5 * hours[3]


def test_times_are_plausible():
    """A call rings for seconds and talks for minutes; an unanswered one rings to its end."""
    talks = [record.talk_time.total_seconds() for record in RECORDS if record.answered]
    assert 60 < median(talks) < 400
    assert max(record.ring_time.total_seconds() for record in RECORDS) <= 60
    assert min(record.ring_time.total_seconds() for record in RECORDS if record.call_result == "NotAnswer") >= 25


def test_rooms_fit_their_type():
    """A numeric room is a number, a string room a name, and no room is empty."""
    rooms = {kind: [record.room_id for record in RECORDS if record.room_id_type == kind] for kind in RoomIdType}
    assert set(rooms[RoomIdType.NONE]) == {""}
    assert all(room.isdigit() for room in rooms[RoomIdType.NUMERIC])
    assert all(room.startswith("roomid-") for room in rooms[RoomIdType.STRING])


def test_some_users_call_more_than_others():
    """Some users call more often than others."""
    counts = sorted(Counter(record.caller for record in RECORDS).values(), reverse=True)
    assert counts[0] > 5 * median(counts)


def test_a_sandbox_makes_the_records_of_make_records():
    """``Sandbox(records=…)`` makes the same records as ``make_records``."""
    before = int(time.time())
    made = Sandbox(records=40, seed=9).records
    assert any(made == make_records(40, seed=9, now=now) for now in range(before, int(time.time()) + 1))
