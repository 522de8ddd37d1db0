"""The work of a run: each day that is not final is read, written, and accounted for in a manifest."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import islice
from pathlib import Path
from typing import Any, Final

import attrs
from anyio.to_thread import run_sync

from trtc_records._api.models import CallRecord
from trtc_records._api.protocol import TIME_NAMES
from trtc_records._api.query import MARK_MARGIN, RETENTION
from trtc_records._api.times import to_utc
from trtc_records._api.wire import read_integer
from trtc_records._client import CallRecordsClient
from trtc_records._errors import CallRecordsWarning, ConfigurationError, RepeatedPageError, ResponseDecodeError
from trtc_records._starts import widen
from trtc_records._walking.incomplete import IncompleteWalk
from trtc_records._warn import warn_caller
from trtc_records.archive._manifest import (
    Layout,
    Manifest,
    digest,
    list_manifests,
    name_of,
    read_manifest,
    write_manifest,
)
from trtc_records.archive._merging import merge
from trtc_records.archive._periods import Partition, Period, day_of, divide_day, is_name
from trtc_records.archive._report import Action, ArchivedPartition
from trtc_records.archive._sorting import Sorter
from trtc_records.export import SCHEMA_VERSION, RecordWriter, make_writer, read_records
from trtc_records.export._pseudonyms import Pseudonyms, describe_ids, is_pseudonym
from trtc_records.export._reading import DATA_FILE, list_data_files
from trtc_records.export._rejects import encode_reject, identify_reject
from trtc_records.export._store import Store

__all__ = ["REJECTS", "Run"]

_EXPIRY: Final = timedelta(seconds=RETENTION) - timedelta(minutes=2)
"""The age from which the service may have dropped a record; the walk begins a minute after the edge at the most."""
_MARGIN: Final = timedelta(seconds=MARK_MARGIN)
_RECORDS_PER_READ: Final = 500
"""Records of an earlier file to read at a time, in a thread."""
_STAGED: Final = f".{DATA_FILE}.staged.part"
_MERGED: Final = f".{DATA_FILE}.merged.part"
REJECTS: Final = "_rejects"
"""The directory, within an archive, of the records that could not be read."""


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


class Run:
    """One run. All that reads or writes the files of days is here.

    Args:
        client: The client to read with.
        store: The archive.
        scratch: A directory for unfinished files.
        check_lock: Raises ``OSError`` if the lock was lost.
        layout: The arguments that all runs into the archive share.
        partition: Those of :func:`archive_call_records`, as are the rest.
        zone: As there.
        settle: As there.
        page_size: As there.
        pseudonyms: As there.
    """

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
            ConfigurationError: The archive has another layout, or ids of another kind.
        """
        for file, content in self._store.read_many(list_manifests(self._store)):
            try:
                manifest = read_manifest(self._store.locate(file), content)
            except ValueError:
                if is_name(name_of(file), self._partition):
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
        if not any(self._manifests.values()):
            self._check_ids()

    def _check_ids(self) -> None:
        """Check that files without a manifest, which a killed run may have left, have ids of the run's kind.

        Raises:
            ConfigurationError: They may have others.
        """
        for file in list_data_files(self._store):
            if self._pseudonyms is not None:
                kind = "may be the service's"
            elif self._looks_pseudonymized(file):
                kind = "look like pseudonyms"
            else:
                continue
            raise ConfigurationError(
                f"directory={self._store.locate()}: no manifest tells the ids of {file}, which {kind}: pass another "
                "directory"
            )

    def _looks_pseudonymized(self, file: str) -> bool:
        with suppress(ValueError, ImportError):  # damaged, or of another format, which is left alone
            for record in read_records(self._store.locate(file)):
                return any(map(is_pseudonym, (record.caller, *record.callees)))
        return False

    async def archive(self, since: datetime | None, until: datetime | None) -> AsyncGenerator[ArchivedPartition, None]:
        """Bring the days of a window up to date, and yield each; the oldest come first, as they expire first."""
        self._may_begin = since is None
        self._first = min(self._manifests, default="")
        start = self._get_edge()
        if self._first:
            first_day = divide_day(date.fromisoformat(self._first[:10]), self._partition, self._zone)
            start = min(*(each.start for each in first_day if each.name >= self._first), start)
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
        start, end = widen(periods[0].start, periods[-1].end, margin=self._settle, now=self._now())
        reading = _Reading(
            start=None if periods[0].start < self._get_edge() else start,
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
        edge = self._get_edge()  # records may have expired under the walk
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
            try:
                count = await self._merge_earlier(period)
            except ValueError as error:
                aside = await self._set_aside(target, reading.read_at)
                warn_caller(f"{error}; it was set aside as {self._store.locate(aside)}", CallRecordsWarning)
                reasons.append(f"the earlier file was damaged, and is now {aside.rpartition('/')[2]}")
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

    async def _merge_earlier(self, period: Period) -> int:
        """Merge the earlier file of a period into the staged one, and return the number of records.

        Raises:
            ValueError: The earlier file is damaged; the staged one is as it was.
        """
        staged, merged = self._stage(period, _STAGED), self._stage(period, _MERGED)
        old = await run_sync(read_records, self._store.locate(self._get_file(period)))
        both = merge(read_records(staged, self._layout.file_format), old)
        count = await self._make_writer(merged).write(_iterate_in_thread(both))
        merged.replace(staged)
        return count

    async def _set_aside(self, file: str, read_at: datetime) -> str:
        """Give a damaged file a hidden name with the time, and return it."""
        directory, _, name = file.rpartition("/")
        aside = f"{directory}/.{name}.{read_at:%Y%m%dT%H%M%S}.damaged"
        self._check_lock()
        await run_sync(self._store.move, file, aside)
        return aside

    def _close(self, period: Period, manifest: Manifest | None) -> ArchivedPartition:
        """Note that the records of a period have expired before it was final."""
        reason = "its records expired at the service before it was final"
        if manifest is None or self._was_replaced(manifest):
            manifest = self._rebuild(period, reason)
        manifest = attrs.evolve(manifest, complete=False, expired=True, reason=reason)
        self._check_lock()
        write_manifest(self._store, manifest)
        return self._report(period, manifest, "expired", begins=self._may_begin_in(period))

    def _was_replaced(self, manifest: Manifest) -> bool:
        """Return whether the file is a newer one, whose manifest a killed run could not write."""
        if manifest.file is None or self._store.get_size(manifest.file) is None:
            return False
        if digest(self._store.open(manifest.file)) == manifest.sha256:
            return False
        with suppress(ValueError):  # damaged: verification goes on to find that it differs
            deque(read_records(self._store.locate(manifest.file)), maxlen=0)
            return True
        return False

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
        file = f"{REJECTS}/{period.name}.jsonl"
        lines = [line for start, line in reading.rejects if start is None or period.start <= start < period.end]
        earlier = self._store.read(file)
        if merges and earlier is not None:
            lines += [line + b"\n" for line in earlier.splitlines()]
        by_record = {identify_reject(line): line for line in lines}
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


def _find_start(raw: Any) -> datetime | None:
    """Return the time by which a record that cannot be read belongs to a day, if it has one."""
    if isinstance(raw, dict):
        for name in TIME_NAMES:
            with suppress(ValueError, OverflowError, OSError):
                seconds = read_integer(raw.get(name))
                if seconds > 0:
                    return datetime.fromtimestamp(seconds, UTC)
    return None
