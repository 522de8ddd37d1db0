"""The start of a sandbox, its address, and its stop."""

import asyncio
import contextlib
import gc
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

import trtc_records.sandbox
from trtc_records.sandbox import Sandbox


def run(code, *options):
    """Run a program of its own, warnings being errors."""
    return subprocess.run(
        [sys.executable, "-W", "error", *options, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@contextlib.contextmanager
def dial(sandbox):
    """Open a connection of bytes."""
    host, port = sandbox.base_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        yield raw


def test_credentials_are_arguments_of_a_client(shared):
    """The credentials are named like the constructor's arguments."""
    assert shared.credentials == {
        "sdk_app_id": 1_400_000_000,
        "identifier": "administrator",
        "secret_key": "5a17d80c" * 8,
        "base_url": shared.base_url,
    }


def test_a_client_reads_the_environment(shared):
    """The environment has only text, and the client reads it."""
    assert shared.environment == {
        "TRTC_SDK_APP_ID": "1400000000",
        "TRTC_IDENTIFIER": "administrator",
        "TRTC_SECRET_KEY": "5a17d80c" * 8,
        "TRTC_BASE_URL": shared.base_url,
    }


def test_the_account_is_a_choice(connect):
    """App, administrator and key may be the caller's own."""
    with Sandbox(records=3, sdk_app_id=20_000_001, identifier="root", secret_key="k" * 64) as sandbox:
        assert connect(sandbox).query()["TotalNum"] == 3


def test_the_key_is_not_shown(shared):
    """No repr of a sandbox or its parts shows the key."""
    assert repr(shared) == f"<Sandbox running at {shared.base_url.removeprefix('http://')}, app 1400000000>"
    assert shared.credentials["secret_key"] not in f"{shared!r} {shared._app!r}"


def test_stats_count_requests(connect):
    """The stats count requests and connections, and list pages in order."""
    with Sandbox(records=30) as sandbox:
        for _ in range(2):
            connect(sandbox).walk()
    stats = sandbox.stats
    assert (stats.requests, stats.refused, stats.connections, stats.faults) == (8, 0, 2, {})
    assert stats.pages == (1, 2, 3, 4) * 2


def test_there_is_no_address_before_the_port_is_open():
    """The address before the port is open is an error with a remedy."""
    with pytest.raises(RuntimeError, match="inside `with Sandbox"):
        _ = Sandbox(records=1).base_url


def test_a_fixed_port_is_taken(connect):
    """The port is the caller's choice."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with Sandbox(records=1, port=port) as sandbox:
        assert sandbox.base_url == f"http://127.0.0.1:{port}"
        assert connect(sandbox).query()["TotalNum"] == 1


def test_a_port_in_use_is_an_error():
    """A port in use is an OSError of the ``with`` statement."""
    with Sandbox(records=1) as first:
        port = int(first.base_url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            Sandbox(records=1, port=port).__enter__()


def test_an_ipv6_address_has_brackets(connect):
    """A host with colons is an IPv6 address, in brackets in the URL."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with Sandbox(records=1, host="::1") as sandbox:
        assert sandbox.base_url.startswith("http://[::1]:")
        assert connect(sandbox).query()["TotalNum"] == 1


def test_a_running_sandbox_cannot_be_started_again(shared):
    """A running sandbox cannot be started a second time."""
    with pytest.raises(RuntimeError, match="running already"):
        shared.__enter__()


def test_a_stopped_sandbox_still_tells(connect):
    """After a stop the port is closed, and records and stats keep their values."""
    with Sandbox(records=3) as sandbox:
        connect(sandbox).query()
    assert (len(sandbox.records), sandbox.stats.requests) == (3, 1)
    with pytest.raises(httpx.ConnectError):
        connect(sandbox).query()


def test_a_stopped_sandbox_starts_again(connect):
    """It starts on the same port, with the same records."""
    sandbox = Sandbox(records=3)
    for _ in range(2):
        with sandbox:
            connect(sandbox).query()
    assert sandbox.stats.requests == 2


def test_nothing_is_left_of_it(connect):
    """No thread is left, and stopping is quick even with open connections."""
    threads = set(threading.enumerate())
    with Sandbox(records=3) as sandbox:
        connect(sandbox).query()
        begun = time.monotonic()
    assert time.monotonic() - begun < 1
    assert set(threading.enumerate()) == threads
    gc.collect()  # an unclosed socket would warn here, and warnings are errors


def test_nothing_is_left_of_connections_that_come_last(caplog):
    """Those accepted just before the stop are closed as all are, and nothing is logged."""
    for _ in range(20):
        with contextlib.ExitStack() as clients, Sandbox(records=0) as sandbox:
            for _ in range(5):
                clients.enter_context(dial(sandbox))
    gc.collect()  # an unclosed socket would warn here, and warnings are errors
    assert caplog.records == []


def test_it_stops_before_it_has_begun():
    """A sandbox can be stopped at once after its start."""
    for _ in range(20):
        with Sandbox(records=0):
            pass


def test_it_stops_while_answers_are_under_way(connect, caplog):
    """A slow answer does not delay the stop, its connection is closed, and nothing is logged."""
    with ThreadPoolExecutor(1) as pool:
        with Sandbox(records=3, latency=30) as sandbox:
            pending = pool.submit(connect(sandbox).post)
            while not sandbox.stats.requests:
                time.sleep(0.01)
            begun = time.monotonic()
        assert time.monotonic() - begun < 1
        assert isinstance(pending.exception(), httpx.TransportError)
    assert caplog.records == []


def test_it_serves_the_program_that_awaits(caller):
    """A sandbox serves async code in its own thread, because its loop is not the caller's."""

    async def ask():
        with Sandbox(records=3) as sandbox:
            async with httpx.AsyncClient(base_url=sandbox.base_url) as http:
                url = "/v4/call_record_http_srv/get_record_by_filter"
                answers = await asyncio.gather(
                    *(http.post(url, params=caller.parameters(), json={}) for _ in range(10))
                )
        return {answer.json()["Response"]["TotalNum"] for answer in answers}

    assert asyncio.run(ask()) == {3}


def test_a_broken_request_does_no_harm(connect):
    """A request that is not HTTP is refused, and the next request is answered."""
    with Sandbox(records=3) as sandbox:
        with dial(sandbox) as raw:
            raw.sendall(b"not HTTP at all\r\n\r\n")
            assert b"400 Bad Request" in raw.recv(1_000)
        assert connect(sandbox).query()["TotalNum"] == 3


def test_a_client_that_leaves_in_the_middle_does_no_harm(connect, caplog):
    """An incomplete body of a client that has left is dropped."""
    with Sandbox(records=3) as sandbox:
        path = "/v4/call_record_http_srv/get_record_by_filter"
        for target in (path, "/other"):
            with dial(sandbox) as raw:
                raw.sendall(f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{{".encode())
        assert connect(sandbox).query()["TotalNum"] == 3
    assert caplog.records == []


def write_request(*headers, body=b"", method="POST", target="/other", version="1.1"):
    """Return the bytes of a request, to an unknown resource by default."""
    lines = [f"{method} {target} HTTP/{version}", "Host: x", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def read_all(raw):
    """Return everything until the server closes the connection."""
    return b"".join(iter(lambda: raw.recv(65_536), b""))


def test_pipelined_requests_are_answered_in_order(shared):
    """Requests that come in one piece, and one in two, have their answers one after the other."""
    requests = [write_request(target=f"/{number}") for number in range(5)]
    with dial(shared) as raw:
        raw.sendall(b"".join(requests)[:-30])
        time.sleep(0.05)
        raw.sendall(b"".join(requests)[-30:] + write_request("Connection: close", target="/last"))
        answers = read_all(raw)
    assert re.findall(rb"unknown resource (/\w+)", answers) == [b"/0", b"/1", b"/2", b"/3", b"/4", b"/last"]


def test_a_connection_stays_open_until_the_client_wants_it_closed(shared):
    """A connection stays open in HTTP/1.1, but not in HTTP/1.0 or after ``Connection: close``."""
    with dial(shared) as raw:
        for _ in range(3):
            raw.sendall(write_request())
            assert b"60009" in raw.recv(65_536)
    for request in (write_request(version="1.0"), write_request("Connection: close")):
        with dial(shared) as raw:
            raw.sendall(request)
            assert b"60009" in read_all(raw)


def test_a_silent_connection_is_closed(connect, monkeypatch):
    """A silent connection is closed after the usual time of gateways, without an answer."""
    monkeypatch.setattr("trtc_records.sandbox._http._KEEP_ALIVE", 0.05)
    with Sandbox(records=3) as sandbox, dial(sandbox) as raw:
        assert read_all(raw) == b""
        assert connect(sandbox).query()["TotalNum"] == 3


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (write_request(body=b"x" * ((1 << 20) + 1)), b"413"),
        (write_request(target="/" + "x" * 100_000)[:20_000], b"431"),
        (write_request(method="CONNECT", target="x:443"), b"405"),
        (write_request("Transfer-Encoding: gzip"), b"501"),
        (write_request().replace(b"Content-Length: 0", b"Content-Length: x"), b"400"),
        (b"POST / HTTP/1.1\r\n\r\n", b"400"),
    ],
)
def test_a_request_that_no_client_has_reason_to_send_is_refused(shared, request_bytes, status):
    """A malformed or oversized request gets an answer with the reason, and the connection is closed."""
    with dial(shared) as raw:
        raw.sendall(request_bytes)
        assert read_all(raw).startswith(b"HTTP/1.1 " + status + b" ")


def test_a_body_may_come_in_chunks_and_wait_for_a_word(shared):
    """A client that asks first goes on once it may; and it may send pieces of unknown number."""
    head = write_request("Expect: 100-continue", "Connection: close")
    with dial(shared) as raw:
        raw.sendall(head.replace(b"Content-Length: 0", b"Transfer-Encoding: chunked"))
        assert raw.recv(1_000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        raw.sendall(b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")
        assert b"60009" in read_all(raw)


def test_head_has_no_body(shared):
    """The answer to HEAD has the length of a body, but no body."""
    with dial(shared) as raw:
        raw.sendall(write_request("Connection: close", method="HEAD"))
        answer = read_all(raw).lower()
    assert b"content-length: 1" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_a_client_that_has_said_all_is_answered(shared):
    """A client that closes its half of the connection after the request gets the answer."""
    with dial(shared) as raw:
        raw.sendall(write_request())
        raw.shutdown(socket.SHUT_WR)
        assert b"60009" in read_all(raw)


def test_many_connections_at_once_are_answered(connect):
    """As many connections as a busy client opens at once are answered."""
    with Sandbox(records=3) as sandbox, contextlib.ExitStack() as stack:
        raws = [stack.enter_context(dial(sandbox)) for _ in range(300)]
        for raw in raws:
            raw.sendall(write_request("Connection: close"))
        assert all(b"60009" in read_all(raw) for raw in raws)


def test_answers_do_not_wait_for_acknowledgements(caller):
    """Nagle's algorithm is off, because it would delay every answer by 40 ms."""
    caller.query()
    times = []
    for _ in range(10):
        begun = time.monotonic()
        caller.query()
        times.append(time.monotonic() - begun)
    assert min(times) < 0.03


def test_it_is_clean_in_development_mode():
    """Python's development mode gives no warning about a sandbox."""
    result = run(
        """
        import httpx
        from trtc_records.sandbox import Faults, Sandbox
        url = "/v4/call_record_http_srv/get_record_by_filter"
        with Sandbox(records=10, faults=Faults(reset=0.3, truncated=0.3)) as sandbox:
            with httpx.Client(base_url=sandbox.base_url) as http:
                for _ in range(20):
                    try:
                        http.post(url)
                    except httpx.TransportError:
                        pass
                raise SystemExit(not sandbox.stats.faults)
        """,
        "-X",
        "dev",
    )
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_serve_runs_until_ctrl_c():
    """``serve`` calls back when the port is open, and Ctrl-C ends it without a traceback."""
    code = """
    from trtc_records.sandbox import Sandbox, serve
    serve(Sandbox(records=5), lambda sandbox: print(sandbox.base_url, flush=True))
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        base_url = process.stdout.readline().strip()
        assert httpx.post(base_url).json()["ErrorCode"] == 60009
        os.kill(process.pid, signal.SIGINT)
        _, complaints = process.communicate(timeout=10)
    assert (process.returncode, complaints) == (0, "")


def test_it_is_not_imported_with_the_package():
    """Importing the package does not import the sandbox."""
    result = run("import sys, trtc_records; print([name for name in sys.modules if 'sandbox' in name])")
    assert result.stdout.strip() == "[]"


def test_the_public_names_are_sorted_and_there():
    """``__all__`` lists exactly the names of the package."""
    names = trtc_records.sandbox.__all__
    # pytest adds names with an @ to the modules of a distribution that has a plugin.
    public = {name for name in vars(trtc_records.sandbox) if name.isidentifier() and not name.startswith("_")}
    assert names == sorted(names)
    assert public == set(names)
