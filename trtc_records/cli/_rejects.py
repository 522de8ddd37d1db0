"""Write the records that could not be read to a file beside the output."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from trtc_records import ResponseDecodeError
from trtc_records.cli._errors import explain_writing
from trtc_records.cli._exit_codes import ExitCode
from trtc_records.cli._output import Colour, say
from trtc_records.export import Pseudonyms, replace_file
from trtc_records.export._rejects import encode_reject

__all__ = ["Rejects", "describe_rejects"]


class Rejects:
    """The records that could not be read, counted and, with a *path*, written to it as JSON Lines.

    When the ``with`` block ends without an error, the file replaces that of an earlier run; if every record could be
    read, that one is removed.

    Args:
        path: The file; ``None`` for none.
        pseudonyms: If given, the file has the reasons, and no value of a record.
    """

    def __init__(self, path: Path | None, pseudonyms: Pseudonyms | None = None) -> None:
        self._path = path
        self._pseudonyms = pseudonyms
        self._file: BinaryIO | None = None
        self._stack = ExitStack()
        self.count = 0
        """The number of records added."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, traceback)
        if kind is None and self._path is not None and self._file is None:
            with explain_writing(self._path):
                self._path.unlink(missing_ok=True)

    def add(self, raw: Any, error: ResponseDecodeError) -> None:
        """Add a record.

        Args:
            raw: The record as the service sent it.
            error: The reason why it cannot be read.

        Raises:
            OSError: The file cannot be written.
        """
        self.count += 1
        if self._path is None:
            return
        if self._file is None:
            self._file = self._stack.enter_context(replace_file(self._path))
        self._file.write(encode_reject(raw, error, self._pseudonyms))

    def report(self) -> ExitCode:
        """Print the number of records, if any, and return the exit code that they call for."""
        if not self.count:
            return ExitCode.DONE
        lost = describe_rejects(self.count) if self._path is None else f"{_count(self.count)}: see {self._path}"
        say(f"warning: {lost}", colour=Colour.YELLOW)
        return ExitCode.INCOMPLETE


def describe_rejects(count: int) -> str:
    """Return the text on a number of records that could not be read."""
    return f"{_count(count)} and {'is' if count == 1 else 'are'} left out"


def _count(count: int) -> str:
    return f"{'1 record' if count == 1 else f'{count:,} records'} could not be read"
