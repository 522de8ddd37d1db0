"""The JSON Lines format."""

from __future__ import annotations

import asyncio
import io
import json
import os
import stat
import sys
from pathlib import Path

import pytest
from exported import make_record, stream

from trtc_records.export import JsonLinesWriter


def test_line_has_plain_values() -> None:
    """Times are ISO 8601 in UTC, durations seconds, members a list."""
    file = io.BytesIO()
    assert asyncio.run(JsonLinesWriter(file).write(stream(make_record(extra={"Tag": "x"})))) == 1
    assert json.loads(file.getvalue()) == {
        "call_id": "a",
        "caller": "147",
        "callees": ["147", "369"],
        "media_type": "Audio",
        "call_type": "SingleCall",
        "call_result": "NormalEnd",
        "start_time": "2025-02-19T10:17:22Z",
        "accept_time": "2025-02-19T10:17:24Z",
        "end_time": "2025-02-19T10:17:25Z",
        "ring_seconds": 2,
        "talk_seconds": 1,
        "room_id": "",
        "room_id_type": 0,
        "extra": '{"Tag": "x"}',
    }


@pytest.mark.parametrize("name", ["小明", "a\nb", "\u2028", "\0"])
def test_any_user_id_is_one_line(name: str) -> None:
    """A record with any user id is one line."""
    file = io.BytesIO()
    asyncio.run(JsonLinesWriter(file).write(stream(make_record(caller=name))))
    (line,) = file.getvalue().decode().splitlines()
    assert json.loads(line)["caller"] == name


def test_every_record_is_written_in_order(tmp_path: Path) -> None:
    """More records than one write takes are all in the file, in order."""
    path = tmp_path / "calls.jsonl"
    names = [str(number) for number in range(1_201)]
    assert asyncio.run(JsonLinesWriter(path).write(stream(*map(make_record, names)))) == 1_201
    assert [json.loads(line)["call_id"] for line in path.read_text().splitlines()] == names


def test_no_records_make_an_empty_file(tmp_path: Path) -> None:
    """Nothing to write is a file without lines."""
    asyncio.run(JsonLinesWriter(str(tmp_path / "calls.jsonl")).write(stream()))
    assert (tmp_path / "calls.jsonl").read_bytes() == b""


def test_error_leaves_the_older_file(tmp_path: Path) -> None:
    """A walk that fails leaves the file as it was, and nothing beside it."""
    path = tmp_path / "calls.jsonl"
    path.write_text("older")
    with pytest.raises(LookupError):
        asyncio.run(JsonLinesWriter(path).write(stream(make_record(), error=LookupError())))
    assert {entry: entry.read_text() for entry in tmp_path.iterdir()} == {path: "older"}


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")
def test_replaced_file_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    """The target of a link is replaced, and keeps its permissions."""
    target, link = tmp_path / "target", tmp_path / "link"
    target.touch(0o600)
    link.symlink_to(target)
    asyncio.run(JsonLinesWriter(link).write(stream(make_record())))
    assert link.is_symlink()
    assert target.read_text()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_device_is_written_to_as_it_is() -> None:
    """A device is not replaced by a file."""
    asyncio.run(JsonLinesWriter(os.devnull).write(stream(make_record())))
    assert not Path(os.devnull).is_file()
