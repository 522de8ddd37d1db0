"""The only way to the API: sign a request, send it, renew the credential, slow down, retry.

httpx logs whole URLs at INFO (encode/httpx#2760), and the UserSig travels in the URL. So no
``httpx.AsyncClient`` takes part, and errors leave this module without the frames and causes of the layers
below, whose local variables hold the request line.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from typing import Final, TypeVar

import httpcore
import httpx

from trtc_records._api.error_codes import USER_SIG_EXPIRED
from trtc_records._api.protocol import Request, Response, build_target
from trtc_records._errors import AuthenticationError, ClientClosedError, RateLimitError, TransportError
from trtc_records._sending.clock import ServiceClock
from trtc_records._sending.credentials import Credential, Secret
from trtc_records._sending.latency import Latency
from trtc_records._sending.retry import retry
from trtc_records._sending.transport import Transport
from trtc_records._version import __version__
from trtc_records.quota._local import AdaptiveRateLimiter, RateLimiter

__all__ = ["Requester"]

Result = TypeVar("Result")

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
_TOO_MANY_REQUESTS: Final = 429  # an HTTP status


class Requester:
    """A sender of requests to one endpoint on behalf of one administrator.

    Args:
        base_url: Scheme and host, with an optional port and path prefix.
        sdk_app_id: The application's id.
        identifier: The administrator.
        credential: Gives the UserSig that signs each request.
        limiter: Gives a permit to each request, retries included.
        transport: Sends the requests.
        timeout: Seconds that one attempt may take; waiting for a permit does not count.
        attempts: The most attempts of a request, the first one included.
        total_timeout: Seconds after which a request is not tried again; ``None`` for no such bound.
        max_in_flight: The most requests under way at once; further ones wait in line.
        clock: Follows the ``Date`` of the responses.
    """

    def __init__(
        self,
        base_url: httpx.URL,
        *,
        sdk_app_id: int,
        identifier: str,
        credential: Credential,
        limiter: AdaptiveRateLimiter,
        transport: Transport,
        timeout: float,
        attempts: int,
        total_timeout: float | None,
        max_in_flight: int,
        clock: ServiceClock,
    ) -> None:
        self._base_url = base_url
        self._prefix = base_url.path.rstrip("/")
        self._sdk_app_id = sdk_app_id
        self._identifier = identifier
        self._credential = credential
        self._limiter = limiter
        self._transport = transport
        self._timeout = timeout
        self._attempts = attempts
        self._total_timeout = total_timeout
        self._clock = clock
        self._gate = asyncio.Semaphore(max_in_flight)
        self._headers = [
            (b"Host", base_url.netloc),
            (b"Accept-Encoding", b"gzip"),
            (b"Content-Type", b"application/json"),
            (b"User-Agent", f"trtc-records/{__version__}".encode()),
        ]
        self._slowed_at = 0.0
        self._stopped = False
        self.latency = Latency()
        """The time that responses take."""

    async def request(
        self, request: Request, read: Callable[[Response], Result], *, pace: RateLimiter | None = None
    ) -> Result:
        """Send *request*, retry if that may help, and return *read*'s result for the response.

        Args:
            request: The request.
            read: Reads its response.
            pace: A further limiter, whose permit each attempt awaits first.

        Raises:
            ClientClosedError: The requester was stopped.
            CallRecordsError: The last attempt failed, or *read* refused its response.
        """
        return await retry(
            lambda: self._attempt(request, read, pace), attempts=self._attempts, total_timeout=self._total_timeout
        )

    def check_open(self) -> None:
        """Check that requests may be sent.

        Raises:
            ClientClosedError: The requester was stopped.
        """
        if self._stopped:
            raise ClientClosedError("the client is closed: make a new one")

    def stop(self) -> None:
        """Let no further attempt begin."""
        self._stopped = True

    async def aclose(self) -> None:
        """Close every connection; requests under way fail."""
        self.stop()
        await self._transport.aclose()

    async def _attempt(self, request: Request, read: Callable[[Response], Result], pace: RateLimiter | None) -> Result:
        """Send *request* once, and once more where the UserSig expired and can be renewed."""
        self.check_open()
        if pace is not None:
            await pace.acquire()
        user_sig = await self._credential.get()
        try:
            return await self._send_signed(request, user_sig, read)
        except AuthenticationError as error:
            if error.code != USER_SIG_EXPIRED or not self._credential.renew(user_sig):
                raise
        return await self._send_signed(request, await self._credential.get(), read)

    async def _send_signed(self, request: Request, user_sig: Secret, read: Callable[[Response], Result]) -> Result:
        """Send *request* with *user_sig*, and slow down if the service refuses it for quota."""
        async with self._gate:
            outcome = await self._exchange(request, user_sig)
        if isinstance(outcome, TransportError):
            raise outcome
        try:
            return read(outcome)
        except (RateLimitError, TransportError) as error:
            if isinstance(error, RateLimitError) or error.status_code == _TOO_MANY_REQUESTS:
                self._slow_down(outcome)
            raise

    def _slow_down(self, refusal: Response) -> None:
        """Have the limiter slow down, unless it has done so since the refused request was sent."""
        if refusal.sent_at >= self._slowed_at:
            self._slowed_at = asyncio.get_running_loop().time()
            self._limiter.slow_down()

    async def _exchange(self, request: Request, user_sig: Secret) -> Response | TransportError:
        """Return the response, or the error: raised here, it would keep the frames of the layers below."""
        loop = asyncio.get_running_loop()
        sent_at = 0.0
        content = request.content
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

                status, headers, body = await self._transport.exchange(
                    self._base_url,
                    self._build_signed_target(request, user_sig),
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
            # A retry does not fix a certificate.
            retryable = "CERTIFICATE_VERIFY_FAILED" not in str(error)
            reason = str(error).replace(user_sig.reveal(), str(user_sig)) or "the connection failed"
            return TransportError(f"{type(error).__name__}: {reason}", retryable=retryable)
        except BaseException as error:  # noqa: BLE001 - a cancellation, or an error of the caller's limiter or transport
            error.__cause__ = error.__context__ = None
            raise error.with_traceback(None)  # noqa: B904 - it is the same error
        self.latency.add(loop.time() - sent_at)
        self._clock.observe(plain_headers.get("date", ""))
        # A server may repeat the request, and the UserSig with it.
        body = body.replace(user_sig.reveal().encode(), str(user_sig).encode())
        return Response(status, plain_headers, body, sent_at)

    def _build_signed_target(self, request: Request, user_sig: Secret) -> bytes:
        target = build_target(
            self._prefix + request.path,
            sdk_app_id=self._sdk_app_id,
            identifier=self._identifier,
            user_sig=user_sig.reveal(),
        )
        return target.encode("ascii")
