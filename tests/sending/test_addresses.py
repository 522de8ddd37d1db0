"""Which address of a host a connection goes to, on asyncio's event loop and on uvloop's."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import trustme
from conftest import MakeClient
from http_server import Request, serve
from records import call_id, envelope, raw_record

from trtc_records import CallRecord, TransportError
from trtc_records._sending import addresses

Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Return a function that runs a coroutine in an event loop of each kind."""
    if request.param == "asyncio":
        return asyncio.run
    uvloop = pytest.importorskip("uvloop")

    def run_in_uvloop(main: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main)

    return run_in_uvloop


async def _look_up(_: Request) -> dict[str, Any]:
    return envelope({"CallRecord": raw_record(1)})


def _name_addresses(monkeypatch: pytest.MonkeyPatch, *places: tuple[int, str, int]) -> None:
    found = [(family, socket.SOCK_STREAM, 6, "", (host, port)) for family, host, port in places]

    async def getaddrinfo(*_: object, **__: object) -> list[Any]:
        return found

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)


@pytest.mark.parametrize("encrypted", [False, True], ids=["http", "https"])
def test_requests_go_over_one_connection(make_client: MakeClient, run: Run, encrypted: bool) -> None:
    """On each event loop, with TLS and without."""
    authority = trustme.CA()
    server_context, client_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server_context)
    authority.configure_trust(client_context)

    async def main() -> None:
        async with (
            serve(_look_up, server_context if encrypted else None) as server,
            make_client(base_url=server.base_url, verify=client_context) as client,
        ):
            for _ in range(3):
                assert (await client.get_record(call_id(1))).call_id == call_id(1)
            assert server.connections == 1
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await client.get_record(call_id(1))
            assert (await client.get_record(call_id(1))).call_id == call_id(1)

    run(main())
    gc.collect()


def test_a_host_that_refuses_is_an_error(make_client: MakeClient, run: Run) -> None:
    """The message has the system's reason."""

    async def main() -> None:
        async with make_client(base_url="http://127.0.0.1:1") as client:
            with pytest.raises(
                TransportError, match=r"no connection to .*:1 \(ConnectError: .*(Connect call failed|refused)"
            ):
                await client.get_record(call_id(1))

    run(main())


def connect_with_places(
    monkeypatch: pytest.MonkeyPatch, *places: tuple[int, str, int], slow: int = 0, seconds: float = 60.0
) -> tuple[socket.socket | OSError, list[Any]]:
    """Connect to a host that has addresses at *places*, an answer from port *slow* late; return all tried."""
    tried: list[Any] = []

    async def main() -> socket.socket | OSError:
        loop = asyncio.get_running_loop()
        sock_connect = loop.sock_connect

        async def sock_connect_late(attempt: socket.socket, place: Any) -> None:
            tried.append(place)
            if place[1] == slow:
                await asyncio.sleep(seconds)
            await sock_connect(attempt, place)

        _name_addresses(monkeypatch, *places)
        monkeypatch.setattr(loop, "sock_connect", sock_connect_late)
        try:
            return await addresses.connect("example.test", 443)
        except OSError as error:
            return error

    return asyncio.run(main()), tried


@pytest.fixture
def port() -> Any:
    """Listen on a port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_an_address_that_does_not_answer_is_overtaken(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """The next one is tried as well after a while, and the connection that is not used is closed."""
    monkeypatch.setattr(addresses, "_NEXT_ADDRESS", 0.01)
    places = [(socket.AF_INET, "127.0.0.1", 9), (socket.AF_INET, "127.0.0.1", port)]
    found, tried = connect_with_places(monkeypatch, *places, slow=9)
    assert isinstance(found, socket.socket)
    with found:
        assert found.getpeername() == ("127.0.0.1", port)
    assert [place[1] for place in tried] == [9, port]
    gc.collect()


def test_an_address_that_is_slow_is_waited_for(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """The next one may be worse."""
    monkeypatch.setattr(addresses, "_NEXT_ADDRESS", 0.01)
    places = [(socket.AF_INET, "127.0.0.1", port), (socket.AF_INET, "127.0.0.1", 1)]
    found, tried = connect_with_places(monkeypatch, *places, slow=port, seconds=0.05)
    assert isinstance(found, socket.socket)
    found.close()
    assert [place[1] for place in tried] == [port, 1]


def test_an_address_that_refuses_is_followed_by_the_next(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """At once, and the last one has no need of a next."""
    places = [(socket.AF_INET, "127.0.0.1", 1), (socket.AF_INET, "127.0.0.1", port)]
    found, tried = connect_with_places(monkeypatch, *places)
    assert isinstance(found, socket.socket)
    found.close()
    assert [place[1] for place in tried] == [1, port]


def test_all_reasons_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no address answers, each has its reason."""
    places = [(socket.AF_INET, "127.0.0.1", 1), (socket.AF_INET, "127.0.0.1", 2)]
    found, _ = connect_with_places(monkeypatch, *places)
    assert str(found).count("onnect") >= 2


def test_a_host_without_addresses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver may find nothing, without an error."""
    found, tried = connect_with_places(monkeypatch)
    assert (str(found), tried) == ("example.test has no address", [])


@pytest.mark.skipif(sys.platform == "win32", reason="made of POSIX's families")
def test_families_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where IPv6 is broken, the second address tried is of version 4."""
    six, four = socket.AF_INET6, socket.AF_INET
    places = [(six, "::1", 1), (six, "::1", 2), (six, "::1", 3), (four, "127.0.0.1", 4)]
    _, tried = connect_with_places(monkeypatch, *places)
    assert [place[1] for place in tried] == [1, 4, 2, 3]


def test_an_attempt_that_is_cancelled_leaves_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning of an unclosed one is an error."""

    async def main() -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", lambda *_: asyncio.Event().wait())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await addresses.connect("127.0.0.1", 1)

    asyncio.run(main())
    gc.collect()


@pytest.mark.parametrize("cancellations", [1, 2])
@pytest.mark.parametrize("encrypted", [False, True], ids=["http", "https"])
def test_a_cancellation_at_any_moment_leaves_nothing(
    make_client: MakeClient, run: Run, monkeypatch: pytest.MonkeyPatch, encrypted: bool, cancellations: int
) -> None:
    """No socket, and a client that closes at once: also where a second cancellation meets the first one's clean-up."""
    authority = trustme.CA()
    server_context, client_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server_context)
    authority.configure_trust(client_context)

    async def main() -> None:
        ends: list[object] = []
        async with serve(_look_up, server_context if encrypted else None) as server:
            port = int(server.base_url.rpartition(":")[2])
            _name_addresses(monkeypatch, (socket.AF_INET, "127.0.0.1", port))
            for turns in range(60):
                async with make_client(base_url=server.base_url, verify=client_context) as client:
                    lookup = asyncio.create_task(client.get_record(call_id(1)))
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    for _ in range(cancellations):
                        lookup.cancel()
                        await asyncio.sleep(0)
                    ends += await asyncio.gather(lookup, return_exceptions=True)
                    async with asyncio.timeout(10):
                        await client.aclose()
                    await asyncio.sleep(0.002)
                    assert server.open_connections == 0
        assert {type(end) for end in ends} <= {asyncio.CancelledError, CallRecord}
        assert any(isinstance(end, asyncio.CancelledError) for end in ends)

    run(main())
    gc.collect()
