"""Everything that this library raises or warns about.

::

    CallRecordsError
    ├── ConfigurationError (also a ValueError)      the caller's arguments; nothing was sent
    ├── ClientClosedError (also a RuntimeError)     the client was used after it was closed
    ├── APIError                                    the service answered with an error code
    │   ├── AuthenticationError                     credentials
    │   │   └── PermissionDeniedError               the identifier is not an app administrator
    │   ├── AccountError                            the SDKAppID, its package, its region
    │   ├── InvalidRequestError                     a parameter
    │   ├── CallRecordNotFoundError                 no such call
    │   ├── RateLimitError                        the quota
    │   └── ServerError                             a failure inside the service
    ├── TransportError                              network, time-out, gateway status
    ├── ResponseDecodeError                         an answer that is not the contract
    ├── LimiterUnavailableError                     a shared limiter that cannot be reached
    └── RepeatedPageError                           a walk that does not move on

    UserWarning
    └── CallRecordsWarning
        ├── ClockSkewWarning                        this machine's clock is wrong
        ├── IncompleteWalkWarning                   a walk may have missed records
        └── RetentionWarning                        records asked for have expired
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "APIError",
    "AccountError",
    "AuthenticationError",
    "CallRecordNotFoundError",
    "CallRecordsError",
    "CallRecordsWarning",
    "ClientClosedError",
    "ClockSkewWarning",
    "ConfigurationError",
    "IncompleteWalkWarning",
    "InvalidRequestError",
    "LimiterUnavailableError",
    "PermissionDeniedError",
    "RateLimitError",
    "RepeatedPageError",
    "ResponseDecodeError",
    "RetentionWarning",
    "ServerError",
    "TransportError",
]

_SHOWN_CHARACTERS = 200


def shorten(value: object) -> str:
    """Return the repr of *value*, cut to what fits into a message."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - an integer of over 4300 digits has no repr, and what else may not
        text = f"<{type(value).__name__} without a repr: {type(error).__name__}>"
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}… ({len(text)} characters)"


class CallRecordsError(Exception):
    """Base of every error that this library raises."""

    retryable: bool = False
    """Whether the same request may succeed if it is sent again; the client has done that already."""


class ConfigurationError(CallRecordsError, ValueError):
    """An argument or an environment variable cannot be used; nothing was sent."""


class ClientClosedError(CallRecordsError, RuntimeError):
    """The client was used after it was closed."""


class APIError(CallRecordsError):
    """The service answered with an error code.

    The codes are Tencent's: https://trtc.io/document/34348.
    """

    def __init__(self, code: int, info: str = "", request_id: str = "", hint: str = "") -> None:
        super().__init__(code, info, request_id, hint)
        self.code = code
        """Tencent's error code."""
        self.info = info
        """The service's own words."""
        self.request_id = request_id
        """The id of the response, which Tencent's support asks for."""
        self.hint = hint
        """What to do about it; empty for a code that this version does not know."""

    def __str__(self) -> str:
        text = f"error {self.code}"
        if self.info:
            text += f": {self.info}"
        if self.request_id:
            text += f" (RequestId {self.request_id})"
        return f"{text}. {self.hint}" if self.hint else text


class AuthenticationError(APIError):
    """The service refuses the credentials."""


class PermissionDeniedError(AuthenticationError):
    """The identifier is not an administrator of the app."""


class AccountError(APIError):
    """The app cannot use the service here: its SDKAppID, its package, its region."""


class InvalidRequestError(APIError):
    """The service refuses a parameter."""


class CallRecordNotFoundError(APIError):
    """There is no such call record, or it is older than the service keeps."""


class RateLimitError(APIError):
    """The app has used up its calls for this second."""

    retryable = True


class ServerError(APIError):
    """The service failed; trying again may help."""

    retryable = True


class TransportError(CallRecordsError):
    """No answer of the API came back: a network error, a time-out, or a gateway's status."""

    def __init__(
        self,
        message: str,
        status_code: int | None = None,
        retry_after: float | None = None,
        retryable: bool = True,
    ) -> None:
        super().__init__(message, status_code, retry_after, retryable)
        self.message = message
        self.status_code = status_code
        """The HTTP status, where there was one."""
        self.retry_after = retry_after
        """Seconds that the gateway asks to wait, where it does."""
        self.retryable = retryable

    def __str__(self) -> str:
        return self.message


class ResponseDecodeError(CallRecordsError):
    """An answer is not what the contract says."""

    def __init__(
        self, reason: str, path: str = "$", value: Any = None, request_id: str = "", retryable: bool = False
    ) -> None:
        super().__init__(reason, path, value, request_id, retryable)
        self.reason = reason
        self.path = path
        """Where in the answer, as a JSON path."""
        self.value = value
        """What was there."""
        self.request_id = request_id
        """The id of the response, which Tencent's support asks for."""
        self.retryable = retryable

    def __str__(self) -> str:
        text = f"{self.path}: {self.reason}"
        if self.reason != "is missing":
            text += f", got {shorten(self.value)}"
        return f"{text} (RequestId {self.request_id})" if self.request_id else text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class LimiterUnavailableError(CallRecordsError):
    """A limiter that processes share cannot be reached, so nothing was sent."""


class RepeatedPageError(CallRecordsError):
    """The service keeps answering with records that it has already given."""

    def __init__(self, page: int, request_id: str = "") -> None:
        super().__init__(page, request_id)
        self.page = page
        """The number of the page that brought nothing new."""
        self.request_id = request_id
        """The id of the response, which Tencent's support asks for."""

    def __str__(self) -> str:
        return (
            f"page {self.page} repeats records that earlier pages gave (RequestId {self.request_id or 'unknown'}). "
            "The walk would not end, so it stops here; ask Tencent's support, or try another page_size"
        )


class CallRecordsWarning(UserWarning):
    """Base of every warning that this library gives."""


class ClockSkewWarning(CallRecordsWarning):
    """This machine's clock differs from the service's by a minute or more."""


class IncompleteWalkWarning(CallRecordsWarning):
    """A walk ended, and may have missed records."""


class RetentionWarning(CallRecordsWarning):
    """A query reaches further back than the service keeps records."""
