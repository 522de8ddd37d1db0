"""Made-up calls that look like an app's week: its hours of the day, its results, its talkative users."""

from __future__ import annotations

import math
import random
import time
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, Final

from trtc_records._api.models import CallRecord, CallResult, CallType, MediaType, RoomIdType
from trtc_records._api.wire import record_from_json
from trtc_records.sandbox._options import require_number

__all__ = ["Calls", "make_calls", "make_records"]

_HOUR: Final = 3_600
_DAY: Final = 86_400
_OLDEST_MARGIN: Final = 600  # seconds inside the retention edge, so that a demo still finds the first record
_NEWEST_MARGIN: Final = 120  # seconds before now: the longest ringing, and a minute to talk
_LONGEST_TALK: Final = 3 * _HOUR

# Calls per hour of the day (UTC), relative: few at night, a rise before noon, most in the evening.
_HOURS: Final = (9, 5, 3, 2, 2, 3, 7, 15, 28, 41, 48, 46, 44, 45, 47, 46, 48, 55, 66, 78, 80, 66, 40, 20)

_RESULT_WEIGHTS: Final = {
    CallResult.NORMAL_END: 62,
    CallResult.CANCEL: 12,
    CallResult.NOT_ANSWER: 12,
    CallResult.REJECT: 6,
    CallResult.CALL_BUSY: 5,
    CallResult.INTERRUPT: 2,
    CallResult.OFFLINE: 1,
}
_RESULTS: Final = tuple(member.value for member in _RESULT_WEIGHTS)
_CUMULATIVE_RESULTS: Final = list(accumulate(_RESULT_WEIGHTS.values()))
_RING_SECONDS: Final = {
    CallResult.NORMAL_END.value: (2, 24),
    CallResult.CANCEL.value: (2, 29),
    CallResult.REJECT.value: (2, 18),
    CallResult.NOT_ANSWER.value: (30, 30),  # the time-out of TUICallKit, unless the app sets another
    CallResult.CALL_BUSY.value: (0, 1),
    CallResult.INTERRUPT.value: (1, 20),
    CallResult.OFFLINE.value: (1, 20),
}
_MEDIAN_TALK_SECONDS: Final = {MediaType.AUDIO.value: 95, MediaType.VIDEO.value: 210}
_GROUP_SHARE: Final = 0.12
_VIDEO_SHARE: Final = 0.45
_STRING_ROOM_SHARE: Final = 0.35
_INTERRUPTED_WHILE_RINGING: Final = 0.25
_LARGEST_ROOM_NUMBER: Final = 2_147_483_646

# fmt: off
_NAMES: Final = (
    "ada", "amir", "ana", "chen", "dewi", "diego", "emma", "fatima", "hana", "hugo", "ines", "ivan", "jin", "joao",
    "kemal", "lan", "leila", "lin", "lucas", "maria", "mei", "minh", "nadia", "noah", "olga", "omar", "priya",
    "rafael", "ravi", "rosa", "sana", "siti", "sofia", "tariq", "tomas", "wei", "xin", "yuki", "yusuf", "zoe",
)
# fmt: on


def make_records(count: int, *, seed: int = 0, now: int | None = None, days: int = 7) -> list[CallRecord]:
    """Make call records, sorted by start time.

    They begin ten minutes inside the retention edge and have all ended before *now*. For a million records, give the
    number to ``Sandbox(records=…)``, which keeps them encoded and makes no objects.

    Args:
        count: The number of records.
        seed: The same seed and *now* make the same records.
        now: Unix seconds; the present by default.
        days: The days before *now* over which they are spread; by default the 7 that the service keeps.

    Raises:
        ValueError: *count* is negative or *days* less than 1.
    """
    return [record_from_json(call) for call in make_calls(count, seed=seed, now=now, days=days)]


