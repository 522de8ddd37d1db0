"""The retries, by attempts that the test decides about, on a clock that jumps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stamina
import virtual_time

from trtc_records._errors import RequestTimeoutError, TransportError
from trtc_records._sending.retry import Retries, Turn


@pytest.fixture(autouse=True)
def stamina_as_it_was() -> Iterator[None]:
    """Undo what a test sets in stamina, which is the same for a whole process."""
    hooks = stamina.instrumentation.get_on_retry_hooks()
    yield
    stamina.instrumentation.set_on_retry_hooks(hooks)
    stamina.set_testing(False)
    stamina.set_active(True)


class Attempts:
    """Attempts of which the first ones fail."""

    def __init__(self, failures: int) -> None:
        self.failures = [TransportError(f"failure {number}") for number in range(1, failures + 1)]
        self.begun = 0

    async def __call__(self, _: Turn) -> str:
        self.begun += 1
        if self.begun <= len(self.failures):
            raise self.failures[self.begun - 1]
        return "result"


def run(attempts: Attempts, most: int = 4) -> str:
    """Run attempts, *most* of them."""
    return virtual_time.run(Retries(attempts=most, total_timeout=None).run(attempts))


def test_a_request_that_succeeds_at_once_makes_no_context(monkeypatch: pytest.MonkeyPatch) -> None:
    """stamina's context costs more than the rest; one is made for the first failure, and no more for others."""
    made: list[Any] = []
    make = stamina.retry_context

    def count(**options: Any) -> Any:
        made.append(options)
        return make(**options)

    monkeypatch.setattr(stamina, "retry_context", count)
    assert run(Attempts(0)) == "result"
    assert made == []
    assert run(Attempts(2)) == "result"
    assert len(made) == 1


def test_each_failure_is_told_to_hooks_once() -> None:
    """Hooks see the first failure too, with its number, its error, and the waits before it."""
    seen: list[stamina.instrumentation.RetryDetails] = []
    stamina.instrumentation.set_on_retry_hooks([seen.append])
    attempts = Attempts(3)
    assert run(attempts) == "result"
    assert attempts.begun == 4
    assert [details.retry_num for details in seen] == [1, 2, 3]
    assert [details.caused_by for details in seen] == attempts.failures
    assert seen[0].waited_so_far == 0.0
    assert seen[2].waited_so_far == pytest.approx(seen[0].wait_for + seen[1].wait_for)


@pytest.mark.parametrize(
    ("set_up", "expected"),
    [
        (lambda: stamina.set_active(False), 1),
        (lambda: stamina.set_testing(True), 1),
        (lambda: stamina.set_testing(True, attempts=2), 2),
        (lambda: stamina.set_testing(True, attempts=9, cap=True), 4),
        (lambda: None, 4),
    ],
    ids=["not active", "testing", "testing with 2 attempts", "testing with a cap", "as it is"],
)
def test_staminas_switches_hold(set_up: Callable[[], object], expected: int) -> None:
    """A program's tests turn retries off, or set how many attempts there are."""
    set_up()
    attempts = Attempts(9)
    with pytest.raises(TransportError) as caught:
        run(attempts)
    assert attempts.begun == expected
    assert caught.value is attempts.failures[expected - 1]


def test_an_error_does_not_keep_the_frames_that_it_came_through() -> None:
    """The frame of the retries does not refer to the error that went through it."""
    attempts = Attempts(9)
    with pytest.raises(TransportError) as caught:
        run(attempts)
    step = caught.value.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename.endswith("retry.py"):
            assert not any(isinstance(value, TransportError) for value in step.tb_frame.f_locals.values())
        step = step.tb_next


@pytest.mark.parametrize(("others", "begun"), [(False, 1), (True, 5)])
def test_the_total_time_includes_waits_for_a_turn_only_without_responses(others: bool, begun: int) -> None:
    """While others get responses, the request waits behind them, and not for the service."""
    retries = Retries(attempts=5, total_timeout=12.0)
    count = 0

    async def attempt(turn: Turn) -> None:
        nonlocal count
        await turn.wait_in(asyncio.sleep(8.0))
        turn.check()
        count += 1
        raise RequestTimeoutError("no answer")

    async def be_refused(_: Turn) -> None:
        await asyncio.sleep(1.0)
        raise TransportError("HTTP status 404", 404, retryable=False)

    async def main() -> None:
        failing = asyncio.create_task(retries.run(attempt))
        while others and not failing.done():
            with pytest.raises(TransportError):
                await retries.run(be_refused)
        with pytest.raises(RequestTimeoutError):
            await failing

    virtual_time.run(main())
    assert count == begun
