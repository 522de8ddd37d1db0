"""Credentials: never shown, renewed in time, and requested once."""

from __future__ import annotations

import asyncio
import copy
import inspect
import json
import logging
import pickle
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest

from trtc_records._api.usersig import generate_user_sig, verify_user_sig
from trtc_records._errors import ConfigurationError
from trtc_records._secret import Secret, hide
from trtc_records._sending.credentials import Credential

TEXT = "hunter2-the-secret-key"
DAY = 86_400
NOW = 1_800_000_000


@pytest.fixture
def anyio_backend() -> str:
    """Run on asyncio, as the library does."""
    return "asyncio"


# -- A secret ----------------------------------------------------------------------------------------


@attrs.frozen
class Holder:
    """Something that holds a secret in a field, as a configuration does."""

    secret: Secret


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        format,
        ascii,
        lambda secret: f"{secret!r}",
        lambda secret: f"{secret:>40}",
        "{0}".format,
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031 - one of the ways to show it
        lambda secret: repr([secret]),
        lambda secret: str({"key": secret}),
        lambda secret: repr(Holder(secret)),
        lambda secret: repr(attrs.asdict(Holder(secret))),
        lambda secret: repr(inspect.getmembers(secret)),
        lambda secret: repr(object.__getattribute__(secret, "__getstate__")()),
        lambda secret: repr(inspect.signature(secret.__init__)),
    ],
)
def test_a_secret_is_never_shown(show: Callable[[Secret], str]) -> None:
    """No way of showing a secret reveals its text."""
    assert TEXT not in show(Secret(TEXT))


@pytest.mark.parametrize("template", ["{}", "{!s}", "{!r}", "{:>40}"])
def test_a_secret_shows_as_a_mask(template: str) -> None:
    """A secret prints as three asterisks, and no format reveals its length."""
    assert template.format(Secret(TEXT)) == "***"


def test_a_secret_has_no_attributes_to_look_through() -> None:
    """It has no dict of attributes that vars or a debugger could print."""
    with pytest.raises(TypeError):
        vars(Secret(TEXT))


@pytest.mark.parametrize("template", ["key %s", "key %r", "key %(key)s"])
def test_a_secret_is_not_logged(caplog: pytest.LogCaptureFixture, template: str) -> None:
    """A log line with a secret as its argument has the mask."""
    caplog.set_level(logging.DEBUG)
    arguments: tuple[Any, ...] = ({"key": Secret(TEXT)},) if "(" in template else (Secret(TEXT),)
    logging.getLogger("test").info(template, *arguments)
    assert caplog.messages == ["key ***"]


def fail_with(secret: Secret) -> None:
    """Fail while a secret is among the locals."""
    raise LookupError(str(secret))


def test_a_secret_is_not_in_a_traceback_with_locals() -> None:
    """Tools that print the locals of each frame print the mask."""
    with pytest.raises(LookupError) as caught:
        fail_with(Secret(TEXT))
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "secret = ***" in shown
    assert TEXT not in shown


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_cannot_be_pickled(protocol: int) -> None:
    """A pickle would hold the text in the clear."""
    with pytest.raises(TypeError, match=r"^a secret cannot be pickled or copied$"):
        pickle.dumps(Secret(TEXT), protocol)


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, lambda secret: copy.deepcopy(Holder(secret)), lambda secret: copy.deepcopy([secret])],
    ids=["copy", "deepcopy", "deepcopy of a holder", "deepcopy of a list"],
)
def test_a_secret_cannot_be_copied(duplicate: Callable[[Secret], object]) -> None:
    """A secret is not copied, alone or inside another object."""
    with pytest.raises(TypeError, match=r"^a secret cannot be pickled or copied$"):
        duplicate(Secret(TEXT))


def test_a_secret_is_no_json() -> None:
    """Writing a secret as JSON is an error that does not show the text."""
    with pytest.raises(TypeError) as caught:
        json.dumps({"key": Secret(TEXT)})
    assert TEXT not in str(caught.value)


