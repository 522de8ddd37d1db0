"""The service on a port, in a thread of its own or until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Final, Self, get_args

from trtc_records._api.models import CallRecord
from trtc_records._api.wire import record_to_json
from trtc_records._secret import Secret
from trtc_records.sandbox._callbacks import COMMANDS, Callbacks
from trtc_records.sandbox._data import make_calls
from trtc_records.sandbox._drift import Mover
from trtc_records.sandbox._gateway import Gateway, Stats
from trtc_records.sandbox._http import Server
from trtc_records.sandbox._legacy import LegacyService
from trtc_records.sandbox._live import LiveCalls
from trtc_records.sandbox._options import (
    Behaviour,
    CallsIn,
    Drift,
    Faults,
    Webhooks,
    read_lengths,
    read_rate,
    require_choice,
    require_kind,
    require_number,
    require_text,
)
from trtc_records.sandbox._posting import Poster, is_on_this_machine
from trtc_records.sandbox._requests import App, WebhookSettings
from trtc_records.sandbox._service import Service
from trtc_records.sandbox._store import RecordStore

__all__ = ["Sandbox", "serve"]

_FAKE_KEY: Final = "5a17d80c" * 8  # as long as a real one
_BACKLOG: Final = 2_048
_LARGEST_SKEW: Final = 1_000_000_000  # seconds, some 32 years


class Sandbox:
    """The call-record service and the older one on a local port, for as long as the ``with`` block lasts.

    It runs in a thread with an event loop of its own, so plain and async code use it alike. After the block the port is
    closed, and ``records`` and ``stats`` keep their last values.

    Args:
        records: The number of records to make, or the records themselves. Those older than 7 days are never served.
        calls_in: The service that keeps the calls: ``"current"``, or ``"legacy"`` for the older one. The other one
            answers that it has none. By default both keep all calls.
        live: Calls that start per second on average while the sandbox runs, or text such as ``30/min``, ``2/s``,
            ``1000/h``; none by default. Each can be read 5 seconds after its end, as Tencent promises
            (https://trtc.io/document/68940). Some are under way from the beginning on.
        call_seconds: The mean length of live calls in seconds, for half to one and a half times as many; or a pair, the
            least and the greatest, 7 days at most; by default each has a length that suits its result.
        webhook_url: The URL to post callbacks of live calls to, of all three kinds; none by default. The call
            ``set_callback`` replaces it. A sandbox posts to this machine only, whatever the URL.
        webhooks: The faults of callbacks; none by default.
        seed: The same seed makes the same records, order, faults, drift and live calls; 0 by default.
        quota: Requests in any one second, over all calls; Tencent's 200 by default, ``None`` for no limit. With a
            limit, the older service allows 20 look-ups per second.
        behaviour: The service's answers where Tencent's page leaves them open.
        faults: The probability of each fault; none by default.
        drift: The changes of the records between queries; none by default.
        latency: Seconds between a request's arrival and its answer; 0 by default.
        jitter: The most seconds that an answer takes longer, drawn evenly; 0 by default.
        capacity: Requests that the service does per second; further ones wait in line, also those that were given up.
            ``None``, the default, for no limit.
        clock_skew: Seconds by which the service's clock is ahead of this machine's, negative if it is behind; 0 by
            default. Its Date header, the 7 days, the default EndTime and the end of a UserSig follow that clock.
        sdk_app_id: The only app.
        identifier: Its only administrator.
        secret_key: Its key; a fake one by default.
        host: The address to listen on; this machine only by default.
        port: The port; 0, the default, takes a free one.

    Raises:
        ValueError: An argument cannot be used; the message names it and a correct value.
    """

    def __init__(
        self,
        *,
        records: int | Iterable[CallRecord] = 2_000,
        calls_in: CallsIn = "both",
        live: float | str | None = None,
        call_seconds: float | tuple[float, float] | None = None,
        webhook_url: str | None = None,
        webhooks: Webhooks | None = None,
        seed: int = 0,
        quota: int | None = 200,
        behaviour: Behaviour | None = None,
        faults: Faults | None = None,
        drift: Drift | None = None,
        latency: float = 0.0,
        jitter: float = 0.0,
        capacity: float | None = None,
        clock_skew: float = 0.0,
        sdk_app_id: int = 1_400_000_000,
        identifier: str = "administrator",
        secret_key: str = _FAKE_KEY,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        hidden_key, kind = Secret(secret_key), type(secret_key).__name__
        del secret_key  # error reporters collect the variables of a frame
        require_number("seed", seed, minimum=-sys.maxsize, whole=True, remedy="write an integer")
        if quota is not None:
            require_number(
                "quota", quota, minimum=1, whole=True, remedy="write requests per second, or None for no limit"
            )
        require_number("latency", latency, minimum=0, remedy="write seconds")
        require_number("jitter", jitter, minimum=0, remedy="write seconds")
        if capacity is not None:
            remedy = "write requests per second, or None for no limit"
            require_number("capacity", capacity, minimum=0.001, remedy=remedy)
        require_number("clock_skew", clock_skew, minimum=-_LARGEST_SKEW, maximum=_LARGEST_SKEW, remedy="write seconds")
        require_number("sdk_app_id", sdk_app_id, minimum=1, whole=True, remedy="write an SDKAppID such as 1400000000")
        require_number("port", port, minimum=0, maximum=65_535, whole=True, remedy="write a port, or 0 for a free one")
        require_text("identifier", identifier)
        key = hidden_key.clean()
        if key is None:
            raise ValueError(f"secret_key must be text that is not empty, got {kind}: leave it out for the default")
        require_text("host", host)
        require_choice("calls_in", calls_in, get_args(CallsIn))
        rate, lengths = read_rate(live), read_lengths(call_seconds)
        webhook = None if webhook_url is None else _make_settings(webhook_url)
        webhooks = Webhooks() if webhooks is None else webhooks
        behaviour = Behaviour() if behaviour is None else behaviour
        faults = Faults() if faults is None else faults
        drift = Drift() if drift is None else drift
        require_kind("behaviour", behaviour, Behaviour, remedy="write Behaviour(...), or leave it out")
        require_kind("faults", faults, Faults, remedy="write Faults(...), or leave it out")
        require_kind("drift", drift, Drift, remedy="write Drift(...), or leave it out")
        require_kind("webhooks", webhooks, Webhooks, remedy="write Webhooks(...), or leave it out")
        self._clock: Callable[[], float] = lambda: time.time() + clock_skew
        now = self._clock()
        calls = make_calls(records, seed=seed, now=int(now)) if isinstance(records, int) else _encode(records)
        self._address = (host, port)
        self._store = RecordStore(calls, behaviour, seed=seed)
        self._app = App(sdk_app_id, identifier, key.reveal())
        mover = Mover(self._store, drift, seed=seed)
        live_calls = LiveCalls(self._store, rate, lengths, now=now, seed=seed)
        self._service = Service(
            self._app,
            self._store,
            mover,
            live_calls,
            behaviour,
            has_calls=calls_in != "legacy",
            webhook=webhook,
            clock=self._clock,
            seed=seed,
        )
        legacy = LegacyService(self._service, sdk_app_id, has_calls=calls_in != "current")
        callbacks = Callbacks(sdk_app_id, webhooks, self._store.dress, seed=seed)
        self._poster = Poster(self._service, callbacks, self._clock)
        self._has_callbacks = rate > 0 and calls_in != "legacy"  # those of the older service have another form
        self._gateway = Gateway(
            self._service,
            legacy,
            quota=quota,
            faults=faults,
            latency=latency,
            jitter=jitter,
            capacity=capacity,
            seed=seed,
        )
        self._running: tuple[Server, threading.Thread] | None = None

    def __repr__(self) -> str:
        host, port = self._address
        state = "running" if self._running else "stopped"
        return f"<{type(self).__name__} {state} at {host}:{port}, app {self._app.sdk_app_id}>"

    def __enter__(self) -> Self:
        """Open the port; it takes connections from here on.

        Raises:
            OSError: The address cannot be listened on.
            RuntimeError: The sandbox is running already.
        """
        if self._running:
            raise RuntimeError("the sandbox is running already: make one Sandbox for each `with` block")
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        listener = socket.create_server(self._address, family=family, backlog=_BACKLOG)
        self._address = (self._address[0], listener.getsockname()[1])
        # The loop is made here, so that even an early __exit__ can reach it; everything else happens in the thread.
        runner = asyncio.Runner(loop_factory=asyncio.SelectorEventLoop)
        server = Server(self._gateway.answer, self._clock, runner.get_loop())
        thread = threading.Thread(
            target=_run,
            args=(runner, server, listener, self._poster if self._has_callbacks else None),
            name="trtc-records-sandbox",
            daemon=True,
        )
        self._running = (server, thread)
        thread.start()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the port and every connection, and wait for the thread."""
        assert self._running is not None
        server, thread = self._running
        self._running = None
        server.stop()
        thread.join()

    @property
    def base_url(self) -> str:
        """Return the URL of the service.

        Raises:
            RuntimeError: No port was opened yet.
        """
        host, port = self._address
        if not port:
            raise RuntimeError("the sandbox has no port yet: use it inside `with Sandbox(...) as sandbox:`")
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def credentials(self) -> dict[str, Any]:
        """Return the arguments for a client: ``CallRecordsClient(**sandbox.credentials)``."""
        return {
            "sdk_app_id": self._app.sdk_app_id,
            "identifier": self._app.identifier,
            "secret_key": self._app.secret_key,
            "base_url": self.base_url,
        }

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment variables for ``CallRecordsClient.from_env()`` and the command line."""
        return {
            "TRTC_SDK_APP_ID": str(self._app.sdk_app_id),
            "TRTC_IDENTIFIER": self._app.identifier,
            "TRTC_SECRET_KEY": self._app.secret_key,
            "TRTC_BASE_URL": self.base_url,
        }

    @property
    def records(self) -> list[CallRecord]:
        """Return the records that the service keeps now, by start time, as a correct client reads them."""
        self._catch_up()
        return self._store.get_records(int(self._clock()))

    @property
    def ended_records(self) -> list[CallRecord]:
        """Return the records of all calls that have ended so far, by end time.

        It has those of the last 5 seconds, which the service does not give yet, and those older than 7 days, which it
        does not give any more: all that a program should have seen.
        """
        self._catch_up()
        return self._service.get_ended()

    @property
    def stats(self) -> Stats:
        """Return the counts of requests and callbacks so far."""
        return self._gateway.make_stats(self._poster.get_counts())

    def _catch_up(self) -> None:
        if self._running:
            self._service.catch_up()


def serve(sandbox: Sandbox, on_start: Callable[[Sandbox], object]) -> None:
    """Run *sandbox* until Ctrl-C.

    Args:
        sandbox: A sandbox that is not running.
        on_start: Called with it once its port is open.

    Raises:
        OSError: The address cannot be listened on.
    """
    with contextlib.suppress(KeyboardInterrupt), sandbox:
        on_start(sandbox)
        while True:
            time.sleep(3_600)


def _encode(records: Iterable[CallRecord]) -> Iterator[dict[str, Any]]:
    """Yield *records* as the service writes them.

    Raises:
        ValueError: They are something else.
    """
    remedy = "write how many to make, or a list of CallRecord"
    require_kind("records", records, Iterable, remedy=remedy)
    for record in records:
        require_kind("an item of records", record, CallRecord, remedy=remedy)
        yield record_to_json(record)


def _make_settings(url: object) -> WebhookSettings:
    """Return the receiver of all callbacks at *url*.

    Raises:
        ValueError: It is not a URL of this machine.
    """
    if not isinstance(url, str) or not is_on_this_machine(url):
        raise ValueError(
            f"webhook_url cannot be {url!r}: write a URL of this machine, such as http://127.0.0.1:8000/callback, as a "
            "sandbox posts to no other"
        )
    return WebhookSettings(url, COMMANDS)


def _run(runner: asyncio.Runner, server: Server, listener: socket.socket, poster: Poster | None) -> None:
    with runner:
        runner.run(_serve(server, listener, poster))


async def _serve(server: Server, listener: socket.socket, poster: Poster | None) -> None:
    async with asyncio.TaskGroup() as tasks:
        posting = tasks.create_task(poster.run()) if poster else None
        await server.serve(listener)
        if posting:
            posting.cancel()
