"""The gateway before the service, with its quota, its latency and its faults."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Final

import attrs

from trtc_records.sandbox._faults import FaultDraw
from trtc_records.sandbox._http import HTML, Answer, Request
from trtc_records.sandbox._legacy import LegacyService
from trtc_records.sandbox._options import Faults
from trtc_records.sandbox._quota import Quota
from trtc_records.sandbox._requests import RefusedError
from trtc_records.sandbox._service import Respond, Service

__all__ = ["Gateway", "Stats"]

_RECORDS_PATH: Final = "/v4/call_record_http_srv"
_CONFIG_PATH: Final = "/v4/call_config"
_LEGACY_PATH: Final = "/v1/records"
_LEGACY_LOOKUPS: Final = 20  # per second: https://trtc.io/document/60137
_PAGE: Final = b"<html><head><title>%b</title></head><body><center><h1>%b</h1></center></body></html>\r\n"
_BAD_GATEWAY: Final = _PAGE % ((b"502 Bad Gateway",) * 2)
_TOO_MANY_REQUESTS: Final = _PAGE % ((b"429 Too Many Requests",) * 2)
_MAINTENANCE: Final = _PAGE % ((b"Under maintenance",) * 2)


@attrs.frozen(kw_only=True)
class Stats:
    """Counts of the requests to a sandbox so far."""

    requests: int
    """Requests to the calls of the API, with any answer."""
    refused: int
    """Requests over the quota."""
    busiest_second: int
    """The most requests in any one-second window."""
    connections: int
    """TCP connections that brought requests."""
    pages: tuple[int, ...]
    """The Page of each query that the service understood, in the order of its answers."""
    faults: dict[str, int]
    """Requests with a fault, by its name in ``Faults``."""
    webhooks: dict[str, int]
    """The number of callbacks that were ``posted``, repeated and forged ones included; that ``failed``, as no
    answer had status 200 and ErrorCode 0; that were ``lost``, ``repeated`` and ``forged`` by the options; and that were
    ``withheld``, because their URL is not one of this machine."""


class Gateway:
    """The gateway, which passes requests to the services or refuses them.

    Args:
        service: The service behind the gateway.
        legacy: The older one beside it.
        quota: Requests in any one second; ``None`` for no limit, also of the older service's look-ups.
        faults: The probability of each fault.
        latency: Seconds that every answer takes at least.
        jitter: The most seconds that an answer takes longer, drawn evenly.
        capacity: Requests that the service does per second, one after another; ``None`` for no limit.
        seed: The same seed draws the same faults and delays.
    """

    def __init__(
        self,
        service: Service,
        legacy: LegacyService,
        *,
        quota: int | None,
        faults: Faults,
        latency: float,
        jitter: float,
        capacity: float | None,
        seed: int,
    ) -> None:
        self._service = service
        self._legacy = legacy
        self._quota = Quota(quota)
        self._lookups = Quota(None if quota is None else _LEGACY_LOOKUPS)
        self._faults = faults
        self._draw = FaultDraw(faults, seed=seed)
        self._latency = latency
        self._jitter = jitter
        self._service_time = 1 / capacity if capacity else 0.0
        self._free_at = 0.0
        self._rng = random.Random(f"jitter:{seed}")
        self._clients: set[tuple[str, int]] = set()
        self._legacy_lookup = f"{_LEGACY_PATH}/get_record_by_callId"
        self._calls: dict[str, Respond] = {
            f"{_RECORDS_PATH}/get_record_by_filter": service.get_record_by_filter,
            f"{_RECORDS_PATH}/get_record_by_callid": service.get_record_by_callid,
            f"{_LEGACY_PATH}/get_records_by_filter": legacy.get_records_by_filter,
            self._legacy_lookup: legacy.get_record_by_call_id,
            f"{_CONFIG_PATH}/set_callback": service.set_callback,
            f"{_CONFIG_PATH}/get_callback": service.get_callback,
            f"{_CONFIG_PATH}/delete_callback": service.delete_callback,
        }

    def make_stats(self, webhooks: dict[str, int]) -> Stats:
        """Return the counts so far, with those of callbacks; safe from another thread."""
        return Stats(
            requests=self._quota.counted,
            refused=self._quota.refused + self._lookups.refused,
            busiest_second=self._quota.busiest_second,
            connections=len(self._clients),
            pages=tuple(self._service.pages),
            faults=dict(self._draw.drawn),
            webhooks=webhooks,
        )

    async def answer(self, request: Request) -> Answer:
        """Answer a request; the quota counts those to a call of the API."""
        service = self._legacy if request.path.startswith(_LEGACY_PATH) else self._service
        respond = self._calls.get(request.path)
        if respond is None:
            return Answer(service.refuse(RefusedError(60009, f"unknown resource {request.path}")))
        admitted = self._admit(request)
        self._clients.add(request.client)
        fault = self._draw.draw() if admitted else "rate_limited"
        delay = self._latency + self._jitter * self._rng.random() + self._take_place()
        if fault == "slow":
            delay += self._faults.slow_seconds
        if delay:
            await asyncio.sleep(delay)
        match fault:
            case "http_502":
                answer = Answer(_BAD_GATEWAY, HTML, 502)
            case "http_429":
                retry_after = (b"retry-after", b"%d" % self._faults.retry_after)
                answer = Answer(_TOO_MANY_REQUESTS, HTML, 429, (retry_after,))
            case "not_json":
                answer = Answer(_MAINTENANCE, HTML)
            case "internal_error":
                code = 100001 if request.path.startswith(_CONFIG_PATH) else 101001
                answer = Answer(service.refuse(RefusedError(code, "internal error")))
            case "rate_limited":
                answer = Answer(service.refuse_frequency())
            case "reset":
                answer = Answer(b"", ending="reset")
            case _:
                body = service.answer(respond, request.method, request.query, request.body)
                answer = Answer(body, ending="truncated" if fault == "truncated" else "whole")
        return answer

    def _take_place(self) -> float:
        """Take a place in the line of requests, and return the seconds until it has been done."""
        now = time.monotonic()
        self._free_at = max(now, self._free_at) + self._service_time
        return self._free_at - now

    def _admit(self, request: Request) -> bool:
        """Count a request, and return whether it is within the quotas."""
        now = time.monotonic()
        is_admitted = self._quota.admit(now)
        return is_admitted and (request.path != self._legacy_lookup or self._lookups.admit(now))
