"""Rows of the documentation's table of faults that no other test proves."""

from __future__ import annotations

import re
import time

import pytest
from cli_process import EXTRAS
from conftest import MakeClient
from http_server import Reply, Request, serve
from records import envelope, raw_record

from trtc_records import TransportError


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_429_slows_the_client_down_as_a_refused_quota_does(make_client: MakeClient) -> None:
    """The gateway's refusal pauses everything for the quota's window, and then the request succeeds."""
    answered_at: list[float] = []

    async def handle(request: Request) -> Reply | dict[str, object]:
        answered_at.append(time.monotonic())
        return Reply(status=429) if len(answered_at) == 1 else envelope({"CallRecord": raw_record(1)})

    async with serve(handle) as server, make_client(base_url=server.base_url, limiter=None, attempts=2) as client:
        assert (await client.get_record("call-000001")).call_id == "call-000001"
    refused, accepted = answered_at
    assert accepted - refused >= 0.95


@pytest.mark.anyio
@pytest.mark.usefixtures("quick_back_off")
async def test_a_429_that_stays_is_a_transport_error(make_client: MakeClient) -> None:
    """A 429 that stays is a TransportError with the status."""

    async def handle(request: Request) -> Reply:
        return Reply(status=429)

    async with serve(handle) as server, make_client(base_url=server.base_url, attempts=2) as client:
        with pytest.raises(TransportError, match="429") as caught:
            await client.get_page()
    assert caught.value.status_code == 429
    assert len(server.requests) == 2


@pytest.mark.skipif(not EXTRAS, reason="needs the extra cli")
def test_no_option_takes_the_account(capsys: pytest.CaptureFixture[str]) -> None:
    """Key and UserSig come from the environment only: other users can read a command line."""
    from trtc_records.cli import main

    def help_of(*command: str) -> str:
        assert main([*command, "--help"]) == 0
        return capsys.readouterr().out

    names = re.findall(r"^  (\w+)  ", help_of().partition("Commands:")[2], re.MULTILINE)
    assert {"export", "get", "sandbox"} <= set(names)
    for name in names:
        options = re.findall(r"^ .*?(--[\w-]+)", help_of(name), re.MULTILINE)
        assert "--help" in options
        assert [option for option in options if re.search("key|secret|user-?sig|password", option)] == []
