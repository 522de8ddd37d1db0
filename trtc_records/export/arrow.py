"""Arrow tables of call records: for polars, pandas, DuckDB and other libraries that take Arrow."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Sequence
from itertools import islice
from typing import Final

from trtc_records._api.models import CallRecord
from trtc_records.export._columns import COLUMNS, SCHEMA_VERSION, Kind
from trtc_records.export._rows import make_typed_columns
from trtc_records.export._writer import in_batches

try:
    import pyarrow as pa
except ModuleNotFoundError as _error:
    raise ImportError('Arrow and Parquet need pyarrow, which is not installed: pip install ".[parquet]"') from _error

__all__ = ["ARROW_SCHEMA", "VERSION_KEY", "gather_arrow", "to_arrow", "to_batch"]

_TYPES: Final = {
    Kind.TEXT: pa.string(),
    Kind.TEXTS: pa.list_(pa.string()),
    Kind.TIME: pa.timestamp("us", tz="UTC"),
    Kind.SECONDS: pa.int64(),
    Kind.INTEGER: pa.int64(),
    Kind.OBJECT: pa.string(),
}
_RECORDS_PER_BATCH: Final = 5_000
VERSION_KEY: Final = "trtc_records.schema_version"
"""The name of the schema version in the schema's metadata."""

ARROW_SCHEMA: Final = pa.schema(
    [pa.field(column.name, _TYPES[column.kind], metadata={"description": column.meaning}) for column in COLUMNS],
    metadata={VERSION_KEY: str(SCHEMA_VERSION)},
)
"""The columns of every table and Parquet file of this library; ``extra`` is a JSON object as text.

The metadata of the schema has the schema version under ``trtc_records.schema_version``, that of a field its meaning
under ``description``."""


def to_arrow(records: Iterable[CallRecord]) -> pa.Table:
    """Return *records* as an Arrow table with :data:`ARROW_SCHEMA`."""
    remaining = iter(records)
    batches = iter(lambda: list(islice(remaining, _RECORDS_PER_BATCH)), [])
    return pa.Table.from_batches(map(to_batch, batches), ARROW_SCHEMA)


async def gather_arrow(records: AsyncIterable[CallRecord]) -> pa.Table:
    """Return all records of a walk as an Arrow table with :data:`ARROW_SCHEMA`; the records themselves are not kept."""
    return pa.Table.from_batches(
        [to_batch(batch) async for batch in in_batches(records, _RECORDS_PER_BATCH)], ARROW_SCHEMA
    )


def to_batch(records: Sequence[CallRecord]) -> pa.RecordBatch:
    """Return *records* as one record batch with :data:`ARROW_SCHEMA`."""
    if not records:
        return pa.RecordBatch.from_pylist([], ARROW_SCHEMA)
    columns = make_typed_columns(records)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, ARROW_SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=ARROW_SCHEMA)
