"""Show the progress of a walk on stderr: a bar on a terminal, elsewhere a line every few seconds."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Final

from trtc_records import CallRecordPage, LocalRateLimiter
from trtc_records.cli._output import is_quiet, note
from trtc_records.summary import show_length

__all__ = ["show_progress"]

_INTERVAL: Final = 5.0  # seconds between two lines
_RECENT: Final = 5.0  # seconds over which rates are measured
_LAYOUTS: Final = ((4, 10), (3, 10), (3, -1), (2, -1), (1, -1))
"""The number of texts to show (count, time left, speed, quota), and the columns of a bar; -1 for no bar."""
_QUOTA: Final = LocalRateLimiter().rate
"""Pages per second that the service allows: a page is a request."""


@contextmanager
def show_progress(*, hidden: bool = False) -> Iterator[Callable[[CallRecordPage], None]]:
    """Yield a function that takes each page of a walk; show records, time left and speed on stderr.

    Args:
        hidden: Whether to show nothing, as where the records themselves go to the terminal.
    """
    if hidden or is_quiet():
        yield lambda _: None
    elif sys.stderr.isatty():
        with _show_bar() as advance:
            yield advance
    else:
        yield _Lines().advance


@contextmanager
def _show_bar() -> Iterator[Callable[[CallRecordPage], None]]:
    # Without a terminal the start of the command is spared these imports.
    from rich.console import Console  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415
    from rich.progress_bar import ProgressBar  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(stderr=True)
    walk = _Walk()

    def draw() -> Table:
        (count, *others), width = walk.fit(console.width)
        bar = [ProgressBar(total=walk.total, completed=walk.records, width=width)] if width else []
        row = Table.grid(padding=(0, 1))
        row.add_row(Text(count), *bar, *map(Text, others))
        return row

    # Redirecting stdout would mix the bar with records that are exported there.
    live = Live(get_renderable=draw, console=console, transient=True, redirect_stdout=False, refresh_per_second=10)
    try:
        with suppress(OSError):  # a terminal that has gone fails no command
            live.start(refresh=True)
        yield walk.add
    finally:
        with suppress(OSError):
            live.stop()


class _Walk:
    """The pages and records of a walk so far, and their rates over the last seconds."""

    def __init__(self) -> None:
        self.records = 0
        self.total: int | None = None
        self._pages = 0
        self._recent = deque([(time.monotonic(), 0, 0)])
        """Moments with the numbers of pages and records by then; the first is the last one before the recent past."""

    def add(self, page: CallRecordPage) -> None:
        """Count *page*."""
        self.records += len(page.records)
        self.total = page.total_num
        self._pages += 1
        self._recent.append((time.monotonic(), self._pages, self.records))

    def get_texts(self, separator: str) -> list[str]:
        """Return the count, the time left, the speed and its share of the quota: the most important first."""
        now = time.monotonic()
        while len(self._recent) > 1 and self._recent[1][0] <= now - _RECENT:
            self._recent.popleft()
        then, pages, records = self._recent[0]
        seconds = max(now - then, 1.0)  # in less, a burst would look like more than the quota
        rate = (self._pages - pages) / seconds
        count, left = f"{self.records:,}", ""
        if self.total:
            count += f"{separator}{self.total:,}"
            if self.records > records:
                remaining = max(self.total - self.records, 0) * seconds / (self.records - records)
                left = f"{show_length(timedelta(seconds=remaining))} left"
        return [count, left, f"{rate:.0f} pages/s", f"{rate / _QUOTA:.0%} of the quota"]

    def fit(self, width: int) -> tuple[list[str], int]:
        """Return the texts that fit into *width* columns, and the columns that are left for a bar, or 0."""
        texts = self.get_texts("/")
        for kept, bar in _LAYOUTS:
            shown = [text for text in texts[:kept] if text]
            rest = width - len(" ".join(shown)) - 1
            if rest >= bar:
                break
        return shown, max(rest if bar > 0 else 0, 0)


class _Lines:
    """A line now and then."""

    def __init__(self) -> None:
        self._walk = _Walk()
        self._due = time.monotonic() + _INTERVAL

    def advance(self, page: CallRecordPage) -> None:
        """Count *page*."""
        self._walk.add(page)
        now = time.monotonic()
        if now >= self._due:
            self._due = now + _INTERVAL
            count, left, *speed = self._walk.get_texts(" of ")
            note(f"trtc-records: {', '.join([f'{count} call records', *speed, *([left] if left else [])])}")
