"""Call records, pages of them, services and regions, as values.

Every name and value here comes from Tencent's page "Retrieve Records by Conditions"
(https://trtc.io/document/68931). Values that Tencent adds later are kept as plain ``str`` or ``int``.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any, Final

import attrs

from trtc_records._errors import ResponseDecodeError
from trtc_records._public import public

__all__ = [
    "CallRecord",
    "CallRecordPage",
    "CallResult",
    "CallType",
    "InvalidRecord",
    "MediaType",
    "Region",
    "RoomIdType",
    "Service",
]


@public
class MediaType(StrEnum):
    """The medium of a call."""

    AUDIO = "Audio"
    VIDEO = "Video"


@public
class CallType(StrEnum):
    """The type of a call: one-to-one or a group call."""

    SINGLE_CALL = "SingleCall"
    MULTI_CALL = "MultiCall"


@public
class CallResult(StrEnum):
    """The way in which a call ended."""

    CANCEL = "Cancel"
    """The caller cancelled before the call connected."""
    REJECT = "Reject"
    """The callee declined."""
    NOT_ANSWER = "NotAnswer"
    """The call timed out."""
    NORMAL_END = "NormalEnd"
    """The call connected and was hung up."""
    CALL_BUSY = "CallBusy"
    """The callee was in another call."""
    INTERRUPT = "Interrupt"
    """The network, or the like, broke the call."""
    OFFLINE = "Offline"
    """The service saw a member's heartbeat expire, which ended the call: https://trtc.io/document/68940."""


@public
class RoomIdType(IntEnum):
    """The kind of a TRTC room id."""

    NONE = 0
    """No room."""
    NUMERIC = 1
    STRING = 2


@public
class Service(StrEnum):
    """A service that keeps call records. Each call is kept by one of them."""

    CURRENT = "current"
    """The service of all calls but those of :attr:`LEGACY`."""
    LEGACY = "legacy"
    """The older service of the calls that were started through the deprecated ``TUICallKit.call()`` and
    ``TUICallKit.groupCall()``: https://trtc.io/document/60136."""


@public
class Region(StrEnum):
    """The region in which an SDKAppID lives; each has a host of its own."""

    CHINA = "china"
    SINGAPORE = "singapore"
    SEOUL = "seoul"
    FRANKFURT = "frankfurt"
    SILICON_VALLEY = "silicon-valley"
    JAKARTA = "jakarta"
    TOKYO = "tokyo"
    """Listed for Tencent's Chat only, which shares the hosts: https://trtc.io/document/34620."""

    @property
    def host(self) -> str:
        """Return the host name that serves this region; the older service has others."""
        return HOSTS[self]


HOSTS: Final = {
    Region.CHINA: "console.tim.qq.com",
    Region.SINGAPORE: "adminapisgp.im.qcloud.com",
    Region.SEOUL: "adminapikr.im.qcloud.com",
    Region.FRANKFURT: "adminapiger.im.qcloud.com",
    Region.SILICON_VALLEY: "adminapiusa.im.qcloud.com",
    Region.JAKARTA: "adminapiidn.im.qcloud.com",
    Region.TOKYO: "adminapijpn.im.qcloud.com",
}
"""The hosts of the service that keeps today's calls."""


def list_hosts(hosts: Mapping[Region, str]) -> str:
    """Return all regions with their *hosts*, for messages."""
    return ", ".join(f"{region} ({hosts[region]})" for region in Region)


@public
@attrs.frozen(kw_only=True)
class CallRecord:
    """The record of one call.

    All times are aware datetimes in UTC, to the second, as the service keeps them.
    """

    call_id: str
    """The call's id, a UUID as text."""
    caller: str
    """The caller's user id."""
    callees: tuple[str, ...] = ()
    """User ids of the members of the call; in Tencent's samples they contain the caller too."""
    media_type: MediaType | str
    call_type: CallType | str
    call_result: CallResult | str | int
    start_time: datetime
    """When the call was initiated; where the service did not set that, when it connected or ended, and ``extra`` has a
    ``StartTime``."""
    accept_time: datetime | None = None
    """When the call connected; ``None`` for a call that was never answered."""
    end_time: datetime | None
    """When the call ended; ``None`` where the service did not set it."""
    room_id: str = ""
    """The TRTC room; empty if the call has none."""
    room_id_type: RoomIdType | int | str = RoomIdType.NONE
    extra: dict[str, Any] = attrs.field(factory=dict, hash=False)
    """Fields that this version does not know, as the service sent them, and a StartTime that is not set."""

    @property
    def answered(self) -> bool:
        """Return whether the call ever connected."""
        return self.accept_time is not None

    @property
    def ring_time(self) -> timedelta | None:
        """Return how long the call rang, until it connected or ended unanswered.

        ``None`` where a time that it takes is not set, or is earlier than the start.
        """
        return None if "StartTime" in self.extra else _measure(self.start_time, self.accept_time or self.end_time)

    @property
    def talk_time(self) -> timedelta | None:
        """Return how long the call was connected; zero for a call that was never answered.

        ``None`` where the end is not set, or is earlier than the answer.
        """
        return timedelta() if self.accept_time is None else _measure(self.accept_time, self.end_time)


def _measure(start: datetime, end: datetime | None) -> timedelta | None:
    return None if end is None or end < start else end - start


@public
@attrs.frozen
class InvalidRecord:
    """A record that could not be read."""

    raw: Any
    """The record as the service sent it."""
    error: ResponseDecodeError
    """The error, with the path of the bad value."""


@public
@attrs.frozen(kw_only=True)
class CallRecordPage:
    """One page of call records, in the service's order."""

    records: tuple[CallRecord, ...]
    page: int
    """The page's number, from 1; 0 where the service says that no records are left."""
    total_num: int | None = None
    """The number of records that match the query; ``None`` where the service did not say."""
    request_id: str = ""
    """The id of the response, which Tencent's support asks for."""
    invalid: tuple[InvalidRecord, ...] = ()
    """Records that could not be read; only a walk with ``on_invalid`` has any, others raise an error."""

    @property
    def size(self) -> int:
        """Return how many records the service put on the page, read or not."""
        return len(self.records) + len(self.invalid)
