"""The older service over real HTTP: the client yields the same records, whatever its documentation leaves open."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
import virtual_time
from conftest import SECRET_KEY, MakeClient, Unlimited
from http_server import Reply, Request, serve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trtc_records import (
    AccountError,
    APIError,
    AuthenticationError,
    CallRecord,
    CallRecordNotFoundError,
    CallRecordsClient,
    CallResult,
    CallType,
    ClockSkewWarning,
    ConfigurationError,
    FileCheckpoint,
    InvalidRequestError,
    LocalRateLimiter,
    PermissionDeniedError,
    RateLimitError,
    Region,
    ResponseDecodeError,
    RoomIdType,
    ServerError,
    Service,
)
from trtc_records.archive import archive_call_records
from trtc_records.export import read_records
from trtc_records.quota._local import StricterLimiter
from trtc_records.sandbox import Behaviour, Drift, Faults, Sandbox, make_records
from trtc_records.webhooks import WebhookApp

pytestmark = pytest.mark.anyio

Answers = Callable[[Request], Awaitable[Reply | dict[str, Any]]]


def legacy(sandbox: Sandbox, **arguments: Any) -> CallRecordsClient:
    """Return a client of the sandbox's older service."""
    return CallRecordsClient(**{**sandbox.credentials, "service": "legacy", **arguments})


def bare(record: CallRecord) -> CallRecord:
    """Return a record without what only one of the services has."""
    return attrs.evolve(record, room_id_type=RoomIdType.NONE, extra={})


def refusal(code: int) -> dict[str, Any]:
    return {"errorCode": code, "errorMessage": "no", "requestId": "id"}


def page_of(*numbers: int) -> dict[str, Any]:
    """Return an answer with a page of records."""
    records = [
        {
            "callId": f"call-{number}",
            "mediaType": "audio",
            "startCallTs": int(time.time()) - 60,
            "acceptTs": 0,
            "endTs": int(time.time()) - 30,
            "caller": "a",
            "callType": "single",
            "callResult": "cancel",
            "callees": ["b"],
        }
        for number in numbers
    ]
    data = {"totalNum": len(numbers), "page": 1 if numbers else 0, "callRecordList": records}
    return {"errorCode": 0, "errorMessage": "Success", "requestId": "id", "data": data}


# -- The same records --------------------------------------------------------------------------------


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    count=st.integers(0, 120),
    seed=st.integers(0, 999),
    page_size=st.integers(1, 60),
    call_result=st.none() | st.sampled_from(CallResult),
    call_type=st.none() | st.sampled_from(CallType),
    order=st.sampled_from(["service", "time"]),
    end=st.sampled_from(["page_zero", "empty_list", "error", "absent", "null"]),
    unanswered=st.sampled_from(["zero", "null", "absent"]),
    flags=st.fixed_dictionaries(
        {name: st.booleans() for name in ("half_open", "extra_fields", "new_enum_values", "error_code_as_text")}
    ),
)
def test_both_services_give_the_same_walk(count: int, seed: int, page_size: int, **choices: Any) -> None:
    """Whatever the behaviour and the filters, a walk over the one equals a walk over the other, in order."""
    flags = choices.pop("flags")
    behaviour = Behaviour(end=choices.pop("end"), unanswered=choices.pop("unanswered"), **flags)

    async def walk(client: CallRecordsClient) -> list[CallRecord]:
        async with client:
            return [record async for record in client.iter_records(page_size=page_size, **choices)]

    async def main(sandbox: Sandbox) -> tuple[list[CallRecord], list[CallRecord]]:
        current = CallRecordsClient(**sandbox.credentials, limiter=Unlimited())
        return await walk(current), await walk(legacy(sandbox, limiter=Unlimited()))

    with Sandbox(records=count, seed=seed, quota=None, behaviour=behaviour) as sandbox:
        new, old = asyncio.run(main(sandbox))
        kept = {record.call_id for record in sandbox.records}
    assert list(map(bare, old)) == list(map(bare, new))
    assert {record.call_id for record in old} <= kept
    if choices["call_result"] is choices["call_type"] is None:
        assert len(old) == count
    for record in old:
        assert record.extra["sdkAppId"] == 1400000000
        assert record.extra["totalUserNumber"] == len(record.callees)
        assert record.extra.keys() >= ({"Platform", "Quality"} if flags["extra_fields"] else set())


