"""Records back from files, equal to those written."""

from __future__ import annotations

import asyncio
import csv
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from exported import PYARROW, make_record
from hypothesis import given, settings
from hypothesis import strategies as st

from trtc_records import CallRecord, CallResult, CallType, MediaType, RoomIdType
from trtc_records.export import FileFormat, make_writer, read_records, record_from_row, record_to_row
from trtc_records.export._rows import make_typed_columns, make_typed_row

FORMATS = [each for each in FileFormat if PYARROW or each is not FileFormat.PARQUET]
TEXTS = st.text(st.characters(codec=None), max_size=8) | st.sampled_from(["\0", "\r", '"\r\n', "\ud83d", "", "=1+1"])
TIMES = st.integers(1, 4_102_444_800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)  # fmt: skip
RECORDS = st.builds(
    CallRecord,
    call_id=TEXTS,
    caller=TEXTS,
    callees=st.lists(TEXTS, max_size=3).map(tuple),
    media_type=st.sampled_from(MediaType) | TEXTS,
    call_type=st.sampled_from(CallType) | TEXTS,
    call_result=st.sampled_from(CallResult) | TEXTS | st.integers(),
    start_time=TIMES,
    accept_time=st.none() | TIMES,
    end_time=st.none() | TIMES,
    room_id=TEXTS,
    room_id_type=st.sampled_from(RoomIdType) | st.integers() | TEXTS,
    extra=st.dictionaries(TEXTS | st.sampled_from(["_exact", "__exact", "____exact"]), VALUES, max_size=3),
)


@given(record=RECORDS)
def test_row_is_read_as_the_record(record: CallRecord) -> None:
    """A row of JSON Lines, through JSON, and a row of typed columns give the record that they were made of."""
    assert record_from_row(json.loads(json.dumps(record_to_row(record)))) == record
    assert record_from_row(make_typed_row(record)) == record


@given(odd=st.lists(RECORDS, max_size=2), plain=st.integers(0, 2))
def test_columns_are_those_of_the_rows(odd: list[CallRecord], plain: int) -> None:
    """Records that are written a column at a time have the values that they have as rows, common or not."""
    records = [*odd, *[make_record()] * plain, make_record(accept_time=None, end_time=None)]
    rows = [make_typed_row(record) for record in records]
    assert [list(column) for column in make_typed_columns(records)] == [[row[name] for row in rows] for name in rows[0]]


@pytest.mark.parametrize("file_format", FORMATS)
@settings(max_examples=25, deadline=None)
@given(records=st.lists(RECORDS, max_size=4), for_spreadsheets=st.booleans())
def test_files_are_read_as_written(
    file_format: FileFormat, records: list[CallRecord], for_spreadsheets: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Every format gives the records that were written, in their order."""
    path = tmp_path_factory.mktemp("read") / f"calls.{file_format}"
    asyncio.run(make_writer(path, for_spreadsheets=for_spreadsheets).write(records))
    assert list(read_records(path)) == records


def test_known_values_are_members() -> None:
    """A value that this version knows is a member of its enum again, and another one stays a text."""
    record = record_from_row(record_to_row(make_record(media_type="Hologram")))
    assert record.media_type == "Hologram"
    assert isinstance(record.call_type, CallType)
    assert isinstance(record.room_id_type, RoomIdType)


def test_long_cell_is_read(tmp_path: Path) -> None:
    """A cell beyond the limit of Python's reader is read, and the limit is as before."""
    limit = csv.field_size_limit()
    record = make_record(extra={"Tag": "x" * 200_000})
    asyncio.run(make_writer(tmp_path / "calls.csv").write([record]))
    assert list(read_records(tmp_path / "calls.csv")) == [record]
    assert csv.field_size_limit() == limit


def test_directory_is_read_in_order(tmp_path: Path) -> None:
    """A directory is read file by file, in the order of its days, without hidden and underscored ones."""
    for name in ("start_date=2026-01-02", "start_date=2026-01-01", "_rejects", "start_date=2026-01-03/.calls"):
        (tmp_path / name).mkdir(parents=True)
        asyncio.run(make_writer(tmp_path / name / "calls.jsonl").write([make_record(name)]))
    assert [record.call_id for record in read_records(tmp_path)] == ["start_date=2026-01-01", "start_date=2026-01-02"]


def test_empty_directory_is_no_archive(tmp_path: Path) -> None:
    """A wrong directory is an error, and no archive without records."""
    with pytest.raises(ValueError, match="is no archive"):
        read_records(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("calls.jsonl", b'{"call_id": "x"}\n'),
        ("calls.jsonl", b"[]\n"),
        ("calls.jsonl", b'{"call_id'),
        ("calls.csv", b""),
        ("calls.csv", b"call_id,caller\r\nx\r\n"),
        ("calls.jsonl.gz", gzip.compress(b"{}\n", mtime=0)[:-3]),
        ("calls.jsonl.gz", b"no gzip"),
        ("calls.jsonl.gz", b""),
        ("calls.csv.gz", b""),
        pytest.param("calls.parquet", b"PAR1", marks=pytest.mark.skipif(not PYARROW, reason="needs the extra parquet")),
    ],
)
def test_damaged_file_is_an_error(name: str, content: bytes, tmp_path: Path) -> None:
    """A file that is not as it was written is a ValueError that names it."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} is damaged after 0 records"):
        list(read_records(tmp_path / name))


@pytest.mark.skipif(not PYARROW, reason="needs the extra parquet")
def test_file_of_a_newer_version_is_an_error(tmp_path: Path) -> None:
    """Columns that this version does not know are not taken for those that it knows."""
    import pyarrow.parquet as pq

    path = tmp_path / "calls.parquet"
    asyncio.run(make_writer(path).write([make_record()]))
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({"trtc_records.schema_version": "2"}), path)
    with pytest.raises(ValueError, match=r"calls.parquet cannot be read: it was written by a newer version"):
        list(read_records(path))
    pq.write_table(table.replace_schema_metadata(None), path)
    assert len(list(read_records(path))) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"caller": 7}, "caller cannot be read: expected text"),
        ({"callees": "{}"}, "callees cannot be read: expected list"),
        ({"start_time": "yesterday"}, "start_time cannot be read"),
        ({"extra": {"_exact": 7}}, "exact values in extra"),
    ],
)
def test_wrong_type_is_an_error(changes: dict[str, Any], message: str) -> None:
    """The message names the column."""
    with pytest.raises(ValueError, match=message):
        record_from_row({**record_to_row(make_record()), **changes})
