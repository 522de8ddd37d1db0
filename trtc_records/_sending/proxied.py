"""A connection through a proxy, by httpcore, which knows HTTP and SOCKS proxies."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any, Final

import anyio
import httpcore
import httpx

from trtc_records._errors import TransportError
from trtc_records._sending.decoding import too_long
from trtc_records._sending.lane import ERROR_BODY_WAIT, MOST_HEAD_BYTES, OK, Exchange, Headers, TakePermit

__all__ = ["ProxiedLane"]

_HEADERS_EVENT: Final = "http11.send_request_headers.started"


class ProxiedLane(httpcore.AnyIOBackend):
    """A lane through a proxy, and httpcore's way to the stream below it, which it opens itself.

    Args:
        url: The URL of the requests.
        proxy: The proxy.
        context: The TLS context.
        most_bytes: The most bytes of a response's body.
    """

    def __init__(self, url: httpx.URL, proxy: httpx.Proxy, context: ssl.SSLContext | None, most_bytes: int) -> None:
        self._url = url
        self._stream: _OneWriteStream | None = None
        self._was_given_up = False
        self.most_bytes = most_bytes
        self._connection: httpcore.AsyncConnectionPool | httpcore.AsyncHTTP11Connection = _connect_through(
            proxy, context, self
        )

    @property
    def is_closed(self) -> bool:
        """Return whether it takes no further request."""
        return self._was_given_up or (self._stream is not None and self._stream.is_closed)

    @property
    def is_stale(self) -> bool:
        """Return whether it is closed, or the server has closed it or sent something that no request asked for."""
        return self.is_closed or self.opened.has_more

    @property
    def opened(self) -> _OneWriteStream:
        """Return the stream of a connection that has been opened."""
        assert self._stream is not None
        return self._stream

    async def exchange(
        self, target: bytes, headers: Headers, content: bytes, take_permit: TakePermit
    ) -> Exchange | None:
        """Post *content* to *target*, and return the response; ``None`` if it is stale and nothing was sent."""

        async def trace(event: str, info: dict[str, Any]) -> None:
            if event == _HEADERS_EVENT and info["request"].method == b"POST":  # not the CONNECT to a proxy
                self.opened.spared = True
                await take_permit()
                self.opened.spared = False

        url = self._url
        request = httpcore.Request(
            b"POST",
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=target),
            headers=headers,
            content=content,
            extensions={"trace": trace},
        )
        try:
            response = await self._connection.handle_async_request(request)
            if self.opened.unwritten:  # it is the answer before, repeated
                self._was_given_up = True
                await response.aclose()
                return None
            return response.status, response.headers, await _read_body(response), self
        except BaseException as error:
            stream = self._stream
            if stream is not None and stream.spared:
                # No permit came, so nothing was written: the next request can use the connection, which httpcore gives
                # up. A deadline shorter than the wait for the quota would else cost a connection each.
                stream.spared = False
                self._connection = httpcore.AsyncHTTP11Connection(request.url.origin, stream)
                raise
            # After a request that was cancelled twice it cannot be used.
            self._was_given_up = True
            if stream is not None and stream.unwritten and isinstance(error, httpcore.RemoteProtocolError):
                return None
            if type(error).__module__.startswith("socksio."):  # httpcore lets these through; socksio is optional
                raise httpcore.ProxyError(str(error)) from None
            if isinstance(error, anyio.ClosedResourceError):  # the client was closed during the TLS handshake
                raise httpcore.ConnectError from None
            raise

    async def aclose(self) -> None:
        """Close the stream: httpcore forgets one to a SOCKS proxy that refuses it."""
        if self._stream is not None:
            await self._stream.aclose()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return self.use(await super().connect_tcp(host, port, timeout, local_address, socket_options))

    def use(self, stream: httpcore.AsyncNetworkStream) -> httpcore.AsyncNetworkStream:
        """Go on over *stream*: the connection to the proxy, or TLS on it."""
        self._stream = _OneWriteStream(stream, self)
        return self._stream


def _connect_through(
    proxy: httpx.Proxy, context: ssl.SSLContext | None, backend: httpcore.AsyncNetworkBackend
) -> httpcore.AsyncConnectionPool:
    url = proxy.url
    proxy_url = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=b"/")
    if url.scheme.startswith("socks"):
        auth = None if proxy.raw_auth is None else (_Hidden(proxy.raw_auth[0]), _Hidden(proxy.raw_auth[1]))
        return httpcore.AsyncSOCKSProxy(
            proxy_url, proxy_auth=auth, ssl_context=context, max_connections=1, network_backend=backend
        )
    return httpcore.AsyncHTTPProxy(
        proxy_url,
        proxy_auth=proxy.raw_auth,
        proxy_headers=proxy.headers.raw,
        proxy_ssl_context=proxy.ssl_context if url.scheme == "https" else None,
        ssl_context=context,
        max_connections=1,
        network_backend=backend,
    )


class _Hidden(bytes):
    """Bytes that print as ``***``: httpcore logs the user and the password of a SOCKS proxy."""

    def __repr__(self) -> str:
        return "***"


async def _read_body(response: httpcore.Response) -> bytes:
    """Return the body; an error status needs none, so it survives one that breaks off or does not end."""
    try:
        if response.status == OK:
            return await response.aread()
        try:
            async with asyncio.timeout(ERROR_BODY_WAIT):
                return await response.aread()
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError, TransportError):
            return b""
    finally:
        await response.aclose()


class _OneWriteStream(httpcore.AsyncNetworkStream):
    """A stream that delays writes until the next read: one system call, TLS record and packet instead of two."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, lane: ProxiedLane) -> None:
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
    def has_more(self) -> bool:
        """Return whether the server has closed it or sent something that no request asked for."""
        # Before its first answer, a server may have sent TLS session tickets.
        may_be_tickets = not self._was_read and self.get_extra_info("ssl_object") is not None
        return bool(self.get_extra_info("is_readable")) and not may_be_tickets

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109
        self.unwritten += buffer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        if self.unwritten:
            buffer, self.unwritten = self.unwritten, b""
            self._left = self._lane.most_bytes + MOST_HEAD_BYTES
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
        return self._lane.use(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
