"""Try again what may succeed: with back-off, jitter and a bound, by stamina.

Every attempt passes the limiter, because the limiter sits below, at the transport.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import stamina

from trtc_records._errors import APIError, CallRecordsError, RateLimitedError, TransportError

__all__ = ["Retrier"]

Result = TypeVar("Result")

logger: Final = logging.getLogger("trtc_records")
logger.addHandler(logging.NullHandler())
# stamina logs too, a bare event name: without this it would stand on the standard error of every program that
# has not set up logging.
logging.getLogger("stamina").addHandler(logging.NullHandler())

_FIRST_WAIT: Final = 0.2  # seconds; doubled each time
_JITTER: Final = (1.0, 2.0)  # times the wait: stamina's own, of up to a second, holds up a walk at its first fault
_LONGEST_WAIT: Final = 5.0
_REFUSED_WAIT: Final = 0.01  # the limiter itself makes a refused request wait


class Retrier:
    """Repeat a request while it fails in a way that another try may mend.

    Args:
        attempts: How often to try at the most, the first time included.
        total_timeout: Seconds after which no further attempt begins; ``None`` for no bound.
    """

    def __init__(self, *, attempts: int, total_timeout: float | None) -> None:
        self._attempts = attempts
        self._total_timeout = total_timeout

    async def __call__(self, request: Callable[[], Awaitable[Result]]) -> Result:
        """Return what *request* returns, or raise what its last attempt raised."""
        loop = asyncio.get_running_loop()
        deadline = math.inf if self._total_timeout is None else loop.time() + self._total_timeout
        failure: CallRecordsError | None = None
        try:
            return await request()
        except CallRecordsError as error:
            if self._attempts == 1 or not error.retryable:
                raise
            failure = error
        # The first attempt went without stamina, which costs as much as the request itself; from here on it
        # sees them all.
        wait: float | None = None

        def wait_for(_: Exception) -> bool | float:
            return False if wait is None else wait

        async for attempt in stamina.retry_context(
            on=wait_for,
            attempts=self._attempts,
            timeout=None,  # stamina's would look back only, and let an attempt begin after it
            wait_initial=_FIRST_WAIT,
            wait_max=_LONGEST_WAIT,
        ):
            wait = None
            with attempt:
                try:
                    if failure is not None:
                        first, failure = failure, None
                        raise first
                    return await request()
                except CallRecordsError as error:
                    wait = self._choose_wait(error, attempt, deadline - loop.time())
                    self._log(error, attempt.num, wait)
                    raise
        raise AssertionError("stamina returns or raises")  # pragma: no cover

    def _choose_wait(self, error: CallRecordsError, attempt: stamina.Attempt, time_left: float) -> float | None:
        """Return the seconds until the next attempt, or ``None`` if there is none that may succeed in time."""
        if not error.retryable or attempt.num >= self._attempts:
            return None
        if isinstance(error, RateLimitedError):
            wait = _REFUSED_WAIT
        elif isinstance(error, TransportError) and error.retry_after is not None:
            wait = error.retry_after
        else:
            wait = min(attempt.next_wait * random.uniform(*_JITTER), _LONGEST_WAIT)
        return wait if wait < time_left else None

    def _log(self, error: CallRecordsError, attempt: int, wait: float | None) -> None:
        logger.log(
            logging.WARNING if wait is None else logging.INFO,
            "attempt %d of %d failed, %s: %s",
            attempt,
            self._attempts,
            "and was the last" if wait is None else f"the next follows in {wait:.2f} s",
            error,
            extra={
                "trtc_attempt": attempt,
                "trtc_wait": wait,
                "trtc_code": error.code if isinstance(error, APIError) else None,
                "trtc_request_id": getattr(error, "request_id", ""),
            },
        )
