"""The secret key and the UserSig appear nowhere that a person, a file or an error reporter would see."""

from __future__ import annotations

import asyncio
import copy
import io
import json
import logging
import os
import pickle
import subprocess
import sys
import traceback
from collections import UserString
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

import attrs
import httpx
import pytest
from cli_process import EXTRAS, clean_environment
from conftest import SECRET_KEY, MakeClient
from http_server import Reply, Request, serve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from records import envelope, page_answer, raw_record

from trtc_records import (
    CallRecordsClient,
    CallRecordsError,
    ConfigurationError,
    TransportError,
    generate_user_sig,
)
from trtc_records._errors import shorten
from trtc_records.archive import archive_call_records
from trtc_records.export import Pseudonyms
from trtc_records.sandbox import Sandbox, SandboxFixture

pytestmark = pytest.mark.anyio

LIBRARIES = ("trtc_records", "httpx", "httpcore", "h11", "anyio/_", "stamina", "tenacity")
SIG = "eJx*Hf2-Kq_31/+=%&<>z9"
USER_SIG = "eJwtjEELgjAYhv-KfOeQubm5BI9RUUJBoMcxJ18VyTaXEf33lnl7n*d9eT9QFmfvpTqLkAJfAZoZgxbYTGLtakw"


def walk_pages(request: Request) -> dict[str, Any]:
    numbers = range(250)[(request.page - 1) * 100 : request.page * 100]
    return page_answer([raw_record(number) for number in numbers], request.page if numbers else 0, 250)


