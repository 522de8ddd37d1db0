"""Keep the records that could not be read, as the service sent them."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from trtc_records import ResponseDecodeError
from trtc_records.cli._errors import ExitCode
from trtc_records.cli._output import Colour, say
from trtc_records.export import replace_file
from trtc_records.export._json import dump_json

__all__ = ["Rejects"]


class Rejects:
    """Count records that could not be read and, where there is a *path*, write them there as JSON Lines.

    The file appears when the ``with`` block ends well, if there were any; an older one is replaced only then.

    Args:
        path: Where to; ``None`` for nowhere.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._stack = ExitStack()
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    def add(self, raw: Any, error: ResponseDecodeError) -> None:
        """Take what could not be read.

        Args:
            raw: What the service sent.
            error: What is wrong with it.

        Raises:
            OSError: The file cannot be written.
        """
        self._count += 1
        if self._path is None:
            return
        if self._file is None:
            self._file = self._stack.enter_context(replace_file(self._path))
        entry = {"path": error.path, "reason": error.reason, "request_id": error.request_id, "raw": raw}
        self._file.write(dump_json(entry).encode() + b"\n")

    def report(self) -> ExitCode:
        """Say how many there were, if any, and return what that makes of the exit code."""
        if not self._count:
            return ExitCode.DONE
        records, verb = ("1 record", "is") if self._count == 1 else (f"{self._count:,} records", "are")
        where = f" and {verb} left out" if self._path is None else f": see {self._path}"
        say(f"warning: {records} could not be read{where}", colour=Colour.YELLOW)
        return ExitCode.INCOMPLETE
