"""Retries, by stamina: with back-off, jitter and a bound on the time."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import stamina

from trtc_records._errors import APIError, CallRecordsError, RateLimitError, RequestTimeoutError

__all__ = ["Retries", "Turn"]

Result = TypeVar("Result")

logger: Final = logging.getLogger("trtc_records")
logger.addHandler(logging.NullHandler())
# stamina logs a bare event name. Without this it would go to the standard error of every program that has not set up
# logging.
logging.getLogger("stamina").addHandler(logging.NullHandler())

_FIRST_WAIT: Final = 0.2  # seconds
_GROWTH: Final = 2  # times the wait, with each failure in a row
_GROWTH_REFUSED: Final = 3
"""The same after refusals for quota of one request: five attempts then outlast the time in which the rate falls to a
twentieth, and a single refusal costs no more than any failure."""
_JITTER: Final = (1.0, 2.0)  # times the wait
_LONGEST_WAIT: Final = 5.0
_MOST_STEPS: Final = 10  # more than the longest wait needs; a thousand would exceed a float
_LONGEST_RETRY_AFTER: Final = 3600.0  # a caller who sets no total_timeout waits no longer than that


class Turn:
    """The turn of a request among the others of its client: its place among those under way, and its permit.

    Args:
        retries: The retries of the client.
        deadline: The time after which the request is not tried again.
    """

    def __init__(self, retries: Retries, deadline: float) -> None:
        self._retries = retries
        self.deadline = deadline
        self.failure: CallRecordsError | None = None
        """The error of the last attempt; ``None`` before the first one has failed."""
        self.depth = 0
        """The requests of the client that were under way when it was sent last."""

    async def wait_in(self, line: Awaitable[object]) -> float:
        """Wait in *line*, and return the seconds. They do not count where others get responses meanwhile."""
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        await line
        waited = loop.time() - began_at
        if self._retries.heard_at > began_at:
            self.deadline += waited
        return waited

    def check(self) -> None:
        """Check that it is not too late for a further attempt.

        Raises:
            CallRecordsError: The error of the last one.
        """
        if self.failure is not None and asyncio.get_running_loop().time() > self.deadline:
            raise self.failure


class Retries:
    """The retries of all requests of a client.

    Args:
        attempts: The most attempts of a request, the first one included.
        total_timeout: Seconds after which no further attempt of a request begins, without its waits in line while
            others get responses; ``None`` for no bound.
    """

    def __init__(self, *, attempts: int, total_timeout: float | None) -> None:
        self._attempts = attempts
        self._total_timeout = math.inf if total_timeout is None else total_timeout
        self._succeeded_at = -math.inf
        self.heard_at = -math.inf
        """The time of the last response to any request, or of a failure other than a time-out."""
        self.waiting = 0
        """The requests that wait for their next attempt."""

    async def run(self, attempt_once: Callable[[Turn], Awaitable[Result]]) -> Result:
        """Return the result of the first attempt that succeeds.

        Args:
            attempt_once: Makes one attempt, when it is the request's turn.

        Raises:
            CallRecordsError: The last attempt failed, or one failed with an error that a retry cannot fix.
        """
        loop = asyncio.get_running_loop()
        turn = Turn(self, loop.time() + self._total_timeout)
        # stamina comes in with the first failure, and is given that as its first attempt: most requests have none, and
        # its context takes a tenth of the time of a whole page.
        try:
            return await self._note(attempt_once(turn))
        except CallRecordsError as error:
            turn.failure = error
        failures_in_a_row = 0
        wait: float | None = None

        def wait_for(_: Exception) -> bool | float:
            return False if wait is None else wait

        attempts = stamina.retry_context(
            on=wait_for,
            attempts=self._attempts,
            timeout=None,  # stamina checks only the time that has passed, and lets an attempt begin too late
        )
        try:
            async for attempt in attempts:
                self.waiting -= wait is not None
                wait = None
                with attempt:
                    started_at = loop.time()
                    try:
                        if attempt.num == 1:
                            raise turn.failure
                        return await self._note(attempt_once(turn))
                    except CallRecordsError as error:
                        turn.failure = error
                        # Requests fail one after another only while the whole service does.
                        failures_in_a_row = 1 if self._succeeded_at > started_at else failures_in_a_row + 1
                        if isinstance(error, RateLimitError):
                            back_off = _grow(_GROWTH_REFUSED, attempt.num)
                        else:
                            back_off = _grow(_GROWTH, failures_in_a_row)
                        if error.retryable and attempt.num < self._attempts:
                            wait = _choose_wait(error, back_off, turn.deadline - loop.time())
                        if self._attempts > 1 and (error.retryable or attempt.num > 1):
                            _log(error, attempt.num, self._attempts, wait)
                        self.waiting += wait is not None
                        raise
        finally:
            turn.failure = None  # an error refers to this frame, which must not refer to it
            self.waiting -= wait is not None
        raise AssertionError("stamina returns or raises")  # pragma: no cover

    async def _note(self, attempt: Awaitable[Result]) -> Result:
        """Await *attempt*, and note its success, or that it failed otherwise than by a time-out."""
        loop = asyncio.get_running_loop()
        try:
            result = await attempt
        except RequestTimeoutError:
            raise
        except CallRecordsError:
            self.heard_at = loop.time()
            raise
        self.heard_at = self._succeeded_at = loop.time()
        return result


def _grow(factor: float, failures: int) -> float:
    return _FIRST_WAIT * factor ** min(failures - 1, _MOST_STEPS)


def _choose_wait(error: CallRecordsError, back_off: float, time_left: float) -> float | None:
    """Return the seconds until the next attempt, or ``None`` if it would begin too late.

    They are chosen here, not by stamina: the time left and the log need them.
    """
    if error.retry_after is not None:
        wait = error.retry_after
        time_left = min(time_left, _LONGEST_RETRY_AFTER)
    else:
        wait = min(back_off * random.uniform(*_JITTER), _LONGEST_WAIT)
    return wait if wait < time_left else None


def _log(error: CallRecordsError, attempt: int, attempts: int, wait: float | None) -> None:
    logger.log(
        logging.WARNING if wait is None else logging.INFO,
        "attempt %d of %d failed, %s: %s",
        attempt,
        attempts,
        "and was the last" if wait is None else f"the next follows in {wait:.2f} s",
        error,
        extra={
            "trtc_attempt": attempt,
            "trtc_wait": wait,
            "trtc_code": error.code if isinstance(error, APIError) else None,
            "trtc_request_id": getattr(error, "request_id", ""),
        },
    )
