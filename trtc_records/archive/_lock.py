"""The lock of an archive: one run at a time writes to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from trtc_records._errors import ConfigurationError
from trtc_records._lock import lock_file

__all__ = ["lock"]

_NAME: Final = "lock"


@contextmanager
def lock(directory: Path) -> Iterator[None]:
    """Keep other runs from *directory*.

    Raises:
        ConfigurationError: Another run holds the lock, or the file cannot be made.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(lock_file(directory / _NAME))
        except BlockingIOError:
            raise ConfigurationError(
                f"directory={directory.parent}: another run writes to it: wait until that one ends"
            ) from None
        except OSError as error:
            raise ConfigurationError(f"directory={directory.parent}: {error}") from None
        yield
