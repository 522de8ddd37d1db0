"""Warnings that point at the caller's own line of code."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from trtc_records._errors import CallRecordsWarning

__all__ = ["collect_warnings", "warn_caller"]

_PACKAGE: Final = __name__.partition(".")[0]
_collector: Final[ContextVar[list[CallRecordsWarning] | None]] = ContextVar("collector", default=None)


def warn_caller(message: str, category: type[CallRecordsWarning]) -> None:
    """Warn at the first frame outside this library, or add the warning to the list of :func:`collect_warnings`."""
    collected = _collector.get()
    if collected is not None:
        collected.append(category(message))
        return
    frame = sys._getframe()  # noqa: SLF001 - warnings.warn can skip files itself from Python 3.12 on
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        frame = frame.f_back
    # Without the registry of the caller's module: by default Python shows a text once per line of code, and the third
    # incomplete walk of a long-lived service is as serious as the first.
    warnings.warn_explicit(
        message, category, frame.f_code.co_filename, frame.f_lineno, module=frame.f_globals.get("__name__")
    )


@contextmanager
def collect_warnings() -> Iterator[list[CallRecordsWarning]]:
    """Collect this task's warnings in a list instead of giving them, for a job that acts on them."""
    before = _collector.get()
    collected: list[CallRecordsWarning] = []
    _collector.set(collected)
    try:
        yield collected
    finally:
        _collector.set(before)