@pytest.mark.parametrize("anywhere", [False, True])
async def test_no_record_is_lost_or_repeated_while_the_data_moves(*, anywhere: bool) -> None:
    """Records that arrive and faults of the network change nothing about a walk's promise."""
    faults = Faults(http_502=0.05, reset=0.03, truncated=0.03, internal_error=0.03, not_json=0.03)
    drift = Drift(arrivals=0.4, anywhere=anywhere)
    with Sandbox(records=600, quota=None, faults=faults, drift=drift, calls_in="legacy") as sandbox:
        before = {record.call_id for record in sandbox.records}
        async with legacy(sandbox, limiter=Unlimited(), attempts=8) as client:
            found = Counter([record.call_id async for record in client.iter_records(page_size=20)])
        after = {record.call_id for record in sandbox.records}
    assert set(found.values()) == {1}
    assert before <= found.keys() <= after
    assert len(after) > 600


@pytest.mark.parametrize("beyond", ["invalid_parameter", "internal_error", "empty", "repeat"])
@pytest.mark.usefixtures("quick_back_off")
async def test_a_walk_is_divided_where_pages_have_a_limit(beyond: Any) -> None:
    """A deepest page and a cap of the total are got round, with the older codes too."""
    behaviour = Behaviour(deepest=150, beyond=beyond, total_cap=500)
    with Sandbox(records=700, quota=None, behaviour=behaviour) as sandbox:
        async with legacy(sandbox, limiter=Unlimited(), attempts=2) as client:
            found = [bare(record) async for record in client.iter_records(page_size=50, order="time")]
        kept = sorted(map(bare, sandbox.records), key=lambda record: (record.start_time, record.call_id))
    assert found == kept


async def test_an_archive_holds_its_records(tmp_path: Path) -> None:
    """An archive of the older service has all of its calls, and takes none of the other's."""
    with Sandbox(records=300, quota=None) as sandbox:
        async with legacy(sandbox) as client:
            await archive_call_records(client, tmp_path, file_format="jsonl")
            walked = {record.call_id: record async for record in client.iter_records()}
        archived = {record.call_id: record for record in read_records(tmp_path)}
        async with CallRecordsClient(**sandbox.credentials) as current:
            with pytest.raises(ConfigurationError, match="of SDKAppID 1400000000 and the legacy service"):
                await archive_call_records(current, tmp_path, file_format="jsonl")
    assert archived == walked
    assert len(archived) == 300


async def test_an_archive_keeps_what_cannot_be_read_with_its_day(make_client: MakeClient, tmp_path: Path) -> None:
    """A record that cannot be read is in the rejects of the day on which its call started, as the service sent it."""
    started = int(time.time()) - 2 * 86_400
    good, bad = ({**each, "startCallTs": started} for each in page_of(1, 2)["data"]["callRecordList"])
    del bad["caller"]

    async def handle(request: Request) -> dict[str, Any]:
        is_asked_for = request.body["startTimestamp"] <= started <= request.body.get("endTimestamp", started)
        if not is_asked_for or request.body["page"] > 1:
            return page_of()
        records = [good, bad][: request.body["numberPerPage"]]
        return {"errorCode": 0, "data": {"totalNum": 2, "page": 1, "callRecordList": records}}

    async with serve(handle) as server, make_client(base_url=server.base_url, service="legacy") as client:
        with pytest.raises(ResponseDecodeError):
            await client.get_page()
        report = await archive_call_records(client, tmp_path, file_format="jsonl")
    assert report.rejects == 1
    (path,) = (tmp_path / "_rejects").iterdir()
    (line,) = map(json.loads, path.read_text().splitlines())
    assert path.stem == datetime.fromtimestamp(started, UTC).date().isoformat()
    assert (line["path"], line["raw"]) == ("$.data.callRecordList[1].caller", bad)


