"""The account of a client from ``TRTC_…`` variables."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from trtc_records._errors import ConfigurationError, shorten
from trtc_records._sending.credentials import Secret, hide
from trtc_records._sending.endpoint import choose_proxy, load_environment_trust

if TYPE_CHECKING:
    import ssl

    import httpx

    from trtc_records.quota.redis import RedisRateLimiter

__all__ = [
    "hide_secrets",
    "make_redis_limiter",
    "read_environment",
    "read_network",
    "read_redis_url",
    "read_sdk_app_id",
]

_VARIABLES: Final = {
    "sdk_app_id": "TRTC_SDK_APP_ID",
    "identifier": "TRTC_IDENTIFIER",
    "secret_key": "TRTC_SECRET_KEY",
    "user_sig": "TRTC_USER_SIG",
    "region": "TRTC_REGION",
    "base_url": "TRTC_BASE_URL",
}
_RIVALS: Final = {"secret_key": "user_sig", "user_sig": "secret_key", "region": "base_url", "base_url": "region"}
_SECRETS: Final = ("secret_key", "user_sig", "proxy")
_REDIS_URL: Final = "TRTC_REDIS_URL"
_LONGEST_SDK_APP_ID: Final = 20  # digits


def hide_secrets(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the constructor's arguments with the credentials among them wrapped."""
    return {name: hide(value) if name in _SECRETS else value for name, value in arguments.items()}


def read_environment(environ: Mapping[str, str], given: Collection[str]) -> dict[str, Any] | str:
    """Return the constructor's arguments that are not *given*, or all problems of the environment as one text.

    It raises nothing, because its frame holds the credentials in the clear.
    """
    arguments = hide_secrets(
        {
            name: environ[variable]
            for name, variable in _VARIABLES.items()
            if environ.get(variable) and name not in given and _RIVALS.get(name) not in given
        }
    )
    problems = []
    for name, rival in (("sdk_app_id", None), ("identifier", None), ("secret_key", "user_sig"), ("region", "base_url")):
        names = [name] if rival is None else [name, rival]
        variables = " or ".join(_VARIABLES[each] for each in names)
        found = [each for each in names if each in arguments or each in given]
        if not found:
            problems.append(f"{variables} is not set: set it, or pass {' or '.join(f'{each}=' for each in names)}")
        if len(found) > 1:
            problems.append(f"{variables}: both are set; unset one of them")
    if "sdk_app_id" in arguments:
        try:
            arguments["sdk_app_id"] = read_sdk_app_id(arguments["sdk_app_id"])
        except ConfigurationError as error:
            problems.append(str(error))
    return "; ".join(problems) or arguments


def read_sdk_app_id(text: str) -> int:
    """Return the SDKAppID that ``TRTC_SDK_APP_ID`` holds.

    Raises:
        ConfigurationError: It is not an integer above 0.
    """
    digits = text.strip()
    if digits.isascii() and digits.isdecimal() and len(digits) < _LONGEST_SDK_APP_ID and int(digits):
        return int(digits)
    raise ConfigurationError(
        f"{_VARIABLES['sdk_app_id']}={shorten(digits)}: set it to the SDKAppID, an integer above 0"
    )


def read_network(url: httpx.URL) -> tuple[httpx.Proxy | None, ssl.SSLContext | None]:
    """Return the proxy and the TLS context that a client uses for *url*; ``None`` for none, and for the usual one.

    Raises:
        ConfigurationError: A variable cannot be used.
    """
    return choose_proxy(url, None), load_environment_trust(url)


def read_redis_url(environ: Mapping[str, str]) -> Secret | None:
    """Return ``TRTC_REDIS_URL``, which may hold a password, if it is set."""
    url = environ.get(_REDIS_URL)
    return Secret(url) if url else None


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
