"""The shared quota, against a real Redis or Valkey, and between real processes."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

pytest.importorskip("redis", reason='needs the extra: pip install ".[redis]"')
pytest.importorskip("pyrate_limiter", reason='needs the extra: pip install ".[redis]"')

from redis.asyncio import Redis, RedisCluster
from redis_server import SERVER, Server, find_port

from trtc_records import AccountError, CallRecordsClient, CallRecordsError, ConfigurationError, RateLimiter
from trtc_records._errors import LimiterUnavailableError
from trtc_records.quota._local import AdaptiveRateLimiter
from trtc_records.quota.redis import RedisRateLimiter
from trtc_records.sandbox import Sandbox

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(SERVER is None, reason="neither redis-server nor valkey-server is installed"),
]

APP = 1400000000
PASSWORD = "geheim/4711"

# Prints the times of its permits on the clock that all processes of a machine share. Its wall clock is wrong.
WORKER = """
import asyncio, json, sys, time
url, lanes, seconds, skew = sys.argv[1], *map(float, sys.argv[2:])
wall, wall_ns = time.time, time.time_ns
time.time = lambda: wall() + skew
time.time_ns = lambda: wall_ns() + int(skew * 1e9)
from trtc_records.quota.redis import RedisRateLimiter

async def main():
    times, end = [], 0
    async def lane():
        while time.monotonic() < end:
            await limiter.acquire()
            times.append(time.monotonic())
    async with RedisRateLimiter.from_url(url, sdk_app_id=1400000000) as limiter:
        await limiter.acquire()
        print("ready", flush=True)
        begin = float(sys.stdin.readline())
        end = begin + seconds
        await asyncio.sleep(begin - time.monotonic())
        await asyncio.gather(*(lane() for _ in range(int(lanes))))
    print(json.dumps(times))

asyncio.run(main())
"""


def busiest(times: list[float]) -> int:
    """Return the most times within any second."""
    times = sorted(times)
    first = most = 0
    for index, moment in enumerate(times):
        while moment - times[first] >= 1.0:
            first += 1
        most = max(most, index - first + 1)
    return most


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that the test may stop and start."""
    server = Server(tmp_path)
    yield server
    server.stop()


@contextmanager
def start_workers(url: str, skews: list[float], *, lanes: int, seconds: float) -> Iterator[list[subprocess.Popen[str]]]:
    """Start processes that take permits at the same time, each with its clock off by so much."""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, url, str(lanes), str(seconds), str(skew)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for skew in skews
    ]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        begin = time.monotonic() + 0.5
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write(f"{begin}\n")
            worker.stdin.flush()
        yield workers
    finally:
        for worker in workers:
            if worker.returncode is None:
                worker.kill()
                worker.communicate()


async def take(limiter: RateLimiter, count: int) -> list[float]:
    times = []

    async def one() -> None:
        await limiter.acquire()
        times.append(time.monotonic())

    await asyncio.gather(*(one() for _ in range(count)))
    return times


async def take_for(limiter: RateLimiter, seconds: float) -> int:
    count = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await limiter.acquire()
        count += 1
    return count


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 4, 16])
def test_no_second_holds_more_than_the_quota(server: Server, processes: int) -> None:
    """Any number of processes, with any clocks, share one quota fairly and with few round trips."""
    skews = [(number % 3 - 1) * 3600.0 for number in range(processes)]
    with start_workers(server.url, skews, lanes=8, seconds=4) as workers:
        before = server.questions()
        permits = [json.loads(worker.communicate()[0]) for worker in workers]
    total = sum(map(len, permits))
    assert busiest([moment for times in permits for moment in times]) <= 200
    assert total >= 4 * 120  # the quota is 192 per second; a busy machine may not use all of it
    assert min(map(len, permits)) >= total / processes / 2
    assert server.questions() - before <= 0.6 * total


