"""The transport of a client: lanes of its own, or a transport of httpx that the caller brings."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from typing import Protocol

import httpx

from trtc_records._errors import ConfigurationError, shorten
from trtc_records._sending.endpoint import choose_proxy
from trtc_records._sending.lanes import Exchange, LaneTransport

__all__ = ["HttpxTransport", "Transport", "make_transport"]


class Transport(Protocol):
    """A way to send requests."""

    async def exchange(
        self,
        url: httpx.URL,
        target: bytes,
        headers: list[tuple[bytes, bytes]],
        content: bytes,
        take_permit: Callable[[], Awaitable[None]],
    ) -> Exchange:
        """Post *content* to *target* at the host of *url*, and return the response.

        *take_permit* is awaited as late before the first byte is written as the transport can.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


class HttpxTransport:
    """A transport over one of httpx: a mock, an instrumented one, another HTTP stack."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def exchange(
        self,
        url: httpx.URL,
        target: bytes,
        headers: list[tuple[bytes, bytes]],
        content: bytes,
        take_permit: Callable[[], Awaitable[None]],
    ) -> Exchange:
        """Take a permit, send the request, and return the response with its compression undone by httpx."""
        await take_permit()
        request = httpx.Request("POST", url.copy_with(raw_path=target), headers=headers, content=content)
        response = await self._transport.handle_async_request(request)
        try:
            body = await response.aread()
        finally:
            await response.aclose()
        kept = [(name, value) for name, value in response.headers.raw if name.lower() != b"content-encoding"]
        return response.status_code, kept, body

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()


def make_transport(url: httpx.URL, *, transport: object, proxy: object, verify: object) -> Transport:
    """Return the transport for requests to *url*.

    Args:
        url: The URL that requests go to.
        transport: A transport of httpx; ``None`` for lanes.
        proxy: The proxy of the lanes, hidden; ``None`` for the one that the environment names.
        verify: The TLS context of the lanes; ``None`` and ``True`` for httpx's.

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
        return HttpxTransport(transport)
    # False would send the credential to any server. httpx deprecates a path, so the caller has to load it.
    if not (verify is None or verify is True or isinstance(verify, ssl.SSLContext)):
        raise ConfigurationError(
            f"verify={shorten(verify)}: pass an ssl.SSLContext, as of ssl.create_default_context(cafile=...), or leave "
            "it out to trust the public authorities"
        )
    return LaneTransport(proxy=choose_proxy(url, proxy), context=verify if isinstance(verify, ssl.SSLContext) else None)
