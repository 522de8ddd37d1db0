"""``trtc-records schema``: the columns of every export."""

from __future__ import annotations

import json
from typing import Annotated, Final, Literal

import typer

from trtc_records.cli._errors import CommandError
from trtc_records.cli._exit_codes import ExitCode
from trtc_records.export import record_schema, record_table

__all__ = ["EXAMPLES", "schema"]

EXAMPLES: Final = (
    ("trtc-records schema", "JSON Schema of a line of JSON Lines"),
    ("trtc-records schema --format sql | psql calls", "a table in PostgreSQL"),
)


def schema(
    *,
    file_format: Annotated[
        Literal["json-schema", "arrow", "sql"],
        typer.Option("--format", "-f", help="JSON Schema, the schema of Arrow and Parquet, or a table in SQL."),
    ] = "json-schema",
) -> ExitCode:
    """Print the columns of every export, with the version of the schema."""
    if file_format == "json-schema":
        print(json.dumps(record_schema(), indent=2))
    elif file_format == "sql":
        print(record_table(), end="")
    else:
        try:
            from trtc_records.export import ARROW_SCHEMA  # noqa: PLC0415  (the extra may be missing)
        except ImportError as error:
            raise CommandError(str(error)) from error
        print(ARROW_SCHEMA.to_string(truncate_metadata=False))
    return ExitCode.DONE
