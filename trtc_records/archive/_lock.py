"""The lock of an archive: one run at a time writes to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from trtc_records._errors import ConfigurationError

__all__ = ["lock"]

_NAME: Final = "lock"


@contextmanager
def lock(directory: Path) -> Iterator[None]:
    """Keep other runs from *directory*. SQLite locks a file on every system, and a killed process leaves no lock.

    Raises:
        ConfigurationError: Another run holds the lock, or the file cannot be made.
    """
    path = directory / _NAME
    try:
        connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    except sqlite3.OperationalError as error:
        raise ConfigurationError(f"directory={directory.parent}: {path} cannot be locked: {error}") from None
    with closing(connection):
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise ConfigurationError(
                    f"directory={directory.parent}: another run writes to it: wait until that one ends"
                ) from None
            raise ConfigurationError(f"directory={directory.parent}: {path} cannot be locked: {error}") from None
        yield
