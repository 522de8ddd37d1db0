"""The columns as a contract: a version, JSON Schema, SQL, metadata.

Run this file as a program to write the golden file anew: ``python tests/export/test_schema.py``.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Final

import pytest
from exported import PYARROW, make_record

from trtc_records.export import SCHEMA_VERSION, make_writer, record_schema, record_table, record_to_row
from trtc_records.export._columns import COLUMNS

GOLDEN: Final = Path(__file__).with_name("columns.json")


def describe() -> dict[str, Any]:
    """Return the version, and each column's name, null and types: in JSON, in SQL and, if it is installed, in Arrow."""
    schema, lines = record_schema()["properties"], record_table().splitlines()[2:]
    columns = {
        column.name: {
            "nullable": column.nullable,
            "json": {name: value for name, value in schema[column.name].items() if name != "description"},
            "sql": line.strip().removesuffix(","),
        }
        for column, line in zip(COLUMNS, lines[: len(COLUMNS)], strict=True)
    }
    if PYARROW:
        from trtc_records.export import ARROW_SCHEMA

        for field in ARROW_SCHEMA:
            columns[field.name]["arrow"] = f"{field.type}{'' if field.nullable else ' not null'}"
    return {"version": SCHEMA_VERSION, "columns": columns}


def test_changed_column_needs_a_version() -> None:
    """A column that changes, comes or goes needs a new SCHEMA_VERSION, and then a new golden file."""
    golden, current = json.loads(GOLDEN.read_text()), describe()
    if not PYARROW:
        for column in golden["columns"].values():
            del column["arrow"]
    assert list(golden["columns"]) == list(current["columns"]), "the order of the columns is a part of them"
    if golden["columns"] != current["columns"]:
        assert current["version"] > golden["version"], "the columns have changed: raise SCHEMA_VERSION"
    assert current == golden, "if that is meant, run: python tests/export/test_schema.py"


def test_json_schema_describes_a_line() -> None:
    """Every column of a line is required and described, and the types are those of its values."""
    schema = record_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["x-schema-version"] == SCHEMA_VERSION
    assert list(schema["properties"]) == schema["required"] == list(record_to_row(make_record()))
    kinds = {"string": str, "array": list, "integer": int, "object": dict, "null": type(None)}
    for record in (make_record(), make_record(accept_time=None, end_time=None)):
        for name, value in record_to_row(record).items():
            listed = schema["properties"][name]["type"]
            allowed = tuple(kinds[kind] for kind in (listed if isinstance(listed, list) else [listed]))
            assert isinstance(value, allowed), name
    assert all(each["description"] for each in schema["properties"].values())


def test_sql_makes_a_table_that_takes_a_file(tmp_path: Path) -> None:
    """DuckDB makes the table of the SQL, and fills it from a file of records."""
    duckdb = pytest.importorskip("duckdb", reason="needs DuckDB")
    path = tmp_path / "calls.jsonl"
    asyncio.run(make_writer(path).write([make_record("a"), make_record("b", accept_time=None)]))
    with duckdb.connect() as connection:
        connection.execute(record_table("calls"))
        connection.execute(f"INSERT INTO calls SELECT * FROM read_json('{path}')")
        assert connection.execute("SELECT count(*), count(accept_time) FROM calls").fetchall() == [(2, 1)]


def test_name_of_a_table_is_plain() -> None:
    """A name that would need quotes is refused."""
    with pytest.raises(ValueError, match="cannot be the name of a table"):
        record_table("calls; DROP TABLE x")


@pytest.mark.skipif(not PYARROW, reason="needs the extra parquet")
def test_parquet_names_its_version(tmp_path: Path) -> None:
    """The metadata of a Parquet file has the version, and the meaning of each column."""
    import pyarrow.parquet

    path = tmp_path / "calls.parquet"
    asyncio.run(make_writer(path).write([make_record()]))
    schema = pyarrow.parquet.read_schema(path)
    assert schema.metadata[b"trtc_records.schema_version"] == str(SCHEMA_VERSION).encode()
    assert [field.metadata[b"description"].decode() for field in schema] == [column.meaning for column in COLUMNS]


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(describe(), indent=2) + "\n", encoding="utf-8")
