"""The credential: the secret key or UserSig, renewed in time, and never shown.

State: the UserSig in use and when to renew it. Everything that touches it is in this file.
"""

from __future__ import annotations

import inspect
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, NoReturn

import anyio

from trtc_records._api.usersig import DAY, generate_user_sig, read_user_sig
from trtc_records._checks import is_text
from trtc_records._errors import ConfigurationError

__all__ = ["Credential", "Secret", "UserSigProvider", "hide", "make_credential", "mask_logs"]

UserSigProvider = Callable[[], str | Awaitable[str]]

_MASK: Final = "***"
_LOGGERS: Final = (
    *("anyio", "asyncio", "h11", "hpack.hpack", "hpack.table", "httpx"),
    *(f"httpcore.{name}" for name in ("connection", "http11", "http2", "proxy", "socks")),
)
"""The loggers that may see a response before the mask is put on."""
_RENEW_SHARE: Final = 0.1  # of the lifetime left: 2.4 hours of a day, more than any clock is off


class Secret:
    """A text that prints as ``***`` and cannot be pickled, copied out or compared by accident."""

    __slots__ = ("_mask", "_reveal")
    _reveal: Callable[[], Any]

    def __init__(self, value: Any) -> None:
        # In a closure: code that walks over attributes does not find the text.
        self._reveal = lambda: value
        self._mask: Callable[[bytes], bytes] | None = None

    @property
    def is_text(self) -> bool:
        """Return whether it is a string that is not empty and can be sent."""
        return is_text(self._reveal())

    def reveal(self) -> str:
        """Return the text."""
        text: str = self._reveal()
        return text

    def mask(self, data: bytes) -> bytes:
        """Replace the text in *data*, also where it is escaped as in URLs, JSON or HTML."""
        if self._mask is None:
            self._mask = _make_mask(self.reveal().encode())
        return self._mask(data)

    def mask_text(self, text: str) -> str:
        """Replace the text in *text*."""
        return self.mask(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def __repr__(self) -> str:
        return _MASK

    __str__ = __repr__

    def __format__(self, _: str) -> str:
        return _MASK

    def __reduce_ex__(self, _: object) -> NoReturn:
        raise TypeError("a secret cannot be pickled or copied")


def _make_mask(secret: bytes) -> Callable[[bytes], bytes]:
    """Return a function that replaces *secret* by the mask; it keeps the text in a closure, as a secret does."""
    pattern = re.compile(b"".join(map(_match_escaped, secret)))
    # Nobody escapes letters and digits: where the longest run of them is missing, as it nearly always is, all is.
    longest = max(re.findall(rb"[A-Za-z0-9]*", secret), key=len)

    def mask(data: bytes) -> bytes:
        return pattern.sub(_MASK.encode(), data) if longest in data else data

    return mask


def _match_escaped(code: int) -> bytes:
    """Return the pattern of a byte, as it is and as URLs (escaped once or more), JSON and HTML escape it."""
    plain = re.escape(bytes([code]))
    if plain.isalnum():
        return plain
    escaped = rb"%%(?:25)*(?i:%02x)|\\+(?:u00|x)(?i:%02x)|&#0*%d;|&#[xX]0*(?i:%x);" % (code, code, code, code)
    return rb"(?:\\*%b|%b)" % (plain, escaped)


class _LogMask(logging.Filter):
    """A filter that puts the mask on the UserSig of the request that a record is about."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the message of *record*; every record passes."""
        secret = _in_use.get()
        if secret is not None:
            record.msg, record.args = secret.mask_text(record.getMessage()), ()
        return True


_in_use: ContextVar[Secret | None] = ContextVar("_in_use", default=None)
for _name in _LOGGERS:
    logging.getLogger(_name).addFilter(_LogMask())


@contextmanager
def mask_logs(user_sig: Secret) -> Iterator[None]:
    """Mask *user_sig* in whatever other libraries log within."""
    token = _in_use.set(user_sig)
    try:
        yield
    finally:
        _in_use.reset(token)


def hide(value: object) -> object:
    """Wrap a credential of any type; ``None``, callables and secrets stay as they are."""
    return value if value is None or callable(value) or isinstance(value, Secret) else Secret(value)


class Credential:
    """The source of the UserSig that signs requests."""

    def __init__(
        self,
        produce: Callable[[], Secret | Awaitable[Secret]],
        *,
        renewable: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._produce = produce
        self._renewable = renewable
        self._clock = clock
        self._current: Secret | None = None
        self._renew_at = 0.0
        self._lock = anyio.Lock()

    @classmethod
    def from_secret_key(
        cls, sdk_app_id: int, identifier: str, secret_key: Secret, *, clock: Callable[[], float] = time.time
    ) -> Credential:
        """Sign UserSigs for a day each, each well before the last one expires."""

        def produce() -> Secret:
            return Secret(
                generate_user_sig(sdk_app_id, identifier, secret_key.reveal(), lifetime=DAY, issued_at=int(clock()))
            )

        return cls(produce, renewable=True, clock=clock)

    @classmethod
    def from_user_sig(cls, user_sig: Secret) -> Credential:
        """Use one UserSig until the service refuses it."""
        return cls(lambda: user_sig, renewable=False)

    @classmethod
    def from_provider(cls, provider: UserSigProvider, *, clock: Callable[[], float] = time.time) -> Credential:
        """Call *provider* for a UserSig, and again before it expires or when the service calls it expired."""

        async def produce() -> Secret:
            user_sig = provider()
            if inspect.isawaitable(user_sig):
                user_sig = await user_sig
            if not isinstance(user_sig, str) or not user_sig:
                raise ConfigurationError(
                    f"user_sig: the callable returned {type(user_sig).__name__}; return a non-empty str"
                )
            return Secret(user_sig)

        return cls(produce, renewable=True, clock=clock)

    async def get(self) -> Secret:
        """Return a UserSig that is not about to expire."""
        if self._current is not None and self._clock() < self._renew_at:
            return self._current
        async with self._lock:
            if self._current is None or self._clock() >= self._renew_at:
                produced = self._produce()
                self._current = produced if isinstance(produced, Secret) else await produced
                self._renew_at = self._clock() + _time_to_renewal(self._current, self._clock())
            return self._current

    def renew(self, refused: Secret) -> bool:
        """Drop the UserSig that the service called expired; return whether :meth:`get` can give another.

        Many requests may be refused for one UserSig: only the first of them drops it.
        """
        if self._renewable and self._current is refused:
            self._current = None
        return self._renewable


def _time_to_renewal(user_sig: Secret, now: float) -> float:
    """Return the seconds after which to renew; infinity where the UserSig cannot be read."""
    try:
        claims = read_user_sig(user_sig.reveal())
    except ValueError:
        return float("inf")
    return max(claims.expires_at - now - _RENEW_SHARE * claims.lifetime, 0.0)


def make_credential(
    sdk_app_id: int, identifier: str, secret_key: object, user_sig: object, clock: Callable[[], float]
) -> Credential:
    """Return the credential that signs requests. Both secrets are hidden, and no message shows one.

    Raises:
        ConfigurationError: Neither or both are given, or the one given cannot be used.
    """
    if (secret_key is None) == (user_sig is None):
        given = "neither" if user_sig is None else "both"
        raise ConfigurationError(f"secret_key and user_sig: {given} given; pass one of them")
    if callable(user_sig):
        return Credential.from_provider(user_sig, clock=clock)
    name, secret = ("secret_key", secret_key) if user_sig is None else ("user_sig", user_sig)
    if not isinstance(secret, Secret) or not secret.is_text:
        raise ConfigurationError(f"{name}: an empty string, or no string, given; pass a non-empty string")
    if user_sig is None:
        return Credential.from_secret_key(sdk_app_id, identifier, secret, clock=clock)
    return Credential.from_user_sig(secret)