@pytest.mark.slow
def test_a_lost_key_begins_behind_the_leased_permits(server: Server) -> None:
    """A key that is evicted or flushed, again and again, lets no second hold more than the quota."""
    with start_workers(server.url, [0.0] * 4, lanes=8, seconds=3) as workers:
        time.sleep(1.5)
        for _ in range(6):
            server.admin.flushall()
            time.sleep(0.2)
        permits = [json.loads(worker.communicate()[0]) for worker in workers]
    assert busiest([moment for times in permits for moment in times]) <= 200
    assert min(map(len, permits)) > 0


@pytest.mark.slow
async def test_a_line_that_is_lost_costs_a_pause_of_less_than_a_second(server: Server) -> None:
    """Processes with a place wait for the end of the old line, once; one that comes back later does not wait."""
    key = f"trtc-records:{{{APP}}}:quota"
    async with RedisRateLimiter.from_url(server.url, sdk_app_id=APP) as limiter:
        pauses = []
        for idle in (0.0, 2.1):
            await take(limiter, 5)
            await asyncio.sleep(idle)
            server.admin.delete(key)
            started = time.monotonic()
            await limiter.acquire()
            pauses.append(time.monotonic() - started)
            assert 0 < server.admin.pttl(key) <= 60_000
    assert 0.8 < pauses[0] < 2
    assert pauses[1] < 0.8


@pytest.mark.slow
async def test_an_idle_limiter_saves_up_no_burst(server: Server) -> None:
    """A quiet while does not let the next second hold more."""
    async with RedisRateLimiter.from_url(server.url, sdk_app_id=APP) as limiter:
        times = await take(limiter, 50)
        await asyncio.sleep(1.2)
        times += await take(limiter, 300)
    assert busiest(times) <= 200


async def test_it_fits_where_a_limiter_fits(server: Server) -> None:
    """The limiter can slow down, and is an ``AdaptiveRateLimiter``."""
    limiter = RedisRateLimiter.from_url(server.url, sdk_app_id=APP)
    assert isinstance(limiter, RateLimiter)
    assert isinstance(limiter, AdaptiveRateLimiter)


@pytest.mark.slow
async def test_another_rate_can_be_set(server: Server) -> None:
    """A share of the quota can be kept for others."""
    async with RedisRateLimiter.from_url(server.url, sdk_app_id=APP, rate=20) as limiter:
        assert busiest(await take(limiter, 45)) <= 20


async def test_apps_and_prefixes_have_quotas_of_their_own_under_one_key_each(server: Server) -> None:
    """The key has the app as its hash tag and expires by itself."""
    for app, prefix in [(1, "mine"), (2, "mine"), (2, "yours")]:
        async with RedisRateLimiter.from_url(server.url, sdk_app_id=app, prefix=prefix) as limiter:
            await limiter.acquire()
            limiter.slow_down()
            await asyncio.sleep(0.1)
    keys = sorted(server.admin.keys())
    assert keys == [b"mine:{1}:quota", b"mine:{2}:quota", b"yours:{2}:quota"]
    assert all(0 < server.admin.pttl(key) <= 60_000 for key in keys)


@pytest.mark.slow
async def test_a_killed_holder_does_not_block_the_others(server: Server) -> None:
    """The places of a killed process delay the others by less than a second."""
    with start_workers(server.url, [0.0, 0.0], lanes=50, seconds=600) as workers:
        async with RedisRateLimiter.from_url(server.url, sdk_app_id=APP) as limiter:
            await asyncio.sleep(1)
            await limiter.acquire()
            for worker in workers:
                worker.kill()
            killed_at = time.monotonic()
            await limiter.acquire()
            assert time.monotonic() - killed_at < 1.5
            assert busiest(await take(limiter, 250)) <= 200


async def test_a_cancelled_waiter_takes_no_permit(server: Server) -> None:
    """Waiters that give up leave the line as if they had never come."""
    async with RedisRateLimiter.from_url(server.url, sdk_app_id=APP, rate=20) as limiter:
        await limiter.acquire()
        waiting = [asyncio.create_task(limiter.acquire()) for _ in range(500)]
        await asyncio.sleep(0.1)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        started = time.monotonic()
        await take(limiter, 5)
        assert time.monotonic() - started < 5  # 500 permits would have taken 26 s


