"""Tencent's error codes, each with its exception and a hint to the caller.

Whether a code is worth another try follows from its exception (``retryable``); a few more are tried once more, as their
table says. A service has a table of its own: the codes of the older one, in :mod:`trtc_records._api.legacy`, have other
meanings. Tencent's pages for those here:
https://trtc.io/document/34348 for the codes from 60000, the two call-record pages for those from 101000, the pages of
:mod:`trtc_records._api.webhook` for those from 100000.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import attrs

from trtc_records._api.models import HOSTS, list_hosts
from trtc_records._errors import (
    AccountError,
    APIError,
    AuthenticationError,
    CallRecordNotFoundError,
    CallRecordsError,
    InvalidRequestError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)

__all__ = [
    "ADMINISTRATOR",
    "CALL_CODES",
    "CHECK_CALL",
    "CHECK_KEY",
    "FIX_REQUEST",
    "NO_RECORDS",
    "NO_WEBHOOK",
    "RETRY",
    "ErrorCodes",
    "explain_identifier",
]

NO_RECORDS: Final = 101050
NO_WEBHOOK: Final = 100301

FIX_REQUEST: Final = "Fix the request; if it came from this library unchanged, report the RequestId"
RETRY: Final = "The service failed inside; try again, and give Tencent's support the RequestId if it stays"
_SLOW_DOWN: Final = (
    "The app's 200 calls per second are used up, by all of its processes together: "
    "slow down, or let them share a limiter"
)
CHECK_CALL: Final = "Records are kept for 7 days; check the call id, the region and service="
CHECK_KEY: Final = "Check sdk_app_id, identifier and secret_key (or user_sig) against Tencent's console"
ADMINISTRATOR: Final = (
    "Use the identifier of an app administrator; Tencent's console appoints them (usually 'administrator')"
)
_CONSOLE: Final = "Look at the app in Tencent's console"

Rows = Mapping[int, tuple[type[APIError], str]]


@attrs.frozen(kw_only=True)
class ErrorCodes:
    """The error codes of one service."""

    rows: Rows
    """The exception and the hint of each code."""
    invalid_parameter: int
    """The code of a parameter that the message names."""
    renewal: frozenset[int]
    """The codes of a UserSig that is no longer valid: the request may succeed with a new one."""
    check_failed: frozenset[int] = frozenset()
    """The codes of a failed check of the account, which may be the fault of the check: Tencent's Chat page says to try
    again later."""
    others: tuple[type[APIError], str] = (APIError, "")
    """The exception and the hint of a code without a row."""

    def make_error(self, code: int, info: str = "", request_id: str = "") -> APIError:
        """Return the error for *code*."""
        error, hint = self.rows.get(code, self.others)
        if code == self.invalid_parameter and "numberperpage" in info.lower():
            hint = "The service allows no page this large: lower page_size"
        return error(code, info, request_id, hint)


_ROWS: Final[Rows] = {
    100001: (ServerError, RETRY),
    100002: (InvalidRequestError, "Fix the URL or the event that the message names"),
    100301: (APIError, "The app has no webhook. Call set_webhook to make one"),
    101001: (ServerError, RETRY),
    101002: (InvalidRequestError, "Fix the parameter that the message names"),
    101004: (APIError, "The call does not exist or has ended"),
    101050: (CallRecordNotFoundError, CHECK_CALL),
    60002: (InvalidRequestError, f"The URL is malformed. {FIX_REQUEST}"),
    60003: (InvalidRequestError, f"The body is not JSON. {FIX_REQUEST}"),
    60004: (AuthenticationError, CHECK_KEY),
    60005: (AuthenticationError, CHECK_KEY),
    60006: (AccountError, f"The SDKAppID is disabled. {_CONSOLE}"),
    60007: (RateLimitError, _SLOW_DOWN),
    60008: (ServerError, RETRY),
    60009: (InvalidRequestError, f"The service does not know this resource: check base_url. {FIX_REQUEST}"),
    60010: (PermissionDeniedError, ADMINISTRATOR),
    60011: (RateLimitError, _SLOW_DOWN),
    60012: (InvalidRequestError, f"The SDKAppID is missing. {FIX_REQUEST}"),
    60013: (ServerError, RETRY),
    60014: (ServerError, RETRY),
    60015: (InvalidRequestError, f"An account is not a string. {FIX_REQUEST}"),
    60016: (AccountError, f"The SDKAppID is disabled. {_CONSOLE}"),
    60017: (AccountError, f"This request is disabled for the app. {_CONSOLE}"),
    60018: (RateLimitError, _SLOW_DOWN),
    60019: (RateLimitError, _SLOW_DOWN),
    60020: (AccountError, "The app's package is expired or unpaid. Renew it in Tencent's console"),
    60021: (AccountError, "The service refuses this machine's IP address. Add it to the app's allow list"),
    60025: (InvalidRequestError, "Check sdk_app_id, identifier and user_sig: one of them is malformed"),
    60026: (AccountError, f"The app lives in another region. Pass its region=: {list_hosts(HOSTS)}"),
    60027: (AccountError, f"The app may not use this API. {_CONSOLE}"),
    60028: (AccountError, "The trial's calls for 24 hours are used up. Wait, or buy a package in Tencent's console"),
    70001: (AuthenticationError, "The UserSig has expired. Pass a new user_sig, or secret_key= to have them signed"),
    70002: (AuthenticationError, "The UserSig is empty. Pass user_sig or secret_key"),
    70003: (AuthenticationError, "The UserSig is malformed. Pass it whole and unchanged, or pass secret_key"),
    70005: (AuthenticationError, "The UserSig is malformed. Pass it whole and unchanged, or pass secret_key"),
    70009: (
        AuthenticationError,
        "The UserSig is signed with the key of another app: take the secret key of this SDKAppID",
    ),
    70013: (AuthenticationError, "The UserSig is for another identifier: pass the identifier that it was signed for"),
    70014: (AuthenticationError, "The UserSig is for another SDKAppID: pass the sdk_app_id that it was signed for"),
    70016: (
        AuthenticationError,
        "The service does not know the key that signed the UserSig. Take the app's current key",
    ),
    70020: (AuthenticationError, "The service does not know this SDKAppID. Check sdk_app_id and region"),
    70050: (
        AuthenticationError,
        f"Too many signature checks have failed. Wait a minute before the next try. {CHECK_KEY}",
    ),
    70051: (AuthenticationError, f"The account is blocked. {_CONSOLE}"),
    70052: (AuthenticationError, "The UserSig is no longer valid. Pass a new one, or secret_key= to have them signed"),
    70107: (AccountError, "The app does not know this account. Pass the identifier of one of its administrators"),
    70114: (AccountError, f"The account is restricted for security. {_CONSOLE}"),
    70169: (ServerError, RETRY),
    70202: (ServerError, RETRY),
    70402: (InvalidRequestError, f"A parameter is illegal. {FIX_REQUEST}"),
    70403: (PermissionDeniedError, ADMINISTRATOR),
    70500: (ServerError, RETRY),
    72000: (AccountError, f"The app has more daily active users than its package allows. {_CONSOLE}"),
    72002: (AccountError, f"The app has more monthly active users than its package allows. {_CONSOLE}"),
}
CALL_CODES: Final = ErrorCodes(
    rows=_ROWS, invalid_parameter=101002, renewal=frozenset({70001, 70052}), check_failed=frozenset({60004, 60005})
)
"""The codes of the service that keeps today's calls, of the gateway and the account system before it."""

_REFUSALS: Final = (AuthenticationError, AccountError, InvalidRequestError)
_USER_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")


def explain_identifier(error: CallRecordsError, identifier: str) -> None:
    """Add to the hint of a refusal that *identifier* is unusual, if it is."""
    if not isinstance(error, _REFUSALS) or _USER_ID.fullmatch(identifier):
        return
    unusual = "The identifier is longer than 32 bytes or has other characters than letters, digits, '_' and '-'"
    error.hint = f"{error.hint}. {unusual}"
    error.args = (*error.args[:3], error.hint)  # those of a pickle
