"""An archive of day files: the right call in the right file, and none lost."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from archive_service import MIDNIGHT, WEEK, Service, call
from exported import PYARROW

from trtc_records import (
    AccountError,
    CallRecord,
    CallRecordsClient,
    CallRecordsError,
    CallRecordsWarning,
    ConfigurationError,
    RateLimitError,
    RepeatedPageError,
    ServerError,
    TransportError,
)
from trtc_records.archive import ArchiveReport, archive_call_records, verify_archive
from trtc_records.archive._manifest import MANIFESTS
from trtc_records.export import SCHEMA_VERSION, Pseudonyms, read_records
from trtc_records.sandbox import Behaviour, Sandbox

TODAY = "2026-11-24"
DAYS = timedelta(days=1)


def ids_of(directory: Path, day: str) -> list[str]:
    """Return the ids of the calls in the file of a day."""
    return [record.call_id for record in read_records(directory / f"start_date={day}" / "calls.jsonl")]


def manifest_of(directory: Path, day: str) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((directory / MANIFESTS / f"{day}.json").read_text())
    return manifest


def actions_of(report: ArchiveReport) -> dict[str, str]:
    return {each.name: each.action for each in report.partitions}


def test_call_is_in_the_file_of_the_day_on_which_it_started(tmp_path: Path) -> None:
    """A call that goes on over midnight belongs to the day before, and one that starts at midnight to the day after."""
    service = Service([call("before", -1 / 3600, seconds=7200), call("at", 0), call("later", 1)])
    report = service.archive(tmp_path)
    assert ids_of(tmp_path, "2026-11-23") == ["before"]
    assert ids_of(tmp_path, TODAY) == ["at", "later"]
    assert [each.name for each in report.partitions][-1] == TODAY
    assert (report.records, report.complete, len(report.partitions)) == (3, True, 8)


def test_manifest_accounts_for_a_file(tmp_path: Path) -> None:
    """The manifest has the version, the windows, the counts and the state of the day."""
    Service([call("a", 1)]).archive(tmp_path)
    manifest = manifest_of(tmp_path, TODAY)
    assert manifest["schema_version"] == SCHEMA_VERSION
    assert manifest["file"] == f"start_date={TODAY}/calls.jsonl"
    assert datetime.fromisoformat(manifest["start"]) == MIDNIGHT
    assert datetime.fromisoformat(manifest["window_start"]) == MIDNIGHT - timedelta(seconds=1)
    assert datetime.fromisoformat(manifest["read_at"]) == MIDNIGHT + timedelta(hours=12)
    assert [manifest[name] for name in ("records", "rejects", "total_num", "complete", "final")] == [
        1,
        0,
        1,
        True,
        False,
    ]
    assert verify_archive(tmp_path).problems == ()


def test_day_is_read_to_settle_after_its_end(tmp_path: Path) -> None:
    """A finished day is read with the margin of *settle*, as its calls may end so much later."""
    service = Service([])
    service.archive(tmp_path, since=MIDNIGHT - 4 * DAYS, until=MIDNIGHT - 4 * DAYS, settle=2 * DAYS)
    assert service.windows == [(int((MIDNIGHT - 4 * DAYS).timestamp()) - 1, MIDNIGHT - DAYS)]


def test_final_days_are_skipped(tmp_path: Path) -> None:
    """A day that was read complete later than its end and *settle* is not read again; the others are."""
    service = Service([])
    service.archive(tmp_path, since=MIDNIGHT - 4 * DAYS)
    service.windows.clear()
    report = service.archive(tmp_path, since=MIDNIGHT - 4 * DAYS)
    assert actions_of(report) == {
        "2026-11-20": "skipped",
        **dict.fromkeys(["2026-11-21", "2026-11-22", "2026-11-23", TODAY], "written"),
    }
    assert len(service.windows) == 4


@pytest.mark.parametrize("settle", [timedelta(), timedelta(hours=1)])
def test_day_is_not_final_before_its_last_call_can_be_read(tmp_path: Path, settle: timedelta) -> None:
    """A call that ended in the last seconds of the margin has no record yet, so the day is read once more."""
    service = Service([call("a", 1), call("last", 23, seconds=3_599 + settle.total_seconds())], readable_after=5)
    for seconds, found in ((2, ["a"]), (9, ["a", "last"]), (10, ["a", "last"])):
        service.now = MIDNIGHT + DAYS + settle + timedelta(seconds=seconds)
        service.archive(tmp_path, since=MIDNIGHT, settle=settle)
        assert (ids_of(tmp_path, TODAY), manifest_of(tmp_path, TODAY)["final"]) == (found, seconds >= 10)


def test_long_call_gets_into_its_day(tmp_path: Path) -> None:
    """A call that ends two days after its start is in the file of its day once it has a record."""
    service = Service([call("long", 1, seconds=50 * 3600), call("short", 2)])
    service.archive(tmp_path)
    assert ids_of(tmp_path, TODAY) == ["short"]
    service.now += 3 * DAYS
    service.archive(tmp_path)
    assert ids_of(tmp_path, TODAY) == ["long", "short"]


def test_day_that_expires_under_the_job_never_shrinks(tmp_path: Path) -> None:
    """A day that is partly gone at the service keeps its records, takes new ones, and is then closed."""
    service = Service([call("a", 1), call("long", 20, seconds=50 * 3600)])
    service.archive(tmp_path, since=MIDNIGHT - DAYS)
    service.now = MIDNIGHT + timedelta(days=7, hours=12)
    report = service.archive(tmp_path)
    assert actions_of(report)[TODAY] == "merged"
    assert ids_of(tmp_path, TODAY) == ["a", "long"]
    assert not report.complete
    service.now += DAYS
    report = service.archive(tmp_path)
    assert actions_of(report)[TODAY] == "expired"
    assert not report.complete
    assert ids_of(tmp_path, TODAY) == ["a", "long"]
    assert TODAY not in actions_of(service.archive(tmp_path))


def test_day_that_expires_within_its_walk_never_shrinks(tmp_path: Path) -> None:
    """A record that expires while a long walk goes on is not taken for one that never was."""
    service = Service([call("a", 0.05), call("b", 2)])
    service.archive(tmp_path, since=MIDNIGHT)
    service.now, service.walk_time = MIDNIGHT + WEEK - timedelta(minutes=4), timedelta(minutes=10)
    report = service.archive(tmp_path, since=MIDNIGHT, until=MIDNIGHT, settle=5 * DAYS)
    assert ids_of(tmp_path, TODAY) == ["a", "b"]
    assert [(each.action, each.complete, each.final) for each in report.partitions] == [("merged", False, False)]


def test_days_of_a_long_pause_are_reported_once(tmp_path: Path) -> None:
    """Days that expired unread are accounted for without a file."""
    service = Service([])
    service.archive(tmp_path, since=MIDNIGHT)
    service.now += 20 * DAYS
    report = service.archive(tmp_path)
    assert actions_of(report)["2026-11-30"] == "expired"
    assert not report.complete
    assert manifest_of(tmp_path, "2026-11-30")["file"] is None
    assert "2026-11-30" not in actions_of(service.archive(tmp_path))
    assert verify_archive(tmp_path).problems == ()


def test_archive_may_begin_within_a_day(tmp_path: Path) -> None:
    """The oldest day of the first run is not complete, which counts only if it was asked for."""
    service = Service([call("gone", -7 * 24 + 1), call("kept", -7 * 24 + 20)])
    report = service.archive(tmp_path)
    assert (report.partitions[0].complete, report.partitions[0].begins, report.complete) == (False, True, True)
    assert ids_of(tmp_path, "2026-11-17") == ["kept"]
    assert service.archive(tmp_path).complete
    assert not service.archive(tmp_path, since=MIDNIGHT - 7 * DAYS).complete


def test_incomplete_walk_loses_no_record_of_an_earlier_one(tmp_path: Path) -> None:
    """Records that a walk may have missed stay in the file, and the day is not complete."""
    service = Service([call("a", 1), call("b", 2)])
    service.archive(tmp_path, since=MIDNIGHT)
    service.calls, service.doubt = [call("b", 2), call("c", 3)], "a reason"
    report = service.archive(tmp_path, since=MIDNIGHT)
    assert ids_of(tmp_path, TODAY) == ["a", "b", "c"]
    assert [(each.action, each.complete, each.reason) for each in report.partitions] == [("merged", False, "a reason")]
    service.doubt = None
    assert service.archive(tmp_path, since=MIDNIGHT).complete
    assert ids_of(tmp_path, TODAY) == ["b", "c"]


def test_day_of_a_repeated_page_does_not_stop_the_run(tmp_path: Path) -> None:
    """The day keeps what was read of it, is not complete, and is read again; the days after it are read."""
    service = Service([call("a", -23), call("b", -22), call("c", 1)])
    service.failures[MIDNIGHT - DAYS] = RepeatedPageError(2, "Id-7")
    report = service.archive(tmp_path, since=MIDNIGHT - DAYS)
    assert [(each.action, each.records, each.complete) for each in report.partitions] == [
        ("written", 1, False),
        ("written", 1, True),
    ]
    assert not report.complete
    assert (
        "page 2 repeats records that earlier pages gave (RequestId Id-7)"
        in manifest_of(tmp_path, "2026-11-23")["reason"]
    )
    service.failures.clear()
    assert service.archive(tmp_path, since=MIDNIGHT - DAYS).complete
    assert ids_of(tmp_path, "2026-11-23") == ["a", "b"]
    service.failures[MIDNIGHT - DAYS] = RepeatedPageError(2, "Id-8")
    report = service.archive(tmp_path, since=MIDNIGHT - DAYS)
    assert [each.action for each in report.partitions] == ["merged", "written"]
    assert ids_of(tmp_path, "2026-11-23") == ["a", "b"]


@pytest.mark.parametrize(
    "error", [TransportError("reset", None), ServerError(101001), AccountError(60006), RateLimitError(60007)], ids=str
)
def test_other_error_stops_the_run(error: CallRecordsError, tmp_path: Path) -> None:
    """An error that the next day would meet too is raised; the day before it is kept."""
    service = Service([call("a", -23), call("b", 1), call("c", 2)])
    service.failures[MIDNIGHT] = error
    with pytest.raises(type(error)):
        service.archive(tmp_path, since=MIDNIGHT - DAYS)
    assert [record.call_id for record in read_records(tmp_path)] == ["a"]
    assert verify_archive(tmp_path).problems == ()


def test_calls_of_one_id_stay_apart(tmp_path: Path) -> None:
    """A merge keeps calls that share an id, or have none, and replaces a call by its newer record."""
    first = [call("x", 1), call("x", 2), call(" ", 3), call(" ", 3, seconds=61)]
    service = Service(first, doubt="a reason")
    service.archive(tmp_path, since=MIDNIGHT)
    service.calls = [call("x", 2, seconds=61), call(" ", 3)]
    service.archive(tmp_path, since=MIDNIGHT)
    kept = list(read_records(tmp_path))
    assert sorted(kept, key=str) == sorted([first[0], *service.calls, first[3]], key=str)


def test_records_that_cannot_be_read_are_kept_as_sent(tmp_path: Path) -> None:
    """Each is in the rejects of the day on which its call started, and counted."""
    bad = {"CallId": "bad", "StartTime": int(MIDNIGHT.timestamp()) + 5}
    service = Service([], invalid=[bad])
    report = service.archive(tmp_path, since=MIDNIGHT - DAYS)
    assert [each.rejects for each in report.partitions] == [0, 1]
    lines = (tmp_path / "_rejects" / f"{TODAY}.jsonl").read_text().splitlines()
    assert [json.loads(line)["raw"] for line in lines] == [bad]
    service.invalid, service.doubt = [], "a reason"
    assert service.archive(tmp_path, since=MIDNIGHT).rejects == 1
    service.doubt = None
    assert service.archive(tmp_path, since=MIDNIGHT).rejects == 0
    assert not [*(tmp_path / "_rejects").iterdir()]


@pytest.mark.parametrize("damage", [b"[1]\n", b'{"raw": {"CallId": "b'])
def test_line_of_the_rejects_that_was_changed_is_kept(damage: bytes, tmp_path: Path) -> None:
    """It does not stop the run, and the line after it stays a line."""
    bad = {"CallId": "bad", "StartTime": int(MIDNIGHT.timestamp()) + 5}
    service = Service([call("a", 1)], invalid=[bad])
    service.archive(tmp_path, since=MIDNIGHT)
    path = tmp_path / "_rejects" / f"{TODAY}.jsonl"
    path.write_bytes(path.read_bytes() + damage)
    service.doubt = "a reason"
    for _ in range(2):
        assert service.archive(tmp_path, since=MIDNIGHT).rejects == 2
    lines = path.read_bytes().splitlines()
    assert json.loads(lines[0])["raw"] == bad
    assert lines[1:] == damage.splitlines()


def test_pseudonyms_are_merged_as_the_same_calls(tmp_path: Path) -> None:
    """A day that was read twice has each call once, with and without an id of its own, and each reject once."""
    pseudonyms = Pseudonyms("0123456789abcdef" * 2)
    bad = {"CallId": "bad", "Caller_Account": "alice", "StartTime": int(MIDNIGHT.timestamp()) + 5}
    service = Service([call("a", 1), call("", 2)], doubt="a reason", invalid=[bad])
    for _ in range(2):
        report = service.archive(tmp_path, since=MIDNIGHT, pseudonyms=pseudonyms)
        service.calls = [call("", 2), call("b", 3)]
    assert (actions_of(report)[TODAY], report.rejects) == ("merged", 1)
    assert list(read_records(tmp_path)) == [pseudonyms(each) for each in [call("a", 1), call("", 2), call("b", 3)]]
    assert "alice" not in (tmp_path / "_rejects" / f"{TODAY}.jsonl").read_text()
    assert manifest_of(tmp_path, TODAY)["pseudonyms"] == pseudonyms.fingerprint


def test_pseudonyms_do_not_join_ids_that_no_manifest_knows(tmp_path: Path) -> None:
    """A run that was killed before its first manifest may have left a file with the service's ids."""
    service = Service([call("a", 1)], doubt="a reason")
    service.archive(tmp_path, since=MIDNIGHT)
    (tmp_path / MANIFESTS / f"{TODAY}.json").unlink()
    service.windows.clear()
    with pytest.raises(ConfigurationError, match=r"no manifest tells the ids of start_date=2026-11-24.calls\.jsonl"):
        service.archive(tmp_path, since=MIDNIGHT, pseudonyms=Pseudonyms("0123456789abcdef" * 2))
    assert service.windows == []
    assert service.archive(tmp_path, since=MIDNIGHT).records == 1