@pytest.fixture
def debug_log() -> Iterator[io.StringIO]:
    """Collect the records of every logger."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in logging.root.manager.loggerDict}
    for name in ["", *levels, "httpx", "httpcore", "asyncio", "trtc_records", "stamina"]:
        logging.getLogger(name).setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)
    root.setLevel(logging.WARNING)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def holds_secret(text: str, *more: str) -> bool:
    return any(secret in text for secret in (SECRET_KEY, USER_SIG, *more))


async def test_a_debug_log_of_a_whole_walk_is_clean(make_client: MakeClient, debug_log: io.StringIO) -> None:
    """A debug log of a whole walk shows neither key nor UserSig, even with the loop in debug mode."""
    asyncio.get_running_loop().set_debug(True)

    async def handle(request: Request) -> dict[str, Any]:
        return walk_pages(request)

    async with serve(handle) as server, make_client(base_url=server.base_url) as client:
        assert len([record async for record in client.iter_records()]) == 250
    asyncio.get_running_loop().set_debug(False)
    minted = server.requests[0].parameters["usersig"][0]
    assert " connected to " in debug_log.getvalue()  # the layers below did log
    assert not holds_secret(debug_log.getvalue(), minted)
    assert "usersig=" not in debug_log.getvalue()


# Every way in which a service may write the UserSig into its answer.
ESCAPES: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "for a URL": lambda text: "".join(each if each.isalnum() else f"%{ord(each):02x}" for each in text),
    "for a URL in a URL": lambda text: "".join(each if each.isalnum() else f"%25{ord(each):02X}" for each in text),
    "for JSON": lambda text: "".join(each if each.isalnum() else f"\\u{ord(each):04x}" for each in text),
    "for HTML": lambda text: "".join(each if each.isalnum() else f"&#{ord(each)};" for each in text),
    "for HTML, in hexadecimal": lambda text: "".join(each if each.isalnum() else f"&#x{ord(each):X};" for each in text),
    "with backslashes": lambda text: "".join(each if each.isalnum() else f"\\{each}" for each in text),
}


@pytest.mark.parametrize("over", ["lanes", "httpx"])
@pytest.mark.parametrize("status", [200, 302, 503])
@pytest.mark.parametrize("escape", list(ESCAPES))
async def test_an_answer_that_repeats_the_user_sig_shows_it_nowhere(
    make_client: MakeClient, debug_log: io.StringIO, escape: str, status: int, over: str
) -> None:
    """In headers, their names, the reason and the body it is masked for whoever reads: errors, frames, every log."""
    echo = ESCAPES[escape](SIG)
    body = json.dumps(envelope(code=70009, info=echo)).replace("\\\\", "\\").encode()
    head = f"HTTP/1.1 {status} Gone to {echo}\r\nLocation: /a?usersig={echo}&b=1\r\nSet-Cookie: s={echo}; Path=/\r\n"
    head += f"Link: <{echo}>\r\nLink: <{echo}>\r\nContent-Length: {len(body)}\r\n\r\n"

    async def handle(request: Request) -> Reply:
        assert request.parameters["usersig"] == [SIG]
        return Reply(raw=head.encode() + body, seconds_per_byte=0)

    arguments: dict[str, Any] = {"transport": httpx.AsyncHTTPTransport()} if over == "httpx" else {}
    async with serve(handle) as server, make_client(base_url=server.base_url, user_sig=SIG, **arguments) as client:
        asyncio.get_running_loop().set_debug(True)
        with pytest.raises(CallRecordsError) as caught:
            await client.get_record("x")
        asyncio.get_running_loop().set_debug(False)
    assert server.requests
    shown = (SIG, echo)
    layers_log = {"lanes": " connected to ", "httpx": "receive_response_headers.complete"}
    assert layers_log[over] in debug_log.getvalue()
    assert not holds_secret(debug_log.getvalue(), *shown, repr(echo)[1:-1])
    assert_clean(caught.value, *shown)
    assert not any(holds_secret(text, *shown) for text in visible(caught.value))


def visible(value: object, depth: int = 4, seen: set[int] | None = None) -> Iterator[str]:
    """Yield the texts that an error reporter would show of *value*: its repr, and those of its parts."""
    seen = set() if seen is None else seen
    if depth == 0 or id(value) in seen:
        return
    seen.add(id(value))
    yield shorten(value)
    if isinstance(value, dict):
        children = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        children = list(value)
    else:
        slots = [
            name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ()) if isinstance(name, str)
        ]
        children = [*getattr(value, "__dict__", {}).values(), *(getattr(value, name, None) for name in slots)]
    for child in children:
        if not callable(child):
            yield from visible(child, depth - 1, seen)


def frames_of(error: BaseException | None) -> Iterator[FrameType]:
    """Yield the frames of an error and of everything chained to it."""
    if error is None:
        return
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if any(f"/{package}/" in frame.f_code.co_filename for package in LIBRARIES):
            yield frame
    yield from frames_of(error.__cause__)
    yield from frames_of(error.__context__)


def assert_clean(error: BaseException, *more: str) -> None:
    """Check the printed form of an error, and the contents of its frames."""
    assert not holds_secret("".join(traceback.format_exception(error)), *more)
    for frame in frames_of(error):
        for name, value in frame.f_locals.items():
            for text in visible(value):
                assert not holds_secret(text, *more), f"{frame.f_code.co_qualname}: {name}"


async def _refuse(request: Request) -> Any:
    return envelope(code=70009, info=f"usersig {request.parameters['usersig'][0]} is wrong")


async def _echo_html(request: Request) -> Any:
    return Reply(f"<p>{request.parameters['usersig'][0]}</p>".encode(), 200)


async def _gateway(request: Request) -> Any:
    return Reply(b"bad", 502)


async def _cut(request: Request) -> Any:
    return Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{")


async def _slow(request: Request) -> Any:
    await asyncio.sleep(30)


async def _bad_record(request: Request) -> Any:
    return page_answer([raw_record(1, Caller_Account=[request.parameters["usersig"][0]])], 1, 1)


@pytest.mark.parametrize("handler", [_refuse, _echo_html, _gateway, _cut, _slow, _bad_record])
@pytest.mark.parametrize("credential", ["secret_key", "user_sig"])
@pytest.mark.parametrize("over", ["lanes", "httpx"])
async def test_an_error_carries_no_secret(
    make_client: MakeClient, handler: Callable[[Request], Any], credential: str, over: str
) -> None:
    """Message, repr, attributes, traceback and the locals of its frames are clean, even if the server repeats it."""
    arguments: dict[str, Any] = {"user_sig": USER_SIG} if credential == "user_sig" else {}
    if over == "httpx":
        arguments["transport"] = httpx.AsyncHTTPTransport()
    async with serve(handler) as server, make_client(base_url=server.base_url, timeout=0.5, **arguments) as client:
        with pytest.raises(CallRecordsError) as caught:
            async for _ in client.iter_records():
                pass
        sent = [request.parameters["usersig"][0] for request in server.requests]
    assert sent
    assert_clean(caught.value, *sent)
    assert not any(holds_secret(text, *sent) for text in visible(caught.value))


@pytest.mark.parametrize("over", ["lanes", "httpx"])
async def test_a_cancellation_carries_no_secret(make_client: MakeClient, over: str) -> None:
    """The caller's time-out keeps its type, and brings no frame of the layers below along."""
    transport = httpx.AsyncHTTPTransport() if over == "httpx" else None
    async with serve(_slow) as server, make_client(base_url=server.base_url, transport=transport) as client:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.1):
                await client.get_record("x")
        sent = [request.parameters["usersig"][0] for request in server.requests]
    assert_clean(caught.value, *sent)


