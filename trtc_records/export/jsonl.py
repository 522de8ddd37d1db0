"""JSON Lines: one object per line, one line per call record."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable
from pathlib import Path
from typing import BinaryIO, Final

from anyio.to_thread import run_sync

from trtc_records._models import CallRecord
from trtc_records.export._files import replace_file
from trtc_records.export._rows import make_row

__all__ = ["JsonLinesWriter"]

_LINES_PER_WRITE: Final = 500
"""A write goes to a thread, so that a slow disk or pipe does not hold up the requests; this many share the cost."""


class JsonLinesWriter:
    """Write call records as JSON Lines, in ASCII.

    Args:
        target: A path, whose file is replaced once every record is written and stays as it was after an
            error; or an open binary file, which is flushed and left open.
    """

    def __init__(self, target: Path | str | BinaryIO) -> None:
        self._target = Path(target) if isinstance(target, str) else target

    async def write(self, records: AsyncIterable[CallRecord]) -> int:
        """Write every record and return how many there were.

        Raises:
            OSError: The target cannot be written.
        """
        if isinstance(self._target, Path):
            with replace_file(self._target) as file:
                return await _write(records, file)
        return await _write(records, self._target)


async def _write(records: AsyncIterable[CallRecord], file: BinaryIO) -> int:
    count = 0
    lines: list[str] = []
    async for record in records:
        lines.append(json.dumps(make_row(record), separators=(",", ":")))
        count += 1
        if len(lines) == _LINES_PER_WRITE:
            await run_sync(_append, file, lines)
            lines = []
    await run_sync(_append, file, lines)
    return count


def _append(file: BinaryIO, lines: list[str]) -> None:
    file.write("".join(f"{line}\n" for line in lines).encode("ascii"))
    file.flush()