@pytest.mark.slow
async def test_a_feed_gives_each_call_once(tmp_path: Path) -> None:
    """Calls that end meanwhile come once each, over a restart, and the place belongs to the service."""
    seen: list[str] = []
    with Sandbox(records=20, live="6/s", call_seconds=(0, 2), calls_in="legacy") as sandbox:
        for limit in (12, 24):
            async with legacy(sandbox) as client:
                place = FileCheckpoint(tmp_path / "state")
                async with aclosing(client.follow(interval=0.5, checkpoint=place)) as calls:
                    async for record in calls:
                        if len(seen) == limit:
                            break  # this one is left for the next run
                        seen.append(record.call_id)
                        assert record.extra["sdkAppId"] == 1400000000
        ended = {record.call_id for record in sandbox.ended_records}
        async with CallRecordsClient(**sandbox.credentials) as current:
            with pytest.raises(ConfigurationError, match="service 'legacy' instead of 'current'"):
                await anext(current.follow(checkpoint=FileCheckpoint(tmp_path / "state")))
    assert len(seen) == 24
    assert set(seen) <= ended
    assert max(Counter(seen).values()) == 1


# -- Single requests ------------------------------------------------------------------------------------


async def test_a_page_a_count_and_a_record() -> None:
    """Single requests have the results that walks have."""
    with Sandbox(records=40) as sandbox:
        async with legacy(sandbox) as client:
            page = await client.get_page(2, page_size=15)
            records = sandbox.records
            assert list(map(bare, page.records)) == list(map(bare, records[15:30]))
            assert (page.page, page.total_num) == (2, 40)
            assert (await client.get_page(9)).records == ()
            missed = [record for record in records if record.call_result == "NotAnswer"]
            assert await client.count(call_result="NotAnswer") == len(missed)
            assert bare(await client.get_record(records[3].call_id)) == bare(records[3])
            with pytest.raises(CallRecordNotFoundError, match="service="):
                await client.get_record("04c9a0ac-8e38-4a19-be45-349c5ce7911b")


async def test_a_record_may_be_the_data_itself() -> None:
    """Both of the forms in Tencent's samples of a look-up give the same record."""
    with Sandbox(records=4, behaviour=Behaviour(bare_record=True, extra_fields=True)) as sandbox:
        async with legacy(sandbox) as client:
            for record in sandbox.records:
                assert bare(await client.get_record(record.call_id)) == bare(record)


@pytest.mark.parametrize("end", ["error", "absent", "null"])
async def test_a_record_that_does_not_exist_is_not_found(end: Any) -> None:
    """However the service says that it has no record, the client says that it is not found."""
    with Sandbox(records=4, behaviour=Behaviour(end=end)) as sandbox:
        async with legacy(sandbox) as client:
            with pytest.raises(CallRecordNotFoundError):
                await client.get_record("04c9a0ac-8e38-4a19-be45-349c5ce7911b")


@pytest.mark.parametrize("skew", [-30 * 86_400, -3_600, 0, 3_600, 30 * 86_400])
async def test_a_page_without_a_start_begins_by_the_services_clock(skew: int) -> None:
    """The start that the service requires is 7 days before its own time, however wrong this machine's clock is."""
    records = make_records(50, now=int(time.time()) + skew)
    with Sandbox(records=records, clock_skew=skew) as sandbox:
        async with legacy(sandbox) as client:
            if skew:
                with pytest.warns(ClockSkewWarning):
                    page = await client.get_page()
            else:
                page = await client.get_page()
            assert (len(page.records), await client.count()) == (50, 50)


