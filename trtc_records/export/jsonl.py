"""JSON Lines: one object per line, one line per call record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from json.encoder import encode_basestring_ascii
from pathlib import Path
from typing import Any, BinaryIO, Final

from trtc_records._api.models import CallRecord
from trtc_records.export._columns import COLUMNS, Kind
from trtc_records.export._rows import make_typed_columns, show_time
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
        columns = zip(COLUMNS, make_typed_columns(records), strict=True)
        values = (map(_ENCODERS[column.kind], cells) for column, cells in columns)
        return "".join(map(_LINE.__mod__, zip(*values, strict=True))).encode("ascii")

    def finish(self) -> bytes:
        return b""


def _or_null(encode: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: "null" if value is None else encode(value)


_LINE: Final = "{" + ",".join(f"{encode_basestring_ascii(column.name)}:%s" for column in COLUMNS) + "}\n"
_ENCODERS: Final[dict[Kind, Callable[[Any], str]]] = {
    Kind.TEXT: encode_basestring_ascii,
    Kind.TEXTS: lambda texts: f"[{','.join(map(encode_basestring_ascii, texts))}]",
    Kind.TIME: _or_null(lambda time: f'"{show_time(time)}"'),
    Kind.SECONDS: _or_null(int.__repr__),
    Kind.INTEGER: _or_null(int.__repr__),
    Kind.OBJECT: encode_basestring_ascii,
}
"""The JSON of a cell. A template for each line is faster than a JSON encoder that is given a dict."""
