"""The waits between attempts, on a clock that jumps."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from virtual_time import run

from trtc_records import CallRecordsError, RateLimitError, TransportError
from trtc_records._sending.retry import Retries, Turn

REFUSAL = RateLimitError(60007, "call frequency exceeded")


@pytest.mark.parametrize("error", [TransportError("it was lost"), REFUSAL], ids=["failures", "refusals"])
def test_an_outage_of_hours_is_waited_for(error: CallRecordsError) -> None:
    """However many attempts have failed, the next one follows within 5 seconds."""
    failures = iter(range(2000))
    begun: list[float] = []

    async def attempt(_: Turn) -> str:
        begun.append(asyncio.get_running_loop().time())
        if next(failures, None) is not None:
            raise error
        return "answer"

    assert run(Retries(attempts=3000, total_timeout=None).run(attempt)) == "answer"
    waits = [after - before for before, after in pairwise(begun)]
    assert max(waits) <= 5.1
    assert len(waits) == 2000


@pytest.mark.parametrize(("error", "grows"), [(TransportError("it was lost"), False), (REFUSAL, True)])
def test_a_request_that_is_refused_again_waits_longer(error: CallRecordsError, *, grows: bool) -> None:
    """Even while others are answered; one that fails for another reason then waits no longer."""
    begun: list[float] = []

    async def fail(_: Turn) -> None:
        await asyncio.sleep(0.05)
        begun.append(asyncio.get_running_loop().time())
        raise error

    async def answer(_: Turn) -> None:
        await asyncio.sleep(0.01)

    async def main() -> None:
        retries = Retries(attempts=5, total_timeout=None)
        failing = asyncio.create_task(retries.run(fail))
        while not failing.done():
            await retries.run(answer)
        with pytest.raises(type(error)):
            await failing

    run(main())
    waits = [after - before for before, after in pairwise(begun)]
    assert (waits[-1] >= 1.6) == grows
