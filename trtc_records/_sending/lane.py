"""The interface of a lane: a connection that takes one request at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

__all__ = ["ERROR_BODY_WAIT", "MOST_HEAD_BYTES", "OK", "Exchange", "Headers", "Lane", "TakePermit"]

Headers = list[tuple[bytes, bytes]]
TakePermit = Callable[[], Awaitable[None]]

Exchange = tuple[int, Headers, bytes, Any]
"""Status, headers and body of a response, which may be compressed, and the connection that it came over."""

OK: Final = 200
"""The only status whose body is needed."""

ERROR_BODY_WAIT: Final = 1.0
"""Seconds that the body of an error status may take: nothing in it is needed, but then the connection can be kept."""

MOST_HEAD_BYTES: Final = 2**18
"""The most bytes of a response beside its body; h11 bounds a head at 100 KiB."""


class Lane(Protocol):
    """A connection that is opened for its first request."""

    @property
    def is_closed(self) -> bool:
        """Return whether it takes no further request."""
        ...

    @property
    def is_stale(self) -> bool:
        """Return whether it is closed, or the server has closed it or sent something that no request asked for."""
        ...

    async def exchange(
        self, target: bytes, headers: Headers, content: bytes, take_permit: TakePermit
    ) -> Exchange | None:
        """Post *content* to *target*, and return the response; ``None`` if it is stale and nothing was sent.

        *take_permit* is awaited just before the first byte is written. If it fails, the lane can be used again.
        """
        ...

    async def aclose(self) -> None:
        """Close it; a request under way fails."""
        ...
