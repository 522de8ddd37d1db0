"""The client's three calls for the webhook of an app, over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
from http_server import Request, serve
from records import envelope

from trtc_records import (
    APIError,
    CallRecordsClient,
    ConfigurationError,
    InvalidRequestError,
    ResponseDecodeError,
    ServerError,
    Webhook,
    WebhookEvent,
)

pytestmark = pytest.mark.anyio

MakeClient = Callable[..., CallRecordsClient]

URL = "https://example.com/hooks/8J2kq"
EVENTS = ["Call.CallbackAfterEndCall"]


@attrs.define
class Configuration:
    """The service's side of the three calls."""

    stored: Any = None
    beside: bool = False
    """Whether the fields stand beside ``Response``, not in it."""
    failures: list[int] = attrs.field(factory=list)
    calls: list[tuple[str, Any]] = attrs.field(factory=list)

    async def answer(self, request: Request) -> dict[str, Any]:
        command = request.path.removeprefix("/v4/call_config/")
        self.calls.append((command, request.body))
        if self.failures:
            return envelope(code=self.failures.pop(0), info="Url")
        if command == "set_callback":
            self.stored = request.body
        elif self.stored is None:
            return envelope(code=100301, info="no callback")
        elif command == "delete_callback":
            self.stored = None
        else:
            assert command == "get_callback"
            return envelope() | self.stored if self.beside else envelope(self.stored)
        return envelope()


@asynccontextmanager
async def configured(
    make_client: MakeClient, stored: Any = None, **arguments: Any
) -> AsyncIterator[tuple[CallRecordsClient, Configuration]]:
    """Yield a client, and the configuration that its service keeps."""
    configuration = Configuration(stored)
    async with serve(configuration.answer) as server, make_client(base_url=server.base_url, **arguments) as client:
        yield client, configuration


async def test_an_app_without_a_webhook_has_none(make_client: MakeClient) -> None:
    """Tencent's 100301 is no error of a question, and the body of the request is never empty."""
    async with configured(make_client) as (client, configuration):
        assert await client.get_webhook() is None
        assert configuration.calls == [("get_callback", {})]


@pytest.mark.parametrize("beside", [False, True])
async def test_a_webhook_is_read(make_client: MakeClient, beside: bool) -> None:
    """URL and events are read wherever they stand; an unknown event stays a text."""
    stored = {"Url": URL, "CallbackCommandList": ["Call.CallbackAfterEndCall", "Call.New"]}
    async with configured(make_client, stored) as (client, configuration):
        configuration.beside = beside
        webhook = await client.get_webhook()
    assert webhook == Webhook(url=URL, events=(WebhookEvent.CALL_ENDED, "Call.New"))
    assert webhook is not None
    assert isinstance(webhook.events[0], WebhookEvent)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ({"Url": URL}, Webhook(url=URL)),
        ({"Url": URL, "CallbackCommandList": None}, Webhook(url=URL)),
        ({"Url": "", "CallbackCommandList": []}, None),
        ({"Url": None}, None),
        ({}, None),
    ],
)
async def test_a_webhook_may_lack_its_fields(make_client: MakeClient, stored: Any, expected: object) -> None:
    """Without a URL there is no webhook, and a list of events may be absent."""
    async with configured(make_client, stored) as (client, _):
        assert await client.get_webhook() == expected


@pytest.mark.parametrize(
    ("stored", "path"),
    [
        ({"Url": 7}, "$.Response.Url"),
        ({"Url": URL, "CallbackCommandList": "x"}, "$.Response.CallbackCommandList"),
        ({"Url": URL, "CallbackCommandList": [1]}, "$.Response.CallbackCommandList"),
    ],
)
async def test_a_webhook_that_breaks_the_contract_names_the_place(
    make_client: MakeClient, stored: Any, path: str
) -> None:
    """A wrong type is a ResponseDecodeError with its path."""
    async with configured(make_client, stored) as (client, _):
        with pytest.raises(ResponseDecodeError) as caught:
            await client.get_webhook()
    assert caught.value.path == path


async def test_a_webhook_is_set(make_client: MakeClient) -> None:
    """The URL and each event once go into the body, after a look at the present URL."""
    async with configured(make_client) as (client, configuration):
        await client.set_webhook(URL, [WebhookEvent.CALL_ENDED, "Call.CallbackAfterEndCall", "Call.New"])
        assert configuration.calls == [
            ("get_callback", {}),
            ("set_callback", {"Url": URL, "CallbackCommandList": ["Call.CallbackAfterEndCall", "Call.New"]}),
        ]


