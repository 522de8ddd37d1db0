"""The run of an archive: each day that is not final is read, written, and accounted for in a manifest."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Final, get_args

import attrs
from anyio.to_thread import run_sync

from trtc_records._api.query import RETENTION, check_query
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
    read_manifest,
    write_manifest,
)
from trtc_records.archive._merging import merge
from trtc_records.archive._periods import Partition, Period, day_of, divide_day
from trtc_records.archive._report import Action, ArchivedPartition, ArchiveReport
from trtc_records.archive._sorting import Sorter
from trtc_records.export import SCHEMA_VERSION, FileFormat, RecordWriter, make_writer, read_records, replace_file
from trtc_records.export._files import move_file
from trtc_records.export._reading import DATA_FILE
from trtc_records.export._rejects import encode_reject

__all__ = ["LONGEST_SETTLE", "SETTLE", "archive_call_records"]

SETTLE: Final = timedelta(hours=72)
"""The default of *settle*: the longest call in Tencent's samples lasts 54.5 hours (https://trtc.io/document/68930)."""

LONGEST_SETTLE: Final = timedelta(days=5)
"""A day that settles later would begin to expire before it is final: 7 days, less its own length, and one to spare."""
_EXPIRY: Final = timedelta(seconds=RETENTION) - timedelta(minutes=2)
"""The age from which a record may expire under the walk, which begins a minute after the edge at the most."""
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
    on_partition: OnPartition | None = None,
) -> ArchiveReport:
    """Bring an archive up to date: a file ``start_date=2026-11-24/calls.parquet`` for each day on which calls started.

    A file is sorted by start time, then call id, and is replaced as a whole, before its manifest in ``_manifest``. A
    day that was read complete later than its end and *settle* is final, and no later run reads it. Every other day is
    read again, to *settle* after its end, and its file written anew. Where the service no longer has all of a day, or
    a walk may have missed records, new records are merged with those in the file, which never shrinks.

    A run that is killed costs the day that it was reading. Run it every day: then a day has three tries before its
    first records expire.

    Args:
        client: The client to read with.
        directory: The archive, which is made if it does not exist. It belongs to one app, and to one choice of
            *partition*, *zone* and *file_format*. Not on a network file system: its locks may not hold.
        since: Only days that end after this time; by default all that the service still has.
        until: Only days that start at this time or earlier; by default now.
        partition: ``"day"``, or ``"hour"`` for ``start_date=2026-11-24/start_hour=08/calls.parquet``.
        zone: The time zone of the days.
        file_format: The format of the files. Parquet needs the extra ``parquet``.
        settle: The time after the end of a day until which its calls end; 5 days at most.
        page_size: Records to ask for per request.
        on_partition: Called with each day or hour, once its files are on the disk.

    Raises:
        ConfigurationError: An argument cannot be used, the archive has another layout, or another run writes to it.
        CallRecordsError: The service could not be read; the days before are kept. A day on which the service repeats
            a page is not complete, and the run goes on.
        OSError: A file cannot be written; it stays as it was.
        ImportError: The format needs an extra that is not installed.

    Warns:
        CallRecordsWarning: A file of the archive is damaged, and was set aside.
    """
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
    directory = Path(directory)
    make_writer(directory / DATA_FILE, file_format)  # the extra may be missing
    run = _Run(
        client,
        directory,
        Layout(sdk_app_id=client.sdk_app_id, partition=partition, zone=str(zone), file_format=file_format.value),
        partition=partition,
        zone=zone,
        settle=settle,
        page_size=page_size,
    )
    (directory / MANIFESTS).mkdir(parents=True, exist_ok=True)
    with lock(directory / MANIFESTS):
        _remove_leftovers(directory)
        run.load()
        await client.get_page(page_size=1)  # the answer corrects the client's clock
        partitions = []
        try:
            async with aclosing(run.archive(since, until)) as archived:
                async for each in archived:
                    partitions.append(each)
                    if on_partition is not None:
                        on_partition(each)
        finally:
            _remove_leftovers(directory)
    return ArchiveReport(directory=directory, partitions=tuple(partitions))


