"""Replacing files, and writing to what is none."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import sys
import time
from pathlib import Path
from typing import Any

import anyio
import pytest
from exported import expected_row, make_record, read_rows

from trtc_records.export import JsonLinesWriter, replace_file

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes and links")
RECORDS = [make_record(str(number)) for number in range(1_200)]


class Unbuffered(io.RawIOBase):
    """A file that takes a few bytes at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        part = bytes(content[:10_000])
        self.content += part
        return len(part)


class Busy(Unbuffered):
    """A file that can take nothing now."""

    def write(self, content: Any) -> None:  # type: ignore[override]
        return None


def write(file: Any) -> int:
    return asyncio.run(JsonLinesWriter(file).write(RECORDS))


def test_file_without_a_buffer_gets_every_byte() -> None:
    """A file that takes a part at a time is written to until it has all."""
    file = Unbuffered()
    assert write(file) == len(RECORDS)
    assert read_rows(file.content, "jsonl") == [expected_row(record) for record in RECORDS]


def test_file_that_would_block_is_an_error() -> None:
    """A file that is not ready, and so takes nothing, is no success."""
    with pytest.raises(BlockingIOError):
        write(Busy())


def test_file_that_does_not_count_takes_all() -> None:
    """A file-like object whose ``write`` returns nothing is taken at its word."""

    class File:
        content = b""

        def write(self, content: bytes) -> None:
            self.content += content

        def flush(self) -> None: ...

    file = File()
    assert write(file) == len(RECORDS)
    assert len(read_rows(file.content, "jsonl")) == len(RECORDS)


@posix
def test_cancellation_does_not_wait_for_a_reader() -> None:
    """A write to a pipe that nobody reads can be given up."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as behind, os.fdopen(writer, "wb", buffering=0) as file:

        async def give_up() -> None:
            with pytest.raises(TimeoutError), anyio.fail_after(0.5):
                await JsonLinesWriter(file).write(RECORDS)

        asyncio.run(give_up())
        os.set_blocking(reader, False)
        while behind.read(65_536):  # so that the thread ends
            time.sleep(0.01)


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")
@pytest.mark.parametrize("name", ["/dev/fd/{}", "/proc/self/fd/{}"])
def test_open_file_is_added_to(tmp_path: Path, name: str) -> None:
    """A path that means a file which is open already adds to it, and does not replace it."""
    log = tmp_path / "log"
    log.write_text("older\n")
    with log.open("a") as file:
        path = Path(name.format(file.fileno()))
        if not path.exists():
            pytest.skip(f"there is no {path.parent}")
        with replace_file(path) as out:
            out.write(b"newer\n")
    assert log.read_text() == "older\nnewer\n"
    assert list(tmp_path.iterdir()) == [log]


@posix
def test_circle_of_links_is_an_os_error(tmp_path: Path) -> None:
    """A link to itself cannot be written, and stays."""
    link = tmp_path / "calls.jsonl"
    link.symlink_to(link)
    with pytest.raises(OSError) as caught, replace_file(link):  # noqa: PT011
        pass
    assert caught.value.errno == errno.ELOOP
    assert link.is_symlink()


@posix
def test_directory_that_cannot_be_read_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is written where its directory may be written to and not read."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with replace_file(tmp_path / "calls.jsonl") as file:
        file.write(b"whole")
    assert (tmp_path / "calls.jsonl").read_text() == "whole"
