"""Facts about the service that Tencent does not document, as one client has found them out.

State: the facts. All that touches them is in this file. Each walk of the client uses them and adds to them.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from enum import Enum, auto
from typing import Final

import attrs

from trtc_records._walking.listing import Shortfall, ShortfallKind

__all__ = ["Limits", "Meaning", "ServiceFacts", "looks_capped"]

_MOST_TOTALS: Final = 256
"""TotalNums that are remembered, to notice one that comes again."""

logger: Final = logging.getLogger("trtc_records")


class Meaning(Enum):
    """The part of a call that a query's StartTime and EndTime are compared with."""

    START = auto()
    """A call's start, or any moment of the call: both find a call by its start."""
    END = auto()
    """A call's end."""
    WITHIN = auto()
    """The whole call: both its start and its end."""


@attrs.frozen
class Limits:
    """The length of a list that is known to work."""

    most_records: int | None
    """The greatest TotalNum of a list that can be read and counted; ``None`` for no known limit."""
    capped_total: int | None
    """The greatest TotalNum that the service gives; ``None`` where none was noticed."""


def looks_capped(total: int) -> bool:
    """Tell whether a count looks like a limit: a multiple of 100, a power of two or one less."""
    power = total >= 63 and (total & (total + 1) == 0 or total & (total - 1) == 0)
    return power or (total >= 100 and total % 100 == 0)


class ServiceFacts:
    """Facts that one client has found out about the service."""

    def __init__(self) -> None:
        self.capped_total: int | None = None
        """The greatest TotalNum that the service gives; ``None`` where none was noticed."""
        self.ignores_window = False
        """Whether the service gives records that lie outside the window asked for: dividing it helps nothing then."""
        self.overstates_total = False
        """Whether TotalNum has promised records that no list held."""
        self.meaning: Meaning | None = None
        """The meaning of a window; ``None`` while it is not known."""
        self.single_seconds = False
        """Whether a window that ends where it starts is known to hold a second."""
        self.longest_call = 0
        """Seconds of the longest call seen."""
        self._depth: tuple[int, int] | None = None
        self._totals: OrderedDict[int, tuple[int, int]] = OrderedDict()

    def limits(self, page_length: int, *shortfalls: Shortfall | None) -> Limits:
        """Return how long a list can be.

        Args:
            page_length: Records on a page. Whether the depth is one of pages or of records is not known, so the
                smaller counts.
            shortfalls: They count in place of earlier ones.
        """
        depth, cap = self._depth, self.capped_total
        for shortfall in shortfalls:
            if shortfall is not None and shortfall.kind is ShortfallKind.CAPPED:
                cap = shortfall.records
            elif shortfall is not None:
                depth = (shortfall.pages, shortfall.page_length)
        most = [] if depth is None else [depth[0] * min(depth[1], page_length)]
        if cap is not None:
            most.append(cap - 1)
        return Limits(max(min(most), 1) if most else None, cap)

    def learn(self, shortfall: Shortfall) -> None:
        """Remember where a list ended, since slices of its window held more."""
        if shortfall.kind is ShortfallKind.CAPPED:
            is_new, self.capped_total = self.capped_total is None, shortfall.records
            text = "the service counts no more than %d records: windows with so many are divided from now on"
        else:
            is_new, self._depth = self._depth is None, (shortfall.pages, shortfall.page_length)
            text = "the service gives no page beyond record %d: longer windows are divided from now on"
        if is_new:
            logger.info(text, shortfall.records, extra={"trtc_depth": shortfall.records})

    def is_suspicious(self, total: int, window: tuple[int, int]) -> bool:
        """Tell whether a list's TotalNum may be a cap, and remember it.

        Args:
            total: The TotalNum.
            window: Start and end of the window, in Unix seconds.
        """
        before = self._totals.setdefault(total, window)
        if len(self._totals) > _MOST_TOTALS:
            self._totals.popitem(last=False)
        return looks_capped(total) or before != window
