"""The lock of a file: one process at a time holds it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

__all__ = ["lock_file"]


@contextmanager
def lock_file(path: Path) -> Iterator[None]:
    """Hold the lock of *path*, which is made. SQLite locks a file on every system, and a killed process leaves no lock.

    Raises:
        BlockingIOError: Another process, or another thread, holds it.
        OSError: The file cannot be made or locked.
    """
    try:
        connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    except sqlite3.OperationalError as error:
        raise OSError(f"{path} cannot be locked: {error}") from None
    with closing(connection):
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise BlockingIOError(f"{path} is locked") from None
            raise OSError(f"{path} cannot be locked: {error}") from None
        yield