async def test_every_request_has_a_start_and_a_body(make_client: MakeClient) -> None:
    """No body is empty, and each query says where it begins."""

    async def handle(request: Request) -> dict[str, Any]:
        return page_of()

    async with serve(handle) as server, make_client(base_url=server.base_url, service="legacy") as client:
        before = int(time.time()) - 7 * 86_400
        await client.get_page()
        await client.count()
        assert [record async for record in client.iter_records(call_result=CallResult.CALL_BUSY)] == []
        with pytest.raises(CallRecordNotFoundError):
            await client.get_record("c")
    *queries, lookup = server.requests
    assert {request.path for request in queries} == {"/v1/records/get_records_by_filter"}
    assert all(before <= request.body["startTimestamp"] <= before + 120 for request in queries)
    assert queries[-1].body["callResult"] == "call_busy"
    assert (lookup.path, lookup.body) == ("/v1/records/get_record_by_callId", {"callId": "c"})
    assert all(
        request.method == "POST" and request.parameters["contenttype"] == ["json"] for request in server.requests
    )


@pytest.mark.parametrize("region", Region)
def test_a_region_has_its_host(make_client: MakeClient, region: Region) -> None:
    """China has a host of its own, and all other regions share one."""
    host = "callkit" if region is Region.CHINA else "callkit-intl"
    client = make_client(region=region, service=Service.LEGACY)
    assert client.base_url == f"https://{host}.trtc.tencent-cloud.com"
    assert (client.service, make_client(region=region).service) == (Service.LEGACY, Service.CURRENT)


def test_an_unknown_region_lists_the_older_hosts(make_client: MakeClient) -> None:
    """The remedy names the hosts of the service that was asked for."""
    with pytest.raises(ConfigurationError, match=r"region='mars': pass one of china \(callkit\.trtc\.tencent-cloud"):
        make_client(region="mars", service="legacy")


@pytest.mark.parametrize("service", ["older", "", None, 5])
def test_an_unknown_service_is_refused(make_client: MakeClient, service: Any) -> None:
    """Another service is an error with the name, the value and the services."""
    with pytest.raises(ConfigurationError) as caught:
        make_client(region="china", service=service)
    assert str(caught.value) == f"service={service!r}: pass one of current, legacy"


def test_the_environment_names_the_service() -> None:
    """TRTC_SERVICE counts unless the argument is given; empty is not set; an unknown one is refused."""
    account = {
        "TRTC_SDK_APP_ID": "1400000000",
        "TRTC_IDENTIFIER": "administrator",
        "TRTC_SECRET_KEY": SECRET_KEY,
        "TRTC_REGION": "seoul",
    }
    assert CallRecordsClient.from_env(account).service is Service.CURRENT
    assert CallRecordsClient.from_env({**account, "TRTC_SERVICE": ""}).service is Service.CURRENT
    chosen = CallRecordsClient.from_env({**account, "TRTC_SERVICE": " Legacy\n"})
    assert (chosen.service, chosen.base_url) == (Service.LEGACY, "https://callkit-intl.trtc.tencent-cloud.com")
    assert CallRecordsClient.from_env({**account, "TRTC_SERVICE": "legacy"}, service="current").service == "current"
    with pytest.raises(ConfigurationError, match=r"^service='older': pass one of current, legacy$"):
        CallRecordsClient.from_env({**account, "TRTC_SERVICE": "older"})


async def test_there_are_no_webhooks(make_client: MakeClient) -> None:
    """Requests about webhooks, and a receiver that would look calls up here, are refused before anything is sent."""

    async def handle(request: Request) -> dict[str, Any]:
        raise AssertionError

    async def ignore(event: object) -> None:
        raise AssertionError

    async with serve(handle) as server, make_client(base_url=server.base_url, service="legacy") as client:
        calls = (client.get_webhook(), client.set_webhook("https://host/c", ["x"]), client.delete_webhook())
        for call in calls:
            with pytest.raises(
                ConfigurationError, match="^service='legacy': webhooks are those of the current service"
            ):
                await call
        with pytest.raises(ConfigurationError, match="^service='legacy': webhooks are those of the current service"):
            WebhookApp(ignore, client=client)
    assert server.requests == []


