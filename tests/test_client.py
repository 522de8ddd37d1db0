"""The client over real HTTP, against a server whose every answer the test decides."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import inspect
import json
import ssl
import sys
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import trustme
import virtual_time
from conftest import SECRET_KEY, MakeClient
from http_server import Reply, Request, serve
from records import ENDINGS, call_id, envelope, page_answer, raw_record

from trtc_records import (
    AuthenticationError,
    CallRecordNotFoundError,
    CallRecordsClient,
    CallResult,
    CallType,
    ClientClosedError,
    ClockSkewWarning,
    ConfigurationError,
    InvalidRequestError,
    RequestTimeoutError,
    ResponseDecodeError,
    RetentionWarning,
    TransportError,
)
from trtc_records._api.usersig import verify_user_sig
from trtc_records._sending.lane import Exchange
from trtc_records._sending.lanes import LaneTransport
from trtc_records.sandbox import Behaviour, Sandbox

pytestmark = pytest.mark.anyio


def pages(count: int, *, cap: int = 10**9, ending: dict[str, Any] | None = None, latency: float = 0.0) -> Any:
    """Return a handler that serves *count* records, at most *cap* per page."""

    async def handle(request: Request) -> dict[str, Any]:
        await asyncio.sleep(latency)
        size = min(request.body["NumberPerPage"], cap)
        numbers = range(count)[(request.page - 1) * size : request.page * size]
        if not numbers:
            return ending or ENDINGS["Page 0"]
        return page_answer([raw_record(number) for number in numbers], request.page, count)

    return handle


async def ids_of(client: CallRecordsClient, **arguments: Any) -> list[str]:
    return [record.call_id async for record in client.iter_records(**arguments)]


def all_ids(count: int) -> list[str]:
    return [call_id(number) for number in range(count)]


@pytest.mark.parametrize("ending", list(ENDINGS))
@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250])
async def test_a_walk_gives_every_record_once_however_it_ends(make_client: MakeClient, count: int, ending: str) -> None:
    """All of API.md's ways to end a walk end it, and none of them is a failure."""
    answer = ENDINGS[ending]
    if ending == "Page 0 with the total":
        answer = envelope({"TotalNum": count, "Page": 0, "CallRecordList": []})
    async with serve(pages(count, ending=answer)) as server, make_client(base_url=server.base_url) as client:
        assert await ids_of(client) == all_ids(count)
        assert len(server.requests) <= -(-count // 100) + 2


@pytest.mark.parametrize("cap", [1, 7, 50, 100])
async def test_a_server_that_gives_less_than_a_page_loses_nothing(make_client: MakeClient, cap: int) -> None:
    """The page size is a wish: a cap below it does not cut the walk short."""
    async with serve(pages(60, cap=cap)) as server, make_client(base_url=server.base_url) as client:
        assert await ids_of(client, page_size=100) == all_ids(60)
        assert len(server.requests) <= -(-60 // cap) + 2


async def test_a_walk_asks_with_its_arguments(make_client: MakeClient) -> None:
    """Conditions, page size and both ends of the window are the same in every request of a walk."""
    now = int(time.time())
    async with serve(pages(25)) as server, make_client(base_url=server.base_url) as client:
        await ids_of(
            client,
            start_time=datetime.now(UTC) - timedelta(hours=1),
            call_result=CallResult.NORMAL_END,
            call_type=CallType.SINGLE_CALL,
            page_size=10,
        )
    windows = {(request.body["StartTime"], request.body["EndTime"]) for request in server.requests}
    ((start, end),) = windows
    assert now - 3601 <= start <= now - 3598
    assert now <= end <= now + 2
    for request in server.requests:
        assert request.body["CallResult"] == "NormalEnd"
        assert request.body["CallType"] == "SingleCall"
        assert request.body["NumberPerPage"] == 10
        assert request.method == "POST"
        assert request.path == "/v4/call_record_http_srv/get_record_by_filter"


async def test_a_walk_without_a_window_starts_inside_the_retention(make_client: MakeClient) -> None:
    """The start lies a margin inside the 7 days, so that nothing expires under the walk."""
    now = int(time.time())
    async with serve(pages(1)) as server, make_client(base_url=server.base_url) as client:
        await ids_of(client)
    assert 0 < server.requests[0].body["StartTime"] - (now - 7 * 86_400) <= 120


async def test_a_walk_beyond_the_retention_warns_at_the_callers_line(make_client: MakeClient) -> None:
    """A window of more than 7 days warns of the records that have expired."""
    async with serve(pages(1)) as server, make_client(base_url=server.base_url) as client:
        with pytest.warns(RetentionWarning, match="keeps them for 7 days") as caught:
            assert await ids_of(client, start_time=0) == all_ids(1)
    assert caught[0].filename == __file__


async def test_a_window_that_has_expired_asks_nothing(make_client: MakeClient) -> None:
    """There is nothing to find, and the server would refuse a start after the end."""
    async with serve(pages(1)) as server, make_client(base_url=server.base_url) as client:
        with pytest.warns(RetentionWarning):
            assert await ids_of(client, start_time=1_000, end_time=2_000) == []
    assert server.requests == []


async def test_every_request_is_signed_and_fresh(make_client: MakeClient) -> None:
    """The URL carries the five parameters once each, a valid UserSig, and a new random number."""
    async with serve(pages(250)) as server, make_client(base_url=server.base_url) as client:
        await ids_of(client)
    for request in server.requests:
        assert set(request.parameters) == {"sdkappid", "identifier", "usersig", "random", "contenttype"}
        assert all(len(values) == 1 for values in request.parameters.values())
        assert request.parameters["sdkappid"] == ["1400000000"]
        assert request.parameters["contenttype"] == ["json"]
        assert 0 <= int(request.parameters["random"][0]) <= 4294967295
        claims = verify_user_sig(request.parameters["usersig"][0], SECRET_KEY)
        assert claims.identifier == "administrator"
    assert len({request.parameters["random"][0] for request in server.requests}) == len(server.requests)


async def test_connections_are_kept(make_client: MakeClient) -> None:
    """Twenty lookups in a row travel over one connection."""
    async with serve(_lookup) as server, make_client(base_url=server.base_url) as client:
        for number in range(20):
            await client.get_record(call_id(number))
        assert server.connections == 1


async def _lookup(request: Request) -> dict[str, Any]:
    wanted = request.body["CallId"]
    if wanted == "nobody":
        return envelope(code=101050, info="no such call")
    return envelope({"CallRecord": raw_record(int(wanted.removeprefix("call-")))})


async def test_a_lookup_gives_the_record(make_client: MakeClient) -> None:
    """get_record asks the sibling call for one id."""
    async with serve(_lookup) as server, make_client(base_url=server.base_url) as client:
        record = await client.get_record("call-000007")
    assert record.call_id == "call-000007"
    assert server.requests[0].path == "/v4/call_record_http_srv/get_record_by_callid"
    assert server.requests[0].body == {"CallId": "call-000007"}


@pytest.mark.parametrize("margin", [" ", "\r\n", "\ufeff", "\u200b", "\0"])
async def test_a_lookup_ignores_what_a_file_leaves_around_the_id(make_client: MakeClient, margin: str) -> None:
    """The id is compared as it was sent, without the margin."""
    async with serve(_lookup) as server, make_client(base_url=server.base_url, attempts=1) as client:
        assert (await client.get_record(f"{margin}call-000007{margin}")).call_id == "call-000007"


async def test_a_lookup_of_nothing_is_an_error(make_client: MakeClient) -> None:
    """101050 on a lookup is CallRecordNotFoundError, with the RequestId."""
    async with serve(_lookup) as server, make_client(base_url=server.base_url) as client:
        with pytest.raises(CallRecordNotFoundError, match="Id-test-O-Seq-1"):
            await client.get_record("nobody")


async def test_one_page_is_one_request(make_client: MakeClient) -> None:
    """get_page neither walks nor fixes the window."""
    async with serve(pages(25)) as server, make_client(base_url=server.base_url) as client:
        page = await client.get_page(2, page_size=10)
    assert [record.call_id for record in page.records] == all_ids(25)[10:20]
    assert (page.page, page.total_num, page.request_id) == (2, 25, "Id-test-O-Seq-1")
    assert [request.body for request in server.requests] == [{"NumberPerPage": 10, "Page": 2}]


async def test_a_page_is_asked_for_again_where_several_connections_repeat_their_first_answers(
    make_client: MakeClient,
) -> None:
    """Every idle connection is in doubt then, not only the one that gave the wrong page."""
    serve_page = pages(30, latency=0.05)
    repeated: dict[int, Any] = {}

    async def handle(request: Request) -> Any:
        if request.connection > 2:
            return await serve_page(request)
        if request.connection not in repeated:
            repeated[request.connection] = await serve_page(request)
        return repeated[request.connection]

    async with serve(handle) as server, make_client(base_url=server.base_url) as client:
        await asyncio.gather(client.get_page(1, page_size=10), client.get_page(2, page_size=10))
        page = await client.get_page(3, page_size=10)
    assert [record.call_id for record in page.records] == all_ids(30)[20:]


@pytest.mark.parametrize("ending", list(ENDINGS))
async def test_a_page_beyond_the_end_is_empty(make_client: MakeClient, ending: str) -> None:
    """get_page says so by a page without records, whatever words the server finds for it."""
    async with serve(pages(0, ending=ENDINGS[ending])) as server, make_client(base_url=server.base_url) as client:
        assert (await client.get_page(9)).records == ()


async def test_pages_of_a_walk_come_with_their_numbers(make_client: MakeClient) -> None:
    """iter_pages yields the server's numbers of each page."""
    async with serve(pages(25)) as server, make_client(base_url=server.base_url) as client:
        found = [(page.page, len(page.records), page.total_num) async for page in client.iter_pages(page_size=10)]
    assert found == [(1, 10, 25), (2, 10, 25), (3, 5, 25)]


async def test_walks_are_async_generators(make_client: MakeClient) -> None:
    """In the language's sense: aclose(), asend() and aclosing() work on them."""
    client = make_client(base_url="http://127.0.0.1:9")
    for walk in (client.iter_records(), client.iter_pages()):
        assert inspect.isasyncgen(walk)
        await walk.aclose()
    assert inspect.isasyncgenfunction(client.iter_records)
    await client.aclose()


async def test_a_page_size_that_is_too_large_is_explained(make_client: MakeClient) -> None:
    """An answer 101002 that names NumberPerPage says to lower page_size."""

    async def handle(request: Request) -> dict[str, Any]:
        return envelope(code=101002, info="NumberPerPage is invalid")

    async with serve(handle) as server, make_client(base_url=server.base_url) as client:
        with pytest.raises(InvalidRequestError, match="lower page_size"):
            await ids_of(client, page_size=5000)


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({"call_result": CallType.SINGLE_CALL}, "call_result=.*pass a CallResult"),
        ({"start_time": datetime(2026, 1, 1)}, "start_time.*naive"),  # noqa: DTZ001
        ({"start_time": 200, "end_time": 100}, "start_time.*end_time"),
        ({"page_size": 0}, "page_size=0"),
        ({"call_result": "normalend"}, "did you mean 'NormalEnd'"),
    ],
)
async def test_bad_arguments_of_a_walk_are_refused_unsent(
    make_client: MakeClient, arguments: dict[str, Any], names: str
) -> None:
    """Nothing reaches the server when an argument cannot be used."""
    async with serve(pages(1)) as server, make_client(base_url=server.base_url) as client:
        with pytest.raises(ConfigurationError, match=names):
            await ids_of(client, **arguments)
        with pytest.raises(ConfigurationError, match=names):
            await client.get_page(1, **arguments)
        with pytest.raises(ConfigurationError, match="page=0"):
            await client.get_page(0)
        with pytest.raises(ConfigurationError, match="call_id=''"):
            await client.get_record("")
    assert server.requests == []


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({"sdk_app_id": 0}, "sdk_app_id=0"),
        ({"sdk_app_id": "1400000000"}, "sdk_app_id='1400000000'"),
        ({"identifier": ""}, "identifier=''"),
        ({"identifier": "\udcff"}, "identifier="),
        ({"secret_key": "\udcff"}, "secret_key: an empty string, or no string"),
        ({"user_sig": "x", "secret_key": "y"}, "secret_key and user_sig: both"),
        ({"user_sig": None}, "secret_key and user_sig: neither"),
        ({"user_sig": ""}, "user_sig: an empty string"),
        ({"secret_key": b"bytes"}, "secret_key: an empty string, or no string"),
        ({"region": "china"}, "region and base_url: both"),
        ({"base_url": None}, "region and base_url: neither"),
        ({"base_url": None, "region": "mars"}, "region='mars'.*singapore"),
        ({"base_url": "http://example.com"}, "https://"),
        ({"timeout": 0}, "timeout=0"),
        ({"attempts": 0}, "attempts=0"),
        ({"max_in_flight": 0}, "max_in_flight=0"),
        ({"max_response_bytes": 0}, "max_response_bytes=0"),
        ({"total_timeout": -1}, "total_timeout=-1"),
        ({"limiter": object()}, "limiter=.*acquire"),
        ({"transport": object()}, "transport="),
        ({"transport": LaneTransport()}, "transport=.*pass an httpx.AsyncBaseTransport"),
        ({"transport": httpx.MockTransport(print), "proxy": "http://proxy:3128"}, "transport: it decides on proxy"),
        ({"transport": httpx.MockTransport(print), "verify": True}, "transport: it decides on proxy and verify"),
        ({"proxy": "foo"}, "proxy: pass a URL such as"),
        ({"proxy": "http://"}, "proxy: pass a URL such as"),
        ({"proxy": "ftp://user:hunter2@host"}, "proxy: pass a URL such as"),
        ({"proxy": "http://user:hunter2@host:port"}, "proxy: pass a URL such as"),
        ({"proxy": 3128}, "proxy: pass a URL such as"),
        ({"proxy": print}, "proxy: pass a URL such as"),
        ({"verify": False}, r"verify=False: pass an ssl\.SSLContext"),
        ({"verify": "company-ca.pem"}, r"verify='company-ca\.pem': pass an ssl\.SSLContext"),
    ],
)
async def test_bad_arguments_of_a_client_are_refused(
    make_client: MakeClient, arguments: dict[str, Any], names: str
) -> None:
    """The message names the argument, the value and the remedy, and shows no password."""
    with pytest.raises(ConfigurationError, match=names) as caught:
        make_client(**{"base_url": "https://127.0.0.1:9", **arguments})
    assert "hunter2" not in str(caught.value)


