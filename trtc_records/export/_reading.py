"""Call records back from the files of this library."""

from __future__ import annotations

import csv
import gzip
import json
import sys
import zlib
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from trtc_records._api.models import CallRecord
from trtc_records.export._columns import NewerSchemaError
from trtc_records.export._formats import FileFormat
from trtc_records.export._rows import record_from_row
from trtc_records.export._spreadsheets import has_header, restore_row
from trtc_records.export._store import Store, open_store

__all__ = ["DATA_FILE", "list_data_files", "read_records"]

DATA_FILE: Final = "calls"
"""The name of the files of an archive, without the extension."""
_COMPRESSED: Final = (FileFormat.JSON_LINES_GZIP, FileFormat.CSV_GZIP)
_LONGEST_CELL: Final = min(sys.maxsize, 2**31 - 1)  # more than a long of Windows is refused
_DAMAGES: Final = (EOFError, gzip.BadGzipFile, zlib.error, csv.Error, ValueError)


def read_records(path: Path | str, file_format: FileFormat | str | None = None) -> Iterator[CallRecord]:
    """Return an iterator over the records of a file, or of all files of an archive, equal to those written.

    One value comes back as another: an infinite number in ``extra`` as its name. A cell that ``for_spreadsheets=True``
    cut is an error. Memory does not grow with the number of records.

    Args:
        path: A file of any format, or the directory of an archive, whose days are read in order: a path, or a URL such
            as ``s3://bucket/calls``.
        file_format: The format of a file; by default that of its extension.

    Raises:
        OSError: The file cannot be read; also in the iteration.
        ValueError: The path belongs to no format, or, in the iteration, the file is damaged, or a newer version of this
            library wrote it.
        ImportError: The format or the URL needs a package that is not installed; the message names it.
    """
    store = open_store("path", path)
    if store.is_file():
        return _read_file(store, "", FileFormat.of(path) if file_format is None else FileFormat(file_format))
    names = list_data_files(store)
    if not names:
        raise ValueError(f"{store.locate()} is no archive: it holds no file {DATA_FILE}.*")
    formats = [FileFormat.of(name) for name in names]
    return (record for name, each in zip(names, formats, strict=True) for record in _read_file(store, name, each))


def list_data_files(store: Store) -> list[str]:
    """Return the names of the files of an archive that hold call records, sorted."""
    return [name for name in store.list_files() if _is_data(name.split("/"))]


def _is_data(parts: Sequence[str]) -> bool:
    return parts[-1].startswith(f"{DATA_FILE}.") and not any(part.startswith(("_", ".")) for part in parts)


def _read_file(store: Store, name: str, file_format: FileFormat) -> Iterator[CallRecord]:
    with store.open(name) as file:
        rows = _read_rows(file, file_format)
        for number in count():
            try:
                row = next(rows, None)
                record = None if row is None else record_from_row(row)
            except NewerSchemaError as error:
                raise ValueError(f"{store.locate(name)} cannot be read: {error}") from error
            except _DAMAGES as error:
                raise ValueError(f"{store.locate(name)} is damaged after {number:,} records: {error}") from error
            if record is None:
                return
            yield record


def _read_rows(file: BinaryIO, file_format: FileFormat) -> Iterator[Any]:
    if file_format is FileFormat.PARQUET:
        from trtc_records.export.parquet import read_rows  # noqa: PLC0415  (the extra may be missing)

        yield from read_rows(file)
        return
    content = _decompress(file) if file_format in _COMPRESSED else file
    if file_format in {FileFormat.CSV, FileFormat.CSV_GZIP}:
        yield from _read_csv(content)
    else:
        yield from map(json.loads, content)


def _decompress(file: BinaryIO) -> BinaryIO:
    """Return the content of a file; an empty one, which gzip takes for no content, is damaged."""
    if not file.read(1):
        raise EOFError("it is empty")
    file.seek(0)
    return cast("BinaryIO", gzip.GzipFile(fileobj=file))


def _read_csv(content: BinaryIO) -> Iterator[dict[str, str]]:
    lines = (line.decode("utf-8" if number else "utf-8-sig") for number, line in enumerate(content))
    rows = csv.reader(lines, strict=True)
    header = _read_line(rows)
    if header is None:
        raise ValueError("it has no header")
    for_spreadsheets = has_header(header)
    while (row := _read_line(rows)) is not None:
        yield restore_row(row) if for_spreadsheets else dict(zip(header, row, strict=True))


def _read_line(rows: Iterator[list[str]]) -> list[str] | None:
    """Return the next row; the limit of a cell's length, which counts for the whole process, is lifted for it only."""
    limit = csv.field_size_limit(_LONGEST_CELL)
    try:
        return next(rows, None)
    finally:
        csv.field_size_limit(limit)
