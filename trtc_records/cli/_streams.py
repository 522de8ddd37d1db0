"""Make do with the streams that there are: closed, full, or an embedder's own."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, TextIO

__all__ = ["STDOUT", "drop_unwritten", "fill_closed_streams", "get_binary_stdout", "is_stdout"]

STDOUT: Final = "-"
_STDOUT_NAMES: Final = (STDOUT, "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


def is_stdout(output: str) -> bool:
    """Tell whether *output* means stdout, which is then written to as it stands."""
    return output in _STDOUT_NAMES


class _Nowhere(io.TextIOWrapper):
    """Stand in for a stream that is closed."""

    def __init__(self) -> None:
        super().__init__(Path(os.devnull).open("wb"), encoding="utf-8")  # noqa: SIM115  (closed with this)


@contextmanager
def fill_closed_streams() -> Iterator[None]:
    """Give a daemon, whose streams may be closed, streams that lead nowhere, for the length of a ``with`` block."""
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
    """Return stdout for bytes.

    Raises:
        ValueError: It is closed, or takes text only, as a ``StringIO`` does.
    """
    if isinstance(sys.stdout, _Nowhere):
        raise ValueError("stdout is closed")  # noqa: TRY004  (the type stands for the state)
    buffer: BinaryIO | None = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        raise ValueError(f"stdout is a {type(sys.stdout).__name__}, which takes text only")
    return buffer


def drop_unwritten(stream: TextIO) -> None:
    """Flush *stream*; what it cannot write goes nowhere, lest the interpreter complain about it at its end."""
    try:
        stream.flush()
    except OSError:
        with suppress(OSError):  # not every stream has a descriptor
            _flush_to_nowhere(stream, stream.fileno())


def _flush_to_nowhere(stream: TextIO, descriptor: int) -> None:
    """Flush *stream* while its *descriptor* leads nowhere; then it leads where it did."""
    kept = os.dup(descriptor)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, descriptor)
        stream.flush()
    finally:
        os.dup2(kept, descriptor)
        os.close(nowhere)
        os.close(kept)
