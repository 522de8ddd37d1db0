"""Writers of call records to files: one class per format, each for any iterable of records, async or not.

::

    async with CallRecordsClient.from_env() as client:
        await ParquetWriter("calls.parquet").write(client.iter_records())

:func:`read_records` reads the files back, :func:`record_schema` describes their columns. :class:`Pseudonyms` replaces
user ids.

:class:`ParquetWriter`, :func:`to_arrow`, :func:`gather_arrow` and :data:`ARROW_SCHEMA` need pyarrow, which is imported
with the first of them: ``pip install ".[parquet]"``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from trtc_records.export._columns import SCHEMA_VERSION
from trtc_records.export._files import replace_file
from trtc_records.export._formats import FileFormat, make_writer
from trtc_records.export._pseudonyms import Pseudonyms
from trtc_records.export._reading import read_records
from trtc_records.export._rows import make_row, record_from_row, record_to_row
from trtc_records.export._schema import record_schema, record_table
from trtc_records.export._writer import RecordWriter
from trtc_records.export.csv import CsvWriter
from trtc_records.export.jsonl import JsonLinesWriter

if TYPE_CHECKING:
    from trtc_records.export.arrow import ARROW_SCHEMA, gather_arrow, to_arrow
    from trtc_records.export.parquet import ParquetWriter

__all__ = [
    "ARROW_SCHEMA",
    "SCHEMA_VERSION",
    "CsvWriter",
    "FileFormat",
    "JsonLinesWriter",
    "ParquetWriter",
    "Pseudonyms",
    "RecordWriter",
    "gather_arrow",
    "make_row",
    "make_writer",
    "read_records",
    "record_from_row",
    "record_schema",
    "record_table",
    "record_to_row",
    "replace_file",
    "to_arrow",
]

_HOMES = {"ARROW_SCHEMA": "arrow", "ParquetWriter": "parquet", "gather_arrow": "arrow", "to_arrow": "arrow"}


def __getattr__(name: str) -> Any:
    """Import a name that needs pyarrow on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
