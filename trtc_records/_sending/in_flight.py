"""The requests under way: a gate that lets in fewer while the service answers slowly because of them.

Requests that a service cannot answer at once wait there in a queue. More of them then only make that queue longer,
until the requests at its end time out. So the gate compares the time that responses take with the time that they take
without a queue; where it is a multiple, fewer requests go in.

A late answer now and then is no queue, and needs more requests under way rather than fewer. So a quarter of the
responses decides, the fastest ones: behind a queue they are slow as well. And where fewer requests under way do not
make the service faster, it has become slower by itself.

State: the requests under way and those that wait in line. All that touches them is in this file.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import Final

__all__ = ["Gate", "QueueWatch"]

_ROUND: Final = 24
"""Responses that are judged together: below 20, latencies that scatter look like queues."""
_FAST: Final = _ROUND // 4
_LONGEST_QUEUE: Final = (2.0, 0.05)
"""Times the latency without a queue, and seconds: what responses may take, but no more than half of the time up to the
time-out. Shorter queues run dry between answers."""
_FULL: Final = 0.75  # share of the limit, above which the requests under way show that they need more
_RISE: Final = (2.0, 1.25)  # times the limit, before a queue was seen and after
_BASE_GAIN: Final = 0.25  # share of the difference by which the latency without a queue follows a lower one
_LEAST: Final = 2  # requests under way
_FIRST: Final = 32  # requests under way, before a response has shown how far away the service is
_PATIENCE: Final = 0.3  # share of the time-out that the requests under way may take altogether
_SLOWEST: Final = 0.1  # share of the rate: a service that answers so slowly answers the first requests in time


class QueueWatch:
    """The most requests under way that do not queue at the service.

    Args:
        rate: The requests per second that it should answer, if it can.
        timeout: Seconds after which a request is given up.
    """

    def __init__(self, rate: float, timeout: float) -> None:
        self._rate = rate
        self._timeout = timeout
        self._patience = timeout * _PATIENCE
        self._most_at_first = max(rate * timeout * _SLOWEST, _LEAST)
        self.limit: float = min(_FIRST, self._most_at_first)
        self._base = math.inf
        self._since = -math.inf
        self._latencies: list[float] = []
        self._began_at = 0.0
        self._depths = 0
        self._answers = 0
        self._rise = _RISE[0]
        self._before: tuple[float, float, float] | None = None

    def add(self, latency: float, *, answered: bool, depth: int, sent_at: float, now: float) -> None:
        """Take one more response into account, or a request that was given up.

        Args:
            latency: Seconds from the request to the response, or until it was given up.
            answered: Whether there was a response, and no passing failure of the service.
            depth: The requests that were under way when it was sent.
            sent_at: The time when it was sent.
            now: The time.
        """
        if sent_at < self._since:
            return
        if self._base == math.inf and answered:
            self._base = latency
            self.limit = max(self.limit, min(self._rate * latency, self._most_at_first))
        if not self._latencies:
            self._began_at = now
        self._latencies.append(latency)
        self._depths += depth
        self._answers += answered
        if len(self._latencies) == _ROUND:
            rate = max(self._answers - 1, 0) / max(now - self._began_at, 1e-3)
            self._judge(sorted(self._latencies)[_FAST - 1], self._depths / _ROUND, rate, now)
            self._latencies.clear()
            self._depths = self._answers = 0

    def _judge(self, latency: float, depth: float, rate: float, now: float) -> None:
        """Set the limit by a round's latency, requests under way and responses per second."""
        if self._base == math.inf:  # there was no response yet
            return
        if depth <= _LEAST:  # no queue is that short
            self._base = latency
        factor, slack = _LONGEST_QUEUE
        longest = min(factor * self._base + slack, (self._base + self._timeout) / 2)
        if latency <= longest:
            self._base += _BASE_GAIN * min(latency - self._base, 0.0)
            self._before = None
            has_room = latency < (self._base + longest) / 2
            if has_room and depth > _FULL * int(self.limit):  # what is under way is whole
                most = max(rate * max(self._patience, longest), self.limit)
                self._set_limit(min(self.limit * self._rise + 1, most), now)
            return
        if self._before is not None and latency < self._patience:
            latency_before, depth_before, limit_before = self._before
            if latency > latency_before * math.sqrt(min(depth / depth_before, 1.0)):
                self._base = latency
                self._before = None
                self._rise = _RISE[0]
                self._set_limit(limit_before, now)
                return
        self._before = latency, depth, self.limit
        self._rise = _RISE[1]
        self._set_limit(max(min(rate * longest, self.limit), _LEAST), now)

    def _set_limit(self, limit: float, now: float) -> None:
        self.limit = limit
        self._since = now


class Gate:
    """A gate that each request enters before it takes a permit, and leaves with its response; first come first served.

    Args:
        most: The most requests under way at once.
        rate: The requests per second that the service should answer, if it can.
        timeout: Seconds after which a request is given up.
    """

    def __init__(self, most: int, *, rate: float, timeout: float) -> None:
        self._most = most
        self._watch = QueueWatch(rate, timeout)
        self._line: deque[asyncio.Future[None]] = deque()
        self.inside = 0
        """The requests under way."""

    @property
    def limit(self) -> int:
        """Return how many requests may be under way now."""
        return int(min(self._most, self._watch.limit))

    async def enter(self) -> None:
        """Wait until one more request may be under way."""
        if not self._line and self.inside < self.limit:
            self.inside += 1
            return
        place = asyncio.get_running_loop().create_future()
        self._line.append(place)
        try:
            await place
        except BaseException:
            if place in self._line:
                self._line.remove(place)
            elif not place.cancelled():  # it was let in at the same moment
                self.leave()
            raise

    def leave(self) -> None:
        """Let the next one in."""
        self.inside -= 1
        self._let_in()

    def note(self, latency: float, *, answered: bool, depth: int, sent_at: float, now: float) -> None:
        """Take a response, or its lack, into account; see :meth:`QueueWatch.add`."""
        self._watch.add(latency, answered=answered, depth=depth, sent_at=sent_at, now=now)
        self._let_in()

    def _let_in(self) -> None:
        while self._line and self.inside < self.limit:
            place = self._line.popleft()
            if not place.cancelled():  # a task that was cancelled leaves the line only when it runs next
                self.inside += 1
                place.set_result(None)
