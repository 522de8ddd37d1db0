"""The iteration over an async generator from code that is not async."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator

import pytest

from trtc_records.warehouse._bridge import iterate


class Numbers:
    """An async generator that records its own end."""

    def __init__(self, count: int, error: Exception | None = None) -> None:
        self.made = 0
        self.tidied_up = False
        self.tasks: set[object] = set()
        self._count = count
        self._error = error

    async def make(self) -> AsyncGenerator[int, None]:
        try:
            for number in range(self._count):
                self.tasks.add(asyncio.current_task())
                await asyncio.sleep(0)
                self.made += 1
                yield number
            if self._error is not None:
                raise self._error
        finally:
            await asyncio.sleep(0.01)  # closing connections takes more than one step
            self.tidied_up = True


def test_everything_comes_in_order() -> None:
    """Each item comes once, in order."""
    numbers = Numbers(100)
    assert list(iterate(numbers.make(), ahead=2)) == list(range(100))
    assert numbers.tidied_up


def test_generator_stays_in_one_task() -> None:
    """The generator runs in one task, as timeouts and cancel scopes demand."""
    numbers = Numbers(5)
    list(iterate(numbers.make(), ahead=1))
    assert len(numbers.tasks) == 1


def test_error_is_raised_behind_the_items_before_it() -> None:
    """An error in the generator reaches the caller, with nothing lost before it."""
    numbers = Numbers(3, LookupError("gone"))
    items = iterate(numbers.make(), ahead=2)
    assert [next(items), next(items), next(items)] == [0, 1, 2]
    with pytest.raises(LookupError, match="gone"):
        next(items)
    assert numbers.tidied_up


def test_generator_does_not_run_away() -> None:
    """The generator makes only a few items ahead of the consumer."""
    numbers = Numbers(1_000)
    items = iterate(numbers.make(), ahead=2)
    next(items)
    threading.Event().wait(0.05)
    assert numbers.made <= 5
    items.close()


def test_leaving_early_lets_the_generator_tidy_up() -> None:
    """Closing waits until the generator has cleaned up, and ends the thread."""
    numbers = Numbers(1_000)
    items = iterate(numbers.make(), ahead=2)
    next(items)
    items.close()
    assert numbers.tidied_up
    assert "portal" not in " ".join(thread.name for thread in threading.enumerate())


@pytest.mark.anyio
async def test_it_works_beside_a_running_loop() -> None:
    """It works in a thread with a running loop, as a notebook has."""
    assert list(iterate(Numbers(3).make(), ahead=1)) == [0, 1, 2]
