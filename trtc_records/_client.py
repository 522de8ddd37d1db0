"""The client: it checks arguments and passes the work to the modules below."""

from __future__ import annotations

import asyncio
import os
import ssl
import warnings
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, nullcontext
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypedDict, Unpack
from weakref import WeakSet

import attrs
import httpx

from trtc_records._api.models import CallRecord, CallRecordPage, CallResult, CallType, Region, Service
from trtc_records._api.protocol import (
    Response,
    check_has_webhooks,
    choose_dialect,
    complete_query,
    delete_webhook_request,
    get_webhook_request,
    page_request,
    read_nothing,
    read_page,
    read_record,
    read_total,
    read_webhook,
    record_request,
    set_webhook_request,
)
from trtc_records._api.query import Order, Query, check_call_id, check_order, check_query, check_time
from trtc_records._api.webhook import Webhook, WebhookEvent, check_replacement, check_webhook
from trtc_records._checks import (
    check_callback,
    check_count,
    check_methods,
    check_sdk_app_id,
    check_seconds,
    check_text,
)
from trtc_records._environment import make_redis_limiter, read_environment, read_redis_url, read_service
from trtc_records._errors import ConfigurationError, InvalidRequestError, ResponseDecodeError
from trtc_records._public import public
from trtc_records._secret import hide, hide_secrets
from trtc_records._sending.clock import ServiceClock
from trtc_records._sending.credentials import UserSigProvider, make_credential
from trtc_records._sending.decoding import MOST_BYTES
from trtc_records._sending.endpoint import check_base_url
from trtc_records._sending.requester import Requester
from trtc_records._sending.transport import make_transport
from trtc_records._walking.facts import ServiceFacts
from trtc_records._walking.incomplete import OnIncomplete, report
from trtc_records._walking.ordering import sort_by_time
from trtc_records._walking.prefetch import PagedList, Prefetcher
from trtc_records._walking.reading import Reading
from trtc_records._walking.walk import Walk
from trtc_records._walking.window import check_window, pin_window
from trtc_records.feed._checkpoint import Checkpoint
from trtc_records.feed._feed import Feed, Wake
from trtc_records.feed._progress import Progress
from trtc_records.feed._schedule import check_lookback
from trtc_records.quota._local import QUOTA, LocalRateLimiter, RateLimiter, StricterLimiter, adapt, shared_limiter

if TYPE_CHECKING:
    from trtc_records.quota.redis import RedisRateLimiter

__all__ = ["CallRecordsClient"]

PAGE_SIZE: Final = 100
"""Records per page: the service's own default of 10 would cap a walk at 2,000 records per second."""

_SECOND_TRIES: Final = 3
"""The most further requests for a page whose answer has the number of another."""

_LOOKUP_SECONDS: Final = 2
"""Seconds of permits for which look-ups are under way, where they have a limit of their own: enough for any latency."""

OnInvalid = Callable[[Any, ResponseDecodeError], None]


class ClientArguments(TypedDict, total=False):
    """The arguments of a client, for type checkers."""

    sdk_app_id: int
    identifier: str
    secret_key: str | None
    user_sig: str | UserSigProvider | None
    region: Region | str | None
    base_url: str | None
    service: Service | str
    proxy: str | httpx.URL | httpx.Proxy | None
    verify: ssl.SSLContext | Literal[True] | None
    limiter: RateLimiter | None
    timeout: float
    attempts: int
    total_timeout: float | None
    max_in_flight: int
    max_response_bytes: int
    transport: httpx.AsyncBaseTransport | None


