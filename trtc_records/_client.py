"""The client: it checks what it is given, and leaves the work to the modules below."""

from __future__ import annotations

import importlib
import os
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import aclosing
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import httpx

from trtc_records._api.error_codes import USER_SIG_EXPIRED
from trtc_records._api.models import CallRecord, CallRecordPage, CallResult, CallType, Region
from trtc_records._api.protocol import Answer, Call, Query, page_call, read_page, read_record, record_call
from trtc_records._api.query import check_base_url, check_call_id, check_query, pin_window
from trtc_records._checks import check_count, check_sdk_app_id, check_seconds, check_text
from trtc_records._errors import (
    AuthenticationError,
    ClientClosedError,
    ConfigurationError,
    RateLimitedError,
    ResponseDecodeError,
    TransportError,
    shorten,
)
from trtc_records._prefetch import Prefetcher
from trtc_records._sending.credentials import Credential, Secret, UserSigProvider, hide
from trtc_records._sending.lanes import LaneTransport
from trtc_records._sending.requester import Sender
from trtc_records._sending.retry import Retrier
from trtc_records._walk import walk
from trtc_records.quota._local import QUOTA, RateLimiter, adapt, shared_limiter

__all__ = ["CallRecordsClient"]

_VARIABLES: Final = {
    "sdk_app_id": "TRTC_SDK_APP_ID",
    "identifier": "TRTC_IDENTIFIER",
    "secret_key": "TRTC_SECRET_KEY",
    "user_sig": "TRTC_USER_SIG",
    "region": "TRTC_REGION",
    "base_url": "TRTC_BASE_URL",
}
_RIVALS: Final = {"secret_key": "user_sig", "user_sig": "secret_key", "region": "base_url", "base_url": "region"}
_SECRETS: Final = ("secret_key", "user_sig")
_REDIS_URL: Final = "TRTC_REDIS_URL"
_LONGEST_SDK_APP_ID: Final = 20  # digits
_TOO_MANY_REQUESTS: Final = 429  # an HTTP status

PAGE_SIZE: Final = 100
"""Records per page: the service's own default of 10 would cap a walk at 2,000 records per second."""

Result = TypeVar("Result")
OnInvalid = Callable[[Any, ResponseDecodeError], None]


