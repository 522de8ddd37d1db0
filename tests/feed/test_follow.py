"""A feed over real HTTP, against services that use all that Tencent's page leaves open."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from http_server import Reply, Request, Server, serve
from records import raw_record

from trtc_records import (
    AuthenticationError,
    CallRecord,
    CallRecordsClient,
    ClientClosedError,
    ClockSkewWarning,
    ConfigurationError,
    FileCheckpoint,
    ResponseDecodeError,
    RetentionWarning,
    generate_user_sig,
)
from trtc_records.sandbox import Behaviour, Sandbox, make_records

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

KEY = "k" * 64
HOUR = 3_600


class Service:
    """A service written after Tencent's page: it has the records that a test gives it."""

    def __init__(self, *, skew: float = 0.0, gives_date: bool = True, empty: str = "page zero") -> None:
        self.records: list[dict[str, Any]] = []
        self.skew = skew
        self.gives_date = gives_date
        self.empty = empty
        self.code = 0
        self.fails_once = False
        self.seconds = 0.0
        self.requested: list[dict[str, Any]] = []

    def now(self) -> int:
        return int(time.time() + self.skew)

    def add(self, number: int, *, length: int = 0, ago: int = 6, **fields: Any) -> None:
        """Add the record of a call that ended some seconds ago."""
        end = self.now() - ago
        self.records.append(raw_record(number, **{"StartTime": end - length, "EndTime": end, **fields}))

    async def __call__(self, request: Request) -> Reply:
        await asyncio.sleep(self.seconds)
        headers = {"Date": formatdate(time.time() + self.skew, usegmt=True)} if self.gives_date else {}
        return Reply(json.dumps(self._answer(request.body)).encode(), headers=headers)

    def _answer(self, body: dict[str, Any]) -> dict[str, Any]:
        self.requested.append(body)
        if self.code:
            code, self.code = self.code, 0 if self.fails_once else self.code
            return {"ErrorCode": code, "ErrorInfo": "refused", "ActionStatus": "FAIL", "RequestId": "Id"}
        size, page = body["NumberPerPage"], body["Page"]
        found = [each for each in self.records if body["StartTime"] <= each["StartTime"] <= body["EndTime"]]
        part = found[(page - 1) * size : page * size]
        if not part and self.empty == "error":
            return {"ErrorCode": 101050, "ErrorInfo": "no records", "ActionStatus": "FAIL", "RequestId": "Id"}
        response = {"TotalNum": len(found), "Page": page if part else 0, "CallRecordList": part}
        return {"ErrorCode": 0, "ErrorInfo": "", "ActionStatus": "OK", "RequestId": "Id", "Response": response}


@asynccontextmanager
async def client_of(service: Callable[..., Any], **arguments: Any) -> AsyncIterator[tuple[CallRecordsClient, Server]]:
    async with serve(service) as server:
        account = {"sdk_app_id": 1400000000, "identifier": "administrator", "secret_key": KEY}
        async with CallRecordsClient(**{**account, "base_url": server.base_url, **arguments}) as client:
            yield client, server


async def take(records: AsyncGenerator[CallRecord, None], count: int, seconds: float = 20.0) -> list[CallRecord]:
    async with asyncio.timeout(seconds):
        return [await anext(records) for _ in range(count)]


async def take_for(records: AsyncGenerator[CallRecord, None], seconds: float) -> list[CallRecord]:
    """Return the records that come within so many seconds, and close the feed."""
    taken = []
    try:
        async with asyncio.timeout(seconds):
            async for record in records:
                taken.append(record)  # noqa: PERF401 - a time-out must leave those taken so far
    except TimeoutError:
        pass
    return taken


async def wait_for_requests(service: Service, more: int) -> None:
    """Wait until the service has answered so many more requests."""
    count = len(service.requested) + more
    async with asyncio.timeout(20):
        while len(service.requested) < count:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("empty", ["page zero", "error"])