def test_ids_do_not_join_pseudonyms_that_no_manifest_knows(tmp_path: Path) -> None:
    """The same, the other way round; files that cannot be read do not stop a run."""
    service = Service([call("a", 1)], doubt="a reason")
    service.archive(tmp_path, since=MIDNIGHT, pseudonyms=Pseudonyms("0123456789abcdef" * 2))
    (tmp_path / MANIFESTS / f"{TODAY}.json").unlink()
    path = tmp_path / f"start_date={TODAY}" / "calls.jsonl"
    service.windows.clear()
    with pytest.raises(ConfigurationError, match=r"calls\.jsonl, which look like pseudonyms: pass another directory"):
        service.archive(tmp_path, since=MIDNIGHT)
    assert service.windows == []
    path.write_bytes(b"{")
    with pytest.warns(CallRecordsWarning, match="set aside"):
        assert service.archive(tmp_path, since=MIDNIGHT).records == 1


def test_hours_have_files_of_their_own(tmp_path: Path) -> None:
    """Hours are those of the zone, and one walk reads those of a day."""
    service = Service([call("a", 0.75), call("b", 1)])
    zone = ZoneInfo("Asia/Kolkata")  # half an hour off
    report = service.archive(tmp_path, since=MIDNIGHT, partition="hour", zone=zone)
    assert report.partitions[0].name == f"{TODAY}T05"
    assert [record.call_id for record in read_records(tmp_path / f"start_date={TODAY}/start_hour=06/calls.jsonl")] == [
        "a",
        "b",
    ]
    assert len(service.windows) == 1
    assert [record.call_id for record in read_records(tmp_path)] == ["a", "b"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"name": "2026-11-24"}'])
