"""Try again what may succeed: with back-off, jitter and a bound, by stamina.

Every attempt passes the limiter, because the limiter sits below, at the transport.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina

from trtc_records._errors import CallRecordsError

__all__ = ["Retrier"]

Result = TypeVar("Result")


class Retrier:
    """Repeat a call while it fails in a way that another try may mend.

    Args:
        attempts: How often to try at the most, the first time included.
        total_timeout: Seconds after which no further attempt begins; ``None`` for no bound.
    """

    def __init__(self, *, attempts: int, total_timeout: float | None) -> None:
        self._attempts = attempts
        self._total_timeout = total_timeout

    async def __call__(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """Return what *call* returns, or raise what its last attempt raised."""
        failure: CallRecordsError | None = None
        try:
            return await call()
        except CallRecordsError as error:
            if not error.retryable or self._attempts == 1:
                raise
            failure = error
        # The first attempt went without stamina, which costs more than the request; from here on it
        # sees them all.
        async for attempt in stamina.retry_context(
            on=_wait_for, attempts=self._attempts, timeout=self._total_timeout, wait_initial=0.2, wait_max=5.0
        ):
            with attempt:
                if failure is not None:
                    first, failure = failure, None
                    raise first
                return await call()
        raise AssertionError("stamina returns or raises")  # pragma: no cover


def _wait_for(error: Exception) -> bool | float:
    """Tell stamina whether to try again, and where the server says so, after how many seconds."""
    if not isinstance(error, CallRecordsError) or not error.retryable:
        return False
    return getattr(error, "retry_after", None) or True