def make_calls(count: int, *, seed: int = 0, now: int | None = None, days: int = 7) -> Iterator[dict[str, Any]]:
    """Make the calls of :func:`make_records` one by one, as the service writes them.

    Raises:
        ValueError: *count* is negative or *days* less than 1.
    """
    require_number("records", count, minimum=0, whole=True, remedy="write how many records to make")
    require_number("days", days, minimum=1, whole=True, remedy="write the days to spread the records over, 7 at most")
    now = int(time.time()) if now is None else now
    calls = Calls(seed, users=min(max(count // 8, 12), 20_000))
    return (calls.make(start, latest=now - 1) for start in _draw_starts(random.Random(seed), count, now, days))


def _draw_starts(rng: random.Random, count: int, now: int, days: int) -> list[int]:
    first, last = now - days * _DAY + _OLDEST_MARGIN, now - _NEWEST_MARGIN
    hours = [(max(hour, first), min(hour + _HOUR, last)) for hour in range(first - first % _HOUR, last, _HOUR)]
    weights = [_HOURS[begin // _HOUR % 24] * (end - begin) for begin, end in hours]
    draw = rng.random
    return sorted(begin + int((end - begin) * draw()) for begin, end in rng.choices(hours, weights, k=count))


class Calls:
    """A maker of calls among a fixed crowd of users, some of whom call far more often than others.

    Args:
        seed: The same seed makes the same crowd and the same calls.
        users: The number of users in the crowd; ids may repeat.
    """

    def __init__(self, seed: object, *, users: int) -> None:
        self._rng = random.Random(f"calls:{seed}")
        self._users = [self._draw_user() for _ in range(users)]

    def make(
        self, start: int, *, latest: int, call_result: str | None = None, call_type: str | None = None
    ) -> dict[str, Any]:
        """Make one call as the service writes it; AcceptTime is 0 if it was never answered.

        Args:
            start: The start of the call, in Unix seconds.
            latest: The latest end of the call, in Unix seconds.
            call_result: The result; drawn by default.
            call_type: The type, single or group; drawn by default.
        """
        draw = self._rng.random
        if call_result is None:
            call_result = _RESULTS[bisect_right(_CUMULATIVE_RESULTS, draw() * _CUMULATIVE_RESULTS[-1])]
        if call_type is None:
            call_type = (CallType.MULTI_CALL if draw() < _GROUP_SHARE else CallType.SINGLE_CALL).value
        media_type = (MediaType.VIDEO if draw() < _VIDEO_SHARE else MediaType.AUDIO).value
        group = call_type == CallType.MULTI_CALL
        members = self._draw_members(2 + int(draw() * 7) if group else 1)

        low, high = _RING_SECONDS.get(call_result, (2, 24))
        ringing_ended = min(start + low + int((high - low + 1) * draw() ** 1.7), latest)
        answered = call_result == CallResult.NORMAL_END or (
            call_result in {CallResult.INTERRUPT, CallResult.OFFLINE} and draw() >= _INTERRUPTED_WHILE_RINGING
        )
        talk = 0
        if answered:
            median = _MEDIAN_TALK_SECONDS[media_type] * (2 if group else 1)
            talk = 1 + min(int(self._rng.lognormvariate(math.log(median), 1.1)), _LONGEST_TALK)
        room_id, room_id_type = self._draw_room(call_result)
        return {
            "CallId": self._draw_call_id(),
            "Caller_Account": members[0],
            "MediaType": media_type,
            "CallType": call_type,
            "StartTime": start,
            "EndTime": min(ringing_ended + talk, latest),
            "AcceptTime": ringing_ended if answered else 0,
            "CallResult": call_result,
            "CalleeList_Account": members,
            "RoomId": room_id,
            "RoomIdType": room_id_type,
        }

    def _draw_user(self) -> str:
        number = self._rng.randrange(1, 10_000)
        name = self._rng.choice(_NAMES)
        return self._rng.choice((f"{name}_{number}", f"{name}.{self._rng.choice(_NAMES)}{number % 100}", f"{number}"))

    def _draw_members(self, others: int) -> list[str]:
        """Draw the caller and the *others*; squaring the random number makes the first of the crowd call more often."""
        users, draw = self._users, self._rng.random
        members: dict[str, None] = {}
        for _ in range(others * 4):  # a few more draws than members, as some repeat
            members[users[int(len(users) * draw() ** 2)]] = None
            if len(members) > others:
                break
        return list(members)

    def _draw_call_id(self) -> str:
        """Draw a UUID of version 4; formatting it here is several times faster than ``uuid.UUID`` does it."""
        digits = f"{self._rng.getrandbits(128):032x}"
        variant = "89ab"[int(digits[16], 16) & 3]
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"

    def _draw_room(self, call_result: str) -> tuple[str, int]:
        if call_result == CallResult.CALL_BUSY:
            return "", RoomIdType.NONE.value
        number = 1 + self._rng.getrandbits(31) % _LARGEST_ROOM_NUMBER
        if self._rng.random() < _STRING_ROOM_SHARE:
            return f"roomid-{number % 100_000}", RoomIdType.STRING.value
        return str(number), RoomIdType.NUMERIC.value
