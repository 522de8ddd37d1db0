"""Parquet: typed columns, compressed, in row groups."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Final

from trtc_records._api.models import CallRecord
from trtc_records.export._columns import SCHEMA_VERSION, check_schema_version
from trtc_records.export._writer import Encoder, RecordWriter
from trtc_records.export.arrow import ARROW_SCHEMA, VERSION_KEY, to_batch

# After trtc_records.export.arrow, whose error names the package to install.
import pyarrow as pa  # isort: skip
import pyarrow.parquet as pq  # isort: skip

__all__ = ["ParquetWriter", "read_rows"]

_ROWS_PER_GROUP: Final = 65_536
"""Some 10 MB of memory; readers are efficient from tens of thousands of rows per group on."""


_ROWS_PER_BATCH: Final = 5_000


def read_rows(file: BinaryIO) -> Iterator[dict[str, Any]]:
    """Yield the rows of a Parquet file, a batch at a time.

    Raises:
        NewerSchemaError: A newer version of this library wrote the file.
        ValueError: The file is damaged.
        OSError: It cannot be read.
    """
    opened = pq.ParquetFile(file)
    metadata = opened.schema_arrow.metadata or {}
    check_schema_version(int(metadata.get(VERSION_KEY.encode(), SCHEMA_VERSION)))
    for batch in opened.iter_batches(batch_size=_ROWS_PER_BATCH):
        yield from batch.to_pylist()


class ParquetWriter(RecordWriter):
    """A writer of Parquet, compressed with zstd, a row group at a time.

    The columns are those of :data:`ARROW_SCHEMA`. An unfinished file cannot be read: its index is at the end.

    Args:
        target: A path, whose file is replaced once every record is written, and not after an error; or an open binary
            file, which is flushed and left open.
    """

    def _make_encoder(self) -> Encoder:
        return _Parquet()


class _Parquet:
    """Parquet written by pyarrow into memory, so that pyarrow never sees an error of the disk."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._writer = pq.ParquetWriter(self._sink, ARROW_SCHEMA, compression="zstd")
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0

    def add(self, records: Sequence[CallRecord]) -> bytes:
        self._batches.append(to_batch(records))
        self._rows += len(records)
        if self._rows >= _ROWS_PER_GROUP:
            self._write_group()
        return self._sink.take()

    def finish(self) -> bytes:
        if self._rows:
            self._write_group()
        self._writer.close()
        return self._sink.take()

    def _write_group(self) -> None:
        table = pa.Table.from_batches(self._batches, ARROW_SCHEMA)
        self._batches, self._rows = [], 0
        self._writer.write_table(table, row_group_size=len(table))


class _Sink(io.RawIOBase):
    """A file in memory that keeps the bytes written until they are taken."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, content: object) -> int:
        part = bytes(content)  # type: ignore[call-overload]
        self._parts.append(part)
        self._written += len(part)
        return len(part)

    def tell(self) -> int:
        return self._written

    def take(self) -> bytes:
        content = b"".join(self._parts)
        self._parts = []
        return content
