"""Call records to export, and readers for each format, written without the library's own code."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any, Final

import attrs

from trtc_records import CallRecord, CallResult, CallType, MediaType

PYARROW: Final = find_spec("pyarrow") is not None
FORMATS: Final = ("jsonl", "jsonl.gz", "csv", "csv.gz", "parquet")


def make_record(call_id: str = "a", **changes: object) -> CallRecord:
    """Make a record of an answered call."""
    values: dict[str, object] = {
        "call_id": call_id,
        "caller": "147",
        "callees": ("147", "369"),
        "media_type": MediaType.AUDIO,
        "call_type": CallType.SINGLE_CALL,
        "call_result": CallResult.NORMAL_END,
        "start_time": datetime(2025, 2, 19, 10, 17, 22, tzinfo=UTC),
        "accept_time": datetime(2025, 2, 19, 10, 17, 24, tzinfo=UTC),
        "end_time": datetime(2025, 2, 19, 10, 17, 25, tzinfo=UTC),
        **changes,
    }
    return CallRecord(**values)  # type: ignore[arg-type]


async def stream(*records: CallRecord, error: Exception | None = None) -> AsyncIterator[CallRecord]:
    """Yield records one by one, and fail at the end where that is wanted."""
    for record in records:
        yield record
    if error:
        raise error


def expected_row(record: CallRecord) -> dict[str, Any]:
    """Return *record* as every format has it: each of its fields, and two durations."""
    return {
        **{field.name: _make_plain(getattr(record, field.name)) for field in attrs.fields(CallRecord)},
        "ring_seconds": _count_seconds(record.start_time, record.accept_time or record.end_time),
        "talk_seconds": _count_seconds(record.accept_time, record.end_time) if record.accept_time else 0,
    }


def _count_seconds(start: datetime, end: datetime | None) -> int | None:
    return None if end is None else (end - start).seconds


def _make_plain(value: object) -> object:
    match value:
        case datetime():
            return show(value)
        case tuple():
            return list(value)
        case _:
            return value


def read_rows(content: bytes, file_format: str) -> list[dict[str, Any]]:
    """Read a file, and convert every value to the form of :func:`expected_row`."""
    if file_format.endswith(".gz"):
        content = gzip.decompress(content)
        file_format = file_format.removesuffix(".gz")
    if file_format == "jsonl":
        rows = [json.loads(line) for line in content.decode("ascii").splitlines()]
    else:
        rows = _read_csv(content) if file_format == "csv" else _read_parquet(content)
    for row in rows:
        if "extra" in row:  # rejects have none
            row["extra"] = json.loads(row["extra"])
    return [_restore(row) for row in rows]


def show(moment: datetime) -> str:
    """Return a time as text columns have it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _read_csv(content: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True))
    for row in rows:
        assert None not in row
        row["callees"] = json.loads(row["callees"])
        for name in ("accept_time", "end_time"):
            row[name] = row[name] or None
        for name in ("ring_seconds", "talk_seconds", "room_id_type"):
            row[name] = int(row[name]) if row[name] else None
    return rows


def _read_parquet(content: bytes) -> list[dict[str, Any]]:
    import pyarrow.parquet

    rows: list[dict[str, Any]] = pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist()
    for row in rows:
        for name in ("start_time", "accept_time", "end_time"):
            row[name] = row[name] and show(row[name])
    return rows


def _restore(row: dict[str, Any]) -> dict[str, Any]:
    """Put back the values that their columns could not hold."""
    exact = row.get("extra", {}).pop("_exact", {})  # the records that could not be read have no such field
    return {**row, **{name: json.loads(text) for name, text in exact.items()}}