async def test_a_client_comes_from_the_environment() -> None:
    """from_env reads the variables of README, and arguments win over them."""
    environ = {
        "TRTC_SDK_APP_ID": "1400000001",
        "TRTC_IDENTIFIER": "administrator",
        "TRTC_SECRET_KEY": SECRET_KEY,
        "TRTC_BASE_URL": "http://127.0.0.1:9",
        "TRTC_USER_SIG": "",
    }
    assert "sdk_app_id=1400000001" in repr(CallRecordsClient.from_env(environ))
    other = CallRecordsClient.from_env(environ, region="singapore", user_sig="x", identifier="other")
    assert "identifier='other'" in repr(other)
    assert "sdk_app_id=7" in repr(CallRecordsClient.from_env(environ, sdk_app_id=7))
    assert "adminapisgp" in repr(other)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"TRTC_SDK_APP_ID": ""}, "TRTC_SDK_APP_ID is not set"),
        ({"TRTC_SDK_APP_ID": "app"}, "TRTC_SDK_APP_ID='app'"),
        ({"TRTC_IDENTIFIER": ""}, "TRTC_IDENTIFIER is not set"),
        ({"TRTC_SECRET_KEY": ""}, "TRTC_SECRET_KEY or TRTC_USER_SIG is not set"),
        ({"TRTC_USER_SIG": "x"}, "TRTC_SECRET_KEY and TRTC_USER_SIG are set: keep one"),
        ({"TRTC_REGION": ""}, "TRTC_REGION or TRTC_BASE_URL is not set"),
        ({"TRTC_REGION": "mars"}, "region='mars'"),
    ],
)
async def test_a_bad_environment_is_refused(change: dict[str, str], names: str) -> None:
    """The message names the variable and the remedy."""
    environ = {
        "TRTC_SDK_APP_ID": "1400000001",
        "TRTC_IDENTIFIER": "administrator",
        "TRTC_SECRET_KEY": SECRET_KEY,
        "TRTC_REGION": "singapore",
    }
    with pytest.raises(ConfigurationError, match=names):
        CallRecordsClient.from_env({**environ, **change})


