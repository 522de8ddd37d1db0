"""HTTP/1.1 on sockets, by h11.

The server reads whole requests, and sends answers whole, cut short or not at all. :func:`post` sends callbacks.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import sys
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final, Literal
from urllib.parse import unquote

import attrs
import h11
from h11 import ProtocolError

__all__ = ["HTML", "Answer", "ProtocolError", "Request", "Server", "Target", "post"]

HTML: Final = b"text/html; charset=utf-8"

_KEEP_ALIVE: Final = 75  # seconds that a silent connection stays open, as gateways commonly have it
_LONGEST_BODY: Final = 1 << 20  # bytes; the longest that a client needs to send has a few hundred
_READ_SIZE: Final = 1 << 16
_RESET_ON_CLOSE: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)  # linger for 0 seconds


@attrs.frozen
class Request:
    """A complete request."""

    client: tuple[str, int]
    """Address and port of the client."""
    method: str
    path: str
    query: bytes
    body: bytes


@attrs.frozen
class Answer:
    """An answer to a request."""

    body: bytes
    content_type: bytes = b"application/json"
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()
    ending: Literal["whole", "truncated", "reset"] = "whole"
    """The way to send it: whole; half of the body, then close; or no answer, and a reset."""


class Server:
    """A server that answers the requests of each connection to a listening socket, in order, until stopped.

    Args:
        answer: Called with each request.
        clock: Returns the time of the Date header, in Unix seconds.
        loop: The loop that will run it: a ``SelectorEventLoop``, which watches sockets on every system.
    """

    def __init__(
        self,
        answer: Callable[[Request], Awaitable[Answer]],
        clock: Callable[[], float],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._answer = answer
        self._clock = clock
        self._loop = loop
        self._stopping = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """Stop serving; called from another thread."""
        self._loop.call_soon_threadsafe(self._stopping.set)

    async def serve(self, listener: socket.socket) -> None:
        """Serve until stopped; then close the port and every connection, even during an answer."""
        with listener:
            listener.setblocking(False)
            # Not sock_accept: if it is cancelled just after it accepted a connection, that one is lost and stays open.
            self._loop.add_reader(listener, self._accept, listener)
            await self._stopping.wait()
            self._loop.remove_reader(listener)
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, listener: socket.socket) -> None:
        try:
            peer, address = listener.accept()
        except OSError:  # the client has gone, or no file descriptor is free; the loop calls again for those who wait
            return
        connection = _Connection(peer, address[:2], self._answer, self._clock, self._loop)
        task = self._loop.create_task(connection.run())
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        task.add_done_callback(lambda _: peer.close())  # even if it is cancelled before it begins


@attrs.frozen(eq=False)
class _Connection:
    """A connection from a client."""

    peer: socket.socket
    address: tuple[str, int]
    answer: Callable[[Request], Awaitable[Answer]]
    clock: Callable[[], float]
    loop: asyncio.AbstractEventLoop
    http: h11.Connection = attrs.field(init=False, factory=lambda: h11.Connection(h11.SERVER))

    async def run(self) -> None:
        """Answer one request after the other until either side closes; a connection that breaks is no error."""
        with contextlib.suppress(OSError):  # TimeoutError is one
            async with asyncio.timeout(None) as silence:  # rescheduled, as one for each request costs 4 % of the speed
                self.peer.setblocking(False)
                # With Nagle's algorithm, the end of a long answer would wait for the client's acknowledgement.
                self.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                try:
                    while request := await self._receive(silence):
                        await self._send(await self.answer(request), request.method)
                        if self.http.states != {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}:
                            return
                        self.http.start_next_cycle()
                except h11.RemoteProtocolError as error:
                    status = HTTPStatus(error.error_status_hint)
                    await self._send(Answer(f"{status.phrase}: {error}".encode(), b"text/plain", status))

    async def _receive(self, silence: asyncio.Timeout) -> Request | None:
        """Return the next request, or ``None`` if the client has closed the connection.

        Raises:
            h11.RemoteProtocolError: It is not HTTP, or too long.
        """
        head: h11.Request | None = None
        body = b""
        while True:
            event = self.http.next_event()
            if isinstance(event, h11.Request):
                head = event
                if head.method == b"CONNECT":
                    raise h11.RemoteProtocolError("this is no proxy", error_status_hint=405)
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > _LONGEST_BODY:
                    raise h11.RemoteProtocolError("the body is too long", error_status_hint=413)
            elif isinstance(event, h11.EndOfMessage):
                assert head is not None
                path, _, query = head.target.partition(b"?")
                return Request(self.address, head.method.decode(), unquote(path.decode()), query, body)
            elif isinstance(event, h11.ConnectionClosed):
                return None
            else:
                if self.http.they_are_waiting_for_100_continue:
                    await self._write(h11.InformationalResponse(status_code=100, reason=b"Continue", headers=[]))
                silence.reschedule(self.loop.time() + _KEEP_ALIVE)
                self.http.receive_data(await self.loop.sock_recv(self.peer, _READ_SIZE))
                silence.reschedule(None)

    async def _send(self, answer: Answer, method: str = "") -> None:
        if answer.ending == "reset":
            self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            return
        headers = [
            (b"date", _format_date(int(self.clock()))),
            (b"content-type", answer.content_type),
            *answer.headers,
            (b"content-length", b"%d" % len(answer.body)),
        ]
        reason = HTTPStatus(answer.status).phrase.encode()
        head = h11.Response(status_code=answer.status, reason=reason, headers=headers)
        body = b"" if method == "HEAD" else answer.body
        if answer.ending == "truncated":
            await self._write(head, h11.Data(body[: len(body) // 2]))
        else:
            await self._write(head, h11.Data(body), h11.EndOfMessage())

    async def _write(self, *events: h11.Event) -> None:
        await self.loop.sock_sendall(self.peer, b"".join(self.http.send(event) or b"" for event in events))


@attrs.frozen
class Target:
    """A web server to post to."""

    host: str
    port: int
    address: bytes
    """The path and the query of its URL."""
    tls: ssl.SSLContext | None


async def post(target: Target, body: bytes) -> tuple[int, bytes]:
    """Post JSON on a connection of its own, and return the status and the body of the response.

    Raises:
        OSError: The server cannot be reached, or breaks the connection.
        ProtocolError: The response is not HTTP.
    """
    host = f"[{target.host}]" if ":" in target.host else target.host
    headers = [
        (b"host", f"{host}:{target.port}".encode()),
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    http = h11.Connection(h11.CLIENT)
    request = h11.Request(method=b"POST", target=target.address, headers=headers)
    reader, writer = await asyncio.open_connection(target.host, target.port, ssl=target.tls)
    try:
        writer.write(b"".join(http.send(event) or b"" for event in (request, h11.Data(body), h11.EndOfMessage())))
        status, content = 0, b""
        while not isinstance(event := http.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                content += event.data
            elif event is h11.NEED_DATA:
                http.receive_data(await reader.read(_READ_SIZE))
        return status, content
    finally:
        writer.transport.abort()  # at once, without the farewells of TLS


@lru_cache(maxsize=1)
def _format_date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
