"""Say that a walk may have missed records, to the caller's function or by a warning, or that ids are unusable."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import attrs

from trtc_records._api.query import Query
from trtc_records._errors import CallRecordsWarning, IncompleteWalkWarning
from trtc_records._public import public
from trtc_records._walking.walk import Walk
from trtc_records._warn import warn_caller

__all__ = ["IncompleteWalk", "OnIncomplete", "report"]


@public
@attrs.frozen(kw_only=True)
class IncompleteWalk:
    """A walk that ended, and may have missed records."""

    reason: str
    """The reason, and advice."""
    yielded: int
    """Records that the walk yielded."""
    expected: int | None
    """Records that match, as the service counted them when the walk began; ``None`` where it does not count so far."""
    start_time: datetime
    """Start of the window."""
    end_time: datetime
    """End of the window."""


OnIncomplete = Callable[[IncompleteWalk], object]


def report(walk: Walk, query: Query, on_incomplete: OnIncomplete | None) -> None:
    """Call *on_incomplete*, or warn, if *walk* has reasons to doubt that it yielded all records; warn of unusable ids.

    Args:
        walk: A walk that has ended.
        query: Its conditions, with both ends of the window.
        on_incomplete: The caller's function; ``None`` for a warning.

    Warns:
        IncompleteWalkWarning: Records may be missing; all others were yielded.
        CallRecordsWarning: Records have no id of their own.
    """
    if walk.without_own_id:
        warn_caller(
            f"records that have no call id, or share it with another record: {walk.without_own_id:,}. Each was "
            "yielded; do not tell records apart by call_id alone",
            CallRecordsWarning,
        )
    if not walk.doubts:
        return
    reason = "; ".join(dict.fromkeys(walk.doubts))
    if on_incomplete is None:
        warn_caller(f"a walk may have missed records: {reason}", IncompleteWalkWarning)
        return
    on_incomplete(
        IncompleteWalk(
            reason=reason,
            yielded=walk.yielded,
            expected=walk.expected,
            start_time=datetime.fromtimestamp(query.start_time or 0, UTC),
            end_time=datetime.fromtimestamp(query.end_time or 0, UTC),
        )
    )
