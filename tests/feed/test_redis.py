"""A checkpoint in Redis keeps the place of a feed, for one feed at a time, against a real server."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("redis", reason='needs the extra: pip install ".[redis]"')

from redis.asyncio import Redis, RedisCluster
from redis_server import SERVER, Server

from trtc_records import CallRecordsClient, Checkpoint, CheckpointError, ConfigurationError
from trtc_records.feed.redis import RedisCheckpoint
from trtc_records.sandbox import Sandbox

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(SERVER is None, reason="neither redis-server nor valkey-server is installed"),
]

PASSWORD = "geheim/4711"
KEY = "trtc-records:{missed}:feed"

HOLDER = """
import asyncio, sys
from trtc_records.feed.redis import RedisCheckpoint

async def main():
    checkpoint = RedisCheckpoint.from_url(sys.argv[1], name="missed", lock_timeout=1.0)
    print(await checkpoint.load(), flush=True)
    await checkpoint.save("place of the other", [(7, 70)], 0)
    print("saved", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that do not stop it."""
    server = Server(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def server(shared: Server) -> Server:
    """The server, empty."""
    shared.admin.flushall()
    return shared


def make(server: Server, **arguments: Any) -> RedisCheckpoint:
    return RedisCheckpoint.from_url(server.url, **{"name": "missed", **arguments})


async def test_a_place_and_its_digests_come_back(server: Server) -> None:
    """What was saved is loaded: the last place, and the digests that were not dropped."""
    checkpoint = make(server)
    assert isinstance(checkpoint, Checkpoint)
    assert await checkpoint.load() == (None, [])
    await checkpoint.save("one", [(1, 10), (-(2**63), 20)], 0)
    await checkpoint.save("zwei 二", [(2**63 - 1, 30), (1, 10)], 15)
    await checkpoint.aclose()
    place, seen = await checkpoint.load()
    await checkpoint.aclose()
    assert place == "zwei 二"
    assert sorted(seen) == [(-(2**63), 20), (2**63 - 1, 30)]
    assert sorted(map(bytes.decode, server.admin.scan_iter())) == [KEY, f"{KEY}:seen"]
    assert [server.admin.ttl(key) for key in (KEY, f"{KEY}:seen")] == [-1, -1]


@pytest.mark.parametrize("options", [{"decode_responses": True}, {"protocol": 3}, {}])
async def test_many_digests_come_back_through_any_client(server: Server, options: dict[str, Any]) -> None:
    """A client of the caller's may decode answers or speak RESP3, and stays open."""
    async with Redis(port=server.port, **options) as client:
        checkpoint = RedisCheckpoint(client, name="missed")
        await checkpoint.load()
        digests = [(number, 1_739_960_245 + number) for number in range(10_000)]
        await checkpoint.save("one", digests, 0)
        await checkpoint.aclose()
        assert await checkpoint.load() == ("one", digests)
        await checkpoint.aclose()
        assert await client.ping()


async def test_feeds_of_other_names_are_apart(server: Server) -> None:
    """Each name, and each prefix, has its own place and lock."""
    checkpoints = [make(server), make(server, name="billing"), make(server, prefix="other")]
    for number, checkpoint in enumerate(checkpoints):
        assert await checkpoint.load() == (None, [])
        await checkpoint.save(str(number), [], 0)
    for checkpoint in checkpoints:
        await checkpoint.aclose()
    assert [(await checkpoint.load())[0] for checkpoint in checkpoints] == ["0", "1", "2"]
    for checkpoint in checkpoints:
        await checkpoint.aclose()


async def test_a_second_feed_is_refused(server: Server) -> None:
    """By the same object or by another one, and the first goes on."""
    checkpoint = make(server)
    await checkpoint.load()
    with pytest.raises(ConfigurationError, match="another feed of this process"):
        await checkpoint.load()
    with pytest.raises(ConfigurationError, match=r"in use by another feed: .*its lock lapses in 60 s"):
        await make(server).load()
    await checkpoint.save("one", [], 0)
    await checkpoint.aclose()
    second = make(server)
    assert await second.load() == ("one", [])
    await second.aclose()


async def test_the_lock_of_a_killed_process_lapses(server: Server) -> None:
    """Another process is kept out while it saves and for a while after, and then goes on from its last save."""
    command = [sys.executable, "-c", HOLDER, server.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:  # noqa: ASYNC220
        assert holder.stdout is not None
        assert holder.stdout.readline() == "(None, [])\n"
        assert holder.stdout.readline() == "saved\n"
        os.kill(holder.pid, signal.SIGKILL)
    checkpoint = make(server)
    with pytest.raises(ConfigurationError, match="in use by another feed"):
        await checkpoint.load()
    async with asyncio.timeout(10):
        while server.admin.exists(f"{KEY}:lock"):
            await asyncio.sleep(0.05)
    assert await checkpoint.load() == ("place of the other", [(7, 70)])
    await checkpoint.aclose()


async def test_a_save_renews_the_lock(server: Server) -> None:
    """The lock lasts from the last save on."""
    checkpoint = make(server)
    await checkpoint.load()
    server.admin.pexpire(f"{KEY}:lock", 1000)
    await checkpoint.save("one", [], 0)
    assert server.admin.pttl(f"{KEY}:lock") > 50_000
    await checkpoint.aclose()


async def test_a_lapsed_lock_that_nobody_took_is_taken_again(server: Server) -> None:
    """A consumer that was slow loses nothing where it is alone."""
    checkpoint = make(server)
    await checkpoint.load()
    server.admin.delete(f"{KEY}:lock")
    await checkpoint.save("one", [], 0)
    assert server.admin.exists(f"{KEY}:lock")
    await checkpoint.aclose()


@pytest.mark.parametrize("second_ends", [True, False])
async def test_an_owner_that_lost_the_lock_overwrites_nothing(server: Server, *, second_ends: bool) -> None:
    """Its next save is an error, even if the other feed has come and gone, and it unlocks nothing."""
    first, second = make(server), make(server)
    await first.load()
    await first.save("of the first", [(1, 10)], 0)
    server.admin.delete(f"{KEY}:lock")
    await second.load()
    await second.save("of the second", [(2, 20)], 0)
    if second_ends:
        await second.aclose()
    with pytest.raises(CheckpointError, match="was taken over by another feed.*run one feed of a name"):
        await first.save("late", [(3, 30)], 25)
    await first.aclose()
    assert server.admin.exists(f"{KEY}:lock") == (not second_ends)
    await second.aclose()
    assert await second.load() == ("of the second", [(1, 10), (2, 20)])
    await second.aclose()


@pytest.mark.parametrize(
    ("commands", "error", "remedy"),
    [
        ([("HSET", KEY, "version", "99")], ConfigurationError, "newer version of trtc-records: install that version"),
        ([("HSET", KEY, "version", "x")], CheckpointError, "damaged.*pass another name, and since="),
        ([("HDEL", KEY, "version")], CheckpointError, "damaged"),
        ([("HSET", KEY, "place", b"\xff\xfe")], CheckpointError, "damaged"),
        ([("DEL", f"{KEY}:seen")], CheckpointError, "damaged"),
        ([("DEL", KEY)], CheckpointError, "damaged"),
        ([("DEL", KEY), ("SET", KEY, "text")], CheckpointError, "damaged, or another program's"),
        ([("DEL", f"{KEY}:seen"), ("SET", f"{KEY}:seen", "text")], CheckpointError, "damaged"),
        ([("ZREM", f"{KEY}:seen", "1"), ("ZADD", f"{KEY}:seen", "5", "text")], CheckpointError, "damaged"),
    ],
)
async def test_damaged_content_is_left_alone(
    server: Server, commands: list[tuple[Any, ...]], error: type[Exception], remedy: str
) -> None:
    """The error says how to go on, nothing is overwritten, and no lock stays."""
    checkpoint = make(server)
    await checkpoint.load()
    await checkpoint.save("one", [(1, 10)], 0)
    await checkpoint.aclose()
    for command in commands:
        server.admin.execute_command(*command)

    def read() -> list[Any]:
        kinds = [server.admin.type(key) for key in (KEY, f"{KEY}:seen")]
        place = server.admin.hmget(KEY, "version", "place") if kinds[0] == b"hash" else server.admin.get(KEY)
        return [*kinds, place, server.admin.zrange(f"{KEY}:seen", 0, -1) if kinds[1] == b"zset" else None]

    before = read()
    with pytest.raises(error, match=remedy):
        await checkpoint.load()
    assert read() == before
    assert not server.admin.exists(f"{KEY}:lock")


async def test_a_full_redis_leaves_the_last_place(server: Server) -> None:
    """The error says so, and a later save works again."""
    checkpoint = make(server)
    await checkpoint.load()
    await checkpoint.save("one", [(1, 10)], 0)
    server.admin.config_set("maxmemory", 1)
    try:
        with pytest.raises(CheckpointError, match=r"keeps the last place that was saved \(OutOfMemoryError: "):
            await checkpoint.save("two", [(2, 20)], 0)
    finally:
        server.admin.config_set("maxmemory", 0)
    assert server.admin.hget(KEY, "place") == b"one"
    await checkpoint.save("two", [(2, 20)], 15)
    await checkpoint.aclose()
    assert await checkpoint.load() == ("two", [(2, 20)])
    await checkpoint.aclose()


async def test_an_unreachable_redis_is_an_error_without_the_password(tmp_path: Path) -> None:
    """At the start or later, right password or wrong, in whatever is printed."""
    server = Server(tmp_path, "--requirepass", PASSWORD, password=PASSWORD)
    quoted = PASSWORD.replace("/", "%2F")
    shown = []

    async def fail(checkpoint: RedisCheckpoint, reason: str) -> None:
        with pytest.raises(CheckpointError, match=f"localhost:{server.port}.*start Redis.*{reason}") as caught:
            await checkpoint.load()
        frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        ours = [frame.locals for frame in frames.stack if "trtc_records" in frame.filename]
        assert ours
        assert caught.value.__context__ is caught.value.__cause__ is None
        shown.append(f"{caught.value} {caught.value!r} {ours} {checkpoint!r} {vars(checkpoint)}")

    try:
        await fail(RedisCheckpoint.from_url(f"redis://:wrong-{quoted}@localhost:{server.port}", name="a"), "password")
        checkpoint = RedisCheckpoint.from_url(f"redis://:{quoted}@localhost:{server.port}", name="a")
        await checkpoint.load()
        await checkpoint.save("one", [], 0)
        shown.append(f"{checkpoint!r} {checkpoint}")
        server.stop()
        with pytest.raises(CheckpointError, match="start Redis"):
            await checkpoint.save("two", [], 0)
        await checkpoint.aclose()
        await fail(checkpoint, "ConnectionError")
    finally:
        server.stop()
    for text in shown:
        assert PASSWORD not in text
        assert quoted not in text


async def test_a_feed_keeps_its_place_in_redis(server: Server) -> None:
    """Each call comes once over restarts."""
    with Sandbox(live=20.0, call_seconds=(0, 2), quota=None) as sandbox:
        seen = []
        async with asyncio.timeout(60):
            while len(seen) < 12:
                async with CallRecordsClient(**sandbox.credentials) as client:
                    records = client.follow(checkpoint=make(server), interval=0.2)
                    async for record in records:
                        seen.append(record.call_id)
                        if len(seen) % 4 == 0:
                            break
                    await records.aclose()
    # The record at which a feed was left had not been given in full.
    assert len(set(seen)) >= 10
    assert max(seen.count(call_id) for call_id in seen) <= 3


async def test_a_refused_feed_leaves_the_other_its_lock(server: Server) -> None:
    """Two feeds with one checkpoint: the second is refused, and the first goes on."""
    checkpoint = make(server)
    with Sandbox(live=20.0, call_seconds=(0, 1), quota=None) as sandbox:
        async with CallRecordsClient(**sandbox.credentials) as client:
            first = client.follow(checkpoint=checkpoint, interval=0.2)
            async with asyncio.timeout(30):
                await anext(first)
                with pytest.raises(ConfigurationError, match="another feed of this process"):
                    await anext(client.follow(checkpoint=checkpoint))
                with pytest.raises(ConfigurationError, match="in use by another feed"):
                    await anext(client.follow(checkpoint=make(server)))
                await anext(first)
            await first.aclose()
    assert not server.admin.exists(f"{KEY}:lock")


def test_a_cluster_serves(tmp_path: Path) -> None:
    """A cluster's client can be passed, because a feed's keys lie in one slot."""
    server = Server(tmp_path, "--cluster-enabled", "yes")
    try:
        server.make_cluster()

        async def main() -> None:
            async with RedisCluster(host="127.0.0.1", port=server.port) as client:
                checkpoint = RedisCheckpoint(client, name="missed")
                await checkpoint.load()
                await checkpoint.save("one", [(1, 10)], 0)
                await checkpoint.aclose()
                assert await checkpoint.load() == ("one", [(1, 10)])
                await checkpoint.aclose()

        asyncio.run(main())
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": ""}, "name=''"),
        ({"name": 5}, "name=5"),
        ({"name": "a}b"}, "name='a}b': leave out braces"),
        ({"prefix": "{a}"}, "prefix='{a}': leave out braces"),
        ({"lock_timeout": 0}, "lock_timeout=0"),
        ({"timeout": -1}, "timeout=-1"),
    ],
)
def test_arguments_that_cannot_be_used_are_named(arguments: dict[str, Any], message: str) -> None:
    """Each message names the argument, before anything is sent."""
    with pytest.raises(ConfigurationError) as caught:
        RedisCheckpoint.from_url("redis://localhost", **{"name": "missed", **arguments})
    assert message in str(caught.value)


