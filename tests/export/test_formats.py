"""The common behaviour of all formats."""

from __future__ import annotations

import asyncio
import errno
import io
import math
import os
import stat
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from exported import FORMATS, PYARROW, expected_row, make_record, read_rows, stream

from trtc_records import CallRecord
from trtc_records.export import FileFormat, make_writer

needs_pyarrow = pytest.mark.skipif(not PYARROW, reason="needs the extra parquet")
every_format = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=needs_pyarrow) if name == "parquet" else name for name in FORMATS]
)
ODD = [
    make_record("unanswered", accept_time=None, callees=()),
    make_record("new values", call_result="Forwarded", call_type="Conference", media_type="Screen", room_id_type=7),
    make_record("no end", end_time=None),
    make_record("no answer and no end", accept_time=None, end_time=None),
    make_record("numbers", call_result=3, room_id_type=2**70, extra={"Big": 2**70}),
    make_record("a number that no float holds", extra={"Big": 10**400, "Deep": [-(10**400), 10**300]}),
    make_record("many digits", extra={"Big": 10**305, "Text": "9" * 400}),
    make_record("text for a number", room_id_type="string"),
    make_record(
        "half\ud800", caller="\udfff", callees=("\ud800", "小明"), room_id="\ud900", extra={"\ud800": "\udc00"}
    ),
    make_record("separators", caller='a,b;"c"\r\n\td', callees=('["x"]', "\0", ""), extra={"a": {"b": [None, 1.5]}}),
    make_record("formula", caller="=1+1", room_id="-2"),
    make_record("their own", extra={"Tag": "x", "Nested": {"_exact": 1}}),
]


def write(records: Any, name: str) -> bytes:
    file = io.BytesIO()
    asyncio.run(make_writer(file, name).write(records))
    return file.getvalue()


@every_format
def test_every_value_is_read_back(name: str) -> None:
    """Every value of a record is read back unchanged, even one that no column has a type for."""
    assert read_rows(write(stream(*ODD), name), name) == [expected_row(record) for record in ODD]


@every_format
def test_numbers_that_json_does_not_have_are_texts(name: str) -> None:
    """An infinite number, or NaN, is written as text, which every reader takes."""
    extra = {"Big": math.inf, "Deep": [{"Small": -math.inf}], "None": math.nan, "Plain": 1.5}
    (row,) = read_rows(write([make_record(call_result=math.inf, extra=extra)], name), name)
    assert row["extra"] == {"Big": "Infinity", "Deep": [{"Small": "-Infinity"}], "None": "NaN", "Plain": 1.5}
    assert row["call_result"] == "Infinity"


@every_format
def test_every_record_is_there_in_order(name: str) -> None:
    """More records than one write takes are all in the file, in order, and counted."""
    names = [str(number) for number in range(1_201)]
    file = io.BytesIO()
    assert asyncio.run(make_writer(file, name).write(stream(*map(make_record, names)))) == 1_201
    assert [row["call_id"] for row in read_rows(file.getvalue(), name)] == names


@every_format
def test_plain_iterables_will_do(name: str) -> None:
    """A list or a generator is written as a walk is."""

    def generate() -> Iterator[CallRecord]:
        yield from ODD

    assert write(ODD, name) == write(generate(), name) == write(stream(*ODD), name)


@every_format
def test_no_records_make_a_file_that_can_be_read(name: str) -> None:
    """Nothing to write is a file without rows."""
    assert read_rows(write([], name), name) == []


@every_format
def test_times_are_utc(name: str) -> None:
    """A time in another zone is written in UTC."""
    there = datetime(2025, 2, 19, 8, 0, tzinfo=timezone(timedelta(hours=8)))
    (row,) = read_rows(write([make_record(start_time=there)], name), name)
    assert row["start_time"] == "2025-02-19T00:00:00Z"


@every_format
def test_times_of_another_class_are_written(name: str) -> None:
    """A record made by hand may hold pendulum's times, and its durations are pendulum's then."""
    pendulum = pytest.importorskip("pendulum", reason="pendulum comes with dlt")
    names = ("start_time", "accept_time", "end_time")
    times = {each: pendulum.instance(getattr(make_record(), each)).in_timezone("Asia/Tokyo") for each in names}
    assert write([make_record(**times)], name) == write([make_record()], name)


@every_format
def test_error_leaves_the_older_file(name: str, tmp_path: Path) -> None:
    """A walk that fails leaves the file as it was, and nothing beside it."""
    path = tmp_path / f"calls.{name}"
    path.write_text("older")
    with pytest.raises(LookupError):
        asyncio.run(make_writer(path).write(stream(*ODD, error=LookupError())))
    assert {entry: entry.read_text() for entry in tmp_path.iterdir()} == {path: "older"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@every_format
def test_full_disk_is_an_os_error(name: str) -> None:
    """A full disk is an ``OSError``, no matter which library makes the bytes."""
    with pytest.raises(OSError) as caught:  # noqa: PT011
        asyncio.run(make_writer("/dev/full", name).write(ODD))
    assert caught.value.errno == errno.ENOSPC


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
@every_format
def test_new_file_has_the_permissions_of_the_umask(name: str, tmp_path: Path) -> None:
    """A new file has the permissions that the umask leaves."""
    path = tmp_path / f"calls.{name}"
    before = os.umask(0o027)
    try:
        asyncio.run(make_writer(path).write(ODD))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_long_file_name_leaves_room_for_the_part(tmp_path: Path) -> None:
    """A name as long as the file system allows can be written."""
    path = tmp_path / f"{'x' * 249}.jsonl"
    asyncio.run(make_writer(path).write(ODD))
    assert path.exists()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("calls.jsonl", "jsonl"),
        ("calls.ndjson", "jsonl"),
        ("a.csv/calls.JSONL.GZ", "jsonl.gz"),
        ("calls.2026.csv", "csv"),
        ("calls.csv.gz", "csv.gz"),
        (Path("calls.parquet"), "parquet"),
    ],
)
def test_format_follows_from_the_name(path: Path | str, expected: str) -> None:
    """The extension of a file's name sets its format."""
    assert FileFormat.of(path) == expected


@pytest.mark.parametrize("path", ["calls", "calls.xlsx", "csv", "calls.gz", "calls.json"])
def test_other_names_are_refused(path: str) -> None:
    """A name without a known extension is an error that lists the formats."""
    with pytest.raises(ValueError, match=r"\.jsonl, \.jsonl\.gz, \.csv, \.csv\.gz, \.parquet"):
        make_writer(path)


def test_open_file_needs_a_format() -> None:
    """An open file has no name to go by."""
    with pytest.raises(ValueError, match="pass one of jsonl"):
        make_writer(io.BytesIO())


def test_gzip_is_the_same_each_time() -> None:
    """No time of day is in the file, so the same records make the same bytes."""
    assert write(ODD, "jsonl.gz") == write(ODD, "jsonl.gz")


@needs_pyarrow
def test_missing_name_is_an_attribute_error() -> None:
    """The names that are imported late do not make others up."""
    import trtc_records.export

    with pytest.raises(AttributeError, match="'ExcelWriter'"):
        trtc_records.export.ExcelWriter  # noqa: B018
