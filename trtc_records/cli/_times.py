"""Read and show times as people write them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

__all__ = ["read_ago", "read_seconds", "read_time", "show_time"]

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO: Final = re.compile(r"(\d{1,8})\s*([smhdw])", re.ASCII | re.IGNORECASE)
_SECONDS: Final = re.compile(r"\d{1,8}(\.\d{1,6})?", re.ASCII)
_DATE_WITH_OFFSET: Final = re.compile(r"\d{4}-?\d\d-?\d\d[+-]", re.ASCII)
_EXAMPLES: Final = "24h, 7d, 2026-01-31 or 2026-01-31T08:30+08:00"


def read_ago(text: str) -> timedelta:
    """Read a length of time: ``90m``, ``24h``, ``7d``.

    Raises:
        ValueError: It is not one; the message gives examples.
    """
    ago = _AGO.fullmatch(text.strip())
    if ago is None:
        raise ValueError(f"'{text}' is not a length of time: write 90m, 24h or 7d")
    return timedelta(**{_UNITS[ago[2].lower()]: int(ago[1])})


def read_seconds(text: str) -> timedelta | None:
    """Return the length of time that a plain number of seconds means; ``None`` if *text* is no number."""
    return timedelta(seconds=float(text)) if _SECONDS.fullmatch(text.strip()) else None


def read_time(text: str, now: datetime, *, into_day: timedelta = timedelta()) -> datetime:
    """Read a length of time before *now*, or an ISO 8601 date or time, in UTC where it has no offset.

    Args:
        text: The text to read.
        now: The present.
        into_day: The time that a date without a time means, from the first second of its day, the default.

    Raises:
        ValueError: It is neither; the message gives examples.
    """
    text = text.strip()
    try:
        if _AGO.fullmatch(text):
            return now - read_ago(text)
        moment = _read_date(text, into_day) or _read_date_and_time(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"'{text}' is not a time: write {_EXAMPLES}") from None


def _read_date(text: str, into_day: timedelta) -> datetime | None:
    """Return the moment *into_day* on the day that *text* names; ``None`` where it has a time, too."""
    try:
        first = datetime.combine(date.fromisoformat(text), time())
    except ValueError:
        return None
    return first + into_day


def _read_date_and_time(text: str) -> datetime:
    if _DATE_WITH_OFFSET.match(text):  # Python takes 2026-01-31+08:00 for eight o'clock
        raise ValueError(text)
    return datetime.fromisoformat(text)


def show_time(moment: datetime) -> str:
    """Return *moment* in UTC, to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
