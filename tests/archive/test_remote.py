"""An archive at a URL: all that one in a directory does, in ``memory://``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fsspec", reason="needs the extra archive")

from archive_service import MIDNIGHT, Service, call
from exported import PYARROW
from fsspec.implementations.memory import MemoryFileSystem

from trtc_records import CallRecordsWarning, ConfigurationError
from trtc_records.archive import _lock, verify_archive
from trtc_records.archive._lease import Lease
from trtc_records.export import read_records
from trtc_records.export._store import RemoteStore, Store, open_store

URL = "memory://bucket/calls"
TODAY = "2026-11-24"
DAYS = timedelta(days=1)


@pytest.fixture(autouse=True)
def files() -> Iterator[dict[str, Any]]:
    """Return the files of the store, which begins empty."""
    MemoryFileSystem.store.clear()
    yield MemoryFileSystem.store
    MemoryFileSystem.store.clear()


def ids() -> list[str]:
    return [record.call_id for record in read_records(URL)]


@pytest.mark.parametrize(
    "file_format",
    [
        "jsonl",
        "jsonl.gz",
        "csv",
        pytest.param("parquet", marks=pytest.mark.skipif(not PYARROW, reason="needs pyarrow")),
    ],
)
def test_archive_is_as_that_in_a_directory(file_format: str, tmp_path: Path, files: dict[str, Any]) -> None:
    """Files, manifests, report and check are those of an archive in a directory, but for its place."""
    calls = [call("b", 2), call("a", -3), call("c", 1, seconds=7)]
    local = Service(calls).archive(tmp_path, file_format=file_format)
    remote = Service(calls).archive(URL, file_format=file_format)
    assert [each.path for each in remote.partitions] == [
        f"{URL}/{Path(each.path).relative_to(tmp_path).as_posix()}" for each in local.partitions
    ]
    assert remote.directory == URL
    assert remote.complete
    written = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*") if path.is_file()}
    del written["_manifest/lock"]
    assert {name.removeprefix("/bucket/calls/"): file.getvalue() for name, file in files.items()} == {
        name: path.read_bytes() for name, path in written.items()
    }
    assert list(read_records(URL)) == list(read_records(tmp_path))
    assert verify_archive(URL) == verify_archive(tmp_path)


def test_later_runs_skip_merge_and_close() -> None:
    """Final days are skipped, a day that expires under the job never shrinks, and is then closed."""
    service = Service([call("a", 1), call("long", 20, seconds=50 * 3600)])
    service.archive(URL, since=MIDNIGHT - 4 * DAYS)
    report = service.archive(URL, since=MIDNIGHT - 4 * DAYS)
    assert [each.action for each in report.partitions] == ["skipped", *["written"] * 4]
    service.now = MIDNIGHT + timedelta(days=7, hours=12)
    assert {each.name: each.action for each in service.archive(URL).partitions}[TODAY] == "merged"
    assert ids() == ["a", "long"]
    service.now += DAYS
    assert {each.name: each.action for each in service.archive(URL).partitions}[TODAY] == "expired"
    assert ids() == ["a", "long"]
    assert verify_archive(URL).problems == ()


def test_rejects_are_kept_and_removed(files: dict[str, Any]) -> None:
    """Records that cannot be read are in ``_rejects``, and are gone once they can be read."""
    bad = {"CallId": "bad", "StartTime": int(MIDNIGHT.timestamp()) + 5}
    service = Service([], invalid=[bad])
    service.archive(URL, since=MIDNIGHT)
    name = f"/bucket/calls/_rejects/{TODAY}.jsonl"
    assert json.loads(files[name].getvalue())["raw"] == bad
    service.invalid = []
    service.archive(URL, since=MIDNIGHT)
    assert name not in files


def test_damages_are_found_and_mended(files: dict[str, Any]) -> None:
    """A damaged file is found by the check, set aside by the next run, and replaced."""
    service = Service([call("a", 1)])
    service.archive(URL, since=MIDNIGHT)
    MemoryFileSystem().pipe_file(f"/bucket/calls/start_date={TODAY}/calls.jsonl", b"{")
    MemoryFileSystem().pipe_file("/bucket/calls/start_date=2026-01-01/calls.jsonl", b"")
    MemoryFileSystem().pipe_file(f"/bucket/calls/_manifest/{TODAY}.json", b"{")
    assert [problem.partition(" cannot be read")[0] for problem in verify_archive(URL).problems] == [
        f"{URL}/_manifest/{TODAY}.json",
        f"{URL}/start_date=2026-01-01/calls.jsonl has no manifest that can be read",
        f"{URL}/start_date={TODAY}/calls.jsonl has no manifest that can be read",
    ]
    service.doubt = "a reason"
    with pytest.warns(CallRecordsWarning, match=f"it was set aside as {URL}"):
        service.archive(URL, since=MIDNIGHT)
    assert [file.getvalue() for name, file in files.items() if name.endswith(".damaged")] == [b"{"]
    assert ids() == ["a"]


def test_no_manifest_is_there_before_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever an upload fails, no manifest tells of a file that is not there as it says."""
    service = Service([call("a", 1)])
    service.archive(URL, since=MIDNIGHT)
    service.calls.append(call("b", 2))

    def fail(store: RemoteStore, path: Path, name: str) -> None:
        raise OSError("no such luck")

    with monkeypatch.context() as patch:
        patch.setattr(RemoteStore, "put", fail)
        with pytest.raises(OSError, match="no such luck"):
            service.archive(URL, since=MIDNIGHT)
    assert verify_archive(URL).problems == ()
    assert ids() == ["a"]
    service.archive(URL, since=MIDNIGHT)
    assert ids() == ["a", "b"]


