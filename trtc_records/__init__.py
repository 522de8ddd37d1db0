"""An asyncio client for Tencent RTC's call records (TUICallKit)."""

from trtc_records._client import CallRecordsClient
from trtc_records._errors import (
    AccountError,
    APIError,
    AuthenticationError,
    CallRecordNotFoundError,
    CallRecordsError,
    CallRecordsWarning,
    ClientClosedError,
    ClockSkewWarning,
    ConfigurationError,
    IncompleteWalkWarning,
    InvalidRequestError,
    LimiterUnavailableError,
    PermissionDeniedError,
    RateLimitedError,
    RepeatedPageError,
    ResponseDecodeError,
    RetentionWarning,
    ServerError,
    TransportError,
)
from trtc_records._lanes import LaneTransport
from trtc_records._models import (
    CallRecord,
    CallRecordPage,
    CallResult,
    CallType,
    InvalidRecord,
    MediaType,
    Region,
    RoomIdType,
)
from trtc_records._throttle import LocalRateLimiter, RateLimiter
from trtc_records._usersig import mint_user_sig
from trtc_records._version import __version__
from trtc_records._walking.incomplete import IncompleteWalk
from trtc_records._wire import record_from_json, record_to_json

__all__ = [
    "APIError",
    "AccountError",
    "AuthenticationError",
    "CallRecord",
    "CallRecordNotFoundError",
    "CallRecordPage",
    "CallRecordsClient",
    "CallRecordsError",
    "CallRecordsWarning",
    "CallResult",
    "CallType",
    "ClientClosedError",
    "ClockSkewWarning",
    "ConfigurationError",
    "IncompleteWalk",
    "IncompleteWalkWarning",
    "InvalidRecord",
    "InvalidRequestError",
    "LaneTransport",
    "LimiterUnavailableError",
    "LocalRateLimiter",
    "MediaType",
    "PermissionDeniedError",
    "RateLimitedError",
    "RateLimiter",
    "Region",
    "RepeatedPageError",
    "ResponseDecodeError",
    "RetentionWarning",
    "RoomIdType",
    "ServerError",
    "TransportError",
    "__version__",
    "mint_user_sig",
    "record_from_json",
    "record_to_json",
]
