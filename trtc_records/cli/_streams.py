"""Standard streams that are closed, full, a terminal, or an embedder's own."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, TextIO

__all__ = ["STDOUT", "Terminal", "drop_unwritten", "fill_closed_streams", "get_binary_stdout", "is_stdout"]

STDOUT: Final = "-"
_STDOUT_NAMES: Final = (STDOUT, "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


def is_stdout(output: str) -> bool:
    """Return whether *output* names stdout."""
    return output in _STDOUT_NAMES


class _Nowhere(io.TextIOWrapper):
    """A stream in place of a closed one."""

    def __init__(self) -> None:
        super().__init__(Path(os.devnull).open("wb"), encoding="utf-8")  # noqa: SIM115  (closed with this)


@contextmanager
def fill_closed_streams() -> Iterator[None]:
    """Replace closed streams, as a daemon may have, for the length of a ``with`` block."""
    closed = [name for name in ("stdout", "stderr") if getattr(sys, name) is None]
    for name in closed:
        setattr(sys, name, _Nowhere())
    try:
        yield
    finally:
        for name in closed:
            getattr(sys, name).close()
            setattr(sys, name, None)


def get_binary_stdout() -> BinaryIO:
    """Return stdout for bytes; a terminal with :class:`Terminal` in front.

    Raises:
        ValueError: It is closed, or takes text only, as a ``StringIO`` does.
    """
    if isinstance(sys.stdout, _Nowhere):
        raise ValueError("stdout is closed")  # noqa: TRY004  (the type stands for the state)
    buffer: BinaryIO | None = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        raise ValueError(f"stdout is a {type(sys.stdout).__name__}, which takes text only")
    return Terminal(buffer) if buffer.isatty() else buffer


class Terminal(io.RawIOBase, BinaryIO):
    """A terminal that shows control characters instead of obeying them.

    Args:
        stream: The terminal.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, content: Any, /) -> int:
        """Write lines of UTF-8, with every character that does not print as JSON would escape it."""
        lines = bytes(content).decode(errors="backslashreplace").replace("\r\n", "\n")
        shown = (each if each.isprintable() or each == "\n" else f"\\u{ord(each):04x}" for each in lines)
        self._stream.write("".join(shown).encode())
        return memoryview(content).nbytes

    def flush(self) -> None:
        """Flush the terminal."""
        self._stream.flush()


def drop_unwritten(stream: TextIO) -> None:
    """Flush *stream* and discard the rest, so that the interpreter does not complain at its end."""
    try:
        stream.flush()
    except OSError:
        with suppress(OSError):  # not every stream has a descriptor
            _flush_to_nowhere(stream, stream.fileno())


def _flush_to_nowhere(stream: TextIO, descriptor: int) -> None:
    """Flush *stream* while its *descriptor* is the null device, then restore the descriptor."""
    kept = os.dup(descriptor)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, descriptor)
        stream.flush()
    finally:
        os.dup2(kept, descriptor)
        os.close(nowhere)
        os.close(kept)
