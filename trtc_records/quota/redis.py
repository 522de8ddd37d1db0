"""One quota for several processes and machines, through Redis or Valkey.

::

    async with RedisRateLimiter.from_url("redis://localhost", sdk_app_id=1400000000) as limiter:
        async with CallRecordsClient(sdk_app_id=1400000000, limiter=limiter, ...) as client:
            ...

The counting is pyrate-limiter's. Measured with four processes of eight waiters for 5 s, Redis 7.0.15 on
loopback, redis-py 8.1.0, at the times of the permits; on the right, two of the clocks were two seconds ahead:

==========================================  ==============  ======  =============  ========================
counting                                    busiest second  rate/s  round trips    skewed: busiest, least
                                                                    per permit     share of a fair share
==========================================  ==============  ======  =============  ========================
limits 5.8.0, moving window of 196          223             196     23.5           216, 9 %
limits 5.8.0, sliding window of 196         198             193     17.9           201, 81 %
pyrate-limiter 4.5.1, log of 196            228             198     2.0            423, 30 %
pyrate-limiter 4.5.1, GCRA, 192, burst 4    196             192     24.0           197, 3 %
==========================================  ==============  ======  =============  ========================

A window gives all its permits at once, so late requests of one second count in the next; GCRA spaces permits
evenly. This module adds three things to its script. Redis's own clock replaces the process's. Permits are given
ahead of time: a process gets a lease, a few places in one line for all processes, each with the time at which it
may be used. That needs no second round trip and makes processes take turns. The pace is slower for a while after
the service has refused a request of any process.

A process that dies leaves its places unused, which costs a few hundredths of a second; the line is never longer
than 0.9 s. A place is not used later than 20 ms after its time. If Redis loses the line, the first process that
had a place reports the end of its places, and the new line begins after all places of the old one.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Literal, NamedTuple, Self, TypedDict, Unpack

from trtc_records._checks import check_count, check_sdk_app_id, check_seconds, check_text, trim
from trtc_records._errors import ConfigurationError, LimiterUnavailableError, shorten
from trtc_records.quota._local import QUOTA, LocalRateLimiter

try:
    from pyrate_limiter import GCRA, Rate
    from redis.asyncio import Redis, RedisCluster

    from trtc_records.quota._connection import BAD_URL, FAILURES, check_client, explain, locate, make_connector
except ModuleNotFoundError as _error:
    _missing = (_error.name or "").partition(".")[0]
    if _missing not in {"pyrate_limiter", "redis"}:
        raise
    raise ImportError(f'the shared quota needs {_missing}, which is not installed: pip install ".[redis]"') from _error

__all__ = ["RedisRateLimiter"]

_PACE: Final = (24, 25)
"""Permits per call of the rate: 192 of 200. A second of the server then has room for requests 40 ms late."""

_LATEST: Final = 0.020  # seconds after its time for which a permit may be used
_TRIES: Final = 3  # leases in a row that may expire unused, so that a slow process does not wait forever
_BATCH: Final = 4  # permits: 21 ms of the quota, so that 16 busy processes wait a third of a second for their turn
_LARGEST_BATCH: Final = 32
_LINE: Final = 900_000  # microseconds
_REMEMBERED: Final = 1_000_000  # microseconds for which a place counts in the server's second
_KEEP: Final = 60_000  # milliseconds that the key outlives its last use: longer than it takes to recover

_RETRY_EVERY: Final = 1.0  # seconds between attempts to return to Redis
_OVERLAP: Final = 2.0  # seconds after the return in which both limits hold: others may still count by themselves
_TRUST_CLOCK: Final = 10.0  # seconds

# What follows refusals, for all processes together: a pause, then half the rate, which rises to the full one again.
PAUSE: Final = 1.0  # seconds: the window in which the service counts
BACK_OFF: Final = 0.5
RECOVERY: Final = 0.05  # share of the full rate per second
LEAST_SHARE: Final = 0.02
_STANDSTILL: Final = int(PAUSE * 1_000_000)  # microseconds

_NOW_AND_SHARE: Final = f"""
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local stored = redis.call('HMGET', KEYS[1], 'tat1', 'share', 'resumed')
local resumed = tonumber(stored[3] or 0)
if resumed > now + {_STANDSTILL} then resumed = 0 end  -- the clock was set back
local share = math.min(1, (stored[2] or 1) + {RECOVERY} * math.max(now - resumed, 0) / 1000000)
"""

# The library's script reads KEYS and ARGV: now in ms, weight, time to live in ms, 1, µs per permit, burst. Ours reads
# one more: the end of the places that the process got last.
_LEASE: Final = f"""
{_NOW_AND_SHARE}
local emission = math.ceil(ARGV[5] / share)
local burst = math.max(1, math.floor({_LINE} / emission))
local weight = math.min(ARGV[2], burst)
local furthest = now + math.max({_STANDSTILL}, burst * emission)
if stored[1] and tonumber(stored[1]) > furthest then  -- likewise
    redis.call('HSET', KEYS[1], 'tat1', string.format('%.0f', furthest))
