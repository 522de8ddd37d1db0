"""The client's connections, against servers that answer late, twice, too much or in odd encodings."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import select
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import Any

import httpx
import pytest
import trustme
from conftest import MakeClient
from http_server import Reply, Request, serve
from records import call_id, envelope, page_answer, raw_record

from trtc_records import (
    CallRecordNotFoundError,
    CallRecordsClient,
    ClientClosedError,
    RateLimitError,
    ResponseDecodeError,
    ServerError,
    TransportError,
)
from trtc_records._sending.lanes import LaneTransport

pytestmark = pytest.mark.anyio


async def _look_up(request: Request) -> dict[str, Any]:
    wanted = request.body["CallId"]
    if wanted == "nobody":
        return envelope(code=101050, info="no such call")
    return envelope({"CallRecord": raw_record(int(wanted.removeprefix("call-")))})


over_each = pytest.mark.parametrize("over", ["lanes", "proxy", "httpx"])


def make_over(make_client: MakeClient, over: str, base_url: str, **options: Any) -> CallRecordsClient:
    """Return a client with connections of its own, with those through a proxy, or with those of httpx."""
    if over == "httpx":
        options["transport"] = httpx.AsyncHTTPTransport()
    client = make_client(base_url=base_url, **options)
    if over == "proxy":  # which is the server itself: to http:// httpcore forwards requests, and makes no tunnel
        bound = {"most_bytes": options["max_response_bytes"]} if "max_response_bytes" in options else {}
        client._requester._transport = LaneTransport(proxy=httpx.Proxy(base_url), **bound)
    return client


# -- Permits -----------------------------------------------------------------------------------------


class Gate:
    """A limiter that gives permits while it is open."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.waiting = 0

    async def acquire(self) -> None:
        self.waiting += 1
        try:
            await self.opened.wait()
        finally:
            self.waiting -= 1


async def _give_up(client: Any, gate: Gate, count: int) -> None:
    """Look up *count* records at once, and cancel all while they wait for their permits."""
    waiters = [asyncio.create_task(client.get_record(call_id(number))) for number in range(count)]
    while gate.waiting < count:
        await asyncio.sleep(0.001)
    for waiter in waiters:
        waiter.cancel()
    assert [type(error) for error in await asyncio.gather(*waiters, return_exceptions=True)] == [
        asyncio.CancelledError
    ] * count


@pytest.mark.parametrize("encrypted", [False, True], ids=["http", "https"])
async def test_a_wait_for_a_permit_that_ends_keeps_the_connection(make_client: MakeClient, encrypted: bool) -> None:
    """Callers whose deadline is shorter than the wait use the same connections again, before and after an answer."""
    authority = trustme.CA()
    server_context, client_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server_context)
    authority.configure_trust(client_context)
    gate = Gate()
    async with (
        serve(_look_up, server_context if encrypted else None) as server,
        make_client(base_url=server.base_url, limiter=gate, verify=client_context) as client,
    ):
        for _ in range(2):
            for _ in range(3):
                await _give_up(client, gate, 4)
            assert server.connections == 4
            gate.opened.set()
            found = await asyncio.gather(*(client.get_record(call_id(number)) for number in range(4)))
            assert [record.call_id for record in found] == [call_id(number) for number in range(4)]
            gate.opened.clear()
        assert server.connections == 4


