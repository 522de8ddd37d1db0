"""Retries, by stamina: with back-off, jitter and a bound on the time."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import stamina

from trtc_records._errors import APIError, CallRecordsError, RateLimitError

__all__ = ["retry"]

Result = TypeVar("Result")

logger: Final = logging.getLogger("trtc_records")
logger.addHandler(logging.NullHandler())
# stamina logs a bare event name. Without this it would go to the standard error of every program that has not set up
# logging.
logging.getLogger("stamina").addHandler(logging.NullHandler())

_FIRST_WAIT: Final = 0.2  # seconds; doubled each time
_JITTER: Final = (1.0, 2.0)  # times the wait
_LONGEST_WAIT: Final = 5.0
_RATE_LIMIT_WAIT: Final = 0.01  # the limiter itself delays the next attempt
_LONGEST_RETRY_AFTER: Final = 3600.0  # a caller who sets no total_timeout waits no longer than that


async def retry(attempt_once: Callable[[], Awaitable[Result]], *, attempts: int, total_timeout: float | None) -> Result:
    """Return the result of the first attempt that succeeds.

    Args:
        attempt_once: Makes one attempt.
        attempts: The most attempts, the first one included.
        total_timeout: Seconds after which no further attempt begins; ``None`` for no bound.

    Raises:
        CallRecordsError: The last attempt failed, or one failed with an error that a retry cannot fix.
    """
    loop = asyncio.get_running_loop()
    deadline = math.inf if total_timeout is None else loop.time() + total_timeout
    wait: float | None = None

    def wait_for(_: Exception) -> bool | float:
        return False if wait is None else wait

    async for attempt in stamina.retry_context(
        on=wait_for,
        attempts=attempts,
        timeout=None,  # stamina checks only the time that has passed, and lets an attempt begin too late
        wait_initial=_FIRST_WAIT,
        wait_max=_LONGEST_WAIT,
    ):
        wait = None
        with attempt:
            try:
                return await attempt_once()
            except CallRecordsError as error:
                if error.retryable and attempt.num < attempts:
                    wait = _choose_wait(error, attempt.next_wait, deadline - loop.time())
                if attempts > 1 and (error.retryable or attempt.num > 1):
                    _log(error, attempt.num, attempts, wait)
                raise
    raise AssertionError("stamina returns or raises")  # pragma: no cover


def _choose_wait(error: CallRecordsError, back_off: float, time_left: float) -> float | None:
    """Return the seconds until the next attempt, or ``None`` if it would begin too late.

    The jitter is drawn here, not by stamina: the time left and the log need the sum.
    """
    if error.retry_after is not None:
        wait = error.retry_after
        time_left = min(time_left, _LONGEST_RETRY_AFTER)
    elif isinstance(error, RateLimitError):
        wait = _RATE_LIMIT_WAIT
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