end
if not stored[1] and tonumber(ARGV[7]) > now - {_REMEMBERED} then  -- the line was lost
    redis.call('HSET', KEYS[1], 'tat1', string.format('%.0f', now + math.max({_LINE}, emission)))
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
local function count(ARGV)
{GCRA().redis_script()}
end
local verdict = count({{math.floor(now / 1000), weight, ARGV[3], ARGV[4], emission, burst}})
local tat = redis.call('HGET', KEYS[1], 'tat1')
return {{verdict[1], verdict[2], weight, emission, tat or '0', string.format('%.0f', now)}}
"""

_SLOW_DOWN: Final = f"""
{_NOW_AND_SHARE}
if now < resumed then return 0 end
local again = string.format('%.0f', now + {_STANDSTILL})
local less = string.format('%.6f', math.max(share * {BACK_OFF}, {LEAST_SHARE}))
redis.call('HSET', KEYS[1], 'share', less, 'resumed', again, 'tat1', again)
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
"""


class RedisArguments(TypedDict, total=False):
    """The arguments of a limiter with a connection of its own, for type checkers."""

    rate: int
    prefix: str
    on_unavailable: Literal["fail", "local"]
    local_rate: int | None
    timeout: float


class RedisRateLimiter:
    """One limit of calls in any second for all processes that name the same Redis, prefix and app.

    One busy process gets the whole quota; several busy processes take turns. A limiter
    serves one event loop; close it with ``async with`` or :meth:`aclose`, and the next loop may use it.

    Args:
        client: A client of redis-py for Redis or Valkey, or for a cluster of either. It stays the caller's to close.
        sdk_app_id: The application whose quota it is.
        rate: The most calls in any one second; by default the service's limit of 200. The sustained rate is 4 % lower.
        prefix: The start of the key's name. Each app has one key, which expires a minute after its last use.
        on_unavailable: The reaction when Redis can no longer be reached: ``"fail"``, or ``"local"`` to go on with
            *local_rate* until it can. If Redis was never reached, both raise an error.
        local_rate: For ``"local"``: the most calls in any second of this process alone. The shares of all
            processes together should not be more than *rate*.
        timeout: Seconds to wait for an answer from Redis.

    Raises:
        ConfigurationError: An argument cannot be used.
    """

    def __init__(
        self,
        client: Redis | RedisCluster,
        *,
        sdk_app_id: int,
        rate: int = QUOTA,
        prefix: str = "trtc-records",
        on_unavailable: Literal["fail", "local"] = "fail",
        local_rate: int | None = None,
        timeout: float = 3.0,
    ) -> None:
        check_client(client, type(self).__name__)
        check_sdk_app_id(sdk_app_id)
        prefix = check_text("prefix", prefix, "pass the start of the name of the key in Redis")
        if on_unavailable not in ("fail", "local"):
            raise ConfigurationError(f"on_unavailable={shorten(on_unavailable)}: pass 'fail' or 'local'")
        if (local_rate is None) is (on_unavailable == "local"):
            raise ConfigurationError("local_rate: goes with on_unavailable='local', which needs it; pass both or none")
        self._local_rate = None if local_rate is None else check_count("local_rate", local_rate)
        self._schedule = _SharedSchedule(
            client,
            f"{prefix}:{{{sdk_app_id}}}:quota",
            rate=check_count("rate", rate),
            timeout=check_seconds("timeout", timeout),
        )
        self._shown = f"url={locate(client)!r}, sdk_app_id={sdk_app_id}, rate={rate}"
        self._reconnect: Callable[[], Redis] | None = None
        self._queue: _LocalQueue | None = None

    @classmethod
    def from_url(cls, url: str, *, sdk_app_id: int, **arguments: Unpack[RedisArguments]) -> Self:
        """Make a limiter with a connection of its own.

        Args:
            url: ``redis://``, ``rediss://`` (TLS), ``valkey://``, ``valkeys://`` (TLS) or ``unix://``, with an
                optional user, password and database number: ``rediss://user:password@host:6379/0``.
                ``ssl_…`` parameters of redis-py go into its query.
            sdk_app_id: The application whose quota it is.
            **arguments: Those of the constructor.

        Raises:
            ConfigurationError: An argument cannot be used.
        """
        connect = make_connector(trim(url))
        del url
        if connect is None:
            raise ConfigurationError(BAD_URL)
        try:
            limiter = cls(connect(), sdk_app_id=sdk_app_id, **arguments)
        except (ConfigurationError, TypeError) as error:
            # Without the constructor's frame: the password is in the client there.
            raise error.with_traceback(None) from None
        limiter._reconnect = connect
        return limiter

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def acquire(self) -> None:
        """Wait for a permit and take it. A caller that is cancelled while it waits takes none.

        Raises:
            LimiterUnavailableError: Redis cannot be reached, and the policy is to fail.
            ConfigurationError: Another event loop uses the limiter.
        """
        await self._enter().acquire()

    def slow_down(self) -> None:
        """Pause for a second, go on at half the pace and recover step by step: all processes together."""
        self._enter().slow_down()

    async def aclose(self) -> None:
        """Close the connection, unless it is the caller's."""
        queue, self._queue = self._queue, None
        if queue is not None and queue.loop is asyncio.get_running_loop():
            await queue.aclose()
        if self._reconnect is not None:
            await self._schedule.client.aclose()

    def _enter(self) -> _LocalQueue:
        """Return the queue of the running loop."""
        loop = asyncio.get_running_loop()
        queue = self._queue
        if queue is None or queue.loop is not loop:
            if queue is not None and not queue.loop.is_closed():
                raise ConfigurationError(
                    "a RedisRateLimiter serves one event loop: make one for each, they share the quota through Redis"
                )
            if queue is not None and self._reconnect is not None:
                self._schedule.use(self._reconnect())
            fallback = None if self._local_rate is None else LocalRateLimiter(self._local_rate)
            queue = self._queue = _LocalQueue(loop, self._schedule, fallback)
        return queue


