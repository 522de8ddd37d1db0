"""The iteration over an async generator from code that is not async."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import wait
from contextlib import aclosing
from typing import Any, TypeVar

from anyio import EndOfStream, create_memory_object_stream
from anyio.abc import TaskStatus
from anyio.from_thread import start_blocking_portal
from anyio.streams.memory import MemoryObjectSendStream

__all__ = ["iterate"]

Item = TypeVar("Item")


def iterate(items: AsyncGenerator[Item, None], *, ahead: int) -> Generator[Item, None, None]:
    """Yield the items of *items*, which runs in one task, in an event loop and a thread of its own.

    Its errors are raised here. When this ends for any reason, *items* is closed and the thread has ended.

    Args:
        items: The async generator, not started yet.
        ahead: The most items that it may produce ahead.
    """
    with start_blocking_portal() as portal:
        send, receive = create_memory_object_stream[Item](ahead)
        done, task = portal.start_task(_feed, items, send)
        try:
            while True:
                try:
                    item = portal.call(receive.receive)
                except EndOfStream:
                    break
                yield item
            done.result()
        finally:
            # The portal would cancel every await in the generator's own clean-up; this asks it once to end.
            portal.call(task.cancel)
            wait([done])
            portal.call(receive.close)


async def _feed(
    items: AsyncGenerator[Item, None],
    send: MemoryObjectSendStream[Item],
    *,
    task_status: TaskStatus[asyncio.Task[Any] | None],
) -> None:
    task_status.started(asyncio.current_task())
    async with send, aclosing(items):
        async for item in items:
            await send.send(item)
