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

__all__ = ["Exchange", "LaneTransport"]

Exchange = tuple[int, list[tuple[bytes, bytes]], bytes]
"""Status, headers and body of a response."""

_IDLE_EXPIRY: Final = 30.0  # seconds
_HEADERS_EVENT: Final = "http11.send_request_headers.started"


class LaneTransport:
    """The connections of one client, each of which takes one request at a time.

    The lane used last is used first, a new one is opened when all are busy, and one that has been idle for a
    while is closed.

    Args:
        proxy: An HTTP or SOCKS proxy; none by default.
        context: The TLS context of all lanes; by default httpx's, which trusts certifi's authorities, or those
            in ``SSL_CERT_FILE`` or ``SSL_CERT_DIR``.
        idle_expiry: Seconds after which an unused lane is closed.
    """

    def __init__(
        self,
        *,
        proxy: httpx.Proxy | None = None,
        context: ssl.SSLContext | None = None,
        idle_expiry: float = _IDLE_EXPIRY,
    ) -> None:
        self._proxy = proxy
        self._context = context
        self._idle_expiry = idle_expiry
        self._backend = _OneWriteBackend()
        self._idle: list[tuple[float, _Lane]] = []  # oldest first
        self._busy: set[_Lane] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()

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
                await take_permit()

        request = httpcore.Request(
            b"POST",
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=target),
            headers=headers,
            content=content,
            extensions={"trace": trace},
        )
        lane = await self._take(request.url.origin)
        try:
            response = await lane.handle_async_request(request)
            try:
                body = await response.aread()
            finally:
                await response.aclose()
        except BaseException:
            self._drop(lane)
            raise
        self._give_back(lane)
        return response.status, response.headers, body

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
        await self._backend.aclose()

    async def _take(self, origin: httpcore.Origin) -> _Lane:
        while self._idle:
            lane = self._idle.pop()[1]
            if not _is_stale(lane):
                break
            await lane.aclose()
        else:
            lane = self._open(origin)
        self._busy.add(lane)
        return lane

    def _give_back(self, lane: _Lane) -> None:
        self._busy.discard(lane)
        loop = asyncio.get_running_loop()
        self._idle.append((loop.time(), lane))
        if self._sweep is None:
            self._sweep = loop.call_later(self._idle_expiry, self._close_expired)

    def _drop(self, lane: _Lane) -> None:
        """Close a lane behind an error: after a request that was cancelled twice it cannot be used."""
        self._busy.discard(lane)
        self._close_soon(lane)

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
            self._context = httpx.create_ssl_context()  # once for all lanes: it takes tens of milliseconds
        if self._proxy is None:
            return httpcore.AsyncHTTPConnection(
                origin,
                ssl_context=self._context,
                keepalive_expiry=self._idle_expiry,
                network_backend=self._backend,
            )
        url = self._proxy.url
        proxy_url = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=b"/")
        if url.scheme.startswith("socks"):
            return httpcore.AsyncSOCKSProxy(
                proxy_url,
                proxy_auth=self._proxy.raw_auth,
                ssl_context=self._context,
                max_connections=1,
                keepalive_expiry=self._idle_expiry,
                network_backend=self._backend,
            )
        return httpcore.AsyncHTTPProxy(
            proxy_url,
            proxy_auth=self._proxy.raw_auth,
            proxy_headers=self._proxy.headers.raw,
            proxy_ssl_context=self._proxy.ssl_context if url.scheme == "https" else None,
            ssl_context=self._context,
            max_connections=1,
            keepalive_expiry=self._idle_expiry,
            network_backend=self._backend,
        )


_Lane = httpcore.AsyncHTTPConnection | httpcore.AsyncConnectionPool


def _is_stale(lane: _Lane) -> bool:
    """Return whether the connection is closed; a proxy's pool of one checks that itself."""
    return isinstance(lane, httpcore.AsyncHTTPConnection) and (lane.is_closed() or lane.has_expired())


class _OneWriteBackend(httpcore.AnyIOBackend):
    """A backend whose connections write a request's head and body at once."""

    def __init__(self) -> None:
        self._open: set[_OneWriteStream] = set()

    async def aclose(self) -> None:
        """Close the connections that are still open: httpcore forgets one to a SOCKS proxy that refuses it."""
        for stream in list(self._open):
            await stream.aclose()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _OneWriteStream(
            await super().connect_tcp(host, port, timeout, local_address, socket_options), self._open
        )


class _OneWriteStream(httpcore.AsyncNetworkStream):
    """A stream that delays writes until the next read: one system call, TLS record and packet instead of two."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, open_streams: set[_OneWriteStream]) -> None:
        self._stream = stream
        self._open_streams = open_streams
        open_streams.add(self)
        self._unwritten = b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109
        self._unwritten += buffer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        if self._unwritten:
            buffer, self._unwritten = self._unwritten, b""
            await self._stream.write(buffer, timeout)
        return await self._stream.read(max_bytes, timeout)

    async def aclose(self) -> None:
        self._open_streams.discard(self)
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        self._open_streams.discard(self)
        return _OneWriteStream(stream, self._open_streams)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
