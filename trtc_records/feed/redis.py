"""The place of a feed in Redis or Valkey, for a feed that may go on on another machine.

Three keys in one slot of a cluster: a hash with the place, a sorted set of digests by the second in which the call
ended, and a lock. All changes go through scripts, each of which Redis carries out as a whole.

The lock holds a token of its owner and lapses some time after the owner's last save. An owner whose lock lapsed goes on
if nobody took the lock meanwhile, which the hash shows: it names the last owner.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Collection
from typing import Any, Final, Self, TypedDict, Unpack

import anyio

from trtc_records._checks import check_seconds, check_text, trim
from trtc_records._errors import CheckpointError, ConfigurationError, shorten
from trtc_records.feed._seen import Digest

try:
    from redis.asyncio import Redis, RedisCluster

    from trtc_records.quota._connection import BAD_URL, FAILURES, check_client, explain, locate, make_connector
except ModuleNotFoundError as _error:
    if (_error.name or "").partition(".")[0] != "redis":
        raise
    raise ImportError('RedisCheckpoint needs redis, which is not installed: pip install ".[redis]"') from _error

__all__ = ["RedisCheckpoint"]

_VERSION: Final = 1

_AT_ONCE: Final = 5_000
"""Digests per answer: Redis serves nobody else while it collects them."""

# KEYS: lock, state, seen. ARGV: the owner's token, then, for those that set the lock, its milliseconds.
_LOCK: Final = f"""
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return {{'held', redis.call('PTTL', KEYS[1])}} end
local function is_of(key, kind)
    local found = redis.call('TYPE', key).ok
    return found == kind or found == 'none'
end
if not is_of(KEYS[2], 'hash') or not is_of(KEYS[3], 'zset') then return {{'damaged'}} end
local known = redis.call('HMGET', KEYS[2], 'version', 'count', 'place')
local is_new = redis.call('EXISTS', KEYS[2]) == 0
if not is_new then
    local version = tonumber(known[1])
    if version and version > {_VERSION} then return {{'newer'}} end
    if version ~= {_VERSION} then return {{'damaged'}} end
