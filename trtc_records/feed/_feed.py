"""The live feed: each call once, soon after it ended.

State: the windows, the readings in progress, and the calls found that nobody has taken. All that touches them is in
this file. No task and no request is under way while the consumer has a record.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from typing import Any, Final, Protocol, runtime_checkable

import anyio
import attrs

from trtc_records._api.models import CallRecord, CallRecordPage
from trtc_records._api.query import READABLE_AFTER, RETENTION, Query
from trtc_records._errors import (
    CallRecordsError,
    ConfigurationError,
    LimiterUnavailableError,
    RepeatedPageError,
    ResponseDecodeError,
    RetentionWarning,
)
from trtc_records._public import public
from trtc_records._sending.clock import ServiceClock
from trtc_records._walking.incomplete import OnIncomplete, report
from trtc_records._walking.reading import Reading
from trtc_records._walking.window import EDGE_MARGIN, pin_window
from trtc_records._warn import warn_caller
from trtc_records.feed._place import Place
from trtc_records.feed._progress import SAVE_AT_LEAST, Progress
from trtc_records.feed._schedule import SLACK, Window, make_windows
from trtc_records.feed._seen import Digest, digest_of, digest_of_raw

__all__ = ["Feed", "Wake"]

_PAUSE: Final = 2.0
"""Seconds to wait for requests under way before a call is given. A reading whose requests take longer begins anew, and
from then on the wait is twice as long, so that a reading over a slow service comes to its end."""

_LONGEST_PAUSE: Final = 64.0

_SHORT: Final = 10
"""Pages of a reading that may stand in for one of a shorter window: half a second at a tenth of the quota."""

_LATE: Final = 60
"""Seconds from the end of a call within which its record may appear late, and is given."""

_UNKNOWN_CLOCK: Final = 60
"""Seconds by which the clock of a service whose answers have no ``Date`` may differ from this machine's."""

_LONGEST_BACK_OFF: Final = 60.0

logger: Final = logging.getLogger("trtc_records")


@public
@runtime_checkable
class Wake(Protocol):
    """A source of hints that calls have ended, such as a :class:`~trtc_records.webhooks.WebhookApp`."""

    async def wait(self) -> datetime | None:
        """Return as soon as a record may have appeared, with the start of its call where that is known.

        It is cancelled when it is time to read anyway, and must not lose a hint then.
        """
        ...


@attrs.define(eq=False)
class _Run:
    """A reading in progress."""

    reading: Reading
    begun_at: float
    """The event loop's time."""
    mark: float
    """The service's time, in Unix seconds."""
    pages: int = 0


