"""The sandbox's count of requests."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from trtc_records.sandbox import Behaviour, Sandbox
from trtc_records.sandbox._quota import Quota


def test_a_request_over_the_quota_is_refused(connect):
    """Both calls count together, and the first request over the quota gets Tencent's code."""
    with Sandbox(records=3, quota=4) as sandbox:
        caller = connect(sandbox)
        answers = [caller.ask(call, CallId="x") for call in ["get_record_by_filter", "get_record_by_callid"] * 3]
    assert [answer["ErrorCode"] for answer in answers[-2:]] == [60011, 60011]
    assert (sandbox.stats.requests, sandbox.stats.refused, sandbox.stats.busiest_second) == (6, 2, 6)


def test_a_request_that_is_wrong_counts_too(connect):
    """A wrong request counts too, because the quota is counted on arrival."""
    with Sandbox(records=3, quota=1) as sandbox:
        caller = connect(sandbox)
        assert caller.post(b"").json()["ErrorCode"] == 60003
        assert caller.post().json()["ErrorCode"] == 60011


def test_an_unknown_path_does_not_count(connect):
    """Requests to other paths do not count for the quota."""
    with Sandbox(records=3, quota=1) as sandbox:
        caller = connect(sandbox)
        caller.post(call="other")
        assert caller.query()["TotalNum"] == 3


@pytest.mark.parametrize("code", [60007, 60011, 60018, 60019])
def test_the_code_of_the_quota_is_a_choice(connect, code):
    """Each of Tencent's four codes can be chosen."""
    with Sandbox(records=3, quota=1, behaviour=Behaviour(quota_code=code)) as sandbox:
        caller = connect(sandbox)
        assert [caller.ask()["ErrorCode"] for _ in range(2)] == [0, code]


def test_there_may_be_no_quota(connect):
    """Without a quota, requests are counted and none is refused."""
    with Sandbox(records=3, quota=None) as sandbox:
        caller = connect(sandbox)
        assert {caller.ask()["ErrorCode"] for _ in range(250)} == {0}
        assert (sandbox.stats.requests, sandbox.stats.refused) == (250, 0)


def test_the_window_slides():
    """A request leaves the window exactly one second after it came, and not when a second begins."""
    quota = Quota(2)
    assert [quota.admit(now) for now in (0.0, 0.9, 0.999, 1.0, 1.9, 2.0)] == [True, True, False, False, False, True]


def test_a_refused_request_stays_in_the_window():
    """Refused requests count, so a client that does not slow down stays refused."""
    quota = Quota(1)
    assert [quota.admit(0.6 * step) for step in range(4)] == [True, False, False, False]
    assert (quota.counted, quota.refused, quota.busiest_second) == (4, 3, 2)


def test_the_busiest_second_is_of_any_window():
    """The busiest second may begin at any moment."""
    quota = Quota(None)
    for now in (0.0, 0.7, 0.8, 1.6, 3.0):
        quota.admit(now)
    assert quota.busiest_second == 3


def test_requests_above_the_capacity_wait_in_line(connect):
    """A service that does twenty requests a second takes a quarter of one for five that come at once."""
    with Sandbox(records=3, capacity=20) as sandbox, ThreadPoolExecutor(5) as pool:
        started = time.monotonic()
        answers = list(pool.map(lambda _: connect(sandbox).ask(), range(5)))
        seconds = time.monotonic() - started
    assert {answer["ErrorCode"] for answer in answers} == {0}
    assert seconds >= 0.25, "the line, not the machine's speed"


def test_a_capacity_of_nothing_is_refused():
    """A service that never answers is no slow service."""
    with pytest.raises(ValueError, match="capacity must be"):
        Sandbox(capacity=0)
