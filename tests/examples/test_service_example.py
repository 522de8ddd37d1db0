"""The FastAPI service: in process over ASGI, and as a process over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import attrs
import httpx
import pytest
from example_programs import EXAMPLES, STRICT, load, skip_without, without_slowness

skip_without("fastapi", "uvicorn", remedy="dependency group examples")

from trtc_records import AuthenticationError, CallRecordsClient, CallResult, CallType, WebhookEvent  # noqa: E402
from trtc_records.export import make_row  # noqa: E402
from trtc_records.sandbox import Behaviour, Faults, SandboxFixture, make_records  # noqa: E402

pytestmark = [pytest.mark.anyio, pytest.mark.trtc_sandbox(records=250)]

SECRET = "vT3kq0Zr8d"


@asynccontextmanager
async def running_service() -> AsyncIterator[httpx.AsyncClient]:
    """Start the service, and yield a client for it."""
    app = load("service").app
    async with app.router.lifespan_context(app) as state:

        async def with_state(
            scope: Any, receive: Any, send: Any
        ) -> None:  # as a server does with the value of the lifespan
            await app({**scope, "state": dict(state)}, receive, send)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(with_state), base_url="http://service") as http:
            yield http


async def test_looks_up_a_call(trtc_sandbox_env: SandboxFixture) -> None:
    """A call is returned as a row of every other format."""
    record = trtc_sandbox_env.records[7]
    async with running_service() as http:
        answer = await http.get(f"/calls/{record.call_id}")
    assert (answer.status_code, answer.json()) == (200, make_row(record))


async def test_unknown_call_is_not_found(trtc_sandbox_env: SandboxFixture) -> None:
    """404 says why."""
    async with running_service() as http:
        answer = await http.get("/calls/no-such-call")
    assert answer.status_code == 404
    assert "error 101050" in answer.json()["detail"]


async def test_unusable_id_is_refused(trtc_sandbox_env: SandboxFixture) -> None:
    """A request that the client refuses to send is the caller's mistake."""
    async with running_service() as http:
        answer = await http.get("/calls/%20")
    assert answer.status_code == 422


@pytest.mark.trtc_sandbox(faults=Faults(internal_error=1))
@pytest.mark.parametrize("path", ["/calls/any", "/calls"])
async def test_failing_service_is_unavailable(
    trtc_sandbox_env: SandboxFixture, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """When the retries are used up the answer is 503, on the stream too, as its first page is read first."""
    module = load("service")
    monkeypatch.setattr(module.CallRecordsClient, "from_env", staticmethod(lambda: trtc_sandbox_env.client(attempts=1)))
    async with running_service() as http:
        answer = await http.get(path)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")


async def test_streams_every_record(trtc_sandbox_env: SandboxFixture) -> None:
    """The stream holds each record of the walk, a line each."""
    async with running_service() as http:
        answer = await http.get("/calls")
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in answer.text.splitlines()] == list(map(make_row, trtc_sandbox_env.records))


async def test_stream_takes_a_window_and_a_result(trtc_sandbox_env: SandboxFixture) -> None:
    """The stream begins at the given time, and has the calls with the given result."""
    middle = trtc_sandbox_env.records[125].start_time
    async with running_service() as http:
        answer = await http.get("/calls", params={"since": middle.isoformat(), "result": "Cancel"})
    expected = [
        record.call_id
        for record in trtc_sandbox_env.records
        if record.start_time >= middle and record.call_result == "Cancel"
    ]
    assert [json.loads(line)["call_id"] for line in answer.text.splitlines()] == expected != []


@pytest.mark.trtc_sandbox(records=0)
async def test_stream_of_nothing_is_empty(trtc_sandbox_env: SandboxFixture) -> None:
    """Without records the stream has no line."""
    async with running_service() as http:
        answer = await http.get("/calls")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("query", [{"since": "2025-02-19T00:00:00"}, {"result": "Maybe"}])
async def test_bad_query_is_refused(trtc_sandbox_env: SandboxFixture, query: dict[str, str]) -> None:
    """A time without a zone, or an unknown result, never reaches the service."""
    async with running_service() as http:
        assert (await http.get("/calls", params=query)).status_code == 422


