"""Checks of single values that callers pass; each message names the argument, the value and the remedy."""

from __future__ import annotations

from typing import Final, TypeGuard

from trtc_records._errors import ConfigurationError, shorten

__all__ = ["check_callback", "check_count", "check_sdk_app_id", "check_seconds", "check_text", "is_text"]

_LARGEST: Final = 2**31 - 1


def check_sdk_app_id(value: object) -> int:
    """Return the SDKAppID, or raise an error that explains the problem."""
    if type(value) is not int or value < 1:
        raise ConfigurationError(f"sdk_app_id={shorten(value)}: pass the app's SDKAppID, an integer above 0")
    return value


def check_text(name: str, value: object, remedy: str) -> str:
    """Return a non-empty text, or raise an error that explains the problem."""
    if not is_text(value):
        raise ConfigurationError(f"{name}={shorten(value)}: {remedy}")
    return value


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


def is_text(value: object) -> TypeGuard[str]:
    """Return whether *value* is non-blank Unicode text; an environment variable may hold bytes that are not."""
    if not isinstance(value, str) or not value.strip():
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