async def test_a_wait_for_a_permit_that_ends_keeps_the_tunnel(make_client: MakeClient) -> None:
    """A connection through a proxy is kept too."""
    authority = trustme.CA()
    server_context, client_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server_context)
    authority.configure_trust(client_context)
    gate = Gate()
    tunnels = 0

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tunnels
        tunnels += 1
        target = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", int(target.rpartition(":")[2]))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while data := await source.read(65536):
                    sink.write(data)
            sink.close()

        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    listener = await asyncio.start_server(proxy, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with serve(_look_up, server_context) as server:
        async with make_client(
            base_url=server.base_url, limiter=gate, verify=client_context, proxy=f"http://127.0.0.1:{port}"
        ) as client:
            for _ in range(3):
                await _give_up(client, gate, 2)
            gate.opened.set()
            for number in range(3):
                assert (await client.get_record(call_id(number))).call_id == call_id(number)
        listener.close()
        await asyncio.sleep(0.05)
    assert tunnels == 2


@contextlib.contextmanager
def hang_up_once(context: ssl.SSLContext | None, *, answers: int) -> Iterator[tuple[int, Callable[[], None]]]:
    """Serve in a thread: the first connection for some *answers*, until the function that is given; then the second."""
    ready_to_close, closed = threading.Event(), threading.Event()
    content = json.dumps(envelope({"CallRecord": raw_record(1)})).encode()

    def answer(connection: socket.socket) -> None:
        while not (received := connection.recv(65536)).endswith(b"}"):
            assert received
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content))

    def accept(listener: socket.socket) -> socket.socket:
        connection, _ = listener.accept()
        connection.settimeout(10)
        return connection if context is None else context.wrap_socket(connection, server_side=True)

    def run(listener: socket.socket) -> None:
        with accept(listener) as first:
            for _ in range(answers):
                answer(first)
            assert ready_to_close.wait(10)
            with contextlib.suppress(OSError):
                first.shutdown(socket.SHUT_RDWR)
        closed.set()
        with accept(listener) as second:
            answer(second)
            second.recv(1)

    def hang_up() -> None:
        ready_to_close.set()
        assert closed.wait(10)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        thread = threading.Thread(target=run, args=(listener,))
        thread.start()
        yield listener.getsockname()[1], hang_up
        thread.join()


@pytest.mark.parametrize("encrypted", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("loop_turns", [False, True], ids=["busy", "idle"])
async def test_a_connection_that_the_server_closed_meanwhile_is_not_used(
    make_client: MakeClient, encrypted: bool, loop_turns: bool
) -> None:
    """Neither the loop that saw it nor one that was busy costs an attempt."""
    authority = trustme.CA()
    server_context, client_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server_context)
    authority.configure_trust(client_context)
    with hang_up_once(server_context if encrypted else None, answers=1) as (port, hang_up):
        base_url = f"https://localhost:{port}" if encrypted else f"http://127.0.0.1:{port}"
        async with make_client(base_url=base_url, verify=client_context) as client:
            await client.get_record(call_id(1))
            hang_up()  # in another thread, so that this one's loop does not turn meanwhile
            if loop_turns:
                await asyncio.sleep(0.02)
            assert (await client.get_record(call_id(1))).call_id == call_id(1)


