"""The transport of a client: lanes of its own, or a transport of httpx that the caller brings."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, Protocol

import httpx

from trtc_records._errors import ConfigurationError, TransportError, shorten
from trtc_records._sending.decoding import too_long
from trtc_records._sending.endpoint import choose_proxy, load_environment_trust
from trtc_records._sending.lane import ERROR_BODY_WAIT, Exchange, Headers, TakePermit
from trtc_records._sending.lanes import LaneTransport

__all__ = ["HttpxTransport", "Transport", "make_transport"]


class Transport(Protocol):
    """A way to send requests."""

    via: str
    """The proxy, without its password; empty if there is none, or none is known."""

    async def exchange(
        self,
        url: httpx.URL,
        target: bytes,
        headers: Headers,
        content: bytes,
        take_permit: TakePermit,
    ) -> Exchange:
        """Post *content* to *target* at the host of *url*, and return the response.

        *take_permit* is awaited as late before the first byte is written as the transport can.
        """
        ...

    async def drop(self, connection: Any) -> None:
        """Close the connection of an answer that is in doubt, and others that may be."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


class HttpxTransport:
    """A transport over one of httpx: a mock, an instrumented one, another HTTP stack.

    Args:
        transport: The transport of httpx.
        most_bytes: The most bytes of a response's body.
    """

    via = ""

    def __init__(self, transport: httpx.AsyncBaseTransport, most_bytes: int) -> None:
        self._transport = transport
        self._most_bytes = most_bytes

    async def exchange(
        self,
        url: httpx.URL,
        target: bytes,
        headers: Headers,
        content: bytes,
        take_permit: TakePermit,
    ) -> Exchange:
        """Take a permit, send the request, and return the response."""
        await take_permit()
        request = httpx.Request("POST", url.copy_with(raw_path=target), headers=headers, content=content)
        response = await self._transport.handle_async_request(request)
        try:
            body = await self._read_body(response)
        finally:
            await response.aclose()
        return response.status_code, response.headers.raw, body, response.extensions.get("network_stream")

    async def _read_body(self, response: httpx.Response) -> bytes:
        """Return the body as it came; an error status needs none, so it survives one that cannot be read."""
        if response.is_stream_consumed:  # a mock's, which httpx has decoded
            response.headers.pop("Content-Encoding", None)
            return response.content
        if response.status_code == httpx.codes.OK:
            return await self._read_raw(response)
        try:
            async with asyncio.timeout(ERROR_BODY_WAIT):
                return await self._read_raw(response)
        except (httpx.HTTPError, OSError, TransportError):
            return b""

    async def _read_raw(self, response: httpx.Response) -> bytes:
        body = bytearray()
        async for part in response.aiter_raw():
            body += part
            if len(body) > self._most_bytes:
                raise too_long(self._most_bytes)
        return bytes(body)

    async def drop(self, connection: Any) -> None:
        """Close the connection of an answer, where httpx says which it was."""
        if connection is not None:
            await connection.aclose()

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()


def make_transport(url: httpx.URL, *, transport: object, proxy: object, verify: object, most_bytes: int) -> Transport:
    """Return the transport for requests to *url*.

    Args:
        url: The URL that requests go to.
        transport: A transport of httpx; ``None`` for lanes.
        proxy: The proxy of the lanes, hidden; ``None`` for the one that the environment names.
        verify: The TLS context of the lanes; ``None`` and ``True`` for httpx's.
        most_bytes: The most bytes of a response's body.

    Raises:
        ConfigurationError: An argument cannot be used.
    """
    if transport is not None:
        if not isinstance(transport, httpx.AsyncBaseTransport):
            raise ConfigurationError(f"transport={shorten(transport)}: pass an httpx.AsyncBaseTransport")
        if proxy is not None or verify is not None:
            raise ConfigurationError(
                "transport: it decides on proxy and verify itself; pass them to it, as in "
                "httpx.AsyncHTTPTransport(proxy=..., verify=...), or leave transport out"
            )
        return HttpxTransport(transport, most_bytes)
    # False would send the credential to any server. httpx deprecates a path, so the caller has to load it.
    if not (verify is None or verify is True or isinstance(verify, ssl.SSLContext)):
        raise ConfigurationError(
            f"verify={shorten(verify)}: pass an ssl.SSLContext, as of ssl.create_default_context(cafile=...), or leave "
            "it out to trust the public authorities"
        )
    context = verify if isinstance(verify, ssl.SSLContext) else load_environment_trust(url)
    return LaneTransport(proxy=choose_proxy(url, proxy), context=context, most_bytes=most_bytes)
