"""A bad minute of the service: each fault, over real HTTP, and its effect for the user."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import random
import re
import time
import tracemalloc
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import stamina
import virtual_time
from conftest import MakeClient, Unlimited
from http_server import Reply, Request, serve
from records import ENDINGS, call_id, envelope, page_answer, raw_record

from trtc_records import (
    AuthenticationError,
    CallRecordsWarning,
    RateLimitError,
    ResponseDecodeError,
    ServerError,
    TransportError,
    record_from_json,
)

pytestmark = pytest.mark.anyio

Fault = Callable[[], Awaitable[Reply]]


async def _answer(content: bytes, status: int = 200, **headers: str) -> Reply:
    return Reply(content, status, {name.replace("_", "-"): value for name, value in headers.items()})


async def _error_code(code: int) -> Reply:
    return Reply(json.dumps(envelope(code=code, info="fault")).encode())


async def _raw(content: bytes) -> Reply:
    return Reply(raw=content)


async def _slow() -> Reply:
    await asyncio.sleep(30)
    raise AssertionError


CUT = b'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{"ErrorCode": 0, '

FAULTS: dict[str, Fault] = {
    "a 502 with HTML": lambda: _answer(b"<html>Bad Gateway</html>", 502),
    "a 500 without a body": lambda: _answer(b"", 500),
    "a 429": lambda: _answer(b"", 429),
    "a 503 with Retry-After": lambda: _answer(b"", 503, Retry_After="0"),
    "a reset connection": lambda: _raw(b""),
    "half an answer": lambda: _raw(CUT),
    "half a chunk": lambda: _raw(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\n{"Err'),
    "no HTTP at all": lambda: _raw(b"SSH-2.0-OpenSSH\r\n"),
    "text with status 200": lambda: _answer(b"upstream error"),
    "an empty body": lambda: _answer(b""),
    "invalid UTF-8": lambda: _answer(b"\xff\xfe{}"),
    "broken gzip": lambda: _answer(b"\x1f\x8bnonsense", Content_Encoding="gzip"),
    "no answer in time": _slow,
    "code 101001": lambda: _error_code(101001),
    "code 60008": lambda: _error_code(60008),
    "code 70500": lambda: _error_code(70500),
    "code 60011, the quota": lambda: _error_code(60011),
}


def flaky_pages(count: int, faults: list[Fault], share: float, seed: int = 1) -> Any:
    """Return a handler that serves *count* records and fails a share of the requests."""
    chance = random.Random(seed)

    async def handle(request: Request) -> Any:
        if chance.random() < share:
            return await chance.choice(faults)()
        size = request.body["NumberPerPage"]
        numbers = range(count)[(request.page - 1) * size : request.page * size]
        if not numbers:
            return ENDINGS["Page 0"]
        return page_answer([raw_record(number) for number in numbers], request.page, count)

    return handle


@pytest.mark.usefixtures("quick_back_off")
@pytest.mark.parametrize("name", [*(name for name in FAULTS if "quota" not in name and "429" not in name), "all mixed"])
async def test_a_walk_gets_through_a_bad_minute(make_client: MakeClient, name: str) -> None:
    """15 % of the requests fail: 3,000 records in 60 pages, all of them exactly once, quota held."""
    faults = [FAULTS[name]] if name in FAULTS else [fault for key, fault in FAULTS.items() if "quota" not in key]
    if name == "all mixed":
        faults.remove(FAULTS["a 429"])
    async with (
        serve(flaky_pages(3_000, faults, 0.15)) as server,
        make_client(base_url=server.base_url, attempts=8, timeout=0.3, limiter=None) as client,
    ):
        found = [record.call_id async for record in client.iter_records(page_size=50)]
    assert found == [call_id(number) for number in range(3_000)]
    assert len(server.requests) > 63


@pytest.mark.slow
@pytest.mark.usefixtures("quick_back_off")
async def test_the_quota_holds_while_requests_fail(make_client: MakeClient) -> None:
    """Retries count: with 15 % failing at once, the server sees no more than 200 in any second."""
    faults = [FAULTS["code 101001"], FAULTS["a 502 with HTML"], FAULTS["a reset connection"]]
    async with (
        serve(flaky_pages(3_000, faults, 0.15)) as server,
        make_client(base_url=server.base_url, attempts=8, limiter=None) as client,
    ):
        assert len([record async for record in client.iter_records(page_size=5)]) == 3_000
    assert len(server.requests) > 650
    assert server.busiest_second <= 200


@pytest.mark.usefixtures("quick_back_off")
@pytest.mark.parametrize("name", [name for name in FAULTS if "quota" not in name and "429" not in name])
async def test_a_fault_that_stays_is_an_error_after_the_last_attempt(make_client: MakeClient, name: str) -> None:
    """A fault that stays is an error after the last of three attempts."""
    async with (
        serve(flaky_pages(10, [FAULTS[name]], 1.0)) as server,
        make_client(base_url=server.base_url, attempts=3, timeout=0.5) as client,
    ):
        with pytest.raises((TransportError, ServerError, ResponseDecodeError)):
            await client.get_page()
    assert len(server.requests) == 3


@pytest.mark.usefixtures("quick_back_off")
async def test_a_server_error_that_stays_tells_code_and_request_id(make_client: MakeClient) -> None:
    """A 101001 that stays is a ServerError with the code and RequestId for Tencent's support."""
    async with (
        serve(flaky_pages(10, [FAULTS["code 101001"]], 1.0)) as server,
        make_client(base_url=server.base_url, attempts=3) as client,
    ):
        with pytest.raises(ServerError, match=r"101001: fault \(RequestId Id-test-O-Seq-1\)") as caught:
            async for _ in client.iter_records():
                pass
    assert caught.value.code == 101001


