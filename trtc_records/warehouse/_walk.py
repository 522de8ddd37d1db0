"""The walk of a sync, as a dlt source: the tables, and the mark up to which everything was read."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import attrs
import dlt

from trtc_records._api.models import CallRecord, CallRecordPage
from trtc_records._api.query import READABLE_AFTER, RETENTION, check_query
from trtc_records._client import CallRecordsClient
from trtc_records._errors import (
    CallRecordsWarning,
    ConfigurationError,
    IncompleteWalkWarning,
    ResponseDecodeError,
    RetentionWarning,
    shorten,
)
from trtc_records._warn import collect_warnings, warn_caller
from trtc_records.warehouse._bridge import iterate
from trtc_records.warehouse._rows import KEY, make_table

if TYPE_CHECKING:
    import pyarrow as pa
    from dlt.extract import DltSource

__all__ = ["NAME", "TABLE", "MakeClient", "OnPage", "Walk", "to_datetime"]

NAME: Final = "trtc_records"
"""The name of the source and of the pipeline, under which the destination stores its state."""
TABLE: Final = "call_records"
_MARKS: Final = "read_until"
"""The key in dlt's state of the resource: per SDKAppID, the Unix seconds until which everything was read."""
_RECORDS_PER_TABLE: Final = 5_000
"""The items that dlt gathers before it writes."""
_MARGIN: Final = 2 * READABLE_AFTER
"""Seconds before now at which a sync ends, since later calls may have no record yet."""
_TABLES_AHEAD: Final = 2

MakeClient = Callable[[], CallRecordsClient]
OnPage = Callable[[CallRecordPage], object]


@attrs.define
class Walk:
    """A walk over the records that are new since the last run."""

    make_client: MakeClient
    since: int | None
    overlap: int
    page_size: int
    on_page: OnPage | None

    previous: int | None = None
    """Unix seconds, as all times here."""
    start: int | None = None
    end: int = 0
    read: int = 0
    warnings: list[CallRecordsWarning] = attrs.field(factory=list)

    @classmethod
    def prepare(
        cls,
        make_client: MakeClient,
        since: datetime | int | None,
        overlap: timedelta,
        page_size: int,
        on_page: OnPage | None,
    ) -> Walk:
        """Check the arguments.

        Raises:
            ConfigurationError: One cannot be used.
        """
        query = check_query(start_time=since, end_time=None, call_result=None, call_type=None, page_size=page_size)
        seconds = overlap.total_seconds() if isinstance(overlap, timedelta) else math.nan
        if not 0 <= seconds <= RETENTION:
            raise ConfigurationError(f"overlap={shorten(overlap)}: pass a timedelta from 0 to 7 days")
        return cls(make_client, query.start_time, int(seconds), page_size, on_page)

    @property
    def complete(self) -> bool:
        """Return whether certainly no record is missing."""
        return not any(isinstance(warning, IncompleteWalkWarning) for warning in self.warnings)

    def make_source(self, *, warns: bool) -> DltSource:
        """Return the dlt source."""

        def call_records() -> Iterator[pa.Table]:
            yield from self.run()
            if warns:
                self.warn()

        # dlt sees no parameters, so none is filled from its configuration or from the environment.
        resource = dlt.resource(call_records, name=TABLE, primary_key=KEY, write_disposition="merge")
        return dlt.source(lambda: resource, name=NAME)()

    def warn(self) -> None:
        """Give the warnings."""
        for warning in self.warnings:
            warn_caller(str(warning), type(warning))

    def run(self) -> Iterator[pa.Table]:
        """Yield the tables, and store the end of the window if no record is missing."""
        self.warnings, self.read = [], 0  # dlt may run a source more than once
        client = self.make_client()
        app = str(client.sdk_app_id)
        marks = dlt.current.resource_state(TABLE).setdefault(_MARKS, {})
        self.previous = marks.get(app)
        self.end = int(time.time())
        self.start = self._choose_start()
        for records in iterate(self._read(client), ahead=_TABLES_AHEAD):
            yield make_table(records)
        # The walk ended its window by the service's clock, which this machine's may be far from.
        self.end += round(client.service_time - time.time()) - _MARGIN
        if self.complete:
            marks[app] = self.end

    def _choose_start(self) -> int | None:
        edge = self.end - RETENTION
        if self.previous is None:
            return self.since
        if self.previous > self.end:
            return None  # a clock was set back, so the end of the last sync is unknown
        if self.previous < edge:
            self.warnings.append(
                RetentionWarning(
                    f"the last complete sync was at {_show(self.previous)}: calls that started between then and "
                    f"{_show(edge)} may have expired unseen, as the service keeps records for 7 days. Sync more often"
                )
            )
        start = max(self.previous - self.overlap, edge)
        return start if self.since is None else min(start, self.since)

    async def _read(self, client: CallRecordsClient) -> AsyncGenerator[list[CallRecord], None]:
        records: list[CallRecord] = []
        rejects: list[ResponseDecodeError] = []
        with collect_warnings() as warnings:
            async with client, aclosing(self._read_pages(client, rejects)) as pages:
                async for page in pages:
                    records.extend(page.records)
                    if len(records) >= _RECORDS_PER_TABLE:
                        yield records
                        records = []
        if records:
            yield records
        self.warnings += warnings
        if rejects:
            self.warnings.append(
                IncompleteWalkWarning(f"records that could not be read: {len(rejects):,}, the first: {rejects[0]}")
            )

    async def _read_pages(
        self, client: CallRecordsClient, rejects: list[ResponseDecodeError]
    ) -> AsyncGenerator[CallRecordPage, None]:
        pages = client.iter_pages(
            start_time=self.start,
            page_size=self.page_size,
            on_invalid=lambda _, error: rejects.append(error),
        )
        async with aclosing(pages):
            async for page in pages:
                self.read += len(page.records)
                if self.on_page is not None:
                    self.on_page(page)
                yield page


def to_datetime(seconds: int | None) -> datetime | None:
    """Return a time in UTC; ``None`` stays ``None``."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _show(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
