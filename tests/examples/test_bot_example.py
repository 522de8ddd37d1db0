"""The Telegram bot: its dispatcher with updates over a session that records requests, and as a process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from example_programs import EXAMPLES, STRICT, load, skip_without, without_slowness
from http_server import Reply, Request, serve

skip_without("aiogram", remedy="dependency group examples")

from aiogram import Bot  # noqa: E402
from aiogram.client.session.base import BaseSession  # noqa: E402
from aiogram.exceptions import TelegramRetryAfter  # noqa: E402
from aiogram.methods import SendMessage, TelegramMethod  # noqa: E402
from aiogram.types import Chat, Message, Update, User  # noqa: E402

from trtc_records import CallRecordsClient, CallResult, FileCheckpoint  # noqa: E402
from trtc_records.sandbox import Faults, SandboxFixture, make_records  # noqa: E402

pytestmark = [pytest.mark.anyio, pytest.mark.trtc_sandbox(records=250)]

TOKEN = "42:TEST"
OWNER, STRANGER = 11111111, 666
bot_example = load("bot")


class NotingSession(BaseSession):
    """A session that records requests instead of sending them."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[SendMessage] = []
        self.failures: list[Callable[[TelegramMethod[Any]], Exception]] = []

    async def make_request(self, bot: Bot, method: TelegramMethod[Any], *_: Any, **__: Any) -> Any:
        assert isinstance(method, SendMessage)
        if self.failures:
            raise self.failures.pop()(method)
        self.sent.append(method)
        return Message(message_id=2, date=datetime.now(UTC), chat=Chat(id=int(method.chat_id), type="private"))

    async def close(self) -> None:
        """Close nothing."""

    async def stream_content(self, *args: Any, **kwargs: Any) -> AsyncGenerator[bytes, None]:
        raise NotImplementedError
        yield b""


async def ask(sandbox: SandboxFixture, text: str, *, user: int = OWNER, **arguments: Any) -> list[str]:
    """Send a message to the bot, and return its answer."""
    session = NotingSession()
    message = Message(
        message_id=1,
        date=datetime.now(UTC),
        chat=Chat(id=user, type="private"),
        from_user=User(id=user, is_bot=False, first_name="Someone"),
        text=text,
    )
    async with sandbox.client(**arguments) as client, Bot(TOKEN, session) as bot:
        dispatcher = bot_example.make_dispatcher({OWNER})
        await dispatcher.feed_update(bot, Update(update_id=1, message=message), client=client, zone=UTC)
    assert all(method.chat_id == user for method in session.sent)
    return [method.text for method in session.sent]


async def test_today_counts_the_calls_since_midnight(trtc_sandbox: SandboxFixture) -> None:
    """The summary is of today's calls, and fits into a message."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    calls = sum(record.start_time >= midnight for record in trtc_sandbox.records)
    (answer,) = await ask(trtc_sandbox, "/today")
    assert answer.startswith("No calls" if calls == 0 else f"{calls} call")
    assert len(answer) <= 4096


async def test_incomplete_walk_is_admitted(trtc_sandbox: SandboxFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A summary that may lack calls says so."""

    async def miss_some(_: object, *, on_incomplete: Callable[[object], None], **__: object) -> AsyncIterator[object]:
        on_incomplete("some")
        for nothing in ():
            yield nothing

    monkeypatch.setattr(CallRecordsClient, "iter_records", miss_some)
    (answer,) = await ask(trtc_sandbox, "/today")
    assert answer.endswith("Some calls may be missing; try again later.")


RECORD = make_records(1, seed=3)[0]


@pytest.mark.trtc_sandbox(records=[RECORD])
async def test_call_shows_a_call(trtc_sandbox: SandboxFixture) -> None:
    """A call is shown with who, when and how."""
    (answer,) = await ask(trtc_sandbox, f"/call {RECORD.call_id}")
    assert f"{RECORD.start_time:%Y-%m-%d %H:%M:%S}" in answer
    assert RECORD.caller in answer
    assert str(RECORD.call_result) in answer


async def test_unknown_call_is_said_to_be_unknown(trtc_sandbox: SandboxFixture) -> None:
    """For an unknown call id, the bot says that it is unknown."""
    assert await ask(trtc_sandbox, "/call nonesuch") == ["There is no such call, or it is more than 7 days old."]


async def test_call_without_an_id_asks_for_one(trtc_sandbox: SandboxFixture) -> None:
    """The command explains itself without a request to the service."""
    assert await ask(trtc_sandbox, "/call") == ["Which one? Write /call and the call's id."]
    assert trtc_sandbox.stats.requests == 0


@pytest.mark.trtc_sandbox(faults=Faults(http_502=1))
async def test_failing_service_is_admitted(trtc_sandbox: SandboxFixture) -> None:
    """When the records cannot be read the bot says so, and shows nothing of the reason."""
    (answer,) = await ask(trtc_sandbox, "/today", attempts=1)
    assert answer == "The call records cannot be read just now. Try again in a minute."


@pytest.mark.parametrize("text", ["/today", "/call nonesuch", "hello"])
async def test_strangers_get_no_answer(trtc_sandbox: SandboxFixture, text: str) -> None:
    """The bot does not answer users who are not on the list, and sends no request to the service."""
    assert await ask(trtc_sandbox, text, user=STRANGER) == []
    assert trtc_sandbox.stats.requests == 0


