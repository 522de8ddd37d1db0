"""Calls that start and end while the sandbox runs; each has its record 5 seconds after its end."""

from __future__ import annotations

import heapq
import random
import sys
from collections import deque
from itertools import count
from typing import Any, Final, Literal

import attrs

from trtc_records._api.query import READABLE_AFTER
from trtc_records.sandbox._data import Calls
from trtc_records.sandbox._options import Lengths
from trtc_records.sandbox._store import RecordStore

__all__ = ["CallEvent", "LiveCalls"]

_USERS: Final = 200
_SAMPLES: Final = 256  # calls from which those under way at the start are drawn
_MOST_UNDER_WAY: Final = 200_000  # calls, which take 200 MB


@attrs.frozen
class CallEvent:
    """A change of a call."""

    time: float
    """Unix seconds."""
    kind: Literal["start", "answer", "end"]
    call: dict[str, Any]
    """The call as the service writes it once it has ended."""


class LiveCalls:
    """The calls of an app in running time, some of them under way from the start on.

    Args:
        store: The store that gets their records.
        rate: Calls that start per second, on average; 0 for none.
        lengths: The least and the greatest length in seconds, drawn evenly; ``None`` draws one that suits the result.
        now: The start of the first second, in Unix seconds.
        seed: The same seed makes the same calls, at the same distance from *now*.

    Raises:
        ValueError: Too many calls would be under way at once.
    """

    def __init__(self, store: RecordStore, rate: float, lengths: Lengths | None, *, now: float, seed: int) -> None:
        self._store = store
        self._rate = rate
        self._lengths = lengths
        self._rng = random.Random(f"live:{seed}")
        self._calls = Calls(f"live:{seed}", users=_USERS)
        self._numbers = count()
        self._due: list[tuple[float, int, str, dict[str, Any]]] = []
        self._processed: deque[dict[str, Any]] = deque()
        self.events: deque[CallEvent] = deque()
        """The changes of calls in the order of their time, for a single reader to take away."""
        if rate:
            self._place_calls_under_way(now)
            self._schedule(now + self._rng.expovariate(rate), "start", {})

    def catch_up(self, now: float) -> None:
        """Let happen what is due by *now*, in Unix seconds; a clock that was set back changes nothing."""
        while self._due and self._due[0][0] <= now:
            time, _, kind, call = heapq.heappop(self._due)
            match kind:
                case "start":
                    self._start(time)
                    self._schedule(time + self._rng.expovariate(self._rate), "start", {})
                case "answer":
                    self.events.append(CallEvent(time, "answer", call))
                case "end":
                    self.events.append(CallEvent(time, "end", call))
                    self._processed.append(call)
                    self._schedule(time + READABLE_AFTER, "appear", call)
                case _:
                    self._store.add(self._processed.popleft())

    def get_unreadable(self) -> list[dict[str, Any]]:
        """Return the calls that have ended and have no record yet, by their end."""
        return list(self._processed)

    def _schedule(self, time: float, kind: str, call: dict[str, Any]) -> None:
        heapq.heappush(self._due, (time, next(self._numbers), kind, call))

    def _start(self, time: float) -> None:
        if self._lengths is None:
            call = self._calls.make(int(time), latest=sys.maxsize)
            length: float = call["EndTime"] - call["StartTime"]
        else:
            length = self._rng.uniform(*self._lengths)
            call = self._make_call(time, length)
        self.events.append(CallEvent(time, "start", call))
        self._schedule_rest(call, time, length, after=time)

    def _make_call(self, start: float, length: float, **fields: str) -> dict[str, Any]:
        end = int(start + length)
        return self._calls.make(int(start), latest=end, **fields) | {"EndTime": end}

    def _schedule_rest(self, call: dict[str, Any], start: float, length: float, *, after: float) -> None:
        if call["AcceptTime"]:
            answer = start + min(call["AcceptTime"] - call["StartTime"], length)
            if answer >= after:
                self._schedule(answer, "answer", call)
        self._schedule(start + length, "end", call)

    def _place_calls_under_way(self, now: float) -> None:
        """Place as many calls as are under way on average; a long call is the more likely to be one of them."""
        samples: list[tuple[float, dict[str, str]]] = []
        for _ in range(_SAMPLES):
            call = self._calls.make(0, latest=sys.maxsize)
            length = call["EndTime"] if self._lengths is None else self._rng.uniform(*self._lengths)
            samples.append((length, {"call_result": call["CallResult"], "call_type": call["CallType"]}))
        weights = [length for length, _ in samples]
        under_way = round(self._rate * sum(weights) / _SAMPLES)
        if under_way > _MOST_UNDER_WAY:
            raise ValueError(
                f"live and call_seconds mean {under_way:,} calls under way at once, at most {_MOST_UNDER_WAY:,} fit: "
                "lower one of them"
            )
        for length, fields in self._rng.choices(samples, weights, k=under_way) if under_way else ():
            start = now - length * self._rng.random()
            self._schedule_rest(self._make_call(start, length, **fields), start, length, after=now)
