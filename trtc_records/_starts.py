"""The window to ask for, so that it holds each call that started in another one.

Tencent does not document whether the ends of a window belong to it, and which part of a call it means. A wider one has
each call that started in the window, in any case; the caller keeps those by their start.
"""

from __future__ import annotations

from datetime import datetime, timedelta

__all__ = ["widen"]


def widen(
    since: datetime | None, until: datetime, *, margin: timedelta, now: datetime
) -> tuple[int | None, datetime | None]:
    """Return the ends of a wider window, as a walk takes them.

    Args:
        since: Start of the window; ``None`` for as far back as the service keeps records.
        until: Its end.
        margin: The time to read beyond the end, for a service that selects calls by their end: longer than any call.
        now: The present, beyond which no window goes: ``None`` stands for it.
    """
    start = None if since is None else max(int(since.timestamp()) - 1, 0)
    return start, None if until > now - margin else until + margin