@pytest.mark.slow
async def test_a_refusal_slows_all_processes(server: Server) -> None:
    """A refusal at one limiter makes the other pause and go on at half the pace."""
    async with (
        RedisRateLimiter.from_url(server.url, sdk_app_id=APP) as told,
        RedisRateLimiter.from_url(server.url, sdk_app_id=APP) as other,
    ):
        await told.acquire()
        await take(other, 20)
        told.slow_down()
        told.slow_down()  # the same one
        await asyncio.sleep(0.1)
        assert float(server.admin.hget(f"trtc-records:{{{APP}}}:quota", "share")) == 0.5
        assert await take_for(other, 2.0) <= 150  # 96 and a little; at full pace it were 384
        later = await take(told, 150)
        assert busiest(later) <= 200


@pytest.mark.slow
async def test_refusals_that_go_on_slow_further(server: Server) -> None:
    """A refusal behind the pause halves the pace again."""
    async with RedisRateLimiter.from_url(server.url, sdk_app_id=APP) as limiter:
        for _ in range(2):
            limiter.slow_down()
            await asyncio.sleep(1.1)
        share = float(server.admin.hget(f"trtc-records:{{{APP}}}:quota", "share"))
        assert 0.25 <= share < 0.4


@pytest.mark.slow
async def test_a_clock_of_the_server_that_is_set_back_does_not_block(server: Server) -> None:
    """A line that ends in a future too far to be true is cut."""
    async with RedisRateLimiter.from_url(server.url, sdk_app_id=APP) as limiter:
        await limiter.acquire()
        far = int((time.time() + 3600) * 1e6)
        server.admin.hset(f"trtc-records:{{{APP}}}:quota", mapping={"tat1": far, "resumed": far, "share": 0.5})
        async with asyncio.timeout(5):
            await take(limiter, 20)


async def test_redis_away_at_start_is_said_at_the_first_request(server: Server) -> None:
    """The library's own error names the host and a remedy, not the password; 'local' does not avoid it."""
    server.stop()
    url = f"redis://user:{PASSWORD.replace('/', '%2F')}@localhost:{server.port}/3"
    for policy in ({}, {"on_unavailable": "local", "local_rate": 10}):
        async with RedisRateLimiter.from_url(url, sdk_app_id=APP, **policy) as limiter:
            with pytest.raises(LimiterUnavailableError, match=f"localhost:{server.port}/3 .*start Redis") as caught:
                await limiter.acquire()
            assert isinstance(caught.value, CallRecordsError)
            assert not isinstance(caught.value, AccountError)
            assert PASSWORD not in str(caught.value)


@pytest.mark.slow
async def test_redis_away_under_way_fails_all_who_wait_and_comes_back(server: Server) -> None:
    """By default every waiter gets the error, at once and not one after the other; a Redis that is back serves."""
    async with RedisRateLimiter.from_url(server.url, sdk_app_id=APP, rate=5) as limiter:
        await limiter.acquire()
        waiting = [asyncio.create_task(limiter.acquire()) for _ in range(100)]
        await asyncio.sleep(0.1)
        server.stop()
        started = time.monotonic()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert time.monotonic() - started < 10
        assert sum(isinstance(outcome, LimiterUnavailableError) for outcome in outcomes) >= 90
        with pytest.raises(LimiterUnavailableError):
            await limiter.acquire()
        server.start()
        await limiter.acquire()
        assert server.questions() >= 1


async def test_a_redis_that_does_not_answer_is_away(server: Server) -> None:
    """A server that hangs counts as away when the time-out is over, and the message says so."""
    async with RedisRateLimiter.from_url(server.url, sdk_app_id=APP, timeout=0.2) as limiter:
        await limiter.acquire()
        assert server.process is not None
        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            with pytest.raises(LimiterUnavailableError, match="TimeoutError"):
                await take(limiter, 30)
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        await limiter.acquire()