async def test_a_failing_connection_carries_no_secret(make_client: MakeClient) -> None:
    """The error of a failing connection shows no secret."""
    async with make_client(base_url="http://127.0.0.1:1", user_sig=USER_SIG) as client:
        with pytest.raises(CallRecordsError) as caught:
            await client.get_record("x")
    assert_clean(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {"secret_key": SECRET_KEY, "region": "mars"},
        {"secret_key": SECRET_KEY, "user_sig": USER_SIG, "region": "china"},
        {"secret_key": SECRET_KEY.encode(), "region": "china"},
        {"user_sig": [USER_SIG], "region": "china"},
        {"secret_key": SECRET_KEY, "region": "china", "proxy": f"ftp://{SECRET_KEY}@proxy"},
        {"secret_key": SECRET_KEY, "region": "china", "proxy": f"http://u:{SECRET_KEY}@proxy:port"},
        {"secret_key": SECRET_KEY, "region": "china", "proxy": f"http://u:{SECRET_KEY}@proxy", "timeout": 0},
        {"secret_key": SECRET_KEY, "base_url": "http://127.0.0.1", "proxy": f"http://u:{SECRET_KEY}@proxy"},
        {"secret_key": SECRET_KEY, "region": "china", "proxy": [f"http://u:{SECRET_KEY}@proxy"]},
    ],
)
async def test_a_refused_argument_carries_no_secret(arguments: dict[str, Any]) -> None:
    """The constructor's own frames hold no credential in the clear."""
    with pytest.raises(ConfigurationError) as caught:
        CallRecordsClient(sdk_app_id=1, identifier="administrator", **arguments)
    assert_clean(caught.value)
    environ = {"TRTC_SECRET_KEY": SECRET_KEY, "TRTC_SDK_APP_ID": "1", "TRTC_IDENTIFIER": "a"}
    with pytest.raises(ConfigurationError) as caught:
        CallRecordsClient.from_env(environ)
    for frame in frames_of(caught.value):
        for value in frame.f_locals.values():
            assert not any(holds_secret(text) for text in visible(value))


HIDDEN = "s3cr3tAndNothingElse"

FAULTY_CREDENTIALS = st.sampled_from(
    [
        HIDDEN,
        f"{HIDDEN}\n",
        f"{HIDDEN}\ud800",
        f"{HIDDEN}\nmore",
        HIDDEN.encode(),
        bytearray(HIDDEN.encode()),
        {"key": HIDDEN},
        [HIDDEN],
        (HIDDEN,),
        UserString(HIDDEN),
    ]
)
FAULTY_URLS = st.builds(
    "{}{}{}".format,
    st.sampled_from(
        ["http", "https", "redis", "rediss", "socks5", "ftp", "postgresql", "duckdb", "mysql+x", "unix", ""]
    ),
    st.sampled_from(["://", ":", "//", "", "\ufeff://"]),
    st.sampled_from(
        [
            f"user:{HIDDEN}@host:port",
            f"user:{HIDDEN}@host:99999999",
            f"user:{HIDDEN}@host/database",
            f"user:{HIDDEN}@host/0?db=x&socket_timeout=soon",
            f"user:{HIDDEN}@ho\udcffst",
            f"user:{HIDDEN}@[::1",
            f"user:{HIDDEN}@",
            f"user:{HIDDEN}%zz@ho st\r\n",
            f"user:pass@{HIDDEN}@host/d",
            f"host/?password={HIDDEN}",
            f"127.0.0.1:9/#{HIDDEN}",
        ]
    ),
) | st.just(f"http://user:{HIDDEN}@host:port".encode())
FAULTY_VALUES = st.sampled_from([None, 0, -1, 10**5000, "", " ", "x", "\ud800", b"x", 1.5, [], {}, object()])


async def _get_page(**arguments: Any) -> None:
    async with CallRecordsClient(
        sdk_app_id=1, identifier="a", base_url="http://127.0.0.1:9", attempts=1, **arguments
    ) as client:
        await client.get_page()


