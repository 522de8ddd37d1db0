"""Change the records under a walk: some arrive, some expire."""

from __future__ import annotations

import random

from trtc_records._api.query import RETENTION
from trtc_records.sandbox._data import Calls
from trtc_records.sandbox._options import Drift
from trtc_records.sandbox._store import Query, RecordStore

__all__ = ["Mover"]

_USERS = 50


class Mover:
    """Move the records of a store on by what may happen between two queries.

    Args:
        store: The store to move.
        drift: What happens, and how often.
        seed: The same seed and queries move it the same way.
    """

    def __init__(self, store: RecordStore, drift: Drift, *, seed: int) -> None:
        self._store = store
        self._drift = drift
        self._rng = random.Random(f"drift:{seed}")
        self._calls = Calls(f"drift:{seed}", users=_USERS)
        self._previous_queries = False

    def move(self, query: Query, now: int) -> None:
        """Let a record that matches *query* appear or go away, or neither; nothing happens before the first query.

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
                # Not randint, which draws as often as the range needs: the rest would no longer follow the seed.
                start = begin + int((latest - begin + 1) * self._rng.random())
                self._store.add(
                    self._calls.make(
                        start, latest=max(start, now), call_result=query.call_result, call_type=query.call_type
                    )
                )
