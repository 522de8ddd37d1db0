"""The columns of every export as JSON Schema and as SQL."""

from __future__ import annotations

import re
from typing import Any, Final

from trtc_records.export._columns import COLUMNS, SCHEMA_VERSION, Column, Kind, names_of

__all__ = ["record_schema", "record_table"]

_JSON_TYPES: Final[dict[Kind, dict[str, Any]]] = {
    Kind.TEXT: {"type": "string"},
    Kind.TEXTS: {"type": "array", "items": {"type": "string"}},
    Kind.TIME: {"type": "string", "format": "date-time"},
    Kind.SECONDS: {"type": "integer", "minimum": 0},
    Kind.INTEGER: {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    Kind.OBJECT: {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": {"type": "object"},
    },
}
_SQL_TYPES: Final = {
    Kind.TEXT: "VARCHAR",
    Kind.TEXTS: "VARCHAR[]",
    Kind.TIME: "TIMESTAMP WITH TIME ZONE",
    Kind.SECONDS: "BIGINT",
    Kind.INTEGER: "BIGINT",
    Kind.OBJECT: "JSON",
}
"""Types that PostgreSQL and DuckDB both have."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def record_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a line of JSON Lines.

    ``x-schema-version`` is :data:`SCHEMA_VERSION`, and each column has its meaning as its description. Results and
    types are plain strings, since Tencent may add values.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Call record",
        "x-schema-version": SCHEMA_VERSION,
        "type": "object",
        "properties": {column.name: _describe(column) for column in COLUMNS},
        "required": [*names_of(*Kind)],
        "additionalProperties": False,
    }


def record_table(name: str = "call_records") -> str:
    """Return SQL that makes a table with the columns, for PostgreSQL and DuckDB.

    Args:
        name: The table's name.

    Raises:
        ValueError: The name would need quotes.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"'{name}' cannot be the name of a table: write letters, digits and underscores")
    columns = ",\n".join(
        f"    {column.name} {_SQL_TYPES[column.kind]}{'' if column.nullable else ' NOT NULL'}" for column in COLUMNS
    )
    comments = "".join(f"COMMENT ON COLUMN {name}.{column.name} IS '{_quote(column.meaning)}';\n" for column in COLUMNS)
    return f"-- schema version {SCHEMA_VERSION}\nCREATE TABLE {name} (\n{columns}\n);\n{comments}"


def _describe(column: Column) -> dict[str, Any]:
    described = {**_JSON_TYPES[column.kind], "description": column.meaning}
    if column.nullable:
        described["type"] = [described["type"], "null"]
    return described


def _quote(text: str) -> str:
    return text.replace("'", "''")
