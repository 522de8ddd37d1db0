"""The walk of a sync, as a dlt source: the tables of a window, and the mark up to which everything was read."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import attrs
import dlt

from trtc_records._api.models import CallRecord, CallRecordPage
from trtc_records._api.query import MARK_MARGIN
from trtc_records._checks import check_count
from trtc_records._client import CallRecordsClient
from trtc_records._errors import CallRecordsWarning, ConfigurationError, IncompleteWalkWarning, ResponseDecodeError
from trtc_records._warn import collect_warnings, warn_caller
from trtc_records.export._pseudonyms import Pseudonyms, check_pseudonyms, describe_ids, is_pseudonym
from trtc_records.export._rejects import conceal
from trtc_records.warehouse._bridge import iterate
from trtc_records.warehouse._rows import KEY, drop_repeats, make_table
from trtc_records.warehouse._window import Window

if TYPE_CHECKING:
    import pyarrow as pa
    from dlt.extract import DltSource

__all__ = ["NAME", "TABLE", "MakeClient", "OnPage", "Walk"]

NAME: Final = "trtc_records"
"""The name of the source and of the pipeline, under which the destination stores its state."""
TABLE: Final = "call_records"
_MARKS: Final = "read_until"
"""The key in dlt's state of the resource: per app and service, the Unix seconds until which everything was read."""
_FINGERPRINT: Final = "pseudonyms"
"""The key there of the fingerprint of the pseudonyms' key; ``None`` for the service's ids."""
_RECORDS_PER_TABLE: Final = 5_000
"""The items that dlt gathers before it writes."""
_TABLES_AHEAD: Final = 2

MakeClient = Callable[[], CallRecordsClient]
OnPage = Callable[[CallRecordPage], object]


def _check_page_size(value: object) -> int:
    return check_count("page_size", value)


@attrs.define
class Walk:
    """A walk over the records of a window, or over those that are new since the last run."""

    make_client: MakeClient
    window: Window
    page_size: int = attrs.field(converter=_check_page_size)
    on_page: OnPage | None
    pseudonyms: Pseudonyms | None = attrs.field(converter=check_pseudonyms)

    stored_caller: str | None = None
    """The caller of a record that the table has already; ``None`` if it has none, or is unknown."""
    previous: int | None = None
    """The mark of the last run in Unix seconds, as all times here."""
    start: int | None = None
    end: int = 0
    read: int = 0
    warnings: list[CallRecordsWarning] = attrs.field(factory=list)

    @property
    def complete(self) -> bool:
        """Return whether certainly no record is missing."""
        return not any(isinstance(warning, IncompleteWalkWarning) for warning in self.warnings)

    def make_source(self, *, warns: bool, lake: bool = False) -> DltSource:
        """Return the dlt source.

        Args:
            warns: Whether it gives the warnings.
            lake: Whether it is for a Delta table. By default it is for any destination that merges.
        """

        def call_records() -> Iterator[pa.Table]:
            yield from self._run_once_each() if lake else self.run()
            if warns:
                self.warn()

        # Unchanged rows are skipped, as a lake has to write a whole file anew for one row.
        upsert: Any = {"disposition": "merge", "strategy": "upsert", "skip_unchanged_rows": True}
        options: Any = (
            {"write_disposition": upsert, "table_format": "delta"} if lake else {"write_disposition": "merge"}
        )
        # dlt sees no parameters, so none is filled from its configuration or from the environment.
        resource = dlt.resource(call_records, name=TABLE, primary_key=KEY, **options)
        return dlt.source(lambda: resource, name=NAME)()

    def warn(self) -> None:
        """Give the warnings."""
        for warning in self.warnings:
            warn_caller(str(warning), type(warning))

    def _run_once_each(self) -> Iterator[pa.Table]:
        """Yield the tables with each key once: a lake cannot merge two rows of one key."""
        seen: set[bytes] = set()
        for table in self.run():
            yield drop_repeats(table, seen)

    def run(self) -> Iterator[pa.Table]:
        """Yield the tables, and store the end of the window if it continues from the mark and no record is missing."""
        self.warnings, self.read = [], 0  # dlt may run a source more than once
        client = self.make_client()
        app = f"{client.sdk_app_id}/{client.service}"
        state = dlt.current.resource_state(TABLE)
        self._keep_to_key(state)
        marks: dict[str, int] = state.setdefault(_MARKS, {}) if self.window.until is None else {}
        self.previous = marks.get(app)
        time.sleep(max(self.window.readable_at - time.time(), 0))
        now = int(time.time())
        self.start, until = self.window.choose_ends(self.previous, now)
        if loss := self.window.find_loss(self.previous, now):
            self.warnings.append(loss)
        for records in iterate(self._read(client, until), ahead=_TABLES_AHEAD):
            yield make_table(records if self.pseudonyms is None else map(self.pseudonyms, records))
        service_time = client.service_time
        if self.window.until is not None:
            self.window.check_clock(service_time)
            self.start, self.end = self.window.since, self.window.until
            return
        # The walk ended its window by the service's clock, which this machine's may be far from.
        self.end = now + round(service_time - time.time()) - MARK_MARGIN
        if self.complete:
            marks[app] = self.end

    def _keep_to_key(self, state: dict[str, Any]) -> None:
        """Store the fingerprint of the pseudonyms' key with the table.

        Raises:
            ConfigurationError: The table has ids of another kind: each call would get a second row.
        """
        fingerprint = None if self.pseudonyms is None else self.pseudonyms.fingerprint
        kind: str | None = None
        if _FINGERPRINT in state or _MARKS in state:
            if state.get(_FINGERPRINT) != fingerprint:
                kind = describe_ids(state.get(_FINGERPRINT))
        elif self.stored_caller is not None and is_pseudonym(self.stored_caller) != (fingerprint is not None):
            # The first sync was killed between its records and its state.
            kind = "ids that look like pseudonyms" if fingerprint is None else "ids that look like the service's"
        if kind is not None:
            raise ConfigurationError(
                f"pseudonyms: the table has {kind}, and this sync {describe_ids(fingerprint)}: pass the same, or "
                "another dataset"
            )
        state[_FINGERPRINT] = fingerprint

    async def _read(self, client: CallRecordsClient, until: datetime | None) -> AsyncGenerator[list[CallRecord], None]:
        records: list[CallRecord] = []
        rejects: list[ResponseDecodeError] = []
        with collect_warnings() as warnings:
            async with client, aclosing(self._read_pages(client, until, rejects)) as pages:
                async for page in pages:
                    kept = list(filter(self.window.holds, page.records))
                    self.read += len(kept)
                    records += kept
                    if len(records) >= _RECORDS_PER_TABLE:
                        yield records
                        records = []
        if records:
            yield records
        self.warnings += warnings
        if rejects:
            first = rejects[0] if self.pseudonyms is None else conceal(rejects[0])
            self.warnings.append(
                IncompleteWalkWarning(f"records that could not be read: {len(rejects):,}, the first: {first}")
            )

    async def _read_pages(
        self, client: CallRecordsClient, until: datetime | None, rejects: list[ResponseDecodeError]
    ) -> AsyncGenerator[CallRecordPage, None]:
        pages = client.iter_pages(
            start_time=self.start,
            end_time=until,
            page_size=self.page_size,
            on_invalid=lambda _, error: rejects.append(error),
        )
        async with aclosing(pages):
            async for page in pages:
                if self.on_page is not None:
                    self.on_page(page)
                yield page
