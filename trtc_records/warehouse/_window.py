"""The window of a sync: from the mark of the last run, or between two times of the caller's. No I/O."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

from trtc_records._api.models import CallRecord
from trtc_records._api.query import MARK_MARGIN, READABLE_AFTER, RETENTION, check_time
from trtc_records._errors import ConfigurationError, RetentionWarning, shorten
from trtc_records._starts import widen

__all__ = ["OVERLAP", "Window", "to_datetime"]

OVERLAP: Final = timedelta(hours=72)
"""The time that a sync looks back from the end of the last one. It would miss a longer call. A sample of Tencent's is
a call of 54.5 hours (https://trtc.io/document/68930), whose record appears two days after the start of its call.
Reading records again is cheap: three days of 100,000 calls each are 3,000 requests, 15 seconds of the quota."""


@attrs.frozen
class Window:
    """The calls that a sync reads, by their start. All times are Unix seconds."""

    since: int | None
    until: int | None
    """The end, which is outside; ``None`` for a sync that continues from its mark until now."""
    overlap: int
    """Seconds that no call should exceed."""

    @classmethod
    def check(
        cls, since: datetime | int | None, until: datetime | int | None, overlap: timedelta, now: float
    ) -> Window:
        """Return the window of the arguments of a sync.

        Raises:
            ConfigurationError: One cannot be used.
        """
        start, end = check_time("since", since), check_time("until", until)
        seconds = overlap.total_seconds() if isinstance(overlap, timedelta) else math.nan
        if not 0 <= seconds <= RETENTION:
            raise ConfigurationError(f"overlap={shorten(overlap)}: pass a timedelta from 0 to 7 days")
        if end is not None:
            if start is None:
                raise ConfigurationError(f"until={shorten(until)}: the window has no start; pass since, too")
            if start >= end:
                raise ConfigurationError(f"until={shorten(until)}: pass a time after since={shorten(since)}")
            if end > now:
                raise ConfigurationError(
                    f"until={shorten(until)} lies in the future: wait until then, or leave it out to read until now"
                )
        return cls(start, end, int(seconds))

    @property
    def readable_at(self) -> float:
        """Return the time from which each call that has ended in the window can be read, for certain."""
        return -math.inf if self.until is None else self.until + MARK_MARGIN

    def check_clock(self, service_time: float) -> None:
        """Check that the window had ended for the service, too, when it was read.

        Raises:
            ConfigurationError: The service's clock says that it had not.
        """
        if self.until is not None and self.until > service_time - READABLE_AFTER:
            raise ConfigurationError(
                f"until={self.until} had not passed for the service, whose clock says {_show(int(service_time))}: "
                f"set this machine's clock, and try again"
            )

    def choose_ends(self, previous: int | None, now: int) -> tuple[int | None, datetime | None]:
        """Return the ends of the walk, as a client takes them.

        Args:
            previous: The mark of the last run, which only a sync without *until* looks at.
            now: The present.
        """
        if self.since is not None and self.until is not None:
            margin, present = timedelta(seconds=self.overlap), datetime.fromtimestamp(now, UTC)
            return widen(_as_datetime(self.since), _as_datetime(self.until), margin=margin, now=present)
        return self._continue_from(previous, now), None

    def _continue_from(self, previous: int | None, now: int) -> int | None:
        if previous is None:
            return self.since
        if previous > now:
            return None  # a clock was set back, so the end of the last sync is unknown
        edge = now - RETENTION
        start = max(previous - self.overlap, edge)
        if self.since is not None and self.since < start:
            return self.since
        return None if start == edge else start  # the edge moves on, and nobody asked for an older time

    def find_loss(self, previous: int | None, now: int) -> RetentionWarning | None:
        """Return a warning if records have expired since the last run."""
        edge = now - RETENTION
        if self.until is not None or previous is None or previous >= edge:
            return None
        return RetentionWarning(
            f"the last complete sync was at {_show(previous)}: calls that started between then and "
            f"{_show(edge)} may have expired unseen, as the service keeps records for 7 days. Sync more often"
        )

    def holds(self, record: CallRecord) -> bool:
        """Return whether a call started in the window; one without *until* holds all that a walk gives."""
        if self.since is None or self.until is None:
            return True
        return self.since <= record.start_time.timestamp() < self.until


def to_datetime(seconds: int | None) -> datetime | None:
    """Return a time in UTC; ``None`` stays ``None``."""
    return None if seconds is None else _as_datetime(seconds)


def _as_datetime(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _show(seconds: int) -> str:
    return f"{_as_datetime(seconds):%Y-%m-%d %H:%M} UTC"
