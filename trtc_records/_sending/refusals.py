"""The responses that refuse a request for quota: a few by chance, or a sign to slow down.

Single refusals happen at any rate: a gateway in trouble, another process for a moment. To slow down for each would
stop a walk that has one among fifty. So the client slows down where the share of refusals within a second is too large
for chance. The slower pace shows which share is chance: twice that is tolerated from then on. If there is none, two
refusals within a second are a sign.

State: the responses of the last second. All that touches them is in this file.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

__all__ = ["Refusals"]

_WINDOW: Final = 1.0  # seconds: that in which the service counts
_TOLERATED_FIRST: Final = 0.03
"""Share of the responses. Of walks of 12 seconds over a service that refuses 2.3 % by chance, a fifth slow down; with
0.025 a third do."""
_TOLERATED: Final = (0.002, 0.06)  # at least and at most, once it has been measured
_TIMES_CHANCE: Final = 2.5  # standard deviations above the tolerated share
_MARGIN: Final = 2.0  # times the share at the slower pace


class Refusals:
    """The refusals of one client."""

    def __init__(self) -> None:
        self._responses: deque[tuple[float, bool]] = deque()
        self._refused = 0
        self._since = -math.inf
        self._tolerated = _TOLERATED_FIRST
        self._trial_end: float | None = None
        self._trial: list[bool] = []

    def add(self, *, refused: bool, sent_at: float, now: float) -> bool:
        """Take a response into account, and return whether to slow down.

        Args:
            refused: Whether it refuses the request for quota.
            sent_at: The time when the request was sent. Those sent before the last slow-down show nothing new.
            now: The time.
        """
        if sent_at < self._since:
            return False
        self._responses.append((now, refused))
        self._refused += refused
        while self._responses[0][0] < now - _WINDOW:
            self._refused -= self._responses.popleft()[1]
        if self._trial_end is not None:
            self._try(refused, sent_at)
        tolerated = self._tolerated if self._trial_end is None else _TOLERATED[1]
        chance = tolerated * len(self._responses)
        if not refused or self._refused <= chance + _TIMES_CHANCE * math.sqrt(chance):
            return False
        self._responses.clear()
        self._refused = 0
        self._since = now
        self._trial_end = math.inf
        self._trial.clear()
        return True

    def _try(self, refused: bool, sent_at: float) -> None:
        """Measure the share of refusals for a second at the slower pace."""
        assert self._trial_end is not None
        self._trial_end = min(self._trial_end, sent_at + _WINDOW)
        self._trial.append(refused)
        if sent_at >= self._trial_end:
            least, most = _TOLERATED
            self._tolerated = min(max(_MARGIN * sum(self._trial) / len(self._trial), least), most)
            self._trial_end = None
