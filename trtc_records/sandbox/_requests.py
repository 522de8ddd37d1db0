"""The service's checks of a request: method, query parameters, UserSig, body. No I/O.

The codes are Tencent's (https://trtc.io/document/34348). Its pages do not say which of several errors is reported.
Here it is the first in this order: the URL, the app, the credential, the administrator, the body, its fields.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from functools import lru_cache
from typing import Any, Final, NoReturn
from urllib.parse import parse_qsl, urlsplit

import attrs

from trtc_records._api.models import CallResult, CallType
from trtc_records._api.usersig import UserSigClaims, read_user_sig, verify_user_sig
from trtc_records.sandbox._callbacks import COMMANDS
from trtc_records.sandbox._store import Query

__all__ = [
    "App",
    "RefusedError",
    "WebhookSettings",
    "check_request",
    "read_call_id",
    "read_nothing",
    "read_object",
    "read_query",
    "read_webhook_settings",
    "refuse_rest",
    "take_choice",
    "take_integer",
    "take_text",
]

_PARAMETERS: Final = frozenset({"sdkappid", "identifier", "usersig", "random", "contenttype"})
_LARGEST_RANDOM: Final = 4_294_967_295
_DEFAULT_PAGE_SIZE: Final = 10


class RefusedError(Exception):
    """An answer with an error code."""

    def __init__(self, code: int, info: str) -> None:
        super().__init__(code, info)
        self.code = code
        self.info = info


@attrs.frozen
class App:
    """The one app that the service knows, and its only administrator."""

    sdk_app_id: int
    identifier: str
    secret_key: str = attrs.field(repr=False)


@attrs.frozen
class WebhookSettings:
    """The receiver of callbacks; an app has one at most."""

    url: str
    commands: tuple[str, ...]


def check_request(app: App, method: str, query_string: bytes, now: float) -> None:
    """Check everything of a request but its body.

    Args:
        app: The app whose requests are accepted.
        method: The HTTP method.
        query_string: The URL's query, as it was sent.
        now: Unix seconds.

    Raises:
        RefusedError: The service would refuse it.
    """
    if method != "POST":
        raise RefusedError(60002, f"bad method {method}: only POST is allowed")
    given = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)
    parameters = dict(given)
    if len(parameters) != len(given):
        raise RefusedError(60002, "malformed URL: a parameter is given twice")
    if unknown := parameters.keys() - _PARAMETERS:
        raise RefusedError(60002, f"malformed URL: unknown parameter {min(unknown)}")
    _check_parameters(parameters)
    if int(parameters["sdkappid"]) != app.sdk_app_id:
        raise RefusedError(70020, "sdkappid is unknown")
    _check_user_sig(app, parameters["identifier"], parameters["usersig"], now)
    if parameters["identifier"] != app.identifier:
        raise RefusedError(60010, "identifier is not an administrator of the app")


def _check_parameters(parameters: dict[str, str]) -> None:
    if not parameters.get("sdkappid"):
        raise RefusedError(60012, "sdkappid is missing")
    if not _is_digits(parameters["sdkappid"]):
        raise RefusedError(60025, "sdkappid is not an integer")
    if not parameters.get("identifier"):
        raise RefusedError(60025, "identifier is missing")
    if not parameters.get("usersig"):
        raise RefusedError(70002, "usersig is empty")
    if parameters.get("contenttype") != "json":
        raise RefusedError(60025, "contenttype is not json")
    number = parameters.get("random", "")
    if not _is_digits(number) or int(number) > _LARGEST_RANDOM:
        raise RefusedError(60002, "malformed URL: random is not an unsigned 32-bit integer")


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 20


def _check_user_sig(app: App, identifier: str, user_sig: str, now: float) -> None:
    claims = _read_user_sig(user_sig, app.secret_key)
    if claims.sdk_app_id != app.sdk_app_id:
        raise RefusedError(70014, "usersig is for another sdkappid")
    if claims.identifier != identifier:
        raise RefusedError(70013, "usersig is for another identifier")
    if claims.expires_at <= now:
        raise RefusedError(70001, "usersig has expired")


@lru_cache(maxsize=256)
def _read_user_sig(user_sig: str, secret_key: str) -> UserSigClaims:
    """Read a UserSig; a client sends the same one for hours, so it is verified once."""
    try:
        read_user_sig(user_sig)
    except ValueError:
        raise RefusedError(70003, "usersig is malformed") from None
    try:
        return verify_user_sig(user_sig, secret_key)
    except ValueError:
        raise RefusedError(70009, "usersig is signed with another key") from None


def read_query(body: bytes, now: int, *, more_results: Collection[str] = (), more_types: Collection[str] = ()) -> Query:
    """Read the body of ``get_record_by_filter``.

    Args:
        body: As it was sent.
        now: Unix seconds, the default of EndTime.
        more_results: Values of CallResult besides those documented.
        more_types: Values of CallType besides those documented.

    Raises:
        RefusedError: It is not JSON, or a field is wrong; the error names the field.
    """
    fields = read_object(body)
    query = Query(
        start_time=take_integer(fields, "StartTime", 0, minimum=0),
        end_time=take_integer(fields, "EndTime", now, minimum=0),
        call_result=take_choice(fields, "CallResult", {*CallResult, *more_results}),
        call_type=take_choice(fields, "CallType", {*CallType, *more_types}),
        page_size=take_integer(fields, "NumberPerPage", _DEFAULT_PAGE_SIZE, minimum=1),
        page=take_integer(fields, "Page", 1, minimum=1),
    )
    refuse_rest(fields)
    if query.start_time > query.end_time:
        raise RefusedError(101002, "invalid parameter: StartTime is after EndTime")
    return query


def read_call_id(body: bytes) -> str:
    """Read the body of ``get_record_by_callid``.

    Raises:
        RefusedError: It is not JSON, or CallId is wrong.
    """
    fields = read_object(body)
    call_id = take_text(fields, "CallId")
    refuse_rest(fields)
    return call_id


def read_webhook_settings(body: bytes) -> WebhookSettings:
    """Read the body of ``set_callback``.

    Raises:
        RefusedError: It is not JSON, or a field is wrong; the error names the field.
    """
    fields = read_object(body)
    url, commands = fields.pop("Url", None), fields.pop("CallbackCommandList", None)
    if not isinstance(url, str) or not _is_web_url(url):
        raise RefusedError(100002, "invalid parameter: Url is not the URL of a web server")
    if not isinstance(commands, list) or not commands or any(command not in COMMANDS for command in commands):
        raise RefusedError(100002, f"invalid parameter: CallbackCommandList is not a list of {', '.join(COMMANDS)}")
    refuse_rest(fields, code=100002)
    return WebhookSettings(url, tuple(commands))


def _is_web_url(text: str) -> bool:
    try:
        url = urlsplit(text)
    except ValueError:
        return False
    return url.scheme in {"http", "https"} and bool(url.hostname)


def read_nothing(body: bytes) -> None:
    """Read the body of a call without fields.

    Raises:
        RefusedError: It is not JSON, or has a field.
    """
    refuse_rest(read_object(body), code=100002)


def read_object(body: bytes) -> dict[str, Any]:
    """Return the fields of a body.

    Raises:
        RefusedError: It is not a JSON object.
    """
    try:
        fields: dict[str, Any] | None = json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise RefusedError(60003, "the body is empty or not a JSON object")
    return fields


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def take_text(fields: dict[str, Any], name: str) -> str:
    """Remove a field, and return its text.

    Raises:
        RefusedError: It is left out, or is not a text.
    """
    value = fields.pop(name, None)
    if not isinstance(value, str) or not value:
        raise RefusedError(101002, f"invalid parameter: {name} is not a string with text")
    return value


def take_integer(fields: dict[str, Any], name: str, default: int | None, *, minimum: int) -> int:
    """Remove a field, and return its integer; *default* if it is left out, unless that is ``None``.

    Raises:
        RefusedError: It is not one of at least *minimum*.
    """
    value = fields.pop(name, default)
    if type(value) is not int or value < minimum:
        raise RefusedError(101002, f"invalid parameter: {name} is not an integer of at least {minimum}")
    return value


def take_choice(fields: dict[str, Any], name: str, choices: Collection[str]) -> str | None:
    """Remove a field, and return its value; ``None`` if it is left out.

    Raises:
        RefusedError: It is not one of *choices*.
    """
    if name not in fields:
        return None
    value = fields.pop(name)
    if not isinstance(value, str) or value not in choices:
        raise RefusedError(101002, f"invalid parameter: {name} is not one of {', '.join(sorted(choices))}")
    return value


def refuse_rest(fields: dict[str, Any], *, code: int = 101002) -> None:
    """Refuse fields that are left.

    Raises:
        RefusedError: There is one.
    """
    if fields:
        raise RefusedError(code, f"invalid parameter: {min(fields)} is unknown")