@pytest.mark.parametrize("system", ["with poll", "without poll"])
async def test_a_new_connection_that_the_server_closed_is_an_error(
    make_client: MakeClient, system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one may fare no better, so that costs an attempt."""
    if system == "without poll":  # as on Windows
        monkeypatch.delattr(select, "poll")
    gate = Gate()
    with hang_up_once(None, answers=0) as (port, hang_up):
        async with make_client(base_url=f"http://127.0.0.1:{port}", limiter=gate) as client:
            lookup = asyncio.create_task(client.get_record(call_id(1)))
            while not gate.waiting:
                await asyncio.sleep(0.001)
            hang_up()
            gate.opened.set()
            with pytest.raises(TransportError, match=r"ReadError: it was lost"):
                await lookup
            assert (await client.get_record(call_id(1))).call_id == call_id(1)


@pytest.mark.parametrize("when", ["before the wait", "during the wait"])
async def test_a_connection_that_the_server_closed_before_its_request_is_not_used(
    make_client: MakeClient, when: str
) -> None:
    """One that waited for a permit in vain is looked at before its next use, and after its next wait."""
    gate = Gate()
    with hang_up_once(None, answers=0) as (port, hang_up):
        async with make_client(base_url=f"http://127.0.0.1:{port}", limiter=gate) as client:
            await _give_up(client, gate, 1)
            if when == "before the wait":
                hang_up()
            lookup = asyncio.create_task(client.get_record(call_id(1)))
            while not gate.waiting:
                await asyncio.sleep(0.001)
            if when == "during the wait":
                hang_up()
            gate.opened.set()
            assert (await lookup).call_id == call_id(1)


async def test_a_client_closed_while_a_request_waits_keeps_no_connection(make_client: MakeClient) -> None:
    """The connection of a waiter that is cancelled behind aclose() does not come back."""
    async with serve(_look_up) as server:
        gate = Gate()
        client = make_client(base_url=server.base_url, limiter=gate)
        waiter = asyncio.create_task(client.get_record(call_id(1)))
        while not gate.waiting:
            await asyncio.sleep(0.001)
        await client.aclose()
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        await asyncio.sleep(0.05)
        assert server.open_connections == 0


@over_each
@pytest.mark.parametrize("waits_for", ["its turn", "a permit of a new connection", "a permit of an open connection"])
async def test_a_closed_client_sends_nothing(make_client: MakeClient, waits_for: str, over: str) -> None:
    """A request that waited when its client was closed fails, and opens no connection."""
    gate = Gate()
    async with serve(_look_up) as server:
        client = make_over(make_client, over, server.base_url, limiter=gate, max_in_flight=1)
        if waits_for == "a permit of an open connection":
            gate.opened.set()
            await client.get_record(call_id(1))
            gate.opened.clear()
        sent, connections = len(server.requests), server.connections + (waits_for == "a permit of a new connection")
        lookups = [asyncio.create_task(client.get_record(call_id(1))) for _ in range(3)]
        while not gate.waiting:
            await asyncio.sleep(0.001)
        await client.aclose()
        if waits_for == "its turn":
            lookups.pop(0).cancel()
        gate.opened.set()
        for result in await asyncio.gather(*lookups, return_exceptions=True):
            assert isinstance(result, ClientClosedError)
        await asyncio.sleep(0.02)
        assert (len(server.requests), server.open_connections) == (sent, 0)
        assert over == "httpx" or server.connections <= max(connections, 1)


async def test_a_close_that_is_cancelled_keeps_no_connection(make_client: MakeClient) -> None:
    """Whether idle or in use, all are closed, however early the cancellation comes."""
    gate = Gate()
    async with serve(_look_up) as server:
        client = make_client(base_url=server.base_url, limiter=gate)
        gate.opened.set()
        await asyncio.gather(*(client.get_record(call_id(1)) for _ in range(5)))
        gate.opened.clear()
        lookups = [asyncio.create_task(client.get_record(call_id(1))) for _ in range(3)]
        pages = client.iter_pages()
        walk = asyncio.ensure_future(anext(pages))
        while gate.waiting < 4:
            await asyncio.sleep(0.001)
        closing = asyncio.create_task(client.aclose())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        gate.opened.set()
        await asyncio.gather(walk, *lookups, return_exceptions=True)
        await pages.aclose()
        await asyncio.sleep(0.02)
        assert (server.open_connections, server.connections) == (0, 5)


# -- Connections that end ----------------------------------------------------------------------------


@asynccontextmanager
async def say(
    *parts: bytes, ends: bool = True, host: str = "127.0.0.1"
) -> AsyncIterator[tuple[str, list[asyncio.StreamWriter]]]:
    """Answer each request by *parts*, one after another, and close the connection if the answer *ends*."""
    writers: list[asyncio.StreamWriter] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
                for part in parts:
                    writer.write(part)
                    await asyncio.sleep(0.002)
                if ends:
                    break
        writer.close()

    listener = await asyncio.start_server(connected, host, 0)
    try:
        port = listener.sockets[0].getsockname()[1]
        yield f"http://{f'[{host}]' if ':' in host else host}:{port}", writers
    finally:
        listener.close()
        for writer in writers:
            writer.close()
        await asyncio.sleep(0.02)


BODY = json.dumps(envelope({"CallRecord": raw_record(1)})).encode()
LENGTH = b"Content-Length: %d\r\n\r\n" % len(BODY)
CHUNKS = b"5\r\n%b\r\n%x;name=value\r\n%b\r\n0\r\nTrailer: x\r\n\r\n" % (BODY[:5], len(BODY) - 5, BODY[5:])
WAYS = {
    "with a length": (b"HTTP/1.1 200 OK\r\n", LENGTH + BODY),
    "byte by byte": (*(bytes([each]) for each in b"HTTP/1.1 200 OK\r\n" + LENGTH + BODY[:40]), BODY[40:]),
    "in chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS[:9], CHUNKS[9:]),
    "behind hints": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
        b"HTTP/1.1 200 \r\n" + LENGTH + BODY,
    ),
    "with folded headers": (b"HTTP/1.1 200 OK\r\nX: a\r\n  b\r\n" + LENGTH + BODY,),
    "without a reason": (b"HTTP/1.1 200\r\n" + LENGTH + BODY,),
}
LAST_WAYS = {
    "until the end": (b"HTTP/1.1 200 OK\r\n\r\n" + BODY[:10], BODY[10:]),
    "as HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\n" + BODY,),
    "and closes": (b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + LENGTH + BODY,),
}


@over_each
@pytest.mark.parametrize("way", list(WAYS))
async def test_an_answer_is_read_however_it_is_sent(make_client: MakeClient, way: str, over: str) -> None:
    """The connection is used again."""
    async with (
        say(*WAYS[way], ends=False) as (base_url, writers),
        make_over(make_client, over, base_url) as client,
    ):
        for _ in range(3):
            assert (await client.get_record(call_id(1))).call_id == call_id(1)
    assert len(writers) == 1


@over_each
@pytest.mark.parametrize("way", list(LAST_WAYS))
async def test_an_answer_may_be_the_last_of_its_connection(make_client: MakeClient, way: str, over: str) -> None:
    """The next request goes over another one, and costs no attempt."""
    async with say(*LAST_WAYS[way]) as (base_url, writers), make_over(make_client, over, base_url) as client:
        for _ in range(3):
            assert (await client.get_record(call_id(1))).call_id == call_id(1)
    assert len(writers) == 3


NO_ANSWERS = {
    "nothing": (b"", "RemoteProtocolError: Server disconnected without sending a response"),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-", "RemoteProtocolError: "),
    "half a body": (
        b"HTTP/1.1 200 OK\r\n" + LENGTH + BODY[:20],
        r"RemoteProtocolError: peer closed connection .* \(received 20 bytes",
    ),
    "half of the chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        "RemoteProtocolError: peer closed",
    ),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "RemoteProtocolError: illegal status line"),
    "a head without end": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000, "RemoteProtocolError: "),
    "two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n" + LENGTH + BODY, "RemoteProtocolError: conflicting"),
    "another protocol": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "RemoteProtocolError: "),
}


@over_each
@pytest.mark.parametrize(("answer", "reason"), NO_ANSWERS.values(), ids=list(NO_ANSWERS))
async def test_what_is_no_answer_is_an_error(make_client: MakeClient, answer: bytes, reason: str, over: str) -> None:
    """The message says what was wrong, and the connection is closed."""
    if over == "httpx" and answer.startswith(b"HTTP/1.1 101"):
        pytest.skip("httpx hands the connection over")
    async with say(answer) as (base_url, writers), make_over(make_client, over, base_url) as client:
        with pytest.raises(TransportError, match=reason) as caught:
            await client.get_record(call_id(1))
        assert caught.value.retryable
    assert len(writers) == 1


@over_each
async def test_a_connection_that_is_reset_is_an_error(make_client: MakeClient, over: str) -> None:
    """A reset has no end of data before it."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0)
    base_url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with make_over(make_client, over, base_url) as client:
        with pytest.raises(TransportError, match=r"the connection to 127\.0\.0\.1:\d+.* failed \(ReadError: "):
            await client.get_record(call_id(1))
    listener.close()
    await asyncio.sleep(0.02)


async def test_a_proxy_that_is_not_there_is_named(make_client: MakeClient) -> None:
    """The message names the host and the proxy."""
    async with make_client(region="china", proxy="http://127.0.0.1:1") as client:
        with pytest.raises(TransportError, match=r"to console\.tim\.qq\.com:443 through http://127.0.0.1:1 "):
            await client.get_record(call_id(1))


async def test_an_address_may_be_of_version_6(make_client: MakeClient) -> None:
    """It stands in brackets in the URL."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    async with say(*WAYS["with a length"], host="::1") as (base_url, _), make_client(base_url=base_url) as client:
        assert (await client.get_record(call_id(1))).call_id == call_id(1)


@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n" + LENGTH + BODY[:20]], ids=len)
async def test_a_request_that_is_cancelled_closes_its_connection(make_client: MakeClient, part: bytes) -> None:
    """Its answer would be taken for that of the next request."""
    async with say(part, ends=False) as (base_url, writers), make_client(base_url=base_url) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.get_record(call_id(1))
        await asyncio.sleep(0.02)
        assert client._requester._transport._idle == []
        assert [writer.transport.is_closing() for writer in writers] == [True]


@pytest.mark.parametrize("end", ["close", "cancel", "time out"])
async def test_a_connection_that_is_being_opened_can_be_given_up(make_client: MakeClient, end: str) -> None:
    """A server that never answers the TLS handshake keeps nobody waiting, and no socket stays open."""
    ended = asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while await reader.read(65536):
                pass
        ended.set()
        writer.close()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0)
    base_url = f"https://localhost:{listener.sockets[0].getsockname()[1]}"
    async with make_client(base_url=base_url, timeout=0.2 if end == "time out" else 30) as client:
        lookup = asyncio.create_task(client.get_record(call_id(1)))
        await asyncio.sleep(0.1)
        if end == "close":
            await client.aclose()
        if end == "cancel":
            lookup.cancel()
        with pytest.raises(
            asyncio.CancelledError if end == "cancel" else TransportError,
            match=None if end == "cancel" else "no connection",
        ):
            await lookup
        await asyncio.wait_for(ended.wait(), 10)
    listener.close()
    await asyncio.sleep(0.02)


async def test_a_tunnel_that_is_being_opened_can_be_given_up(make_client: MakeClient) -> None:
    """A client that is closed during the TLS handshake behind a proxy ends its requests with an error of its own."""
    greeted = asyncio.Event()

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await reader.read(1)
        greeted.set()
        with contextlib.suppress(ConnectionError):
            while await reader.read(65536):
                pass
        writer.close()

    listener = await asyncio.start_server(proxy, "127.0.0.1", 0)
    proxy_url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    client = make_client(region="china", proxy=proxy_url, timeout=30)
    lookup = asyncio.create_task(client.get_record(call_id(1)))
    await asyncio.wait_for(greeted.wait(), 10)
    await client.aclose()
    with pytest.raises(TransportError, match=f"no connection to .* through {proxy_url} "):
        await lookup
    listener.close()
    await asyncio.sleep(0.02)


# -- Answers to other requests -----------------------------------------------------------------------


@asynccontextmanager
async def repeat_first(when: str) -> AsyncIterator[tuple[str, list[int]]]:
    """Serve lookups and pages; the first answer of each connection comes twice, the second time "at once" or later."""
    connections: list[int] = []
    writers: list[asyncio.StreamWriter] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(0)
        writers.append(writer)
        first = b""
        while head := await reader.readuntil(b"\r\n\r\n"):
            size = int(head.lower().partition(b"content-length: ")[2].split()[0])
            body = json.loads(await reader.readexactly(size))
            if "CallId" in body:
                answer = await _look_up(Request("POST", "", {}, {}, json.dumps(body).encode(), 0, 0.0))
            else:
                answer = page_answer([raw_record(body["Page"])], body["Page"], 9)
            content = json.dumps(answer).encode()
            whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content)
            if first and when == "into the next":
                writer.write(first)
                await asyncio.sleep(0.05)
            writer.write(whole)
            if not first and when == "at once":
                writer.write(whole)
            if not first and when == "before the next":
                asyncio.get_running_loop().call_later(0.02, writer.write, whole)
            first = whole

    async def tolerant(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await connected(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    listener = await asyncio.start_server(tolerant, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}", connections
    finally:
        listener.close()
        for writer in writers:
            writer.close()
        await asyncio.sleep(0.02)


@over_each
@pytest.mark.usefixtures("quick_back_off")
@pytest.mark.parametrize("when", ["at once", "before the next", "into the next"])
async def test_an_answer_that_comes_twice_is_not_taken_for_the_next(
    make_client: MakeClient, when: str, over: str
) -> None:
    """Each lookup gets its own record: the connection is given up, and a retry goes over a fresh one."""
    async with repeat_first(when) as (base_url, connections):
        async with make_over(make_client, over, base_url, attempts=3) as client:
            for number in range(3):
                assert (await client.get_record(call_id(number))).call_id == call_id(number)
                await asyncio.sleep(0.04 if when == "before the next" else 0)
        assert len(connections) >= 3


async def test_an_answer_that_comes_twice_is_an_error_where_there_is_no_retry(make_client: MakeClient) -> None:
    """The wrong record is never returned, and the next lookup is none the worse."""
    async with repeat_first("into the next") as (base_url, _), make_client(base_url=base_url) as client:
        await client.get_record(call_id(1))
        with pytest.raises(ResponseDecodeError, match="answers another request"):
            await client.get_record(call_id(2))
        assert (await client.get_record(call_id(3))).call_id == call_id(3)


@pytest.mark.parametrize("more", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"no HTTP\r\n\r\n"])
@pytest.mark.parametrize("over", ["lanes", "proxy"])
async def test_what_follows_an_answer_costs_no_attempt(make_client: MakeClient, more: bytes, over: str) -> None:
    """Nothing was sent over such a connection, so the request goes over another one at once, however many there are."""
    connections = 0

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                body = json.loads(
                    await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
                )
                found = json.dumps(envelope({"CallRecord": raw_record(int(body["CallId"][-2:]))})).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(found), found) + more)
        writer.close()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0)
    base_url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with make_over(make_client, over, base_url) as client:
        for _ in range(2):
            found = await asyncio.gather(*(client.get_record(call_id(number)) for number in range(8)))
            assert [record.call_id for record in found] == [call_id(number) for number in range(8)]
    listener.close()
    await asyncio.sleep(0.02)
    assert connections == (16 if more else 8)


async def test_nobodys_answer_is_not_the_next_ones(make_client: MakeClient) -> None:
    """A repeated 101050, which names no call, does not make the next call one that does not exist."""
    async with repeat_first("at once") as (base_url, _), make_client(base_url=base_url, attempts=2) as client:
        with pytest.raises(CallRecordNotFoundError):
            await client.get_record("nobody")
        assert (await client.get_record(call_id(3))).call_id == call_id(3)


async def test_a_page_of_another_number_is_read_again(make_client: MakeClient) -> None:
    """A late repetition of page 1 is not page 2."""
    async with repeat_first("into the next") as (base_url, _), make_client(base_url=base_url) as client:
        for number in (1, 2, 3):
            page = await client.get_page(number, page_size=1)
            assert (page.page, page.records[0].call_id) == (number, call_id(number))


async def test_a_service_that_numbers_pages_in_its_own_way_is_asked_twice_once(make_client: MakeClient) -> None:
    """The second answer counts, whatever its number; from then on numbers are not compared."""

    async def handle(request: Request) -> dict[str, Any]:
        return page_answer([raw_record(request.page)], request.page + 1, 9)

    async with serve(handle) as server, make_client(base_url=server.base_url) as client:
        for number in (1, 2, 3):
            page = await client.get_page(number, page_size=1)
            assert page.records[0].call_id == call_id(number)
        assert len(server.requests) == 4


async def test_a_service_that_numbers_each_answer_is_asked_again_three_times_once(make_client: MakeClient) -> None:
    """Answers that all have yet another number are no late ones: the last counts, and numbers are not compared then."""
    requested: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requested.append(json.loads(request.content)["Page"])
        return httpx.Response(200, json=page_answer([raw_record(requested[-1])], 100 + len(requested), 9))

    async with make_client(region="china", transport=httpx.MockTransport(answer)) as client:
        for number in (1, 2, 3):
            page = await client.get_page(number, page_size=1)
            assert page.records[0].call_id == call_id(number)
    assert requested == [1, 1, 1, 1, 2, 3]


# -- Bodies ------------------------------------------------------------------------------------------

FOUND = json.dumps(envelope({"CallRecord": raw_record(1)})).encode()


def _deflate_raw(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-15)
    return engine.compress(data) + engine.flush()


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "GZIP": gzip.compress,
    "x-gzip": gzip.compress,
    " gzip ": gzip.compress,
    "identity": bytes,
    "Deflate": zlib.compress,
    "deflate": _deflate_raw,
    "gzip, identity": gzip.compress,
    "deflate, GZIP": lambda data: gzip.compress(zlib.compress(data)),
    "gzip,gzip": lambda data: gzip.compress(gzip.compress(data)),
    "rot13": bytes,
}


@over_each
async def test_gzip_may_have_several_members(make_client: MakeClient, over: str) -> None:
    """They are one text, with zeros behind the last one as padding."""

    async def handle(_: Request) -> Reply:
        members = gzip.compress(FOUND[:50]) + gzip.compress(FOUND[50:])
        return Reply(members + bytes(8), headers={"Content-Encoding": "gzip"})

    async with serve(handle) as server, make_over(make_client, over, server.base_url) as client:
        assert (await client.get_record(call_id(1))).call_id == call_id(1)


@over_each
@pytest.mark.parametrize("coding", list(CODINGS))
async def test_every_coding_that_httpx_reads_is_read(make_client: MakeClient, coding: str, over: str) -> None:
    """In any case, alone or in a list; one that is not known is left alone."""

    async def handle(_: Request) -> Reply:
        return Reply(CODINGS[coding](FOUND), headers={"Content-Encoding": coding})

    async with serve(handle) as server, make_over(make_client, over, server.base_url) as client:
        assert (await client.get_record(call_id(1))).call_id == call_id(1)


BROKEN = {
    "no gzip": ({"Content-Encoding": "gzip"}, b"<html>"),
    "cut gzip": ({"Content-Encoding": "gzip"}, gzip.compress(FOUND)[:-12]),
    "no deflate": ({"Content-Encoding": "deflate"}, b"\xff\xff\xff"),
    "six codings": ({"Content-Encoding": "gzip" + ", gzip" * 5}, b"x"),
}


@over_each
@pytest.mark.parametrize(("headers", "body"), BROKEN.values(), ids=list(BROKEN))
async def test_a_body_that_cannot_be_decoded_is_an_error(
    make_client: MakeClient, headers: dict[str, str], body: bytes, over: str
) -> None:
    """A retry may get a whole one."""

    async def handle(_: Request) -> Reply:
        return Reply(body, headers=headers)

    async with serve(handle) as server, make_over(make_client, over, server.base_url) as client:
        with pytest.raises(TransportError, match="cannot be decoded") as caught:
            await client.get_page()
    assert caught.value.retryable
    assert caught.value.status_code == 200


async def _write_zeros(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"400\r\n" + b"0" * 1024 + b"\r\n")
        await writer.drain()


@over_each
@pytest.mark.parametrize("body", ["undecodable", "cut off", "without end", "silent"])
async def test_a_status_survives_its_body(
    make_client: MakeClient, body: str, over: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 503 is one, with its Retry-After, whatever becomes of its body."""
    monkeypatch.setattr("trtc_records._sending.direct.ERROR_BODY_WAIT", 0.1)
    monkeypatch.setattr("trtc_records._sending.proxied.ERROR_BODY_WAIT", 0.1)
    monkeypatch.setattr("trtc_records._sending.transport.ERROR_BODY_WAIT", 0.1)
    head = b"HTTP/1.1 503 Busy\r\nRetry-After: 77\r\n"
    bodies = {
        "undecodable": b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\xff\xff\xff\xff",
        "cut off": b"Content-Length: 400\r\n\r\n{",
        "without end": b"Transfer-Encoding: chunked\r\n\r\n",
        "silent": b"Content-Length: 400\r\n\r\n",
    }

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + bodies[body])
        try:
            if body == "without end":
                await _write_zeros(writer)
            if body == "silent":
                await reader.read()
                await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(answer, "127.0.0.1", 0)
    base_url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with make_over(make_client, over, base_url, max_response_bytes=100_000) as client:
        with pytest.raises(TransportError, match="HTTP status 503") as caught:
            await client.get_page()
    listener.close()
    await asyncio.sleep(0.02)
    assert (caught.value.status_code, caught.value.retry_after) == (503, 77.0)


