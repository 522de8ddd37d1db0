"""The only way to the API: sign a request, send it, renew the credential, slow down, retry.

httpx logs whole URLs at INFO (encode/httpx#2760), and the UserSig travels in the URL. So no
``httpx.AsyncClient`` takes part, and errors leave this module without the frames and causes of the layers
below, whose local variables hold the request line.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Final, TypeVar

import httpcore
import httpx

from trtc_records._api.error_codes import CALL_CODES, ErrorCodes, explain_identifier
from trtc_records._api.protocol import Request, Response, build_target, read_retry_after
from trtc_records._errors import (
    AuthenticationError,
    CallRecordsError,
    ClientClosedError,
    RateLimitError,
    RequestTimeoutError,
    ResponseDecodeError,
    TransportError,
)
from trtc_records._secret import Secret
from trtc_records._sending.clock import ServiceClock
from trtc_records._sending.credentials import Credential
from trtc_records._sending.decoding import MOST_BYTES, decode
from trtc_records._sending.in_flight import Gate
from trtc_records._sending.latency import Latency
from trtc_records._sending.log_mask import mask_logs
from trtc_records._sending.refusals import Refusals
from trtc_records._sending.retry import Retries, Turn
from trtc_records._sending.transport import Transport
from trtc_records._version import __version__
from trtc_records.quota._local import QUOTA, AdaptiveRateLimiter, RateLimiter

__all__ = ["Requester"]

Result = TypeVar("Result")

_FAILURES: Final = (
    httpx.HTTPError,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.TimeoutException,
    OSError,
)
_TIME_OUTS: Final = (TimeoutError, httpcore.TimeoutException, httpx.TimeoutException)
_CHECK_PAUSE: Final = 1.0  # seconds before the second try after a failed check of the account
_TOO_MANY_REQUESTS: Final = 429  # an HTTP status
_PORTS: Final = {"https": 443, "http": 80}
_CHECK: Final = "check region or base_url, the network, the firewall, and HTTPS_PROXY and NO_PROXY"


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
        most_bytes: The most bytes of a response's body, as it came and decoded.
        errors: The error codes of the service.
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
        most_bytes: int = MOST_BYTES,
        errors: ErrorCodes = CALL_CODES,
    ) -> None:
        self._base_url = base_url
        self._prefix = base_url.path.rstrip("/")
        self._sdk_app_id = sdk_app_id
        self._identifier = identifier
        self._credential = credential
        self._limiter = limiter
        self._transport = transport
        self._timeout = timeout
        self._retries = Retries(attempts=attempts, total_timeout=total_timeout)
        self._refusals: defaultdict[int, Refusals] = defaultdict(Refusals)  # by the id of their limiter
        self._clock = clock
        self._most_bytes = most_bytes
        self._errors = errors
        self._gate = Gate(max_in_flight, rate=QUOTA, timeout=timeout)
        self._headers = [
            (b"Host", base_url.netloc),
            (b"Accept-Encoding", b"gzip"),
            (b"Content-Type", b"application/json"),
            (b"User-Agent", f"trtc-records/{__version__}".encode()),
        ]
        self._stopped = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self.latency = Latency()
        """The time that responses take."""

    def depth(self, rate: float) -> int:
        """Return how many requests make the most of *rate* permits per second: those under way and those that wait."""
        return min(self._gate.limit, self.latency.requests_in_flight(rate)) + self._retries.waiting

    async def request(
        self,
        request: Request,
        read: Callable[[Response], Result],
        *,
        pace: RateLimiter | None = None,
        limiter: AdaptiveRateLimiter | None = None,
    ) -> Result:
        """Send *request*, retry if that may help, and return *read*'s result for the response.

        Args:
            request: The request.
            read: Reads its response.
            pace: A further limiter, whose permit each attempt awaits first.
            limiter: Gives the permits of this request; by default that of all requests.

        Raises:
            ClientClosedError: The requester was stopped.
            CallRecordsError: The last attempt failed, or *read* refused its response.
        """
        return await self._retries.run(lambda turn: self._attempt(request, read, pace, limiter or self._limiter, turn))

    def check_open(self) -> None:
        """Check that requests may be sent; from the first time on in this event loop only, and it is to be closed.

        Raises:
            ClientClosedError: The requester was stopped, or belongs to another event loop.
        """
        if self._stopped:
            raise ClientClosedError("the client is closed: make a new one")
        self._check_loop()
        self._loop = asyncio.get_running_loop()

    @property
    def is_in_use(self) -> bool:
        """Return whether requests may have been sent, and it was not stopped."""
        return self._loop is not None and not self._stopped

    def _check_loop(self) -> None:
        if self._loop not in {None, asyncio.get_running_loop()}:
            raise ClientClosedError(
                "the client belongs to another event loop, the first that it was used in: make a client, and close it, "
                "inside each asyncio.run()"
            )

    def stop(self) -> None:
        """Let no further attempt begin.

        Raises:
            ClientClosedError: The requester belongs to another event loop.
        """
        if not self._stopped:
            self._check_loop()
        self._stopped = True

    async def drop(self, response: Response) -> None:
        """Give up the connection that *response* came over: what follows on it is in doubt."""
        await self._transport.drop(response.connection)

    async def aclose(self) -> None:
        """Close every connection; requests under way fail."""
        await self._transport.aclose()

    async def _attempt(
        self,
        request: Request,
        read: Callable[[Response], Result],
        pace: RateLimiter | None,
        limiter: AdaptiveRateLimiter,
        turn: Turn,
    ) -> Result:
        """Send *request* once, and once more with a new UserSig, or where a check of the account failed by itself."""
        self.check_open()
        if pace is not None:
            await turn.wait_in(pace.acquire())
        user_sig = await self._credential.get()
        try:
            return await self._send_signed(request, user_sig, read, limiter, turn)
        except AuthenticationError as error:
            if error.code in self._errors.check_failed:
                await asyncio.sleep(_CHECK_PAUSE)
            elif error.code not in self._errors.renewal or not self._credential.renew(user_sig):
                raise
        return await self._send_signed(request, await self._credential.get(), read, limiter, turn)

    async def _send_signed(
        self,
        request: Request,
        user_sig: Secret,
        read: Callable[[Response], Result],
        limiter: AdaptiveRateLimiter,
        turn: Turn,
    ) -> Result:
        """Send *request* with *user_sig*, and slow down if the service refuses it for quota."""
        await turn.wait_in(self._gate.enter())
        try:
            turn.check()
            self.check_open()  # it may have been closed during the waits
            outcome = await self._exchange(request, user_sig, limiter, turn)
        finally:
            self._gate.leave()
        if isinstance(outcome, TransportError):
            raise outcome
        refused = outcome.status == _TOO_MANY_REQUESTS
        answered = True
        try:
            return read(outcome)
        except CallRecordsError as error:
            explain_identifier(error, self._identifier)
            error.retry_after = read_retry_after(outcome, self._clock.now())
            refused |= isinstance(error, RateLimitError)
            answered = not error.retryable
            if isinstance(error, ResponseDecodeError):
                await self.drop(outcome)
            raise
        finally:
            sent_at, now = outcome.sent_at, asyncio.get_running_loop().time()
            self._gate.note(now - sent_at, answered=answered, depth=turn.depth, sent_at=sent_at, now=now)
            if self._refusals[id(limiter)].add(refused=refused, sent_at=sent_at, now=now):
                limiter.slow_down()

    async def _exchange(
        self, request: Request, user_sig: Secret, limiter: AdaptiveRateLimiter, turn: Turn
    ) -> Response | TransportError:
        """Return the response, or the error: raised here, it would keep the frames of the layers below."""
        loop = asyncio.get_running_loop()
        sent_at = 0.0
        refusal: Exception | None = None
        content = request.content
        try:
            with mask_logs(user_sig):
                async with asyncio.timeout(self._timeout) as clock:

                    async def take_permit() -> None:
                        nonlocal sent_at, refusal
                        due = clock.when() or 0.0
                        clock.reschedule(None)
                        try:
                            waited = await turn.wait_in(limiter.acquire())
                        except Exception as error:
                            refusal = error
                            raise
                        self.check_open()
                        sent_at = loop.time()
                        turn.depth = self._gate.inside
                        clock.reschedule(due + waited)

                    status, raw_headers, body, connection = await self._transport.exchange(
                        self._base_url,
                        self._build_signed_target(request, user_sig),
                        [*self._headers, (b"Content-Length", b"%d" % len(content))],
                        content,
                        take_permit,
                    )
                    # A server may repeat the request, and the UserSig with it.
                    headers = _read_headers(user_sig, raw_headers)
                    body = user_sig.mask(await self._decode(status, headers, body))
        except TransportError as error:
            error.__cause__ = error.__context__ = None
            return error.with_traceback(None)
        except BaseException as error:  # noqa: BLE001 - a cancellation, or an error of the caller's limiter or transport
            if isinstance(error, _FAILURES) and error is not refusal:
                if sent_at > 0 and isinstance(error, _TIME_OUTS):
                    now = loop.time()
                    self._gate.note(now - sent_at, answered=False, depth=turn.depth, sent_at=sent_at, now=now)
                return self._explain(error, user_sig, has_connected=sent_at > 0)
            error.__cause__ = error.__context__ = None
            raise error.with_traceback(None)  # noqa: B904 - it is the same error
        now = loop.time()
        self.latency.add(now - sent_at)
        self._clock.observe(headers.get("date", ""))
        return Response(status, headers, body, sent_at, connection)

    async def _decode(self, status: int, headers: dict[str, str], body: bytes) -> bytes:
        """Return *body* decoded. An error status needs none, so it does not matter whether that one can be.

        Raises:
            TransportError: It cannot be decoded, or is too long.
        """
        if status != httpx.codes.OK:
            return b""
        codings = headers.get("content-encoding", "").lower().replace(" ", "").replace("\t", "")
        try:
            return await decode(codings.split(",") if codings else (), body, self._most_bytes)
        except ValueError as error:
            raise TransportError(f"the body of the response cannot be decoded: {error}", status) from None

    def _explain(self, error: Exception, user_sig: Secret, *, has_connected: bool) -> TransportError:
        """Return the error for one of the layers below, with the host, the proxy, and what to check."""
        port = self._base_url.port or _PORTS[self._base_url.scheme]
        place = f"{self._base_url.host}:{port}" + (f" through {self._transport.via}" if self._transport.via else "")
        if isinstance(error, _TIME_OUTS):
            missing, preposition = ("answer", "from") if has_connected else ("connection", "to")
            return RequestTimeoutError(
                f"no {missing} within {self._timeout:g} s {preposition} {place}: try later, {_CHECK}, or pass a longer "
                "timeout"
            )
        reason = f"{type(error).__name__}: {user_sig.mask_text(str(_find_cause(error))) or 'it was lost'}"
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            remedy = "check the clock, and whether a proxy opens TLS; SSL_CERT_FILE or verify= names its authority"
            return TransportError(f"the certificate of {place} is not trusted ({reason}): {remedy}", retryable=False)
        failed = "the connection to {} failed" if has_connected else "no connection to {}"
        return TransportError(f"{failed.format(place)} ({reason}): {_CHECK}")

    def _build_signed_target(self, request: Request, user_sig: Secret) -> bytes:
        target = build_target(
            self._prefix + request.path,
            sdk_app_id=self._sdk_app_id,
            identifier=self._identifier,
            user_sig=user_sig.reveal(),
        )
        return target.encode("ascii")


def _read_headers(user_sig: Secret, raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers by lower-case name; those of one name are joined, as HTTP has it."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = user_sig.mask(raw_name).decode("latin-1").lower(), user_sig.mask(raw_value).decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _find_cause(error: BaseException) -> BaseException:
    """Return the first error behind *error* that says more, such as a refusal with its address."""
    while (cause := error.__cause__) is not None and str(cause):
        error = cause
    return error
