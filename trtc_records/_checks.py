"""Checks of single values that callers pass; each message names the argument, the value and the remedy."""

from __future__ import annotations

import ipaddress
import string
from typing import Final

from trtc_records._errors import ConfigurationError, shorten

__all__ = [
    "check_callback",
    "check_count",
    "check_methods",
    "check_sdk_app_id",
    "check_seconds",
    "check_text",
    "clean_text",
    "is_loopback",
    "trim",
]

_LARGEST: Final = 2**31 - 1
_LARGEST_ID: Final = 2**63 - 1
_MARGIN: Final = f"{string.whitespace}\0\x85\xa0\u200b\u2028\u2029\u3000\ufeff"
"""White space, and the byte order mark with which some editors begin a file."""


def check_sdk_app_id(value: object) -> int:
    """Return the SDKAppID, or raise an error that explains the problem."""
    if type(value) is not int or not 1 <= value <= _LARGEST_ID:
        raise ConfigurationError(f"sdk_app_id={shorten(value)}: pass the app's SDKAppID, an integer above 0")
    return value


def check_text(name: str, value: object, remedy: str) -> str:
    """Return a non-empty text without white space around it, or raise an error that explains the problem."""
    text = clean_text(value)
    if text is None:
        raise ConfigurationError(f"{name}={shorten(value)}: {remedy}")
    return text


def check_count(name: str, value: object) -> int:
    """Return a whole number from 1, or raise an error that explains the problem."""
    if type(value) is not int or not 1 <= value <= _LARGEST:
        raise ConfigurationError(f"{name}={shorten(value)}: pass a whole number, 1 or more")
    return value


def check_seconds(name: str, value: object) -> float:
    """Return a time above 0, or raise an error that explains the problem."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LARGEST:
        raise ConfigurationError(f"{name}={shorten(value)}: pass a number of seconds above 0")
    return float(value)


def check_callback(name: str, value: object) -> None:
    """Check a function of the caller's that may be left out.

    Raises:
        ConfigurationError: It cannot be called.
    """
    if value is not None and not callable(value):
        raise ConfigurationError(f"{name}={shorten(value)}: pass a function, or leave it out")


def check_methods(name: str, value: object, protocol: type) -> None:
    """Check an object of the caller's that may be left out.

    Raises:
        ConfigurationError: It has not the methods of *protocol*, or is a class that has them.
    """
    if isinstance(value, type):
        raise ConfigurationError(f"{name}={shorten(value)}: a class; pass an instance of it")
    if value is not None and not isinstance(value, protocol):
        raise ConfigurationError(f"{name}={shorten(value)}: pass an object with the methods of {protocol.__name__}")


def trim(value: object) -> object:
    """Return a text without white space around it, as files and CRLF leave it; other values stay as they are."""
    if not isinstance(value, str):
        return value
    text = value.strip(_MARGIN)
    return value if text == value else text  # an enum's member stays one


def clean_text(value: object) -> str | None:
    """Return a trimmed text, or ``None`` if it is empty or no Unicode, as an environment variable may be."""
    text = trim(value)
    if not isinstance(text, str) or not text:
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        return None
    return text


def is_loopback(host: str) -> bool:
    """Return whether a host of a URL is this machine by its name or address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