ZEROS = bytes(2_000_000)
BOMBS = {
    "gzip": gzip.compress(ZEROS),
    "deflate": zlib.compress(ZEROS),
    "gzip, gzip": gzip.compress(gzip.compress(ZEROS)),
    "deflate, gzip": gzip.compress(zlib.compress(ZEROS)),
    "identity": ZEROS[:1_100_000],
}


@over_each
@pytest.mark.parametrize("coding", list(BOMBS))
async def test_a_body_beyond_the_bound_is_an_error(make_client: MakeClient, coding: str, over: str) -> None:
    """It is not decoded to its end, and not asked for again."""

    async def handle(_: Request) -> Reply:
        return Reply(BOMBS[coding], headers={"Content-Encoding": coding})

    async with (
        serve(handle) as server,
        make_over(make_client, over, server.base_url, attempts=3, max_response_bytes=1_000_000) as client,
    ):
        with pytest.raises(TransportError, match="more than max_response_bytes=1,000,000"):
            await client.get_page()
        assert len(server.requests) == 1


async def test_a_mocks_body_beyond_the_bound_is_an_error(make_client: MakeClient) -> None:
    """It is there as a whole, so nothing that reads it step by step stops at the bound."""
    mock = httpx.MockTransport(lambda _: httpx.Response(200, content=ZEROS))
    async with make_client(region="china", transport=mock, max_response_bytes=1_000_000) as client:
        with pytest.raises(TransportError, match="more than max_response_bytes=1,000,000"):
            await client.get_page()