def test_description_is_for_people() -> None:
    """A call that nobody answered says so."""
    record = make_records(1)[0]
    assert "not answered" in bot_example.describe(
        type(record)(
            call_id="a",
            caller="147",
            callees=("147", "369"),
            media_type="Audio",
            call_type="SingleCall",
            call_result="NotAnswer",
            start_time=record.start_time,
            end_time=record.start_time + timedelta(seconds=30),
        ),
        UTC,
    )


async def post_until(sandbox: SandboxFixture, session: NotingSession, state: Path, count: int) -> None:
    """Run the poster of missed calls until it has posted so many in all."""
    async with sandbox.client() as client, Bot(TOKEN, session) as bot:
        missed = bot_example.MissedCalls(bot, str(OWNER), UTC)
        async with asyncio.timeout(60), missed.posting(client, FileCheckpoint(state)):
            while len(session.sent) < count:
                await asyncio.sleep(0.05)


def describe_missed(sandbox: SandboxFixture, since: datetime, until: datetime) -> list[str]:
    """Return the messages for the calls that nobody answered and that ended in a time, in alphabetic order."""
    return sorted(
        f"Missed call\n{bot_example.describe(record, UTC)}"
        for record in sandbox.records
        if record.call_result == CallResult.NOT_ANSWER and record.end_time and since <= record.end_time <= until
    )


@pytest.mark.slow
@pytest.mark.trtc_sandbox(records=250, live="20/s", call_seconds=(1, 4))
async def test_missed_calls_are_posted_once_across_restarts(trtc_sandbox: SandboxFixture, tmp_path: Path) -> None:
    """Each call that nobody answers is posted once, those of a pause too, and none from before the first start."""
    session = NotingSession()
    begin = datetime.now(UTC)
    for _ in range(3):
        await post_until(trtc_sandbox, session, tmp_path / "state", len(session.sent) + 3)
        await asyncio.sleep(1)
    end = datetime.now(UTC)
    await asyncio.sleep(6)
    await post_until(trtc_sandbox, session, tmp_path / "state", len(session.sent) + 1)
    texts = [method.text for method in session.sent]
    calls = describe_missed(trtc_sandbox, begin, end)
    assert [text for text in calls if texts.count(text) != calls.count(text)] == []
    assert len(calls) > 9
    assert set(texts) <= set(describe_missed(trtc_sandbox, begin - timedelta(seconds=7), datetime.now(UTC)))


@pytest.mark.trtc_sandbox(records=0, live="20/s", call_seconds=1)
async def test_message_is_sent_again_when_telegram_fails(trtc_sandbox: SandboxFixture, tmp_path: Path) -> None:
    """A message that Telegram refuses for now, or that does not reach it, is sent again."""
    session = NotingSession()
    session.failures.append(lambda method: TelegramRetryAfter(method, "too many", 0))
    await post_until(trtc_sandbox, session, tmp_path / "state", 2)
    assert session.failures == []
    assert len({method.text for method in session.sent}) == len(session.sent)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to stop a process with")
@pytest.mark.skipif(
    (3, 12) <= sys.version_info < (3, 12, 4),
    reason="CPython 3.12 before 3.12.4 crashes when a process with aiogram ends (aiogram's issue 1547)",
)
async def test_process_answers_and_is_quiet(trtc_sandbox: SandboxFixture, tmp_path: Path) -> None:
    """Against a Bot API server, every warning an error, it answers each request and stops without output."""
    updates = [UPDATE]
    sent: list[dict[str, list[str]]] = []

    async def answer(request: Request) -> Reply:
        method = request.path.partition("?")[0].rpartition("/")[2]
        result: Any = True
        if method == "getMe":
            result = {"id": 42, "is_bot": True, "first_name": "Calls", "username": "calls_bot"}
        elif method == "getUpdates":
            result = [updates.pop()] if updates else []
            if not result:
                await asyncio.sleep(1)
        elif method == "sendMessage":
            sent.append(parse_qs(request.content.decode()))
            result = {"message_id": 2, "date": 1, "chat": {"id": OWNER, "type": "private"}}
        content = json.dumps({"ok": True, "result": result}).encode()
        return Reply(content, headers={"Content-Type": "application/json"})

    async with serve(answer) as server:
        account = {"BOT_TOKEN": TOKEN, "BOT_USERS": str(OWNER), "BOT_API_SERVER": server.base_url}
        running = await asyncio.to_thread(
            subprocess.Popen,
            [*STRICT, str(EXAMPLES / "bot.py")],
            env={**os.environ, **trtc_sandbox.environment, **account},
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
        )
        with running:
            assert running.stderr is not None
            try:
                stderr = await asyncio.to_thread(read_until, running.stderr, "is handled")
                running.send_signal(signal.SIGTERM)
                stderr += (await asyncio.to_thread(running.communicate, timeout=30))[1]
            finally:
                running.kill()
    assert sent[0]["text"] == ["There is no such call, or it is more than 7 days old."]
    unexpected = [line for line in without_slowness(stderr).splitlines() if not line.startswith("INFO:aiogram.")]
    assert unexpected == ["WARNING:aiogram.dispatcher:Received SIGTERM signal"]
    assert running.returncode == 0


def read_until(lines: Iterable[str], text: str) -> str:
    """Return the lines up to the one that holds *text*."""
    read = ""
    for line in lines:
        read += line
        if text in line:
            break
    return read


UPDATE = {
    "update_id": 1,
    "message": {
        "message_id": 1,
        "date": 1,
        "chat": {"id": OWNER, "type": "private"},
        "from": {"id": OWNER, "is_bot": False, "first_name": "Someone"},
        "text": "/call nonesuch",
        "entities": [{"type": "bot_command", "offset": 0, "length": 5}],
    },
}
