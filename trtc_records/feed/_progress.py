"""The calls that a feed has given, in memory and in its checkpoint.

State: the place, the digests, and those not saved yet. All that touches them is in this file.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from trtc_records.feed._checkpoint import Checkpoint
from trtc_records.feed._place import Place
from trtc_records.feed._seen import Digest, SeenCalls

__all__ = ["SAVE_AT_LEAST", "Progress"]

_SAVE_EVERY: Final = 1.0
"""Seconds between two saves while calls are given: the calls that a killed process gives again."""


SAVE_AT_LEAST: Final = 20.0
"""Seconds between two saves where nothing is new: by them a checkpoint that other processes reach keeps its lock."""


class Progress:
    """The progress of a feed.

    Args:
        checkpoint: Where it is kept; ``None`` for memory only.
        feed: The app, the endpoint and the filters that it belongs to.
    """

    def __init__(self, checkpoint: Checkpoint | None, feed: dict[str, Any]) -> None:
        self.place: Place | None = None
        """The place; ``None`` until the feed has begun."""
        self._checkpoint = checkpoint
        self._feed = feed
        self._seen = SeenCalls()
        self._unsaved: list[Digest] = []
        self._has_changed = False
        self._saved_at = 0.0
        self._is_open = False

    async def load(self) -> None:
        """Lock the checkpoint and read it.

        Raises:
            ConfigurationError: It is in use, or belongs to another feed.
            CheckpointError: It cannot be read.
        """
        if self._checkpoint is None:
            return
        text, seen = await self._checkpoint.load()
        self._is_open = True
        if text is not None:
            self.place = Place.from_text(text, self._feed)
            self._seen.add(seen)
            self._seen.forget(self.place.floor)

    async def begin(self, now: float, since: float | None) -> Place:
        """Return the place that was loaded, or a new one; *now* and *since* are Unix seconds."""
        if self.place is None:
            self.place = Place(feed=self._feed, begun=now, since=since)
            self._has_changed = True
            await self.save()
        return self.place

    def has(self, digest: Digest) -> bool:
        """Tell whether a call is known."""
        return self._seen.has(digest)

    def has_invalid(self, value: int) -> bool:
        """Tell whether a record that cannot be read is known by its digest."""
        return self._seen.has_at_any_time(value)

    def add(self, digest: Digest) -> None:
        """Add a call that was found: it is not found again in this process."""
        self._seen.add([digest])

    def note_given(self, digest: Digest) -> None:
        """Note that a call was given, or need not be."""
        self._unsaved.append(digest)

    def advance(self, mark: float, floor: float) -> None:
        """Note that all calls whose records could be read at *mark* were given; never go back."""
        assert self.place is not None
        self.place.mark = max(self.place.mark or 0.0, mark)
        self.place.floor = max(self.place.floor, floor)
        self._seen.forget(self.place.floor)
        self._has_changed = True

    async def save_if_due(self) -> None:
        """Save, unless that was done less than a second ago."""
        if asyncio.get_running_loop().time() >= self._saved_at + _SAVE_EVERY:
            await self.save()

    async def save(self) -> None:
        """Save, if there is anything new, or the last save was long ago.

        Raises:
            CheckpointError: The checkpoint cannot be written.
        """
        if self._checkpoint is None or self.place is None:
            self._unsaved.clear()
            return
        now = asyncio.get_running_loop().time()
        if self._unsaved or self._has_changed or now >= self._saved_at + SAVE_AT_LEAST:
            saved = len(self._unsaved)
            await self._checkpoint.save(self.place.to_text(), self._unsaved[:saved], int(self.place.floor))
            del self._unsaved[:saved]
            self._has_changed = False
            self._saved_at = now

    async def wait(self, seconds: float) -> None:
        """Wait, and save meanwhile."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0:
            await asyncio.sleep(min(left, SAVE_AT_LEAST))
            await self.save()

    async def aclose(self) -> None:
        """Save, and unlock the checkpoint."""
        if self._checkpoint is None or not self._is_open:
            return  # a checkpoint that refused this feed may be in use by another
        self._is_open = False
        try:
            await self.save()
        finally:
            await self._checkpoint.aclose()
