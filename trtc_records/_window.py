"""The time window of a walk, with both ends fixed before its first request."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final

from trtc_records._api.query import RETENTION, Query
from trtc_records._errors import ConfigurationError, RetentionWarning
from trtc_records._warn import warn_caller

__all__ = ["EDGE_MARGIN", "pin_window"]

EDGE_MARGIN: Final = 60
"""Seconds between the retention edge and the start of a walk, so that nothing expires under the walk: the
full quota reads a million records in less."""


def pin_window(query: Query, now: float | None = None) -> Query | None:
    """Return *query* with both ends of its window fixed; ``None`` where all that it asks for has expired.

    Warns:
        RetentionWarning: The window begins, or even ends, before what the service still keeps.

    Raises:
        ConfigurationError: The window begins in the future.
    """
    now = time.time() if now is None else now
    edge = int(now) - RETENTION
    end = int(now) if query.end_time is None else query.end_time
    start = edge if query.start_time is None else query.start_time
    if start > now:
        raise ConfigurationError(f"start_time={start} lies in the future: pass a time before now")
    if start < edge - EDGE_MARGIN:
        warn_caller(
            f"records from before {_show_time(edge)} have expired: the service keeps them for 7 days, "
            f"and the query begins at {_show_time(start)}",
            RetentionWarning,
        )
    elif end < edge:
        warn_caller(
            f"records from before {_show_time(edge)} have expired: the service keeps them for 7 days, "
            f"and the query ends at {_show_time(end)}",
            RetentionWarning,
        )
    if end < edge:
        return None
    if start <= edge:
        start = min(edge + EDGE_MARGIN, end)
    return Query(
        start_time=start,
        end_time=end,
        call_result=query.call_result,
        call_type=query.call_type,
        page_size=query.page_size,
    )


def _show_time(seconds: int) -> str:
    return datetime.fromtimestamp(max(seconds, 0), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
