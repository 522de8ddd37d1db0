"""The quota within a process: at most 200 calls in any second, as the server counts them.

The service's limit is 200 calls per second and SDKAppID (https://trtc.io/document/68931).

At most 195 permits go in any second, which a log of the last ones ensures for all event loops and threads of the
process. A permit counts from the time when its request has been written, which a busy loop does late: not before the
loop has turned a few times after the permit. The other 5 are a margin for requests that bunch up on the way: a server
that stalls for 25 ms counts late requests in the second after.

Two of aiolimiter's limiters pace each event loop below that bound (one of 200 per second would let 399 through in
its first, mjpieters/aiolimiter#298). The first allows 192 per second in the long run, and saves up to 20 permits that a
busy loop could not use, for instance during garbage collection. The second releases these two by two, so that they
do not become a burst.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol, cast, runtime_checkable
from weakref import ReferenceType, WeakKeyDictionary, WeakValueDictionary

from aiolimiter import AsyncLimiter

from trtc_records._errors import ConfigurationError, shorten
from trtc_records._public import public
from trtc_records.quota._brake import Brake

__all__ = [
    "QUOTA",
    "AdaptiveRateLimiter",
    "LocalRateLimiter",
    "RateLimiter",
    "StricterLimiter",
    "adapt",
    "shared_limiter",
]

QUOTA: Final = 200
"""Calls per second that the service allows to an app."""

_DISTANCE: Final = 0.025  # share of the rate: the margin between it and the most permits in any second
_SUSTAINED: Final = 0.983  # share of those most permits: the rate in the long run
_CATCHING_UP: Final = 1.02  # share of those most permits: the rate at which saved permits are released
_RESERVE: Final = 0.1  # share of the rate: the most saved permits
_AT_ONCE: Final = 0.01  # share of the rate: the most saved permits released at once
_LATEST: Final = 1.0  # seconds after its permit at which a request counts as sent, though its loop has not turned


@public
@runtime_checkable
class RateLimiter(Protocol):
    """A source of permits to send.

    Every request, retries included, takes one just before its first byte is written. A limiter may also have a
    method ``slow_down()``, which the client calls when the service refuses a request for quota. Without it, the client
    itself pauses, and goes on at half the rate.
    """

    async def acquire(self) -> object:
        """Wait for a permit and take it. A caller that is cancelled while it waits takes none."""
        ...


@runtime_checkable
class AdaptiveRateLimiter(RateLimiter, Protocol):
    """A limiter that gives out fewer permits while the service refuses requests for quota."""

    def slow_down(self) -> object:
        """Slow down, because the service has refused a request that held a permit."""
        ...


@public
class LocalRateLimiter:
    """A limit of calls in any second for one process, first come first served.

    Safe to share between clients, event loops and threads of one process.

    Args:
        rate: The most calls in any one second; by default the service's limit of 200. The sustained rate is 4 % lower,
            or one call per second lower for a small *rate*, but at least half of it. The margin keeps the server from
            counting more than *rate* in a second.

    Raises:
        ConfigurationError: *rate* is not a whole number above 0.
    """

    def __init__(self, rate: int = QUOTA) -> None:
        if type(rate) is not int or rate < 1:
            raise ConfigurationError(f"rate={shorten(rate)}: pass a whole number of calls per second, 1 or more")
        self.rate = rate
        self._most = max(rate - max(1.0, rate * _DISTANCE), rate / 2)
        self._brake = Brake(self._most * _SUSTAINED)
        self._permits = _PermitLog(max(1, int(self._most)))
        # Weak on both sides: a pacer refers to its loop, and nothing here may keep a loop alive.
        self._pacers: WeakKeyDictionary[asyncio.AbstractEventLoop, ReferenceType[_Pacer]] = WeakKeyDictionary()

    def __repr__(self) -> str:
        return f"LocalRateLimiter(rate={self.rate})"

    async def acquire(self) -> None:
        """Wait for a permit and take it."""
        loop = asyncio.get_running_loop()
        permit = _Permit()
        pacer = self._get_pacer(loop)
        async with pacer.turn:
            await pacer.sustained.acquire()
            await pacer.catching_up.acquire()
            while (wait := self._brake.take(loop.time())) > 0:  # noqa: ASYNC110 - it waits for the clock
                await asyncio.sleep(wait)
            while (wait := self._permits.take(permit, loop.time)) > 0:  # noqa: ASYNC110 - it waits for the clock
                await asyncio.sleep(wait)
            pacer.keep(loop)
        # The request is written within the loop's next two turns.
        loop.call_soon(loop.call_soon, loop.call_soon, permit.confirm, loop.time)

    def slow_down(self) -> None:
        """Pause, go on at half the full rate or somewhat below a lower one, and recover ever faster."""
        self._brake.slow_down(asyncio.get_running_loop().time())

    def _get_pacer(self, loop: asyncio.AbstractEventLoop) -> _Pacer:
        known = self._pacers.get(loop)
        pacer = None if known is None else known()
        if pacer is None:
            pacer = _Pacer(self.rate, self._most)
            self._pacers[loop] = ReferenceType(pacer)
        return pacer


class BrakedLimiter:
    """A brake around a limiter of the caller's that cannot slow down by itself.

    Args:
        limiter: The caller's.
    """

    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter
        self._brake = Brake(QUOTA)
        self._turn = asyncio.Lock()

    async def acquire(self) -> None:
        """Wait for a permit and take it."""
        loop = asyncio.get_running_loop()
        if self._brake.take(loop.time()) > 0:
            async with self._turn:
                while (wait := self._brake.take(loop.time())) > 0:  # noqa: ASYNC110 - it waits for the clock
                    await asyncio.sleep(wait)
        await self._limiter.acquire()

    def slow_down(self) -> None:
        """Pause, go on at half the full rate or somewhat below a lower one, and recover ever faster."""
        self._brake.slow_down(asyncio.get_running_loop().time())


class StricterLimiter:
    """A stricter limit for some of the requests that *limiter* counts.

    One request at a time takes both permits, the strict one first. So requests that wait long for the other permit do
    not bunch up after it: at most one of them has a strict permit that is old.

    Args:
        limiter: The limit of all requests.
        strict: The limit of these.
    """

    def __init__(self, limiter: AdaptiveRateLimiter, strict: AdaptiveRateLimiter) -> None:
        self._limiter = limiter
        self._strict = strict
        self._turn = asyncio.Lock()

    async def acquire(self) -> None:
        """Wait for a permit of each and take them."""
        async with self._turn:
            await self._strict.acquire()
            await self._limiter.acquire()

    def slow_down(self) -> None:
        """Slow these requests down, and no others: where the limit of all is exceeded, others are refused as well."""
        self._strict.slow_down()


def adapt(limiter: object) -> AdaptiveRateLimiter:
    """Return *limiter* if it can slow down, and otherwise a :class:`BrakedLimiter` around it.

    Raises:
        ConfigurationError: It is no rate limiter.
    """
    if inspect.isclass(limiter):
        raise ConfigurationError(f"limiter={shorten(limiter)}: a class; pass an instance of it")
    if inspect.getattr_static(limiter, "release", None) is not None:
        raise ConfigurationError(
            f"limiter={shorten(limiter)}: it waits for release(), which is never called, as a rate limiter's permits "
            "come with time; pass a rate limiter such as LocalRateLimiter(100), and max_in_flight= for requests at once"
        )
    # Not isinstance(): from Python 3.12 on it does not see the attributes that a mock makes up.
    acquire = getattr(limiter, "acquire", None)
    if not callable(acquire) or _is_sync(acquire):
        raise ConfigurationError(f"limiter={shorten(limiter)}: pass an object with 'async def acquire()'")
    if callable(getattr(limiter, "slow_down", None)):
        return cast("AdaptiveRateLimiter", limiter)
    return BrakedLimiter(cast("RateLimiter", limiter))


def _is_sync(function: Callable[[], object]) -> bool:
    """Return whether it is a plain function, which would block the event loop; a mock may be any callable."""
    return inspect.isroutine(function) and not inspect.iscoroutinefunction(inspect.unwrap(function))


class _Permit:
    """A permit, and the latest time at which its request may have been sent."""

    def __init__(self) -> None:
        self._given_at = math.inf
        self._sent_at: float | None = None

    def give(self, now: float) -> None:
        """Begin to count."""
        self._given_at = now

    def confirm(self, clock: Callable[[], float]) -> None:
        """Take the request for sent by now."""
        self._sent_at = clock()

    def latest(self, now: float) -> float:
        """Return the latest time up to *now* at which the request may have been sent."""
        return min(now, self._given_at + _LATEST) if self._sent_at is None else self._sent_at


class _Pacer:
    """The pace of one event loop; a lock makes waiters take turns, which aiolimiter does not promise."""

    def __init__(self, rate: int, most: float) -> None:
        self.turn = asyncio.Lock()
        reserve, at_once = max(1.0, rate * _RESERVE), max(1.0, rate * _AT_ONCE)
        self.sustained = AsyncLimiter(reserve, reserve / (most * _SUSTAINED))
        self.catching_up = AsyncLimiter(at_once, at_once / (most * _CATCHING_UP))
        self._memory = max(self.sustained.time_period, self.catching_up.time_period)
        self._kept_until = 0.0
        self._is_kept = False

    def keep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have the loop keep this object until it is as good as new: until its limiters have no permit to remember."""
        self._kept_until = loop.time() + self._memory
        if not self._is_kept:
            self._is_kept = True
            loop.call_at(self._kept_until, self._keep_on, loop)

    def _keep_on(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_kept = loop.time() < self._kept_until
        if self._is_kept:
            loop.call_at(self._kept_until, self._keep_on, loop)


class _PermitLog:
    """The permits given in the last second, for all threads."""

    def __init__(self, limit: int) -> None:
        self._lock = threading.Lock()
        self._last: deque[_Permit] = deque(maxlen=limit)

    def take(self, permit: _Permit, clock: Callable[[], float]) -> float:
        """Give *permit* and return 0, or return the seconds to wait before asking again."""
        with self._lock:
            now = clock()  # in here: a thread may have waited for the lock
            if len(self._last) == self._last.maxlen and (wait := self._last[0].latest(now) + 1.0 - now) > 0:
                return wait
            permit.give(now)
            self._last.append(permit)
            return 0.0


_limiters: WeakValueDictionary[tuple[int, str, int], LocalRateLimiter] = WeakValueDictionary()
_limiters_lock: Final = threading.Lock()


def shared_limiter(sdk_app_id: int, origin: str, rate: int = QUOTA) -> LocalRateLimiter:
    """Return this process's limiter of *rate* for an app at an endpoint: all clients of the app share it."""
    with _limiters_lock:
        limiter = _limiters.get((sdk_app_id, origin, rate))
        if limiter is None:
            limiter = _limiters[sdk_app_id, origin, rate] = LocalRateLimiter(rate)
        return limiter