async def test_a_lasting_error_is_asked_for_once(make_client: MakeClient) -> None:
    """A wrong key is not retried."""
    async with (
        serve(flaky_pages(10, [lambda: _error_code(70009)], 1.0)) as server,
        make_client(base_url=server.base_url, attempts=5) as client,
    ):
        with pytest.raises(AuthenticationError, match="another app"):
            await client.get_page()
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("seconds", "headers", "total_timeout", "attempts"),
    [
        pytest.param(30, {}, 60, range(5, 7), id="time-outs"),
        pytest.param(10, {}, 25, range(2, 4), id="slow answers"),
        pytest.param(0, {}, 1, range(1, 5), id="quick answers"),
        pytest.param(0, {"Retry-After": "50"}, 60, range(2, 3), id="Retry-After"),
        pytest.param(0, {"Retry-After": "70"}, 60, range(1, 2), id="Retry-After beyond"),
    ],
)
def test_no_attempt_begins_after_the_total_time(
    make_client: MakeClient,
    caplog: pytest.LogCaptureFixture,
    seconds: float,
    headers: dict[str, str],
    total_timeout: float,
    attempts: range,
) -> None:
    """total_timeout bounds the attempts, even if some are left; the log shows the last one."""
    caplog.set_level(logging.INFO, logger="trtc_records")
    begun: list[float] = []

    async def answer(_: httpx.Request) -> httpx.Response:
        begun.append(asyncio.get_running_loop().time())
        await asyncio.sleep(seconds)
        return httpx.Response(502, headers=headers)

    async def main() -> float:
        client = make_client(
            base_url="https://service.example",
            transport=httpx.MockTransport(answer),
            attempts=100,
            timeout=11,
            total_timeout=total_timeout,
        )
        with pytest.raises(TransportError):
            await client.get_page()
        await client.aclose()
        return asyncio.get_running_loop().time()

    ended = virtual_time.run(main())
    assert begun[-1] - begun[0] < total_timeout
    assert ended - begun[-1] <= 11.001
    assert len(begun) in attempts
    levels = [record.levelno for record in caplog.records if record.name == "trtc_records"]
    assert levels == [*[logging.INFO] * (len(begun) - 1), logging.WARNING]


