"""Many cheap connections to one host, on the engine below httpx.

httpx's own pool looks at every connection for every request (encode/httpx#3215, encode/httpcore#1035): with 64
in flight that costs more than everything else. Here each connection is a lane of its own in a free-list.

State: the open connections. Everything that touches them is in this file.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import httpcore
import httpx

from trtc_records._errors import TransportError
from trtc_records._sending.decoding import MOST_BYTES, too_long

__all__ = ["ERROR_BODY_WAIT", "Exchange", "LaneTransport"]

Exchange = tuple[int, list[tuple[bytes, bytes]], bytes, Any]
"""Status, headers and body of a response, which may be compressed, and the connection that it came over."""

ERROR_BODY_WAIT: Final = 1.0
"""Seconds that the body of an error status may take: nothing in it is needed, but then the connection can be kept."""

_IDLE_EXPIRY: Final = 30.0  # seconds
_HEADERS_EVENT: Final = "http11.send_request_headers.started"
_OK: Final = 200
_MOST_HEAD_BYTES: Final = 2**18  # h11 bounds a head at 100 KiB


class LaneTransport:
    """The connections of one client, each of which takes one request at a time.

    The lane used last is used first, a new one is opened when all are busy, and one that has been idle for a
    while is closed.

    Args:
        proxy: An HTTP or SOCKS proxy; none by default.
        context: The TLS context of all lanes; by default httpx's, which trusts certifi's authorities.
        idle_expiry: Seconds after which an unused lane is closed.
        most_bytes: The most bytes of a response's body.
    """

    def __init__(
        self,
        *,
        proxy: httpx.Proxy | None = None,
        context: ssl.SSLContext | None = None,
        idle_expiry: float = _IDLE_EXPIRY,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._proxy = proxy
        self._context = context
        self._idle_expiry = idle_expiry
        self._most_bytes = most_bytes
        self._idle: list[tuple[float, _Lane]] = []  # oldest first
        self._busy: set[_Lane] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self.via = "" if proxy is None else f"{proxy.url.scheme}://{proxy.url.netloc.decode()}"
        """The proxy, without its password; empty without one."""

    async def exchange(
        self,
        url: httpx.URL,
        target: bytes,
        headers: list[tuple[bytes, bytes]],
        content: bytes,
        take_permit: Callable[[], Awaitable[None]],
    ) -> Exchange:
        """Post *content* to *target* at the host of *url*, and return the response.

        *take_permit* is awaited just before the first byte is written. A connection that takes long to open, or
        a busy event loop, then cannot bunch up requests that hold their permits already.
        """

        async def trace(event: str, info: dict[str, Any]) -> None:
            if event == _HEADERS_EVENT and info["request"].method == b"POST":  # not the CONNECT to a proxy
                lane.opened.spared = True
                await take_permit()
                lane.opened.spared = False

        request = httpcore.Request(
            b"POST",
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=target),
            headers=headers,
            content=content,
            extensions={"trace": trace},
        )
        while True:
            lane = self._take(request.url.origin)
            answer = await self._send(lane, request)
            if answer is not None:
                return answer

    async def _send(self, lane: _Lane, request: httpcore.Request) -> Exchange | None:
        """Send *request* over *lane*; return ``None`` if that had more to read already, so that nothing was sent."""
        answer = None
        try:
            response = await lane.connection.handle_async_request(request)
            if lane.opened.unwritten:  # it is the answer before, repeated
                await response.aclose()
            else:
                answer = response.status, response.headers, await _read_body(response), lane
        except BaseException as error:
            stream = lane.stream
            if stream is not None and stream.spared:
                # No permit came, so nothing was written: the next request can use the connection, which httpcore gives
                # up. A deadline shorter than the wait for the quota would else cost a connection each.
                stream.spared = False
                lane.connection = httpcore.AsyncHTTP11Connection(request.url.origin, stream)
                self._give_back(lane)
                raise
            # After a request that was cancelled twice it cannot be used.
            self._busy.discard(lane)
            self._close_soon(lane)
            if not (stream is not None and stream.unwritten and isinstance(error, httpcore.RemoteProtocolError)):
                raise
        else:
            self._give_back(lane)
        return answer

    async def drop(self, connection: Any) -> None:  # noqa: ARG002 - it is idle, or gives another answer to judge
        """Close the idle connections: a gateway that mixed up the answers of one may have mixed up those of others."""
        while self._idle:
            self._close_soon(self._idle.pop()[1])

    async def aclose(self) -> None:
        """Close every connection."""
        if self._sweep is not None:
            self._sweep.cancel()
        lanes = [*self._busy, *(lane for _, lane in self._idle)]
        self._busy.clear()
        self._idle.clear()
        for lane in lanes:
            await lane.aclose()
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _take(self, origin: httpcore.Origin) -> _Lane:
        while self._idle:
            lane = self._idle.pop()[1]
            if not lane.opened.is_stale:
                break
            self._close_soon(lane)
        else:
            lane = self._open(origin)
        self._busy.add(lane)
        return lane

    def _give_back(self, lane: _Lane) -> None:
        if lane not in self._busy or lane.opened.is_closed:  # the transport, or the connection, was closed meanwhile
            self._busy.discard(lane)
            self._close_soon(lane)
            return
        self._busy.discard(lane)
        loop = asyncio.get_running_loop()
        self._idle.append((loop.time(), lane))
        if self._sweep is None:
            self._sweep = loop.call_later(self._idle_expiry, self._close_expired)

    def _close_soon(self, lane: _Lane) -> None:
        task = asyncio.get_running_loop().create_task(lane.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _close_expired(self) -> None:
        loop = asyncio.get_running_loop()
        edge = loop.time() - self._idle_expiry
        while self._idle and self._idle[0][0] <= edge:
            self._close_soon(self._idle.pop(0)[1])
        self._sweep = loop.call_at(self._idle[0][0] + self._idle_expiry, self._close_expired) if self._idle else None

    def _open(self, origin: httpcore.Origin) -> _Lane:
        if self._context is None and origin.scheme == b"https":
            # Once for all lanes: it takes tens of milliseconds.
            self._context = httpx.create_ssl_context(trust_env=False)
        lane = _Lane(self._most_bytes)
        if self._proxy is None:
            lane.connection = httpcore.AsyncHTTPConnection(origin, ssl_context=self._context, network_backend=lane)
            return lane
        url = self._proxy.url
        proxy_url = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=b"/")
        if url.scheme.startswith("socks"):
            lane.connection = httpcore.AsyncSOCKSProxy(
                proxy_url,
                proxy_auth=self._proxy.raw_auth,
                ssl_context=self._context,
                max_connections=1,
                network_backend=lane,
            )
        else:
            lane.connection = httpcore.AsyncHTTPProxy(
                proxy_url,
                proxy_auth=self._proxy.raw_auth,
                proxy_headers=self._proxy.headers.raw,
                proxy_ssl_context=self._proxy.ssl_context if url.scheme == "https" else None,
                ssl_context=self._context,
                max_connections=1,
                network_backend=lane,
            )
        return lane


async def _read_body(response: httpcore.Response) -> bytes:
    """Return the body; an error status needs none, so it survives one that breaks off or does not end."""
    try:
        if response.status == _OK:
            return await response.aread()
        try:
            async with asyncio.timeout(ERROR_BODY_WAIT):
                return await response.aread()
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError, TransportError):
            return b""
    finally:
        await response.aclose()


class _Lane(httpcore.AnyIOBackend):
    """A connection and the stream below it, which it opens itself, through a proxy too.

    Args:
        most_bytes: The most bytes of a response.
    """

    connection: httpcore.AsyncHTTPConnection | httpcore.AsyncConnectionPool | httpcore.AsyncHTTP11Connection

    def __init__(self, most_bytes: int) -> None:
        self.stream: _OneWriteStream | None = None
        self.most_bytes = most_bytes

    @property
    def opened(self) -> _OneWriteStream:
        """Return the stream of a connection that has been opened."""
        assert self.stream is not None
        return self.stream

    async def aclose(self) -> None:
        """Close the stream: httpcore forgets one to a SOCKS proxy that refuses it."""
        if self.stream is not None:
            await self.stream.aclose()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.stream = _OneWriteStream(
            await super().connect_tcp(host, port, timeout, local_address, socket_options), self
        )
        return self.stream


class _OneWriteStream(httpcore.AsyncNetworkStream):
    """A stream that delays writes until the next read: one system call, TLS record and packet instead of two."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, lane: _Lane) -> None:
        self._stream = stream
        self._lane = lane
        self._left = lane.most_bytes
        self._was_read = False
        self.unwritten = b""
        """A request that waits for the next read."""
        self.is_closed = False
        self.spared = False
        """Whether :meth:`aclose` leaves the stream open."""

    @property
    def is_stale(self) -> bool:
        """Return whether it is closed, or the server has closed it or sent something that no request asked for."""
        if self.is_closed:
            return True
        # Before its first answer, a server may have sent TLS session tickets.
        may_be_tickets = not self._was_read and self.get_extra_info("ssl_object") is not None
        return bool(self.get_extra_info("is_readable")) and not may_be_tickets

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109
        self.unwritten += buffer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        if self.unwritten:
            buffer, self.unwritten = self.unwritten, b""
            self._left = self._lane.most_bytes + _MOST_HEAD_BYTES
            await self._stream.write(buffer, timeout)
        data = await self._stream.read(max_bytes, timeout)
        self._was_read = True
        self._left -= len(data)
        if self._left < 0:
            raise too_long(self._lane.most_bytes)
        return data

    async def aclose(self) -> None:
        if not self.spared:
            self.is_closed = True
            await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        self._lane.stream = _OneWriteStream(stream, self._lane)
        return self._lane.stream

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