class _Unreachable(Exception):  # noqa: N818 - it never leaves this file
    """The reason for which Redis gave no answer."""


class _Grant(NamedTuple):
    """The answer of Redis: places in the line, or the time to wait before the next question."""

    places: range  # microseconds of Redis's clock
    retry_after: float  # seconds
    now: int  # microseconds of Redis's clock


class _SharedSchedule:
    """The schedule of all processes' permits, which Redis keeps under one key."""

    def __init__(self, client: Redis | RedisCluster, key: str, *, rate: int, timeout: float) -> None:
        permits, calls = _PACE
        pace = Rate(rate * permits, calls * 1000)
        self.interval = pace.interval / pace.limit / 1000
        self._pace = [_KEEP, 1, *GCRA().redis_args([pace])]
        self._key = key
        self._timeout = timeout
        self._end = 0  # of the places given last
        self.use(client)

    def use(self, client: Redis | RedisCluster) -> None:
        """Ask this client from now on."""
        self.client = client
        self._lease = client.register_script(_LEASE)
        self._slow_down = client.register_script(_SLOW_DOWN)

    async def lease(self, wanted: int) -> _Grant:
        """Take places at the end of the line."""
        reply = await self._ask(self._lease, 0, wanted, *self._pace, self._end)
        failing, retry_after, granted, emission, end, now = map(int, reply)
        if failing >= 0:
            return _Grant(range(0), retry_after / 1000, now)
        self._end = end
        return _Grant(range(end - granted * emission, end, emission), 0.0, now)

    async def slow_down(self) -> None:
        """Slow all processes down."""
        await self._ask(self._slow_down, _KEEP)

    async def _ask(self, script: Any, *arguments: float) -> Any:
        try:
            async with asyncio.timeout(self._timeout):
                return await script(keys=[self._key], args=arguments)
        except FAILURES as error:
            failure = (
                f"the shared quota at {locate(self.client)} cannot be reached, and nothing was sent: start Redis, or "
                f"correct its URL ({explain(self.client, error, self._timeout)})"
            )
        # Out here the error has no context: the frames behind it hold the password.
        raise _Unreachable(failure)


