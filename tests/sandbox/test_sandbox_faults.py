"""The sandbox's faults, their counts, and its latency."""

import json
import logging
import time
from collections import Counter

import httpx
import pytest

from trtc_records.sandbox import Faults, Sandbox


def test_a_bad_gateway_answers_html(connect):
    """Status 502 has a body that is not JSON."""
    with Sandbox(records=3, faults=Faults(http_502=1)) as sandbox:
        answer = connect(sandbox).post()
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html; charset=utf-8")
    assert "502 Bad Gateway" in answer.text


def test_a_busy_gateway_says_when_to_come_back(connect):
    """Status 429 has Retry-After."""
    with Sandbox(records=3, faults=Faults(http_429=1, retry_after=7)) as sandbox:
        answer = connect(sandbox).post()
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


def test_an_answer_may_not_be_json(connect):
    """An answer of status 200 may have a body that is not JSON."""
    with Sandbox(records=3, faults=Faults(not_json=1)) as sandbox:
        answer = connect(sandbox).post()
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


@pytest.mark.parametrize(("kind", "code"), [("internal_error", 101001), ("rate_limited", 60011)])
def test_the_service_may_fail(connect, kind, code):
    """A failing service answers a correct request within the quota with an error code."""
    with Sandbox(records=3, faults=Faults(**{kind: 1})) as sandbox:
        assert connect(sandbox).ask()["ErrorCode"] == code
        assert (sandbox.stats.refused, sandbox.stats.faults) == (0, {kind: 1})


@pytest.mark.parametrize(("kind", "error"), [("reset", httpx.ReadError), ("truncated", httpx.RemoteProtocolError)])
def test_a_connection_may_break(connect, caplog, kind, error):
    """A connection is reset without an answer, or closed within the body, and the server logs nothing."""
    with Sandbox(records=50, faults=Faults(**{kind: 1})) as sandbox:
        caller = connect(sandbox)
        for _ in range(5):
            with pytest.raises(error):
                caller.post()
    assert sandbox.stats.faults == {kind: 5}
    assert [entry for entry in caplog.records if entry.levelno >= logging.WARNING] == []


def test_a_truncated_answer_begins_right(connect):
    """A truncated answer announces the full length and sends half of it."""
    with Sandbox(records=50, faults=Faults(truncated=1)) as sandbox:
        caller = connect(sandbox)
        url = "/v4/call_record_http_srv/get_record_by_filter"
        received = b""
        with caller.http.stream("POST", url, params=caller.parameters(), content=b"{}") as answer:
            length = int(answer.headers["content-length"])
            with pytest.raises(httpx.RemoteProtocolError):
                for part in answer.iter_raw():
                    received += part
    assert len(received) == length // 2
    assert received.startswith(b'{"ErrorCode":0,')


def test_a_slow_answer_is_right(connect):
    """A slow answer is correct, and only takes longer."""
    with Sandbox(records=3, faults=Faults(slow=1, slow_seconds=0.2)) as sandbox:
        caller = connect(sandbox)
        begun = time.monotonic()
        assert caller.query()["TotalNum"] == 3
        assert time.monotonic() - begun >= 0.2


def test_latency_and_jitter_delay_an_answer(connect):
    """An answer takes at least the latency."""
    with Sandbox(records=3, latency=0.1, jitter=0.05) as sandbox:
        caller = connect(sandbox)
        begun = time.monotonic()
        caller.query()
        assert time.monotonic() - begun >= 0.1


def test_a_request_counts_before_its_latency(connect):
    """A request counts for the quota when it arrives, before its latency."""
    with Sandbox(records=3, latency=30) as sandbox:
        caller = connect(sandbox)
        with pytest.raises(httpx.ReadTimeout):
            caller.http.post(
                "/v4/call_record_http_srv/get_record_by_filter", params=caller.parameters(), json={}, timeout=0.2
            )
        assert sandbox.stats.requests == 1


def draw_statuses(connect, seed):
    with Sandbox(records=3, quota=None, seed=seed, faults=Faults(http_502=0.3, http_429=0.3)) as sandbox:
        caller = connect(sandbox)
        statuses = [caller.post().status_code for _ in range(100)]
    assert sandbox.stats.faults == {"http_502": statuses.count(502), "http_429": statuses.count(429)}
    return statuses


def test_faults_befall_a_share_of_requests_by_the_seed(connect):
    """Each fault has its probability, and the same seed makes the same faults."""
    first, again, other = (draw_statuses(connect, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert all(15 <= count <= 60 for count in Counter(first).values())


def test_a_request_over_the_quota_has_no_fault(connect):
    """A request over the quota has no fault."""
    with Sandbox(records=3, quota=1, faults=Faults(http_502=1)) as sandbox:
        caller = connect(sandbox)
        assert [caller.post().status_code for _ in range(3)] == [502, 200, 200]
