"""The value of the pytest fixture ``trtc_sandbox``."""

from __future__ import annotations

from typing import Any

from trtc_records import CallRecordsClient
from trtc_records._secret import hide_secrets
from trtc_records.sandbox._server import Sandbox

__all__ = ["SandboxFixture"]


class SandboxFixture(Sandbox):
    """A running sandbox with clients for it, the value of the pytest fixture ``trtc_sandbox``.

    The arguments are those of :class:`Sandbox`.
    """

    def client(self, **arguments: Any) -> CallRecordsClient:
        """Return a new client for this sandbox; close it, best with ``async with``.

        Args:
            **arguments: Arguments of ``CallRecordsClient``; they win over the sandbox's credentials.
        """
        arguments = hide_secrets({**self.credentials, **arguments})
        return CallRecordsClient(**arguments)
