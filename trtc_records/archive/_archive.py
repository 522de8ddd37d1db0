"""The call that brings an archive up to date: arguments, lock and leftovers around a run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Final, get_args

from anyio.to_thread import run_sync

from trtc_records._checks import check_count
from trtc_records._client import PAGE_SIZE, CallRecordsClient
from trtc_records._errors import ConfigurationError, ResponseDecodeError, shorten
from trtc_records._secret import hide
from trtc_records.archive._lock import lock
from trtc_records.archive._manifest import MANIFESTS, Layout
from trtc_records.archive._periods import Partition
from trtc_records.archive._report import ArchivedPartition, ArchiveReport
from trtc_records.archive._run import REJECTS, Run
from trtc_records.export import FileFormat, make_writer
from trtc_records.export._pseudonyms import Pseudonyms, check_pseudonyms
from trtc_records.export._reading import DATA_FILE
from trtc_records.export._store import LocalStore, open_store

__all__ = ["LONGEST_SETTLE", "SETTLE", "archive_call_records"]

SETTLE: Final = timedelta(hours=72)
"""The default of *settle*: the longest call in Tencent's samples lasts 54.5 hours (https://trtc.io/document/68930)."""

LONGEST_SETTLE: Final = timedelta(days=5)
"""A day that settles later would begin to expire before it is final: 7 days, less its own length, and one to spare."""

OnPartition = Callable[[ArchivedPartition], object]


async def archive_call_records(
    client: CallRecordsClient,
    directory: Path | str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    partition: Partition = "day",
    zone: tzinfo = UTC,
    file_format: FileFormat | str = FileFormat.PARQUET,
    settle: timedelta = SETTLE,
    page_size: int = PAGE_SIZE,
    pseudonyms: Pseudonyms | None = None,
    on_partition: OnPartition | None = None,
) -> ArchiveReport:
    """Bring an archive up to date: a file ``start_date=2026-11-24/calls.parquet`` for each day on which calls started.

    A file is sorted by start time, then call id, and is replaced as a whole, before its manifest in ``_manifest``. A
    day that was read complete 10 seconds or more after its end and *settle* is final, since a record can be read 5
    seconds after its call ended; no later run reads it. Every other day is read again, to *settle* after its end, and
    its file written anew. Where the service no longer has all of a day, or a walk may have missed records, new records
    are merged with those in the file, which never shrinks.

    A run that is killed costs the day that it was reading. Run it every day: then a day has three tries before its
    first records expire.

    Args:
        client: The client to read with.
        directory: The archive, which is made if it does not exist: a path, or a URL such as ``s3://bucket/calls``,
            which needs the extra ``archive`` and a package for the store, such as s3fs. It belongs to one app and
            service, and to one choice of *partition*, *zone*, *file_format* and the key of *pseudonyms*. Not on a
            network file system: its locks may not hold.
        since: Only days that end after this time; by default all that the service still has.
        until: Only days that start at this time or earlier; by default now.
        partition: ``"day"``, or ``"hour"`` for ``start_date=2026-11-24/start_hour=08/calls.parquet``.
        zone: The time zone of the days.
        file_format: The format of the files. Parquet needs the extra ``parquet``.
        settle: The time after the end of a day until which its calls end; 5 days at most.
        page_size: Records to ask for per request.
        pseudonyms: Replaces ids in the files by pseudonyms; records that cannot be read are then left out of
            ``_rejects``, where only the reasons are. By default the ids are those of the service.
        on_partition: Called with each day or hour, once its files are on the disk.

    Raises:
        ConfigurationError: An argument cannot be used, the archive has another layout, or another run writes to it.
        CallRecordsError: The service could not be read; the days before are kept. A day on which the service repeats
            a page is not complete, and the run goes on.
        OSError: A file cannot be written; it stays as it was.
        ImportError: The format or the URL needs a package that is not installed; the message names it.

    Warns:
        CallRecordsWarning: A file of the archive is damaged, and was set aside; or, in an object store, the run waits
            to see whether another one is alive.
    """
    hidden = hide(pseudonyms)
    del pseudonyms  # it may be a key by mistake, and error reporters collect the variables of a frame
    checked = check_pseudonyms(hidden)
    for name, moment in (("since", since), ("until", until)):
        if moment is not None and (not isinstance(moment, datetime) or moment.utcoffset() is None):
            raise ConfigurationError(f"{name}={shorten(moment)}: pass an aware datetime")
    if since is not None and until is not None and since > until:
        raise ConfigurationError(f"since={shorten(since)} is after until={shorten(until)}: swap them")
    if partition not in get_args(Partition):
        raise ConfigurationError(f"partition={shorten(partition)}: pass 'day' or 'hour'")
    if not isinstance(zone, tzinfo):
        raise ConfigurationError(f"zone={shorten(zone)}: pass a time zone, such as ZoneInfo('Asia/Singapore')")
    if not isinstance(settle, timedelta) or not timedelta() <= settle <= LONGEST_SETTLE:
        raise ConfigurationError(f"settle={shorten(settle)}: pass a timedelta from 0 to 5 days")
    check_count("page_size", page_size)
    try:
        file_format = FileFormat(file_format)
    except ValueError:
        raise ConfigurationError(f"file_format={shorten(file_format)}: pass one of {', '.join(FileFormat)}") from None
    store = await run_sync(open_store, "directory", directory)  # imports fsspec, and may connect
    make_writer(DATA_FILE, file_format)  # the extra may be missing
    layout = Layout(
        sdk_app_id=client.sdk_app_id,
        service=client.service.value,
        partition=partition,
        zone=str(zone),
        file_format=file_format.value,
        pseudonyms=None if checked is None else checked.fingerprint,
    )
    partitions = []
    async with lock(store) as check_lock:
        if isinstance(store, LocalStore):
            _remove_leftovers(store.root)
        try:
            with store.open_scratch() as scratch:
                run = Run(
                    client,
                    store,
                    scratch,
                    check_lock,
                    layout,
                    partition=partition,
                    zone=zone,
                    settle=settle,
                    page_size=page_size,
                    pseudonyms=checked,
                )
                await run_sync(run.load)
                with suppress(ResponseDecodeError):  # a record that cannot be read, which the walk reports
                    await client.get_page(page_size=1)  # the answer corrects the client's clock
                async with aclosing(run.archive(since, until)) as archived:
                    async for each in archived:
                        partitions.append(each)
                        if on_partition is not None:
                            on_partition(each)
        finally:
            if isinstance(store, LocalStore):
                _remove_leftovers(store.root)
    return ArchiveReport(directory=store.locate(), partitions=tuple(partitions))


def _remove_leftovers(directory: Path) -> None:
    """Remove the files that killed runs have left."""
    for pattern in (MANIFESTS, REJECTS, "start_date=*", "start_date=*/start_hour=*"):
        for path in directory.glob(f"{pattern}/.*.part"):
            path.unlink()