@pytest.fixture
def process(trtc_sandbox: SandboxFixture) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the service as people do, and return it with its address."""
    command = [
        *STRICT,
        "-m",
        "uvicorn",
        "--app-dir",
        str(EXAMPLES),
        "--port",
        "0",
        "--no-use-colors",
        "--no-access-log",
    ]
    command.append("service:app")
    with subprocess.Popen(
        command,
        env={**os.environ, **trtc_sandbox.environment, "CALLBACK_SECRET": SECRET},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if address := re.search(r"running on (\S+)", line):
                break
        else:
            pytest.fail("the service did not start")
        yield running, address[1]
        running.kill()


START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
ALIKE = [
    attrs.evolve(
        record,
        call_type=CallType.SINGLE_CALL,
        call_result=CallResult.CANCEL,
        start_time=START,
        accept_time=None,
        end_time=START + timedelta(seconds=30),
    )
    for record in make_records(300)
]
"""Calls that no slice of a window can tell apart: they start in the same second, with the same type and result."""


@pytest.mark.trtc_sandbox(records=ALIKE, behaviour=Behaviour(deepest=100, beyond="empty"))
def test_incomplete_stream_says_so(process: tuple[subprocess.Popen[str], str]) -> None:
    """If the service gives a third of the calls, the last line of the stream says so, and so does the log."""
    running, address = process
    answer = httpx.get(f"{address}/calls", timeout=30, trust_env=False, verify=False)
    *calls, last = [json.loads(line) for line in answer.text.splitlines()]
    assert len(calls) == 100
    assert "100 of 300" in last["incomplete"]
    running.terminate()
    _, stderr = running.communicate(timeout=30)
    assert "records may be missing, 100 of 300 were read" in stderr


@contextmanager
def listening(address: str) -> Iterator[Iterator[str]]:
    """Listen to the new calls, and yield their ids."""
    with (
        httpx.Client(timeout=30, trust_env=False, verify=False) as http,
        http.stream("GET", f"{address}/events") as answer,
    ):
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        lines = answer.iter_lines()
        assert next(lines) == ": welcome"
        yield (json.loads(line.removeprefix("data: "))["call_id"] for line in lines if line.startswith("data: "))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to stop a process with")
@pytest.mark.trtc_sandbox(records=20, live="20/s", call_seconds=(1, 3))
def test_process_streams_new_calls_until_it_is_stopped(
    process: tuple[subprocess.Popen[str], str], trtc_sandbox: SandboxFixture
) -> None:
    """Listeners get each call that ends once; a stop ends their streams in order, and quietly."""
    running, address = process
    asyncio.run(set_callback(trtc_sandbox, f"{address}/callbacks/{SECRET}/"))
    with listening(address) as calls, listening(address) as others:
        first, second = list(islice(calls, 60)), list(islice(others, 40))
        running.send_signal(signal.SIGTERM)
        first += calls
        second += others
    _, stderr = running.communicate(timeout=30)
    assert len(set(first)) == len(first) == len(set(first) & {record.call_id for record in trtc_sandbox.records})
    assert set(second) <= set(first)
    counts = trtc_sandbox.stats.webhooks
    assert counts["posted"] > 60 > counts["failed"]  # after the stop, nobody takes them
    unexpected = [line for line in without_slowness(stderr).splitlines() if not line.startswith("INFO:")]
    assert (unexpected, running.returncode in {0, -signal.SIGTERM}) == ([], True)


async def set_callback(sandbox: SandboxFixture, url: str) -> None:
    async with sandbox.client() as client:
        await client.set_webhook(url, [WebhookEvent.CALL_ENDED])


async def test_slow_listener_is_ended_and_holds_up_nobody() -> None:
    """A listener gets the calls that waited for it before its stream ends; another one goes on."""
    service = load("service")
    listeners = service.Listeners()
    slow, quick = listeners.listen(), listeners.listen()
    assert await anext(quick) == await anext(slow) == b": welcome\n\n"
    record = make_records(1)[0]
    for _ in range(service.MOST_BEHIND + 1):
        listeners.publish(record)
        assert (await anext(quick)).startswith(b"data: {")
    assert len([event async for event in slow]) == service.MOST_BEHIND
    listeners.publish(record)
    assert (await anext(quick)).startswith(b"data: {")
    listeners.close()
    assert [event async for event in quick] == []


async def test_silent_stream_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener without news gets a comment from time to time."""
    service = load("service")
    monkeypatch.setattr(service, "SILENCE", 0.01)
    events = service.Listeners().listen()
    assert [await anext(events) for _ in range(2)] == [b": welcome\n\n", b": no news\n\n"]
    await events.aclose()


async def test_events_are_unavailable_without_the_feed(
    trtc_sandbox_env: SandboxFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the feed has failed for good, listeners get 503, and the rest of the service goes on."""

    async def fail(*_: object, **__: object) -> AsyncIterator[object]:
        raise AuthenticationError(70003)
        yield

    monkeypatch.setattr(CallRecordsClient, "follow", fail)
    async with running_service() as http:
        await asyncio.sleep(0)
        answer = await http.get("/events")
        assert (await http.get(f"/calls/{trtc_sandbox_env.records[0].call_id}")).status_code == 200
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to stop a process with")
def test_process_streams_and_is_quiet(process: tuple[subprocess.Popen[str], str], trtc_sandbox: SandboxFixture) -> None:
    """Under uvicorn, every warning an error, it streams, survives a caller that hangs up, and stops without output."""
    running, address = process
    with httpx.Client(base_url=address, timeout=30, trust_env=False, verify=False) as http:
        assert len(http.get("/calls").text.splitlines()) == 250
        with http.stream("GET", "/calls") as answer:
            next(answer.iter_raw())
        assert http.get(f"/calls/{trtc_sandbox.records[0].call_id}").status_code == 200
    running.send_signal(signal.SIGTERM)
    _, stderr = running.communicate(timeout=30)
    unexpected = [line for line in without_slowness(stderr).splitlines() if not line.startswith("INFO:")]
    assert (unexpected, running.returncode in {0, -signal.SIGTERM}) == ([], True)
