"""A service that looks up and streams call records, new ones as they come: FastAPI, one client for the whole process.

::

    pip install . fastapi uvicorn  # in a clone of trtc-records
    export TRTC_SDK_APP_ID=… TRTC_IDENTIFIER=… TRTC_SECRET_KEY=… TRTC_REGION=…
    uvicorn service:app

``GET /calls/{call_id}`` returns one record, ``GET /calls?since=2025-02-19T00:00:00Z`` all since then, a line each. If
records may be missing, the last line is ``{"incomplete": …}`` with the reason, and the log has an error.

``GET /events`` sends calls as they end, as server-sent events, to any number of listeners from one feed. A listener
that is 1,000 calls behind is disconnected. Tencent's callbacks make the feed quicker: choose a secret, set it as
``CALLBACK_SECRET``, and have callbacks posted to ``https://…/callbacks/{secret}/``.
"""

import asyncio
import json
import logging
import os
import secrets
import signal
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from types import FrameType
from typing import Annotated, Any, TypedDict

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import AwareDatetime

from trtc_records import (
    CallRecord,
    CallRecordNotFoundError,
    CallRecordPage,
    CallRecordsClient,
    CallRecordsError,
    CallResult,
    ConfigurationError,
    IncompleteWalk,
    RateLimitError,
    ServerError,
    TransportError,
)
from trtc_records.export import make_row
from trtc_records.webhooks import CallEnded, WebhookApp

log = logging.getLogger("calls")

MOST_BEHIND = 1000
"""The most calls that wait for a listener."""
SILENCE = 15.0
"""Seconds after which a listener gets a comment, so that no proxy takes a quiet stream for a dead one."""


class Listeners:
    """The listeners to new calls, each with a queue of its own: a slow one holds up nobody."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[bytes | None]] = set()
        self.is_open = True

    def publish(self, record: CallRecord) -> None:
        """Give a call to all listeners, and disconnect those that are too far behind."""
        event = f"data: {json.dumps(make_row(record))}\n\n".encode()
        for queue in list(self._queues):
            if queue.qsize() < MOST_BEHIND:
                queue.put_nowait(event)
            else:
                self._end(queue)

    def close(self) -> None:
        """End all streams, and take no more listeners."""
        self.is_open = False
        for queue in list(self._queues):
            self._end(queue)

    def listen(self) -> AsyncIterator[bytes]:
        """Return the events from now on."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._queues.add(queue)
        return self._stream(queue)

    async def _stream(self, queue: asyncio.Queue[bytes | None]) -> AsyncIterator[bytes]:
        try:
            yield b": welcome\n\n"
            while True:
                try:
                    async with asyncio.timeout(SILENCE):
                        event = await queue.get()
                except TimeoutError:
                    event = b": no news\n\n"
                if event is None:
                    return
                yield event
                await asyncio.sleep(0)  # among many calls, too, it is noticed that the listener hung up
        finally:
            self._queues.discard(queue)

    def _end(self, queue: asyncio.Queue[bytes | None]) -> None:
        self._queues.remove(queue)
        queue.put_nowait(None)


async def publish_calls(client: CallRecordsClient, webhook: WebhookApp, listeners: Listeners) -> None:
    """Publish each call soon after it ended: at a callback, and without one by polling."""
    calls = client.follow(
        wake=webhook,
        on_invalid=lambda _, error: log.error("a call cannot be read: %s", error),
        on_incomplete=lambda walk: log.error("calls may be missing: %s", walk.reason),
    )
    try:
        async with aclosing(calls):
            async for record in calls:
                listeners.publish(record)
    except CallRecordsError:
        log.exception("new calls are not followed any more")
    finally:
        listeners.close()


async def ignore(_: CallEnded) -> None:
    """Do nothing: a callback has woken the feed, which gives every call once."""