def test_a_secret_equals_only_itself() -> None:
    """Equality reveals nothing about the text."""
    secret = Secret(TEXT)
    assert secret == secret  # noqa: PLR0124 - identity is the point
    others: list[object] = [Secret(TEXT), TEXT]
    assert secret not in others


def test_a_secret_is_revealed_on_purpose() -> None:
    """The only way to the text is a method named after its purpose."""
    assert Secret(TEXT).reveal() == TEXT


@pytest.mark.parametrize("value", [TEXT, f" {TEXT}\r\n", f"\ufeff{TEXT}\n", f"\0{TEXT}\xa0"], ids=ascii)
def test_white_space_around_a_secret_is_cut(value: str) -> None:
    """A mounted file ends in a line feed, and an editor may begin it with a byte order mark."""
    cleaned = Secret(value).clean()
    assert cleaned is not None
    assert cleaned.reveal() == TEXT


@pytest.mark.parametrize(
    "value", ["", " \n", "\ufeff", None, b"key", 5, ["key"], "\ud800", "two\nlines", "a\0b"], ids=ascii
)
def test_what_cannot_be_sent_is_no_secret(value: object) -> None:
    """A caller's value is checked without being shown."""
    assert Secret(value).clean() is None


@pytest.mark.parametrize("value", [TEXT, "", b"bytes", 5, ["key"], False], ids=repr)
def test_hiding_wraps_a_credential_of_any_type(value: object) -> None:
    """A credential of the wrong type is one still."""
    hidden = hide(value)
    assert isinstance(hidden, Secret)
    assert hidden.reveal() is value


@pytest.mark.parametrize(
    "value", [None, Secret(TEXT), generate_user_sig, lambda: TEXT], ids=["None", "Secret", "function", "lambda"]
)
def test_hiding_leaves_other_values(value: object) -> None:
    """``None``, secrets and callables stay as they are."""
    assert hide(value) is value


# -- A credential ------------------------------------------------------------------------------------


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


class Mint:
    """Sign UserSigs by a clock, and keep them; as sync or async as the test wants."""

    def __init__(self, clock: Clock, *, lifetime: int = DAY) -> None:
        self.clock = clock
        self.lifetime = lifetime
        self.made: list[Secret] = []

    def __call__(self) -> Secret:
        user_sig = generate_user_sig(1, "administrator", TEXT, lifetime=self.lifetime, issued_at=int(self.clock.now))
        self.made.append(Secret(user_sig))
        return self.made[-1]

    async def later(self) -> Secret:
        """Sign one after others had a turn."""
        await asyncio.sleep(0)
        return self()


@pytest.fixture
def clock() -> Clock:
    """Return a clock that only the test moves."""
    return Clock()


@pytest.fixture
def mint(clock: Clock) -> Mint:
    """Return a function that signs by that clock."""
    return Mint(clock)


@pytest.mark.anyio
async def test_a_user_sig_is_minted_once_and_used_again(clock: Clock, mint: Mint) -> None:
    """Until it is time to renew, every request gets the same UserSig."""
    credential = Credential(mint, renewable=True, clock=clock)
    first = await credential.get()
    clock.now += 0.9 * DAY - 1
    assert await credential.get() is first
    assert mint.made == [first]


@pytest.mark.anyio
@pytest.mark.parametrize("lifetime", [60, DAY, 180 * DAY])
async def test_a_user_sig_is_renewed_before_it_expires(clock: Clock, lifetime: int) -> None:
    """A tenth of its lifetime before the end, the next one takes its place."""
    mint = Mint(clock, lifetime=lifetime)
    credential = Credential(mint, renewable=True, clock=clock)
    first = await credential.get()
    clock.now += 0.9 * lifetime
    second = await credential.get()
    assert mint.made == [first, second]
    assert await credential.get() is second


@pytest.mark.anyio
async def test_a_user_sig_that_was_signed_earlier_is_renewed_by_its_own_expiry(clock: Clock, mint: Mint) -> None:
    """The time of its expiry counts, not the time of the fetch."""
    old = mint()
    clock.now += 0.8 * DAY
    given = iter([old, mint()])
    credential = Credential(lambda: next(given), renewable=True, clock=clock)
    assert await credential.get() is old
    clock.now += 0.1 * DAY
    assert await credential.get() is mint.made[1]