@pytest.mark.parametrize(
    ("skew", "gives_date"),
    [(0, True), (30, True), (-30, True), (7_200, True), (-7_200, True), (0, False), (30, False), (-30, False)],
)
async def test_clocks_may_differ(skew: float, empty: str, *, gives_date: bool) -> None:
    """Calls that had ended do not come, and later ones do, with the service's clock known or, if close, unknown."""
    service = Service(skew=skew, gives_date=gives_date, empty=empty)
    service.add(1, length=30, ago=120)
    async with client_of(service) as (client, _), aclosing(client.follow(interval=0.2)) as records:
        first = asyncio.create_task(anext(records))
        if abs(skew) > 60:
            with pytest.warns(ClockSkewWarning):
                await wait_for_requests(service, 10)
        else:
            await wait_for_requests(service, 10)
        service.add(2, length=3, ago=4)
        async with asyncio.timeout(10):
            assert (await first).call_id == "call-000002"
        service.add(3, length=2 * HOUR, ago=5)
        service.add(4, length=0, ago=5)
        assert {record.call_id for record in await take(records, 1)} == {"call-000004"}


@pytest.mark.slow
@pytest.mark.parametrize("window", ["start", "end", "within", "overlap"])
@pytest.mark.parametrize("half_open", [True, False])
async def test_every_meaning_of_a_window_gives_each_call_once(window: Any, *, half_open: bool) -> None:
    """Whatever the window compares with: no call is missing between the first and the last that came."""
    behaviour = Behaviour(window=window, half_open=half_open, order="random", page_cap=7)
    with Sandbox(live=15.0, call_seconds=(0, 4), quota=None, behaviour=behaviour) as sandbox:
        async with CallRecordsClient(**sandbox.credentials) as client:
            taken = await take_for(client.follow(interval=0.5), 9)
        ended = sandbox.ended_records
    counts = Counter(record.call_id for record in taken)
    assert set(counts.values()) == {1}
    known = [record.call_id for record in ended if record.end_time is not None]
    first, last = (min(map(known.index, counts)), max(map(known.index, counts)))
    assert len(counts) > 20
    assert len(set(known[first : last + 1]) - counts.keys()) <= 15  # of the first and the last second


@pytest.mark.parametrize(
    "behaviour",
    [
        {"deepest": 500, "beyond": "invalid_parameter"},
        {"deepest": 500, "beyond": "internal_error"},
        {"deepest": 500, "beyond": "empty", "total_cap": 500},
        {"deepest": 500, "beyond": "repeat"},
        {"deepest": 500, "beyond": "empty", "total_cap": 500, "window": "end"},
        {"deepest": 500, "beyond": "empty", "window": "overlap", "end": "error"},
    ],
)
async def test_limits_of_the_service_hide_no_call(behaviour: dict[str, Any]) -> None:
    """Since a day ago, a feed gives all records of a service that gives 500 of a list at most."""
    since = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    stored = [record for record in make_records(7_000, seed=3) if record.start_time >= since]
    assert len(stored) > 600
    with Sandbox(records=stored, quota=None, behaviour=Behaviour(**behaviour)) as sandbox:
        async with CallRecordsClient(**sandbox.credentials, attempts=1) as client:
            records = client.follow(since=since, interval=0.5, page_size=50)
            async with aclosing(records):
                taken = await take(records, len(stored), 60)
                with pytest.raises(TimeoutError):
                    await take(records, 1, 1.5)
    assert Counter(record.call_id for record in taken) == Counter(record.call_id for record in stored)


async def test_wrong_credentials_are_raised_at_once() -> None:
    """Nothing is tried again."""
    with Sandbox(records=0) as sandbox:
        async with CallRecordsClient(**{**sandbox.credentials, "secret_key": KEY}) as client:
            with pytest.raises(AuthenticationError):
                await take(client.follow(), 1, 5)