async def test_an_empty_environment_is_told_all_that_it_lacks() -> None:
    """One run names all variables that are missing."""
    with pytest.raises(ConfigurationError) as caught:
        CallRecordsClient.from_env({})
    for name in ("TRTC_SDK_APP_ID", "TRTC_IDENTIFIER", "TRTC_SECRET_KEY or TRTC_USER_SIG", "TRTC_REGION or"):
        assert name in str(caught.value)


async def test_a_closed_client_says_so(make_client: MakeClient) -> None:
    """Every use after aclose() is one clear error; closing twice is none."""
    client = make_client(base_url="http://127.0.0.1:9")
    await client.aclose()
    await client.aclose()
    for use in (client.get_page(), client.get_record("x"), ids_of(client), client.__aenter__()):
        with pytest.raises(ClientClosedError, match="closed"):
            await use


@pytest.mark.parametrize("use", ["enter", "get_page", "iter_records"])
async def test_a_client_that_was_used_and_not_closed_warns(make_client: MakeClient, use: str) -> None:
    """Python's own warning for a resource names the client, and no secret."""
    async with serve(pages(1)) as server:
        client: CallRecordsClient | None = make_client(base_url=server.base_url)
        transport = client._requester._transport
        if use == "enter":
            await client.__aenter__()
        elif use == "get_page":
            await client.get_page()
        else:
            await ids_of(client)
        with pytest.warns(ResourceWarning, match=r"^unclosed CallRecordsClient\(sdk_app_id=1400000000") as caught:
            client = None
            gc.collect()
        assert SECRET_KEY not in str(caught[0].message)
        await transport.aclose()


