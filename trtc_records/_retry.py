"""Try again what may succeed: with back-off, jitter and a bound, by stamina.

Every attempt passes the limiter, because the limiter sits below, at the transport.
"""

from __future__ import annotations

import logging
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
        failure: CallRecordsError | None = None
        try:
            return await request()
        except CallRecordsError as error:
            if self._attempts == 1 or self._wait_for(error) is False:
                raise
            failure = error
        # The first attempt went without stamina, which costs as much as the request itself; from here on it
        # sees them all.
        async for attempt in stamina.retry_context(
            on=self._wait_for,
            attempts=self._attempts,
            timeout=self._total_timeout,
            wait_initial=_FIRST_WAIT,
            wait_max=_LONGEST_WAIT,
        ):
            with attempt:
                try:
                    if failure is not None:
                        first, failure = failure, None
                        raise first
                    return await request()
                except CallRecordsError as error:
                    self._log(error, attempt)
                    raise
        raise AssertionError("stamina returns or raises")  # pragma: no cover

    def _wait_for(self, error: Exception) -> bool | float:
        """Tell stamina whether to try again and, where that is known, after how many seconds."""
        if not isinstance(error, CallRecordsError) or not error.retryable:
            return False
        if isinstance(error, RateLimitedError):
            return _REFUSED_WAIT
        if isinstance(error, TransportError) and error.retry_after is not None:
            in_time = self._total_timeout is None or error.retry_after < self._total_timeout
            return error.retry_after if in_time else False
        return True

    def _log(self, error: CallRecordsError, attempt: stamina.Attempt) -> None:
        wait = self._wait_for(error)
        again = wait is not False and attempt.num < self._attempts
        seconds = attempt.next_wait if wait is True else float(wait)
        logger.log(
            logging.INFO if again else logging.WARNING,
            "attempt %d of %d failed, %s: %s",
            attempt.num,
            self._attempts,
            f"the next follows in {seconds:.2f} s or more" if again else "and was the last",
            error,
            extra={
                "trtc_attempt": attempt.num,
                "trtc_wait": seconds if again else None,
                "trtc_code": error.code if isinstance(error, APIError) else None,
                "trtc_request_id": getattr(error, "request_id", ""),
            },
        )