def _run_command(*arguments: str, **environment: str) -> None:
    """Run the command, and raise all that it prints."""
    output = io.StringIO()
    account = {"TRTC_SDK_APP_ID": "1", "TRTC_IDENTIFIER": "a", "TRTC_BASE_URL": "http://127.0.0.1:9"}
    # Bytes that are no text come from the environment as single surrogates.
    account |= {name: value.replace("\ud800", "\udcff") for name, value in environment.items()}
    if not EXTRAS:
        return
    from trtc_records.cli import main

    with (
        patch.dict(os.environ, {**clean_environment(), **account}, clear=True),
        redirect_stdout(output),
        redirect_stderr(output),
    ):
        main(arguments)
    raise LookupError(output.getvalue())


def _make_limiter(url: Any, **arguments: Any) -> None:
    if find_spec("redis") is None:
        return
    from trtc_records.quota.redis import RedisRateLimiter

    RedisRateLimiter.from_url(url, **{"sdk_app_id": 1, **arguments})


def _make_checkpoint(url: Any, **arguments: Any) -> None:
    if find_spec("redis") is None:
        return
    from trtc_records.feed.redis import RedisCheckpoint

    RedisCheckpoint.from_url(url, **{"name": "a", **arguments})


def _archive(**arguments: Any) -> None:
    client = CallRecordsClient(sdk_app_id=1, identifier="a", secret_key="k", base_url="http://127.0.0.1:9")
    asyncio.run(archive_call_records(client, "/no/where", **arguments))


def _sync(to: Any, **arguments: Any) -> None:
    if find_spec("dlt") is None:
        return
    from trtc_records.warehouse.dlt import sync_call_records

    # Never a good pair: nothing is to be connected to.
    sync_call_records(to, **{"page_size": 0, **arguments})


