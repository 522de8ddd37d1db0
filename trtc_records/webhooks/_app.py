"""The receiver of callbacks, an ASGI application (https://asgi.readthedocs.io/en/latest/specs/www.html)."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from trtc_records._api.protocol import check_has_webhooks, choose_dialect
from trtc_records._checks import check_count
from trtc_records._errors import ConfigurationError, shorten
from trtc_records.webhooks._events import WebhookError, parse_webhook
from trtc_records.webhooks._inbox import Handle, Inbox

if TYPE_CHECKING:
    from trtc_records._client import CallRecordsClient

__all__ = ["WebhookApp"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_FULL_LOG_PAUSE: Final = 60.0
"""Seconds between two log records that say that callbacks are refused."""

logger: Final = logging.getLogger("trtc_records")


class WebhookApp:
    """A receiver of callbacks, an ASGI application: mount it in FastAPI, Starlette or Litestar, or run it by itself.

    It answers at once, and calls *handle* with one event at a time. A callback is a hint: it is not signed, may be
    forged, repeated or late, and callbacks may stop without a sign. So by default *handle* gets only what the service
    confirms: for each call whose end a callback announces, a :class:`CallEnded` with the service's own record.

    A record is looked up 5 seconds after the callback, for a minute until it is found. Look-ups use at most a tenth of
    the app's quota. A call that was handed over is not handed over again for 10 minutes; later a repeated callback is.

    Use it with ``async with``, or close it with :meth:`aclose`; where it is not mounted, a server that supports ASGI's
    lifespan does so. Without either, its tasks start with the first request and end with the event loop.

    Args:
        handle: An async function that gets each event. An exception is logged, and the event is not given again.
        client: Looks the records up; its SDKAppID is the one that is served. Close it after this app. A client of the
            older service, whose callbacks have another form, is refused.
        verify: Whether to hand over verified ends of calls and nothing else. With ``False`` every callback is handed
            over at once as it came, other events and unknown commands too, and may be forged.
        queue_size: The most calls to look up, and the most events that wait for *handle*. Beyond it callbacks get 503.
        max_body: The most bytes of a callback; longer ones get 413.

    Raises:
        ConfigurationError: An argument cannot be used.
    """

    def __init__(
        self,
        handle: Handle,
        *,
        client: CallRecordsClient,
        verify: bool = True,
        queue_size: int = 1000,
        max_body: int = 65_536,
    ) -> None:
        if not callable(handle):
            raise ConfigurationError(f"handle={shorten(handle)}: pass an async function that takes an event")
        check_has_webhooks(choose_dialect(client.service))
        self._handle = handle
        self._client = client
        self._verify = verify
        self._queue_size = check_count("queue_size", queue_size)
        self._max_body = check_count("max_body", max_body)
        self._inbox: Inbox | None = None
        self._is_closed = False
        self._full_logged_at: float | None = None

    async def wait(self) -> datetime | None:
        """Return once a call's record may have become readable since the last return, for ``client.follow(wake=...)``.

        A cancelled call loses nothing. Let only one feed wait for an app.

        Returns:
            The earliest start of the calls concerned; ``None`` if it is not known.
        """
        if self._is_closed:
            # No callback will come. A feed goes on polling.
            await asyncio.get_running_loop().create_future()
        return await self._open().wait()

    async def aclose(self) -> None:
        """End all tasks; from now on callbacks get 503. Events that *handle* has not got are dropped."""
        self._is_closed = True
        if self._inbox is not None:
            await self._inbox.aclose()

    async def __aenter__(self) -> Self:
        self._is_closed = False
        self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection, as ASGI has it."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await send({"type": "websocket.close"})

    def _open(self) -> Inbox:
        """Return the inbox of this event loop, made if there is none."""
        if self._inbox is None or not self._inbox.is_running:
            self._inbox = Inbox(self._handle, self._client, verify=self._verify, queue_size=self._queue_size)
        return self._inbox

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.__aenter__()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.aclose()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await _refuse(send, HTTPStatus.METHOD_NOT_ALLOWED, "only POST is served", (b"allow", b"POST"))
            return
        try:
            body = await self._read_body(receive)
        except ConnectionError:
            return
        if body is None:
            await _refuse(send, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {self._max_body} bytes")
            return
        try:
            event = parse_webhook(scope.get("query_string", b""), body, sdk_app_id=self._client.sdk_app_id)
        except WebhookError as error:
            logger.warning("a callback was refused: %s", error)
            await _refuse(send, error.status, str(error))
            return
        if self._is_closed or not self._open().put(event, body):
            self._log_full()
            await _refuse(send, HTTPStatus.SERVICE_UNAVAILABLE, "no room for it now", (b"retry-after", b"10"))
            return
        await _answer(send, HTTPStatus.OK, {"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0})

    async def _read_body(self, receive: Receive) -> bytes | None:
        """Return the body, or ``None`` if it is too long.

        Raises:
            ConnectionError: The caller hung up.
        """
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise ConnectionError
            body += message.get("body", b"")
            if len(body) > self._max_body:
                return None
            if not message.get("more_body", False):
                return bytes(body)

    def _log_full(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._full_logged_at is None or now - self._full_logged_at >= _FULL_LOG_PAUSE:
            self._full_logged_at = now
            logger.warning("callbacks are refused: the receiver is %s", "closed" if self._is_closed else "full")


async def _refuse(send: Send, status: int, reason: str, *headers: tuple[bytes, bytes]) -> None:
    await _answer(send, status, {"ActionStatus": "FAIL", "ErrorInfo": reason, "ErrorCode": int(status)}, *headers)


async def _answer(send: Send, status: int, fields: dict[str, object], *headers: tuple[bytes, bytes]) -> None:
    content = json.dumps(fields).encode()
    length = str(len(content)).encode()
    all_headers = [(b"content-type", b"application/json"), (b"content-length", length), *headers]
    await send({"type": "http.response.start", "status": int(status), "headers": all_headers})
    await send({"type": "http.response.body", "body": content})
