"""The account of a client, and other secrets, from ``TRTC_…`` variables."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trtc_records._checks import clean_text, trim
from trtc_records._errors import ConfigurationError, shorten
from trtc_records._secret import Secret, hide_secrets
from trtc_records._sending.endpoint import choose_proxy, load_environment_trust

if TYPE_CHECKING:
    import ssl

    import httpx

    from trtc_records.quota.redis import RedisRateLimiter

__all__ = [
    "make_redis_limiter",
    "read_environment",
    "read_network",
    "read_pseudonym_key",
    "read_redis_url",
    "read_service",
]

_PSEUDONYM_KEY: Final = "pseudonym_key"
_VARIABLES: Final = {
    "sdk_app_id": ("TRTC_SDK_APP_ID",),
    "identifier": ("TRTC_IDENTIFIER",),
    "secret_key": ("TRTC_SECRET_KEY", "TRTC_SECRET_KEY_FILE"),
    "user_sig": ("TRTC_USER_SIG", "TRTC_USER_SIG_FILE"),
    "region": ("TRTC_REGION",),
    "base_url": ("TRTC_BASE_URL",),
    _PSEUDONYM_KEY: ("TRTC_PSEUDONYM_KEY", "TRTC_PSEUDONYM_KEY_FILE"),
}
_NEEDED: Final = (("sdk_app_id",), ("identifier",), ("secret_key", "user_sig"), ("region", "base_url"))
"""The arguments that a client needs: one of each group."""
_REDIS_URL: Final = "TRTC_REDIS_URL"
_SERVICE: Final = "TRTC_SERVICE"
_LONGEST_SDK_APP_ID: Final = 19  # digits
_LARGEST_FILE: Final = 65_536  # bytes; a key has 64, a UserSig a few hundred
_LONGEST_NAME: Final = 32  # characters of a path without a directory: a longer one may be the secret itself


def read_environment(
    environ: Mapping[str, str], given: Collection[str] = (), needed: Collection[Collection[str]] = _NEEDED
) -> dict[str, Any] | str:
    """Return the constructor's arguments that are not *given*, or all problems of the environment as one text.

    It raises nothing, because its frame holds the credentials in the clear.
    """
    arguments: dict[str, Any] = {}
    problems = []
    for names in needed:
        if any(name in given for name in names):
            continue
        variables = ((name, variable) for name in names for variable in _VARIABLES[name])
        found = [(name, variable) for name, variable in variables if trim(environ.get(variable)) not in (None, "")]
        if not found:
            missing = " or ".join(_VARIABLES[name][0] for name in names)
            problems.append(f"{missing} is not set: set it, or pass {' or '.join(f'{name}=' for name in names)}")
        elif len(found) > 1:
            problems.append(f"{' and '.join(variable for _, variable in found)} are set: keep one of them")
        else:
            name, variable = found[0]
            value = _read(variable, environ[variable])
            if isinstance(value, ConfigurationError):
                problems.append(str(value))
            arguments[name] = value
    return "; ".join(problems) or hide_secrets(arguments)


def _read(variable: str, text: object) -> object:
    """Return the value of a variable, or a problem."""
    if variable == "TRTC_SDK_APP_ID":
        return _read_sdk_app_id(trim(text))
    return _read_file(variable, text) if variable.endswith("_FILE") else trim(text)


def _read_sdk_app_id(digits: object) -> int | ConfigurationError:
    text = str(digits)
    if text.isascii() and text.isdecimal() and len(text) <= _LONGEST_SDK_APP_ID and int(text):
        return int(text)
    return ConfigurationError(f"TRTC_SDK_APP_ID={shorten(digits)}: set it to the SDKAppID, an integer above 0")


def _read_file(variable: str, value: object) -> str | ConfigurationError:
    """Return the one line that the file at *value* holds, or a problem that names variable and path."""
    path = str(trim(value))
    shown = shorten(path) if len(path) <= _LONGEST_NAME or Path(path).name != path else "a long name"
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
        text = trim(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        reason = "is not text in UTF-8"
    except (OSError, ValueError) as error:
        reason = f"cannot be read: {getattr(error, 'strerror', None) or error}"
    else:
        cleaned = clean_text(text)
        if len(content) <= _LARGEST_FILE and cleaned is not None and cleaned.isprintable():
            return cleaned
        reason = "is too large" if len(content) > _LARGEST_FILE else "is empty" if not text else "holds several lines"
    return ConfigurationError(f"{variable}={shown} {reason}; set it to the path of a file that holds the secret alone")


def read_network(url: httpx.URL) -> tuple[httpx.Proxy | None, ssl.SSLContext | None]:
    """Return the proxy and the TLS context that a client uses for *url*; ``None`` for none, and for the usual one.

    Raises:
        ConfigurationError: A variable cannot be used.
    """
    return choose_proxy(url, None), load_environment_trust(url)


def read_pseudonym_key(environ: Mapping[str, str], remedy: str) -> Secret | str:
    """Return the key of pseudonyms, or the problem as a text.

    Args:
        environ: The variables.
        remedy: The value to set, for a key that is missing.
    """
    if not isinstance(environ, Mapping):
        return "environ: pass a mapping of variables, or leave it out for the process's own"
    if all(trim(environ.get(name)) in (None, "") for name in _VARIABLES[_PSEUDONYM_KEY]):
        return f"TRTC_PSEUDONYM_KEY is not set: set it to {remedy}"
    found = read_environment(environ, needed=((_PSEUDONYM_KEY,),))
    return found if isinstance(found, str) else found[_PSEUDONYM_KEY]


def read_redis_url(environ: Mapping[str, str]) -> Secret | None:
    """Return ``TRTC_REDIS_URL``, which may hold a password, if it is set."""
    url = trim(environ.get(_REDIS_URL))
    return Secret(url) if url else None


def read_service(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the argument ``service`` by ``TRTC_SERVICE``, if that is set."""
    name = trim(environ.get(_SERVICE))
    return {"service": name} if name else {}


def make_redis_limiter(url: Secret, sdk_app_id: int) -> RedisRateLimiter:
    """Return a limiter that shares the quota through the Redis at *url*.

    Raises:
        ConfigurationError: The extra ``redis`` is not installed, or *url* cannot be used.
    """
    try:
        from trtc_records.quota.redis import RedisRateLimiter  # noqa: PLC0415 - the extra may be missing
    except ImportError as error:
        raise ConfigurationError(f"{_REDIS_URL} is set: {error}") from None
    return RedisRateLimiter.from_url(url.reveal(), sdk_app_id=sdk_app_id)
