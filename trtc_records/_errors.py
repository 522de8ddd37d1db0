"""Everything that this library raises or warns about.

::

    CallRecordsError
    ├── ConfigurationError (also a ValueError)      the caller's arguments; nothing was sent
    ├── ClientClosedError (also a RuntimeError)     the client was closed, or belongs to another event loop
    ├── APIError                                    the service answered with an error code
    │   ├── AuthenticationError                     credentials
    │   │   └── PermissionDeniedError               the identifier is not an app administrator
    │   ├── AccountError                            the SDKAppID, its package, its region
    │   ├── InvalidRequestError                     a parameter
    │   ├── CallRecordNotFoundError                 no such call
    │   ├── RateLimitError                        the quota
    │   └── ServerError                             a failure inside the service
    ├── TransportError                              network, gateway status
    │   └── RequestTimeoutError (also a TimeoutError)   no connection, or no response, in time
    ├── ResponseDecodeError                         a response that breaks the contract
    ├── LimiterUnavailableError                     a shared limiter that cannot be reached
    ├── CheckpointError                             a feed's place that cannot be kept
    └── RepeatedPageError                           a walk that gets the same records again

    UserWarning
    └── CallRecordsWarning
        ├── ClockSkewWarning                        this machine's clock is wrong
        ├── IncompleteWalkWarning                   a walk may have missed records
        └── RetentionWarning                        records asked for have expired
"""

from __future__ import annotations

from typing import Any

from trtc_records._public import public

__all__ = [
    "APIError",
    "AccountError",
    "AuthenticationError",
    "CallRecordNotFoundError",
    "CallRecordsError",
    "CallRecordsWarning",
    "CheckpointError",
    "ClientClosedError",
    "ClockSkewWarning",
    "ConfigurationError",
    "IncompleteWalkWarning",
    "InvalidRequestError",
    "LimiterUnavailableError",
    "PermissionDeniedError",
    "RateLimitError",
    "RepeatedPageError",
    "RequestTimeoutError",
    "ResponseDecodeError",
    "RetentionWarning",
    "ServerError",
    "TransportError",
]

_SHOWN_CHARACTERS = 200


def shorten(value: object) -> str:
    """Return the repr of *value*, shortened for a message."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - an integer of over 4300 digits has no repr; other values may have none either
        text = f"<{type(value).__name__} without a repr: {type(error).__name__}>"
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}… ({len(text)} characters)"


@public
class CallRecordsError(Exception):
    """The base of every error that this library raises."""

    retryable: bool = False
    """Whether the same request may succeed if it is sent again; the client has done that already."""

    retry_after: float | None = None
    """Seconds that the response asks to wait, by ``Retry-After``; ``None`` if it does not."""


@public
class ConfigurationError(CallRecordsError, ValueError):
    """An argument or an environment variable that cannot be used; nothing was sent."""


@public
class ClientClosedError(CallRecordsError, RuntimeError):
    """The use of a client after it was closed, or in another event loop than its first."""


@public
class APIError(CallRecordsError):
    """An error code from the service.

    The codes are Tencent's: https://trtc.io/document/34348, and https://trtc.io/document/60136 for the older service.
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
        """Advice on how to fix it; empty for a code that this version does not know."""

    def __str__(self) -> str:
        text = f"error {self.code}"
        if self.info:
            text += f": {self.info}"
        if self.request_id:
            text += f" (RequestId {self.request_id})"
        return f"{text}. {self.hint}" if self.hint else text


@public
class AuthenticationError(APIError):
    """Credentials that the service refuses."""


@public
class PermissionDeniedError(AuthenticationError):
    """An identifier that is not an administrator of the app."""


@public
class AccountError(APIError):
    """An app that cannot use the service here, because of its SDKAppID, package or region."""


@public
class InvalidRequestError(APIError):
    """A parameter that the service refuses."""


@public
class CallRecordNotFoundError(APIError):
    """A call record that does not exist or has expired."""


@public
class RateLimitError(APIError):
    """More calls by the app than the service allows per second."""

    retryable = True


@public
class ServerError(APIError):
    """A failure of the service; a retry may help."""

    retryable = True


@public
class TransportError(CallRecordsError):
    """No response from the API: a network error, a time-out, or a gateway's status."""

    def __init__(
        self,
        message: str,
        status_code: int | None = None,
        retry_after: float | None = None,
        retryable: bool = True,
    ) -> None:
        # Not by __init__: OSError, a base of the time-out, has a meaning of its own for more than one argument.
        self.args: tuple[Any, ...] = (message, status_code, retry_after, retryable)
        self.message = message
        self.status_code = status_code
        """The HTTP status; ``None`` without a response."""
        self.retry_after = retry_after
        self.retryable = retryable

    def __str__(self) -> str:
        return self.message


@public
class RequestTimeoutError(TransportError, TimeoutError):
    """A connection or a response that took longer than the client's ``timeout``."""


@public
class ResponseDecodeError(CallRecordsError):
    """A response that breaks the contract."""

    def __init__(
        self, reason: str, path: str = "$", value: Any = None, request_id: str = "", retryable: bool = False
    ) -> None:
        super().__init__(reason, path, value, request_id, retryable)
        self.reason = reason
        self.path = path
        """The place in the answer, as a JSON path."""
        self.value = value
        """The value at that place."""
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


@public
class LimiterUnavailableError(CallRecordsError):
    """A shared limiter that cannot be reached; nothing was sent."""


@public
class CheckpointError(CallRecordsError):
    """A checkpoint that cannot be read or written; it keeps the place that was saved last."""


@public
class RepeatedPageError(CallRecordsError):
    """A page that the service repeats instead of giving the next records."""

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


@public
class CallRecordsWarning(UserWarning):
    """The base of every warning that this library gives."""


@public
class ClockSkewWarning(CallRecordsWarning):
    """A difference of a minute or more between this machine's clock and the service's."""


@public
class IncompleteWalkWarning(CallRecordsWarning):
    """A walk that ended and may have missed records."""


@public
class RetentionWarning(CallRecordsWarning):
    """A query that reaches further back than the service keeps records."""
