"""JSON Lines: one object per line, one line per call record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from trtc_records._api.models import CallRecord
from trtc_records.export._json import dump_json
from trtc_records.export._rows import make_row
from trtc_records.export._writer import Encoder, Gzip, RecordWriter

__all__ = ["JsonLinesWriter"]


class JsonLinesWriter(RecordWriter):
    """A writer of JSON Lines, in ASCII.

    Args:
        target: A path, whose file is replaced once every record is written, and not after an error; or an open binary
            file, which is flushed and left open.
        compress: Whether to compress with gzip; no by default.
    """

    def __init__(self, target: Path | str | BinaryIO, *, compress: bool = False) -> None:
        super().__init__(target)
        self._compress = compress

    def _make_encoder(self) -> Encoder:
        return Gzip(_JsonLines()) if self._compress else _JsonLines()


class _JsonLines:
    def add(self, records: Sequence[CallRecord]) -> bytes:
        lines = [dump_json(make_row(record), separators=(",", ":")) for record in records]
        return "".join(f"{line}\n" for line in lines).encode("ascii")

    def finish(self) -> bytes:
        return b""