@pytest.mark.parametrize("code", [60011, 101001, 70500])
async def test_an_outage_passes(code: int, caplog: pytest.LogCaptureFixture) -> None:
    """The feed is silent until the service answers again, and then gives the calls that ended meanwhile."""
    service = Service()
    async with client_of(service, attempts=1) as (client, _), aclosing(client.follow(interval=0.2)) as records:
        first = asyncio.create_task(anext(records))
        await wait_for_requests(service, 6)
        service.code = code
        await wait_for_requests(service, 2)
        service.add(1, length=20)
        service.code = 0
        async with asyncio.timeout(20):
            assert (await first).call_id == "call-000001"
    assert any("a feed could not be read" in record.message for record in caplog.records)


async def test_a_fixed_user_sig_that_expires_is_raised() -> None:
    """Code 70001 ends the feed where nothing can renew the UserSig."""
    service = Service()
    user_sig = generate_user_sig(1400000000, "administrator", KEY)
    async with client_of(service, secret_key=None, user_sig=user_sig) as (client, _):
        first = asyncio.create_task(anext(client.follow(interval=0.2)))
        await wait_for_requests(service, 4)
        service.code = 70001
        async with asyncio.timeout(10):
            with pytest.raises(AuthenticationError):
                await first


async def test_a_user_sig_that_expires_is_renewed() -> None:
    """Code 70001 once, with a secret key, is not noticed."""
    service = Service()
    async with client_of(service) as (client, server), aclosing(client.follow(interval=0.2)) as records:
        first = asyncio.create_task(anext(records))
        await wait_for_requests(service, 4)
        signatures = {request.parameters["usersig"][0] for request in server.requests}
        await asyncio.sleep(1)  # a signature is made for a second
        service.fails_once, service.code = True, 70001
        service.add(1)
        async with asyncio.timeout(20):
            assert (await first).call_id == "call-000001"
        assert {request.parameters["usersig"][0] for request in server.requests} > signatures


async def test_records_that_cannot_be_read_are_reported_once(tmp_path: Path) -> None:
    """Once in all, over readings and restarts; without a function the error is raised."""
    service = Service()
    service.add(1, EndTime="soon")
    reported: list[Any] = []
    async with client_of(service) as (client, _):
        for number in (2, 3):
            checkpoint = FileCheckpoint(tmp_path / "seen.db")
            records = client.follow(
                interval=0.2, checkpoint=checkpoint, on_invalid=lambda raw, error: reported.append((raw, error))
            )
            async with aclosing(records):
                first = asyncio.create_task(anext(records))
                await wait_for_requests(service, 6)
                service.add(number)
                assert (await first).call_id == f"call-{number:06}"
                with pytest.raises(TimeoutError):
                    await take(records, 1, 0.7)
        assert [raw["CallId"] for raw, _ in reported] == ["call-000001"]
        assert isinstance(reported[0][1], ResponseDecodeError)
        with pytest.raises(ResponseDecodeError, match="EndTime"):
            await take(client.follow(), 1, 5)


async def test_odd_records_come_once_each() -> None:
    """Without an end, without an id, with another's id, with a field that changes, of 0 s and of 54.5 hours."""
    service = Service()
    async with client_of(service) as (client, _):
        records = client.follow(interval=0.2, lookback=timedelta(days=3))
        first = asyncio.create_task(anext(records))
        await wait_for_requests(service, 12)
        service.add(1, length=5, EndTime=0)
        service.add(2, length=7, CallId="")
        service.add(3, length=8, CallId="")
        service.add(4, length=9, CallId=" ", Noise=0)
        service.add(5, length=9, CallId="shared")
        service.add(6, length=10, CallId="shared")
        service.add(7, length=0)
        service.add(8, length=120, EndTime=None, StartTime=service.now() - 200)
        changing = service.records[3]

        async def change() -> None:
            for changing["Noise"] in itertools.count():
                await asyncio.sleep(0.1)

        changer = asyncio.create_task(change())
        taken = [await first, *await take(records, 7)]
        with pytest.raises(TimeoutError):
            await take(records, 1, 2)
        changer.cancel()
    assert sorted(record.call_id for record in taken) == sorted(
        ["call-000001", "", "", " ", "shared", "shared", "call-000007", "call-000008"]
    )


