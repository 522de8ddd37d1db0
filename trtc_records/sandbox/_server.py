"""Run the service on a port: in a thread beside the caller, or until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Final, Self

import uvicorn
from starlette.types import Scope

from trtc_records._api.models import CallRecord
from trtc_records._api.wire import record_to_json
from trtc_records.sandbox._app import Gateway, Stats, make_app
from trtc_records.sandbox._checks import App
from trtc_records.sandbox._data import make_calls
from trtc_records.sandbox._drift import Mover
from trtc_records.sandbox._http import Line
from trtc_records.sandbox._options import Behaviour, Drift, Faults, check_kind, check_number, check_text
from trtc_records.sandbox._service import Service
from trtc_records.sandbox._store import RecordStore

__all__ = ["Sandbox", "serve"]

_FAKE_KEY: Final = "5a17d80c" * 8  # as long as a real one
_LAST_TURNS: Final = 5  # of the event loop: a connection that was just accepted is made known some turns later
_KEEP_ALIVE: Final = 75  # seconds that an idle connection stays open, as gateways commonly have it
_BACKLOG: Final = 2_048
_DATE_INTERVAL: Final = 1.0  # seconds between two refreshes of the Date header
_RESET_ON_CLOSE: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)  # linger for 0 seconds


class Sandbox:
    """The call-record service on a local port, for as long as the ``with`` block lasts.

    It runs in a thread with an event loop of its own, so plain and async code use it alike. After the block the port is
    closed, and ``records`` and ``stats`` still tell what they told last.

    Args:
        records: How many to make, or the records themselves. Those older than 7 days are never served.
        seed: The same seed makes the same records, order, faults and drift; 0 by default.
        quota: Requests in any one second, over both calls; the vendor's 200 by default, ``None`` for no limit.
        behaviour: How the service answers where the vendor's page does not say.
        faults: What goes wrong, and how often; nothing by default.
        drift: How the records change between queries; not at all by default.
        latency: Seconds between a request's arrival and its answer; 0 by default.
        jitter: Seconds that the answer takes longer at most, drawn evenly; 0 by default.
        sdk_app_id: The only app.
        identifier: Its only administrator.
        secret_key: Its key; a fake one by default.
        host: The address to listen on; this machine only by default.
        port: The port; 0, the default, takes a free one.

    Raises:
        ValueError: An argument cannot be used; the message names it and says what to write.
    """

    def __init__(
        self,
        *,
        records: int | Iterable[CallRecord] = 2_000,
        seed: int = 0,
        quota: int | None = 200,
        behaviour: Behaviour | None = None,
        faults: Faults | None = None,
        drift: Drift | None = None,
        latency: float = 0.0,
        jitter: float = 0.0,
        sdk_app_id: int = 1_400_000_000,
        identifier: str = "administrator",
        secret_key: str = _FAKE_KEY,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        check_number("seed", seed, minimum=-sys.maxsize, whole=True, remedy="write an integer")
        if quota is not None:
            check_number(
                "quota", quota, minimum=1, whole=True, remedy="write requests per second, or None for no limit"
            )
        check_number("latency", latency, minimum=0, remedy="write seconds")
        check_number("jitter", jitter, minimum=0, remedy="write seconds")
        check_number("sdk_app_id", sdk_app_id, minimum=1, whole=True, remedy="write an SDKAppID such as 1400000000")
        check_number("port", port, minimum=0, maximum=65_535, whole=True, remedy="write a port, or 0 for a free one")
        check_text("identifier", identifier)
        check_text("secret_key", secret_key, secret=True)
        check_text("host", host)
        behaviour = Behaviour() if behaviour is None else behaviour
        faults = Faults() if faults is None else faults
        drift = Drift() if drift is None else drift
        check_kind("behaviour", behaviour, Behaviour, remedy="write Behaviour(...), or leave it out")
        check_kind("faults", faults, Faults, remedy="write Faults(...), or leave it out")
        check_kind("drift", drift, Drift, remedy="write Drift(...), or leave it out")
        calls = make_calls(records, seed=seed) if isinstance(records, int) else _encode(records)
        self._app = App(sdk_app_id, identifier, secret_key)
        self._address = (host, port)
        self._store = RecordStore(calls, behaviour, seed=seed)
        mover = Mover(self._store, drift, seed=seed)
        self._service = Service(self._app, self._store, mover, behaviour, seed=seed)
        self._gateway = Gateway(self._service, quota=quota, faults=faults, latency=latency, jitter=jitter, seed=seed)
        self._running: tuple[_Server, threading.Thread] | None = None

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
        listener = _listen(self._address)
        self._address = (self._address[0], listener.getsockname()[1])
        # The loop is made here, so that __exit__ can reach it however early it comes; all else happens in the thread.
        runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        server = _Server(lambda line: make_app(self._gateway, self._service, line), runner.get_loop())
        thread = threading.Thread(
            target=_run, args=(runner, server, listener), name="trtc-records-sandbox", daemon=True
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
        """Return where the service answers.

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
        """Return what the service keeps now, by start time, as a client that makes no mistake reads it."""
        return self._store.get_records(int(time.time()))

    @property
    def stats(self) -> Stats:
        """Return what the service has seen so far."""
        return self._gateway.make_stats()


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
    check_kind("records", records, Iterable, remedy=remedy)
    for record in records:
        check_kind("an item of records", record, CallRecord, remedy=remedy)
        yield record_to_json(record)


def _listen(address: tuple[str, int]) -> socket.socket:
    # Not socket.create_server: asyncio turns Nagle's algorithm off only where the protocol is named, and with it on,
    # every answer waits 40 ms for the client's acknowledgement of its head.
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":  # where it would let two processes share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _run(runner: asyncio.Runner, server: _Server, listener: socket.socket) -> None:
    with runner:
        runner.run(server.serve(sockets=[listener]))


class _Server(uvicorn.Server):
    """Serve until stopped, and then stop at once: uvicorn's own way polls, which takes some tenths of a second."""

    def __init__(self, make_app: Callable[[Line], Any], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            uvicorn.Config(
                make_app(self),
                interface="asgi3",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=_BACKLOG,
                timeout_keep_alive=_KEEP_ALIVE,
            )
        )
        self._loop = loop
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Stop serving; called from another thread."""
        self._loop.call_soon_threadsafe(self._stopping.set)

    async def pause(self, seconds: float) -> None:
        """Wait, or until the server stops."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    def hang_up(self, scope: Scope, *, abruptly: bool) -> None:
        """Close the connection of a request: once what is written is sent, or abruptly, by a TCP reset."""
        for connection in self.server_state.connections:
            if getattr(connection, "client", None) == scope["client"]:
                if abruptly:
                    peer = connection.transport.get_extra_info("socket")
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                    connection.transport.abort()
                else:
                    connection.transport.close()
                return

    async def main_loop(self) -> None:
        """Keep the Date header right until the server stops."""
        while not self._stopping.is_set():
            await self.on_tick(0)
            await self.pause(_DATE_INTERVAL)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the port and every connection, with what is under way on it."""
        # A connection that is accepted becomes known some turns later, and is lost if the port is closed before.
        for listener in sockets or ():
            with contextlib.suppress(NotImplementedError):  # on Windows, whose loop has no readers
                self._loop.remove_reader(listener)
        for _ in range(_LAST_TURNS):
            self._abort_connections()
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        quiet_turns = 0
        while quiet_turns < _LAST_TURNS:
            self._abort_connections()
            busy = self.server_state.connections or self.server_state.tasks
            quiet_turns = 0 if busy else quiet_turns + 1
            await asyncio.sleep(0)

    def _abort_connections(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()