class _LocalQueue:
    """The places that one event loop has leased, and the requests that wait for them."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, schedule: _SharedSchedule, fallback: LocalRateLimiter | None
    ) -> None:
        self.loop = loop
        self._schedule = schedule
        self._fallback = fallback
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._places: deque[float] = deque()  # times of the loop
        self._clock = _RemoteClock()
        self._leasing: asyncio.Task[None] | None = None
        self._slowing: asyncio.Task[None] | None = None
        self._refused_at = -math.inf
        self._failure = ""
        self._failed_at = -math.inf
        self._reached = False
        self._away = False  # counting by itself until Redis is back
        self._closed = False
        self._returned_at = -math.inf

    async def acquire(self) -> None:
        """Wait for a permit and take it."""
        entered = self.loop.time()
        self._waiting += 1
        try:
            async with self._turn:
                if not await self._count_here():
                    await self._take_place(entered)
        finally:
            self._waiting -= 1

    def slow_down(self) -> None:
        """Slow all processes down, once for a burst of refusals, and give up this loop's own places."""
        self._places.clear()
        if self._away:
            assert self._fallback is not None
            self._fallback.slow_down()
        elif self._slowing is None and self.loop.time() - self._refused_at > PAUSE:
            self._refused_at = self.loop.time()
            self._slowing = self.loop.create_task(self._slow_all_down())

    async def aclose(self) -> None:
        """End tasks in progress; waiting requests get an error."""
        self._closed = True
        self._places.clear()
        tasks = [task for task in (self._leasing, self._slowing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _count_here(self) -> bool:
        """Take a permit of this process's share if Redis is down or just back; return whether it is enough."""
        if self._fallback is None:
            return False
        if self._away and self.loop.time() - self._failed_at >= _RETRY_EVERY:
            self._start_lease()
        if self._away or self.loop.time() - self._returned_at < _OVERLAP:
            await self._fallback.acquire()
        return self._away

    async def _take_place(self, entered: float) -> None:
        """Wait for a place and its time."""
        runs_in_vain = 0
        while runs_in_vain < _TRIES:
            # Requests that were waiting when Redis failed get its error; later ones ask it again.
            if self._failed_at >= entered and not (self._reached and self._fallback):
                raise LimiterUnavailableError(self._failure)
            if self._away:
                await self._count_here()
                return
            if not self._places:
                leasing = self._start_lease()
                # Not awaited itself: a waiter may be cancelled, but the question to Redis goes on for the others.
                await asyncio.wait([leasing])
                if not leasing.cancelled():
                    leasing.result()
                continue
            if self._waiting > len(self._places) and self._places[-1] - self.loop.time() < self._lead:
                self._start_lease()
            if (delay := self._places[0] - self.loop.time()) > 0:
                await asyncio.sleep(delay)
            if not self._places:
                continue  # a refusal or a failure took them meanwhile
            if self.loop.time() - self._places.popleft() <= _LATEST:
                return
            runs_in_vain += not self._places

    @property
    def _lead(self) -> float:
        """Return the seconds before its last place at which a process asks for more."""
        return self._clock.round_trip + 2 * self._schedule.interval

    def _start_lease(self) -> asyncio.Task[None]:
        """Ask for places, unless a question is in progress.

        Raises:
            LimiterUnavailableError: The limiter was closed.
        """
        if self._closed:
            raise LimiterUnavailableError("the limiter was closed while requests waited for it: close it after them")
        if self._leasing is None:
            self._leasing = self.loop.create_task(self._lease())
        return self._leasing

    async def _lease(self) -> None:
        # More than a few at once only where they would run out before the next ones can come.
        batch = max(_BATCH, math.ceil(2 * self._clock.round_trip / self._schedule.interval))
        wanted = min(max(1, self._waiting - len(self._places)), batch, _LARGEST_BATCH)
        asked_at = self.loop.time()
        try:
            grant = await self._schedule.lease(wanted)
            self._clock.read(asked_at, self.loop.time(), grant.now)
            if self._away:
                self._returned_at = self.loop.time()
            self._reached, self._away = True, False
            self._places.extend(map(self._clock.to_local, grant.places))
            await asyncio.sleep(grant.retry_after)
        except _Unreachable as error:
            self._fail(str(error))
        finally:
            self._leasing = None

    async def _slow_all_down(self) -> None:
        try:
            await self._schedule.slow_down()
        except _Unreachable as error:
            self._fail(str(error))
        finally:
            self._slowing = None

    def _fail(self, failure: str) -> None:
        self._failure = failure
        self._failed_at = self.loop.time()
        self._away = self._reached and self._fallback is not None
        self._places.clear()  # a Redis that comes back empty would give them to others


class _RemoteClock:
    """The translation of Redis's time to the loop's, by the fastest of the last exchanges."""

    def __init__(self) -> None:
        self.round_trip = 0.0
        self._offset = 0.0
        self._read_at = -math.inf

    def read(self, asked_at: float, answered_at: float, now: int) -> None:
        """Update the translation by an exchange in which Redis gave its time as *now* (microseconds)."""
        round_trip = answered_at - asked_at
        offset = now / 1e6 - (asked_at + answered_at) / 2
        was_set = abs(offset - self._offset) > (round_trip + self.round_trip) / 2  # both cannot be true
        if round_trip <= self.round_trip or answered_at - self._read_at > _TRUST_CLOCK or was_set:
            self.round_trip, self._offset, self._read_at = round_trip, offset, answered_at

    def to_local(self, remote: int) -> float:
        """Return the loop's time at a time of Redis (microseconds)."""
        return remote / 1e6 - self._offset
