"""A Telegram bot that posts an app's missed calls and answers questions: aiogram 3, one client for the whole process.

::

    pip install . aiogram tzdata  # in a clone of trtc-records; tzdata: time zones, where the system has none
    export TRTC_SDK_APP_ID=… TRTC_IDENTIFIER=… TRTC_SECRET_KEY=… TRTC_REGION=…
    export BOT_TOKEN=… BOT_USERS=11111111,22222222 BOT_ZONE=Europe/Berlin
    python bot.py

It posts each call that nobody answered, seconds after it ended, to the chat ``BOT_CHAT``, by default to the first of
``BOT_USERS``. The file ``BOT_STATE`` (``missed_calls.state``) keeps its place: after a restart it posts what it missed.

``/today`` sums up the calls since midnight, ``/call 04c9a0ac-…`` shows one. Who called whom is nobody else's business:
the bot answers the Telegram users in ``BOT_USERS``, and is silent to all others.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing, asynccontextmanager
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

from aiogram import Bot, Dispatcher, F, Router
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import PRODUCTION, TelegramAPIServer
from aiogram.exceptions import TelegramNetworkError, TelegramRetryAfter, TelegramServerError
from aiogram.filters import Command, CommandObject, ExceptionTypeFilter
from aiogram.types import ErrorEvent, Message
from aiogram.utils.formatting import Pre

from trtc_records import (
    CallRecord,
    CallRecordNotFoundError,
    CallRecordsClient,
    CallRecordsError,
    CallResult,
    Checkpoint,
    FileCheckpoint,
    IncompleteWalk,
)
from trtc_records.summary import Summary, show_length

log = logging.getLogger("bot")


class MissedCalls:
    """The missed calls, posted to a chat as they happen."""

    def __init__(self, bot: Bot, chat: str, zone: tzinfo) -> None:
        self._bot = bot
        self._chat = chat
        self._zone = zone
        self._sending = asyncio.Lock()

    @asynccontextmanager
    async def posting(self, client: CallRecordsClient, checkpoint: Checkpoint) -> AsyncIterator[None]:
        """Post the missed calls meanwhile; an error of it ends the caller's work too."""
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(self._post_all(client, checkpoint))
            yield
            async with self._sending:  # a message that is being sent is not sent again after the next start
                task.cancel()

    async def _post_all(self, client: CallRecordsClient, checkpoint: Checkpoint) -> None:
        calls = client.follow(
            call_result=CallResult.NOT_ANSWER,
            checkpoint=checkpoint,
            on_invalid=lambda _, error: log.error("a call cannot be read: %s", error),
        )
        async with aclosing(calls):
            async for record in calls:  # asking for the next call says that this one was posted
                await self._post(f"Missed call\n{describe(record, self._zone)}")

    async def _post(self, text: str) -> None:
        """Post a message, however long Telegram is away."""
        while True:
            try:
                async with self._sending:
                    await self._bot.send_message(self._chat, **Pre(text).as_kwargs())
            except TelegramRetryAfter as error:
                await asyncio.sleep(error.retry_after)
            except (TelegramNetworkError, TelegramServerError) as error:
                log.warning("%s", error)
                await asyncio.sleep(5)
            else:
                return


async def show_today(message: Message, client: CallRecordsClient, zone: tzinfo) -> None:
    """Sum up the calls since midnight."""
    midnight = datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    summary = Summary(zone=zone, top=5)
    missed: list[IncompleteWalk] = []
    async for record in client.iter_records(start_time=midnight, on_incomplete=missed.append):
        summary.add(record)
    note = "\nSome calls may be missing; try again later." if missed else ""
    await message.answer(**Pre(summary.to_text(width=40) + note).as_kwargs())


async def show_call(message: Message, command: CommandObject, client: CallRecordsClient, zone: tzinfo) -> None:
    """Show one call."""
    if not command.args:
        await message.answer("Which one? Write /call and the call's id.")
        return
    record = await client.get_record(command.args.strip())
    await message.answer(**Pre(describe(record, zone)).as_kwargs())


def describe(record: CallRecord, zone: tzinfo) -> str:
    """Return a description of a call."""
    others = ", ".join(user for user in record.callees if user != record.caller)
    length = f"{show_length(record.talk_time)} of talk" if record.answered else "not answered"
    return (
        f"{record.start_time.astimezone(zone):%Y-%m-%d %H:%M:%S}\n"
        f"{record.caller} → {others}\n"
        f"{record.media_type}, {record.call_type}, {record.call_result}\n"
        f"rang for {show_length(record.ring_time)}, {length}"
    )


async def say_not_found(_: ErrorEvent, message: Message) -> None:
    """Say that there is no such call."""
    await message.answer("There is no such call, or it is more than 7 days old.")


async def say_failed(event: ErrorEvent, message: Message) -> None:
    """Say that the call records could not be read, after the client's own retries."""
    log.warning("%s", event.exception)
    await message.answer("The call records cannot be read just now. Try again in a minute.")


def make_dispatcher(users: Collection[int]) -> Dispatcher:
    """Return a dispatcher that passes the messages of these Telegram users to the functions above."""
    router = Router()
    router.message.filter(F.from_user.id.in_(users))
    router.message.register(show_today, Command("today"))
    router.message.register(show_call, Command("call"))
    message = F.update.message.as_("message")
    router.errors.register(say_not_found, ExceptionTypeFilter(CallRecordNotFoundError), message)
    router.errors.register(say_failed, ExceptionTypeFilter(CallRecordsError), message)
    dispatcher = Dispatcher()
    dispatcher.include_router(router)
    return dispatcher


async def main() -> None:
    """Post and answer until Ctrl-C."""
    logging.basicConfig(level=logging.INFO)
    logging.captureWarnings(capture=True)  # a wrong clock is said by a warning
    users = [int(user) for user in os.environ["BOT_USERS"].split(",")]
    chat = os.environ.get("BOT_CHAT", str(users[0]))
    checkpoint = FileCheckpoint(os.environ.get("BOT_STATE", "missed_calls.state"))
    zone = ZoneInfo(os.environ.get("BOT_ZONE", "UTC"))
    server = os.environ.get("BOT_API_SERVER")  # for those who run a Bot API server of their own
    session = AiohttpSession(api=TelegramAPIServer.from_base(server) if server else PRODUCTION)
    async with (
        CallRecordsClient.from_env() as client,
        Bot(os.environ["BOT_TOKEN"], session) as bot,
        MissedCalls(bot, chat, zone).posting(client, checkpoint),
    ):
        await make_dispatcher(users).start_polling(bot, close_bot_session=False, client=client, zone=zone)


if __name__ == "__main__":
    asyncio.run(main())