class Feed:
    """The calls of an app as they end.

    Args:
        open_reading: Begins a walk over a window.
        clock: The service's clock.
        progress: The calls given so far.
        query: The conditions of every reading; its start is the ``since`` of :meth:`CallRecordsClient.follow`.
        lookback: Seconds of the longest call that is to be found.
        interval: Seconds between readings of the shortest window.
        wake: Hints that a call has ended.
        on_invalid: Called once for each record that cannot be read.
        on_incomplete: Called where a reading may have missed records, and the one before it did not.
    """

    def __init__(
        self,
        *,
        open_reading: Callable[[Query], Reading],
        clock: ServiceClock,
        progress: Progress,
        query: Query,
        lookback: float,
        interval: float,
        wake: Wake | None,
        on_invalid: Callable[[Any, ResponseDecodeError], None] | None,
        on_incomplete: OnIncomplete | None,
    ) -> None:
        self._open_reading = open_reading
        self._clock = clock
        self._progress = progress
        self._query = query
        self._lookback = lookback
        self._interval = interval
        self._wake = wake
        self._on_invalid = on_invalid
        self._on_incomplete = on_incomplete
        self._windows: list[Window] = []
        self._runs: dict[Window, _Run] = {}
        self._found: deque[tuple[CallRecord, Digest]] = deque()
        self._next_mark: float | None = None
        self._steady = (0.0, 0.0)
        self._pause = _PAUSE
        self._started_at = 0.0
        self._failures = 0
        self._caught_up = False

    async def records(self) -> AsyncGenerator[CallRecord, None]:
        """Yield each call once; a call counts as given when the next one is asked for."""
        self._started_at = asyncio.get_running_loop().time()
        try:
            await self._progress.load()
            while True:
                await self._find()
                while self._found:
                    record, digest = self._found.popleft()
                    yield record
                    self._progress.note_given(digest)
                    await self._progress.save_if_due()
        finally:
            with anyio.CancelScope(shield=True):
                for window in list(self._runs):
                    await self._abandon(window)
                await self._progress.aclose()

    async def _find(self) -> None:
        """Read until a call is found, with nothing left under way."""
        while not self._found:
            try:
                await self._step()
            except CallRecordsError as error:
                if not (error.retryable or isinstance(error, LimiterUnavailableError | RepeatedPageError)):
                    raise
                await self._back_off(error)
        for window, run in list(self._runs.items()):
            if not await run.reading.pause(self._pause):
                self._pause = min(2 * self._pause, _LONGEST_PAUSE)
                await self._abandon(window)

    async def _step(self) -> None:
        """Read one page, or wait until one is due; all calls found before have been given."""
        if not self._windows:
            await self._begin()
        if self._next_mark is not None:
            self._progress.advance(self._next_mark, self._next_mark - self._lookback - SLACK)
            self._next_mark = None
        window = self._choose()
        if window is None:
            await self._progress.save()
            await self._wait()
            return
        await self._progress.save_if_due()
        run = self._runs.get(window) or self._open(window)
        try:
            page = await run.reading.next_page()
        except CallRecordsError:
            await self._abandon(window)
            raise
        if self._failures:
            logger.warning("the feed is read again", extra={"trtc_trouble": None})
        self._failures = 0
        if page is not None:
            run.pages += 1
            self._take(page)
        else:
            await self._finish(window, run)

    async def _begin(self) -> None:
        """Learn the service's time, and plan the first reading: all that a restart, or the first start, is to find."""
        if not self._clock.is_known:
            moment = int(self._clock.now())
            reading = self._open_reading(attrs.evolve(self._query, start_time=moment - 1, end_time=moment))
            try:
                await reading.next_page()
            finally:
                await reading.aclose()
        self._clock.warn_if_off()
        loop_now, now = asyncio.get_running_loop().time(), self._clock.exact()
        self._steady = (loop_now, now)
        since = self._query.start_time
        if self._progress.place is None and since is not None and since > now + EDGE_MARGIN:
            raise ConfigurationError(f"since={since} lies in the future: pass a time before now, or leave it out")
        # The service may have been away since the start.
        place = await self._progress.begin(now - (loop_now - self._started_at), since)
        self._windows = make_windows(self._lookback, self._interval, loop_now)
        mark = min(place.begun if place.mark is None else place.mark, now)
        wanted = mark if place.mark is not None or place.since is None else min(mark, place.since)
        for window in self._windows:
            window.read_at = loop_now - (now - mark)
        if wanted < now - RETENTION - EDGE_MARGIN:
            first, last = (datetime.fromtimestamp(time, UTC) for time in (wanted, now - RETENTION))
            warn_caller(
                f"calls from {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S UTC} cannot be given any more: the "
                "service keeps records for 7 days",
                RetentionWarning,
            )

    def _choose(self) -> Window | None:
        """Return the window to read now: the shortest that is being read or due, or a longer one in its place."""
        if not self._caught_up:
            return self._windows[-1]
        now = asyncio.get_running_loop().time()
        for window in self._windows:
            if window in self._runs:
                return window
            if window.due_at <= now:
                due = [each for each in self._windows if each.due_at <= now and each not in self._runs]
                return next((each for each in reversed(due) if each.pages <= _SHORT), window)
        return None

    def _open(self, window: Window) -> _Run:
        """Begin to read a window, and with it all shorter ones that are due."""
        loop_now = asyncio.get_running_loop().time()
        earliest, latest = self._get_times()
        start = earliest - (loop_now - window.read_at) - window.span - SLACK
        place = self._progress.place
        if place is not None and place.mark is None and place.since is not None:
            start = min(start, place.since)
        margin = 0 if self._clock.is_known else _UNKNOWN_CLOCK
        query = attrs.evolve(self._query, start_time=max(int(start) - margin, 0), end_time=int(latest) + margin)
        run = _Run(self._open_reading(pin_window(query, earliest)), loop_now, earliest)
        self._runs[window] = run
        for each in self._up_to(window):
            if each.due_at <= loop_now:
                each.due_at = loop_now + each.period
        return run

    def _get_times(self) -> tuple[float, float]:
        """Return the earliest and the latest that the service's time may be: this machine's clock may be set anew."""
        then, base = self._steady
        steady = base + asyncio.get_running_loop().time() - then
        return min(steady, self._clock.exact()), max(steady, self._clock.exact())

    def _take(self, page: CallRecordPage) -> None:
        """Enter the calls of a page that are new."""
        place = self._progress.place
        assert place is not None
        found = [(record, digest_of(record)) for record in page.records]
        for record, digest in sorted(found, key=lambda entry: entry[1][1]):
            if self._progress.has(digest):
                continue
            self._progress.add(digest)
            if _is_old(digest, record, place):
                self._progress.note_given(digest)
            else:
                self._found.append((record, digest))
        if self._on_invalid is not None:
            for entry in page.invalid:
                value = digest_of_raw(entry.raw)
                if not self._progress.has_invalid(value):
                    self._on_invalid(entry.raw, entry.error)
                    known = (value, int(self._get_times()[1]))
                    self._progress.add(known)
                    self._progress.note_given(known)

    async def _finish(self, window: Window, run: _Run) -> None:
        """Note that a window was read to its end."""
        del self._runs[window]
        await run.reading.aclose()
        window.pages = run.pages
        for each in self._up_to(window):
            each.read_at = max(each.read_at, run.begun_at)
        if window is self._windows[-1]:
            self._caught_up = True
            self._next_mark = run.mark
        if self._clock.is_known:
            self._steady = (asyncio.get_running_loop().time(), self._clock.exact())
        is_incomplete = bool(run.reading.walk.doubts)
        if is_incomplete and not window.was_incomplete:
            report(run.reading.walk, run.reading.query, self._on_incomplete)
        window.was_incomplete = is_incomplete

    async def _abandon(self, window: Window) -> None:
        """Give up a reading; it is due again."""
        run = self._runs.pop(window)
        for each in self._up_to(window):
            each.due_at = min(each.due_at, run.begun_at)
        await run.reading.aclose()

    def _up_to(self, window: Window) -> list[Window]:
        return [each for each in self._windows if each.span <= window.span]

    async def _wait(self) -> None:
        """Wait until a window is due, or a hint comes."""
        delay = min(window.due_at for window in self._windows) - asyncio.get_running_loop().time()
        if self._wake is None:
            await self._progress.wait(delay)
            return
        try:
            async with asyncio.timeout(min(delay, SAVE_AT_LEAST)):
                started = await self._wake.wait()
        except TimeoutError:
            return
        _, latest = self._get_times()
        age = latest - started.timestamp() if isinstance(started, datetime) else 0.0
        hinted = next((window for window in self._windows if window.span >= age), self._windows[-1])
        hinted.due_at = asyncio.get_running_loop().time()

    async def _back_off(self, error: CallRecordsError) -> None:
        """Wait before the next try: a second at first, and up to a minute."""
        delay = min(2.0**self._failures, _LONGEST_BACK_OFF) * random.uniform(0.75, 1.0)
        self._failures += 1
        logger.warning(
            "a feed could not be read, and will be again in %.0f s: %s", delay, error, extra={"trtc_trouble": error}
        )
        await self._progress.save()
        await self._progress.wait(delay)


def _is_old(digest: Digest, record: CallRecord, place: Place) -> bool:
    """Tell whether a call had ended, and its record could be read, when the feed began."""
    if place.since is not None and record.start_time.timestamp() >= place.since:
        return False
    if record.end_time is None and place.mark is not None:
        return False  # its digest has the start in place of the end
    # Behind the first reading it is one that appears late, or that an earlier window than ever before has found.
    return digest[1] + (READABLE_AFTER if place.mark is None else _LATE) < place.begun