@pytest.mark.anyio
async def test_an_expired_user_sig_is_used_and_asked_for_again(clock: Clock, mint: Mint) -> None:
    """A UserSig that has expired already is used, and the next request asks for another one."""
    old = mint()
    clock.now += 2 * DAY
    given = iter([old, mint()])
    credential = Credential(lambda: next(given), renewable=True, clock=clock)
    assert [await credential.get(), await credential.get()] == mint.made


@pytest.mark.anyio
async def test_a_secret_key_signs_for_a_day() -> None:
    """The UserSig claims the app and the identifier, is valid for a day, and is made once."""
    credential = Credential.from_secret_key(1400000000, "administrator", Secret(TEXT))
    user_sig = await credential.get()
    claims = verify_user_sig(user_sig.reveal(), TEXT)
    assert (claims.sdk_app_id, claims.identifier, claims.lifetime) == (1400000000, "administrator", DAY)
    assert await credential.get() is user_sig


@pytest.mark.anyio
async def test_a_user_sig_that_was_refused_does_not_come_again() -> None:
    """Within one second, too, the next one differs."""
    credential = Credential.from_secret_key(1400000000, "administrator", Secret(TEXT), clock=lambda: 1_700_000_000.0)
    refused = await credential.get()
    assert credential.renew(refused)
    assert (await credential.get()).reveal() != refused.reveal()


@pytest.mark.anyio
@pytest.mark.parametrize(
    "user_sig",
    ["not even a UserSig", generate_user_sig(1, "a", TEXT), generate_user_sig(1, "a", TEXT, issued_at=0)],
    ids=["unreadable", "valid", "expired"],
)
async def test_a_fixed_user_sig_stays(user_sig: str) -> None:
    """One that was given is given to every request; the service judges it."""
    fixed = Secret(user_sig)
    credential = Credential.from_user_sig(fixed)
    assert [await credential.get(), await credential.get()] == [fixed, fixed]


class AsyncProvider:
    """A provider whose instances are called, as partials and mocks are."""

    async def __call__(self) -> str:
        return TEXT


def provide() -> str:
    """Return a UserSig at once."""
    return TEXT


async def provide_later() -> str:
    """Return a UserSig after others had a turn."""
    await asyncio.sleep(0)
    return TEXT


def provide_future() -> Awaitable[str]:
    """Return an awaitable that is no coroutine."""
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    future.set_result(TEXT)
    return future


@pytest.mark.anyio
@pytest.mark.parametrize(
    "provider",
    [provide, provide_later, AsyncProvider(), provide_future],
    ids=["function", "coroutine function", "object", "future"],
)
async def test_a_provider_may_be_sync_or_async(provider: Callable[[], str | Awaitable[str]]) -> None:
    """Any callable that returns a UserSig, or something that can be awaited for one, gives the credential."""
    assert (await Credential.from_provider(provider).get()).reveal() == TEXT


@pytest.mark.anyio
async def test_a_provider_is_asked_once_by_many_requests() -> None:
    """Requests that begin together wait for one UserSig, and all of them use it."""
    calls = 0

    async def provider() -> str:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        return TEXT

    credential = Credential.from_provider(provider)
    secrets = await asyncio.gather(*(credential.get() for _ in range(50)))
    assert (calls, len(set(secrets))) == (1, 1)


