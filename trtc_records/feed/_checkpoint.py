"""The place at which a feed goes on after a restart, in a file.

State: the connection to the file. All that touches it is in this file.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Collection, Iterable
from contextlib import closing
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

import anyio.to_thread

from trtc_records._errors import CheckpointError, ConfigurationError, shorten
from trtc_records._public import public
from trtc_records.feed._seen import Digest

__all__ = ["Checkpoint", "FileCheckpoint"]

_APPLICATION: Final = 0x54525443
"""The application id in the header of the file: "TRTC"."""
_VERSION: Final = 1

_SCHEMA: Final = """
CREATE TABLE place (only INTEGER PRIMARY KEY CHECK (only = 1), place TEXT NOT NULL);
CREATE TABLE seen (digest INTEGER PRIMARY KEY, ended INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX seen_by_end ON seen (ended);
"""


@public
@runtime_checkable
class Checkpoint(Protocol):
    """A store for the place of one feed. One feed at a time uses it."""

    async def load(self) -> tuple[str | None, Iterable[Digest]]:
        """Lock the store, and return the last place, ``None`` in a new store, and the digests of the calls seen.

        Where it raises, it leaves nothing locked, and :meth:`aclose` is not called.

        Raises:
            ConfigurationError: Another feed uses the store.
            CheckpointError: The store cannot be read.
        """
        ...

    async def save(self, place: str, seen: Collection[Digest], forget_before: int) -> None:
        """Replace the place, add digests, and drop those of calls that ended before a Unix second; all or nothing.

        While a feed waits, this is called every 20 seconds at least, so that a lock can lapse with its process.

        Raises:
            CheckpointError: The store cannot be written.
        """
        ...

    async def aclose(self) -> None:
        """Unlock the store."""
        ...


@public
class FileCheckpoint:
    """A checkpoint in an SQLite file of its own, which one process at a time may use.

    Args:
        path: The file; it is made if it does not exist. Not on a network file system: its locks may not hold.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not isinstance(path, str | os.PathLike) or not os.fspath(path):
            raise ConfigurationError(f"path={shorten(path)}: pass the path of a file")
        self.path: Path = Path(path)
        """The file."""
        self._file: sqlite3.Connection | None = None
        # A cancelled step goes on in its thread, and the next one waits for it.
        self._turn = threading.Lock()
        self._is_in_use = False

    def __repr__(self) -> str:
        return f"FileCheckpoint({str(self.path)!r})"

    async def load(self) -> tuple[str | None, list[Digest]]:
        """Open and lock the file, and return the last place and the digests of the calls seen.

        Raises:
            ConfigurationError: The file cannot be opened, is another program's, or is in use by another feed.
            CheckpointError: The file is damaged.
        """
        if self._is_in_use:
            raise ConfigurationError(f"{self} is in use by another feed of this process: give each feed its own file")
        self._is_in_use = True
        try:
            return await anyio.to_thread.run_sync(self._open)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self.aclose()
            raise

    async def save(self, place: str, seen: Collection[Digest], forget_before: int) -> None:
        """Write the place and the digests, all or nothing.

        Raises:
            CheckpointError: The file cannot be written; it keeps the last place saved.
        """
        await anyio.to_thread.run_sync(self._write, place, seen, forget_before)

    async def aclose(self) -> None:
        """Close and unlock the file."""
        await anyio.to_thread.run_sync(self._close)

    def _open(self) -> tuple[str | None, list[Digest]]:
        with self._turn:
            return self._open_in_turn()

    def _close(self) -> None:
        with self._turn:
            self._is_in_use = False
            if self._file is not None:
                self._file.close()
                self._file = None

    def _open_in_turn(self) -> tuple[str | None, list[Digest]]:
        try:
            # isolation_level=None: this class begins and ends transactions itself.
            file = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
        except (sqlite3.OperationalError, ValueError) as error:  # ValueError: no system takes the path
            raise ConfigurationError(f"{self}: {error}: check that the directory exists and can be written") from None
        try:
            found = self._lock_and_read(file)
        except BaseException:
            file.close()
            raise
        self._file = file
        return found

    def _lock_and_read(self, file: sqlite3.Connection) -> tuple[str | None, list[Digest]]:
        try:
            file.execute("PRAGMA locking_mode = EXCLUSIVE")
            file.execute("BEGIN EXCLUSIVE")
            (application,) = file.execute("PRAGMA application_id").fetchone()
            (version,) = file.execute("PRAGMA user_version").fetchone()
            (objects,) = file.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if application == 0 and objects == 0:
                for statement in _SCHEMA.strip().splitlines():
                    file.execute(statement)
                file.execute(f"PRAGMA application_id = {_APPLICATION}")
                file.execute(f"PRAGMA user_version = {_VERSION}")
            elif application != _APPLICATION:
                raise ConfigurationError(f"{self} is a database of another program: pass another path")
            elif version > _VERSION:
                raise ConfigurationError(
                    f"{self} was written by a newer version of trtc-records: install that version, or pass another path"
                )
            place = file.execute("SELECT place FROM place").fetchone()
            seen = file.execute("SELECT digest, ended FROM seen").fetchall()
            file.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            raise self._explain(error) from None
        return place[0] if place else None, seen

    def _write(self, place: str, seen: Collection[Digest], forget_before: int) -> None:
        with self._turn:
            self._write_in_turn(place, seen, forget_before)

    def _write_in_turn(self, place: str, seen: Collection[Digest], forget_before: int) -> None:
        assert self._file is not None, "load() comes first"
        try:
            with closing(self._file.cursor()) as cursor:
                cursor.execute("BEGIN")
                cursor.execute("INSERT OR REPLACE INTO place VALUES (1, ?)", (place,))
                cursor.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?)", seen)
                cursor.execute("DELETE FROM seen WHERE ended < ?", (forget_before,))
                cursor.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            if self._file.in_transaction:
                self._file.rollback()
            raise self._explain(error) from None

    def _explain(self, error: sqlite3.DatabaseError) -> ConfigurationError | CheckpointError:
        """Return our error for one of SQLite's."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return ConfigurationError(f"{self} is in use by another process: give each feed its own file")
        if code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
            return ConfigurationError(f"{self}: {error}: check that the file and its directory can be written")
        remedy = "move the file away, and pass since= to go on from a time that you know"
        if code == sqlite3.SQLITE_FULL:
            remedy = "free some space and start again: the file keeps the last place that was saved"
        elif code == sqlite3.SQLITE_IOERR:
            remedy = "check the disk and start again: the file keeps the last place that was saved"
        return CheckpointError(f"{self}: {error}: {remedy}")