def test_damaged_manifest_costs_a_reading(content: bytes, tmp_path: Path) -> None:
    """A day whose manifest cannot be read is read again, and --verify finds it before."""
    service = Service([call("a", 1)], now=MIDNIGHT + 6 * DAYS)
    service.archive(tmp_path, since=MIDNIGHT)
    before = manifest_of(tmp_path, TODAY)
    assert before["final"]
    (tmp_path / MANIFESTS / f"{TODAY}.json").write_bytes(content)
    assert len(verify_archive(tmp_path).problems) == 2
    assert actions_of(service.archive(tmp_path, since=MIDNIGHT))[TODAY] == "written"
    assert manifest_of(tmp_path, TODAY) == before


def test_expired_day_with_a_damaged_manifest_keeps_its_file(tmp_path: Path) -> None:
    """Its manifest is made anew of the file."""
    service = Service([call("a", 1)], now=MIDNIGHT + 6 * DAYS)
    service.archive(tmp_path, since=MIDNIGHT)
    (tmp_path / MANIFESTS / f"{TODAY}.json").write_bytes(b"{")
    service.now += 5 * DAYS
    assert actions_of(service.archive(tmp_path))[TODAY] == "expired"
    assert (manifest_of(tmp_path, TODAY)["records"], ids_of(tmp_path, TODAY)) == (1, ["a"])
    assert verify_archive(tmp_path).problems == ()