async def test_a_client_that_was_never_used_or_is_closed_does_not_warn(make_client: MakeClient) -> None:
    """Nothing is open then; neither is it where arguments were refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_client(base_url="http://127.0.0.1:9")
        with pytest.raises(ConfigurationError):
            make_client(base_url="http://127.0.0.1:9", timeout=0)
        async with serve(pages(1)) as server, make_client(base_url=server.base_url) as client:
            await client.get_page()
        del client
        gc.collect()


async def test_closing_ends_a_walk_under_way(make_client: MakeClient) -> None:
    """A consumer that waits for a page is told, and is not cancelled itself."""
    async with serve(pages(10_000, latency=0.2)) as server:
        client = make_client(base_url=server.base_url)
        consumer = asyncio.create_task(ids_of(client))
        await asyncio.sleep(0.3)
        await client.aclose()
        with pytest.raises(ClientClosedError):
            await consumer


async def _stop_by_break(client: CallRecordsClient) -> None:
    async for _ in client.iter_records():
        break


async def _stop_by_aclose(client: CallRecordsClient) -> None:
    walk = client.iter_records()
    await anext(walk)
    await walk.aclose()


async def _stop_by_error(client: CallRecordsClient) -> None:
    with pytest.raises(LookupError):
        async for _ in client.iter_records():
            raise LookupError


async def _stop_by_cancellation(client: CallRecordsClient) -> None:
    task = asyncio.create_task(ids_of(client))
    await asyncio.sleep(0.15)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def _stop_by_timeout(client: CallRecordsClient) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.15):
            await ids_of(client)


async def _stop_by_dropping(client: CallRecordsClient) -> None:
    walk = client.iter_pages()
    await anext(walk)
    del walk


@pytest.mark.parametrize(
    "stop",
    [_stop_by_break, _stop_by_aclose, _stop_by_error, _stop_by_cancellation, _stop_by_timeout, _stop_by_dropping],
)
async def test_a_consumer_that_stops_leaves_nothing_behind(
    make_client: MakeClient, stop: Callable[[CallRecordsClient], Any]
) -> None:
    """No task, no further request, no open connection after the client is closed, no word from the loop."""
    complaints: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    before = asyncio.all_tasks()
    async with serve(pages(100_000, latency=0.05)) as server:
        listening = asyncio.all_tasks() - before
        async with make_client(base_url=server.base_url) as client:
            await stop(client)
            gc.collect()
            await asyncio.sleep(0.1)
            requests = len(server.requests)
            await asyncio.sleep(0.2)
            assert len(server.requests) == requests
        await asyncio.sleep(0.05)
        assert server.open_connections == 0
        assert asyncio.all_tasks() - before - listening == set()
    assert complaints == []


async def test_a_cancelled_client_goes_on_working(make_client: MakeClient) -> None:
    """The caller's time-out passes through untouched, and the next call is none the worse."""
    slow = True

    async def handle(request: Request) -> dict[str, Any]:
        if slow:
            await asyncio.sleep(30)
        return await _lookup(request)

    async with serve(handle) as server, make_client(base_url=server.base_url) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.get_record("call-000001")
        slow = False
        assert (await client.get_record("call-000001")).call_id == "call-000001"