@asynccontextmanager
async def listen_and_say_nothing() -> AsyncIterator[tuple[str, list[asyncio.StreamWriter]]]:
    """Accept connections and answer nothing; the URL, and who has connected."""
    connected: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: connected.append(writer), "127.0.0.1", 0)
    async with server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", connected
        for writer in connected:
            writer.close()


@pytest.mark.parametrize("asked", [True, False])
async def test_a_limiter_that_is_closed_tells_those_who_wait(*, asked: bool) -> None:
    """Waiters of a closed limiter get an error, not a cancellation, and open no new connection."""
    async with listen_and_say_nothing() as (url, connected):
        limiter = RedisRateLimiter.from_url(url, sdk_app_id=APP)
        waiting = [asyncio.create_task(limiter.acquire()) for _ in range(3)]
        await asyncio.sleep(0.2 if asked else 0)  # else the question is about to be asked
        await limiter.aclose()
        async with asyncio.timeout(1):
            outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [LimiterUnavailableError] * 3
        assert {str(outcome) for outcome in outcomes} == {
            "the limiter was closed while requests waited for it: close it after them"
        }
        await asyncio.sleep(0.1)
        assert len(connected) == asked


async def test_a_limiter_that_is_closed_gives_out_no_place_that_it_held(server: Server) -> None:
    """Requests that wait for a place of a closed limiter get an error."""
    limiter = RedisRateLimiter.from_url(server.url, sdk_app_id=APP, rate=5)
    await limiter.acquire()
    waiting = [asyncio.create_task(limiter.acquire()) for _ in range(3)]
    await asyncio.sleep(0.05)
    await limiter.aclose()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [LimiterUnavailableError] * 3


def test_a_limiter_that_was_never_used_needs_no_closing() -> None:
    """It holds nothing that would warn when it is dropped."""
    gc.collect()  # objects that other tests have dropped
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        RedisRateLimiter.from_url(f"redis://:{PASSWORD.replace('/', '%2F')}@localhost", sdk_app_id=APP)
        gc.collect()
    assert [str(warning.message) for warning in caught if warning.category is ResourceWarning] == []


@pytest.mark.slow
async def test_local_goes_on_with_the_share_and_returns(server: Server) -> None:
    """With 'local' no request fails while Redis is away, the share holds, and Redis counts again when it is back."""
    async with RedisRateLimiter.from_url(server.url, sdk_app_id=APP, on_unavailable="local", local_rate=20) as limiter:
        await limiter.acquire()
        server.stop()
        await asyncio.sleep(1)
        assert busiest(await take(limiter, 45)) <= 20
        limiter.slow_down()
        server.start()
        async with asyncio.timeout(60):
            while not server.admin.exists(f"trtc-records:{{{APP}}}:quota"):
                await limiter.acquire()
            while busiest(await take(limiter, 60)) < 40:
                pass  # for two seconds more, both limits hold


def test_passwords_work_and_are_shown_nowhere(tmp_path: Path) -> None:
    """A password logs in; neither the limiter, nor its attributes, nor an error shows it, right or wrong."""
    server = Server(tmp_path, "--requirepass", PASSWORD, password=PASSWORD)
    try:
        quoted = PASSWORD.replace("/", "%2F")

        async def use(password: str) -> str:
            limiter = RedisRateLimiter.from_url(f"redis://:{password}@localhost:{server.port}", sdk_app_id=APP)
            async with limiter:
                shown = f"{limiter!r} {vars(limiter)} {vars(limiter._schedule)}"
                try:
                    await limiter.acquire()
                except LimiterUnavailableError as error:
                    frames = traceback.TracebackException.from_exception(error, capture_locals=True)
                    ours = [frame for frame in frames.stack if "trtc_records" in frame.filename]
                    shown += (
                        f"{error} {error!r} {[frame.locals for frame in ours]} {frames.__context__} {frames.__cause__}"
                    )
                return shown

        right, wrong = asyncio.run(use(quoted)), asyncio.run(use("wrong-" + quoted))
        assert "cannot be reached" not in right
        assert wrong.endswith("None None")
        assert "invalid username-password" in wrong
        for shown in (right, wrong):
            assert f"localhost:{server.port}" in shown
            assert PASSWORD not in shown
            assert quoted not in shown
    finally:
        server.stop()