async def test_another_url_is_refused(make_client: MakeClient) -> None:
    """A webhook with another URL stays, and the message repeats no URL, whose path may be a secret."""
    stored = {"Url": "https://other.example/hooks/s3cret", "CallbackCommandList": EVENTS}
    async with configured(make_client, stored) as (client, configuration):
        with pytest.raises(ConfigurationError, match="replace=True") as caught:
            await client.set_webhook(URL, EVENTS)
        assert configuration.stored == stored
    assert "s3cret" not in str(caught.value)


async def test_another_url_is_replaced_on_demand(make_client: MakeClient) -> None:
    """With replace=True the URL is set without a look."""
    async with configured(make_client, {"Url": "https://other.example/"}) as (client, configuration):
        await client.set_webhook(URL, EVENTS, replace=True)
        assert [command for command, _ in configuration.calls] == ["set_callback"]
        assert configuration.stored["Url"] == URL


async def test_the_events_of_the_same_url_may_change(make_client: MakeClient) -> None:
    """The same URL is no replacement."""
    async with configured(make_client, {"Url": URL, "CallbackCommandList": EVENTS}) as (client, configuration):
        await client.set_webhook(URL, list(WebhookEvent))
        assert configuration.stored["CallbackCommandList"] == [str(event) for event in WebhookEvent]


async def test_a_webhook_is_deleted_however_often(make_client: MakeClient) -> None:
    """To delete a webhook that is not there is no error."""
    async with configured(make_client, {"Url": URL}) as (client, configuration):
        await client.delete_webhook()
        await client.delete_webhook()
        assert configuration.calls == [("delete_callback", {})] * 2
        assert configuration.stored is None


@pytest.mark.parametrize("url", ["http://example.com:8080/hook", "https://[::1]/x?y=1", "https://例え.example/"])
async def test_a_url_may_have_either_scheme(make_client: MakeClient, url: str) -> None:
    """Tencent documents no limit, and a receiver under test has no certificate."""
    async with configured(make_client) as (client, configuration):
        await client.set_webhook(url, EVENTS)
        assert configuration.stored["Url"] == url


@pytest.mark.parametrize(
    ("url", "events", "words"),
    [
        ("", EVENTS, "url"),
        (None, EVENTS, "url"),
        ("example.com/hook", EVENTS, "url"),
        ("ftp://example.com/", EVENTS, "url"),
        ("https://", EVENTS, "url"),
        ("https://[x/", EVENTS, "url"),
        ("https://example.com:port/", EVENTS, "url"),
        ("https://example.com/a b", EVENTS, "url"),
        (URL, [], "delete_webhook"),
        (URL, "Call.CallbackAfterEndCall", "list of WebhookEvent"),
        (URL, [""], "Call.CallbackAfterEndCall"),
        (URL, [7], "Call.CallbackAfterEndCall"),
        (URL, None, "list of WebhookEvent"),
    ],
)
async def test_an_argument_that_cannot_be_used_is_refused(
    make_client: MakeClient, url: Any, events: Any, words: str
) -> None:
    """Nothing is sent, and the message names the argument or the remedy."""
    async with configured(make_client) as (client, configuration):
        with pytest.raises(ConfigurationError, match=words):
            await client.set_webhook(url, events)
        assert configuration.calls == []


@pytest.mark.usefixtures("quick_back_off")
async def test_an_internal_error_is_retried(make_client: MakeClient) -> None:
    """100001 may pass."""
    async with configured(make_client, attempts=3) as (client, configuration):
        configuration.failures = [100001, 100001]
        assert await client.get_webhook() is None
        configuration.failures = [100001] * 3
        with pytest.raises(ServerError):
            await client.delete_webhook()


@pytest.mark.parametrize(("code", "error"), [(100002, InvalidRequestError), (70009, APIError)])
async def test_an_error_is_raised(make_client: MakeClient, code: int, error: type[APIError]) -> None:
    """Other codes are the errors of the table, whichever call gets them."""
    async with configured(make_client) as (client, configuration):
        for use in (
            client.get_webhook(),
            client.set_webhook(URL, EVENTS, replace=True),
            client.delete_webhook(),
        ):
            configuration.failures = [code]
            with pytest.raises(error) as caught:
                await use
            assert caught.value.code == code
