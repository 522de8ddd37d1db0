"""The credential: the secret key or UserSig, renewed in time.

State: the UserSig in use and when to renew it. Everything that touches it is in this file.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Final

import anyio

from trtc_records._api.usersig import DAY, generate_user_sig, read_user_sig
from trtc_records._errors import ConfigurationError
from trtc_records._secret import Secret

__all__ = ["Credential", "UserSigProvider", "make_credential"]

UserSigProvider = Callable[[], str | Awaitable[str]]

_RENEW_SHARE: Final = 0.1  # of the lifetime left: 2.4 hours of a day, more than any clock is off


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
        lifetimes = count(DAY)  # each a second longer, so that no UserSig equals one that was refused within its second

        def produce() -> Secret:
            lifetime, now = next(lifetimes), int(clock())
            return Secret(
                generate_user_sig(sdk_app_id, identifier, secret_key.reveal(), lifetime=lifetime, issued_at=now)
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
            produced = provider()
            if inspect.isawaitable(produced):
                produced = await produced
            hidden, kind = Secret(produced), type(produced).__name__
            del produced  # error reporters collect the variables of a frame
            user_sig = hidden.clean()
            if user_sig is None:
                raise ConfigurationError(f"user_sig: the callable returned {kind}; return a non-empty str")
            return user_sig

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
    cleaned = secret.clean() if isinstance(secret, Secret) else None
    if cleaned is None:
        raise ConfigurationError(
            f"{name}: an empty string, or no string, or one with line feeds inside; pass a non-empty string"
        )
    if user_sig is None:
        return Credential.from_secret_key(sdk_app_id, identifier, cleaned, clock=clock)
    return Credential.from_user_sig(cleaned)
