"""Files that are replaced, files that can only be overwritten, and pipes and devices."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from exported import expected_row, make_record, read_rows

from trtc_records import CallRecordsWarning
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


NOBODY = 65534
is_root = sys.platform != "win32" and os.geteuid() == 0
needs_root = pytest.mark.skipif(not is_root, reason="needs root")


def can_mount() -> bool:
    if not is_root or shutil.which("unshare") is None:
        return False
    command = ["unshare", "-m", "mount", "--bind", "/", "/mnt"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.fixture
def sticky() -> Iterator[Path]:
    """Return a directory like /tmp, of root, in which this process goes on as a user without rights."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o1777)
    (directory / "calls.jsonl").write_text("older, and longer than the new one" * 10)
    os.seteuid(NOBODY)
    try:
        yield directory
    finally:
        os.seteuid(0)
        shutil.rmtree(directory)


PROGRAM = """
import sys
from pathlib import Path
from trtc_records.export import replace_file
with replace_file(Path(sys.argv[1])) as file:
    print("writing")
    file.write(b"newer")
"""


@pytest.mark.skipif(not can_mount(), reason="needs root and permission to mount")
@pytest.mark.parametrize("options", ["rw", "ro"])
def test_mount_point_is_overwritten_or_refused_first(tmp_path: Path, options: str) -> None:
    """A file that is a mount point keeps its place; one that is read-only is refused before anything is written."""
    outside, inside = tmp_path / "outside", tmp_path / "a directory" / "calls.jsonl"
    inside.parent.mkdir()
    inside.touch()
    outside.write_text("older and longer")
    commands = f"mount --bind {outside} '{inside}' && mount -o remount,bind,{options} '{inside}' && exec \"$@\""
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", commands, "sh", sys.executable, "-c", PROGRAM, str(inside)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if options == "rw":
        assert (done.returncode, done.stdout, outside.read_text()) == (0, "writing\n", "newer")
        assert f"<string>:5: CallRecordsWarning: {inside} cannot be replaced" in done.stderr
    else:
        assert (done.returncode, done.stdout, outside.read_text()) == (1, "", "older and longer")
        assert "Read-only file system" in done.stderr
    assert list(inside.parent.iterdir()) == [inside]


@needs_root
def test_file_of_another_user_is_overwritten(sticky: Path) -> None:
    """A file that its directory's sticky bit keeps from being replaced is overwritten, and a warning says so first."""
    path = sticky / "calls.jsonl"
    os.seteuid(0)
    path.chmod(0o666)
    os.seteuid(NOBODY)
    before = path.stat().st_ino
    with pytest.warns(CallRecordsWarning, match="cannot be replaced"):
        opening = replace_file(path)
    with opening as file:
        file.write(b"newer")
    assert (path.read_text(), path.stat().st_ino, path.stat().st_uid) == ("newer", before, 0)
    assert list(sticky.iterdir()) == [path]


@needs_root
def test_file_of_another_user_is_refused_first(sticky: Path) -> None:
    """If that file cannot be written either, the error comes before anything is read."""
    with pytest.raises(PermissionError), replace_file(sticky / "calls.jsonl"):
        pytest.fail("the walk began")
    assert len(list(sticky.iterdir())) == 1


@needs_root
def test_file_in_a_read_only_directory_is_overwritten(sticky: Path) -> None:
    """A file that may be written, in a directory that may not, is overwritten; the part is elsewhere."""
    path = sticky / "calls.jsonl"
    os.seteuid(0)
    path.chmod(0o666)
    sticky.chmod(0o755)
    os.seteuid(NOBODY)
    with pytest.warns(CallRecordsWarning, match="cannot be replaced"):
        opening = replace_file(path)
    with opening as file:
        assert list(sticky.iterdir()) == [path]
        file.write(b"newer")
        part = Path(file.name)
    assert path.read_text() == "newer"
    assert not part.exists()


@posix
@pytest.mark.parametrize("number", [errno.EBUSY, errno.EPERM, errno.EXDEV])
def test_file_that_turns_out_to_be_irreplaceable_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The records are written even if the system refuses the replacement at the end."""
    path = tmp_path / "calls.jsonl"
    path.write_text("older" * 100)
    path.chmod(0o640)

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "replace", refuse)
    with replace_file(path) as file:
        file.write(b"newer")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("newer", 0o640)
    assert list(tmp_path.iterdir()) == [path]


@posix
def test_error_before_the_end_leaves_a_mount_point_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that has to be overwritten stays as it was until all is there to write."""
    path = tmp_path / "calls \\ of today.jsonl"
    path.write_text("older")
    mounts = tmp_path / "mountinfo"
    escaped = str(path).replace("\\", "\\134").replace(" ", "\\040")
    mounts.write_text(f"36 35 98:0 / / rw - ext4 /dev/root rw\n37 36 98:0 /x {escaped} rw - ext4 /dev/root rw\n")
    monkeypatch.setattr("trtc_records.export._files._MOUNTS", mounts)
    with pytest.warns(CallRecordsWarning, match="cannot be replaced"):
        opening = replace_file(path)
    with pytest.raises(LookupError), opening as file:
        file.write(b"newer")
        raise LookupError
    assert path.read_text() == "older"
    assert sorted(tmp_path.iterdir()) == [path, mounts]


@needs_root
def test_read_only_file_of_ones_own_is_replaced(sticky: Path) -> None:
    """A file that may not be written, in a directory where names may be, is replaced, and stays read-only."""
    path = sticky / "own.jsonl"
    path.touch(0o444)
    with replace_file(path) as file:
        file.write(b"newer")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("newer", 0o444)


@needs_root
@pytest.mark.skipif(shutil.which("chattr") is None, reason="needs chattr")
def test_immutable_file_is_refused_first(tmp_path: Path) -> None:
    """A file that nobody may change is an error before anything is read."""
    path = tmp_path / "calls.jsonl"
    path.touch()
    if subprocess.run(["chattr", "+i", path], check=False, capture_output=True).returncode:
        pytest.skip("the file system has no immutable files")
    try:
        with pytest.raises(PermissionError), replace_file(path):
            pytest.fail("the walk began")
    finally:
        subprocess.run(["chattr", "-i", path], check=True)
