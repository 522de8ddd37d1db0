"""Sorting in bounded memory."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any, cast

import pytest
from archive_service import MIDNIGHT, Service, call

from trtc_records import CallRecord
from trtc_records.archive._sorting import Sorter, get_order
from trtc_records.export import read_records


def gather(records: list[CallRecord], directory: Path, most_held: int, page: int = 7) -> list[list[CallRecord]]:
    """Sort records that come in pages, and take them in two parts."""
    with Sorter(directory, most_held=most_held) as sorter:
        for first in range(0, len(records), page):
            asyncio.run(sorter.add(records[first : first + page]))
            assert len(sorter._held) < most_held
        return [list(sorter.take(MIDNIGHT)), list(sorter.take(MIDNIGHT.replace(year=9999)))]


def test_runs_are_merged_in_order(tmp_path: Path) -> None:
    """Records that came in any order are sorted by start, then id, however many runs they took."""
    records = [call(f"{number % 50:02}", number // 9 - 30) for number in range(500)]
    random.Random(1).shuffle(records)
    expected = sorted(records, key=get_order)
    for most_held in (10, 100, 1000):
        before, after = gather(records, tmp_path, most_held)
        assert [*before, *after] == expected
        assert all(record.start_time < MIDNIGHT for record in before)
        assert all(record.start_time >= MIDNIGHT for record in after)


def test_values_of_all_types_survive_a_run(tmp_path: Path) -> None:
    """What was spilled equals what was added, and is of the same types."""
    record = call("a", 1)
    odd = [
        CallRecord(
            call_id="b",
            caller="\ud83d",
            callees=(),
            media_type="Hologram",
            call_type=record.call_type,
            call_result=7,
            start_time=record.start_time,
            accept_time=None,
            end_time=None,
            extra={"x": [float("inf"), 10**400, None, {"y": "\0"}]},
        ),
        record,
    ]
    [_, after] = gather(odd, tmp_path, most_held=1)
    assert after == [record, odd[0]]
    assert [type(each.call_result) for each in after] == [type(record.call_result), int]


def test_runs_have_no_names_and_are_gone(tmp_path: Path) -> None:
    """A killed process leaves no run behind, since none has a name."""
    with Sorter(tmp_path, most_held=1) as sorter:
        asyncio.run(sorter.add([call("a", 1)]))
        assert not [*tmp_path.iterdir()]
        assert len(sorter._runs) == 1
    assert sorter._runs[0].closed


def test_archive_holds_a_part_of_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day of more records than are held is sorted all the same, and no file but its own is left."""
    spilled = []
    spill = Sorter._spill

    def count(sorter: Sorter, run: list[CallRecord]) -> None:
        spilled.append(len(run))
        spill(sorter, run)

    monkeypatch.setattr(Sorter, "_spill", count)
    monkeypatch.setitem(cast("dict[str, Any]", Sorter.__init__.__kwdefaults__), "most_held", 20)
    calls = [call(f"{number:03}", number % 23 + number / 1000) for number in range(300)]
    Service(calls, now=MIDNIGHT.replace(day=25)).archive(tmp_path, since=MIDNIGHT)
    assert spilled == [20] * 15
    assert list(read_records(tmp_path)) == sorted(calls, key=get_order)
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {
        "calls.jsonl",
        "2026-11-24.json",
        "2026-11-25.json",
        "lock",
    }