@pytest.mark.parametrize("name", ["2026-13-45", "2026-02-30", "2026-11-23T08", "2026-11-23T99"])
@pytest.mark.parametrize("partition", ["day", "hour"])
def test_damaged_manifest_of_another_layout_stops_no_run(
    name: str, partition: Literal["day", "hour"], tmp_path: Path
) -> None:
    """A manifest that cannot be read, and whose name is no day, is found by --verify only."""
    (tmp_path / MANIFESTS).mkdir()
    (tmp_path / MANIFESTS / f"{name}.json").write_bytes(b"{")
    report = Service([call("a", 1)]).archive(tmp_path, partition=partition)
    assert (report.records, report.complete) == (1, True)


def test_file_that_a_killed_run_left_without_its_manifest_is_accounted_for(tmp_path: Path) -> None:
    """Also once its day has expired; a damaged one goes on to differ from its manifest."""
    service = Service([call("a", 1), call("b", 2), call("c", 25)])
    service.archive(tmp_path, since=MIDNIGHT)
    service.now += DAYS
    service.archive(tmp_path, since=MIDNIGHT)
    path = tmp_path / f"start_date={TODAY}" / "calls.jsonl"
    path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(keepends=True)[1])
    damaged = tmp_path / "start_date=2026-11-25" / "calls.jsonl"
    damaged.write_bytes(b"{")
    service.now += 20 * DAYS
    report = service.archive(tmp_path)
    assert [each.records for each in report.partitions if each.name == TODAY] == [3]
    assert manifest_of(tmp_path, TODAY)["bytes"] == path.stat().st_size
    assert verify_archive(tmp_path).problems == (f"{damaged} differs from its manifest",)


