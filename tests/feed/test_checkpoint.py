"""A checkpoint keeps the place of a feed in a file that one process at a time may use."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from trtc_records import Checkpoint, CheckpointError, ConfigurationError, FileCheckpoint

pytestmark = pytest.mark.anyio

HOLDER = """
import asyncio, sys
from trtc_records import FileCheckpoint

async def main():
    checkpoint = FileCheckpoint(sys.argv[1])
    print(await checkpoint.load(), flush=True)
    await checkpoint.save("place of the other", [(7, 70)], 0)
    print("saved", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_a_place_and_its_digests_come_back(tmp_path: Path) -> None:
    """What was saved is loaded: the last place, and the digests that were not dropped."""
    checkpoint = FileCheckpoint(tmp_path / "seen.db")
    assert isinstance(checkpoint, Checkpoint)
    assert await checkpoint.load() == (None, [])
    await checkpoint.save("one", [(1, 10), (-(2**63), 20)], 0)
    await checkpoint.save("two", [(2**63 - 1, 30), (1, 10)], 15)
    await checkpoint.aclose()
    place, seen = await checkpoint.load()
    await checkpoint.aclose()
    assert place == "two"
    assert sorted(seen) == [(-(2**63), 20), (2**63 - 1, 30)]


async def test_two_feeds_of_a_process_do_not_share_a_file(tmp_path: Path) -> None:
    """The second one is refused, by the same object or by another one."""
    checkpoint = FileCheckpoint(str(tmp_path / "seen.db"))
    await checkpoint.load()
    with pytest.raises(ConfigurationError, match="another feed of this process"):
        await checkpoint.load()
    with pytest.raises(ConfigurationError, match="in use by another process"):
        await FileCheckpoint(tmp_path / "seen.db").load()
    await checkpoint.save("one", [], 0)
    await checkpoint.aclose()


async def test_a_cancelled_save_is_ended_before_the_next(tmp_path: Path) -> None:
    """A cancellation leaves its thread writing; the save and the close that follow wait for it."""
    checkpoint = FileCheckpoint(tmp_path / "seen.db")
    await checkpoint.load()
    many = [(number, 10) for number in range(100_000)]
    saving = asyncio.create_task(checkpoint.save("one", many, 0))
    while not checkpoint._turn.locked():
        await asyncio.sleep(0)
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    await checkpoint.save("two", [(-1, 20)], 0)
    await checkpoint.aclose()
    place, seen = await checkpoint.load()
    await checkpoint.aclose()
    assert (place, len(seen)) == ("two", 100_001)


async def test_another_process_is_kept_out_until_it_ends_in_whatever_way(tmp_path: Path) -> None:
    """A lock ends with its process, even by SIGKILL, and its last save is there."""
    path = tmp_path / "seen.db"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:  # noqa: ASYNC220
        assert holder.stdout is not None
        assert holder.stdout.readline() == "(None, [])\n"
        assert holder.stdout.readline() == "saved\n"
        checkpoint = FileCheckpoint(path)
        with pytest.raises(
            ConfigurationError, match=r"seen\.db.* is in use by another process: give each feed its own"
        ):
            await checkpoint.load()
        os.kill(holder.pid, signal.SIGKILL)
    assert await checkpoint.load() == ("place of the other", [(7, 70)])
    await checkpoint.aclose()


@pytest.mark.parametrize(
    ("statement", "error", "remedy"),
    [
        ("PRAGMA user_version = 99", ConfigurationError, "newer version of trtc-records: install that version"),
        ("PRAGMA application_id = 5", ConfigurationError, "database of another program"),
        ("DROP TABLE seen", CheckpointError, "no such table.*move the file away"),
    ],
)
async def test_a_file_that_is_no_place_of_ours_is_left_alone(
    tmp_path: Path, statement: str, error: type[Exception], remedy: str
) -> None:
    """The error says how to go on, and the file stays as it was."""
    path = tmp_path / "seen.db"
    checkpoint = FileCheckpoint(path)
    await checkpoint.load()
    await checkpoint.save("one", [(1, 10)], 0)
    await checkpoint.aclose()
    with sqlite3.connect(path) as file:
        file.execute(statement)
    file.close()
    before = path.read_bytes()
    with pytest.raises(error, match=remedy):
        await checkpoint.load()
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
async def test_a_damaged_file_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """Nothing is overwritten."""
    path = tmp_path / "seen.db"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="move the file away, and pass since="):
        await FileCheckpoint(path).load()
    assert path.read_bytes() == content


async def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    """A database that has tables is not taken over."""
    path = tmp_path / "app.db"
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE users (id)")
    file.close()
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="database of another program: pass another path"):
        await FileCheckpoint(path).load()
    assert path.read_bytes() == before


@pytest.mark.parametrize("path", ["absent/seen.db", ".", "\0", "\ud800"])
async def test_a_path_that_cannot_be_opened_is_named(tmp_path: Path, path: str) -> None:
    """A directory that does not exist, or a directory itself."""
    with pytest.raises(ConfigurationError, match=r"FileCheckpoint\('.*'\): .*check that the directory exists"):
        await FileCheckpoint(tmp_path / path).load()


@pytest.mark.parametrize("path", [None, "", 5])
def test_a_path_is_text(path: object) -> None:
    """The argument is named before anything is opened."""
    with pytest.raises(ConfigurationError, match="path=.*pass the path of a file"):
        FileCheckpoint(path)  # type: ignore[arg-type]


async def test_a_full_disk_leaves_the_last_place(tmp_path: Path) -> None:
    """The error says so, and a later save works again."""
    checkpoint = FileCheckpoint(tmp_path / "seen.db")
    await checkpoint.load()
    await checkpoint.save("one", [(1, 10)], 0)
    assert checkpoint._file is not None
    (pages,) = checkpoint._file.execute("PRAGMA page_count").fetchone()
    checkpoint._file.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(CheckpointError, match="full: free some space and start again: the file keeps the last place"):
        await checkpoint.save("two", [(number, 20) for number in range(10_000)], 0)
    checkpoint._file.execute("PRAGMA max_page_count = 1000000")
    await checkpoint.aclose()
    assert await checkpoint.load() == ("one", [(1, 10)])
    await checkpoint.aclose()


async def test_a_cancelled_step_ends_before_the_next_one(tmp_path: Path) -> None:
    """A save that was cancelled goes on in its thread; the saves and the close behind it wait for it."""
    checkpoint = FileCheckpoint(tmp_path / "seen.db")
    for number in range(20):
        await checkpoint.load()
        for _ in range(3):
            saving = asyncio.create_task(checkpoint.save(str(number), [(value, 20) for value in range(2_000)], 0))
            await asyncio.sleep(0.002)
            saving.cancel()
            await asyncio.wait([saving])
        await checkpoint.save(str(number), [], 0)
        await checkpoint.aclose()
    loading = asyncio.create_task(checkpoint.load())
    await asyncio.sleep(0)
    loading.cancel()
    await asyncio.wait([loading])
    second = FileCheckpoint(tmp_path / "seen.db")
    place, seen = await second.load()
    await second.aclose()
    assert place == "19"
    assert len(seen) == 2_000
