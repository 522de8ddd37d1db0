"""One writer per archive."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from trtc_records._errors import ConfigurationError
from trtc_records._lock import lock_file
from trtc_records.archive._lease import Lease
from trtc_records.archive._manifest import MANIFESTS
from trtc_records.export._store import LocalStore, Store

__all__ = ["lock"]

_NAME: Final = "lock"


@asynccontextmanager
async def lock(store: Store) -> AsyncIterator[Callable[[], None]]:
    """Keep other runs from an archive; yield a function that checks that the lock is still held.

    Raises:
        ConfigurationError: Another run holds the lock, or it cannot be made.
        OSError: The store cannot be written.
    """
    if isinstance(store, LocalStore):
        directory = store.root / MANIFESTS
        directory.mkdir(parents=True, exist_ok=True)
        with _lock_directory(directory):
            yield _hold
    else:
        lease = Lease(store)
        async with lease.hold():
            yield lease.check


def _hold() -> None:
    """Check nothing: the system keeps the lock of a file for as long as the process runs."""


@contextmanager
def _lock_directory(directory: Path) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(lock_file(directory / _NAME))
        except BlockingIOError:
            raise ConfigurationError(
                f"directory={directory.parent}: another run writes to it: wait until that one ends"
            ) from None
        except OSError as error:
            raise ConfigurationError(
                f"directory={directory.parent}: {error}: remove that file, or pass another directory"
            ) from None
        yield
