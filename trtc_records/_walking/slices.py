"""Slices of a window, and how one is divided further. No I/O.

A slice is a part of the window, in places also of the conditions.

- Neighbours share their boundary second, because nobody knows whether the ends of a window are inclusive.
- Where the window means the whole call (``Meaning.WITHIN``), a slice also reaches back by the longest call seen.
- A window of one second is divided by call type, and then by call result.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum, auto
from itertools import pairwise
from typing import Final, Self

import attrs

from trtc_records._api.models import CallResult, CallType
from trtc_records._api.query import Query

__all__ = ["Division", "DivisionKind", "Slice", "divide"]

_MOST_PARTS: Final = 8
"""Parts of one division: where calls are bunched in time, most of them are empty, and cost a request each."""

_SPARE: Final = 1.25
"""Parts have room for so much more than an even share, as calls are never spread evenly."""


class DivisionKind(Enum):
    """The way in which a slice was divided."""

    TIME = auto()
    """Equal parts of the time, neighbours sharing their boundary second."""
    REACH = auto()
    """The same slice, reaching back half as far."""
    CONDITIONS = auto()
    """One part for each call type, or for each call result."""
    NONE = auto()
    """The same slice: it cannot be divided."""


@attrs.frozen(eq=False)
class Slice:
    """A part of the window."""

    query: Query
    start: int
    """First second; the query may begin earlier, by the reach."""
    end: int
    """Last second."""
    reach: int = 0
    division: Division | None = attrs.field(default=None, repr=False)
    """The division that this slice is a part of."""

    @classmethod
    def of(cls, query: Query, reach: int) -> Self:
        """Return the slice that is a whole window."""
        assert query.start_time is not None
        assert query.end_time is not None
        return cls(query, query.start_time, query.end_time, reach)

    @property
    def is_final(self) -> bool:
        """Tell whether it cannot be divided."""
        return self.division is not None and self.division.kind is DivisionKind.NONE


@attrs.define(eq=False)
class Division:
    """A slice and the parts it was divided into."""

    whole: Slice
    kind: DivisionKind
    total: int | None
    """TotalNum of the whole."""
    parts: list[Slice] = attrs.field(factory=list)
    judged: bool = False

    @property
    def needs_judging(self) -> bool:
        """Tell whether the TotalNums of the parts have to be compared with that of the whole before they are used."""
        return not self.judged and self.kind is DivisionKind.CONDITIONS

    def judge(self, totals: Sequence[int]) -> Division | None:
        """Compare the parts with the whole; return another division where the service ignores the condition.

        Args:
            totals: TotalNum of each part.
        """
        self.judged = True
        return _keep(self.whole, self.total) if min(totals) >= (self.total or 0) > 0 else None


def divide(
    whole: Slice, total: int | None, most_records: int, *, single_seconds: bool = False, newest_first: bool = False
) -> Division:
    """Divide a slice.

    Args:
        whole: The slice.
        total: Its TotalNum, if the service gave one.
        most_records: The greatest TotalNum that a part should have.
        single_seconds: Whether a window that ends where it starts holds a second.
        newest_first: Whether the last part comes first.
    """
    width = whole.end - whole.start
    if whole.division is not None and whole.division.kind is DivisionKind.CONDITIONS:
        return _divide_by_conditions(whole, total)
    if width > (not single_seconds) and width >= whole.reach:
        count = min(max(math.ceil((total or 0) * _SPARE / most_records), 2), _MOST_PARTS, width)
        edges = [whole.start + width * number // count for number in range(count + 1)]
        spans = list(pairwise(edges)) if width > 1 else [(whole.start, whole.start), (whole.end, whole.end)]
        if newest_first:
            spans.reverse()
        return _make(whole, DivisionKind.TIME, total, [_narrow(whole, *span, whole.reach) for span in spans])
    if whole.reach > 0:
        return _make(whole, DivisionKind.REACH, total, [_narrow(whole, whole.start, whole.end, whole.reach // 2)])
    return _divide_by_conditions(whole, total)


def _narrow(whole: Slice, start: int, end: int, reach: int) -> Slice:
    # Nothing before the window is asked for: a part begins no earlier than the whole.
    first = max(start - reach, whole.query.start_time or 0)
    return attrs.evolve(
        whole, query=attrs.evolve(whole.query, start_time=first, end_time=end), start=start, end=end, reach=reach
    )


def _divide_by_conditions(whole: Slice, total: int | None) -> Division:
    query = whole.query
    if query.call_type is None:
        parts = [attrs.evolve(query, call_type=call_type.value) for call_type in CallType]
    elif query.call_result is None:
        parts = [attrs.evolve(query, call_result=call_result.value) for call_result in CallResult]
    else:
        return _keep(whole, total)
    return _make(whole, DivisionKind.CONDITIONS, total, [attrs.evolve(whole, query=part) for part in parts])


def _keep(whole: Slice, total: int | None) -> Division:
    return _make(whole, DivisionKind.NONE, total, [whole])


def _make(whole: Slice, kind: DivisionKind, total: int | None, parts: list[Slice]) -> Division:
    division = Division(whole, kind, total)
    division.parts = [attrs.evolve(part, division=division) for part in parts]
    return division
