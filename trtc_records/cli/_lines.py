"""Append call records to a file or to stdout, one line of JSON each, as they come."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

import anyio
import attrs

from trtc_records import CallRecord
from trtc_records.cli._errors import CommandError, explain_writing
from trtc_records.cli._output import Colour, say
from trtc_records.cli._signals import Stop
from trtc_records.cli._status import Status
from trtc_records.cli._streams import get_binary_stdout, is_stdout
from trtc_records.export import JsonLinesWriter

__all__ = ["Ending", "Lines", "open_lines", "pour"]

_GRACE: Final = 1.0
"""Seconds that the line in hand has after a signal."""


class Lines:
    """An output of JSON Lines, flushed after each record.

    Args:
        name: The output's name, for messages.
        stream: The output, open.
    """

    def __init__(self, name: str, stream: BinaryIO) -> None:
        self._name = name
        self._stream = stream
        self._writer = JsonLinesWriter(stream)
        self._mode = _get_mode(stream)

    async def write(self, record: CallRecord) -> None:
        """Write one line; a cancellation interrupts it only where a reader may have stopped, and so never in a file.

        Raises:
            CommandError: It cannot be written.
            BrokenPipeError: The reader has gone.
        """
        with explain_writing(self._name), anyio.CancelScope(shield=stat.S_ISREG(self._mode)):
            await self._writer.write([record])

    @contextmanager
    def watch(self, on_gone: Callable[[], object]) -> Iterator[None]:
        """Call *on_gone* once the reader of a pipe has gone, which the next line would find out otherwise."""
        loop, is_watched = asyncio.get_running_loop(), False
        if stat.S_ISFIFO(self._mode):
            with suppress(OSError, NotImplementedError):  # not every event loop can watch a pipe
                # The end of a pipe for writing is never readable: an error is all that wakes this.
                loop.add_reader(self._stream.fileno(), on_gone)
                is_watched = True
        try:
            yield
        finally:
            if is_watched:
                loop.remove_reader(self._stream.fileno())


def _get_mode(stream: BinaryIO) -> int:
    try:
        return os.fstat(stream.fileno()).st_mode
    except OSError:  # a stream of the program that runs the command
        return 0


@contextmanager
def open_lines(output: str) -> Iterator[Lines]:
    """Open an output: ``-`` is stdout; a file is never cut, and begins a new line if its last one has no end.

    Raises:
        CommandError: It cannot be opened.
    """
    if is_stdout(output):
        try:
            stream = get_binary_stdout()
        except ValueError as error:
            raise CommandError(str(error), "choose an --output") from error
        yield Lines("stdout", stream)
        return
    with explain_writing(output):
        # Unbuffered, so that a line is one write, and nothing is left over from one that failed.
        file = Path(output).open("ab", buffering=0)  # noqa: SIM115  (closed below)
    with file:
        with explain_writing(output):
            if _is_cut(Path(output)):
                file.write(b"\n")
                say(f"warning: the last line of {output} is cut; records follow on a new line", colour=Colour.YELLOW)
        yield Lines(output, file)


def _is_cut(path: Path) -> bool:
    """Return whether a file does not end in a line feed."""
    if not path.is_file() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


@attrs.define
class Ending:
    """The reason why :func:`pour` ended."""

    number: int | None = None
    """The signal that stopped it, if any."""
    is_whole: bool = True
    """Whether each record that was taken was written."""
    reader_has_gone: bool = False

    def check(self) -> None:
        """Return after a good end: SIGTERM, which ends a service, or the limit.

        Raises:
            BrokenPipeError: The reader has gone.
            KeyboardInterrupt: Another signal came; or the reader has stopped, and a thread may hang in a write.
        """
        if self.reader_has_gone:
            raise BrokenPipeError
        if self.number not in {None, signal.SIGTERM} or not self.is_whole:
            raise KeyboardInterrupt


async def pour(
    records: AsyncGenerator[CallRecord, None],
    lines: Lines,
    stop: Stop,
    *,
    limit: int | None = None,
    status: Status,
) -> Ending:
    """Write each record as it comes, until a signal, the limit, or the end of the reader.

    Args:
        records: The records; a record counts as given when the next one is asked for.
        lines: The output.
        stop: The signal that ends it.
        limit: The most records to write; by default no limit.
        status: The status line, hidden while a record is written.
    """
    loop, ending, count = asyncio.get_running_loop(), Ending(), 0

    def end() -> None:
        # A line that is being written is most often done in no time; only a reader that has stopped takes longer.
        loop.call_later(0 if ending.is_whole else _GRACE, scope.cancel)

    def leave() -> None:
        ending.reader_has_gone = True
        scope.cancel()

    with anyio.CancelScope() as scope, stop.calling(lambda: loop.call_soon_threadsafe(end)), lines.watch(leave):
        while count != limit and stop.number is None and not ending.reader_has_gone:
            record = await anext(records)
            ending.is_whole = False
            with status.hide():
                await lines.write(record)
                status.add(record)
            ending.is_whole = True
            count += 1
    if ending.is_whole:
        with anyio.move_on_after(0):  # the request alone marks the last record as given
            await anext(records, None)
    ending.number = stop.number
    return ending