@contextmanager
def at_stop_signal(call: Callable[[], None]) -> Iterator[None]:
    """Call a function when the process is asked to stop, since a server waits for its streams to end by themselves."""
    loop = asyncio.get_running_loop()
    before: dict[signal.Signals, Any] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(call)
        before[signal.Signals(number)](number, frame)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if callable(handler := signal.getsignal(number)):
                before[number] = handler
                signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class State(TypedDict):
    """The state of the service, from its start to its stop."""

    client: CallRecordsClient
    listeners: Listeners


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[State]:
    """Open the client and the feed when the service starts, and close them when it stops."""
    listeners = Listeners()
    secret = os.environ.get("CALLBACK_SECRET") or secrets.token_urlsafe()  # one that nobody knows: no callbacks
    async with CallRecordsClient.from_env() as client, WebhookApp(ignore, client=client) as webhook:
        app.mount(f"/callbacks/{secret}", webhook)
        async with asyncio.TaskGroup() as tasks:
            feed = tasks.create_task(publish_calls(client, webhook, listeners))
            with at_stop_signal(listeners.close):
                yield {"client": client, "listeners": listeners}
            feed.cancel()


def get_client(request: Request) -> CallRecordsClient:
    """Return the service's client."""
    client: CallRecordsClient = request.state.client
    return client


Client = Annotated[CallRecordsClient, Depends(get_client)]

app = FastAPI(title="Call records", lifespan=lifespan)


@app.get("/calls/{call_id}")
async def read_call(call_id: str, client: Client) -> dict[str, Any]:
    """Return one call."""
    return make_row(await client.get_record(call_id))


@app.get("/calls", response_class=StreamingResponse)
async def stream_calls(
    client: Client, since: AwareDatetime | None = None, result: CallResult | None = None
) -> StreamingResponse:
    """Stream the calls that started since then, as JSON Lines; by default all that the service keeps."""
    incomplete: list[IncompleteWalk] = []
    pages = client.iter_pages(start_time=since, call_result=result, on_incomplete=incomplete.append)
    # Read before the status is sent, so that a failure still becomes a 503. A later one breaks the connection off,
    # which every HTTP client reports: half of the calls never look like all of them.
    first = await anext(pages, None)
    return StreamingResponse(encode(first, pages, incomplete), media_type="application/x-ndjson")


async def encode(
    first: CallRecordPage | None, pages: AsyncGenerator[CallRecordPage, None], incomplete: list[IncompleteWalk]
) -> AsyncIterator[bytes]:
    """Yield the lines of a page at a time; the walk ends when the caller hangs up."""
    async with aclosing(pages):
        if first is not None:
            yield encode_page(first)
        async for page in pages:
            yield encode_page(page)
    for walk in incomplete:
        # Only now is it known, and the status has been sent: so the last line says it, and the log.
        log.error("records may be missing, %s of %s were read: %s", walk.yielded, walk.expected, walk.reason)
        yield f"{json.dumps({'incomplete': walk.reason})}\n".encode()


def encode_page(page: CallRecordPage) -> bytes:
    """Return a line for each record."""
    return "".join(f"{json.dumps(make_row(record))}\n" for record in page.records).encode()


@app.get("/events", response_class=StreamingResponse)
async def stream_events(request: Request) -> StreamingResponse:
    """Stream the calls that end from now on, as server-sent events."""
    listeners: Listeners = request.state.listeners
    if not listeners.is_open:
        raise HTTPException(503, "new calls are not followed just now", {"Retry-After": "10"})
    return StreamingResponse(listeners.listen(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


@app.exception_handler(CallRecordNotFoundError)
async def answer_not_found(_: Request, error: Exception) -> JSONResponse:
    """Answer that there is no such call, or that it is more than 7 days old."""
    return JSONResponse({"detail": str(error)}, 404)


@app.exception_handler(ConfigurationError)
async def answer_unusable(_: Request, error: Exception) -> JSONResponse:
    """Answer that the service cannot be asked for this."""
    return JSONResponse({"detail": str(error)}, 422)


@app.exception_handler(TransportError)
@app.exception_handler(ServerError)
@app.exception_handler(RateLimitError)
async def answer_unavailable(_: Request, error: Exception) -> JSONResponse:
    """Answer that the service behind this one failed, after the client's own retries."""
    log.warning("%s", error)
    return JSONResponse({"detail": "the call records cannot be read just now"}, 503, {"Retry-After": "10"})
