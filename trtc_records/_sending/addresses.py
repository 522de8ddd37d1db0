"""Connect to the first address of a host that answers (RFC 8305); asyncio's own way to do so is missing in uvloop."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Any, Final

__all__ = ["connect"]

_Address = tuple[int, int, int, str, Any]

_NEXT_ADDRESS: Final = 0.25  # seconds until the next address is tried as well


async def connect(host: str, port: int) -> socket.socket:
    """Return a socket that is connected to *host*.

    Raises:
        OSError: It has no address, or none of them answers.
    """
    loop = asyncio.get_running_loop()
    addresses = deque(_alternate(await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
    attempts: set[asyncio.Task[socket.socket]] = set()
    errors: list[str] = []
    winner: socket.socket | None = None
    try:
        while winner is None and (addresses or attempts):
            if addresses:
                attempts.add(loop.create_task(_try(addresses.popleft())))
            wait = _NEXT_ADDRESS if addresses else None
            done, _ = await asyncio.wait(attempts, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            for attempt in done:
                try:
                    winner = attempt.result()
                except OSError as error:
                    errors.append(str(error))
                attempts.remove(attempt)
                if winner is not None:
                    break
    finally:
        # Nothing is awaited here: a second cancellation would leave sockets open.
        for attempt in attempts:
            attempt.cancel()
            attempt.add_done_callback(_close_result)
    if winner is None:
        raise OSError("; ".join(errors) or f"{host} has no address")
    return winner


async def _try(address: _Address) -> socket.socket:
    family, kind, protocol, _, place = address
    attempt = socket.socket(family, kind, protocol)
    try:
        attempt.setblocking(False)
        await asyncio.get_running_loop().sock_connect(attempt, place)
    except BaseException:
        attempt.close()
        raise
    return attempt


def _close_result(attempt: asyncio.Task[socket.socket]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()


def _alternate(addresses: Sequence[_Address]) -> list[_Address]:
    """Return *addresses*, those of the first one's family in turn with the others."""
    first = [each for each in addresses if each[0] == addresses[0][0]]
    others = [each for each in addresses if each[0] != addresses[0][0]]
    return [each for each in chain.from_iterable(zip_longest(first, others)) if each is not None]
