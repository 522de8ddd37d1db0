"""An archive as one table of the tools that users have, which know nothing of this library."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="needs the extra parquet")

from archive_service import MIDNIGHT, Service, call

CALLS = [call("a", -30), call("b", -2), call("c", -1, seconds=7), call("d", 1)]
DAYS = [("2026-11-22", 1), ("2026-11-23", 2), ("2026-11-24", 1)]


def read_with_duckdb(directory: str) -> Iterator[tuple[str, int]]:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    query = f"SELECT start_date, count(*) FROM '{directory}/*/calls.parquet' GROUP BY ALL ORDER BY ALL"
    return ((str(day), count) for day, count in duckdb.sql(query).fetchall())


def read_with_polars(directory: str) -> Iterator[tuple[str, int]]:
    polars = pytest.importorskip("polars", reason="polars is not installed")
    table = polars.scan_parquet(f"{directory}/start_date=*/calls.parquet", hive_partitioning=True)
    rows = table.group_by("start_date").len().sort("start_date").collect().rows()
    return ((str(day), count) for day, count in rows)


def read_with_pandas(directory: str) -> Iterator[tuple[str, int]]:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.read_parquet(directory)
    return ((day, int(count)) for day, count in frame.groupby("start_date", observed=True).size().items())


@pytest.mark.parametrize("read", [read_with_duckdb, read_with_polars, read_with_pandas])
def test_archive_is_one_table(read: Callable[[str], Iterator[tuple[str, int]]], tmp_path: Path) -> None:
    """Each tool finds every call, and the column of the day, also where some files were written in a later run."""
    service = Service(CALLS[:3])
    service.archive(tmp_path, since=MIDNIGHT.replace(day=22), file_format="parquet")
    service.calls = CALLS
    service.archive(tmp_path, since=MIDNIGHT, file_format="parquet")
    assert list(read(str(tmp_path))) == DAYS