@pytest.mark.parametrize(("seconds", "seconds_per_byte"), [(30, 0), (0, 0.01)], ids=["none", "trickles"])
async def test_a_slow_answer_is_a_transport_error(
    make_client: MakeClient, seconds: float, seconds_per_byte: float
) -> None:
    """One attempt takes no longer than the time-out says, even if bytes trickle in."""

    async def handle(request: Request) -> Reply:
        await asyncio.sleep(seconds)
        return Reply(b"{" * 1000, seconds_per_byte=seconds_per_byte)

    async with serve(handle) as server, make_client(base_url=server.base_url, timeout=0.1) as client:
        with pytest.raises(TransportError, match=r"no answer within 0\.1 s") as caught:
            await client.get_record("x")
    assert isinstance(caught.value, TimeoutError)


@pytest.mark.parametrize(("connecting", "answering", "in_time"), [(0.4, 0.5, True), (0.6, 0.6, False)])
def test_the_time_out_counts_connecting_and_answering_but_no_waiting_for_a_permit(
    make_client: MakeClient, connecting: float, answering: float, in_time: bool
) -> None:
    """Both together have the time of one attempt, however long the limiter takes in between."""

    class Slow:
        async def acquire(self) -> None:
            await asyncio.sleep(100)

    class Channel:
        via = ""

        async def exchange(self, *request: Any) -> Exchange:
            await asyncio.sleep(connecting)
            await request[-1]()
            await asyncio.sleep(answering)
            return 200, [], json.dumps(envelope({"CallRecord": raw_record(1)})).encode(), None

        async def aclose(self) -> None:
            """Close nothing."""

    async def main() -> None:
        client = make_client(base_url="https://service.example", timeout=1, limiter=Slow())
        client._requester._transport = Channel()
        if in_time:
            await client.get_record(call_id(1))
        else:
            with pytest.raises(RequestTimeoutError, match="no answer within 1 s from service.example:443"):
                await client.get_record(call_id(1))
        await client.aclose()

    virtual_time.run(main())


async def test_a_refused_connection_is_a_transport_error(make_client: MakeClient) -> None:
    """The error names the address, the reason, and what to check."""
    async with make_client(base_url="http://127.0.0.1:1") as client:
        with pytest.raises(TransportError, match=r"no connection to 127\.0\.0\.1:1 \(ConnectError: .* check region"):
            await client.get_record("x")


class _BrokenLimiter:
    def __init__(self, error: Exception) -> None:
        self._error = error

    async def acquire(self) -> None:
        raise self._error


@pytest.mark.parametrize("error", [ConnectionError("no limiter"), TimeoutError("no limiter"), ValueError("no limiter")])
async def test_an_error_of_the_callers_limiter_comes_through(make_client: MakeClient, error: Exception) -> None:
    """It says nothing about the connection to the service, though it may look like one of a connection."""
    async with (
        serve(_lookup) as server,
        make_client(base_url=server.base_url, limiter=_BrokenLimiter(error)) as client,
    ):
        with pytest.raises(type(error), match="^no limiter$") as caught:
            await client.get_record("call-000007")
    assert caught.value is error
    assert server.requests == []


async def test_a_name_without_an_address_is_said(make_client: MakeClient) -> None:
    """The error names the host."""
    async with make_client(base_url="https://service.invalid") as client:
        with pytest.raises(TransportError, match=r"no connection to service\.invalid:443 \("):
            await client.get_record("x")


async def test_a_redirect_is_not_followed(make_client: MakeClient) -> None:
    """The URL carries the credential: it goes nowhere but where it was sent."""

    async def handle(request: Request) -> Reply:
        return Reply(status=302, headers={"Location": "http://127.0.0.1:1/elsewhere"})

    async with serve(handle) as server, make_client(base_url=server.base_url, attempts=3) as client:
        with pytest.raises(TransportError, match="redirect") as caught:
            await client.get_record("x")
    assert caught.value.status_code == 302
    assert len(server.requests) == 1


async def test_an_expired_user_sig_is_renewed_once_for_all(make_client: MakeClient) -> None:
    """70001 for many requests at once asks the provider for one new UserSig."""
    given: list[str] = []

    async def provide() -> str:
        given.append(f"sig-{len(given)}")
        return given[-1]

    async def handle(request: Request) -> dict[str, Any]:
        await asyncio.sleep(0.02)
        if request.parameters["usersig"] == ["sig-0"]:
            return envelope(code=70001, info="expired")
        return await _lookup(request)

    async with serve(handle) as server, make_client(base_url=server.base_url, user_sig=provide) as client:
        await asyncio.gather(*(client.get_record(call_id(number)) for number in range(30)))
    assert given == ["sig-0", "sig-1"]


async def test_an_expired_user_sig_that_is_fixed_cannot_recover(make_client: MakeClient) -> None:
    """One request, and an error with the argument to pass instead."""

    async def handle(request: Request) -> dict[str, Any]:
        return envelope(code=70001, info="expired")

    async with serve(handle) as server, make_client(base_url=server.base_url, user_sig="fixed", attempts=5) as client:
        with pytest.raises(AuthenticationError, match="Pass a new user_sig"):
            await client.get_record("x")
    assert len(server.requests) == 1