# -- Errors ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("quick_back_off")
@pytest.mark.parametrize(
    ("code", "error", "requests"),
    [
        (50001, AccountError, 1),
        (70001, InvalidRequestError, 1),
        (70002, AuthenticationError, 1),
        (70004, PermissionDeniedError, 1),
        (70009, InvalidRequestError, 1),
        (60005, ServerError, 3),
        (12345, ServerError, 3),
    ],
)
async def test_each_code_is_an_error_and_retried_if_that_may_help(
    make_client: MakeClient, code: int, error: type[APIError], requests: int
) -> None:
    """A code is judged by the older table only: an unknown one is retried, whatever the current service means by it."""

    async def handle(request: Request) -> dict[str, Any]:
        return refusal(code)

    async with serve(handle) as server, make_client(base_url=server.base_url, service="legacy", attempts=3) as client:
        with pytest.raises(error) as caught:
            await client.get_page()
    assert (type(caught.value), len(server.requests)) == (error, requests)


async def test_an_expired_user_sig_is_signed_anew_once(make_client: MakeClient) -> None:
    """70003, which is a malformed UserSig to the current service, leads to one request with another UserSig."""
    is_renewed = True

    async def handle(request: Request) -> dict[str, Any]:
        return page_of(1) if is_renewed and len(server.requests) > 1 else refusal(70003)

    async with serve(handle) as server, make_client(base_url=server.base_url, service="legacy") as client:
        assert len((await client.get_page()).records) == 1
        first, second = (request.parameters["usersig"] for request in server.requests)
        assert first != second
        server.requests.clear()
        is_renewed = False
        with pytest.raises(AuthenticationError, match="expired"):
            await client.get_page()
        assert len(server.requests) == 2


async def test_a_refused_rate_slows_the_client_down(make_client: MakeClient) -> None:
    """70005, which is a malformed UserSig to the current service, slows the limiter down and is retried."""

    class Slowing(Unlimited):
        slowed = 0

        def slow_down(self) -> None:
            self.slowed += 1

    async def handle(request: Request) -> dict[str, Any]:
        return page_of(1) if len(server.requests) > 1 else refusal(70005)

    limiter = Slowing()
    arguments: dict[str, Any] = {"service": "legacy", "limiter": limiter, "attempts": 2}
    async with serve(handle) as server, make_client(base_url=server.base_url, **arguments) as client:
        assert len((await client.get_page()).records) == 1
    assert limiter.slowed == 1


async def test_no_secret_is_shown(make_client: MakeClient, caplog: pytest.LogCaptureFixture) -> None:
    """The log, the errors and the repr of a client of the older service show neither key nor UserSig."""
    caplog.set_level(logging.DEBUG)

    async def handle(request: Request) -> dict[str, Any]:
        return {**refusal(70002), "errorMessage": f"bad {request.parameters['usersig'][0]}"}

    async with serve(handle) as server, make_client(base_url=server.base_url, service="legacy") as client:
        with pytest.raises(AuthenticationError) as caught:
            await client.get_record("c")
        shown = f"{client!r} {caught.value!r} {caught.value} {caplog.text}"
    (request,) = server.requests
    assert "service='legacy'" in shown
    assert request.parameters["usersig"][0] not in shown
    assert SECRET_KEY not in shown


# -- Look-ups ----------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_lookups_in_parallel_keep_their_limit() -> None:
    """Of sixty look-ups at once, beside a walk, by two clients, the service refuses none: it allows 20 a second."""
    with Sandbox(records=400) as sandbox:
        ids = [record.call_id for record in sandbox.records[:60]]
        async with legacy(sandbox, attempts=1) as client, legacy(sandbox, attempts=1) as other:

            async def walk() -> int:
                return len([record async for record in client.iter_records(page_size=5)])

            async with asyncio.TaskGroup() as group:
                walked = group.create_task(walk())
                clients = [client if number % 2 else other for number in range(60)]
                lookups = [
                    group.create_task(each.get_record(call_id)) for each, call_id in zip(clients, ids, strict=True)
                ]
        assert [lookup.result().call_id for lookup in lookups] == ids
        assert walked.result() == 400
    assert sandbox.stats.refused == 0


