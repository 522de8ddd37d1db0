"""The speed of an archive beside plain pyarrow, and its peak memory for days of 100,000 and 1,000,000 records.

Plain pyarrow writes a file of the same columns for each day from the same records, which it neither sorts nor accounts
for. No service is behind the client: only the writing is measured. The records of the first part come in random order,
as from a service whose order is not that of the calls' start.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, cast

import pyarrow as pa
import pyarrow.parquet as pq
from service import describe_machine, show_table

from trtc_records import CallRecord, CallRecordPage, CallRecordsClient, Service, record_from_json
from trtc_records.archive import archive_call_records
from trtc_records.export import ARROW_SCHEMA
from trtc_records.sandbox._data import make_calls

_END: Final = datetime(2026, 11, 24, tzinfo=UTC)
_DAY: Final = timedelta(days=1)
_RECORDS: Final = 100_000
_DAYS: Final = 5
_TURNS: Final = 5
_WAYS: Final = ("archive", "plain pyarrow")


class Answers:
    """A client that gives the calls of each day without a request."""

    sdk_app_id = 1_400_000_000
    service = Service.CURRENT
    service_time = (_END + timedelta(hours=1)).timestamp()

    def __init__(self, read: Callable[[datetime], Iterator[CallRecord]]) -> None:
        self._read = read

    async def get_page(self, **_: Any) -> None:
        """Answer."""

    async def iter_pages(self, *, start_time: int, **_: Any) -> AsyncGenerator[CallRecordPage, None]:
        """Yield the calls of the day that begins a second after the window."""
        records = self._read(datetime.fromtimestamp(start_time + 1, UTC))
        while page := tuple(islice(records, 100)):
            yield CallRecordPage(records=page, page=1, total_num=None)


def archive(client: Answers, directory: str, days: int) -> int:
    """Archive the calls of the days before the end, and return their number."""
    since = _END - days * _DAY
    until = _END - timedelta(seconds=1)
    run = archive_call_records(
        cast("CallRecordsClient", client), directory, since=since, until=until, settle=timedelta()
    )
    report = asyncio.run(run)
    assert all(each.final for each in report.partitions)
    return report.records


def write_plainly(days: dict[datetime, Sequence[CallRecord]], directory: str) -> None:
    """Write a file for each day with pyarrow alone."""
    for day, records in days.items():
        columns = [
            [record.call_id for record in records],
            [record.caller for record in records],
            [record.callees for record in records],
            [record.media_type for record in records],
            [record.call_type for record in records],
            [record.call_result for record in records],
            [record.start_time for record in records],
            [record.accept_time for record in records],
            [record.end_time for record in records],
            [_count_seconds(record.ring_time) for record in records],
            [_count_seconds(record.talk_time) for record in records],
            [record.room_id for record in records],
            [record.room_id_type for record in records],
            [json.dumps(record.extra) for record in records],
        ]
        arrays = [pa.array(column, field.type) for column, field in zip(columns, ARROW_SCHEMA, strict=True)]
        table = pa.Table.from_arrays(arrays, schema=ARROW_SCHEMA)
        pq.write_table(table, Path(directory, f"{day:%Y-%m-%d}.parquet"), compression="zstd")


def _count_seconds(time_: timedelta | None) -> int | None:
    return None if time_ is None else time_ // timedelta(seconds=1)


def compare_speed() -> None:
    """Print the speed of both ways, taken in turns, so that both meet the same load of the machine."""
    days: dict[datetime, Sequence[CallRecord]] = {}
    for number in range(_DAYS):
        end = _END - (_DAYS - 1 - number) * _DAY
        calls = make_calls(_RECORDS // _DAYS, seed=number, now=int(end.timestamp()), days=1)
        records = [record_from_json(call) for call in calls]
        random.Random(number).shuffle(records)
        days[end - _DAY] = records
    gc.freeze()  # the records of a walk do not all live on, for the garbage collector to visit
    best = dict.fromkeys(_WAYS, 0.0)
    work = dict.fromkeys(_WAYS, 0.0)
    for _ in range(_TURNS):
        speeds = {}
        for way in _WAYS:
            with TemporaryDirectory() as directory:
                started, worked = time.perf_counter(), time.process_time()
                if way == "archive":
                    assert archive(Answers(lambda day: iter(days[day])), directory, _DAYS) == _RECORDS
                else:
                    write_plainly(days, directory)
                speeds[way] = _RECORDS / (time.perf_counter() - started)
                work[way] += time.process_time() - worked
        best = {way: max(speed, speeds[way]) for way, speed in best.items()}
    rows = [[way, f"{best[way]:,.0f}", f"{_TURNS * _RECORDS / work[way]:,.0f}"] for way in _WAYS]
    rows.append(
        ["ratio", f"{best['archive'] / best['plain pyarrow']:.2f}", f"{work['plain pyarrow'] / work['archive']:.2f}"]
    )
    show_table(
        f"{_RECORDS:,} records into {_DAYS} day files ({describe_machine()})",
        ["way", "records/s", "records/s of CPU"],
        rows,
    )


def measure_memory(count: int) -> None:
    """Archive one day of *count* records, and print the process's peak in MB."""

    def read(_: datetime) -> Iterator[CallRecord]:
        return (record_from_json(call) for call in make_calls(count, now=int(_END.timestamp()), days=1))

    with TemporaryDirectory() as directory:
        assert archive(Answers(read), directory, 1) == count
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(peak / (1024 if sys.platform == "linux" else 1024 * 1024))


def compare_memory() -> None:
    """Print the peak for a day of each size, each in a process of its own."""
    rows = []
    for count in (10_000, 100_000, 1_000_000):
        command = [sys.executable, __file__, str(count)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        rows.append([f"{count:,}", f"{float(done.stdout):.0f} MB"])
    show_table("Peak memory of an archive's run", ["records of a day", "peak"], rows)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure_memory(int(sys.argv[1]))
    else:
        compare_memory()  # first, as a process's peak counts that of the one that it was forked from
        compare_speed()