async def test_a_record_that_cannot_be_read_is_reported_in_time_order_too(make_client: MakeClient) -> None:
    """The others come by their start."""
    records = [raw_record(2), {"CallId": "broken"}, raw_record(1)]

    async def handle(request: Request) -> dict[str, Any]:
        return page_answer(records, 1, 3) if request.body["Page"] == 1 else ENDINGS["Page 0"]

    refused: list[Any] = []
    async with serve(handle) as server, make_client(base_url=server.base_url) as client:
        walk = client.iter_records(order="time", on_invalid=lambda raw, _: refused.append(raw))
        found = [record async for record in walk]
    assert [record.start_time for record in found] == sorted(record.start_time for record in found)
    assert len(found) == 2
    assert refused == [{"CallId": "broken"}]


@pytest.mark.parametrize("code", [70001, 70052])
async def test_a_user_sig_that_is_no_longer_valid_is_signed_anew_once(make_client: MakeClient, code: int) -> None:
    """The second refusal of the same request is an error."""

    async def handle(request: Request) -> dict[str, Any]:
        return envelope(code=code, info="no longer valid")

    async with serve(handle) as server, make_client(base_url=server.base_url, attempts=5) as client:
        with pytest.raises(AuthenticationError) as caught:
            await client.get_record("x")
    assert caught.value.code == code
    assert len(server.requests) == 2


@pytest.mark.parametrize("code", [60004, 60005])
@pytest.mark.parametrize("recovers", [True, False])
async def test_a_failed_check_of_the_account_is_tried_once_more(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, code: int, recovers: bool
) -> None:
    """The check may have failed by itself; the second time it is the credential."""
    monkeypatch.setattr("trtc_records._sending.requester._CHECK_PAUSE", 0.0)

    async def handle(request: Request) -> dict[str, Any]:
        if recovers and len(server.requests) > 1:
            return await _lookup(request)
        return envelope(code=code, info="account check failed")

    async with serve(handle) as server, make_client(base_url=server.base_url, attempts=5) as client:
        if recovers:
            assert (await client.get_record(call_id(1))).call_id == call_id(1)
        else:
            with pytest.raises(AuthenticationError, match="secret_key"):
                await client.get_record(call_id(1))
    assert len(server.requests) == 2


async def test_any_httpx_transport_will_do() -> None:
    """transport= takes a mock, and the mock sees whole requests, UserSig included."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=envelope({"CallRecord": raw_record(1)}))

    async with CallRecordsClient(
        sdk_app_id=1,
        identifier="administrator",
        user_sig="the-sig",
        region="seoul",
        transport=httpx.MockTransport(answer),
    ) as client:
        assert (await client.get_record("call-000001")).caller == "147"
    assert seen[0].url.host == "adminapikr.im.qcloud.com"
    assert seen[0].url.params["usersig"] == "the-sig"


async def test_a_path_before_the_api_is_kept(make_client: MakeClient) -> None:
    """base_url may point at a gateway that forwards from below a path."""
    async with serve(_lookup) as server, make_client(base_url=f"{server.base_url}/trtc/") as client:
        await client.get_record("call-000001")
    assert server.requests[0].path == "/trtc/v4/call_record_http_srv/get_record_by_callid"


@pytest.mark.slow
async def test_three_walks_and_lookups_share_a_client_fairly(make_client: MakeClient) -> None:
    """None starves: while three walks run, lookups answer, and the walks end about together."""
    async with serve(_walk_or_lookup(8_000)) as server, make_client(base_url=server.base_url, limiter=None) as client:
        ended: list[float] = []

        async def walk() -> None:
            assert len(await ids_of(client)) == 8_000
            ended.append(time.monotonic())

        started = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(walk())
            for number in range(10):
                await client.get_record(call_id(number))
        assert max(ended) - min(ended) < 0.5 * (max(ended) - started)
    assert server.busiest_second <= 200


def _walk_or_lookup(count: int) -> Any:
    walk = pages(count, latency=0.02)

    async def handle(request: Request) -> Any:
        return await (_lookup(request) if "CallId" in request.body else walk(request))

    return handle


@pytest.mark.slow
async def test_no_second_holds_more_than_the_quota(make_client: MakeClient) -> None:
    """Many walks and lookups over two clients of one app: the server counts at most 200 arrivals in any second."""
    async with (
        serve(_walk_or_lookup(3_000)) as server,
        make_client(base_url=server.base_url, limiter=None) as one,
        make_client(base_url=server.base_url, limiter=None) as other,
    ):
        walks = [ids_of(client) for client in (one, other) for _ in range(6)]
        lookups = [client.get_record(call_id(number)) for client in (one, other) for number in range(60)]
        await asyncio.gather(*walks, *lookups)
    assert len(server.requests) > 450
    assert server.busiest_second <= 200


async def test_lanes_that_idle_are_closed(make_client: MakeClient) -> None:
    """A client that went quiet keeps no connection open for ever."""
    async with serve(_lookup) as server, make_client(base_url=server.base_url) as client:
        client._requester._transport = LaneTransport(idle_expiry=0.1)
        await asyncio.gather(*(client.get_record(call_id(number)) for number in range(5)))
        assert server.open_connections > 0
        await asyncio.sleep(0.4)
        assert server.open_connections == 0
        await client.get_record(call_id(1))


async def test_nothing_warns_on_the_way(make_client: MakeClient) -> None:
    """A whole walk is quiet, ResourceWarnings at the end included."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with serve(pages(500)) as server, make_client(base_url=server.base_url) as client:
            assert len(await ids_of(client)) == 500
        gc.collect()


def _tls_contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return a server's context and that of a client that trusts it."""
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


