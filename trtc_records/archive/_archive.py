"""The run of an archive: each day that is not final is read, written, and accounted for in a manifest."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import islice
from pathlib import Path
from typing import Any, Final, get_args

import attrs
from anyio.to_thread import run_sync

from trtc_records._api.models import CallRecord
from trtc_records._api.protocol import TIME_NAMES
from trtc_records._api.query import MARK_MARGIN, RETENTION, check_query
from trtc_records._api.times import to_utc
from trtc_records._api.wire import read_integer
from trtc_records._client import PAGE_SIZE, CallRecordsClient
from trtc_records._errors import (
    CallRecordsWarning,
    ConfigurationError,
    RepeatedPageError,
    ResponseDecodeError,
    shorten,
)
from trtc_records._secret import hide
from trtc_records._starts import widen
from trtc_records._walking.incomplete import IncompleteWalk
from trtc_records._warn import warn_caller
from trtc_records.archive._lock import lock
from trtc_records.archive._manifest import (
    MANIFESTS,
    Layout,
    Manifest,
    digest,
    list_manifests,
    name_of,
    read_manifest,
    write_manifest,
)
from trtc_records.archive._merging import merge
from trtc_records.archive._periods import Partition, Period, day_of, divide_day
from trtc_records.archive._report import Action, ArchivedPartition, ArchiveReport
from trtc_records.archive._sorting import Sorter
from trtc_records.export import SCHEMA_VERSION, FileFormat, RecordWriter, make_writer, read_records
from trtc_records.export._pseudonyms import Pseudonyms, check_pseudonyms, describe_ids
from trtc_records.export._reading import DATA_FILE, list_data_files
from trtc_records.export._rejects import encode_reject
from trtc_records.export._store import LocalStore, Store, open_store

__all__ = ["LONGEST_SETTLE", "SETTLE", "archive_call_records"]

SETTLE: Final = timedelta(hours=72)
"""The default of *settle*: the longest call in Tencent's samples lasts 54.5 hours (https://trtc.io/document/68930)."""

