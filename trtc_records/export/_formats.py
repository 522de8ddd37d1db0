"""File formats, and the choice of one by its name or by a file's extension."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path, PurePath
from typing import BinaryIO, Final, Self

from trtc_records.export._writer import RecordWriter
from trtc_records.export.csv import CsvWriter
from trtc_records.export.jsonl import JsonLinesWriter

__all__ = ["FileFormat", "make_writer"]

_GZ: Final = ".gz"


class FileFormat(StrEnum):
    """A file format; its value is also the extension of its files."""

    JSON_LINES = "jsonl"
    JSON_LINES_GZIP = "jsonl.gz"
    CSV = "csv"
    CSV_GZIP = "csv.gz"
    PARQUET = "parquet"

    @classmethod
    def of(cls, path: PurePath | str) -> Self:
        """Return the format of a file by its extension; ``.ndjson`` is another one of JSON Lines.

        Raises:
            ValueError: The extension belongs to no format; the message lists all extensions.
        """
        name = PurePath(path).name.lower().replace(".ndjson", ".jsonl")
        for member in cls:
            if name.endswith(f".{member}"):
                return member
        raise ValueError(f"'{path}' ends in none of {', '.join(f'.{member}' for member in cls)}")

    @property
    def is_text(self) -> bool:
        """Return whether the format is text that a person can read."""
        return self in {FileFormat.JSON_LINES, FileFormat.CSV}


def make_writer(
    target: Path | str | BinaryIO, file_format: FileFormat | str | None = None, *, for_spreadsheets: bool = False
) -> RecordWriter:
    """Return a writer for *target*.

    Args:
        target: A path or an open binary file.
        file_format: A format or its name; by default that of the path's extension.
        for_spreadsheets: Option of :class:`CsvWriter`; other formats ignore it.

    Raises:
        ValueError: The name or the path's extension belongs to no format.
        ImportError: The format needs an extra that is not installed; the message names it.
    """
    if file_format is None:
        if not isinstance(target, str | PurePath):
            raise ValueError(f"an open file has no extension that sets the format: pass one of {', '.join(FileFormat)}")
        file_format = FileFormat.of(target)
    file_format = FileFormat(file_format)
    compress = file_format.endswith(_GZ)
    if file_format is FileFormat.PARQUET:
        from trtc_records.export.parquet import ParquetWriter  # noqa: PLC0415  (the extra may be missing)

        return ParquetWriter(target)
    if file_format in {FileFormat.CSV, FileFormat.CSV_GZIP}:
        return CsvWriter(target, compress=compress, for_spreadsheets=for_spreadsheets)
    return JsonLinesWriter(target, compress=compress)