@attrs.define(kw_only=True)
class _Reading:
    """The account of one walk."""

    start: int | None
    end: datetime | None
    read_at: datetime
    total_num: int | None = None
    doubts: list[str] = attrs.field(factory=list)
    rejects: list[tuple[datetime | None, bytes]] = attrs.field(factory=list)
    """The start of each record that could not be read, if that can be read, and its line."""

    def add_page_total(self, total_num: int | None) -> None:
        """Take the total of a page; the first one counts."""
        if self.total_num is None:
            self.total_num = total_num

    def add_reject(self, raw: Any, error: ResponseDecodeError) -> None:
        """Take a record that cannot be read."""
        self.rejects.append((_find_start(raw), encode_reject(raw, error)))

    def add_doubt(self, walk: IncompleteWalk) -> None:
        """Take the reason why records may be missing."""
        self.doubts.append(walk.reason)


class _Run:
    """One run. All that reads or writes the files of days is here."""

    def __init__(
        self,
        client: CallRecordsClient,
        directory: Path,
        layout: Layout,
        *,
        partition: Partition,
        zone: tzinfo,
        settle: timedelta,
        page_size: int,
    ) -> None:
        self._client = client
        self._directory = directory
        self._layout = layout
        self._partition: Partition = partition
        self._zone = zone
        self._settle = settle
        self._page_size = page_size
        self._manifests: dict[str, Manifest | None] = {}
        """By name; ``None`` for one that cannot be read."""
        self._first = ""
        """The name of the first day or hour."""
        self._may_begin = False
        """Whether the run reads as far back as it can, so that the archive may begin within a day."""

    def load(self) -> None:
        """Read all manifests.

        Raises:
            ConfigurationError: The archive has another layout.
        """
        for path in list_manifests(self._directory):
            try:
                manifest = read_manifest(path)
            except ValueError:
                self._manifests[path.stem] = None
                continue
            if not manifest.has_layout(self._layout):
                raise ConfigurationError(
                    f"directory={self._directory}: the archive is of SDKAppID {manifest.sdk_app_id}, by "
                    f"{manifest.partition}, in {manifest.zone}, as {manifest.file_format}: pass the same, or another "
                    "directory"
                )
            if manifest.schema_version > SCHEMA_VERSION:
                raise ConfigurationError(
                    f"directory={self._directory}: the archive was written by a newer version of trtc-records: "
                    "install that one"
                )
            self._manifests[path.stem] = manifest

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
            if manifest is not None and manifest.final and self._has_file(manifest):
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
        reading = _Reading(start=None if periods[0].start < edge else start, end=end, read_at=self._now())
        counts = []
        with Sorter(self._directory) as sorter:
            await self._gather(reading, sorter, periods[0].start, periods[-1].end)
            for period in periods:
                (self._directory / period.directory).mkdir(parents=True, exist_ok=True)
                staged = self._place(period, _STAGED)
                counts.append(await self._make_writer(staged).write(sorter.take(period.end)))
        return [
            await self._store(period, reading, count, is_whole=period.start >= edge)
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
                    await sorter.add([record for record in page.records if start <= record.start_time < end])
        except RepeatedPageError as error:
            reading.doubts.append(str(error))

    async def _store(self, period: Period, reading: _Reading, count: int, *, is_whole: bool) -> ArchivedPartition:
        """Put the staged file of a period in its place, and write its manifest."""
        staged, target = self._place(period, _STAGED), self._get_target(period)
        reasons = [*reading.doubts]
        if not is_whole:
            reasons.append("the service had dropped records of its beginning when it was read")
        merges = bool(reasons) and target.exists()
        if merges:
            merged = self._place(period, _MERGED)
            try:
                count = await self._make_writer(merged).write(
                    merge(read_records(staged, self._layout.file_format), read_records(target))
                )
            except ValueError as error:
                aside = target.with_name(f".{target.name}.{reading.read_at:%Y%m%dT%H%M%S}.damaged")
                move_file(target, aside)
                warn_caller(f"{error}; it was set aside as {aside}", CallRecordsWarning)
                reasons.append(f"the earlier file was damaged, and is now {aside.name}")
            else:
                merged.replace(staged)
        complete = not reasons
        rejects = await run_sync(self._write_rejects, period, reading, merges)
        manifest = Manifest(
            **attrs.asdict(self._layout),
            name=period.name,
            start=period.start.isoformat(),
            end=period.end.isoformat(),
            file=str(target.relative_to(self._directory).as_posix()),
            bytes=staged.stat().st_size,
            sha256=await run_sync(digest, staged),
            window_start=None if reading.start is None else datetime.fromtimestamp(reading.start, UTC).isoformat(),
            window_end=(reading.end or reading.read_at).isoformat(),
            read_at=reading.read_at.isoformat(),
            total_num=reading.total_num,
            records=count,
            rejects=rejects,
            complete=complete,
            final=complete and reading.read_at >= period.end + self._settle,
            reason="; ".join(reasons) or None,
        )
        await run_sync(move_file, staged, target)
        await run_sync(write_manifest, self._directory, manifest)
        begins = not is_whole and not reading.doubts and self._may_begin_in(period)
        return self._report(period, manifest, "merged" if merges else "written", begins=begins)

    def _close(self, period: Period, manifest: Manifest | None) -> ArchivedPartition:
        """Note that the records of a period have expired before it was final."""
        reason = "its records expired at the service before it was final"
        if manifest is None:
            manifest = self._rebuild(period, reason)
        manifest = attrs.evolve(manifest, complete=False, expired=True, reason=reason)
        write_manifest(self._directory, manifest)
        return self._report(period, manifest, "expired", begins=self._may_begin_in(period))

    def _rebuild(self, period: Period, reason: str) -> Manifest:
        """Return the manifest of an expired period from its file, if it has one."""
        target = self._get_target(period)
        records = 0
        if exists := target.is_file():
            try:
                records = sum(1 for _ in read_records(target))
            except ValueError as error:
                warn_caller(str(error), CallRecordsWarning)
        return Manifest(
            **attrs.asdict(self._layout),
            name=period.name,
            start=period.start.isoformat(),
            end=period.end.isoformat(),
            file=str(target.relative_to(self._directory).as_posix()) if exists else None,
            bytes=target.stat().st_size if exists else 0,
            sha256=digest(target) if exists else None,
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
        path = self._directory / _REJECTS / f"{period.name}.jsonl"
        lines = [line for start, line in reading.rejects if start is None or period.start <= start < period.end]
        if merges and path.exists():
            lines += path.read_bytes().splitlines(keepends=True)
        by_record = {json.dumps(json.loads(line)["raw"], sort_keys=True): line for line in lines}
        if by_record:
            path.parent.mkdir(exist_ok=True)
            with replace_file(path) as file:
                file.write(b"".join(by_record.values()))
        else:
            path.unlink(missing_ok=True)
        return len(by_record)

    def _report(self, period: Period, manifest: Manifest, action: Action, *, begins: bool = False) -> ArchivedPartition:
        return ArchivedPartition(
            name=period.name,
            path=self._get_target(period),
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
        path = self._directory / (manifest.file or "")
        return path.is_file() and path.stat().st_size == manifest.bytes

    def _get_target(self, period: Period) -> Path:
        return self._place(period, f"{DATA_FILE}.{self._layout.file_format}")

    def _place(self, period: Period, name: str) -> Path:
        return self._directory / period.directory / name

    def _make_writer(self, path: Path) -> RecordWriter:
        return make_writer(path, self._layout.file_format)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._client.service_time, UTC)

    def _get_edge(self) -> datetime:
        """Return the time before which the service may have dropped records."""
        return self._now() - _EXPIRY


def _remove_leftovers(directory: Path) -> None:
    """Remove the files that killed runs have left."""
    for pattern in (MANIFESTS, _REJECTS, "start_date=*", "start_date=*/start_hour=*"):
        for path in directory.glob(f"{pattern}/.*.part"):
            path.unlink()


def _find_start(raw: Any) -> datetime | None:
    """Return the time by which a record that cannot be read belongs to a day, if it has one."""
    if isinstance(raw, dict):
        for name in ("StartTime", "AcceptTime", "EndTime"):
            with suppress(ValueError, OverflowError, OSError):
                seconds = read_integer(raw.get(name))
                if seconds > 0:
                    return datetime.fromtimestamp(seconds, UTC)
    return None