async def test_lanes_speak_tls_to_whom_they_trust(make_client: MakeClient) -> None:
    """A certificate authority of the caller's is passed as verify=; requests go over one kept connection."""
    server_context, client_context = _tls_contexts()
    async with (
        serve(_lookup, server_context) as server,
        make_client(base_url=server.base_url, verify=client_context) as client,
    ):
        for number in range(3):
            assert (await client.get_record(call_id(number))).call_id == call_id(number)
        assert server.connections == 1


async def test_a_certificate_that_is_not_trusted_is_refused_at_once(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default the public authorities are trusted and nobody else; asking again does not help, naming it does."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    server_context, _ = _tls_contexts()
    async with serve(_lookup, server_context) as server, make_client(base_url=server.base_url, attempts=5) as client:
        with pytest.raises(TransportError, match=r"CERTIFICATE_VERIFY_FAILED.* or verify= names its authority"):
            await client.get_record("call-000001")
    assert server.requests == []


@pytest.mark.parametrize("as_httpx_has_it", [str, httpx.URL, httpx.Proxy])
async def test_a_socks_proxy_is_used(
    make_client: MakeClient, as_httpx_has_it: Callable[[str], str | httpx.URL | httpx.Proxy]
) -> None:
    """The proxy is asked first, and its refusal is a TransportError."""
    greetings: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greetings.append(await reader.read(3))
        writer.write(b"\x05\xff")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(proxy, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with make_client(region="china", proxy=as_httpx_has_it(f"socks5://127.0.0.1:{port}")) as client:
        with pytest.raises(TransportError, match=f"qq.com:443 through socks5://127.0.0.1:{port} .ProxyError"):
            await client.get_record("x")
    listener.close()
    await asyncio.sleep(0.02)  # the loop closes the sockets
    assert greetings[0][:1] == b"\x05"


async def test_closing_a_client_closes_connections_in_use(make_client: MakeClient) -> None:
    """A lookup under way fails as one whose connection is gone."""

    async def handle(request: Request) -> dict[str, Any]:
        await asyncio.sleep(30)
        raise AssertionError

    async with serve(handle) as server:
        client = make_client(base_url=server.base_url)
        lookup = asyncio.create_task(client.get_record("x"))
        await asyncio.sleep(0.1)
        await client.aclose()
        with pytest.raises(TransportError):
            await lookup


async def test_a_shared_quota_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """TRTC_REDIS_URL makes the limiter, unless one is passed, and the client closes the one that it made."""
    redis = pytest.importorskip("trtc_records.quota.redis", reason="needs the extra redis", exc_type=ImportError)
    closed = []
    monkeypatch.setattr(redis.RedisRateLimiter, "aclose", lambda _: asyncio.sleep(0, closed.append(1)))
    environ = {
        "TRTC_SDK_APP_ID": "1400000001",
        "TRTC_IDENTIFIER": "administrator",
        "TRTC_SECRET_KEY": SECRET_KEY,
        "TRTC_REGION": "singapore",
        "TRTC_REDIS_URL": "redis://127.0.0.1:1",
    }
    async with CallRecordsClient.from_env(environ) as client:
        assert isinstance(client._requester._limiter, redis.RedisRateLimiter)
    assert closed == [1]
    async with CallRecordsClient.from_env(environ, limiter=redis.RedisRateLimiter.from_url("redis://x", sdk_app_id=1)):
        pass
    assert closed == [1]


async def test_a_shared_quota_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the variable and the package to install."""
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    monkeypatch.delitem(sys.modules, "trtc_records.quota.redis", raising=False)
    environ = {
        "TRTC_SDK_APP_ID": "1400000001",
        "TRTC_IDENTIFIER": "administrator",
        "TRTC_SECRET_KEY": SECRET_KEY,
        "TRTC_REGION": "singapore",
        "TRTC_REDIS_URL": "redis://127.0.0.1:1",
    }
    with pytest.raises(ConfigurationError, match="TRTC_REDIS_URL is set: .* needs .*, which is not installed"):
        CallRecordsClient.from_env(environ)


async def test_a_socks_proxy_needs_socksio(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the package to install."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'httpx\[socks\]'"):
        make_client(region="china", proxy="socks5://127.0.0.1:1080")


async def test_no_proxy_sees_a_plain_request(make_client: MakeClient) -> None:
    """Over http:// the whole URL, credential included, would go to the proxy in the clear."""
    with pytest.raises(ConfigurationError, match="proxy: it would see the credential"):
        make_client(base_url="http://127.0.0.1:1", proxy="http://127.0.0.1:3128")


async def test_a_proxy_and_a_context_go_with_the_environments_account() -> None:
    """from_env takes proxy= and verify= as the constructor does."""
    environ = {
        "TRTC_SDK_APP_ID": "1400000001",
        "TRTC_IDENTIFIER": "administrator",
        "TRTC_SECRET_KEY": SECRET_KEY,
        "TRTC_REGION": "singapore",
    }
    context = ssl.create_default_context()
    client = CallRecordsClient.from_env(environ, proxy="http://user:hunter2@proxy:3128", verify=context)
    lanes = client._requester._transport
    assert isinstance(lanes, LaneTransport)
    assert lanes._proxy is not None
    assert (lanes._proxy.url.host, lanes._proxy.auth) == ("proxy", ("user", "hunter2"))
    assert lanes._context is context
    with pytest.raises(ConfigurationError, match="proxy: pass a URL"):
        CallRecordsClient.from_env(environ, proxy="proxy")


async def test_true_means_public_authorities(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """verify=True is the default, as it is httpx's."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    lanes = make_client(region="china", verify=True)._requester._transport
    assert lanes._context is None


async def test_a_connection_that_the_server_closed_is_replaced(make_client: MakeClient) -> None:
    """A server may hang up between two requests without a word: the second goes over a new connection, at once."""

    async def handle(request: Request) -> Reply:
        return Reply(json.dumps(await _lookup(request)).encode(), close=True)

    async with serve(handle) as server, make_client(base_url=server.base_url) as client:
        for number in range(3):
            assert (await client.get_record(call_id(number))).call_id == call_id(number)
            await asyncio.sleep(0.05)
        assert server.connections == 3
        assert len(server.requests) == 3


BEYOND = ["invalid_parameter", "illegal_parameter", "internal_error", "empty", "repeat"]


@pytest.mark.usefixtures("quick_back_off")
@pytest.mark.parametrize("total_cap", [None, 256])
@pytest.mark.parametrize("beyond", BEYOND)
async def test_every_record_is_read_where_the_service_refuses_deep_pages(
    make_client: MakeClient, beyond: Any, total_cap: int | None
) -> None:
    """The window is divided until each part can be read, however a page is refused."""
    deepest = total_cap or 200
    behaviour = Behaviour(deepest=deepest, beyond=beyond, total_cap=total_cap)
    with Sandbox(records=1250, quota=None, behaviour=behaviour) as sandbox:
        async with make_client(**sandbox.credentials) as client:
            found = await ids_of(client, page_size=deepest // 4)
    assert sorted(found) == sorted(record.call_id for record in sandbox.records)


@pytest.mark.parametrize("hours", [8, -8, 48, -48])
async def test_a_wrong_clock_is_corrected_and_warned_about_once(make_client: MakeClient, hours: int) -> None:
    """Windows and signatures follow the service's clock, so no record is missed and no request refused."""
    with Sandbox(records=300, quota=None, clock_skew=hours * 3600) as sandbox:
        async with make_client(**sandbox.credentials, attempts=3) as client:
            with pytest.warns(ClockSkewWarning) as caught:
                found = [await ids_of(client) for _ in range(2)]
            assert await client.count() == len(found[0])
    assert len(caught) == 1
    now = time.time() + hours * 3600
    kept = [each.call_id for each in sandbox.records if now - 7 * 86_400 + 120 < each.start_time.timestamp() <= now]
    assert set(kept) <= set(found[0])
    assert sorted(found[0]) == sorted(found[1])


async def test_a_count_is_one_request(make_client: MakeClient) -> None:
    """TotalNum of a page of one record, under the conditions of a walk."""
    async with serve(pages(250)) as server, make_client(base_url=server.base_url) as client:
        assert await client.count(call_result=CallResult.REJECT) == 250
    (request,) = server.requests
    assert request.body["NumberPerPage"] == 1
    assert request.body["CallResult"] == "Reject"


@pytest.mark.parametrize("ending", list(ENDINGS))
async def test_a_count_of_nothing_is_zero(make_client: MakeClient, ending: str) -> None:
    """However the service says that nothing matches."""
    answer = pages(0, ending=ENDINGS["Page 0"] if ending == "Page 0 with the total" else ENDINGS[ending])
    async with serve(answer) as server, make_client(base_url=server.base_url) as client:
        assert await client.count() == 0


async def test_a_count_does_not_depend_on_its_record(make_client: MakeClient) -> None:
    """A record that cannot be read is counted as any other."""
    page = {"TotalNum": 7, "Page": 1, "CallRecordList": [raw_record(0, StartTime="yesterday")]}

    async def handle(_: Request) -> dict[str, Any]:
        return envelope(page)

    async with serve(handle) as server, make_client(base_url=server.base_url) as client:
        assert await client.count() == 7


async def test_a_count_of_a_window_that_has_expired_asks_nothing(make_client: MakeClient) -> None:
    """There is nothing to count."""
    async with serve(pages(1)) as server, make_client(base_url=server.base_url) as client:
        with pytest.warns(RetentionWarning):
            assert await client.count(start_time=1_000, end_time=2_000) == 0
    assert server.requests == []


async def test_a_count_without_a_total_is_an_error(make_client: MakeClient) -> None:
    """Records came, so 0 would be wrong."""

    async def handle(_: Request) -> dict[str, Any]:
        return envelope({"Page": 1, "CallRecordList": [raw_record(0)]})

    async with serve(handle) as server, make_client(base_url=server.base_url) as client:
        with pytest.raises(ResponseDecodeError, match="TotalNum"):
            await client.count()


async def test_an_unknown_order_is_refused_unsent(make_client: MakeClient) -> None:
    """The message names both orders."""
    async with serve(pages(1)) as server, make_client(base_url=server.base_url) as client:
        with pytest.raises(ConfigurationError, match="order='x': pass 'service' or 'time'"):
            await ids_of(client, order="x")
    assert server.requests == []


async def test_records_come_in_the_order_of_time(make_client: MakeClient) -> None:
    """By start time, then call id, whatever the order of the service."""
    with Sandbox(records=300, quota=None, behaviour=Behaviour(order="random")) as sandbox:
        async with make_client(**sandbox.credentials) as client:
            found = [record async for record in client.iter_records(order="time")]
    assert found == sorted(sandbox.records, key=lambda record: (record.start_time, record.call_id))