@pytest.mark.anyio
async def test_many_requests_renew_once(clock: Clock, mint: Mint) -> None:
    """When the time to renew comes while many requests begin, one UserSig is made for all."""
    credential = Credential(mint.later, renewable=True, clock=clock)
    first = await credential.get()
    clock.now += DAY
    secrets = await asyncio.gather(*(credential.get() for _ in range(50)))
    assert set(secrets) == {mint.made[1]}
    assert mint.made == [first, secrets[0]]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("returned", "kind"),
    [
        (None, "NoneType"),
        ("", "str"),
        (b"hunter2", "bytes"),
        (4711, "int"),
        (["hunter2"], "list"),
        ({"sig": "hunter2"}, "dict"),
        ("hunter2\ud800", "str"),
        ("hunter\n2", "str"),
    ],
)
@pytest.mark.parametrize("later", [False, True], ids=["sync", "async"])
async def test_a_provider_that_returns_no_user_sig_is_told_so(returned: Any, kind: str, later: bool) -> None:
    """The message names the type and not the value, which may be a credential."""

    async def provider() -> Any:
        return returned

    credential = Credential.from_provider(provider if later else lambda: returned)
    with pytest.raises(ConfigurationError) as caught:
        await credential.get()
    assert str(caught.value) == f"user_sig: the callable returned {kind}; return a non-empty str"


@pytest.mark.anyio
async def test_a_provider_that_failed_is_asked_again() -> None:
    """A failure reaches the caller, and the next request tries again."""
    returns: list[Any] = [None, TEXT]
    credential = Credential.from_provider(lambda: returns.pop(0))
    with pytest.raises(ConfigurationError):
        await credential.get()
    assert (await credential.get()).reveal() == TEXT


@pytest.mark.anyio
async def test_a_providers_own_error_is_passed_on() -> None:
    """An error of the caller's function comes out unchanged."""

    def provider() -> str:
        message = "the vault is sealed"
        raise PermissionError(message)

    with pytest.raises(PermissionError, match=r"^the vault is sealed$"):
        await Credential.from_provider(provider).get()


@pytest.mark.anyio
async def test_a_request_that_gives_up_does_not_hold_the_others_up() -> None:
    """A request that is cancelled while it waits for the provider leaves the way free for the next."""
    waiting = asyncio.Event()
    gate = asyncio.Event()

    async def provider() -> str:
        waiting.set()
        await gate.wait()
        return TEXT

    credential = Credential.from_provider(provider)
    first = asyncio.create_task(credential.get())
    await waiting.wait()
    first.cancel()
    second = asyncio.create_task(credential.get())
    gate.set()
    assert (await second).reveal() == TEXT
    assert first.cancelled()


@pytest.mark.anyio
async def test_an_unreadable_user_sig_is_kept_until_it_is_refused(clock: Clock) -> None:
    """A UserSig of another version has no known expiry: it is used until the service calls it expired."""
    made = [Secret("another version"), Secret("the next")]
    given = iter(made)
    credential = Credential(lambda: next(given), renewable=True, clock=clock)
    assert await credential.get() is made[0]
    clock.now += 1000 * DAY
    assert await credential.get() is made[0]
    assert credential.renew(made[0])
    assert await credential.get() is made[1]


@pytest.mark.anyio
async def test_requests_that_are_refused_together_renew_once(clock: Clock, mint: Mint) -> None:
    """Each of them is tried again; only the first drops the UserSig, and none its successor."""
    credential = Credential(mint, renewable=True, clock=clock)
    refused = await credential.get()
    assert [credential.renew(refused) for _ in range(3)] == [True, True, True]
    successor = await credential.get()
    assert credential.renew(refused)
    assert await credential.get() is successor
    assert mint.made == [refused, successor]


@pytest.mark.anyio
async def test_a_fixed_user_sig_cannot_be_renewed() -> None:
    """A refusal of the only UserSig is final."""
    fixed = Secret(TEXT)
    credential = Credential.from_user_sig(fixed)
    assert not credential.renew(await credential.get())
    assert await credential.get() is fixed


@pytest.mark.anyio
@pytest.mark.parametrize(
    "credential",
    [
        Credential.from_secret_key(1, "administrator", Secret(TEXT)),
        Credential.from_user_sig(Secret(TEXT)),
        Credential.from_provider(provide),
    ],
    ids=["secret_key", "user_sig", "provider"],
)
async def test_a_credential_shows_nothing(credential: Credential) -> None:
    """Neither its repr nor its attributes show key or UserSig."""
    user_sig = (await credential.get()).reveal()
    shown = repr(credential) + repr(vars(credential))
    assert TEXT not in shown
    assert user_sig not in shown
