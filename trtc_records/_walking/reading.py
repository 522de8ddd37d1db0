"""A walk in progress that may be paused: nothing runs until it is asked for its next page."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from trtc_records._api.models import CallRecordPage
from trtc_records._api.query import Query
from trtc_records._walking.facts import ServiceFacts
from trtc_records._walking.prefetch import Prefetcher
from trtc_records._walking.walk import Walk

__all__ = ["Reading"]


class Reading:
    """A walk over one window.

    Args:
        prefetcher: Where the pages come from; it is closed with the reading.
        query: The conditions, with both ends of the window.
        facts: What the client knows about the service.
    """

    def __init__(self, prefetcher: Prefetcher, query: Query, facts: ServiceFacts) -> None:
        self.query = query
        self.walk = Walk(prefetcher, query, prefetcher.open(query), facts)
        self._prefetcher = prefetcher
        self._pages: AsyncGenerator[CallRecordPage, None] = self.walk.pages()

    async def next_page(self) -> CallRecordPage | None:
        """Return the next page, or ``None`` after the last.

        Raises:
            CallRecordsError: A page could not be read.
        """
        self._prefetcher.resume()
        return await anext(self._pages, None)

    async def pause(self, within: float) -> bool:
        """Start no further request, and wait for those under way; return whether all have been answered.

        Args:
            within: Seconds to wait.
        """
        return await self._prefetcher.pause(within)

    async def aclose(self) -> None:
        """Cancel all that is under way."""
        await self._pages.aclose()
        await self._prefetcher.aclose()
