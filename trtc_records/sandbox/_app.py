"""The ASGI application: the gateway before the service, with its quota, its latency and its faults."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final

import attrs
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from trtc_records._api.protocol import SERVICE_PATH
from trtc_records.sandbox._checks import RefusedError
from trtc_records.sandbox._faults import FaultDraw
from trtc_records.sandbox._http import HTML, JSON, Line, break_off, read_body, reply, reset
from trtc_records.sandbox._options import Faults
from trtc_records.sandbox._quota import Quota
from trtc_records.sandbox._service import Service

__all__ = ["Gateway", "Stats", "make_app"]

_PAGE: Final = b"<html><head><title>%b</title></head><body><center><h1>%b</h1></center></body></html>\r\n"
_BAD_GATEWAY: Final = _PAGE % ((b"502 Bad Gateway",) * 2)
_TOO_MANY_REQUESTS: Final = _PAGE % ((b"429 Too Many Requests",) * 2)
_MAINTENANCE: Final = _PAGE % ((b"Under maintenance",) * 2)


@attrs.frozen(kw_only=True)
class Stats:
    """Say what a sandbox has seen so far."""

    requests: int
    """Requests to either call of the API, whatever the answer was."""
    refused: int
    """Requests over the quota."""
    busiest_second: int
    """The most requests that any one-second window saw."""
    connections: int
    """TCP connections that brought requests."""
    pages: tuple[int, ...]
    """The Page of each query that the service understood, in the order of its answers."""
    faults: dict[str, int]
    """Faults that befell requests, by their name in ``Faults``."""


class Gateway:
    """Let requests through to the service, or not.

    Args:
        service: What answers.
        quota: Requests in any one second; ``None`` for no limit.
        faults: What goes wrong, and how often.
        latency: Seconds that every answer takes at least.
        jitter: Seconds that an answer takes longer at most, drawn evenly.
        seed: The same seed draws the same faults and delays.
    """

    def __init__(
        self, service: Service, *, quota: int | None, faults: Faults, latency: float, jitter: float, seed: int
    ) -> None:
        self._service = service
        self._quota = Quota(quota)
        self._faults = faults
        self._draw = FaultDraw(faults, seed=seed)
        self._latency = latency
        self._jitter = jitter
        self._rng = random.Random(f"jitter:{seed}")
        self._clients: set[tuple[str, int]] = set()

    def make_stats(self) -> Stats:
        """Return what was seen so far; safe from another thread."""
        return Stats(
            requests=self._quota.counted,
            refused=self._quota.refused,
            busiest_second=self._quota.busiest_second,
            connections=len(self._clients),
            pages=tuple(self._service.pages),
            faults=dict(self._draw.drawn),
        )

    async def handle(
        self, respond: Callable[[bytes], bytes], line: Line, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer a request to one call of the API, whose Response *respond* makes."""
        admitted = self._quota.admit(time.monotonic())
        self._clients.add(scope["client"])
        body = await read_body(receive)
        if body is None:
            return
        fault = self._draw.draw() if admitted else None
        delay = self._latency + self._jitter * self._rng.random()
        if fault == "slow":
            delay += self._faults.slow_seconds
        if delay:
            await line.pause(delay)
        match fault:
            case "http_502":
                await reply(send, _BAD_GATEWAY, HTML, status=502)
            case "http_429":
                retry_after = (b"retry-after", b"%d" % self._faults.retry_after)
                await reply(send, _TOO_MANY_REQUESTS, HTML, retry_after, status=429)
            case "not_json":
                await reply(send, _MAINTENANCE, HTML)
            case "internal_error":
                await reply(send, self._service.refuse(RefusedError(101001, "internal error")), JSON)
            case "reset":
                await reset(line, scope, receive)
            case _:
                if admitted and fault != "rate_limited":
                    answer = self._service.answer(respond, scope["method"], scope["query_string"], body)
                else:
                    answer = self._service.refuse_frequency()
                if fault == "truncated":
                    await break_off(line, scope, receive, send, answer)
                else:
                    await reply(send, answer, JSON)

    async def handle_unknown(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request to what is no call of the API; the quota does not count it."""
        if await read_body(receive) is not None:
            await reply(send, self._service.refuse(RefusedError(60009, f"unknown resource {scope['path']}")), JSON)


@attrs.frozen(eq=False)
class _Endpoint:
    """Hand requests to the gateway as ASGI has them; Starlette's Request and Response would cost more than the rest."""

    gateway: Gateway
    line: Line
    respond: Callable[[bytes], bytes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.gateway.handle(self.respond, self.line, scope, receive, send)


def make_app(gateway: Gateway, service: Service, line: Line) -> Router:
    """Return the ASGI application.

    Args:
        gateway: What handles requests.
        service: What makes the responses.
        line: The server that the application runs on.
    """
    responses = {
        "get_record_by_filter": service.get_record_by_filter,
        "get_record_by_callid": service.get_record_by_callid,
    }
    return Router(
        [Route(f"{SERVICE_PATH}/{name}", _Endpoint(gateway, line, respond)) for name, respond in responses.items()],
        redirect_slashes=False,
        default=gateway.handle_unknown,
    )