async def test_the_event_loop_goes_on_while_a_body_is_decoded(make_client: MakeClient) -> None:
    """Other tasks run between the steps."""
    bomb = gzip.compress(bytes(20_000_000), compresslevel=1)

    async def handle(_: Request) -> Reply:
        return Reply(bomb, headers={"Content-Encoding": "gzip"})

    async with serve(handle) as server, make_client(base_url=server.base_url, max_response_bytes=15_000_000) as client:
        longest = 0.0
        reader = asyncio.create_task(client.get_page())
        while not reader.done():
            before = time.process_time()
            await asyncio.sleep(0)
            longest = max(longest, time.process_time() - before)
        with pytest.raises(TransportError, match="max_response_bytes"):
            await reader
    assert longest < 0.25


@over_each
async def test_a_body_without_end_is_an_error(make_client: MakeClient, over: str) -> None:
    """Reading stops at the bound."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            await _write_zeros(writer)
        except ConnectionError:
            writer.close()

    listener = await asyncio.start_server(answer, "127.0.0.1", 0)
    base_url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with make_over(make_client, over, base_url, max_response_bytes=500_000) as client:
        with pytest.raises(TransportError, match="more than max_response_bytes=500,000"):
            await client.get_page()
    listener.close()
    await asyncio.sleep(0.02)


# -- Waits -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "kind"), [(60011, RateLimitError), (101001, ServerError)])
async def test_retry_after_counts_with_status_200_too(
    make_client: MakeClient, code: int, kind: type[Exception]
) -> None:
    """The service answers its own errors with 200; a date counts from its own clock."""
    now = time.time() + 5000

    async def handle(_: Request) -> Reply:
        headers = {"Date": formatdate(now, usegmt=True), "Retry-After": formatdate(now + 300, usegmt=True)}
        return Reply(json.dumps(envelope(code=code)).encode(), headers=headers)

    async with serve(handle) as server, make_client(base_url=server.base_url, attempts=3) as client:
        with pytest.raises(kind) as caught:
            await client.get_page()
        assert len(server.requests) == 1
    assert getattr(caught.value, "retry_after", None) == 300.0


# -- Event loops -------------------------------------------------------------------------------------


def test_a_client_serves_one_event_loop(make_client: MakeClient) -> None:
    """Every use in another loop is the same clear error, closing included; in its own loop it goes on working."""
    first = asyncio.new_event_loop()
    served = serve(_look_up)
    try:
        server = first.run_until_complete(served.__aenter__())
        client = make_client(base_url=server.base_url)
        first.run_until_complete(client.get_record(call_id(1)))

        async def use_elsewhere() -> None:
            for _ in range(3):
                uses = (client.get_page(), client.get_record("x"), client.count(), client.__aenter__(), client.aclose())
                for use in (*uses, anext(client.iter_records())):
                    with pytest.raises(ClientClosedError, match="belongs to another event loop"):
                        await use

        asyncio.run(use_elsewhere())
        assert first.run_until_complete(client.get_record(call_id(2))).call_id == call_id(2)
        first.run_until_complete(client.aclose())
        asyncio.run(client.aclose())
        first.run_until_complete(served.__aexit__(None, None, None))
    finally:
        first.close()
