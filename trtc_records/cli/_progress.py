"""Show how far a walk is: a bar on a terminal, elsewhere a line every few seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from trtc_records import CallRecordPage, LocalRateLimiter
from trtc_records.cli._output import is_quiet, note

__all__ = ["show_progress"]

_INTERVAL: Final = 5.0  # seconds between two lines
_QUOTA: Final = LocalRateLimiter().rate
"""Pages per second that the service allows: a page is a request."""


@contextmanager
def show_progress() -> Iterator[Callable[[CallRecordPage], None]]:
    """Yield what takes each page of a walk, and shows on stderr what is known of it: records, speed, time left."""
    if is_quiet():
        yield lambda _: None
    elif sys.stderr.isatty():
        with _show_bar() as advance:
            yield advance
    else:
        yield _Lines().advance


@contextmanager
def _show_bar() -> Iterator[Callable[[CallRecordPage], None]]:
    # Without a terminal the start of the command is spared this import.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    speed = _Speed()
    # Redirecting stdout would put the bar's output into what is exported there.
    with Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=False, expand=True
    ) as progress:
        task = progress.add_task("call records", total=None, speed="")

        def advance(page: CallRecordPage) -> None:
            speed.count()
            progress.update(task, advance=len(page.records), total=page.total_num, speed=str(speed))

        yield advance


class _Speed:
    """Measure pages per second, and what share of the quota they are."""

    def __init__(self) -> None:
        self._pages = 0
        self._started = time.monotonic()

    def count(self) -> None:
        """Count a page."""
        self._pages += 1

    @property
    def seconds(self) -> float:
        """Return how long it has been going on."""
        return max(time.monotonic() - self._started, 0.001)

    def __str__(self) -> str:
        # In the first second a burst would look like more than the quota.
        rate = self._pages / max(self.seconds, 1.0)
        return f"{rate:.0f} pages/s, {rate / _QUOTA:.0%} of the quota"


class _Lines:
    """Say now and then how far it is."""

    def __init__(self) -> None:
        self._speed = _Speed()
        self._records = 0
        self._due = _INTERVAL

    def advance(self, page: CallRecordPage) -> None:
        """Take a page."""
        self._records += len(page.records)
        self._speed.count()
        seconds = self._speed.seconds
        if seconds < self._due:
            return
        self._due = seconds + _INTERVAL
        parts = [f"{self._records:,} call records", str(self._speed)]
        if page.total_num and self._records:
            parts[0] = f"{self._records:,} of {page.total_num:,} call records"
            left = max(page.total_num - self._records, 0) * seconds / self._records
            parts.append(f"{left:.0f} s left")
        note(f"trtc-records: {', '.join(parts)}")