def test_tls(tmp_path: Path) -> None:
    """A rediss:// URL with the authority in its query is served, and without it refused."""
    if (openssl := shutil.which("openssl")) is None:
        pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    port = find_port()
    options = ["--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key)]
    try:
        server = Server(tmp_path, *options, "--tls-auth-clients", "no")
    except RuntimeError:
        pytest.skip("this redis-server was built without TLS")
    try:

        async def use(url: str) -> None:
            async with RedisRateLimiter.from_url(url, sdk_app_id=APP) as limiter:
                assert f"rediss://localhost:{port}/0" in repr(limiter)
                await limiter.acquire()

        asyncio.run(use(f"rediss://localhost:{port}?ssl_ca_certs={certificate}"))
        asyncio.run(use(f"valkeys://localhost:{port}?ssl_ca_certs={certificate}"))
        with pytest.raises(LimiterUnavailableError, match="(?i)certificate"):
            asyncio.run(use(f"rediss://localhost:{port}"))
    finally:
        server.stop()


def test_unix_socket(tmp_path: Path) -> None:
    """A unix:// URL with a password is served; the path is shown, without the password."""
    path = tmp_path / "redis.sock"
    server = Server(tmp_path, "--unixsocket", str(path), "--requirepass", PASSWORD, password=PASSWORD)
    url = f"unix://:{PASSWORD.replace('/', '%2F')}@{path}"

    async def use() -> str:
        async with RedisRateLimiter.from_url(url, sdk_app_id=APP) as limiter:
            await limiter.acquire()
            return repr(limiter)

    try:
        assert f"unix://{path}" in (shown := asyncio.run(use()))
        assert PASSWORD not in shown
    finally:
        server.stop()
    with pytest.raises(LimiterUnavailableError, match=f"the shared quota at unix://{path} cannot be reached"):
        asyncio.run(use())


@pytest.mark.slow
def test_a_cluster_serves(tmp_path: Path) -> None:
    """A cluster's client can be passed, because an app's keys lie in one slot."""
    server = Server(tmp_path, "--cluster-enabled", "yes")
    try:
        server.make_cluster()

        async def main() -> list[float]:
            async with RedisCluster(host="127.0.0.1", port=server.port) as client:
                limiter = RedisRateLimiter(client, sdk_app_id=APP, rate=50)
                async with limiter:
                    limiter.slow_down()
                    times = await take(limiter, 40)
                    assert f":{server.port}" in repr(limiter)
                return times

        assert busiest(asyncio.run(main())) <= 30  # half the rate, and its recovery of a second
    finally:
        server.stop()


async def test_a_client_of_the_callers_stays_open(server: Server) -> None:
    """A connection of the caller's is closed by the caller."""
    async with Redis(port=server.port) as client:
        async with RedisRateLimiter(client, sdk_app_id=APP) as limiter:
            await limiter.acquire()
        assert await client.ping()


@pytest.mark.slow
def test_one_loop_after_the_other_may_use_it(server: Server) -> None:
    """A limiter that was closed, or whose loop is gone, serves the next loop."""
    limiter = RedisRateLimiter.from_url(server.url, sdk_app_id=APP)

    async def use() -> list[float]:
        async with limiter:
            return await take(limiter, 120)

    assert busiest(asyncio.run(use()) + asyncio.run(use())) <= 200


def test_two_loops_at_once_are_refused(server: Server) -> None:
    """The message says how to use one limiter per loop."""
    limiter = RedisRateLimiter.from_url(server.url, sdk_app_id=APP)
    with asyncio.Runner() as first, asyncio.Runner() as second:
        first.run(limiter.acquire())
        with pytest.raises(ConfigurationError, match="one event loop: make one for each"):
            second.run(limiter.acquire())
        first.run(limiter.aclose())
        second.run(limiter.acquire())
        second.run(limiter.aclose())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sdk_app_id": "1"}, "sdk_app_id='1'"),
        ({"rate": 0}, "rate=0"),
        ({"prefix": ""}, "prefix=''"),
        ({"timeout": 0}, "timeout=0"),
        ({"on_unavailable": "hope"}, "on_unavailable='hope': pass 'fail' or 'local'"),
        ({"on_unavailable": []}, r"on_unavailable=\[\]: pass 'fail' or 'local'"),
        ({"on_unavailable": "local"}, "local_rate: goes with on_unavailable='local'"),
        ({"local_rate": 5}, "local_rate: goes with on_unavailable='local'"),
        ({"on_unavailable": "local", "local_rate": 0.5}, "local_rate=0.5"),
    ],
)
def test_arguments_that_cannot_be_used_are_named(arguments: dict[str, object], message: str) -> None:
    """Each message names the argument and the remedy, before anything is sent."""
    with pytest.raises(ConfigurationError, match=message.replace("'", ".")):
        RedisRateLimiter.from_url("redis://localhost", **{"sdk_app_id": APP, **arguments})


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://localhost",
        f"redis://:{PASSWORD}@localhost:6379",
        "redis://:4711@localhost?ssl_cert_reqs=none",
        "rediss://:4711@localhost?ssl_cert_reqs=4711",
        "redis://:4711@localhost?foo=4711",
        "redis://:4711@localhost?protocol=4711",
        "redis://:4711@localhost?encoding=4711",
        None,
        5,
    ],
)
def test_a_url_that_is_none_is_refused_without_being_shown(url: object) -> None:
    """A URL that cannot be read may hold a password, so the message does not repeat it."""
    with pytest.raises(ConfigurationError, match="url: not a URL of the form") as caught:
        RedisRateLimiter.from_url(url, sdk_app_id=APP)  # type: ignore[arg-type]
    assert "4711" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("parameter", "reason"), [("retry_on_error=y", "TypeError"), ("encoding=ascii", "UnicodeEncodeError")]
)
async def test_a_url_that_fails_late_is_explained(server: Server, parameter: str, reason: str) -> None:
    """A parameter that fails only on connecting is an error of the library, and no traceback shows a password."""
    url = f"redis://:geheimni%C3%9F@localhost:{server.port}?{parameter}"
    async with RedisRateLimiter.from_url(url, sdk_app_id=APP) as limiter:
        with pytest.raises(LimiterUnavailableError, match=rf"correct its URL \({reason}: ") as caught:
            await limiter.acquire()
    assert caught.value.__context__ is caught.value.__cause__ is None
    assert "geheim" not in str(caught.value)