@public
class CallRecordsClient:
    """A client for the call records of one app.

    Calls that were started through the deprecated ``TUICallKit.call()`` and ``TUICallKit.groupCall()`` are
    kept by an older service: ``service="legacy"`` reads them.

    Use it with ``async with``, or close it with :meth:`aclose`. Walks and lookups of one client may run at
    the same time; one client serves one event loop, the first that it is used in.

    Args:
        sdk_app_id: The application's id.
        identifier: User id of an app administrator, for whom requests are signed.
        secret_key: The app's secret key. UserSigs are signed with it and renewed in time.
        user_sig: Instead of *secret_key*: a UserSig, or a callable (sync or async) that returns one. The
            callable is called again before the UserSig expires.
        region: Where the app lives, a :class:`Region` or its name.
        base_url: Instead of *region*: the URL to send to. ``http://`` is taken for this machine only.
        service: The service to read, a :class:`Service` or its name; by default the one that keeps all calls but those
            of deprecated interfaces. The older one, ``"legacy"``, has one host for China and one for all other regions,
            and allows 20 look-ups per second. Its callbacks have another form, which this library does not know.
        proxy: An HTTP or SOCKS proxy, as httpx takes it; by default the one that ``HTTPS_PROXY`` or ``ALL_PROXY``
            names.
        verify: The TLS context to trust servers by; by default httpx's, which trusts certifi's authorities, or those in
            ``SSL_CERT_FILE`` or ``SSL_CERT_DIR``. Certificates are always verified: ``False`` is refused.
        limiter: The source of a permit for each request; by default one :class:`LocalRateLimiter` for all clients of
            this app and endpoint in this process.
        timeout: Seconds that one attempt may take from connecting to the answer's last byte, waiting for a
            permit not counted. Tencent advises more than the 3 that the service takes itself.
        attempts: How often to try a request that may succeed later, the first time included.
        total_timeout: Seconds after which a request is not tried again; ``None`` for no such bound. Its waits for a
            permit, and behind other requests of this client, do not count while others get responses.
        max_in_flight: Requests under way at once. The default keeps the quota busy from a server a second away.
            Look-ups of the older service, which wait longer for permits, are half of them at most.
        max_response_bytes: The most bytes of a response, as it came and decompressed. A page of 100 records has 40 kB.
        transport: A transport of httpx to send over, which the client closes; by default connections of its own.
            It decides on *proxy* and *verify* itself.

    Raises:
        ConfigurationError: An argument cannot be used.
    """

    _shown = "refused arguments"  # for an error reporter that meets a half-made client

    def __init__(
        self,
        *,
        sdk_app_id: int,
        identifier: str,
        secret_key: str | None = None,
        user_sig: str | UserSigProvider | None = None,
        region: Region | str | None = None,
        base_url: str | None = None,
        service: Service | str = Service.CURRENT,
        proxy: str | httpx.URL | httpx.Proxy | None = None,
        verify: ssl.SSLContext | Literal[True] | None = None,
        limiter: RateLimiter | None = None,
        timeout: float = 10.0,
        attempts: int = 5,
        total_timeout: float | None = 60.0,
        max_in_flight: int = 256,
        max_response_bytes: int = MOST_BYTES,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        # From here on no frame of ours, and so no traceback with locals, holds a credential in the clear.
        hidden_key, hidden_user_sig, hidden_proxy = hide(secret_key), hide(user_sig), hide(proxy)
        hidden_url = hide(base_url)  # a faulty one may hold a password
        del secret_key, user_sig, proxy, base_url
        check_sdk_app_id(sdk_app_id)
        identifier = check_text("identifier", identifier, "pass the user id of an app administrator")
        self._dialect = choose_dialect(service)
        url = check_base_url(region, hidden_url, self._dialect.hosts)
        self._clock = ServiceClock()
        credential = make_credential(sdk_app_id, identifier, hidden_key, hidden_user_sig, self._clock.now)
        origin = f"{url.scheme}://{url.netloc.decode()}"
        adapted = adapt(shared_limiter(sdk_app_id, origin) if limiter is None else limiter)
        rate = self._dialect.lookups_per_second
        self._lookup_limiter = StricterLimiter(adapted, shared_limiter(sdk_app_id, origin, rate)) if rate else adapted
        most_in_flight = check_count("max_in_flight", max_in_flight)
        # Look-ups wait long for a permit. With half of the places at most, they do not stop a walk.
        self._lookup_slots: AbstractAsyncContextManager[None] = (
            asyncio.Semaphore(min(rate * _LOOKUP_SECONDS, max(most_in_flight // 2, 1))) if rate else nullcontext()
        )
        most_bytes = check_count("max_response_bytes", max_response_bytes)
        self._requester = Requester(
            url,
            sdk_app_id=sdk_app_id,
            identifier=identifier,
            credential=credential,
            limiter=adapted,
            transport=make_transport(
                url, transport=transport, proxy=hidden_proxy, verify=verify, most_bytes=most_bytes
            ),
            timeout=check_seconds("timeout", timeout),
            attempts=check_count("attempts", attempts),
            total_timeout=None if total_timeout is None else check_seconds("total_timeout", total_timeout),
            max_in_flight=most_in_flight,
            clock=self._clock,
            most_bytes=most_bytes,
            errors=self._dialect.errors,
        )
        self.sdk_app_id = sdk_app_id
        """The application's id."""
        self.base_url: str = str(url)
        """The URL that requests go to."""
        self.service: Service = self._dialect.service
        """The service that is read."""
        self._walks: WeakSet[Prefetcher] = WeakSet()
        self._feed_pace = LocalRateLimiter(QUOTA // 10)
        self._facts = ServiceFacts()
        self._numbers_agree = True
        self._owned_limiter: RedisRateLimiter | None = None
        self._shown = (
            f"sdk_app_id={sdk_app_id}, identifier={identifier!r}, base_url={str(url)!r}, service={self.service.value!r}"
        )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **arguments: Unpack[ClientArguments]) -> Self:
        """Make a client from environment variables.

        ``TRTC_SDK_APP_ID``, ``TRTC_IDENTIFIER``, ``TRTC_SECRET_KEY`` or ``TRTC_USER_SIG``, ``TRTC_REGION`` or
        ``TRTC_BASE_URL``; for the older service ``TRTC_SERVICE=legacy``; and, if the quota is shared with other
        processes, ``TRTC_REDIS_URL`` (extra ``redis``).
        ``TRTC_SECRET_KEY_FILE`` or ``TRTC_USER_SIG_FILE`` may name a file that holds the credential, as containers
        mount it; it is read once. White space around a value is cut; an empty variable counts as not set.

        Args:
            environ: The variables; by default the process's environment.
            **arguments: Arguments of the constructor; they win over the environment.

        Raises:
            ConfigurationError: A variable is missing or cannot be used.
            TypeError: The constructor has no such argument.
        """
        given = hide_secrets(arguments)
        unknown = given.keys() - ClientArguments.__annotations__.keys()
        del arguments
        if unknown and cls.__init__ is CallRecordsClient.__init__:
            del given  # the value may be a credential under a misspelled name
            raise TypeError(f"{cls.__name__} has no argument {', '.join(sorted(unknown))}")
        environ = os.environ if environ is None else environ
        if not isinstance(environ, Mapping):
            del environ
            raise ConfigurationError("environ: pass a mapping of variables, or leave it out for the process's own")
        found = read_environment(environ, given)
        redis_url = read_redis_url(environ)
        service = read_service(environ)
        del environ
        if isinstance(found, str):
            raise ConfigurationError(found)
        given = service | given | found
        owned = None
        if redis_url is not None and "limiter" not in given:
            owned = given["limiter"] = make_redis_limiter(redis_url, given["sdk_app_id"])
        client = cls(**given)
        client._owned_limiter = owned
        return client

    @property
    def service_time(self) -> float:
        """Return the Unix seconds of the service's clock, as far as its answers have shown it.

        It is this machine's clock, corrected where the answers' ``Date`` differs by a minute or more.
        """
        return self._clock.now()

    async def iter_records(
        self,
        *,
        start_time: datetime | int | None = None,
        end_time: datetime | int | None = None,
        call_result: CallResult | str | None = None,
        call_type: CallType | str | None = None,
        page_size: int = PAGE_SIZE,
        order: Order = "service",
        on_invalid: OnInvalid | None = None,
        on_incomplete: OnIncomplete | None = None,
    ) -> AsyncGenerator[CallRecord, None]:
        """Walk over all records that match, each once: a record that equals an earlier one in all fields is a repeat.

        A cancellation or a time-out of a single step ends the walk, as it ends any async generator: the next step then
        looks like the end of the records. Put a time limit around the whole walk.

        Both ends of the window are fixed when the walk starts. Pages are fetched ahead. Where the service limits page
        numbers or its count, the window is divided until every part can be read.

        Args:
            start_time: Start of the window, an aware datetime or Unix seconds; by default as far back as the
                service keeps records, less a minute, so that none expires under the walk.
            end_time: End of the window; by default now.
            call_result: Only calls with this result; by default all.
            call_type: Only calls of this type; by default all.
            page_size: Records to ask for per request. The service may give fewer.
            order: ``"service"``, the default, for the service's order, which Tencent does not document; ``"time"`` for
                start time, then call id.
            on_invalid: Called with each record that cannot be read, as the service sent it, and the error; the
                walk goes on. By default the error is raised.
            on_incomplete: Called once at the end with an :class:`IncompleteWalk` if records may be missing; by
                default a warning is given.

        Raises:
            ConfigurationError: An argument cannot be used; nothing was sent.
            ResponseDecodeError: A record cannot be read.
            RepeatedPageError: The service repeats a page, and dividing the window does not help.
            CallRecordsError: A page could not be read.

        Warns:
            RetentionWarning: The window begins, or even ends, before the service's retention.
            IncompleteWalkWarning: Records may be missing; not with *on_incomplete*.
            CallRecordsWarning: Records have no call id, or share one.
            ClockSkewWarning: This machine's clock is wrong by a minute or more, and was corrected.
        """
        pages = self.iter_pages(
            start_time=start_time,
            end_time=end_time,
            call_result=call_result,
            call_type=call_type,
            page_size=page_size,
            order=order,
            on_invalid=on_invalid,
            on_incomplete=on_incomplete,
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
        order: Order = "service",
        on_invalid: OnInvalid | None = None,
        on_incomplete: OnIncomplete | None = None,
    ) -> AsyncGenerator[CallRecordPage, None]:
        """Walk as :meth:`iter_records` does, a page at a time.

        A page holds the records that none before it held; pages that were read again may come twice, with
        the new records on them. Where the window was divided, pages are numbered on from the first.
        """
        query = check_query(
            start_time=start_time,
            end_time=end_time,
            call_result=call_result,
            call_type=call_type,
            page_size=page_size,
        )
        by_time = check_order(order)
        check_callback("on_invalid", on_invalid)
        check_callback("on_incomplete", on_incomplete)
        self._requester.check_open()
        if not check_window(query, self._clock.now()):
            return
        keep_invalid = on_invalid is not None
        prefetcher = Prefetcher(
            lambda part, page: self._get_page(part, page, keep_invalid=keep_invalid),
            lambda: self._requester.depth(QUOTA),
            lambda: self._requester.latency.is_far,
        )
        self._walks.add(prefetcher)
        try:
            pinned, root = await self._open_root(prefetcher, query)
            walk = Walk(prefetcher, pinned, root, self._facts, in_time_order=by_time)
            async with aclosing(sort_by_time(walk, page_size) if by_time else walk.pages()) as pages:
                async for page in pages:
                    if on_invalid is not None:
                        for entry in page.invalid:
                            on_invalid(entry.raw, entry.error)
                    if page.records:
                        yield page
            report(walk, pinned, on_incomplete)
        finally:
            await prefetcher.aclose()

    async def follow(
        self,
        *,
        since: datetime | int | None = None,
        lookback: timedelta = timedelta(hours=24),
        interval: float = 10.0,
        checkpoint: Checkpoint | None = None,
        call_result: CallResult | str | None = None,
        call_type: CallType | str | None = None,
        page_size: int = PAGE_SIZE,
        on_invalid: OnInvalid | None = None,
        on_incomplete: OnIncomplete | None = None,
        wake: Wake | None = None,
    ) -> AsyncGenerator[CallRecord, None]:
        """Yield each call once, soon after it ends, and never return.

        A call of length D is yielded within *interval* + D/8 + 5 seconds of its end: a record appears 5 seconds after
        the end of its call (https://trtc.io/document/68940), and windows of 5, 10, 20 … minutes are read again and
        again. All feeds of a client use at most a tenth of the quota, and nothing runs while the caller has a record.

        A call counts as given when the next one is asked for. A killed process gives at most the calls of its last
        second again. An error that may pass is logged and tried again for ever.

        Args:
            since: Give also the calls that started since then, an aware datetime or Unix seconds; by default only those
                that end from now on. It counts for the first start: a checkpoint knows the place of later ones.
            lookback: The longest call that is found for certain, 7 days at most; by default 24 hours.
            interval: Seconds between two readings of the shortest window.
            checkpoint: Where the feed keeps its place, such as a :class:`FileCheckpoint`; by default nowhere, and each
                start begins anew.
            call_result: Only calls with this result; by default all.
            call_type: Only calls of this type; by default all.
            page_size: Records to ask for per request. The service may give fewer.
            on_invalid: Called once with each record that cannot be read, as the service sent it, and the error; by
                default the error is raised.
            on_incomplete: Called with an :class:`IncompleteWalk` where a reading may have missed records and the one
                before did not; by default a warning is given.
            wake: Hints that a call has ended, such as a :class:`~trtc_records.webhooks.WebhookApp`: its window is read
                at once. Polling goes on, since hints may fail to come.

        Raises:
            ConfigurationError: An argument cannot be used, or the checkpoint belongs to another feed or is in use.
            CheckpointError: The checkpoint cannot be read or written.
            CallRecordsError: The service refuses the credentials, the app or the query.

        Warns:
            RetentionWarning: Calls since the last place, or since *since*, have expired.
            IncompleteWalkWarning: Records may be missing; not with *on_incomplete*.
            ClockSkewWarning: This machine's clock is wrong by a minute or more, and was corrected.
        """
        query = check_query(
            start_time=None, end_time=None, call_result=call_result, call_type=call_type, page_size=page_size
        )
        query = attrs.evolve(query, start_time=check_time("since", since))
        check_callback("on_invalid", on_invalid)
        check_callback("on_incomplete", on_incomplete)
        check_methods("checkpoint", checkpoint, Checkpoint)
        check_methods("wake", wake, Wake)
        self._requester.check_open()
        feed = Feed(
            open_reading=partial(self._open_reading, pace=self._feed_pace, keep_invalid=on_invalid is not None),
            clock=self._clock,
            progress=Progress(
                checkpoint,
                {
                    "sdk_app_id": self.sdk_app_id,
                    "base_url": self.base_url,
                    "service": self.service.value,
                    "call_result": query.call_result,
                    "call_type": query.call_type,
                },
            ),
            query=query,
            lookback=check_lookback(lookback),
            interval=check_seconds("interval", interval),
            wake=wake,
            on_invalid=on_invalid,
            on_incomplete=on_incomplete,
        )
        async with aclosing(feed.records()) as records:
            async for record in records:
                yield record

    async def count(
        self,
        *,
        start_time: datetime | int | None = None,
        end_time: datetime | int | None = None,
        call_result: CallResult | str | None = None,
        call_type: CallType | str | None = None,
    ) -> int:
        """Return how many records match, as the service counts them: the TotalNum of one request.

        Tencent does not document whether the count is exact or limited: similar services stop at 10,000. A walk detects
        such a limit and reads on; a count does not.

        Args:
            start_time: Start of the window, as for :meth:`iter_records`.
            end_time: End of the window; by default now.
            call_result: Only calls with this result; by default all.
            call_type: Only calls of this type; by default all.

        Raises:
            ConfigurationError: An argument cannot be used; nothing was sent.
            ResponseDecodeError: The answer gives no TotalNum.
            CallRecordsError: The service could not be asked.

        Warns:
            RetentionWarning: The window begins, or even ends, before the service's retention.
            ClockSkewWarning: This machine's clock is wrong by a minute or more, and was corrected.
        """
        query = check_query(
            start_time=start_time, end_time=end_time, call_result=call_result, call_type=call_type, page_size=1
        )
        if not check_window(query, self._clock.now()):
            return 0
        page = await self._get_timed_page(lambda: pin_window(query, self._clock.now()), 1, keep_invalid=True)
        return read_total(page, self._dialect)

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
        """Request one page; a page after the last one has no records.

        Args:
            page: The page's number, from 1.
            start_time: Start of the window, an aware datetime or Unix seconds; by default 7 days ago.
            end_time: End of the window; by default now.
            call_result: Only calls with this result; by default all.
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
        return await self._get_timed_page(lambda: complete_query(query, self._clock.now(), self._dialect), number)

    async def get_record(self, call_id: str, *, pace: RateLimiter | None = None) -> CallRecord:
        """Look up one record.

        The older service allows 20 look-ups per second, which all clients of the app in this process share.

        Tencent's page: https://trtc.io/document/68930.

        Args:
            call_id: The call's id.
            pace: A further limiter, whose permit each attempt awaits first; by default none. It keeps many look-ups
                from using the whole quota.

        Raises:
            CallRecordNotFoundError: The record does not exist or has expired.
            ConfigurationError: *call_id* is empty; nothing was sent.
            CallRecordsError: The record could not be read.
        """
        call_id = check_call_id(call_id)
        async with self._lookup_slots:
            return await self._requester.request(
                record_request(call_id, self._dialect),
                lambda response: read_record(response, call_id, self._dialect),
                pace=pace,
                limiter=self._lookup_limiter,
            )

    async def get_webhook(self) -> Webhook | None:
        """Return the app's webhook, or ``None`` if it has none.

        Tencent's page: https://trtc.io/document/68937.

        Raises:
            ConfigurationError: The client reads the older service.
            CallRecordsError: The service could not be asked.
        """
        check_has_webhooks(self._dialect)
        return await self._requester.request(get_webhook_request(), read_webhook)

    async def set_webhook(self, url: str, events: Iterable[WebhookEvent | str], *, replace: bool = False) -> None:
        """Have Tencent post callbacks to *url*. An app has one URL, and setting another one replaces it.

        Tencent's page: https://trtc.io/document/68938.

        Args:
            url: The URL, ``https://`` or ``http://``. Callbacks are not signed, so make its path hard to guess.
            events: The events to post, each a :class:`WebhookEvent` or Tencent's name of its command.
            replace: Whether to replace a webhook with another URL. By default that is refused. With the same URL, only
                the events change.

        Raises:
            ConfigurationError: An argument cannot be used, the app has a webhook with another URL, or the client reads
                the older service.
            CallRecordsError: The service could not be asked.
        """
        check_has_webhooks(self._dialect)
        webhook = check_webhook(url, events)
        if not replace:
            check_replacement(await self.get_webhook(), webhook)
        await self._requester.request(set_webhook_request(webhook), read_nothing)

    async def delete_webhook(self) -> None:
        """Have Tencent post no callbacks any more; no error if the app has no webhook.

        Tencent's page: https://trtc.io/document/68939.

        Raises:
            ConfigurationError: The client reads the older service.
            CallRecordsError: The service could not be asked.
        """
        check_has_webhooks(self._dialect)
        await self._requester.request(delete_webhook_request(), read_nothing)

    async def aclose(self) -> None:
        """End the walks that are under way and close every connection."""
        self._requester.stop()
        async with AsyncExitStack() as stack:  # a cancellation keeps nothing open
            if self._owned_limiter is not None:
                stack.push_async_callback(self._owned_limiter.aclose)
            stack.push_async_callback(self._requester.aclose)
            for prefetcher in self._walks:
                stack.push_async_callback(prefetcher.aclose)

    async def __aenter__(self) -> Self:
        self._requester.check_open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:  # bound early, for an interpreter that ends
        requester = vars(self).get("_requester")  # a client whose arguments were refused has none
        if requester is not None and requester.is_in_use:
            _warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown})"

    async def _open_root(self, prefetcher: Prefetcher, query: Query) -> tuple[Query, PagedList]:
        """Open the first list of a walk, its window fixed by the service's clock, which the first answer gives."""
        offset = self._clock.offset
        pinned = pin_window(query, self._clock.now())
        root = prefetcher.open(pinned)
        if not self._clock.is_known:
            await root.wait_for_first()
            if self._clock.offset != offset:
                prefetcher.close(root)
                pinned = pin_window(query, self._clock.now())
                root = prefetcher.open(pinned)
        self._clock.warn_if_off()
        return pinned, root

    def _open_reading(self, query: Query, *, pace: LocalRateLimiter, keep_invalid: bool) -> Reading:
        """Begin a walk that can be paused, at no more than the rate of *pace*."""
        latency = self._requester.latency
        prefetcher = Prefetcher(
            lambda part, page: self._get_page(part, page, keep_invalid=keep_invalid, pace=pace),
            lambda: self._requester.depth(pace.rate),
            lambda: latency.is_far,
        )
        self._walks.add(prefetcher)
        return Reading(prefetcher, query, self._facts)

    async def _get_timed_page(
        self, make_query: Callable[[], Query], page: int, *, keep_invalid: bool = False
    ) -> CallRecordPage:
        """Request a page of a query that may depend on the time, and again if the answer corrects the clock.

        Args:
            make_query: Returns the query at the service's time.
            page: The page's number.
            keep_invalid: Whether records that cannot be read are kept apart, instead of an error.
        """
        offset, query = self._clock.offset, make_query()

        def is_settled() -> bool:
            return self._clock.offset == offset or make_query() == query

        try:
            result = await self._get_page(query, page, keep_invalid=keep_invalid)
        except InvalidRequestError:  # to a service that is far behind, a window begins in the future
            if is_settled():
                raise
            result = await self._get_page(make_query(), page, keep_invalid=keep_invalid)
        else:
            if not is_settled():
                result = await self._get_page(make_query(), page, keep_invalid=keep_invalid)
        self._clock.warn_if_off()
        return result

    async def _get_page(
        self, query: Query, page: int, *, keep_invalid: bool = False, pace: RateLimiter | None = None
    ) -> CallRecordPage:
        def read(response: Response) -> tuple[CallRecordPage, Response]:
            return read_page(response, page, self._dialect, keep_invalid=keep_invalid), response

        request = page_request(query, page, self._dialect)
        result, response = await self._requester.request(request, read, pace=pace)
        for tries_left in reversed(range(_SECOND_TRIES)):
            if not self._numbers_agree or not result.size or result.page in {0, page}:
                break
            # The answer to another request, from a connection that is one behind; or the service counts otherwise, and
            # gives the same number over another connection.
            number = result.page
            await self._requester.drop(response)
            result, response = await self._requester.request(request, read, pace=pace)
            self._numbers_agree = result.page in {0, page} or (result.page != number and tries_left > 0)
        return result
