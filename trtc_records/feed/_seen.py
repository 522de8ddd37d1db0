"""The calls that a feed has dealt with.

State: digests of call ids by the hour in which the call ended, so that old ones are forgotten together. All that
touches them is in this file.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from trtc_records._api.models import CallRecord

__all__ = ["Digest", "SeenCalls"]

Digest = tuple[int, int]
"""A digest of a call id, 8 bytes as a signed integer, and the Unix second at which the call ended."""

_HOUR: Final = 3_600


class SeenCalls:
    """Digests of calls that ended at or after :attr:`floor`."""

    def __init__(self) -> None:
        self.floor = 0.0
        """The Unix second before which all ended calls count as seen."""
        self._hours: dict[int, set[int]] = {}

    def add(self, digests: Iterable[Digest]) -> None:
        """Add calls."""
        for digest, ended in digests:
            self._hours.setdefault(ended // _HOUR, set()).add(digest)

    def has(self, digest: Digest) -> bool:
        """Tell whether a call is known, or ended so early that it must be."""
        value, ended = digest
        return ended < self.floor or value in self._hours.get(ended // _HOUR, ())

    def forget(self, floor: float) -> None:
        """Raise the floor, and forget the calls that ended in an hour before it."""
        self.floor = max(self.floor, floor)
        for hour in [hour for hour in self._hours if (hour + 1) * _HOUR <= self.floor]:
            del self._hours[hour]


def digest_of(record: CallRecord) -> Digest:
    """Return the digest of a record: of its call id, or of the whole record where the id is empty."""
    text = record.call_id or repr(record)
    value = blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(value, signed=True), int((record.end_time or record.start_time).timestamp())
