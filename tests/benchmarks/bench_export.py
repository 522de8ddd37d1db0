"""Records per second into each format, beside plain code that writes the same columns; and the whole command.

The command exports over the sandbox in a process of its own, 50 ms away. Its processor time is that of its process
alone, start-up included.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet
from service import describe_machine, service, show_table

from trtc_records import CallRecord, CallResult, CallType, MediaType, RoomIdType
from trtc_records.export import CsvWriter, JsonLinesWriter, ParquetWriter, RecordWriter

RECORDS = 100_000
PAGES = 4_800
TRIES = 5


def make_records() -> list[CallRecord]:
    """Return records such as the sandbox's, one in three never answered, one in ten with an unknown field."""
    start = datetime(2026, 11, 20, tzinfo=UTC)
    return [
        CallRecord(
            call_id=f"{number:08x}-7a00-469c-a334-1126c8c17d58",
            caller=f"user_{number % 977}",
            callees=(f"user_{number % 977}", f"user_{number % 1013}"),
            media_type=MediaType.AUDIO,
            call_type=CallType.SINGLE_CALL,
            call_result=CallResult.NORMAL_END if number % 3 else CallResult.NOT_ANSWER,
            start_time=start + timedelta(seconds=number),
            accept_time=start + timedelta(seconds=number + 4) if number % 3 else None,
            end_time=start + timedelta(seconds=number + 100),
            room_id=f"room-{number}",
            room_id_type=RoomIdType.STRING,
            extra={} if number % 10 else {"Platform": "iOS"},
        )
        for number in range(RECORDS)
    ]


def make_plain_rows(records: Sequence[CallRecord]) -> list[dict[str, Any]]:
    """Return the rows of *records*, as a user would make them by hand."""
    return [
        {
            "call_id": each.call_id,
            "caller": each.caller,
            "callees": each.callees,
            "media_type": each.media_type,
            "call_type": each.call_type,
            "call_result": each.call_result,
            "start_time": each.start_time.isoformat(),
            "accept_time": each.accept_time.isoformat() if each.accept_time else None,
            "end_time": each.end_time.isoformat() if each.end_time else None,
            "ring_seconds": each.ring_time.total_seconds() if each.ring_time else None,
            "talk_seconds": each.talk_time.total_seconds() if each.talk_time else None,
            "room_id": each.room_id,
            "room_id_type": each.room_id_type,
            "extra": json.dumps(each.extra),
        }
        for each in records
    ]


def write_json(records: Sequence[CallRecord]) -> None:
    """Write JSON Lines with the standard library."""
    file = io.StringIO()
    for row in make_plain_rows(records):
        file.write(json.dumps(row) + "\n")


def write_csv(records: Sequence[CallRecord]) -> None:
    """Write CSV with the standard library."""
    writer = csv.writer(io.StringIO())
    for row in make_plain_rows(records):
        writer.writerow({**row, "callees": json.dumps(row["callees"])}.values())


def write_parquet(records: Sequence[CallRecord]) -> None:
    """Write Parquet with pyarrow."""
    parquet.write_table(pa.Table.from_pylist(make_plain_rows(records)), io.BytesIO())


def measure(write: Callable[[], object]) -> float:
    """Return the records per second of processor time, at best."""
    seconds = []
    for _ in range(TRIES):
        started = time.process_time()
        write()
        seconds.append(time.process_time() - started)
    return RECORDS / min(seconds)


def export(extension: str) -> list[str]:
    """Return the row of one run of the command."""
    with service(records=PAGES * 100, quota=None, latency=0.05, jitter=0.0125) as server:
        account = {f"TRTC_{name.upper()}": str(value) for name, value in server.credentials.items()}
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, f"calls.{extension}")
            command = [sys.executable, "-m", "trtc_records.cli", "export", "--quiet", "--output", str(path)]
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            started = time.perf_counter()
            subprocess.run(command, check=True, env={**os.environ, **account})
            seconds = time.perf_counter() - started
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [extension, f"{PAGES / seconds:.0f}", f"{1000 * used / PAGES:.2f} ms", f"{used / seconds:.0%}"]


def main() -> None:
    """Print the tables."""
    records = make_records()
    ways: list[tuple[str, type[RecordWriter], Callable[[Sequence[CallRecord]], None]]] = [
        ("jsonl", JsonLinesWriter, write_json),
        ("csv", CsvWriter, write_csv),
        ("parquet", ParquetWriter, write_parquet),
    ]
    rows = []
    for name, writer, plain in ways:
        ours = measure(lambda: asyncio.run(writer(io.BytesIO()).write(records)))  # noqa: B023
        theirs = measure(lambda: plain(records))  # noqa: B023
        rows.append([name, f"{ours:,.0f}", f"{theirs:,.0f}", f"{ours / theirs:.2f}"])
    head = ["format", "this library, records/s", "plain code", "ratio"]
    show_table(f"Records of memory into a file of memory ({describe_machine()})", head, rows)
    head = ["format", "pages/s", "processor time per page", "share of a core"]
    show_table("trtc-records export, 480,000 records", head, [export(name) for name, _, _ in ways])


if __name__ == "__main__":
    main()