class CallRecordsClient:
    """Read the call records of one app.

    Calls that were started through the deprecated ``TUICallKit.call()`` and ``TUICallKit.groupCall()`` are
    kept by an older service and do not appear here.

    Use it with ``async with``, or close it with :meth:`aclose`. Walks and lookups of one client may run at
    the same time; one client serves one event loop.

    Args:
        sdk_app_id: The application's id.
        identifier: User id of an app administrator, for whom requests are signed.
        secret_key: The app's secret key. UserSigs are signed with it and renewed in time.
        user_sig: Instead of *secret_key*: a UserSig, or a callable (sync or async) that returns one. The
            callable is asked again before what it returned expires.
        region: Where the app lives, a :class:`Region` or its name.
        base_url: Instead of *region*: where to send to. ``http://`` is taken for this machine only.
        limiter: Whose permit each request takes; by default one :class:`LocalRateLimiter` for all clients of
            this app and endpoint in this process.
        timeout: Seconds that one attempt may take from connecting to the answer's last byte, waiting for a
            permit not counted. The vendor advises
            more than the 3 that the service takes itself.
        attempts: How often to try a request that may succeed later, the first time included.
        total_timeout: Seconds after which a request is not tried again; ``None`` for no such bound.
        max_in_flight: Requests under way at once. The default keeps the quota busy from a server a second away.
        transport: What to send over: any httpx transport; by default a :class:`LaneTransport`.

    Raises:
        ConfigurationError: An argument cannot be used.
    """

    _shown = "refused arguments"  # what an error reporter sees while the constructor has not got further

    def __init__(
        self,
        *,
        sdk_app_id: int,
        identifier: str,
        secret_key: str | None = None,
        user_sig: str | UserSigProvider | None = None,
        region: Region | str | None = None,
        base_url: str | None = None,
        limiter: RateLimiter | None = None,
        timeout: float = 10.0,
        attempts: int = 5,
        total_timeout: float | None = 60.0,
        max_in_flight: int = 256,
        transport: httpx.AsyncBaseTransport | LaneTransport | None = None,
    ) -> None:
        # From here on no frame of ours, and so no traceback with locals, holds a credential in the clear.
        hidden_key, hidden_user_sig = hide(secret_key), hide(user_sig)
        del secret_key, user_sig
        check_sdk_app_id(sdk_app_id)
        check_text("identifier", identifier, "pass the user id of an app administrator")
        url = check_base_url(region, base_url)
        self._credential = _make_credential(sdk_app_id, identifier, hidden_key, hidden_user_sig)
        if limiter is None:
            limiter = shared_limiter(sdk_app_id, f"{url.scheme}://{url.netloc.decode()}")
        elif not isinstance(limiter, RateLimiter):
            raise ConfigurationError(f"limiter={shorten(limiter)}: pass an object with 'async def acquire()'")
        if not isinstance(transport, httpx.AsyncBaseTransport | LaneTransport | None):
            raise ConfigurationError(
                f"transport={shorten(transport)}: pass an httpx.AsyncBaseTransport or a LaneTransport"
            )
        if isinstance(transport, LaneTransport) and transport.has_proxy and url.scheme != "https":
            raise ConfigurationError(
                "transport: a proxy would see the credential of http:// requests; pass an https:// URL"
            )
        self._sender = Sender(
            url,
            sdk_app_id=sdk_app_id,
            identifier=identifier,
            limiter=adapt(limiter),
            timeout=check_seconds("timeout", timeout),
            max_in_flight=check_count("max_in_flight", max_in_flight),
            transport=transport,
        )
        self._retry = Retrier(
            attempts=check_count("attempts", attempts),
            total_timeout=None if total_timeout is None else check_seconds("total_timeout", total_timeout),
        )
        self.sdk_app_id = sdk_app_id
        """The application's id."""
        self.base_url: str = str(url)
        """Where requests go."""
        self._max_in_flight = max_in_flight
        self._walks: set[Prefetcher] = set()
        self._closed = False
        self._owned_limiter: Any = None
        self._shown = f"sdk_app_id={sdk_app_id}, identifier={identifier!r}, base_url={str(url)!r}"

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **arguments: Any) -> Self:
        """Make a client from environment variables.

        ``TRTC_SDK_APP_ID``, ``TRTC_IDENTIFIER``, ``TRTC_SECRET_KEY`` or ``TRTC_USER_SIG``, ``TRTC_REGION`` or
        ``TRTC_BASE_URL``, and, if the quota is shared with other processes, ``TRTC_REDIS_URL`` (extra ``redis``).
        A variable that is empty counts as not set.

        Args:
            environ: Where to look; by default the process's environment.
            **arguments: Arguments of the constructor; they win over the environment.

        Raises:
            ConfigurationError: A variable is missing or cannot be used.
        """
        arguments = {name: hide(value) if name in _SECRETS else value for name, value in arguments.items()}
        environ = os.environ if environ is None else environ
        found = _read_environment(environ, arguments.keys())
        redis_url = hide(environ.get(_REDIS_URL) or None)
        del environ
        if isinstance(found, str):
            raise ConfigurationError(found)
        arguments |= found
        owned = None
        if isinstance(redis_url, Secret) and "limiter" not in arguments:
            # Named here alone, and only on demand: nothing else in the core knows of an integration.
            try:
                redis = importlib.import_module("trtc_records.quota.redis")
            except ImportError as error:
                raise ConfigurationError(f"{_REDIS_URL} is set: {error}") from None
            owned = redis.RedisRateLimiter.from_url(redis_url.reveal(), sdk_app_id=arguments["sdk_app_id"])
            arguments["limiter"] = owned
        client = cls(**arguments)
        client._owned_limiter = owned
        return client

    async def iter_records(
        self,
        *,
        start_time: datetime | int | None = None,
        end_time: datetime | int | None = None,
        call_result: CallResult | str | None = None,
        call_type: CallType | str | None = None,
        page_size: int = PAGE_SIZE,
        on_invalid: OnInvalid | None = None,
    ) -> AsyncGenerator[CallRecord, None]:
        """Walk over all records that match, each once, in the service's order, which it does not document.

        Both ends of the window are fixed when the walk starts. Pages are fetched ahead.

        Args:
            start_time: Start of the window, an aware datetime or Unix seconds; by default as far back as the
                service keeps records, less a minute, so that none expires under the walk.
            end_time: End of the window; by default now.
            call_result: Only calls that ended so; by default all.
            call_type: Only calls of this type; by default all.
            page_size: Records to ask for per request. The service may give fewer.
            on_invalid: Called with each record that cannot be read, as the service sent it, and the error; the
                walk goes on. By default the error is raised.

        Raises:
            ConfigurationError: An argument cannot be used; nothing was sent.
            ResponseDecodeError: A record cannot be read.
            RepeatedPageError: The service repeats a page.
            CallRecordsError: A page could not be read.

        Warns:
            RetentionWarning: The window begins, or even ends, before what the service still keeps.
            IncompleteWalkWarning: Records may be missing.
        """
        pages = self.iter_pages(
            start_time=start_time,
            end_time=end_time,
            call_result=call_result,
            call_type=call_type,
            page_size=page_size,
            on_invalid=on_invalid,
        )
        async with aclosing(pages):
            async for page in pages:
                for record in page.records:
                    yield record

    async def iter_pages(
        self,
        *,
        start_time: datetime | int | None = None,
        end_time: datetime | int | None = None,
        call_result: CallResult | str | None = None,
        call_type: CallType | str | None = None,
        page_size: int = PAGE_SIZE,
        on_invalid: OnInvalid | None = None,
    ) -> AsyncGenerator[CallRecordPage, None]:
        """Walk as :meth:`iter_records` does, a page at a time.

        A page holds the records that none before it held; pages that were read again may come twice, with
        what is new on them.
        """
        query = check_query(
            start_time=start_time,
            end_time=end_time,
            call_result=call_result,
            call_type=call_type,
            page_size=page_size,
        )
        self._check_open()
        pinned = pin_window(query)
        if pinned is None:
            return
        keep_invalid = on_invalid is not None
        source = Prefetcher(
            lambda page: self._get_page(pinned, page, keep_invalid=keep_invalid),
            self._depth,
            lambda: self._sender.latency.is_far,
        )
        self._walks.add(source)
        try:
            async for page in walk(source):
                if on_invalid is not None:
                    for entry in page.invalid:
                        on_invalid(entry.raw, entry.error)
                if page.records:
                    yield page
        finally:
            self._walks.discard(source)
            await source.aclose()

    async def get_page(
        self,
        page: int = 1,
        *,
        start_time: datetime | int | None = None,
        end_time: datetime | int | None = None,
        call_result: CallResult | str | None = None,
        call_type: CallType | str | None = None,
        page_size: int = PAGE_SIZE,
    ) -> CallRecordPage:
        """Request one page; beyond the last one there are no records on it.

        Args:
            page: The page's number, from 1.
            start_time: Start of the window, an aware datetime or Unix seconds; by default 7 days ago.
            end_time: End of the window; by default now.
            call_result: Only calls that ended so; by default all.
            call_type: Only calls of this type; by default all.
            page_size: Records to ask for. The service may give fewer.

        Raises:
            ConfigurationError: An argument cannot be used; nothing was sent.
            CallRecordsError: The page could not be read.
        """
        number = check_count("page", page)
        query = check_query(
            start_time=start_time,
            end_time=end_time,
            call_result=call_result,
            call_type=call_type,
            page_size=page_size,
        )
        return await self._get_page(query, number)

    async def get_record(self, call_id: str) -> CallRecord:
        """Look up one record.

        The vendor's page: https://trtc.io/document/68930.

        Args:
            call_id: The call's id.

        Raises:
            CallRecordNotFoundError: There is no such record, or it has expired.
            ConfigurationError: *call_id* is empty; nothing was sent.
            CallRecordsError: The record could not be read.
        """
        return await self._request(record_call(check_call_id(call_id)), read_record)

    async def aclose(self) -> None:
        """End the walks that are under way and close every connection."""
        self._closed = True
        for source in list(self._walks):
            await source.aclose()
        await self._sender.aclose()
        if self._owned_limiter is not None:
            await self._owned_limiter.aclose()

    async def __aenter__(self) -> Self:
        self._check_open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown})"

    async def _get_page(self, query: Query, page: int, *, keep_invalid: bool = False) -> CallRecordPage:
        return await self._request(
            page_call(query, page), lambda answer: read_page(answer, page, keep_invalid=keep_invalid)
        )

    async def _request(self, call: Call, read: Callable[[Answer], Result]) -> Result:
        return await self._retry(lambda: self._attempt(call, read))

    async def _attempt(self, call: Call, read: Callable[[Answer], Result]) -> Result:
        """Send *call* once, and once more where the UserSig expired and can be renewed."""
        self._check_open()
        user_sig = await self._credential.get()
        try:
            return await self._send(call, user_sig, read)
        except AuthenticationError as error:
            if error.code != USER_SIG_EXPIRED or not self._credential.renew(user_sig):
                raise
        return await self._send(call, await self._credential.get(), read)

    async def _send(self, call: Call, user_sig: Secret, read: Callable[[Answer], Result]) -> Result:
        answer = await self._sender.send(call, user_sig)
        try:
            return read(answer)
        except (RateLimitedError, TransportError) as error:
            if isinstance(error, RateLimitedError) or error.status_code == _TOO_MANY_REQUESTS:
                self._sender.slow_down(answer)
            raise

    def _depth(self) -> int:
        return min(self._max_in_flight, self._sender.latency.requests_in_flight(QUOTA))

    def _check_open(self) -> None:
        if self._closed:
            raise ClientClosedError("the client is closed: make a new one")


