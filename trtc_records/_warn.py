"""Warn at the line of the caller's own code, however deep inside the library the reason was found."""

from __future__ import annotations

import sys
import warnings
from typing import Final

from trtc_records._errors import CallRecordsWarning

__all__ = ["warn_caller"]

_PACKAGE: Final = __name__.partition(".")[0]


def warn_caller(message: str, category: type[CallRecordsWarning]) -> None:
    """Give a warning that points at the first frame outside this library."""
    level = 1
    frame = sys._getframe()  # noqa: SLF001 - warnings.warn can skip files itself from Python 3.12 on
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)
