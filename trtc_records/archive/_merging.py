"""The union of two readings of one day."""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterable, Iterator
from itertools import groupby

from trtc_records._api.models import CallRecord
from trtc_records.archive._sorting import get_order

__all__ = ["merge"]


def merge(new: Iterable[CallRecord], old: Iterable[CallRecord]) -> Iterator[CallRecord]:
    """Yield all of *new*, and those of *old* that it lacks, in order of time; both have that order.

    A call is known by its id, its caller and its start, since the service may give several calls one id; without
    an id, by everything.
    """
    marked = heapq.merge(
        ((record, True) for record in new), ((record, False) for record in old), key=lambda each: get_order(each[0])
    )
    for _, group in groupby(marked, key=lambda each: each[0].start_time):
        calls = list(group)
        known = {_identify(record) for record, is_new in calls if is_new}
        yield from (record for record, is_new in calls if is_new or _identify(record) not in known)


def _identify(record: CallRecord) -> Hashable:
    return (record.call_id, record.caller) if record.call_id.strip() else record
