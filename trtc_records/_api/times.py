"""Moments of any subclass of ``datetime``: pendulum's, for example, have an arithmetic of their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["since_epoch", "to_utc"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def since_epoch(moment: datetime) -> timedelta:
    """Return the time from the start of 1970 to *moment*, an aware datetime."""
    if type(moment) is not datetime:
        time = moment.hour, moment.minute, moment.second, moment.microsecond
        moment = datetime(moment.year, moment.month, moment.day, *time, tzinfo=moment.tzinfo, fold=moment.fold)
    return moment - _EPOCH


def to_utc(moment: datetime) -> datetime:
    """Return *moment*, an aware datetime, as a plain one in UTC."""
    return moment if type(moment) is datetime and moment.tzinfo is UTC else _EPOCH + since_epoch(moment)
