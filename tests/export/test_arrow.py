"""Arrow tables and Parquet."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
from pathlib import Path

import pytest
from exported import PYARROW, expected_row, make_record, show, stream

if not PYARROW:
    pytest.skip("needs the extra parquet", allow_module_level=True)

import pyarrow as pa
import pyarrow.parquet as pq

from trtc_records.export import ARROW_SCHEMA, ParquetWriter, gather_arrow, to_arrow

RECORDS = [make_record(str(number)) for number in range(12_000)]


def test_columns_have_types() -> None:
    """Times are microseconds in UTC, durations integers, members a list of texts."""
    schema = to_arrow(RECORDS[:1]).schema
    assert schema.field("start_time").type == pa.timestamp("us", tz="UTC")
    assert schema.field("accept_time").type == pa.timestamp("us", tz="UTC")
    assert schema.field("ring_seconds").type == pa.int64()
    assert schema.field("callees").type == pa.list_(pa.string())
    assert schema.field("extra").type == pa.string()
    assert sorted(schema.names) == sorted(expected_row(RECORDS[0]))


def test_table_holds_every_record() -> None:
    """More records than one batch takes are all in the table, from a list as from a walk."""
    table = to_arrow(RECORDS)
    assert table.column("call_id").to_pylist() == [record.call_id for record in RECORDS]
    assert asyncio.run(gather_arrow(stream(*RECORDS))) == table


def test_no_records_make_an_empty_table() -> None:
    """Nothing is a table too, with its columns."""
    assert to_arrow([]).schema == asyncio.run(gather_arrow(stream())).schema == ARROW_SCHEMA


def test_row_groups_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is written in row groups, so that memory does not grow with it."""
    monkeypatch.setattr("trtc_records.export.parquet._ROWS_PER_GROUP", 1_000)
    file = io.BytesIO()
    asyncio.run(ParquetWriter(file).write(RECORDS))
    metadata = pq.ParquetFile(file).metadata
    assert [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)] == [1_000] * 12


@pytest.mark.parametrize("library", ["polars", "pandas"])
def test_data_frames_take_tables(library: str) -> None:
    """The documentation's examples with a table work."""
    frames = pytest.importorskip(library, reason=f"{library} is not installed")
    table = to_arrow([make_record(), make_record("b", accept_time=None)])
    frame = frames.from_arrow(table) if library == "polars" else table.to_pandas()
    assert [show(moment) for moment in frame["start_time"]] == ["2025-02-19T10:17:22Z"] * 2
    assert list(frame["ring_seconds"]) == [2, 3]


@pytest.mark.slow
def test_memory_stays_flat(tmp_path: Path) -> None:
    """Four times as many records take no more memory than a row group's worth and the allocator's whims."""
    code = (
        "import asyncio, resource, sys\n"
        "from exported import make_record\n"
        "from trtc_records.export import ParquetWriter\n"
        "peaks = []\n"
        "for count in (70_000, 280_000):\n"
        "    records = (make_record(str(number)) for number in range(count))\n"
        "    asyncio.run(ParquetWriter(sys.argv[1]).write(records))\n"
        "    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)\n"
        "print(peaks[1] - peaks[0])\n"
    )
    pytest.importorskip("resource", reason="needs a system that tells of memory")
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "calls.parquet")],
        env={"PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
        timeout=110,
    )
    assert int(done.stdout) < 60  # megabytes; 210,000 records as objects would be 300
