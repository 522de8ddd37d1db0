"""The speed of loading records into DuckDB and a Delta table, and into DuckDB as dicts of Python values to compare.

Each way takes a process of its own, so that its peak of memory can be measured, and loads a hundred records first: that
imports some 500 modules, which takes a second.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Self, cast

from trtc_records import CallRecordPage, CallRecordsClient, Service
from trtc_records.export import make_row
from trtc_records.sandbox import make_records
from trtc_records.warehouse._configuration import configured_dlt
from trtc_records.warehouse.dlt import sync_call_records

_PAGE: Final = 100
_WAYS: Final = (("duckdb", 100_000), ("duckdb", 400_000), ("delta", 100_000), ("delta", 400_000), ("dicts", 20_000))


class ReadAlready:
    """A client whose records need no request."""

    sdk_app_id = 1_400_000_000
    service = Service.CURRENT

    def __init__(self, count: int) -> None:
        self._pages = [
            CallRecordPage(records=tuple(records[start : start + _PAGE]), page=1 + start // _PAGE, total_num=count)
            for records in [make_records(count)]
            for start in range(0, count, _PAGE)
        ]

    @property
    def service_time(self) -> float:
        """Return this machine's time."""
        return time.time()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def iter_pages(self, **_: Any) -> AsyncGenerator[CallRecordPage, None]:
        """Yield the pages, and let go of each."""
        self._pages.reverse()
        while self._pages:
            yield self._pages.pop()

    def iter_rows(self) -> Iterator[dict[str, Any]]:
        """Yield the records as dicts."""
        for page in self._pages:
            for record in page.records:
                yield make_row(record)


def sync(client: ReadAlready, path: Path, *, scheme: str) -> None:
    """Load Arrow tables, as the library does."""
    sync_call_records(f"{scheme}:///{path}", lambda: cast("CallRecordsClient", client))


def load_dicts(client: ReadAlready, path: Path) -> None:
    """Load dicts, which dlt takes apart and types one by one."""
    import dlt

    with configured_dlt, TemporaryDirectory() as directory:
        pipeline = dlt.pipeline("dicts", pipelines_dir=directory, destination=dlt.destinations.duckdb(str(path)))
        pipeline.run(client.iter_rows(), table_name="call_records", primary_key="call_id", write_disposition="merge")


def measure(way: str, count: int) -> None:
    """Load *count* records one way and print its time and memory."""
    load = load_dicts if way == "dicts" else partial(sync, scheme=way)
    with TemporaryDirectory() as directory:
        load(ReadAlready(100), Path(directory, "calls.duckdb"))
    client = ReadAlready(count)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with TemporaryDirectory() as directory:
        started, worked = time.perf_counter(), time.process_time()
        load(client, Path(directory, "calls.duckdb"))
        seconds, work = time.perf_counter() - started, time.process_time() - worked
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        f"{way:6} {count:8,} records  {seconds:6.2f} s, {work:6.2f} s of CPU  {count / seconds:8,.0f} records/s"
        f"  {more:+6.0f} MB at the peak"
    )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        measure(sys.argv[1], int(sys.argv[2]))
    else:
        for name, number in _WAYS:
            subprocess.run([sys.executable, __file__, name, str(number)], check=True)