ACCOUNT = {"sdk_app_id": 1, "identifier": "a", "region": "seoul"}
ENTRY_POINTS: dict[str, Callable[[Any, Any, Any], object]] = {
    "secret_key": lambda key, url, bad: CallRecordsClient(**{**ACCOUNT, "secret_key": key, "timeout": bad}),
    "secret_key, identifier": lambda key, url, bad: CallRecordsClient(
        sdk_app_id=1, identifier=bad, secret_key=key, region="seoul"
    ),
    "user_sig": lambda key, url, bad: CallRecordsClient(**{**ACCOUNT, "user_sig": key, "sdk_app_id": bad}),
    "both": lambda key, url, bad: CallRecordsClient(**{**ACCOUNT, "user_sig": key, "secret_key": key}),
    "provider": lambda key, url, bad: asyncio.run(_get_page(user_sig=lambda: key)),
    "proxy": lambda key, url, bad: CallRecordsClient(**{**ACCOUNT, "secret_key": key, "proxy": url, "attempts": bad}),
    "base_url": lambda key, url, bad: CallRecordsClient(sdk_app_id=1, identifier="a", secret_key="k", base_url=url),
    "from_env arguments": lambda key, url, bad: CallRecordsClient.from_env(
        {}, secret_key=key, proxy=url, base_url=url, sdk_app_id=bad, identifier="a"
    ),
    "from_env misspelled": lambda key, url, bad: CallRecordsClient.from_env({}, secretkey=key),
    "from_env key": lambda key, url, bad: CallRecordsClient.from_env(
        {"TRTC_SECRET_KEY": key, "TRTC_SDK_APP_ID": "1", "TRTC_IDENTIFIER": "a", "TRTC_REGION": "mars"}
    ),
    "from_env urls": lambda key, url, bad: CallRecordsClient.from_env(
        {
            "TRTC_USER_SIG": key,
            "TRTC_SDK_APP_ID": "1",
            "TRTC_IDENTIFIER": "a",
            "TRTC_BASE_URL": url,
            "TRTC_REDIS_URL": url,
        }
    ),
    "from_env file": lambda key, url, bad: CallRecordsClient.from_env({"TRTC_SECRET_KEY_FILE": key * 3}),
    "from_env object": lambda key, url, bad: CallRecordsClient.from_env(key),
    "generate_user_sig": lambda key, url, bad: generate_user_sig(1, "a", key),
    "generate_user_sig id": lambda key, url, bad: generate_user_sig(bad, "a", key),
    "generate_user_sig identifier": lambda key, url, bad: generate_user_sig(1, bad, key),
    "generate_user_sig lifetime": lambda key, url, bad: generate_user_sig(1, "a", key, lifetime=bad),
    "generate_user_sig time": lambda key, url, bad: generate_user_sig(1, "a", key, issued_at=bad),
    "pseudonyms": lambda key, url, bad: Pseudonyms(key),
    "pseudonyms from_env": lambda key, url, bad: Pseudonyms.from_env({"TRTC_PSEUDONYM_KEY": key}),
    "pseudonyms from_env file": lambda key, url, bad: Pseudonyms.from_env({"TRTC_PSEUDONYM_KEY_FILE": key * 3}),
    "pseudonyms from_env object": lambda key, url, bad: Pseudonyms.from_env(key),
    "pseudonyms archive": lambda key, url, bad: _archive(pseudonyms=key),
    "pseudonyms sync": lambda key, url, bad: _sync("duckdb:///:memory:", pseudonyms=key),
    "command pseudonyms": lambda key, url, bad: _run_command(
        "export", "--sandbox", "--pseudonymize", "-o", "/no/where.jsonl", TRTC_PSEUDONYM_KEY=str(key)
    ),
    "redis": lambda key, url, bad: _make_limiter(url, sdk_app_id=bad),
    "redis argument": lambda key, url, bad: _make_limiter(f"redis://user:{HIDDEN}@host/0", rate=bad),
    "redis unknown argument": lambda key, url, bad: _make_limiter(f"redis://user:{HIDDEN}@host/0", tiemout=1),
    "checkpoint": lambda key, url, bad: _make_checkpoint(url, name=bad),
    "checkpoint argument": lambda key, url, bad: _make_checkpoint(f"redis://user:{HIDDEN}@host/0", lock_timeout=bad),
    "checkpoint unknown argument": lambda key, url, bad: _make_checkpoint(f"redis://user:{HIDDEN}@host/0", tiemout=1),
    "sync": lambda key, url, bad: _sync(url),
    "sync dataset": lambda key, url, bad: _sync(f"postgresql://user:{HIDDEN}@host/d", dataset=bad),
    "sandbox": lambda key, url, bad: Sandbox(secret_key=key, port=-1),
    "sandbox argument": lambda key, url, bad: Sandbox(secret_key=key, records=bad, seed=None),
    "sandbox client": lambda key, url, bad: SandboxFixture(port=9, records=0).client(user_sig=key, timeout=bad),
    "command sync": lambda key, url, bad: _run_command("sync", "--page-size", "x", "--to", str(url)),
    "command sync --to": lambda key, url, bad: _run_command("sync", "--dataset", "A", f"--to={url}"),
    "command urls": lambda key, url, bad: _run_command(
        "get", "x", TRTC_SECRET_KEY="k", TRTC_BASE_URL=str(url), TRTC_REDIS_URL=str(url), HTTPS_PROXY=str(url)
    ),
    "command key": lambda key, url, bad: _run_command("doctor", TRTC_SECRET_KEY=str(key), TRTC_BASE_URL="x"),
    "command usersig": lambda key, url, bad: _run_command(
        "usersig", "--print", TRTC_SECRET_KEY=str(key), TRTC_SDK_APP_ID="x"
    ),
    "command both": lambda key, url, bad: _run_command("get", "x", TRTC_SECRET_KEY=str(key), TRTC_USER_SIG=str(key)),
}
"""Every way in that takes a secret, each with a credential, a URL and another value that may be faulty."""


@pytest.mark.parametrize("entry_point", list(ENTRY_POINTS))
@given(key=FAULTY_CREDENTIALS, url=FAULTY_URLS, bad=FAULTY_VALUES)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_entry_point_shows_a_secret(entry_point: str, key: Any, url: Any, bad: Any) -> None:
    """Errors of every way in are clean: message, repr, chained errors, and the variables of all their frames."""
    error: BaseException | None = None
    try:
        ENTRY_POINTS[entry_point](key, url, bad)
    except (CallRecordsError, TypeError, ValueError, LookupError) as caught:
        error = caught
    for each in chain_of(error):
        assert HIDDEN not in repr(each) + str(each)
    for frame in frames_of(error):
        for name, value in frame.f_locals.items():
            for text in visible(value):
                assert HIDDEN not in text, f"{frame.f_code.co_qualname}: {name}"


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and everything chained to it, suppressed or not."""
    if error is not None:
        yield error
        yield from chain_of(error.__cause__)
        yield from chain_of(error.__context__)


async def test_a_client_shows_no_secret(make_client: MakeClient) -> None:
    """Neither a client's repr nor any object in its attributes shows a secret."""
    async with make_client(base_url="http://127.0.0.1:1") as client:
        assert not holds_secret(repr(client))
        assert not any(holds_secret(text) for text in visible(client, depth=6))
        for take in (pickle.dumps, copy.deepcopy):
            with pytest.raises((TypeError, AttributeError)):
                take(client)


