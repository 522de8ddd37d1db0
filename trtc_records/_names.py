"""The public names. ``trtc_records`` imports this module with the first use of one of them."""

from trtc_records._api.models import (
    CallRecord,
    CallRecordPage,
    CallResult,
    CallType,
    InvalidRecord,
    MediaType,
    Region,
    RoomIdType,
    Service,
)
from trtc_records._api.usersig import generate_user_sig
from trtc_records._api.webhook import Webhook, WebhookEvent
from trtc_records._api.wire import record_from_json, record_to_json
from trtc_records._client import CallRecordsClient
from trtc_records._errors import (
    AccountError,
    APIError,
    AuthenticationError,
    CallRecordNotFoundError,
    CallRecordsError,
    CallRecordsWarning,
    CheckpointError,
    ClientClosedError,
    ClockSkewWarning,
    ConfigurationError,
    IncompleteWalkWarning,
    InvalidRequestError,
    LimiterUnavailableError,
    PermissionDeniedError,
    RateLimitError,
    RepeatedPageError,
    RequestTimeoutError,
    ResponseDecodeError,
    RetentionWarning,
    ServerError,
    TransportError,
)
from trtc_records._version import __version__
from trtc_records._walking.incomplete import IncompleteWalk
from trtc_records.feed._checkpoint import Checkpoint, FileCheckpoint
from trtc_records.feed._feed import Wake
from trtc_records.quota._local import LocalRateLimiter, RateLimiter

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
    "Checkpoint",
    "CheckpointError",
    "ClientClosedError",
    "ClockSkewWarning",
    "ConfigurationError",
    "FileCheckpoint",
    "IncompleteWalk",
    "IncompleteWalkWarning",
    "InvalidRecord",
    "InvalidRequestError",
    "LimiterUnavailableError",
    "LocalRateLimiter",
    "MediaType",
    "PermissionDeniedError",
    "RateLimitError",
    "RateLimiter",
    "Region",
    "RepeatedPageError",
    "RequestTimeoutError",
    "ResponseDecodeError",
    "RetentionWarning",
    "RoomIdType",
    "ServerError",
    "Service",
    "TransportError",
    "Wake",
    "Webhook",
    "WebhookEvent",
    "__version__",
    "generate_user_sig",
    "record_from_json",
    "record_to_json",
]
