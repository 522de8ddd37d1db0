"""Connections to Redis or Valkey, and their errors, without the password.

Importing this module needs redis-py, and no other third party.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError

from trtc_records._errors import ConfigurationError

__all__ = ["BAD_URL", "FAILURES", "check_client", "explain", "locate", "make_connector"]

BAD_URL: Final = (
    "url: not a URL of the form 'redis://user:password@host:6379/0' (or rediss://, valkey://, valkeys://, unix://), or "
    "its query has a bad parameter; percent-encode special characters in a password"
)
"""The message for a URL that cannot be used. Value and reason are left out: either may hold the password, or a part."""

_WRONG_PARAMETER: Final = (TypeError, ValueError, LookupError)
"""The errors that redis-py raises for a bad parameter of the URL; it checks some only when it connects."""

FAILURES: Final = (RedisError, RedisClusterException, OSError, TimeoutError, *_WRONG_PARAMETER)
"""The errors of a command that Redis did not carry out."""


def check_client(client: object, name: str) -> None:
    """Check that it is a client of redis-py for asyncio; *name* is the class that it is for.

    Raises:
        ConfigurationError: It is not.
    """
    if not isinstance(client, Redis | RedisCluster):
        raise ConfigurationError(
            f"client: {type(client).__name__} given; pass a redis.asyncio.Redis, or use {name}.from_url()"
        )


def make_connector(url: object) -> Callable[[], Redis] | None:
    """Return a function that makes a client for *url*, or ``None`` if the URL cannot be used."""
    if not isinstance(url, str) or "://" not in url:  # redis-py would take all behind "unix:" for a path
        return None
    if url.startswith(("valkey://", "valkeys://")):
        url = url.replace("valkey", "redis", 1)
    target = url

    def connect() -> Redis:
        # One more attempt at once, as a pooled connection may have died; the caller decides on later ones.
        return Redis.from_url(target, retry=Retry(NoBackoff(), 1))

    try:
        # Check the parameters without connecting.
        client = connect()
        pool: Any = client.connection_pool
        pool.make_connection()
        client.register_script("")
    except (RedisError, AttributeError, *_WRONG_PARAMETER):
        return None
    return connect


def explain(client: Redis | RedisCluster, error: Exception, timeout: float) -> str:
    """Return the kind and the reason of a failure; *timeout* is the seconds after which no answer counts as one."""
    reason = str(error) or f"no answer within {timeout:g} s"
    if password := _settings(client).get("password"):
        reason = reason.replace(str(password), "***")
    return f"{type(error).__name__}: {reason}"


def locate(client: Redis | RedisCluster) -> str:
    """Return the address that a client connects to, without the credentials."""
    if isinstance(client, RedisCluster):
        return ", ".join(f"redis://{node.host}:{node.port}" for node in client.get_nodes() or client.startup_nodes)
    settings = _settings(client)
    if path := settings.get("path"):
        return f"unix://{path}"
    scheme = "rediss" if "SSL" in client.connection_pool.connection_class.__name__ else "redis"
    return f"{scheme}://{settings.get('host', 'localhost')}:{settings.get('port', 6379)}/{settings.get('db') or 0}"


def _settings(client: Redis | RedisCluster) -> dict[str, Any]:
    pool: Any = client if isinstance(client, RedisCluster) else client.connection_pool
    settings: dict[str, Any] = pool.connection_kwargs
    return settings