def test_run_that_has_lost_its_lock_writes_nothing(files: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose lock another one has taken stops before it writes."""
    service = Service([call("a", -1), call("b", 1)])

    leases = []

    def make_lease(store: Store) -> Lease:
        leases.append(Lease(store))
        return leases[0]

    def lose(_: object) -> None:
        for name in [name for name in files if "/lock-" in name]:
            del files[name]
        leases[0].renew()

    monkeypatch.setattr(_lock, "Lease", make_lease)
    with pytest.raises(OSError, match="the lock could not be renewed"):
        service.archive(URL, since=MIDNIGHT - DAYS, on_partition=lose)
    assert ids() == ["a"]
    assert not [name for name in files if "/lock-" in name]


def test_one_file_is_read() -> None:
    """``read_records`` takes the URL of a file, and names what it cannot read."""
    MemoryFileSystem().pipe_file("/bucket/one.jsonl", b"{}\n")
    with pytest.raises(ValueError, match="memory://bucket/one.jsonl is damaged after 0 records"):
        list(read_records("memory://bucket/one.jsonl"))
    with pytest.raises(ValueError, match="memory://bucket/none is no archive"):
        read_records("memory://bucket/none")
    with pytest.raises(ValueError, match="memory://bucket/none is no archive: it has no manifests"):
        verify_archive("memory://bucket/none")


def test_url_of_a_directory_is_a_path(tmp_path: Path) -> None:
    """``file://`` stands for a path, with its lock."""
    service = Service([call("a", 1)])
    report = service.archive(f"file://{tmp_path.as_posix()}/calls", since=MIDNIGHT)
    assert report.directory == tmp_path / "calls"
    assert (tmp_path / "calls" / "_manifest" / "lock").exists()
    assert [record.call_id for record in read_records(f"file://{tmp_path.as_posix()}/calls")] == ["a"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nothing://bucket/calls", "directory='nothing://bucket/calls': fsspec knows no nothing://: pass a path"),
        ("s3://key:hush@bucket/calls", "directory: a URL with a user or a password"),
        (Path("s3://bucket/calls"), "directory='s3:/bucket/calls': pass a path, or a URL as a str, such as s3://"),
        ("simplecache::s3://bucket/calls", "pass a path, or a URL as a str"),
        ("simplecache::s3://key:hush@bucket/calls", "directory: a URL with a user or a password"),
        ("memory://", "directory='memory://': names no bucket: pass a URL such as s3://bucket/calls"),
    ],
)
def test_bad_url_is_refused(url: Any, message: str) -> None:
    """The message names the argument, and has no password in it."""
    service = Service([])
    with pytest.raises(ConfigurationError, match=message) as caught:
        service.archive(url)
    assert "hush" not in str(caught.value)
    assert service.windows == []


def test_error_of_a_store_is_an_os_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors of a store's own kind become one that names the URL."""

    def fail(*_: object, **__: object) -> None:
        raise LookupError("not today")

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", fail)
    with pytest.raises(OSError, match="memory://bucket/calls/x: LookupError: not today"):
        open_store("directory", URL).write("x", b"")