async def test_retry_after_is_respected(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway's own wait is taken, and one beyond the total time is not waited for at all."""
    import stamina._core

    waits: list[float] = []

    async def note(delay: float) -> None:
        waits.append(delay)

    monkeypatch.setattr(stamina._core, "_smart_sleep", note)
    answers = [_answer(b"", 503, Retry_After="7"), _answer(b"", 503, Retry_After="86400")]

    async def handle(request: Request) -> Reply:
        return await answers.pop(0)

    async with serve(handle) as server, make_client(base_url=server.base_url, attempts=5) as client:
        with pytest.raises(TransportError) as caught:
            await client.get_page()
    assert waits == [7.0]
    assert caught.value.retry_after == 86400
    assert answers == []


@pytest.mark.usefixtures("quick_back_off")
async def test_attempts_are_logged(make_client: MakeClient, caplog: pytest.LogCaptureFixture) -> None:
    """The trtc_records logger shows attempt, wait, code and RequestId."""
    caplog.set_level(logging.INFO, logger="trtc_records")
    async with (
        serve(flaky_pages(10, [FAULTS["code 101001"]], 1.0)) as server,
        make_client(base_url=server.base_url, attempts=2) as client,
    ):
        with pytest.raises(ServerError):
            await client.get_page()
    first, last = (record for record in caplog.records if record.name == "trtc_records")
    assert re.match(r"attempt 1 of 2 failed, the next follows in 0\.\d\d s: ", first.getMessage())
    assert 0.2 <= first.trtc_wait <= 0.4  # type: ignore[attr-defined]
    assert (first.trtc_code, first.trtc_request_id, first.trtc_attempt) == (101001, "Id-test-O-Seq-1", 1)  # type: ignore[attr-defined]
    assert last.levelno == logging.WARNING
    assert "and was the last" in last.getMessage()


@pytest.mark.usefixtures("quick_back_off")
async def test_staminas_hooks_see_the_retries(make_client: MakeClient) -> None:
    """stamina's hooks count these retries too."""
    seen: list[stamina.instrumentation.RetryDetails] = []
    before = stamina.instrumentation.get_on_retry_hooks()
    stamina.instrumentation.set_on_retry_hooks([seen.append])
    try:
        async with (
            serve(flaky_pages(10, [FAULTS["a 502 with HTML"]], 1.0)) as server,
            make_client(base_url=server.base_url, attempts=3) as client,
        ):
            with pytest.raises(TransportError):
                await client.get_page()
    finally:
        stamina.instrumentation.set_on_retry_hooks(before)
    assert [details.retry_num for details in seen] == [1, 2]
    assert all(isinstance(details.caused_by, TransportError) for details in seen)


@pytest.mark.slow
async def test_a_refused_quota_slows_the_whole_client_down(make_client: MakeClient) -> None:
    """150 concurrent calls against a server that allows 50 per second all succeed, with few refusals."""
    arrivals: list[float] = []
    refusals: Counter[str] = Counter()

    async def handle(request: Request) -> Any:
        now = time.monotonic()
        arrivals[:] = [arrived for arrived in arrivals if now - arrived < 1.0]
        arrivals.append(now)
        if len(arrivals) > 50:
            refusals["refused"] += 1
            return envelope(code=60011, info="too frequent")
        return envelope({"CallRecord": raw_record(1)})

    async with serve(handle) as server, make_client(base_url=server.base_url, limiter=None, attempts=5) as client:
        records = await asyncio.gather(*(client.get_record("call-000001") for _ in range(150)))
    assert len(records) == 150
    assert 1 <= refusals["refused"] <= 20


async def test_requests_that_are_refused_together_slow_the_limiter_down_once(make_client: MakeClient) -> None:
    """A refusal of a request that was under way when another was refused says nothing new."""

    class Counting(Unlimited):
        slowed = 0

        def slow_down(self) -> None:
            self.slowed += 1

    arrived = asyncio.Barrier(3)

    async def handle(request: Request) -> Any:
        await arrived.wait()
        return envelope(code=60011, info="too frequent")

    limiter = Counting()
    async with serve(handle) as server, make_client(base_url=server.base_url, limiter=limiter) as client:
        calls = (client.get_record(call_id(number)) for number in range(3))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [RateLimitError] * 3
    assert limiter.slowed == 1


@pytest.mark.usefixtures("quick_back_off")
async def test_a_quota_that_stays_refused_is_an_error(make_client: MakeClient) -> None:
    """A quota that other processes use up is an error with the code."""
    async with (
        serve(flaky_pages(1, [FAULTS["code 60011, the quota"]], 1.0)) as server,
        make_client(base_url=server.base_url, attempts=2) as client,
    ):
        with pytest.raises(RateLimitError, match="share a limiter"):
            await client.get_page()
    assert len(server.requests) == 2


async def test_a_record_that_cannot_be_read_is_an_error_with_its_path(make_client: MakeClient) -> None:
    """A record that cannot be read is, by default, an error with path, value and RequestId."""
    records = [raw_record(0), raw_record(1, StartTime="yesterday")]

    async def handle(request: Request) -> Any:
        return page_answer(records, 1, 2)

    async with serve(handle) as server, make_client(base_url=server.base_url, attempts=3) as client:
        with pytest.raises(ResponseDecodeError) as caught:
            async for _ in client.iter_records():
                pass
    assert caught.value.path == "$.Response.CallRecordList[1].StartTime"
    assert caught.value.value == "yesterday"
    assert caught.value.request_id == "Id-test-O-Seq-1"
    assert len(server.requests) == 1


async def test_records_without_an_id_of_their_own_are_pointed_out(make_client: MakeClient) -> None:
    """Each is yielded, and a warning gives their number: whoever keys them by id would lose some."""
    records = [raw_record(number, CallId=each) for number, each in enumerate(["a", "", " ", "b", "b", "c", ""])]

    async def handle(request: Request) -> Any:
        return page_answer(records, request.page, len(records)) if request.page == 1 else ENDINGS["Page 0"]

    async with serve(handle) as server, make_client(base_url=server.base_url) as client:
        with pytest.warns(CallRecordsWarning, match="^records that have no call id, or share it .*: 4\\. "):
            found = [record async for record in client.iter_records()]
    assert found == [record_from_json(raw) for raw in records]


async def test_a_record_nested_too_deeply_costs_no_other(make_client: MakeClient) -> None:
    """It goes to on_invalid, as any record does that cannot be read; none of its levels costs a RecursionError."""
    deep: Any = 1
    for _ in range(900):
        deep = [deep]
    records = [raw_record(0), raw_record(1, New=deep), raw_record(2)]
    rejected: list[ResponseDecodeError] = []

    async def handle(request: Request) -> Any:
        return page_answer(records, request.page, len(records)) if request.page == 1 else ENDINGS["Page 0"]

    async with serve(handle) as server, make_client(base_url=server.base_url) as client:
        walk = client.iter_records(on_invalid=lambda _, error: rejected.append(error))
        assert [record.call_id async for record in walk] == [call_id(0), call_id(2)]
    assert [error.path for error in rejected] == ["$.Response.CallRecordList[1].New"]


async def test_on_invalid_lets_a_walk_carry_on(make_client: MakeClient) -> None:
    """Each bad record goes there once, even from pages of nothing else, and every good one is yielded."""
    records = [raw_record(number) if number % 3 else raw_record(number, EndTime="never") for number in range(40)]
    records[10:20] = ["nonsense"] * 10  # a whole page of one and the same
    rejected: list[tuple[Any, ResponseDecodeError]] = []

    async def handle(request: Request) -> Any:
        page = records[(request.page - 1) * 10 : request.page * 10]
        return page_answer(page, request.page, 40) if page else ENDINGS["Page 0"]

    async with serve(handle) as server, make_client(base_url=server.base_url) as client:
        found = [
            record.call_id
            async for record in client.iter_records(page_size=10, on_invalid=lambda *entry: rejected.append(entry))
        ]
    good = [number for number in range(40) if number % 3 and not 10 <= number < 20]
    assert found == [call_id(number) for number in good]
    bad = [record for record in records if isinstance(record, dict) and record["EndTime"] == "never"]
    assert [raw for raw, _ in rejected] == [*bad[:4], "nonsense", *bad[4:]]
    assert rejected[0][1].path == "$.Response.CallRecordList[0].EndTime"


async def test_ids_that_repeat_within_a_page_come_once(make_client: MakeClient) -> None:
    """A page that lists a call twice yields it once, and the walk is not called incomplete for it."""
    records = [raw_record(number // 2) for number in range(10)]

    async def handle(request: Request) -> Any:
        return page_answer(records, 1, 10) if request.page == 1 else ENDINGS["Page 0"]

    async with serve(handle) as server, make_client(base_url=server.base_url) as client:
        assert [record.call_id async for record in client.iter_records()] == [call_id(number) for number in range(5)]


@pytest.mark.parametrize("content", [b"[" * 200_000, b'{"ErrorCode": ' + b"1" * 5_000 + b"}"], ids=["deep", "long"])
async def test_nested_nonsense_is_an_error_of_ours(make_client: MakeClient, content: bytes) -> None:
    """JSON that breaks a parser is an error of this library."""

    async def handle(request: Request) -> Reply:
        return Reply(content)

    async with serve(handle) as server, make_client(base_url=server.base_url) as client:
        with pytest.raises(ResponseDecodeError):
            await client.get_page()


async def test_a_page_of_ten_megabytes_is_read(make_client: MakeClient) -> None:
    """A page of ten megabytes is read, compressed or not."""
    content = json.dumps(page_answer([raw_record(number) for number in range(30_000)], 1, 30_000)).encode()
    assert len(content) > 8_000_000

    async def handle(request: Request) -> Reply:
        return Reply(gzip.compress(content, 1), headers={"Content-Encoding": "gzip"})

    async with serve(handle) as server, make_client(base_url=server.base_url) as client:
        assert len((await client.get_page(page_size=30_000)).records) == 30_000


@pytest.mark.slow
@pytest.mark.usefixtures("quick_back_off")
async def test_a_long_walk_with_faults_grows_nothing(make_client: MakeClient) -> None:
    """Neither memory nor tasks nor connections grow with the pages walked."""
    faults = [
        fault for name, fault in FAULTS.items() if name not in {"no answer in time", "a 429"} and "60011" not in name
    ]
    async with (
        serve(flaky_pages(60_000, faults, 0.05)) as server,
        make_client(base_url=server.base_url, attempts=10, max_in_flight=8) as client,
    ):
        tracemalloc.start()
        sizes = []
        async for page in client.iter_pages(page_size=20):
            server.requests.clear()
            if page.page % 500 == 0:
                sizes.append(tracemalloc.get_traced_memory()[0])
                assert len(asyncio.all_tasks()) < 40
                assert server.open_connections <= 8
        tracemalloc.stop()
    assert len(sizes) == 6
    assert sizes[-1] < sizes[2] + 4_000_000
