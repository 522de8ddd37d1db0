"""Changes of the records during a walk: some arrive, some expire."""

from __future__ import annotations

import random
from typing import Final

from trtc_records._api.query import RETENTION
from trtc_records.sandbox._data import Calls
from trtc_records.sandbox._options import Drift
from trtc_records.sandbox._store import Query, RecordStore

__all__ = ["Mover"]

_USERS: Final = 50


class Mover:
    """The changes to the records of a store between two queries.

    Args:
        store: The store to change.
        drift: The kinds of change, with their probabilities.
        seed: The same seed and queries make the same changes.
    """

    def __init__(self, store: RecordStore, drift: Drift, *, seed: int) -> None:
        self._store = store
        self._drift = drift
        self._rng = random.Random(f"drift:{seed}")
        self._calls = Calls(f"drift:{seed}", users=_USERS)
        self._previous_queries = False
        self._replica_rng = random.Random(f"replica:{seed}")

    def draw_lag(self) -> bool:
        """Draw whether the next answer comes from a replica that lags behind."""
        return self._replica_rng.random() < self._drift.replica_lag

    def move(self, query: Query, now: int) -> None:
        """Let a record that matches *query* appear or go away, or neither; the first query changes nothing.

        Args:
            query: The query about to be answered.
            now: Unix seconds.
        """
        if not self._previous_queries:
            self._previous_queries = True
            return
        if self._rng.random() < self._drift.expiries:
            self._store.remove_oldest(query, now)
        if self._rng.random() < self._drift.arrivals:
            earliest, latest = max(query.start_time, now - RETENTION), min(query.end_time, now)
            newest = None if self._drift.anywhere else self._store.find_newest(query, now)
            if earliest <= latest:
                begin = min(newest or earliest, latest)
                # Not randint: its number of draws depends on the range, so later draws would not follow from the seed.
                start = begin + int((latest - begin + 1) * self._rng.random())
                self._store.add(
                    self._calls.make(
                        start, latest=max(start, now), call_result=query.call_result, call_type=query.call_type
                    )
                )
