"""The client: it checks arguments and hands the work to the modules below."""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import httpx

from trtc_records._api.models import CallRecord, CallRecordPage, CallResult, CallType, Region
from trtc_records._api.protocol import page_request, read_page, read_record, record_request
from trtc_records._api.query import Query, check_call_id, check_query
from trtc_records._checks import check_count, check_sdk_app_id, check_seconds, check_text
from trtc_records._environment import hide_secrets, make_redis_limiter, read_environment, read_redis_url
from trtc_records._errors import ConfigurationError, ResponseDecodeError, shorten
from trtc_records._prefetch import Prefetcher
from trtc_records._sending.credentials import UserSigProvider, hide, make_credential
from trtc_records._sending.endpoint import check_base_url
from trtc_records._sending.requester import Requester
from trtc_records._sending.transport import make_transport
from trtc_records._walk import walk
from trtc_records._window import pin_window
from trtc_records.quota._local import QUOTA, RateLimiter, adapt, shared_limiter

if TYPE_CHECKING:
    from trtc_records.quota.redis import RedisRateLimiter

__all__ = ["CallRecordsClient"]

PAGE_SIZE: Final = 100
"""Records per page: the service's own default of 10 would cap a walk at 2,000 records per second."""

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
        base_url: Instead of *region*: the URL to send to. ``http://`` is taken for this machine only.
        proxy: An HTTP or SOCKS proxy, as httpx takes it; by default the one that ``HTTPS_PROXY`` or ``ALL_PROXY``
            names.
        verify: The TLS context to trust servers by; by default httpx's, which trusts certifi's authorities, or those in
            ``SSL_CERT_FILE`` or ``SSL_CERT_DIR``. Certificates are always verified: ``False`` is refused.
        limiter: Whose permit each request takes; by default one :class:`LocalRateLimiter` for all clients of
            this app and endpoint in this process.
        timeout: Seconds that one attempt may take from connecting to the answer's last byte, waiting for a
            permit not counted. Tencent advises more than the 3 that the service takes itself.
        attempts: How often to try a request that may succeed later, the first time included.
        total_timeout: Seconds after which a request is not tried again; ``None`` for no such bound.
        max_in_flight: Requests under way at once. The default keeps the quota busy from a server a second away.
        transport: A transport of httpx to send over, which the client closes; by default connections of its own.
            It decides on *proxy* and *verify* itself.

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
        proxy: str | httpx.URL | httpx.Proxy | None = None,
        verify: ssl.SSLContext | Literal[True] | None = None,
        limiter: RateLimiter | None = None,
        timeout: float = 10.0,
        attempts: int = 5,
        total_timeout: float | None = 60.0,
        max_in_flight: int = 256,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        # From here on no frame of ours, and so no traceback with locals, holds a credential in the clear.
        hidden_key, hidden_user_sig, hidden_proxy = hide(secret_key), hide(user_sig), hide(proxy)
        del secret_key, user_sig, proxy
        check_sdk_app_id(sdk_app_id)
        check_text("identifier", identifier, "pass the user id of an app administrator")
        url = check_base_url(region, base_url)
        credential = make_credential(sdk_app_id, identifier, hidden_key, hidden_user_sig)
        if limiter is None:
            limiter = shared_limiter(sdk_app_id, f"{url.scheme}://{url.netloc.decode()}")
        elif not isinstance(limiter, RateLimiter):
            raise ConfigurationError(f"limiter={shorten(limiter)}: pass an object with 'async def acquire()'")
        self._sender = Requester(
            url,
            sdk_app_id=sdk_app_id,
            identifier=identifier,
            credential=credential,
            limiter=adapt(limiter),
            transport=make_transport(url, transport=transport, proxy=hidden_proxy, verify=verify),
            timeout=check_seconds("timeout", timeout),
            attempts=check_count("attempts", attempts),
            total_timeout=None if total_timeout is None else check_seconds("total_timeout", total_timeout),
            max_in_flight=check_count("max_in_flight", max_in_flight),
        )
        self.sdk_app_id = sdk_app_id
        """The application's id."""
        self.base_url: str = str(url)
        """The URL that requests go to."""
        self._max_in_flight = max_in_flight
        self._walks: set[Prefetcher] = set()
        self._owned_limiter: RedisRateLimiter | None = None
        self._shown = f"sdk_app_id={sdk_app_id}, identifier={identifier!r}, base_url={str(url)!r}"

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **arguments: Any) -> Self:
        """Make a client from environment variables.

        ``TRTC_SDK_APP_ID``, ``TRTC_IDENTIFIER``, ``TRTC_SECRET_KEY`` or ``TRTC_USER_SIG``, ``TRTC_REGION`` or
        ``TRTC_BASE_URL``, and, if the quota is shared with other processes, ``TRTC_REDIS_URL`` (extra ``redis``).
        A variable that is empty counts as not set.

        Args:
            environ: The variables; by default the process's environment.
            **arguments: Arguments of the constructor; they win over the environment.

        Raises:
            ConfigurationError: A variable is missing or cannot be used.
        """
        arguments = hide_secrets(arguments)
        environ = os.environ if environ is None else environ
        found = read_environment(environ, arguments.keys())
        redis_url = read_redis_url(environ)
        del environ
        if isinstance(found, str):
            raise ConfigurationError(found)
        arguments |= found
        owned = None
        if redis_url is not None and "limiter" not in arguments:
            owned = arguments["limiter"] = make_redis_limiter(redis_url, arguments["sdk_app_id"])
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

        Tencent's page: https://trtc.io/document/68930.

        Args:
            call_id: The call's id.

        Raises:
            CallRecordNotFoundError: There is no such record, or it has expired.
            ConfigurationError: *call_id* is empty; nothing was sent.
            CallRecordsError: The record could not be read.
        """
        return await self._sender.request(record_request(check_call_id(call_id)), read_record)

    async def aclose(self) -> None:
        """End the walks that are under way and close every connection."""
        self._sender.stop()
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
        return await self._sender.request(
            page_request(query, page), lambda response: read_page(response, page, keep_invalid=keep_invalid)
        )

    def _depth(self) -> int:
        return min(self._max_in_flight, self._sender.latency.requests_in_flight(QUOTA))

    def _check_open(self) -> None:
        self._sender.check_open()
