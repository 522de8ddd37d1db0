"""The choice of a fault for a request."""

from __future__ import annotations

import random
from collections import Counter

from trtc_records.sandbox._options import Faults

__all__ = ["FaultDraw"]


class FaultDraw:
    """Random faults by their probabilities, and their counts.

    Args:
        faults: The probabilities.
        seed: The same seed draws the same faults, request by request.
    """

    def __init__(self, faults: Faults, *, seed: int) -> None:
        self._rng = random.Random(f"faults:{seed}")
        self._probabilities = {kind: chance for kind, chance in faults.probabilities.items() if chance}
        self.drawn: Counter[str] = Counter()
        """The number of faults of each kind so far."""

    def draw(self) -> str | None:
        """Return the fault of the next request by its name in ``Faults``, or ``None``."""
        if not self._probabilities:
            return None
        mark = self._rng.random()
        for kind, probability in self._probabilities.items():
            mark -= probability
            if mark < 0:
                self.drawn[kind] += 1
                return kind
        return None