@pytest.mark.parametrize("url", ["", "http://localhost", f"redis://:{PASSWORD}@localhost:6379", None])
def test_a_url_that_is_none_is_refused_without_being_shown(url: Any) -> None:
    """A URL that cannot be read may hold a password, so the message does not repeat it."""
    with pytest.raises(ConfigurationError, match="url: not a URL of the form") as caught:
        RedisCheckpoint.from_url(url, name="missed")
    assert "4711" not in str(caught.value)
    assert caught.value.__context__ is None


def test_something_else_than_a_client_is_refused() -> None:
    """A URL does not fit the constructor."""
    with pytest.raises(ConfigurationError, match=r"client: str given; .*RedisCheckpoint\.from_url"):
        RedisCheckpoint("redis://localhost", name="missed")  # type: ignore[arg-type]


def test_a_missing_extra_is_named() -> None:
    """The import error names the pip install command; pyrate-limiter is not needed."""
    code = "import sys; sys.modules['pyrate_limiter'] = None; import trtc_records.feed.redis"
    subprocess.run([sys.executable, "-c", code], check=True)
    code = "import sys; sys.modules['redis'] = None; import trtc_records.feed.redis"
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 'RedisCheckpoint needs redis, which is not installed: pip install ".[redis]"' in outcome.stderr