def test_damaged_file_is_set_aside(tmp_path: Path) -> None:
    """A file that cannot be merged stays beside the new one, with a warning."""
    service = Service([call("a", 1)])
    service.archive(tmp_path, since=MIDNIGHT)
    path = tmp_path / f"start_date={TODAY}" / "calls.jsonl"
    path.write_bytes(b"{")
    service.doubt = "a reason"
    with pytest.warns(CallRecordsWarning, match="set aside"):
        report = service.archive(tmp_path, since=MIDNIGHT)
    assert not report.complete
    assert ids_of(tmp_path, TODAY) == ["a"]
    assert [each.read_bytes() for each in path.parent.glob(".*.damaged")] == [b"{"]


def test_missing_file_is_written_again(tmp_path: Path) -> None:
    """A final day whose file is gone is read while the service still has it."""
    service = Service([call("a", 1)], now=MIDNIGHT + 6 * DAYS)
    service.archive(tmp_path, since=MIDNIGHT)
    (tmp_path / f"start_date={TODAY}" / "calls.jsonl").unlink()
    assert verify_archive(tmp_path).problems == (f"{tmp_path / f'start_date={TODAY}' / 'calls.jsonl'} is missing",)
    service.archive(tmp_path, since=MIDNIGHT)
    assert ids_of(tmp_path, TODAY) == ["a"]


