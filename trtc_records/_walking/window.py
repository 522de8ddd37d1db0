"""Fix the window of a walk: both ends are the same in every request."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import attrs

from trtc_records._api.query import RETENTION, Query
from trtc_records._errors import ConfigurationError, RetentionWarning
from trtc_records._warn import warn_caller

__all__ = ["EDGE_MARGIN", "check_window", "pin_window"]

EDGE_MARGIN: Final = 60
"""Seconds between the retention edge and the start of a walk, so that nothing expires under the walk: the
full quota reads a million records in less."""


def pin_window(query: Query, now: float) -> Query:
    """Return *query* with both ends of its window fixed.

    Args:
        query: The conditions, as the caller gave them.
        now: Unix seconds at the service.
    """
    edge = int(now) - RETENTION
    end = int(now) if query.end_time is None else query.end_time
    start = edge if query.start_time is None else query.start_time
    if start <= edge:
        start = min(edge + EDGE_MARGIN, end)
    return attrs.evolve(query, start_time=start, end_time=end)


def check_window(query: Query, now: float) -> bool:
    """Tell whether the window may hold records.

    Args:
        query: The conditions, as the caller gave them.
        now: Unix seconds at the service.

    Warns:
        RetentionWarning: The window begins, or even ends, before the service's retention.

    Raises:
        ConfigurationError: The window begins in the future.
    """
    edge = int(now) - RETENTION
    start, end = query.start_time, query.end_time
    if start is not None and start > now:
        raise ConfigurationError(f"start_time={start} lies in the future: pass a time before now")
    has_expired = end is not None and end < edge
    if start is not None and start < edge - EDGE_MARGIN:
        _warn(edge, f"begins at {_show_time(start)}")
    elif end is not None and has_expired:
        _warn(edge, f"ends at {_show_time(end)}")
    return not has_expired


def _warn(edge: int, where: str) -> None:
    expired = f"records from before {_show_time(edge)} have expired"
    warn_caller(f"{expired}: the service keeps them for 7 days, and the query {where}", RetentionWarning)


def _show_time(seconds: int) -> str:
    return datetime.fromtimestamp(max(seconds, 0), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