def _make_credential(sdk_app_id: int, identifier: str, secret_key: object, user_sig: object) -> Credential:
    """Return what signs the requests; no message shows a value here."""
    if (secret_key is None) == (user_sig is None):
        given = "neither" if user_sig is None else "both"
        raise ConfigurationError(f"secret_key and user_sig: {given} given; pass one of them")
    if callable(user_sig):
        return Credential.from_provider(user_sig)
    name, secret = ("secret_key", secret_key) if user_sig is None else ("user_sig", user_sig)
    if not isinstance(secret, Secret) or not secret.is_text:
        raise ConfigurationError(f"{name}: an empty string, or no string, given; pass a non-empty string")
    if user_sig is None:
        return Credential.from_secret_key(sdk_app_id, identifier, secret)
    return Credential.from_user_sig(secret)


def _read_environment(environ: Mapping[str, str], given: Collection[str]) -> dict[str, Any] | str:
    """Return the constructor's arguments that are not *given*, or what is wrong with the environment."""
    arguments: dict[str, Any] = {
        name: hide(environ[variable]) if name in _SECRETS else environ[variable]
        for name, variable in _VARIABLES.items()
        if environ.get(variable) and name not in given and _RIVALS.get(name) not in given
    }
    problems = []
    for name, rival in (("sdk_app_id", None), ("identifier", None), ("secret_key", "user_sig"), ("region", "base_url")):
        names = [name] if rival is None else [name, rival]
        variables = " or ".join(_VARIABLES[each] for each in names)
        found = [each for each in names if each in arguments or each in given]
        if not found:
            problems.append(f"{variables} is not set: set it, or pass {' or '.join(f'{each}=' for each in names)}")
        if len(found) > 1:
            problems.append(f"{variables}: both are set; unset one of them")
    if "sdk_app_id" in arguments:
        text = str(arguments["sdk_app_id"]).strip()
        if not (text.isascii() and text.isdecimal() and len(text) < _LONGEST_SDK_APP_ID):
            problems.append(f"{_VARIABLES['sdk_app_id']}={shorten(text)}: set it to the SDKAppID, an integer above 0")
        else:
            arguments["sdk_app_id"] = int(text)
    return "; ".join(problems) or arguments
