"""The base of all formats: an encoder turns records into bytes without I/O; a thread writes the bytes to a file."""

from __future__ import annotations

import errno
import io
import zlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from anyio.to_thread import run_sync

from trtc_records._api.models import CallRecord
from trtc_records.export._files import replace_file

__all__ = ["Encoder", "Gzip", "RecordWriter", "in_batches"]

_RECORDS_PER_WRITE: Final = 500
"""Records per write. Writes run in a thread, so that a slow disk or pipe delays no request."""

_GZIP_LEVEL: Final = 6
_GZIP_WINDOW: Final = 31  # zlib's number for gzip with the largest window


class Encoder(Protocol):
    """An encoder of records into a file's bytes."""

    def add(self, records: Sequence[CallRecord]) -> bytes:
        """Return the bytes to write after adding *records*."""
        ...

    def finish(self) -> bytes:
        """Return the file's last bytes."""
        ...


class RecordWriter(ABC):
    """A writer of call records in one format.

    Args:
        target: A path, whose file is replaced once every record is written, and not after an error; or an open binary
            file, which is flushed and left open.
    """

    def __init__(self, target: Path | str | BinaryIO) -> None:
        self._target = Path(target) if isinstance(target, str) else target

    async def write(self, records: AsyncIterable[CallRecord] | Iterable[CallRecord]) -> int:
        """Write every record and return their number; memory does not grow with it.

        A cancellation does not wait for a reader that has stopped: a write to an open file may still be in progress.

        Args:
            records: A walk, or any other iterable of records.

        Raises:
            OSError: The target cannot be written.
        """
        if isinstance(self._target, Path):
            with replace_file(self._target) as file:
                return await self._write(records, file)
        return await self._write(records, self._target)

    async def _write(self, records: AsyncIterable[CallRecord] | Iterable[CallRecord], file: BinaryIO) -> int:
        encoder = self._make_encoder()
        abandon = file is self._target  # a pipe may block forever; a file of our own has to be closed and removed
        count = 0
        async for batch in in_batches(records, _RECORDS_PER_WRITE):
            count += len(batch)
            await run_sync(_append, file, encoder, batch, abandon_on_cancel=abandon)
        await run_sync(_finish, file, encoder, abandon_on_cancel=abandon)
        return count

    @abstractmethod
    def _make_encoder(self) -> Encoder:
        """Return an encoder for one file."""


class Gzip:
    """An encoder that compresses the bytes of another one.

    Args:
        encoder: The other encoder.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._compressor = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)

    def add(self, records: Sequence[CallRecord]) -> bytes:
        """Return the compressed bytes so far; the compressor keeps some back."""
        return self._compressor.compress(self._encoder.add(records))

    def finish(self) -> bytes:
        """Return the rest and the checksum."""
        return self._compressor.compress(self._encoder.finish()) + self._compressor.flush()


async def in_batches(
    records: AsyncIterable[CallRecord] | Iterable[CallRecord], size: int
) -> AsyncIterator[list[CallRecord]]:
    """Yield *records*, in order, in lists of *size*; the last one may be shorter."""
    if not isinstance(records, AsyncIterable):
        remaining = iter(records)
        while batch := list(islice(remaining, size)):
            yield batch
        return
    batch = []
    async for record in records:
        batch.append(record)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _append(file: BinaryIO, encoder: Encoder, records: Sequence[CallRecord]) -> None:
    if content := encoder.add(records):
        _write_all(file, content)


def _finish(file: BinaryIO, encoder: Encoder) -> None:
    _write_all(file, encoder.finish())


def _write_all(file: BinaryIO, content: bytes) -> None:
    """Write all of *content*, and flush; an unbuffered file may take a part of it at a time."""
    rest: bytes | memoryview = content
    while rest:
        written: int | None = file.write(rest)
        if written is None:
            if isinstance(file, io.RawIOBase):
                raise BlockingIOError(errno.EAGAIN, "write could not complete without blocking")
            break  # some file-like objects return no count, and take all
        rest = memoryview(rest)[written:]
    file.flush()
