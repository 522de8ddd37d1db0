"""Check what a client and its walks are told, before anything is sent: where to send, and what to ask for."""

from __future__ import annotations

import ipaddress
import time
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final

import httpx

from trtc_records._api.models import CallResult, CallType, Region
from trtc_records._api.protocol import Query
from trtc_records._checks import check_count, check_text
from trtc_records._errors import ConfigurationError, RetentionWarning, shorten
from trtc_records._warn import warn_caller

__all__ = ["check_base_url", "check_call_id", "check_query", "pin_window"]

RETENTION: Final = 7 * 86_400
"""Seconds for which the service keeps a record."""

EDGE_MARGIN: Final = 60
"""Seconds between the retention edge and the start of a walk, so that nothing expires under the walk: the
full quota reads a million records in less."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST_TIME: Final = 253_402_300_799  # the last second of the year 9999


def check_call_id(value: object) -> str:
    """Return a call id, or say what is wrong with it."""
    return check_text("call_id", value, "pass the call's id, a non-empty string")


def check_base_url(region: Region | str | None, base_url: str | None) -> httpx.URL:
    """Return where to send to: a region's host, or a URL of the caller's."""
    if (region is None) == (base_url is None):
        given = "neither" if region is None else "both"
        raise ConfigurationError(
            f"region and base_url: {given} given; pass one of them, region= (one of {_region_names()}) or base_url="
        )
    if base_url is None:
        return httpx.URL(f"https://{_check_region(region).host}")
    check_text("base_url", base_url, "pass a URL such as 'https://host'")
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, ValueError):
        url = httpx.URL()
    if not url.host or url.userinfo or url.query or url.fragment:
        # The value is not shown: there may be a password in it.
        raise ConfigurationError(
            "base_url: not a URL of the form 'https://host', with a port and a path if need be, and no more"
        )
    if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(url.host)):
        raise ConfigurationError(
            f"base_url={shorten(base_url)}: pass an https:// URL, as the credential travels in it "
            "(http:// is for this machine's own addresses only)"
        )
    return url


def check_query(
    *,
    start_time: datetime | int | None,
    end_time: datetime | int | None,
    call_result: CallResult | str | None,
    call_type: CallType | str | None,
    page_size: int,
) -> Query:
    """Return the query, or say which argument is wrong."""
    start = _check_time("start_time", start_time)
    end = _check_time("end_time", end_time)
    if start is not None and end is not None and start > end:
        raise ConfigurationError(f"start_time={shorten(start_time)} is after end_time={shorten(end_time)}: swap them")
    return Query(
        start_time=start,
        end_time=end,
        call_result=_check_choice("call_result", call_result, CallResult),
        call_type=_check_choice("call_type", call_type, CallType),
        page_size=check_count("page_size", page_size),
    )


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


def _check_region(region: object) -> Region:
    if isinstance(region, str):
        name = region.strip().lower().replace("_", "-").replace(" ", "-")
        if name in set(Region):
            return Region(name)
    raise ConfigurationError(f"region={shorten(region)}: pass one of {_region_names()}")


def _region_names() -> str:
    return ", ".join(f"'{region}'" for region in Region)


def _check_time(name: str, value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise ConfigurationError(
                f"{name}={shorten(value)}: a naive datetime; give it a time zone, such as datetime.now(UTC)"
            )
        value = max((value - _EPOCH) // timedelta(seconds=1), 0)
    if type(value) is int and 0 <= value <= _LARGEST_TIME:
        return value
    if type(value) is int:
        raise ConfigurationError(f"{name}={shorten(value)}: out of range for Unix seconds; are these milliseconds?")
    raise ConfigurationError(f"{name}={shorten(value)}: pass an aware datetime or Unix seconds as an int")


def _check_choice(name: str, value: object, known: type[CallResult | CallType]) -> str | None:
    """Return a condition's text; what no member is may be one that the vendor added later."""
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


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _show_time(seconds: int) -> str:
    return datetime.fromtimestamp(max(seconds, 0), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