end
if redis.call('ZCARD', KEYS[3]) ~= (is_new and 0 or tonumber(known[2])) then return {{'damaged'}} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('HSET', KEYS[2], 'version', {_VERSION}, 'owner', ARGV[1], 'count', redis.call('ZCARD', KEYS[3]))
return {{'locked', known[3]}}
"""

_READ: Final = "return redis.call('ZRANGE', KEYS[3], ARGV[1], ARGV[2], 'WITHSCORES')"

_SAVE: Final = """
local holder = redis.call('GET', KEYS[1])
if holder ~= ARGV[1] and (holder or redis.call('HGET', KEYS[2], 'owner') ~= ARGV[1]) then return 'lost' end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
for index = 5, #ARGV, 2 do redis.call('ZADD', KEYS[3], ARGV[index + 1], ARGV[index]) end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', '(' .. ARGV[4])
redis.call('HSET', KEYS[2], 'place', ARGV[3], 'count', redis.call('ZCARD', KEYS[3]))
return 'saved'
"""

_UNLOCK: Final = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"

logger: Final = logging.getLogger("trtc_records")


class RedisCheckpointArguments(TypedDict, total=False):
    """The arguments of a checkpoint with a connection of its own, for type checkers."""

    prefix: str
    lock_timeout: float
    timeout: float


class RedisCheckpoint:
    """A checkpoint in Redis or Valkey, which one feed at a time may use.

    The feed's saves are as lasting as Redis's own: turn on its persistence, and give it memory enough that it evicts no
    key.

    Args:
        client: A client of redis-py for Redis or Valkey, or for a cluster of either. It stays the caller's to close.
        name: The feed's own name. A feed with the same name goes on where the last one stopped.
        prefix: The start of the names of the keys, which do not expire.
        lock_timeout: Seconds after its last save for which a feed keeps others out. After a kill, the next process has
            to wait that long. A feed that waits for calls saves every 20 seconds at least; one whose consumer keeps a
            call for longer may lose its place to another feed.
        timeout: Seconds to wait for an answer from Redis.

    Raises:
        ConfigurationError: An argument cannot be used.
    """

    def __init__(
        self,
        client: Redis | RedisCluster,
        *,
        name: str,
        prefix: str = "trtc-records",
        lock_timeout: float = 60.0,
        timeout: float = 3.0,
    ) -> None:
        check_client(client, type(self).__name__)
        name = check_text("name", name, "pass a name of the feed's own")
        prefix = check_text("prefix", prefix, "pass the start of the names of the keys in Redis")
        for argument, value in (("name", name), ("prefix", prefix)):
            if "{" in value or "}" in value:
                raise ConfigurationError(f"{argument}={shorten(value)}: leave out braces, which a cluster interprets")
        key = f"{prefix}:{{{name}}}:feed"
        self._keys = [f"{key}:lock", key, f"{key}:seen"]
        self._lock_milliseconds = max(int(check_seconds("lock_timeout", lock_timeout) * 1000), 1)
        self._timeout = check_seconds("timeout", timeout)
        self._shown = f"url={locate(client)!r}, name={name!r}"
        self._connect: Callable[[], Redis | RedisCluster] = lambda: client
        self._is_ours = False
        self._client: Redis | RedisCluster | None = None
        self._token = ""

    @classmethod
    def from_url(cls, url: str, *, name: str, **arguments: Unpack[RedisCheckpointArguments]) -> Self:
        """Make a checkpoint with a connection of its own, which :meth:`aclose` closes.

        Args:
            url: As for :meth:`trtc_records.quota.redis.RedisRateLimiter.from_url`.
            name: The feed's own name.
            **arguments: Those of the constructor.

        Raises:
            ConfigurationError: An argument cannot be used.
        """
        connect = make_connector(trim(url))
        del url
        if connect is None:
            raise ConfigurationError(BAD_URL)
        try:
            checkpoint = cls(connect(), name=name, **arguments)
        except (ConfigurationError, TypeError) as error:
            # Without the constructor's frame: the password is in the client there.
            raise error.with_traceback(None) from None
        checkpoint._connect, checkpoint._is_ours = connect, True
        return checkpoint

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown})"

    async def load(self) -> tuple[str | None, list[Digest]]:
        """Lock the checkpoint, and return the last place and the digests of the calls seen.

        Raises:
            ConfigurationError: Another feed uses it, or a newer version of this library wrote it.
            CheckpointError: Redis cannot be reached, or the content is damaged.
        """
        if self._client is not None:
            raise ConfigurationError(f"{self} is in use by another feed of this process: give each feed its own name")
        self._client = self._connect()
        self._token = secrets.token_hex(16)
        try:
            place = await self._lock()
            return place, await self._read_digests()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self.aclose()
            raise

    async def save(self, place: str, seen: Collection[Digest], forget_before: int) -> None:
        """Write the place and the digests, all or nothing, and keep the lock.

        Raises:
            CheckpointError: Redis cannot be reached, or another feed has taken it over; nothing was written.
        """
        digests = [number for digest in seen for number in digest]
        outcome = await self._ask(_SAVE, self._token, self._lock_milliseconds, place, forget_before, *digests)
        if _to_text(outcome) == "lost":
            raise CheckpointError(
                f"{self} was taken over by another feed, or deleted, while this one was silent for longer than "
                f"{self._lock_milliseconds / 1000:g} s: run one feed of a name, or pass a longer lock_timeout"
            )

    async def aclose(self) -> None:
        """Unlock the checkpoint, and close the connection unless it is the caller's."""
        if self._client is None:
            return
        try:
            await self._ask(_UNLOCK, self._token)
        except CheckpointError as error:
            logger.warning("a checkpoint was not unlocked, and its lock will lapse by itself: %s", error)
        finally:
            client, self._client = self._client, None
            if self._is_ours:
                await client.aclose()

    async def _lock(self) -> str | None:
        """Take the lock and return the place.

        Raises:
            ConfigurationError: Another feed holds it, or a newer version of this library wrote the place.
            CheckpointError: It cannot be read.
        """
        outcome, *details = await self._ask(_LOCK, self._token, self._lock_milliseconds)
        match _to_text(outcome):
            case "held":
                seconds = max(int(details[0]), 0) / 1000
                raise ConfigurationError(
                    f"{self} is in use by another feed: give each feed its own name. If the process of that feed was "
                    f"killed, its lock lapses in {seconds:.0f} s"
                )
            case "newer":
                raise ConfigurationError(
                    f"{self} was written by a newer version of trtc-records: install that version, or pass another name"
                )
            case "damaged":
                raise self._damaged()
        try:
            return _to_text(details[0]) if details and details[0] is not None else None
        except UnicodeDecodeError:
            raise self._damaged() from None

    async def _read_digests(self) -> list[Digest]:
        digests: list[Digest] = []
        while True:
            first = len(digests)
            flat = await self._ask(_READ, first, first + _AT_ONCE - 1)
            try:
                digests += [(int(value), int(float(ended))) for value, ended in zip(flat[::2], flat[1::2], strict=True)]
            except ValueError:
                raise self._damaged() from None
            if len(flat) < 2 * _AT_ONCE:
                return digests

    def _damaged(self) -> CheckpointError:
        return CheckpointError(
            f"{self} is damaged, or another program's: pass another name, and since= to go on from a time that you know"
        )

    async def _ask(self, script: str, *arguments: float | str) -> Any:
        """Run a script.

        Raises:
            CheckpointError: Redis did not.
        """
        assert self._client is not None, "load() comes first"
        try:
            async with asyncio.timeout(self._timeout):
                return await self._client.register_script(script)(keys=self._keys, args=arguments)
        except FAILURES as error:
            failure = explain(self._client, error, self._timeout)
        # Out here the error has no context: the frames behind it hold the password.
        raise CheckpointError(
            f"{self} cannot be read or written: start Redis, or correct its URL, and start again. It keeps the last "
            f"place that was saved ({failure})"
        )


def _to_text(value: bytes | str) -> str:
    """Return the text of an answer: the caller's client may decode answers, or not."""
    return value if isinstance(value, str) else value.decode()
