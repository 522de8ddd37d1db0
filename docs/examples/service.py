"""A service that looks up and streams call records: FastAPI, one client for the whole process.

::

    pip install . fastapi uvicorn  # in a clone of trtc-records
    export TRTC_SDK_APP_ID=… TRTC_IDENTIFIER=… TRTC_SECRET_KEY=… TRTC_REGION=…
    uvicorn service:app

``GET /calls/{call_id}`` returns one record, ``GET /calls?since=2025-02-19T00:00:00Z`` all since then, a line each. If
records may be missing, the last line is ``{"incomplete": …}`` with the reason, and the log has an error.
"""

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Annotated, Any, TypedDict

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import AwareDatetime

from trtc_records import (
    CallRecordNotFoundError,
    CallRecordPage,
    CallRecordsClient,
    CallResult,
    ConfigurationError,
    IncompleteWalk,
    RateLimitError,
    ServerError,
    TransportError,
)
from trtc_records.export import make_row

log = logging.getLogger("calls")


class State(TypedDict):
    """The state of the service, from its start to its stop."""

    client: CallRecordsClient


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[State]:
    """Open the client when the service starts, and close it when it stops."""
    async with CallRecordsClient.from_env() as client:
        yield {"client": client}


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
