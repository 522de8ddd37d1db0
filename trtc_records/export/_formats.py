"""Choose a format by its name or by a file's."""

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
    """Name a format; the name is also what its files end in."""

    JSON_LINES = "jsonl"
    JSON_LINES_GZIP = "jsonl.gz"
    CSV = "csv"
    CSV_GZIP = "csv.gz"
    PARQUET = "parquet"

    @classmethod
    def of(cls, path: PurePath | str) -> Self:
        """Return the format that a file's name ends in; ``.ndjson`` is another name of ``.jsonl``.

        Raises:
            ValueError: It ends in none; the message names them all.
        """
        name = PurePath(path).name.lower().replace(".ndjson", ".jsonl")
        for member in cls:
            if name.endswith(f".{member}"):
                return member
        raise ValueError(f"'{path}' ends in none of {', '.join(f'.{member}' for member in cls)}")

    @property
    def is_text(self) -> bool:
        """Tell whether a person can read it as it is."""
        return self in {FileFormat.JSON_LINES, FileFormat.CSV}


def make_writer(
    target: Path | str | BinaryIO, file_format: FileFormat | str | None = None, *, for_spreadsheets: bool = False
) -> RecordWriter:
    """Return a writer for *target*.

    Args:
        target: A path or an open binary file.
        file_format: A format or its name; by default what the path ends in.
        for_spreadsheets: As :class:`CsvWriter` has it; other formats have no use for it.

    Raises:
        ValueError: There is no such format, or the path's end names none.
        ImportError: The format needs an extra that is not installed; the message names it.
    """
    if file_format is None:
        if not isinstance(target, str | PurePath):
            raise ValueError(f"an open file has no name to tell the format by: pass one of {', '.join(FileFormat)}")
        file_format = FileFormat.of(target)
    file_format = FileFormat(file_format)
    compress = file_format.endswith(_GZ)
    if file_format is FileFormat.PARQUET:
        from trtc_records.export.parquet import ParquetWriter  # noqa: PLC0415  (the extra may be missing)

        return ParquetWriter(target)
    if file_format in {FileFormat.CSV, FileFormat.CSV_GZIP}:
        return CsvWriter(target, compress=compress, for_spreadsheets=for_spreadsheets)
    return JsonLinesWriter(target, compress=compress)