async def test_attributes_of_a_credential_cannot_be_dumped(make_client: MakeClient) -> None:
    """vars(), attrs.asdict and json all stop at the type that holds it."""
    from trtc_records._secret import Secret

    @attrs.define
    class Holder:
        secret: Secret

    holder = Holder(Secret(SECRET_KEY))
    assert not holds_secret(repr(attrs.asdict(holder)))
    with pytest.raises(TypeError):
        json.dumps(attrs.asdict(holder))
    with pytest.raises(TypeError):
        vars(holder.secret)


def test_python_in_development_mode_prints_no_secret(tmp_path: Path) -> None:
    """-X dev, warnings as errors, an unhandled error at the end: standard error stays clean."""
    program = tmp_path / "program.py"
    program.write_text(
        "import asyncio, os, logging\n"
        "from trtc_records import CallRecordsClient\n"
        "logging.basicConfig(level=logging.DEBUG)\n"
        "async def main():\n"
        "    async with CallRecordsClient.from_env(attempts=2) as client:\n"
        "        await client.get_record('x')\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", str(program)],
        env={
            "TRTC_SDK_APP_ID": "1400000000",
            "TRTC_IDENTIFIER": "administrator",
            "TRTC_SECRET_KEY": SECRET_KEY,
            "TRTC_BASE_URL": "http://127.0.0.1:1",
            "PATH": "",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "TransportError" in done.stderr
    assert not holds_secret(done.stderr + done.stdout, "usersig=")


async def test_the_credential_goes_through_a_proxy_only_inside_the_tunnel(make_client: MakeClient) -> None:
    """The CONNECT request that a proxy sees in the clear names host and port, and nothing else."""
    heads: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(proxy, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    proxy_url = f"http://user:hunter2@127.0.0.1:{port}"
    async with make_client(region="singapore", user_sig=USER_SIG, proxy=proxy_url) as client:
        with pytest.raises(CallRecordsError, match="403") as caught:
            await client.get_record("x")
    listener.close()
    await asyncio.sleep(0.02)  # the loop closes the sockets
    assert heads[0].startswith(b"CONNECT adminapisgp.im.qcloud.com:443 HTTP/1.1\r\n")
    assert not holds_secret(heads[0].decode())
    assert_clean(caught.value)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x05\xff", b"\x05\x02"], ids=repr)
async def test_a_socks_proxy_that_fails_shows_no_password(
    make_client: MakeClient, debug_log: io.StringIO, reply: bytes
) -> None:
    """Whatever it replies is an error that may pass, and its password is in no log."""

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(3)
        writer.write(reply)
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(proxy, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with make_client(region="singapore", proxy=f"socks5://trinity:hunter2@127.0.0.1:{port}") as client:
        with pytest.raises(
            TransportError, match=rf"no connection to .* through socks5://127\.0\.0\.1:{port} \("
        ) as caught:
            await client.get_record("x")
    listener.close()
    await asyncio.sleep(0.02)  # the loop closes the sockets
    assert caught.value.retryable
    assert_clean(caught.value)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    assert "setup_socks5_connection" in debug_log.getvalue()
    assert not holds_secret(debug_log.getvalue(), "hunter2")


async def test_the_environments_proxy_is_used_for_https_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTPS_PROXY counts, NO_PROXY too, and loopback over plain HTTP goes straight."""
    from trtc_records._sending.endpoint import choose_proxy

    def find(url: str) -> str | None:
        proxy = choose_proxy(httpx.URL(url), None)
        return None if proxy is None else str(proxy.url)

    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    assert find("https://console.tim.qq.com") == "http://proxy:3128"
    assert find("http://127.0.0.1:80") is None
    monkeypatch.setenv("NO_PROXY", "qq.com")
    assert find("https://console.tim.qq.com") is None
    monkeypatch.delenv("HTTPS_PROXY")
    monkeypatch.setenv("ALL_PROXY", "proxy:3128")
    assert find("https://adminapisgp.im.qcloud.com") == "http://proxy:3128"
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy:1080")
    assert find("https://adminapisgp.im.qcloud.com") == "socks5://proxy:1080"