LONGEST_SETTLE: Final = timedelta(days=5)
"""A day that settles later would begin to expire before it is final: 7 days, less its own length, and one to spare."""
_MARGIN: Final = timedelta(seconds=MARK_MARGIN)
_EXPIRY: Final = timedelta(seconds=RETENTION) - timedelta(minutes=2)
"""The age from which a record may expire under the walk, which begins a minute after the edge at the most."""
_RECORDS_PER_READ: Final = 500
_REJECTS: Final = "_rejects"
_STAGED: Final = f".{DATA_FILE}.staged.part"
_MERGED: Final = f".{DATA_FILE}.merged.part"

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
    if partition not in get_args(Partition):
        raise ConfigurationError(f"partition={shorten(partition)}: pass 'day' or 'hour'")
    if not isinstance(zone, tzinfo):
        raise ConfigurationError(f"zone={shorten(zone)}: pass a time zone, such as ZoneInfo('Asia/Singapore')")
    if not isinstance(settle, timedelta) or not timedelta() <= settle <= LONGEST_SETTLE:
        raise ConfigurationError(f"settle={shorten(settle)}: pass a timedelta from 0 to 5 days")
    check_query(start_time=since, end_time=until, call_result=None, call_type=None, page_size=page_size)
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
                run = _Run(
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


@attrs.define(kw_only=True)
class _Reading:
    """The account of one walk."""

    start: int | None
    end: datetime | None
    read_at: datetime
    total_num: int | None = None
    pseudonyms: Pseudonyms | None
    doubts: list[str] = attrs.field(factory=list)
    rejects: list[tuple[datetime | None, bytes]] = attrs.field(factory=list)
    """The start of each record that could not be read, if that can be read, and its line."""

    def add_page_total(self, total_num: int | None) -> None:
        """Take the total of a page; the first one counts."""
        if self.total_num is None:
            self.total_num = total_num

    def add_reject(self, raw: Any, error: ResponseDecodeError) -> None:
        """Take a record that cannot be read."""
        self.rejects.append((_find_start(raw), encode_reject(raw, error, self.pseudonyms)))

    def add_doubt(self, walk: IncompleteWalk) -> None:
        """Take the reason why records may be missing."""
        self.doubts.append(walk.reason)


class _Run:
    """One run. All that reads or writes the files of days is here."""

    def __init__(
        self,
        client: CallRecordsClient,
        store: Store,
        scratch: Path,
        check_lock: Callable[[], None],
        layout: Layout,
        *,
        partition: Partition,
        zone: tzinfo,
        settle: timedelta,
        page_size: int,
        pseudonyms: Pseudonyms | None,
    ) -> None:
        self._client = client
        self._store = store
        self._scratch = scratch
        self._check_lock = check_lock
        self._layout = layout
        self._partition: Partition = partition
        self._zone = zone
        self._settle = settle
        self._page_size = page_size
        self._pseudonyms = pseudonyms
        self._manifests: dict[str, Manifest | None] = {}
        """By name; ``None`` for one that cannot be read."""
        self._first = ""
        """The name of the first day or hour."""
        self._may_begin = False
        """Whether the run reads as far back as it can, so that the archive may begin within a day."""

    def load(self) -> None:
        """Read all manifests.

        Raises:
            ConfigurationError: The archive has another layout, or, for pseudonyms, none that can be read.
        """
        for file, content in self._store.read_many(list_manifests(self._store)):
            try:
                manifest = read_manifest(self._store.locate(file), content)
            except ValueError:
                self._manifests[name_of(file)] = None
                continue
            if manifest.pseudonyms != self._layout.pseudonyms:
                raise ConfigurationError(
                    f"pseudonyms: the archive {self._store.locate()} has {describe_ids(manifest.pseudonyms)}, and this "
                    f"run {describe_ids(self._layout.pseudonyms)}: pass the same, or another directory"
                )
            if not manifest.has_layout(self._layout):
                raise ConfigurationError(
                    f"directory={self._store.locate()}: the archive is of SDKAppID {manifest.sdk_app_id} and the "
                    f"{manifest.service} service, by {manifest.partition}, in {manifest.zone}, as "
                    f"{manifest.file_format}: pass the same, or another directory"
                )
            if manifest.schema_version > SCHEMA_VERSION:
                raise ConfigurationError(
                    f"directory={self._store.locate()}: the archive was written by a newer version of trtc-records: "
                    "install that one"
                )
            self._manifests[manifest.name] = manifest
        if self._pseudonyms is not None and not any(self._manifests.values()):
            for file in list_data_files(self._store):
                raise ConfigurationError(
                    f"directory={self._store.locate()}: no manifest tells the ids of {file}, which may be the "
                    "service's: pass another directory"
                )

    async def archive(self, since: datetime | None, until: datetime | None) -> AsyncGenerator[ArchivedPartition, None]:
        """Bring the days of a window up to date, and yield each; the oldest come first, as they expire first."""
        self._may_begin = since is None
        self._first = min(self._manifests, default="")
        start = self._get_edge()
        if self._first:
            first_day = divide_day(date.fromisoformat(self._first[:10]), self._partition, self._zone)
            start = min(start, *(period.start for period in first_day if period.name >= self._first))
        start = start if since is None else max(start, to_utc(since))
        day = day_of(start, self._zone)
        while day <= day_of(self._get_end(until), self._zone):
            periods = divide_day(day, self._partition, self._zone)
            wanted = [each for each in periods if each.end > start and each.start <= self._get_end(until)]
            if wanted and not self._first:
                self._first = wanted[0].name
            async with aclosing(self._archive_day(wanted)) as archived:
                async for each in archived:
                    yield each
            day += timedelta(days=1)

    def _get_end(self, until: datetime | None) -> datetime:
        return self._now() if until is None else min(self._now(), to_utc(until))

    async def _archive_day(self, periods: Sequence[Period]) -> AsyncGenerator[ArchivedPartition, None]:
        expired = [period for period in periods if period.end <= self._get_edge()]
        for period in expired:
            manifest = self._manifests.get(period.name)
            if manifest is None or not manifest.is_settled:
                yield await run_sync(self._close, period, manifest)
        unread = []
        for period in periods[len(expired) :]:
            manifest = self._manifests.get(period.name)
            if manifest is not None and manifest.final and await run_sync(self._has_file, manifest):
                yield self._report(period, manifest, "skipped")
            else:
                unread.append(period)
        if unread:
            for each in await self._read(unread):
                yield each

    async def _read(self, periods: Sequence[Period]) -> list[ArchivedPartition]:
        """Read the periods of a day in one walk, and write their files and manifests."""
        edge = self._get_edge()
        start, end = widen(periods[0].start, periods[-1].end, margin=self._settle, now=self._now())
        reading = _Reading(
            start=None if periods[0].start < edge else start,
            end=end,
            read_at=self._now(),
            pseudonyms=self._pseudonyms,
        )
        counts = []
        with Sorter(self._scratch) as sorter:
            await self._gather(reading, sorter, periods[0].start, periods[-1].end)
            for period in periods:
                staged = self._stage(period, _STAGED)
                staged.parent.mkdir(parents=True, exist_ok=True)
                counts.append(await self._make_writer(staged).write(sorter.take(period.end)))
        return [
            await self._store_period(period, reading, count, is_whole=period.start >= edge)
            for period, count in zip(periods, counts, strict=True)
        ]

    async def _gather(self, reading: _Reading, sorter: Sorter, start: datetime, end: datetime) -> None:
        """Read the calls that started between two moments."""
        pages = self._client.iter_pages(
            start_time=reading.start,
            end_time=reading.end,
            page_size=self._page_size,
            on_invalid=reading.add_reject,
            on_incomplete=reading.add_doubt,
        )
        try:
            async with aclosing(pages):
                async for page in pages:
                    reading.add_page_total(page.total_num)
                    records = [record for record in page.records if start <= record.start_time < end]
                    await sorter.add(records if self._pseudonyms is None else list(map(self._pseudonyms, records)))
        except RepeatedPageError as error:
            reading.doubts.append(str(error))

    async def _store_period(
        self, period: Period, reading: _Reading, count: int, *, is_whole: bool
    ) -> ArchivedPartition:
        """Put the staged file of a period in its place, and write its manifest."""
        staged, target = self._stage(period, _STAGED), self._get_file(period)
        reasons = [*reading.doubts]
        if not is_whole:
            reasons.append("the service had dropped records of its beginning when it was read")
        merges = bool(reasons) and await run_sync(self._store.get_size, target) is not None
        if merges:
            merged = self._stage(period, _MERGED)
            try:
                old = await run_sync(read_records, self._store.locate(target))
                both = merge(read_records(staged, self._layout.file_format), old)
                count = await self._make_writer(merged).write(_iterate_in_thread(both))
            except ValueError as error:
                directory, _, name = target.rpartition("/")
                aside = f"{directory}/.{name}.{reading.read_at:%Y%m%dT%H%M%S}.damaged"
                self._check_lock()
                await run_sync(self._store.move, target, aside)
                warn_caller(f"{error}; it was set aside as {self._store.locate(aside)}", CallRecordsWarning)
                reasons.append(f"the earlier file was damaged, and is now {aside.rpartition('/')[2]}")
            else:
                merged.replace(staged)
        complete = not reasons
        self._check_lock()
        rejects = await run_sync(self._write_rejects, period, reading, merges)
        manifest = Manifest(
            **attrs.asdict(self._layout),
            name=period.name,
            start=period.start.isoformat(),
            end=period.end.isoformat(),
            file=target,
            bytes=staged.stat().st_size,
            sha256=await run_sync(digest, staged.open("rb")),
            window_start=None if reading.start is None else datetime.fromtimestamp(reading.start, UTC).isoformat(),
            window_end=(reading.end or reading.read_at).isoformat(),
            read_at=reading.read_at.isoformat(),
            total_num=reading.total_num,
            records=count,
            rejects=rejects,
            complete=complete,
            final=complete and reading.read_at >= period.end + self._settle + _MARGIN,
            reason="; ".join(reasons) or None,
        )
        self._check_lock()
        await run_sync(self._store.put, staged, target)
        self._check_lock()
        await run_sync(write_manifest, self._store, manifest)
        begins = not is_whole and not reading.doubts and self._may_begin_in(period)
        return self._report(period, manifest, "merged" if merges else "written", begins=begins)

    def _close(self, period: Period, manifest: Manifest | None) -> ArchivedPartition:
        """Note that the records of a period have expired before it was final."""
        reason = "its records expired at the service before it was final"
        if manifest is None:
            manifest = self._rebuild(period, reason)
        manifest = attrs.evolve(manifest, complete=False, expired=True, reason=reason)
        self._check_lock()
        write_manifest(self._store, manifest)
        return self._report(period, manifest, "expired", begins=self._may_begin_in(period))

    def _rebuild(self, period: Period, reason: str) -> Manifest:
        """Return the manifest of an expired period from its file, if it has one."""
        target = self._get_file(period)
        records = 0
        size = self._store.get_size(target)
        if size is not None:
            try:
                records = sum(1 for _ in read_records(self._store.locate(target)))
            except ValueError as error:
                warn_caller(str(error), CallRecordsWarning)
        return Manifest(
            **attrs.asdict(self._layout),
            name=period.name,
            start=period.start.isoformat(),
            end=period.end.isoformat(),
            file=None if size is None else target,
            bytes=size or 0,
            sha256=None if size is None else digest(self._store.open(target)),
            window_start=None,
            window_end=None,
            read_at=None,
            total_num=None,
            records=records,
            rejects=0,
            complete=False,
            final=False,
            reason=reason,
        )

    def _write_rejects(self, period: Period, reading: _Reading, merges: bool) -> int:
        """Write the records of a period that could not be read, and return their number."""
        file = f"{_REJECTS}/{period.name}.jsonl"
        lines = [line for start, line in reading.rejects if start is None or period.start <= start < period.end]
        earlier = self._store.read(file)
        if merges and earlier is not None:
            lines += earlier.splitlines(keepends=True)
        by_record = {_identify_reject(json.loads(line)): line for line in lines}
        if by_record:
            self._store.write(file, b"".join(by_record.values()))
        elif earlier is not None:
            self._store.remove(file)
        return len(by_record)

    def _report(self, period: Period, manifest: Manifest, action: Action, *, begins: bool = False) -> ArchivedPartition:
        return ArchivedPartition(
            name=period.name,
            path=self._store.locate(self._get_file(period)),
            action=action,
            records=manifest.records,
            rejects=manifest.rejects,
            complete=manifest.complete,
            final=manifest.final,
            begins=begins,
            reason=manifest.reason,
        )

    def _may_begin_in(self, period: Period) -> bool:
        return self._may_begin and period.name <= self._first

    def _has_file(self, manifest: Manifest) -> bool:
        return manifest.file is not None and self._store.get_size(manifest.file) == manifest.bytes

    def _get_file(self, period: Period) -> str:
        return f"{period.directory}/{DATA_FILE}.{self._layout.file_format}"

    def _stage(self, period: Period, name: str) -> Path:
        return self._scratch / period.directory / name

    def _make_writer(self, path: Path) -> RecordWriter:
        return make_writer(path, self._layout.file_format)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._client.service_time, UTC)

    def _get_edge(self) -> datetime:
        """Return the time before which the service may have dropped records."""
        return self._now() - _EXPIRY


async def _iterate_in_thread(records: Iterator[CallRecord]) -> AsyncGenerator[CallRecord, None]:
    """Yield *records*, which are read from a file or over a network, without blocking the event loop."""
    while batch := await run_sync(list, islice(records, _RECORDS_PER_READ)):
        for record in batch:
            yield record


def _remove_leftovers(directory: Path) -> None:
    """Remove the files that killed runs have left."""
    for pattern in (MANIFESTS, _REJECTS, "start_date=*", "start_date=*/start_hour=*"):
        for path in directory.glob(f"{pattern}/.*.part"):
            path.unlink()


def _identify_reject(line: dict[str, Any]) -> str:
    return json.dumps(line.get("pseudonym", line.get("raw")), sort_keys=True)


def _find_start(raw: Any) -> datetime | None:
    """Return the time by which a record that cannot be read belongs to a day, if it has one."""
    if isinstance(raw, dict):
        for name in TIME_NAMES:
            with suppress(ValueError, OverflowError, OSError):
                seconds = read_integer(raw.get(name))
                if seconds > 0:
                    return datetime.fromtimestamp(seconds, UTC)
    return None
