"""The lock of an archive in an object store, on a clock of the test's own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("fsspec", reason="needs the extra archive")

from fsspec.implementations.memory import MemoryFileSystem

from trtc_records import CallRecordsWarning, ConfigurationError
from trtc_records._warn import collect_warnings
from trtc_records.archive import _lease
from trtc_records.archive._lease import LEASE, Lease
from trtc_records.archive._manifest import MANIFESTS
from trtc_records.export._store import Store, open_store


class Clock:
    """A time that passes only while somebody sleeps; others may act meanwhile."""

    def __init__(self) -> None:
        self.now = 0.0
        self.meanwhile: Callable[[], object] = lambda: None

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.meanwhile()


@pytest.fixture
def store() -> Iterator[Store]:
    """Return an empty store."""
    yield open_store("directory", "memory://lease")
    MemoryFileSystem.store.clear()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def locks_in(store: Store) -> int:
    return len(store.list_files(MANIFESTS))


def is_held(lease: Lease) -> bool:
    try:
        lease.check()
    except OSError:
        return False
    return True


def test_lock_is_taken_once(store: Store, clock: Clock) -> None:
    """A second run is refused as soon as it sees that the first one renews its lock, and leaves nothing behind."""
    first = Lease(store, clock=clock, sleep=clock.sleep)
    asyncio.run(first.acquire())
    clock.meanwhile = first.renew
    with collect_warnings(), pytest.raises(ConfigurationError, match="memory://lease: another run writes to it"):
        asyncio.run(Lease(store, clock=clock, sleep=clock.sleep).acquire())
    assert clock.now < LEASE / 2
    assert locks_in(store) == 1
    first.check()


def test_lock_of_a_killed_run_is_waited_out(store: Store, clock: Clock) -> None:
    """A lock that nobody renews is free after the time of the lease, and its owner knows that it has lost it."""
    killed, second = (Lease(store, clock=clock, sleep=clock.sleep) for _ in range(2))
    asyncio.run(killed.acquire())
    with pytest.warns(CallRecordsWarning, match="memory://lease has the lock of another run: waiting 30 s at most"):
        asyncio.run(second.acquire())
    assert LEASE <= clock.now <= LEASE + 10
    second.check()
    with pytest.raises(OSError, match="the lock could not be renewed for 30 s"):
        killed.check()
    killed.renew()
    assert locks_in(store) == 1


def test_owner_that_wakes_up_late_does_not_come_back(store: Store, clock: Clock) -> None:
    """A run that was paused beyond its lease does not renew it, whether another one has come or not."""
    lease = Lease(store, clock=clock, sleep=clock.sleep)
    asyncio.run(lease.acquire())
    clock.now += LEASE
    lease.renew()
    with pytest.raises(OSError, match="lock"):
        lease.check()


def test_owner_whose_lock_was_removed_knows_it(store: Store, clock: Clock) -> None:
    """A lock that is gone is not made again."""
    lease = Lease(store, clock=clock, sleep=clock.sleep)
    asyncio.run(lease.acquire())
    store.remove(store.list_files(MANIFESTS)[0])
    lease.renew()
    with pytest.raises(OSError, match="lock"):
        lease.check()
    assert locks_in(store) == 0


def test_lock_that_ends_meanwhile_lets_the_next_run_in(store: Store, clock: Clock) -> None:
    """A run that waits takes the lock once the other run has ended."""
    [name] = [f"{MANIFESTS}/lock-other"]
    store.write(name, b"1")
    clock.meanwhile = lambda: store.remove(name)
    with collect_warnings():
        asyncio.run(Lease(store, clock=clock, sleep=clock.sleep).acquire())
    assert clock.now < LEASE / 2


@pytest.mark.parametrize("seed", range(100))
def test_of_many_at_once_one_holds_it(seed: int, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the order of the steps of four runs that begin at once, one holds the lock, and no two do."""
    chance = random.Random(seed)
    random.seed(seed)
    clock = Clock()
    held: list[Lease] = []
    most = 0

    async def pass_time(seconds: float) -> None:
        until = clock.now + seconds
        while clock.now < until:
            await asyncio.sleep(0)
            clock.now += 0.01
        for lease in held:
            lease.renew()

    async def take_time(function: Callable[..., object], *arguments: object) -> object:
        await pass_time(chance.uniform(0, 0.5))
        result = function(*arguments)
        await pass_time(chance.uniform(0, 0.5))
        return result

    async def run() -> None:
        nonlocal most
        await pass_time(chance.uniform(0, 1))
        lease = Lease(store, clock=clock, sleep=pass_time)
        try:
            await lease.acquire()
        except ConfigurationError:
            return
        held.append(lease)
        most = max(most, sum(map(is_held, held)))

    async def run_all() -> None:
        await asyncio.gather(*(run() for _ in range(4)))

    monkeypatch.setattr(_lease, "run_sync", take_time)
    with collect_warnings():
        asyncio.run(run_all())
    assert most == 1
    assert locks_in(store) == 1


def test_lock_is_given_back(store: Store) -> None:
    """After a run, and after one that fails, the store holds no lock."""

    async def hold(error: Exception | None) -> None:
        async with Lease(store).hold():
            assert locks_in(store) == 1
            if error:
                raise error

    asyncio.run(hold(None))
    assert locks_in(store) == 0
    with pytest.raises(LookupError):
        asyncio.run(hold(LookupError()))
    assert locks_in(store) == 0