@pytest.mark.slow
async def test_lookups_of_the_older_service_keep_both_limits(server: Server) -> None:
    """Look-ups there take permits of the shared quota and of their own, and the service refuses none."""
    with Sandbox(records=60) as sandbox:
        ids = [record.call_id for record in sandbox.records[:45]]
        variables = {**sandbox.environment, "TRTC_SERVICE": "legacy", "TRTC_REDIS_URL": server.url}
        async with CallRecordsClient.from_env(variables, attempts=1) as client:
            found = await asyncio.gather(*map(client.get_record, ids))
            assert len([record async for record in client.iter_records(page_size=5)]) == 60
        async with Redis.from_url(server.url) as redis:
            assert await redis.keys("trtc-records:*quota")
    assert [record.call_id for record in found] == ids
    assert sandbox.stats.refused == 0


def test_something_else_than_a_client_is_refused() -> None:
    """A blocking client, or a URL, does not fit the constructor."""
    with pytest.raises(ConfigurationError, match=r"client: str given; .*from_url"):
        RedisRateLimiter("redis://localhost", sdk_app_id=APP)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["redis", "pyrate_limiter"])
def test_a_missing_extra_is_named(name: str) -> None:
    """The import error names the pip install command."""
    code = f"import sys; sys.modules[{name!r}] = None; import trtc_records.quota.redis"
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert f'the shared quota needs {name}, which is not installed: pip install ".[redis]"' in outcome.stderr
