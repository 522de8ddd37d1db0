"""Serve an ASGI application on a port, by the sandbox's server."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any, Final

from trtc_records.sandbox._http import Answer, Request, Server

__all__ = ["listen", "serving"]

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

_BACKLOG: Final = 256


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        OSError: The address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)


@asynccontextmanager
async def serving(app: App, listener: socket.socket) -> AsyncGenerator[None, None]:
    """Serve *app* to all who connect to *listener*, for the length of an ``async with`` block.

    Args:
        app: An ASGI application that is open; it gets whole requests of at most 1 MiB.
        listener: A socket that listens; it is closed at the end.
    """
    loop = asyncio.get_running_loop()
    server = Server(lambda request: _call(app, request), time.time, loop)
    task = loop.create_task(server.serve(listener))
    try:
        yield
    finally:
        server.stop()
        await task


async def _call(app: App, request: Request) -> Answer:
    """Pass one request to the application, and return its answer."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": request.query,
        "root_path": "",
        "headers": [],
        "client": request.client,
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *parts = sent
    headers = dict(start["headers"])
    headers.pop(b"content-length", None)  # the server counts for itself
    content_type = headers.pop(b"content-type")
    return Answer(b"".join(part["body"] for part in parts), content_type, start["status"], tuple(headers.items()))