def test_verify_finds_changed_and_unknown_files(tmp_path: Path) -> None:
    """A file that was changed at its old length is found, and so is one without a manifest."""
    Service([call("a", 1)]).archive(tmp_path, since=MIDNIGHT)
    path = tmp_path / f"start_date={TODAY}" / "calls.jsonl"
    path.write_bytes(path.read_bytes()[::-1])
    unknown = tmp_path / "start_date=2026-01-01" / "calls.jsonl"
    unknown.parent.mkdir()
    unknown.touch()
    assert verify_archive(tmp_path).problems == (
        f"{path} differs from its manifest",
        f"{unknown} has no manifest that can be read",
    )


def test_full_disk_leaves_the_archive_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error while a file is written is raised; the earlier file is whole, and no part is left."""
    service = Service([call("a", 1)])
    service.archive(tmp_path, since=MIDNIGHT)
    before = sorted(path for path in tmp_path.rglob("*"))

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    service.calls.append(call("b", 2))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space left"):
            service.archive(tmp_path, since=MIDNIGHT)
    assert sorted(path for path in tmp_path.rglob("*")) == before
    assert ids_of(tmp_path, TODAY) == ["a"]
    assert verify_archive(tmp_path).problems == ()


def test_leftovers_of_killed_runs_are_removed(tmp_path: Path) -> None:
    """Parts of files are removed, and files of others stay."""
    Service([]).archive(tmp_path, since=MIDNIGHT)
    directory = tmp_path / f"start_date={TODAY}"
    part, other = directory / ".calls.staged.part", directory / "notes.part"
    part.touch()
    other.touch()
    Service([]).archive(tmp_path, since=MIDNIGHT)
    assert (part.exists(), other.exists()) == (False, True)


def test_second_run_is_refused(tmp_path: Path) -> None:
    """Two runs at once do not write to one archive; the next one may."""
    service = Service([])
    refused = []

    def run_second(_: object) -> None:
        with pytest.raises(ConfigurationError, match="another run writes to it"):
            asyncio.run(_archive(Service([]), tmp_path))
        refused.append(True)

    async def _archive(each: Service, directory: Path) -> None:
        await archive_call_records(each, directory, since=MIDNIGHT, file_format="jsonl")  # type: ignore[arg-type]

    def in_thread(partition: object) -> None:
        import threading

        thread = threading.Thread(target=run_second, args=(partition,))
        thread.start()
        thread.join()

    service.archive(tmp_path, since=MIDNIGHT, on_partition=in_thread)
    assert refused == [True]
    service.archive(tmp_path, since=MIDNIGHT)


@pytest.mark.parametrize(
    "options",
    [{"partition": "hour"}, {"zone": ZoneInfo("Asia/Singapore")}, {"file_format": "csv"}],
    ids=["partition", "zone", "format"],
)
def test_other_layout_is_refused(options: dict[str, Any], tmp_path: Path) -> None:
    """An archive has one layout: another one would hold each call twice."""
    Service([]).archive(tmp_path, since=MIDNIGHT)
    with pytest.raises(ConfigurationError, match="pass the same, or another directory"):
        Service([]).archive(tmp_path, **options)


def test_other_app_is_refused(tmp_path: Path) -> None:
    """An archive belongs to one app."""
    Service([]).archive(tmp_path, since=MIDNIGHT)
    with pytest.raises(ConfigurationError, match="SDKAppID 1"):
        Service([], sdk_app_id=2).archive(tmp_path)


def test_newer_archive_is_refused(tmp_path: Path) -> None:
    """An archive of a later version is not written to."""
    Service([]).archive(tmp_path, since=MIDNIGHT)
    path = tmp_path / MANIFESTS / f"{TODAY}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 99, "news": 1}))
    with pytest.raises(ConfigurationError, match="newer version"):
        Service([]).archive(tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {"since": datetime(2026, 11, 24)},  # noqa: DTZ001
        {"partition": "week"},
        {"zone": "UTC"},
        {"settle": 6 * DAYS},
        {"settle": 3},
        {"file_format": "xlsx"},
        {"since": MIDNIGHT, "until": MIDNIGHT - DAYS},
        {"page_size": 0},
        {"directory": ""},
        {"directory": " "},
        {"directory": None},
    ],
)
def test_bad_argument_is_refused(options: dict[str, Any], tmp_path: Path) -> None:
    """The message names the argument, and nothing is made."""
    with pytest.raises(ConfigurationError, match=".*".join(options)):
        Service([]).archive(**{"directory": tmp_path / "new", **options})
    assert not (tmp_path / "new").exists()


def test_lock_that_is_no_lock_is_explained(tmp_path: Path) -> None:
    """The message names the file to remove."""
    (tmp_path / MANIFESTS).mkdir()
    (tmp_path / MANIFESTS / "lock").write_bytes(b"x" * 1000)
    with pytest.raises(ConfigurationError, match=r"lock cannot be locked: .*: remove that file"):
        Service([]).archive(tmp_path)


def test_no_archive_cannot_be_verified(tmp_path: Path) -> None:
    """A wrong directory is an error."""
    with pytest.raises(ValueError, match="is no archive"):
        verify_archive(tmp_path)


def truth_of(sandbox: Sandbox) -> list[CallRecord]:
    return sorted(sandbox.records, key=lambda record: (record.start_time, record.call_id))


@pytest.mark.parametrize("window", ["start", "end", "within", "overlap"])
@pytest.mark.parametrize(
    "file_format",
    ["jsonl", pytest.param("parquet", marks=pytest.mark.skipif(not PYARROW, reason="needs the extra parquet"))],
)
def test_sandbox_is_archived_whichever_calls_a_window_holds(
    window: Literal["start", "end", "within", "overlap"], file_format: str, tmp_path: Path
) -> None:
    """Every call is in the file of its day, whatever the service compares a window with."""

    async def archive(sandbox: Sandbox) -> ArchiveReport:
        async with CallRecordsClient(**sandbox.credentials) as client:
            return await archive_call_records(client, tmp_path, file_format=file_format)

    with Sandbox(records=300, behaviour=Behaviour(window=window, half_open=True)) as sandbox:
        report = asyncio.run(archive(sandbox))
    assert report.complete
    assert list(read_records(tmp_path)) == truth_of(sandbox)
    for each in report.partitions:
        assert {f"{record.start_time.astimezone(UTC):%Y-%m-%d}" for record in read_records(each.path)} <= {each.name}
