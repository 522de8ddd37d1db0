"""The requester, over a transport that the test decides about, on a clock that jumps."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import virtual_time
from records import envelope, raw_record

from trtc_records._api.protocol import read_record, record_request
from trtc_records._secret import Secret
from trtc_records._sending.clock import ServiceClock
from trtc_records._sending.credentials import Credential
from trtc_records._sending.lane import Exchange
from trtc_records._sending.requester import Requester

REFUSED = envelope(code=60011, info="too frequent")
FOUND = envelope({"CallRecord": raw_record(1)})


class Limiter:
    """A limiter that counts the calls of its methods."""

    def __init__(self) -> None:
        self.permits = 0
        self.slowed = 0

    async def acquire(self) -> None:
        self.permits += 1

    def slow_down(self) -> None:
        self.slowed += 1


class Transport:
    """A transport that gives its answers in turn, each a second after the request."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = list(answers)

    async def exchange(self, *request: Any) -> Exchange:
        await request[-1]()
        answer = self.answers.pop(0)
        await asyncio.sleep(1)
        return 200, [], json.dumps(answer).encode(), None

    async def aclose(self) -> None:
        pass


def look_up(count: int, *answers: dict[str, Any]) -> Limiter:
    """Look up *count* records at once."""
    limiter = Limiter()

    async def main() -> None:
        requester = Requester(
            httpx.URL("https://service.example"),
            sdk_app_id=1,
            identifier="administrator",
            credential=Credential.from_user_sig(Secret("signature")),
            limiter=limiter,
            transport=Transport(*answers),
            timeout=10,
            attempts=3,
            total_timeout=None,
            max_in_flight=8,
            clock=ServiceClock(),
        )
        await asyncio.gather(*(requester.request(record_request("x"), read_record) for _ in range(count)))

    virtual_time.run(main())
    return limiter


def test_refusals_of_requests_under_way_slow_down_once() -> None:
    """Two requests that were sent before the limiter slowed down show the same state of the quota."""
    limiter = look_up(2, REFUSED, REFUSED, FOUND, FOUND)
    assert (limiter.slowed, limiter.permits) == (1, 4)


def test_a_refusal_after_slowing_down_slows_down_again() -> None:
    """The second attempt was sent at the lower rate, and that was still too much."""
    limiter = look_up(1, REFUSED, REFUSED, FOUND)
    assert (limiter.slowed, limiter.permits) == (2, 3)
