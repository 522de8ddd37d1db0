"""Many cheap connections to one host.

httpx's own pool looks at every connection for every request (encode/httpx#3215, encode/httpcore#1035): with 64
in flight that costs more than everything else. Here each connection is a lane of its own in a free-list.

State: the open connections. Everything that touches them is in this file.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, Final

import httpx

from trtc_records._sending.decoding import MOST_BYTES
from trtc_records._sending.direct import DirectLane
from trtc_records._sending.lane import Exchange, Headers, Lane, TakePermit
from trtc_records._sending.proxied import ProxiedLane

__all__ = ["LaneTransport"]

_IDLE_EXPIRY: Final = 30.0  # seconds


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
        self._idle: list[tuple[float, Lane]] = []  # oldest first
        self._busy: set[Lane] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self.via = "" if proxy is None else f"{proxy.url.scheme}://{proxy.url.netloc.decode()}"
        """The proxy, without its password; empty without one."""

    async def exchange(
        self,
        url: httpx.URL,
        target: bytes,
        headers: Headers,
        content: bytes,
        take_permit: TakePermit,
    ) -> Exchange:
        """Post *content* to *target* at the host of *url*, and return the response.

        *take_permit* is awaited just before the first byte is written. A connection that takes long to open, or
        a busy event loop, then cannot bunch up requests that hold their permits already.
        """
        while True:
            lane = self._take(url)
            try:
                answer = await lane.exchange(target, headers, content, take_permit)
            finally:
                self._put_back(lane)
            if answer is not None:
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
            self._close_soon(lane)
        if self._closing:
            await asyncio.wait(self._closing)  # which goes on if this is cancelled

    def _take(self, url: httpx.URL) -> Lane:
        while self._idle:
            lane = self._idle.pop()[1]
            if not lane.is_stale:
                break
            self._close_soon(lane)
        else:
            lane = self._make(url)
        self._busy.add(lane)
        return lane

    def _put_back(self, lane: Lane) -> None:
        if lane not in self._busy or lane.is_closed:  # the transport, or the connection, was closed meanwhile
            self._busy.discard(lane)
            self._close_soon(lane)
            return
        self._busy.discard(lane)
        loop = asyncio.get_running_loop()
        self._idle.append((loop.time(), lane))
        if self._sweep is None:
            self._sweep = loop.call_later(self._idle_expiry, self._close_expired)

    def _close_soon(self, lane: Lane) -> None:
        task = asyncio.get_running_loop().create_task(lane.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _close_expired(self) -> None:
        loop = asyncio.get_running_loop()
        edge = loop.time() - self._idle_expiry
        while self._idle and self._idle[0][0] <= edge:
            self._close_soon(self._idle.pop(0)[1])
        self._sweep = loop.call_at(self._idle[0][0] + self._idle_expiry, self._close_expired) if self._idle else None

    def _make(self, url: httpx.URL) -> Lane:
        is_encrypted = url.scheme == "https"
        if self._context is None and is_encrypted:
            # Once for all lanes: it takes tens of milliseconds.
            self._context = httpx.create_ssl_context(trust_env=False)
        if self._proxy is not None:
            return ProxiedLane(url, self._proxy, self._context, self._most_bytes)
        if not is_encrypted or self._context is None:
            return DirectLane(url, None, self._most_bytes)
        self._context.set_alpn_protocols(["http/1.1"])
        return DirectLane(url, self._context, self._most_bytes)
