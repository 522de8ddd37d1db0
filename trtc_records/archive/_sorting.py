"""Sort the records of a day in bounded memory: sorted runs go to unnamed temporary files, and are merged."""

from __future__ import annotations

import heapq
import pickle
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, Final, Self, cast

from anyio.to_thread import run_sync

from trtc_records._api.models import CallRecord

__all__ = ["Sorter", "get_order"]

_MOST_HELD: Final = 50_000
"""Records in memory; some 30 to 60 MB."""
_CHUNK: Final = 200
"""Records of each run in memory while runs are merged."""

get_order: Final = attrgetter("start_time", "call_id")
"""The key by which the records of a file are sorted."""


class Sorter:
    """Records of a walk, sorted by start time, then call id.

    A service may select calls by their end, and may send them in any order. Then no call is known to be a day's next
    one before the walk has ended.

    Args:
        directory: The directory of temporary files, which have no name there and do not outlive the process.
        most_held: Records to hold in memory.
    """

    def __init__(self, directory: Path, *, most_held: int = _MOST_HELD) -> None:
        self._directory = directory
        self._most_held = most_held
        self._held: list[CallRecord] = []
        self._files = ExitStack()
        self._runs: list[BinaryIO] = []
        self._merged: Iterator[CallRecord] | None = None
        self._next: CallRecord | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    async def add(self, records: Sequence[CallRecord]) -> None:
        """Take some records.

        Raises:
            OSError: A temporary file cannot be written.
        """
        self._held += records
        if len(self._held) >= self._most_held:
            run, self._held = self._held, []
            await run_sync(self._spill, run)

    def take(self, end: datetime) -> Iterator[CallRecord]:
        """Yield, in order, the calls that started before *end* and that were not taken before."""
        if self._merged is None:
            self._held.sort(key=get_order)
            self._merged = iter(self._held)
            if self._runs:
                self._merged = heapq.merge(*map(_read, self._runs), self._merged, key=get_order)
        while (record := self._next or next(self._merged, None)) is not None:
            self._next = record
            if record.start_time >= end:
                return
            self._next = None
            yield record

    def _spill(self, run: list[CallRecord]) -> None:
        run.sort(key=get_order)
        file = self._files.enter_context(_open_unnamed(self._directory))
        for first in range(0, len(run), _CHUNK):
            pickle.dump(run[first : first + _CHUNK], file, pickle.HIGHEST_PROTOCOL)
        file.seek(0)
        self._runs.append(file)


def _open_unnamed(directory: Path) -> BinaryIO:
    return cast("BinaryIO", TemporaryFile(dir=directory))


def _read(file: BinaryIO) -> Iterator[CallRecord]:
    while True:
        try:
            chunk = pickle.load(file)  # noqa: S301  (this process has written it, and no other can open it)
        except EOFError:
            return
        yield from chunk
