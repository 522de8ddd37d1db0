"""The conditions of a query, checked before anything is sent."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum
from typing import Final, Literal, get_args

import attrs

from trtc_records._api.models import CallResult, CallType
from trtc_records._api.times import since_epoch
from trtc_records._checks import check_count, check_text
from trtc_records._errors import ConfigurationError, shorten

__all__ = [
    "MARK_MARGIN",
    "READABLE_AFTER",
    "RETENTION",
    "Order",
    "Query",
    "check_call_id",
    "check_order",
    "check_query",
    "check_time",
]

Order = Literal["service", "time"]
"""The order in which a walk yields records."""

RETENTION: Final = 7 * 86_400
"""Seconds for which the service keeps a record."""

READABLE_AFTER: Final = 5
"""Seconds from the end of a call until its record can be read: https://trtc.io/document/68940."""

MARK_MARGIN: Final = 2 * READABLE_AFTER
"""Seconds before now up to which a sync or an archive takes calls for read: later ones may have no record yet."""

_LARGEST_TIME: Final = 253_402_300_799  # the last second of the year 9999


@attrs.frozen(kw_only=True)
class Query:
    """The records to ask for; ``None`` leaves a condition out."""

    start_time: int | None = None
    """Unix seconds."""
    end_time: int | None = None
    """Unix seconds."""
    call_result: str | None = None
    call_type: str | None = None
    page_size: int


def check_call_id(value: object) -> str:
    """Return the call id.

    Raises:
        ConfigurationError: It is not a text, or it is empty.
    """
    return check_text("call_id", value, "pass the call's id, a non-empty string")


def check_order(value: object) -> bool:
    """Return whether *order* is by time.

    Raises:
        ConfigurationError: It is not the name of an order.
    """
    if value not in get_args(Order):
        raise ConfigurationError(f"order={shorten(value)}: pass 'service' or 'time'")
    return value == "time"


def check_query(
    *,
    start_time: datetime | int | None,
    end_time: datetime | int | None,
    call_result: CallResult | str | None,
    call_type: CallType | str | None,
    page_size: int,
) -> Query:
    """Return the query.

    Raises:
        ConfigurationError: An argument cannot be used; the message names it.
    """
    start = check_time("start_time", start_time)
    end = check_time("end_time", end_time)
    if start is not None and end is not None and start > end:
        raise ConfigurationError(f"start_time={shorten(start_time)} is after end_time={shorten(end_time)}: swap them")
    return Query(
        start_time=start,
        end_time=end,
        call_result=_check_choice("call_result", call_result, CallResult),
        call_type=_check_choice("call_type", call_type, CallType),
        page_size=check_count("page_size", page_size),
    )


def check_time(name: str, value: object) -> int | None:
    """Return a time in Unix seconds; ``None`` stays ``None``.

    Raises:
        ConfigurationError: It is no aware datetime and no number of Unix seconds.
    """
    if value is None:
        return None
    if isinstance(value, datetime):
        value = _to_seconds(name, value)
    if type(value) is int and 0 <= value <= _LARGEST_TIME:
        return value
    if type(value) is int:
        raise ConfigurationError(f"{name}={shorten(value)}: out of range for Unix seconds; are these milliseconds?")
    raise ConfigurationError(f"{name}={shorten(value)}: pass an aware datetime or Unix seconds as an int")


def _to_seconds(name: str, value: datetime) -> int:
    """Return Unix seconds, 0 for a time before 1970."""
    try:
        if value.utcoffset() is not None:
            return max(since_epoch(value) // timedelta(seconds=1), 0)
    except Exception as error:  # noqa: BLE001 - pandas.NaT is a datetime without a time; a time zone may be anyone's
        reason = f"it cannot be read ({type(error).__name__}); pass an aware datetime or Unix seconds as an int"
    else:
        reason = "a naive datetime; give it a time zone, such as datetime.now(UTC)"
    raise ConfigurationError(f"{name}={shorten(value)}: {reason}")


def _check_choice(name: str, value: object, known: type[CallResult | CallType]) -> str | None:
    """Return a condition's text; a text that is no member may be one that Tencent added later."""
    if value is None:
        return None
    remedy = f"pass a {known.__name__}: {', '.join(known)}"
    text = check_text(name, value, remedy)
    if isinstance(text, CallResult | CallType) and not isinstance(text, known):
        raise ConfigurationError(f"{name}={shorten(value)}: {remedy}")
    plain = text.replace("_", "").lower()
    for member in known:
        if plain == member.lower() and text != member:
            raise ConfigurationError(f"{name}={shorten(value)}: did you mean '{member}'?")
    return text.value if isinstance(text, Enum) else text