async def test_a_record_that_is_amended_is_not_another_call() -> None:
    """Its result may be corrected after it was given."""
    service = Service()
    async with client_of(service) as (client, _):
        records = client.follow(interval=0.2, since=service.now() - 60)
        service.add(1, length=5)
        assert (await take(records, 1))[0].call_id == "call-000001"
        service.records[0] |= {"CallResult": "Interrupt", "EndTime": service.records[0]["EndTime"] + 1}
        with pytest.raises(TimeoutError):
            await take(records, 1, 1)


async def test_a_call_that_was_left_comes_again(tmp_path: Path) -> None:
    """``break`` after a record: the next feed begins with it, and the one before it does not come again."""
    service = Service()
    async with client_of(service) as (client, _):
        since = service.now() - 60
        for number in (1, 2, 3):
            service.add(number, length=10 - number)
        seen = []
        for _ in range(3):
            records = client.follow(since=since, interval=0.2, checkpoint=FileCheckpoint(tmp_path / "seen.db"))
            async with aclosing(records):
                seen.append([record.call_id for record in await take(records, 2 if len(seen) < 1 else 1)])
    assert seen == [["call-000001", "call-000002"], ["call-000002"], ["call-000002"]]


async def test_a_cancelled_step_saves_and_unlocks(tmp_path: Path) -> None:
    """A cancellation ends the feed, and the next one goes on."""
    service = Service()
    path = tmp_path / "seen.db"
    async with client_of(service) as (client, server):
        records = client.follow(since=service.now() - 60, interval=0.2, checkpoint=FileCheckpoint(path))
        service.add(1)
        await take(records, 1)
        with pytest.raises(TimeoutError):
            await take(records, 1, 1)
        with pytest.raises(StopAsyncIteration):
            await anext(records)
        before = len(server.requests)
        await asyncio.sleep(0.5)
        assert len(server.requests) == before
        service.add(2)
        again = client.follow(interval=0.2, checkpoint=FileCheckpoint(path))
        async with aclosing(again):
            assert [record.call_id for record in await take(again, 1)] == ["call-000002"]


async def test_two_feeds_of_a_client_share_a_tenth_of_the_quota(tmp_path: Path) -> None:
    """Each has its own place, a second one with the same checkpoint is refused, and together they keep to the pace."""
    service = Service()
    async with client_of(service) as (client, server):
        since = service.now() - 60
        for number in range(30):
            service.add(number)
        checkpoint = FileCheckpoint(tmp_path / "seen.db")
        feeds = [client.follow(since=since, interval=0.001, checkpoint=each) for each in (checkpoint, None)]
        first = await take(feeds[0], 1)
        with pytest.raises(ConfigurationError, match="in use by another feed"):
            await take(client.follow(checkpoint=checkpoint), 1)
        taken = await asyncio.gather(*(take_for(feed, 3) for feed in feeds))
        assert len({record.call_id for record in (*first, *taken[0])}) == len(taken[1]) == 30
        assert server.busiest_second <= 22


async def test_a_closed_client_ends_its_feeds() -> None:
    """A feed that waits ends with an error at its next reading."""
    service = Service()
    async with client_of(service) as (client, _):
        first = asyncio.create_task(anext(client.follow(interval=0.5)))
        await wait_for_requests(service, 6)
        await client.aclose()
        async with asyncio.timeout(5):
            with pytest.raises(ClientClosedError):
                await first