@pytest.mark.slow
@pytest.mark.parametrize("max_in_flight", [256, 8])
async def test_waiting_lookups_do_not_keep_a_walk_out(max_in_flight: int) -> None:
    """A walk goes on at its own pace while hundreds of look-ups wait for theirs, however few requests go at once."""
    with Sandbox(records=100) as sandbox:
        call_id = sandbox.records[0].call_id
        async with legacy(sandbox, max_in_flight=max_in_flight) as client:
            lookups = [asyncio.create_task(client.get_record(call_id)) for _ in range(400)]
            await lookups[0]
            assert len([record async for record in client.iter_records(page_size=2)]) == 100
            assert sum(lookup.done() for lookup in lookups) < 100
            for lookup in lookups:
                lookup.cancel()
            await asyncio.gather(*lookups, return_exceptions=True)


@pytest.mark.slow
async def test_the_current_service_has_no_limit_of_lookups() -> None:
    """Sixty look-ups of the current service take their permits from the quota of all calls alone."""
    with Sandbox(records=60) as sandbox:
        async with CallRecordsClient(**sandbox.credentials) as client:
            await asyncio.gather(*(client.get_record(record.call_id) for record in sandbox.records))
    assert sandbox.stats.busiest_second > 20


class Delayed:
    """A limiter that gives its first permit late, and then all at once."""

    def __init__(self, until: float) -> None:
        self._until = until
        self.given_at: list[float] = []
        self.slowed = 0

    async def acquire(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(self._until - loop.time(), 0))
        self.given_at.append(loop.time())

    def slow_down(self) -> None:
        self.slowed += 1


def test_late_permits_of_all_calls_bunch_no_lookups() -> None:
    """Look-ups that waited for the quota of all calls are no more than 20 in any second afterwards."""

    async def main() -> list[float]:
        quota = Delayed(asyncio.get_running_loop().time() + 5)
        limiter = StricterLimiter(quota, LocalRateLimiter(20))
        await asyncio.gather(*(limiter.acquire() for _ in range(100)))
        return quota.given_at

    times = virtual_time.run(main())
    assert len(times) == 100
    assert max(sum(start <= each < start + 1 for each in times) for start in times) <= 20


def test_a_refused_lookup_slows_lookups_down_only() -> None:
    """Their own limit is the likely cause, and it leaves the quota of all calls as it is."""

    async def main() -> tuple[int, int]:
        quota, strict = Delayed(0), Delayed(0)
        StricterLimiter(quota, strict).slow_down()
        return quota.slowed, strict.slowed

    assert virtual_time.run(main()) == (0, 1)


async def test_refused_lookups_count_apart_from_pages(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up that is refused among a hundred pages that are not is a sign to slow look-ups down, and no others."""
    slowed = Counter[int]()

    def slow_down(limiter: LocalRateLimiter) -> None:
        slowed[limiter.rate] += 1

    monkeypatch.setattr(LocalRateLimiter, "slow_down", slow_down)

    async def handle(request: Request) -> dict[str, Any]:
        return page_of(1) if request.path.endswith("by_filter") else refusal(70005)

    limiter = LocalRateLimiter()
    async with (
        serve(handle) as server,
        make_client(base_url=server.base_url, service="legacy", limiter=limiter) as client,
    ):
        await asyncio.gather(*(client.get_page() for _ in range(100)))
        assert not slowed
        with pytest.raises(RateLimitError):
            await client.get_record("c")
    assert slowed == {20: 1}


@pytest.mark.usefixtures("quick_back_off")
async def test_a_refused_lookup_is_tried_again(make_client: MakeClient) -> None:
    """70005 of a look-up is a RateLimitError that is retried; it stays one if it stays."""

    async def handle(request: Request) -> dict[str, Any]:
        return refusal(70005)

    arguments: dict[str, Any] = {"service": "legacy", "attempts": 2}
    async with serve(handle) as server, make_client(base_url=server.base_url, **arguments) as client:
        with pytest.raises(RateLimitError, match="20 per second"):
            await client.get_record("c")
    assert len(server.requests) == 2
