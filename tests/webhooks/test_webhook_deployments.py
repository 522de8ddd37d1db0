"""The receiver of callbacks in real servers and frameworks, over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import httpx
import pytest
import uvicorn
from callbacks import OK, end_body, query_of
from http_server import Request, serve
from records import call_id, envelope, raw_record
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Mount

from trtc_records import CallRecordsClient, record_from_json
from trtc_records.webhooks import CallEnded, WebhookApp, _schedule

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def quick_look_ups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the wait for a record: here the time is real."""
    monkeypatch.setattr(_schedule, "READABLE_AFTER", 0.05)
    monkeypatch.setattr(_schedule, "_LOOKS", (0.05, 0.1))


@attrs.define
class Receiver:
    """A receiver, and the events that it handed over."""

    app: WebhookApp
    events: asyncio.Queue[Any]

    async def next_event(self) -> Any:
        return await asyncio.wait_for(self.events.get(), 10)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Make a receiver, not open yet, with a client for a service that knows every call."""

    async def look_up(request: Request) -> dict[str, Any]:
        number = int(request.body["CallId"].removeprefix("call-"))
        return envelope({"CallRecord": raw_record(number)})

    events: asyncio.Queue[Any] = asyncio.Queue()
    async with (
        serve(look_up) as server,
        CallRecordsClient(
            sdk_app_id=1400000000, identifier="administrator", secret_key="k" * 64, base_url=server.base_url
        ) as client,
    ):
        yield Receiver(WebhookApp(events.put, client=client), events)


@asynccontextmanager
async def running(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Run an application under uvicorn, and yield a client for it."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, ws="none", timeout_graceful_shutdown=5))
    serving = asyncio.ensure_future(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
        yield http
    server.should_exit = True
    await serving


async def check(http: httpx.AsyncClient, receiver: Receiver, path: str) -> None:
    """Post a callback, and check its answer and its event."""
    answer = await http.post(f"{path}?{query_of()}", content=end_body(7))
    assert (answer.status_code, answer.json()) == (200, OK)
    assert await receiver.next_event() == CallEnded(record=record_from_json(raw_record(7)), verified=True)


async def test_it_runs_under_uvicorn_by_itself() -> None:
    """The server's lifespan opens it and closes it; no task is left."""
    async with receiving() as receiver:
        async with running(receiver.app) as http:
            await check(http, receiver, "/anything")
            assert any("Inbox" in repr(task) for task in asyncio.all_tasks())
        assert not any("Inbox" in repr(task) for task in asyncio.all_tasks())
        assert receiver.app._is_closed


async def test_it_runs_mounted_with_a_lifespan() -> None:
    """A framework's lifespan opens it and closes it, behind a middleware that runs requests in tasks of its own."""

    async def pass_on(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    async with receiving() as receiver:

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            async with receiver.app:
                yield

        app = Starlette(
            routes=[Mount("/callbacks/secret", receiver.app)],
            middleware=[Middleware(BaseHTTPMiddleware, dispatch=pass_on)],
            lifespan=lifespan,
        )
        async with running(app) as http:
            await check(http, receiver, "/callbacks/secret/")
            assert (await http.get("/callbacks/secret/")).status_code == 405
        assert receiver.app._is_closed


async def test_it_runs_mounted_without_a_lifespan() -> None:
    """A mounted application gets no lifespan: its tasks start with the first request."""
    async with receiving() as receiver:
        async with running(Starlette(routes=[Mount("/callbacks", receiver.app)])) as http:
            await check(http, receiver, "/callbacks/")
        await receiver.app.aclose()


async def test_a_body_that_is_too_long_is_refused_on_the_wire() -> None:
    """A large body gets 413, with and without its length in the head, and the server goes on."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 10_000

    async with receiving() as receiver, running(receiver.app) as http:
        assert (await http.post(f"/?{query_of()}", content=b"x" * 200_000)).status_code == 413
        assert (await http.post(f"/?{query_of()}", content=chunks())).status_code == 413
        await check(http, receiver, "/")


async def test_calls_in_a_row_share_one_receiver() -> None:
    """Many callbacks over several connections at once bring each call once."""
    async with receiving() as receiver, running(receiver.app) as http:
        answers = await asyncio.gather(
            *(http.post(f"/?{query_of()}", content=end_body(number % 10)) for number in range(40))
        )
        assert {answer.status_code for answer in answers} == {200}
        found = [(await receiver.next_event()).record.call_id for _ in range(10)]
        assert sorted(found) == [call_id(number) for number in range(10)]
        await asyncio.sleep(0.2)
        assert receiver.events.empty()
