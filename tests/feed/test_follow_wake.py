"""A feed that callbacks wake, over real HTTP, with callbacks that are lost, repeated, late and forged."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

pytest.importorskip("uvicorn")

import uvicorn

from trtc_records import CallRecordsClient
from trtc_records.sandbox import Sandbox, Webhooks
from trtc_records.webhooks import CallEnded, WebhookApp

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_callbacks_wake_a_feed_and_add_nothing_to_it() -> None:
    """Polling hardly ever, the feed gives each call once, soon after its callback, and no forged one."""

    async def handle(_: CallEnded) -> None:
        pass

    faults = Webhooks(loss=0.2, repetition=0.5, delay=1.0, forgery=0.5)
    with Sandbox(live=8.0, call_seconds=(0, 3), quota=None, webhooks=faults) as sandbox:
        async with CallRecordsClient(**sandbox.credentials) as client:
            app = WebhookApp(handle, client=client)
            server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, ws="none"))
            serving = asyncio.create_task(server.serve())
            while not server.started:
                await asyncio.sleep(0.02)
            port = server.servers[0].sockets[0].getsockname()[1]
            await client.set_webhook(f"http://127.0.0.1:{port}/", ["Call.CallbackAfterEndCall"], replace=True)
            taken = []
            try:
                async with asyncio.timeout(14):
                    async for record in client.follow(interval=600, wake=app):
                        taken.append(record)  # noqa: PERF401 - a time-out must leave those taken so far
            except TimeoutError:
                pass
            server.should_exit = True
            await serving
        ended = {record.call_id for record in sandbox.ended_records}
    counts = Counter(record.call_id for record in taken)
    assert len(counts) > 15
    assert set(counts.values()) == {1}
    assert counts.keys() <= ended
