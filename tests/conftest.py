"""Fixtures for the tests of the core: a service on a real port, and a client for it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
import stamina._core

from trtc_records import CallRecordsClient

SECRET_KEY = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"

MakeClient = Callable[..., CallRecordsClient]

# How long an example takes is the machine's affair.
hypothesis.settings.register_profile("no-deadline", deadline=None)
hypothesis.settings.load_profile("no-deadline")

# A job in a shell's background ignores Ctrl-C, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def anyio_backend() -> str:
    """The library speaks asyncio."""
    return "asyncio"


class Unlimited:
    """A limiter for tests that are not about the quota."""

    async def acquire(self) -> None:
        """Give a permit at once."""


@pytest.fixture
def make_client() -> MakeClient:
    """Make clients with a key, no limiter and quick retries, unless the test says otherwise."""

    def make(**arguments: Any) -> CallRecordsClient:
        defaults: dict[str, Any] = {
            "sdk_app_id": 1400000000,
            "identifier": "administrator",
            "limiter": Unlimited(),
            "attempts": 1,
        }
        if "user_sig" not in arguments:
            defaults["secret_key"] = SECRET_KEY
        return CallRecordsClient(**{**defaults, **arguments})

    return make


@pytest.fixture
def quick_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten every wait between attempts to a thousandth."""
    sleep = asyncio.sleep

    async def nap(delay: float) -> None:
        await sleep(delay / 1000)

    monkeypatch.setattr(stamina._core, "_smart_sleep", nap)
