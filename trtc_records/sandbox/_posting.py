"""The sending of callbacks to their receiver, beside the answers."""

from __future__ import annotations

import asyncio
import json
import ssl
import string
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Final
from urllib.parse import quote, urlsplit

from trtc_records._checks import is_loopback
from trtc_records.sandbox._callbacks import Callback, Callbacks
from trtc_records.sandbox._http import ProtocolError, Target, post
from trtc_records.sandbox._service import Service

__all__ = ["Poster", "is_on_this_machine"]

_TICK: Final = 0.02  # seconds; no sleep until the next event, as the clock may be set meanwhile
_TIMEOUT: Final = 2.0  # seconds, as of Chat's webhooks; that of Call's is undocumented
_PRINTABLE: Final = string.punctuation  # characters of a URL that stay as they are
_CONNECTIONS: Final = 20  # at once
_COUNTED: Final = ("posted", "failed", "lost", "repeated", "forged", "withheld")


def is_on_this_machine(url: str) -> bool:
    """Return whether *url* is one of HTTP or HTTPS to this machine, the only kind that a sandbox posts to."""
    return _find_target(url, "") is not None


def _find_target(url: str, query: str) -> Target | None:
    """Return where to post to for *url* with more of a query, or ``None`` if that is not on this machine."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not is_loopback(host):
        return None
    tls = _trust_all() if parts.scheme == "https" else None
    if port is None:
        port = 443 if tls else 80
    address = f"{parts.path or '/'}?{'&'.join(filter(None, (parts.query, query)))}"
    return Target(host, port, quote(address, safe=_PRINTABLE).encode(), tls)


@cache
def _trust_all() -> ssl.SSLContext:
    """Return a context that takes any certificate, because those on this machine are self-made."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Poster:
    """The requests to the receiver of callbacks, while a sandbox runs.

    Args:
        service: The service, which knows the receiver and lets live calls go on.
        callbacks: The callbacks to send.
        clock: Returns the service's time, in Unix seconds.
    """

    def __init__(self, service: Service, callbacks: Callbacks, clock: Callable[[], float]) -> None:
        self._service = service
        self._callbacks = callbacks
        self._clock = clock
        self._counts: Counter[str] = Counter()

    def get_counts(self) -> dict[str, int]:
        """Return the callbacks so far by what became of them; safe from another thread."""
        counts = self._callbacks.counts + self._counts
        return {name: counts[name] for name in _COUNTED}

    async def run(self) -> None:
        """Send each callback when it is due, until cancelled; no request goes on after that."""
        waiting: asyncio.Queue[Callback] = asyncio.Queue()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(_CONNECTIONS):
                tasks.create_task(self._post_all(waiting))
            while True:
                for event in self._service.take_events():
                    webhook = self._service.webhook
                    self._callbacks.add(event, webhook.commands if webhook else ())
                for callback in self._callbacks.take_due(self._clock()):
                    waiting.put_nowait(callback)
                await asyncio.sleep(_TICK)

    async def _post_all(self, waiting: asyncio.Queue[Callback]) -> None:
        while True:
            callback = await waiting.get()
            webhook = self._service.webhook
            if webhook is None:  # deleted meanwhile
                continue
            target = _find_target(webhook.url, callback.query)
            if target is None:
                self._counts["withheld"] += 1
                continue
            self._counts["posted"] += 1
            if not await _is_accepted(target, callback.body):  # no retry, as none is documented
                self._counts["failed"] += 1


async def _is_accepted(target: Target, body: bytes) -> bool:
    try:
        async with asyncio.timeout(_TIMEOUT):
            status, content = await post(target, body)
        answer = json.loads(content)
    except (OSError, ValueError, RecursionError, ProtocolError):  # no answer, or one that is not JSON
        return False
    return status == 200 and isinstance(answer, dict) and answer.get("ErrorCode") == 0
