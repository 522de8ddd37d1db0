"""A real HTTP server on a real port whose every answer the test decides."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs


@attrs.frozen
class Request:
    """A request as it arrived."""

    method: str
    path: str
    parameters: dict[str, list[str]]
    headers: dict[str, str]
    content: bytes
    connection: int
    arrived_at: float

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.content)
        return body

    @property
    def page(self) -> int:
        page: int = self.body["Page"]
        return page


@attrs.frozen
class Reply:
    """An answer to send; ``raw`` is sent unchanged, and the connection is closed after it."""

    content: bytes = b""
    status: int = 200
    headers: dict[str, str] = attrs.field(factory=dict)
    raw: bytes | None = None
    close: bool = False
    seconds_per_byte: float = 0.0


Handler = Callable[[Request], Awaitable[Reply | dict[str, Any]]]


@attrs.define
class Server:
    """A server under test's control."""

    base_url: str = ""
    requests: list[Request] = attrs.field(factory=list)
    open_connections: int = 0
    connections: int = 0

    @property
    def busiest_second(self) -> int:
        """Return the most requests that arrived within any one second."""
        times = sorted(request.arrived_at for request in self.requests)
        busiest = first = 0
        for index, arrived_at in enumerate(times):
            while arrived_at - times[first] >= 1.0:
                first += 1
            busiest = max(busiest, index - first + 1)
        return busiest


@asynccontextmanager
async def serve(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Serve on a free port of this machine, over TLS if a context is given."""
    server = Server()
    connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        server.open_connections += 1
        task = asyncio.current_task()
        assert task is not None
        connections[task] = writer
        number = server.connections
        try:
            while (request := await _read_request(reader, number)) is not None:
                server.requests.append(request)
                reply = await handler(request)
                if isinstance(reply, dict):
                    reply = Reply(json.dumps(reply).encode())
                await _write(writer, reply)
                if reply.raw is not None or reply.close:
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went, or the test ends
        finally:
            server.open_connections -= 1
            del connections[task]
            writer.close()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    port = listener.sockets[0].getsockname()[1]
    server.base_url = f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
    try:
        yield server
    finally:
        listener.close()
        await asyncio.sleep(0.01)  # connections accepted by then get their tasks
        for task, writer in list(connections.items()):
            task.cancel()
            writer.transport.abort()
        await asyncio.gather(*connections)
        await asyncio.sleep(0.01)  # the loop closes the sockets


async def _read_request(reader: asyncio.StreamReader, connection: int) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    arrived_at = time.monotonic()
    request_line, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = request_line.split(" ")
    headers = dict(line.lower().split(": ", 1) for line in lines if line)
    content = await reader.readexactly(int(headers.get("content-length", "0")))
    url = urlsplit(target)
    return Request(method, url.path, parse_qs(url.query), headers, content, connection, arrived_at)


async def _write(writer: asyncio.StreamWriter, reply: Reply) -> None:
    content = reply.raw if reply.raw is not None else _render(reply)
    step = 1 if reply.seconds_per_byte else max(len(content), 1)
    for start in range(0, len(content), step):
        writer.write(content[start : start + step])
        await writer.drain()
        await asyncio.sleep(reply.seconds_per_byte)


def _render(reply: Reply) -> bytes:
    headers = {"Content-Type": "application/json", "Content-Length": str(len(reply.content)), **reply.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {reply.status} Status\r\n{lines}\r\n".encode() + reply.content
