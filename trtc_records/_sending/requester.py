"""Send calls over HTTP: the credential is added last, and a permit is taken last.

httpx logs whole URLs at INFO (encode/httpx#2760), and the UserSig travels in the URL. So no
``httpx.AsyncClient`` takes part, and errors leave this module without the frames and causes of the layers
below, whose locals hold the request line.
"""

from __future__ import annotations

import asyncio
import urllib.request
import zlib
from collections.abc import Awaitable, Callable
from typing import Final

import httpcore
import httpx

from trtc_records._api.protocol import Answer, Call, build_target
from trtc_records._errors import TransportError
from trtc_records._sending.credentials import Secret
from trtc_records._sending.lanes import Exchange, LaneTransport
from trtc_records._sending.latency import Latency
from trtc_records._version import __version__
from trtc_records.quota._local import AdaptiveRateLimiter

__all__ = ["Sender"]

_FAILURES: Final = (
    httpx.HTTPError,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.TimeoutException,
    OSError,
    zlib.error,
)
_GZIP_WINDOW: Final = 31  # zlib's number for gzip with the largest window


class Sender:
    """Send calls to one endpoint on behalf of one administrator.

    Args:
        base_url: Scheme, host and, where there is one, port and path prefix.
        sdk_app_id: The application's id.
        identifier: The administrator.
        limiter: Whose permit each request takes.
        timeout: Seconds that one attempt may take; waiting for a permit does not count.
        max_in_flight: Requests under way at once; further ones wait in line.
        transport: What to send over; by default lanes, through the proxy that the environment names.
    """

    def __init__(
        self,
        base_url: httpx.URL,
        *,
        sdk_app_id: int,
        identifier: str,
        limiter: AdaptiveRateLimiter,
        timeout: float,
        max_in_flight: int,
        transport: httpx.AsyncBaseTransport | LaneTransport | None,
    ) -> None:
        self._base_url = base_url
        self._prefix = base_url.path.rstrip("/")
        self._sdk_app_id = sdk_app_id
        self._identifier = identifier
        self._limiter = limiter
        self._timeout = timeout
        self._gate = asyncio.Semaphore(max_in_flight)
        if transport is None:
            transport = LaneTransport(proxy=_environment_proxy(base_url))
        self._channel = transport if isinstance(transport, LaneTransport) else _HttpxChannel(transport)
        self._headers = [
            (b"Host", base_url.netloc),
            (b"Accept-Encoding", b"gzip"),
            (b"Content-Type", b"application/json"),
            (b"User-Agent", f"trtc-records/{__version__}".encode()),
        ]
        self._slowed_at = 0.0
        self.latency = Latency()

    async def send(self, call: Call, user_sig: Secret) -> Answer:
        """Send *call* once and return what came back.

        Raises:
            TransportError: Nothing came back within the time-out, or the connection failed.
        """
        async with self._gate:
            outcome = await self._attempt(call, user_sig)
        if isinstance(outcome, Answer):
            return outcome
        raise outcome

    def slow_down(self, refused: Answer) -> None:
        """Have the limiter slow down, unless it has done so since *refused* was asked for."""
        if refused.sent_at >= self._slowed_at:
            self._slowed_at = asyncio.get_running_loop().time()
            self._limiter.refused()

    async def aclose(self) -> None:
        """Close the transport."""
        await self._channel.aclose()

    async def _attempt(self, call: Call, user_sig: Secret) -> Answer | TransportError:
        """Return the answer, or the error: raised here, it would carry the layers below along."""
        loop = asyncio.get_running_loop()
        sent_at = 0.0
        content = call.content
        try:
            async with asyncio.timeout(self._timeout) as clock:

                async def take_permit() -> None:
                    nonlocal sent_at
                    due = clock.when() or 0.0
                    clock.reschedule(None)
                    asked_at = loop.time()
                    await self._limiter.acquire()
                    sent_at = loop.time()
                    clock.reschedule(due + sent_at - asked_at)

                status, headers, body = await self._channel.exchange(
                    self._base_url,
                    self._sign(call, user_sig),
                    [*self._headers, (b"Content-Length", b"%d" % len(content))],
                    content,
                    take_permit,
                )
            plain_headers = {name.decode("ascii").lower(): value.decode("latin-1") for name, value in headers}
            if plain_headers.get("content-encoding") == "gzip":
                body = zlib.decompress(body, _GZIP_WINDOW)
        except TimeoutError:
            return TransportError(f"no answer within {self._timeout:g} s")
        except _FAILURES as error:
            # A certificate does not get better by asking again.
            retryable = "CERTIFICATE_VERIFY_FAILED" not in str(error)
            reason = str(error).replace(user_sig.reveal(), str(user_sig)) or "the connection failed"
            return TransportError(f"{type(error).__name__}: {reason}", retryable=retryable)
        except BaseException as error:  # noqa: BLE001 - a cancellation, or an error of the caller's limiter or transport
            error.__cause__ = error.__context__ = None
            raise error.with_traceback(None)  # noqa: B904 - it is the same error
        self.latency.add(loop.time() - sent_at)
        # A server may repeat what it was asked.
        body = body.replace(user_sig.reveal().encode(), str(user_sig).encode())
        return Answer(status, plain_headers, body, sent_at)

    def _sign(self, call: Call, user_sig: Secret) -> bytes:
        target = build_target(
            self._prefix + call.path,
            sdk_app_id=self._sdk_app_id,
            identifier=self._identifier,
            user_sig=user_sig.reveal(),
        )
        return target.encode("ascii")


class _HttpxChannel:
    """Exchange over a transport of the caller's: a mock, an instrumented one, another HTTP stack."""

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
        """Post *content* to *target* at the host of *url*, and return the answer, decoded."""
        await take_permit()
        request = httpx.Request("POST", url.copy_with(raw_path=target), headers=headers, content=content)
        response = await self._transport.handle_async_request(request)
        try:
            body = await response.aread()
        finally:
            await response.aclose()
        # httpx has undone the compression.
        kept = [(name, value) for name, value in response.headers.raw if name.lower() != b"content-encoding"]
        return response.status_code, kept, body

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()


def _environment_proxy(url: httpx.URL) -> str | None:
    """Return the proxy that ``HTTPS_PROXY`` or ``ALL_PROXY`` names; plain HTTP, being loopback only, takes none."""
    if url.scheme != "https" or urllib.request.proxy_bypass(url.host):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get("https") or proxies.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy
