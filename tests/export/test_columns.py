"""The columns that all formats share."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import attrs
import pytest
from exported import PYARROW, make_record

from trtc_records import CallRecord, record_to_json
from trtc_records.export import make_row, make_writer
from trtc_records.export._columns import COLUMNS, Kind, names_of

DERIVED = {"ring_time", "talk_time"}
HALF = make_record(
    "half", caller="x\ud83d", callees=("\udfff", "小明"), room_id="\ud900", extra={"Tag\ud800": ["\udc00"], "Tag": "x"}
)
TYPES = make_record("types", call_result=7, room_id_type="text")
TAGS: list[Any] = [1, True, None, 1.5, [1], {"a": {}}]
RECORDS = [
    make_record("plain", extra={"Tag": "y"}),
    HALF,
    TYPES,
    make_record("nul", caller="\0"),
    *(make_record(f"tag {tag!r}", extra={"Tag": tag, f"Only {tag!r}": 1}) for tag in TAGS),
    make_record("nul in extra", extra={"Tag": "\0", "\0": "\\u0000"}),
    make_record("backslash", extra={"Tag": "\\u0000", "Path": "C:\\\\u0000"}),
]

needs_pyarrow = pytest.mark.skipif(not PYARROW, reason="needs the extra parquet")


def test_every_field_has_a_column() -> None:
    """A field that is added to the model and not to the table of columns is found here; so is one that is gone."""
    fields = [field.name for field in attrs.fields(CallRecord)]
    assert sorted(column.source for column in COLUMNS) == sorted([*fields, *DERIVED])


def test_every_field_is_sent_by_the_service() -> None:
    """A field that is added to the model and not to the names in Tencent's JSON is found here."""
    fields = {field.name for field in attrs.fields(CallRecord)} - {"extra"}
    names = record_to_json(make_record()).keys()
    assert len(names) == len(fields)
    assert not names & fields


def test_rows_have_the_columns_in_order() -> None:
    """A row's names are those of the table."""
    assert list(make_row(make_record())) == [column.name for column in COLUMNS] == list(make_row(HALF))


def write(path: Path) -> Path:
    asyncio.run(make_writer(path).write(RECORDS))
    return path


def check(rows: list[dict[str, Any]]) -> None:
    """Check rows that a reader made."""
    by_id = {row["call_id"]: row for row in rows}
    assert list(by_id) == [record.call_id for record in RECORDS]
    assert by_id["half"]["caller"] == "x\ufffd"
    assert str(by_id["types"]["call_result"]) == "7"
    assert by_id["types"]["room_id_type"] is None
    assert by_id["nul"]["caller"] == "\0"
    for record in RECORDS:
        if record.call_id in {"plain", "backslash"} or record.call_id.startswith("tag"):
            assert json.loads(by_id[record.call_id]["extra"]) == record.extra
    half, types = (read_exact(by_id[name]) for name in ("half", "types"))
    assert half == {"caller": HALF.caller, "callees": ["\udfff", "小明"], "room_id": HALF.room_id, "extra": HALF.extra}
    assert types == {"call_result": 7, "room_id_type": "text"}


def read_exact(row: dict[str, Any]) -> dict[str, Any]:
    return {name: json.loads(text) for name, text in json.loads(row["extra"])["_exact"].items()}


@pytest.mark.parametrize("name", ["jsonl", "csv", pytest.param("parquet", marks=needs_pyarrow)])
def test_duckdb_reads_every_value(name: str, tmp_path: Path) -> None:
    """DuckDB reads half a surrogate pair as U+FFFD, types that differ as the column's; exact values are in extra."""
    duckdb = pytest.importorskip("duckdb", reason="needs DuckDB")
    relation = duckdb.read_json if name == "jsonl" else duckdb.read_csv if name == "csv" else duckdb.read_parquet
    table = relation(str(write(tmp_path / f"calls.{name}")))
    check([dict(zip(table.columns, row, strict=True)) for row in table.fetchall()])


@needs_pyarrow
@pytest.mark.parametrize("name", ["jsonl", "csv", "parquet"])
def test_pyarrow_reads_every_value(name: str, tmp_path: Path) -> None:
    """Pyarrow does the same."""
    import pyarrow.csv
    import pyarrow.json
    import pyarrow.parquet

    path = write(tmp_path / f"calls.{name}")
    readers = {"jsonl": pyarrow.json.read_json, "csv": pyarrow.csv.read_csv, "parquet": pyarrow.parquet.read_table}
    check(readers[name](path).to_pylist())


@needs_pyarrow
def test_arrow_tables_hold_every_value() -> None:
    """A table in memory has the rows of the files."""
    from trtc_records.export import to_arrow

    check(to_arrow(RECORDS).to_pylist())


def test_json_lines_are_valid_unicode(tmp_path: Path) -> None:
    """No escape of a line is half a surrogate pair, so that strict readers such as jq take it."""
    lines = write(tmp_path / "calls.jsonl").read_text("ascii").splitlines()
    check([json.loads(json.dumps(json.loads(line), ensure_ascii=False).encode()) for line in lines])


@pytest.mark.parametrize("name", ["jsonl", "csv", pytest.param("parquet", marks=needs_pyarrow)])
def test_polars_reads_every_value(name: str, tmp_path: Path) -> None:
    """Polars does the same."""
    polars = pytest.importorskip("polars", reason="needs polars")
    read = {"jsonl": polars.read_ndjson, "csv": polars.read_csv, "parquet": polars.read_parquet}[name]
    check(read(write(tmp_path / f"calls.{name}")).to_dicts())


@pytest.mark.skipif(not shutil.which("jq"), reason="needs jq")
def test_jq_reads_every_value(tmp_path: Path) -> None:
    """Jq reads each line, and the object in its ``extra``."""
    command = ["jq", "-c", ".extra |= (fromjson | tojson)", str(write(tmp_path / "calls.jsonl"))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    check([json.loads(line) for line in done.stdout.splitlines()])


def test_no_text_of_extra_has_a_nul(tmp_path: Path) -> None:
    """PostgreSQL's jsonb refuses one; backslashes that only look like one are left alone."""
    extras = [json.loads(line)["extra"] for line in write(tmp_path / "calls.jsonl").read_text("ascii").splitlines()]
    decoded = {record.call_id: json.loads(extra) for record, extra in zip(RECORDS, extras, strict=True)}
    nul = decoded["nul in extra"]
    assert nul == {
        "Tag": "\ufffd",
        "\ufffd": "\\u0000",
        "_exact": {"extra": json.dumps({"Tag": "\0", "\0": "\\u0000"})},
    }
    assert decoded["backslash"] == {"Tag": "\\u0000", "Path": "C:\\\\u0000"}
    assert "\0" not in str(decoded)


def test_exact_values_do_not_replace_a_field_of_the_service() -> None:
    """A field that Tencent calls ``_exact`` stays, and ours gets another name."""
    row = make_row(make_record(caller="\ud800", extra={"_exact": "theirs"}))
    assert json.loads(row["extra"]) == {"_exact": "theirs", "__exact": {"caller": '"\\ud800"'}}


@needs_pyarrow
def test_every_kind_has_one_type_in_arrow() -> None:
    """Columns of one kind have one type in Arrow and Parquet."""
    from trtc_records.export import ARROW_SCHEMA

    for kind in Kind:
        assert len({ARROW_SCHEMA.field(name).type for name in names_of(kind)}) == 1
