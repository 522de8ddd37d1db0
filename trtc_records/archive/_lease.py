"""The lock of an archive in an object store: a file that its owner writes anew every few seconds.

Object stores have no locks, and only some have writes with a condition. This lock needs no more than a store whose
listings show every finished write, as those of S3, Google Cloud Storage and Azure do: whoever writes a file of a new
name, and then finds no other in the listing, holds the lock. Of two that do so at once, at least one sees the other.
A file that does not change for :data:`LEASE` seconds is that of a killed run. No two clocks are compared.
"""

from __future__ import annotations

import errno
import random
import secrets
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import anyio
from anyio.to_thread import run_sync

from trtc_records._errors import CallRecordsWarning, ConfigurationError
from trtc_records._warn import warn_caller
from trtc_records.archive._manifest import MANIFESTS
from trtc_records.export._store import Store

__all__ = ["LEASE", "Lease"]

LEASE: Final = 30.0
"""Seconds after the owner's last write until the lock is free: three tries to renew it."""
_RENEWAL: Final = 10.0
_POLL: Final = 2.0
_TRIES: Final = 5
_LONGEST_PAUSE: Final = 2.0  # before the second try; it doubles
_PREFIX: Final = "lock-"


class Lease:
    """One run's claim to the lock.

    Args:
        store: The archive.
        clock: A clock that only goes forward.
        sleep: A function that waits for seconds.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
    ) -> None:
        self._store = store
        self._clock = clock
        self._sleep = sleep
        self._name = _make_name()
        self._until = 0.0
        self._lost = False
        self._stopped = threading.Event()

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Hold the lock.

        Raises:
            ConfigurationError: Another run holds it.
            OSError: The store cannot be read or written.
        """
        renewal = threading.Thread(target=self._keep, name="trtc-records archive lock", daemon=True)
        try:
            await self.acquire()
            renewal.start()
            yield
        finally:
            self._stopped.set()
            with anyio.CancelScope(shield=True), suppress(OSError):
                if renewal.ident is not None:
                    await run_sync(renewal.join)
                await run_sync(self._store.remove, self._name)

    async def acquire(self) -> None:
        """Take the lock, once no other run holds it.

        Raises:
            ConfigurationError: Another run holds it.

        Warns:
            CallRecordsWarning: There is the lock of a run that may be alive or not.
        """
        for attempt in range(_TRIES):
            # A new one each time: a file that others have seen and that changes is that of a run which holds the lock.
            self._name = _make_name()
            await run_sync(self._write)
            others = await run_sync(self._list_others)
            if not others and self._clock() < self._until:
                return
            await run_sync(self._store.remove, self._name)
            await self._wait_out(others)
            # So that runs that began at once do not meet again.
            await self._sleep(random.uniform(0, _LONGEST_PAUSE * 2**attempt))
        raise self._refuse()

    def renew(self) -> None:
        """Put off the end of the lease."""
        if self._store.read(self._name) is None or self._clock() >= self._until:
            self._lost = True  # another run may have taken it for a killed run's
        else:
            self._write()

    def check(self) -> None:
        """Check that the lock is still held.

        Raises:
            OSError: It is not.
        """
        if self._lost or self._clock() >= self._until:
            raise OSError(
                errno.ENOLCK, f"the lock could not be renewed for {LEASE:.0f} s, and another run may write there"
            )

    def _write(self) -> None:
        began = self._clock()
        self._store.write(self._name, secrets.token_hex(8).encode())
        self._until = began + LEASE

    def _list_others(self) -> list[str]:
        return [
            name
            for name in self._store.list_files(MANIFESTS)
            if name.startswith(f"{MANIFESTS}/{_PREFIX}") and name != self._name
        ]

    async def _wait_out(self, names: list[str]) -> None:
        """Wait until files of other runs are gone, or remove them, once they are known to be a killed run's.

        Raises:
            ConfigurationError: A file changes.
        """
        if names:
            warn_caller(
                f"{self._store.locate()} has the lock of another run: waiting {LEASE:.0f} s at most to see whether it "
                "is alive",
                CallRecordsWarning,
            )
        seen = {name: await run_sync(self._store.read, name) for name in names}
        deadline = self._clock() + LEASE
        is_over = False
        while left := {name: content for name, content in seen.items() if content is not None}:
            if is_over:
                for name in left:
                    await run_sync(self._store.remove, name)
                return
            await self._sleep(_POLL)
            is_over = self._clock() >= deadline
            seen = {name: await run_sync(self._store.read, name) for name in left}
            if any(seen[name] not in {None, content} for name, content in left.items()):
                raise self._refuse()

    def _refuse(self) -> ConfigurationError:
        return ConfigurationError(
            f"directory={self._store.locate()}: another run writes to it: wait until that one ends"
        )

    def _keep(self) -> None:
        while not self._stopped.wait(_RENEWAL) and not self._lost:
            with suppress(OSError):  # there are more tries, and check() knows when the last one has failed
                self.renew()


def _make_name() -> str:
    return f"{MANIFESTS}/{_PREFIX}{secrets.token_hex(8)}"
