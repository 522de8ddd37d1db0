"""Read times as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["read_ago", "read_time", "show_time"]

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO: Final = re.compile(r"(\d{1,8})\s*([smhdw])", re.ASCII | re.IGNORECASE)
_EXAMPLES: Final = "24h, 7d, 2026-01-31 or 2026-01-31T08:30+08:00"


def read_ago(text: str) -> timedelta:
    """Read a length of time: ``90m``, ``24h``, ``7d``.

    Raises:
        ValueError: It is none; the message gives examples.
    """
    ago = _AGO.fullmatch(text.strip())
    if ago is None:
        raise ValueError(f"'{text}' is not a length of time: write 90m, 24h or 7d")
    return timedelta(**{_UNITS[ago[2].lower()]: int(ago[1])})


def read_time(text: str, now: datetime) -> datetime:
    """Read a length of time before *now*, or an ISO 8601 date or time, in UTC where it names no zone.

    Raises:
        ValueError: It is neither; the message gives examples.
    """
    text = text.strip()
    try:
        if _AGO.fullmatch(text):
            return now - read_ago(text)
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"'{text}' is not a time: write {_EXAMPLES}") from None


def show_time(time: datetime) -> str:
    """Return *time* as people read it."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
