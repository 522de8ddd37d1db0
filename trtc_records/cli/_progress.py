"""Show on a terminal how far a walk is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from trtc_records import CallRecordPage

__all__ = ["show_progress"]


@contextmanager
def show_progress() -> Iterator[Callable[[CallRecordPage], None]]:
    """Yield what takes each page; a bar on stderr grows with it, where stderr is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    # Without a terminal the start of the command is spared this import.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Redirecting stdout would put the bar's output into what is exported there.
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as progress:
        task = progress.add_task("call records", total=None)

        def advance(page: CallRecordPage) -> None:
            progress.update(task, advance=len(page.records), total=page.total_num)

        yield advance
