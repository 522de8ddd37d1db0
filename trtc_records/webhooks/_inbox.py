"""The callbacks of one event loop, from their arrival until the caller's function had them.

State: the calls to look up, the calls found lately, the events to hand over. Everything that touches it is in this
file. One task runs it all; it may be cancelled at any time.
"""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import logging
from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from trtc_records._api.query import READABLE_AFTER
from trtc_records._errors import CallRecordNotFoundError, CallRecordsError, LimiterUnavailableError, shorten
from trtc_records.quota._local import QUOTA, LocalRateLimiter
from trtc_records.webhooks._events import CallEnded, CallStarted, MembersChanged, UnknownWebhook
from trtc_records.webhooks._schedule import Recent, Schedule

if TYPE_CHECKING:
    from trtc_records._client import CallRecordsClient

__all__ = ["Event", "Handle", "Inbox"]

Event = CallStarted | CallEnded | MembersChanged | UnknownWebhook
Handle = Callable[[Any], Awaitable[object]]
"""Takes an event; ``Any``, because with verification a function of :class:`CallEnded` alone will do."""

_RATE: Final = QUOTA // 10
"""Look-ups per second, attempts of the client included."""
_IN_FLIGHT: Final = _RATE
"""Look-ups at once: the rate, from a service a second away."""
_REPEATS: Final = 600.0
"""Seconds for which a callback of the same call is dropped."""
_REMEMBERED: Final = int(_RATE * _REPEATS)
_LONGEST_NAP: Final = 1.0

logger: Final = logging.getLogger("trtc_records")


class Inbox:
    """The callbacks that have come to a running event loop.

    Args:
        handle: The caller's function.
        client: Looks records up.
        verify: Whether to look records up.
        queue_size: The most events that wait to be handed over, and the most calls to look up.
    """

    def __init__(self, handle: Handle, client: CallRecordsClient, *, verify: bool, queue_size: int) -> None:
        self._handle = handle
        self._client = client
        self._verify = verify
        self._pace = LocalRateLimiter(_RATE)
        self._loop = asyncio.get_running_loop()
        self._schedule = Schedule(queue_size)
        self._recent = Recent(_REPEATS, _REMEMBERED)
        self._events: asyncio.Queue[Event] = asyncio.Queue(queue_size)
        self._dropped: set[type[Event]] = set()
        self._slots = asyncio.Semaphore(_IN_FLIGHT)
        self._has_calls = asyncio.Event()
        self._has_news = asyncio.Event()
        self._earliest: datetime | None = None
        # A context of its own: the task outlives the request in which it may start.
        self._task = self._loop.create_task(self._run(), context=contextvars.Context())

    @property
    def is_running(self) -> bool:
        """Return whether callbacks can be put in from this event loop."""
        return self._loop is asyncio.get_running_loop() and not self._task.done()

    async def aclose(self) -> None:
        """End all tasks; callbacks that were not handed over are dropped."""
        if not self.is_running:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        dropped = len(self._schedule) + self._events.qsize()
        if dropped:
            logger.warning("%d callbacks were dropped as their receiver closed", dropped)

    def put(self, event: Event, body: bytes) -> bool:
        """Take a callback; return ``False`` if there is no place for it."""
        now = self._loop.time()
        key = _get_key(event, body)
        if self._recent.holds(key, now):
            return True
        if not self._verify:
            return self._put_unverified(event, key, now)
        if not isinstance(event, CallEnded):
            self._mention_drop(event)
            return True
        self._has_calls.set()
        return self._schedule.add(event.record.call_id, now)

    async def wait(self) -> datetime | None:
        """Return once a record may have become readable since the last return, with the earliest start of a call."""
        while not self._has_news.is_set():
            await self._has_news.wait()
        # No await from here on, so that a cancellation loses nothing.
        self._has_news.clear()
        earliest, self._earliest = self._earliest, None
        return earliest

    def _put_unverified(self, event: Event, key: Hashable, now: float) -> bool:
        try:
            self._events.put_nowait(event)
        except asyncio.QueueFull:
            return False
        self._recent.add(key, now)
        if isinstance(event, CallEnded):
            self._loop.call_later(READABLE_AFTER, self._tell, event.record.start_time)
        return True

    def _mention_drop(self, event: Event) -> None:
        """Log the first event of its type that is dropped because the service cannot confirm it."""
        if type(event) not in self._dropped:
            self._dropped.add(type(event))
            logger.warning("%s cannot be verified and is dropped; verify=False hands it over", type(event).__name__)

    def _tell(self, start_time: datetime) -> None:
        self._earliest = start_time if self._earliest is None else min(self._earliest, start_time)
        self._has_news.set()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hand_over())
            while True:
                await self._slots.acquire()
                group.create_task(self._look_up(await self._wait_for_call()))

    async def _wait_for_call(self) -> str:
        """Wait until a call is to be looked up, and return its id."""
        while True:
            now = self._loop.time()
            call_id = self._schedule.take(now)
            if call_id is not None:
                return call_id
            due_at = self._schedule.next_due()
            if due_at is None:
                self._has_calls.clear()
                await self._has_calls.wait()
            else:
                # The look-up of a call in flight may end meanwhile, and the next one be due earlier.
                await asyncio.sleep(min(due_at - now, _LONGEST_NAP))

    async def _look_up(self, call_id: str) -> None:
        try:
            record = await self._client.get_record(call_id, pace=self._pace)
        except CallRecordsError as error:
            may_pass = isinstance(error, CallRecordNotFoundError | LimiterUnavailableError)
            if (may_pass or error.retryable) and self._schedule.miss(call_id, self._loop.time()):
                self._has_calls.set()
                return
            self._schedule.remove(call_id)
            level = logging.INFO if isinstance(error, CallRecordNotFoundError) else logging.ERROR
            logger.log(level, "the callback for call %s cannot be verified: %s", shorten(call_id), error)
        except Exception:
            self._schedule.remove(call_id)
            logger.exception("the callback for call %s cannot be verified", shorten(call_id))
        else:
            self._recent.add(_get_end_key(call_id), self._loop.time())
            self._tell(record.start_time)
            await self._events.put(CallEnded(record=record, verified=True))
            self._schedule.remove(call_id)
        finally:
            self._slots.release()

    async def _hand_over(self) -> None:
        while True:
            event = await self._events.get()
            try:
                await self._handle(event)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                logger.exception("handle() was cancelled by its own doing for a %s", type(event).__name__)
            except Exception:
                logger.exception("handle() failed for a %s", type(event).__name__)


def _get_key(event: Event, body: bytes) -> Hashable:
    """Return the key by which repeats are known; of changes of members a call has many."""
    if isinstance(event, CallEnded):
        return _get_end_key(event.record.call_id)
    if isinstance(event, CallStarted):
        return "start", event.call_id
    return hashlib.sha256(body).digest()


def _get_end_key(call_id: str) -> Hashable:
    return "end", call_id
