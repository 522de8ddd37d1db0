"""Fixtures for the examples: an account that cannot be a real one."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the configuration of this machine."""
    for name in ("SDK_APP_ID", "IDENTIFIER", "SECRET_KEY", "USER_SIG", "REGION", "BASE_URL"):
        monkeypatch.delenv(f"TRTC_{name}", raising=False)