async def test_a_slow_service_is_read_to_its_end() -> None:
    """Answers that take longer than the pause before a record do not begin the reading anew for ever."""
    service = Service()
    since = service.now() - HOUR
    for number in range(40):
        service.add(number, ago=HOUR - 60 * number - 60)
    async with client_of(service) as (client, server):
        records = client.follow(since=since, page_size=2)
        service.seconds = 0.3
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("trtc_records.feed._feed._PAUSE", 0.02)
            async with aclosing(records):
                taken = await take(records, 40, 40)
        assert len({record.call_id for record in taken}) == 40
        assert len(server.requests) < 120


@pytest.mark.parametrize("call_result", ["NotAnswer", "Cancel"])
async def test_a_filter_is_part_of_the_place(tmp_path: Path, call_result: str) -> None:
    """Calls with that result come, and a checkpoint of another filter is refused."""
    with Sandbox(records=300, live=20.0, call_seconds=(0, 2), quota=None) as sandbox:
        async with CallRecordsClient(**sandbox.credentials) as client:
            for _ in range(2):
                checkpoint = FileCheckpoint(tmp_path / "seen.db")
                records = client.follow(call_result=call_result, interval=0.3, checkpoint=checkpoint)
                async with aclosing(records):
                    assert {record.call_result for record in await take(records, 2, 30)} == {call_result}
            with pytest.raises(ConfigurationError, match="belongs to another feed"):
                await take(client.follow(call_result="Reject", checkpoint=FileCheckpoint(tmp_path / "seen.db")), 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"since": datetime(2025, 1, 1)}, "since=.*naive"),  # noqa: DTZ001
        ({"since": 1_739_960_242_000}, "since=1739960242000.*milliseconds"),
        ({"since": datetime.now(UTC) + timedelta(hours=1)}, "since=.* lies in the future"),
        ({"lookback": timedelta(days=7, seconds=1)}, "lookback="),
        ({"lookback": timedelta(0)}, "lookback="),
        ({"lookback": 24}, "lookback=24"),
        ({"interval": 0}, "interval=0"),
        ({"interval": float("nan")}, "interval=nan"),
        ({"checkpoint": "seen.db"}, "checkpoint='seen.db'"),
        ({"checkpoint": FileCheckpoint}, "checkpoint=.*a class; pass an instance of it"),
        ({"checkpoint": FileCheckpoint("\0")}, r"FileCheckpoint\('\\x00'\): .*check that the directory exists"),
        ({"wake": 5}, "wake=5"),
        ({"wake": asyncio.Event}, "wake=.*a class; pass an instance of it"),
    ],
)
async def test_arguments_that_cannot_be_used_are_named(arguments: dict[str, Any], message: str) -> None:
    """Each message names the argument."""
    async with client_of(Service()) as (client, _):
        with pytest.raises(ConfigurationError, match=message):
            await take(client.follow(**arguments), 1, 5)


async def test_a_since_before_the_retention_is_warned_of() -> None:
    """All that is left comes; exactly seven days are no reason to warn."""
    service = Service()
    service.add(1, ago=6 * 24 * HOUR)
    async with client_of(service) as (client, _):
        async with aclosing(client.follow(since=service.now() - 7 * 24 * HOUR)) as records:
            assert [record.call_id for record in await take(records, 1)] == ["call-000001"]
        with pytest.warns(RetentionWarning, match="cannot be given any more"):
            async with aclosing(client.follow(since=service.now() - 8 * 24 * HOUR)) as records:
                assert [record.call_id for record in await take(records, 1)] == ["call-000001"]


@pytest.mark.slow
@pytest.mark.parametrize("lookback", [timedelta(seconds=5), timedelta(days=7)])
async def test_the_shortest_and_the_longest_lookback_find_short_calls(lookback: timedelta) -> None:
    """A lookback of five seconds, or of all that the service keeps."""
    with Sandbox(live=15.0, call_seconds=(0, 4), quota=None) as sandbox:
        async with CallRecordsClient(**sandbox.credentials) as client:
            taken = await take_for(client.follow(interval=0.2, lookback=lookback), 9)
    assert len(taken) > 30
    assert set(Counter(record.call_id for record in taken).values()) == {1}
