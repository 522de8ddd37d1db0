"""``trtc-records webhook``: the URL of Tencent's callbacks, and a receiver for it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Final

import typer

from trtc_records import CallRecord, CallRecordsClient, ConfigurationError, Webhook, WebhookEvent
from trtc_records.cli._errors import CommandError
from trtc_records.cli._exit_codes import ExitCode
from trtc_records.cli._lines import Ending, Lines, open_lines, pour
from trtc_records.cli._options import Log, Quiet
from trtc_records.cli._output import configure_output, fit_encoding, flatten, note, say
from trtc_records.cli._signals import Stop, stop_at_signals
from trtc_records.cli._status import Status, show_log
from trtc_records.cli._streams import STDOUT

__all__ = [
    "DELETE_EXAMPLES",
    "EXAMPLES",
    "SERVE_EXAMPLES",
    "SET_EXAMPLES",
    "SHOW_EXAMPLES",
    "delete",
    "serve",
    "set_url",
    "show",
]

SHOW_EXAMPLES: Final = (
    ("trtc-records webhook show", "URL and events"),
    ("trtc-records webhook show --json | jq -r .url", "the URL alone"),
)
SET_EXAMPLES: Final = (
    ("trtc-records webhook set https://example.com/callbacks/vT3kq0Zr8d", "calls that ended"),
    ("trtc-records webhook set https://example.com/c --event call-ended --event call-started", "two events"),
    ("trtc-records webhook set https://example.com/new --replace", "in place of another URL"),
)
DELETE_EXAMPLES: Final = (("trtc-records webhook delete", "no more callbacks"),)
SERVE_EXAMPLES: Final = (
    ("trtc-records webhook serve -o calls.jsonl", "on port 8080, behind a proxy with TLS"),
    ("trtc-records webhook serve --port 9000 | jq .caller", "another port, into a pipe"),
)
EXAMPLES: Final = (SHOW_EXAMPLES[0], SET_EXAMPLES[0], DELETE_EXAMPLES[0], SERVE_EXAMPLES[0])


def _read_event(text: str) -> WebhookEvent:
    plain = text.replace("-", "").replace("_", "").lower()
    for event in WebhookEvent:
        if plain in {event.name.replace("_", "").lower(), event.lower()}:
            return event
    raise typer.BadParameter(f"'{text}' is not one of {', '.join(map(_name, WebhookEvent))}")


def _name(event: WebhookEvent) -> str:
    return event.name.lower().replace("_", "-")


def show(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    quiet: Quiet = False,
    log_level: Log = None,
) -> ExitCode:
    """Print the URL to which Tencent posts callbacks, and their events.

    Without a URL it ends with exit code 5; --json then prints null.
    """
    configure_output(quiet=quiet, log_level=log_level)
    webhook = asyncio.run(_get())
    if as_json:
        print(json.dumps(webhook and {"url": webhook.url, "events": list(webhook.events)}, indent=2))
    elif webhook is not None:
        for line in (webhook.url, *(f"  {event}" for event in webhook.events)):
            print(fit_encoding(flatten(line)))
    if webhook is None:
        say("the app has no URL for callbacks", "trtc-records webhook set URL")
        return ExitCode.SERVICE
    return ExitCode.DONE


async def _get() -> Webhook | None:
    async with CallRecordsClient.from_env() as client:
        return await client.get_webhook()


def set_url(
    url: Annotated[str, typer.Argument(metavar="URL", help="The URL, https:// or http://.", show_default=False)],
    *,
    event: Annotated[
        list[WebhookEvent] | None,
        typer.Option(
            parser=_read_event,
            metavar="EVENT",
            help=f"Event to post, {', '.join(map(_name, WebhookEvent))}, or Tencent's name of it. May be repeated.",
            show_default="call-ended",
            autocompletion=lambda: [*map(_name, WebhookEvent)],
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace another URL, whose receiver then gets no callbacks any more.")
    ] = False,
    quiet: Quiet = False,
    log_level: Log = None,
) -> ExitCode:
    """Have Tencent post callbacks to a URL.

    An app has one URL. Callbacks are not signed, so make its path hard to guess.
    """
    configure_output(quiet=quiet, log_level=log_level)
    events = event or [WebhookEvent.CALL_ENDED]
    asyncio.run(_set(url, events, replace=replace))
    note(f"Tencent posts callbacks of {', '.join(map(_name, dict.fromkeys(events)))} to this URL.")
    return ExitCode.DONE


async def _set(url: str, events: list[WebhookEvent], *, replace: bool) -> None:
    async with CallRecordsClient.from_env() as client:
        try:
            await client.set_webhook(url, events, replace=replace)
        except ConfigurationError as error:
            if not str(error).startswith("url"):
                raise
            if "replace=True" not in str(error):
                raise CommandError(str(error).replace("url", "URL", 1)) from error
            raise CommandError(
                "the app has another URL, and can have only one",
                "trtc-records webhook show prints it; --replace replaces it",
            ) from error


def delete(*, quiet: Quiet = False, log_level: Log = None) -> ExitCode:
    """Have Tencent post no callbacks any more."""
    configure_output(quiet=quiet, log_level=log_level)
    asyncio.run(_delete())
    note("Tencent posts no callbacks any more.")
    return ExitCode.DONE


async def _delete() -> None:
    async with CallRecordsClient.from_env() as client:
        await client.delete_webhook()


def serve(
    *,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen on; by default this machine only.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, metavar="N", help="Port; 0 takes a free one.")] = 8080,
    no_verify: Annotated[
        bool,
        typer.Option("--no-verify", help="Write the records that callbacks bring, at once: anybody can forge them."),
    ] = False,
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="FILE", help="File to append JSON Lines to, each flushed at once; - is stdout."
        ),
    ] = STDOUT,
    quiet: Quiet = False,
    log_level: Log = None,
) -> ExitCode:
    """Receive callbacks, and write the record of each call that ended, until Ctrl-C or SIGTERM.

    It serves plain HTTP, any path. Each record is looked up 5 s after the callback, so that a forged one brings nothing
    untrue. Callbacks may be lost: trtc-records follow gives every call.
    """
    configure_output(quiet=quiet, log_level=log_level)
    from trtc_records.cli._receiver import listen  # noqa: PLC0415  (few runs need it, and it takes time to import)

    with stop_at_signals() as stop, open_lines(output) as lines:
        try:
            listener = listen(host, port)
        except OSError as error:
            raise CommandError(
                f"cannot listen on {host} port {port}: {error.strerror or error}", "try another --port, or --host"
            ) from error
        with listener, show_log(), asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            ending = runner.run(_receive(listener, lines, stop, verify=not no_verify))
    ending.check()
    return ExitCode.DONE


async def _receive(listener: socket.socket, lines: Lines, stop: Stop, *, verify: bool) -> Ending:
    from trtc_records.cli._receiver import serving  # noqa: PLC0415  (as above)
    from trtc_records.webhooks import CallEnded, WebhookApp  # noqa: PLC0415  (as above)

    ended: asyncio.Queue[CallRecord] = asyncio.Queue(1)  # the app has a queue of its own

    async def handle(event: object) -> None:
        if isinstance(event, CallEnded):
            await ended.put(event.record)

    async def read() -> AsyncGenerator[CallRecord, None]:
        while True:
            yield await ended.get()

    address, port = listener.getsockname()[:2]
    shown, status = f"[{address}]" if ":" in address else address, Status()
    async with (
        CallRecordsClient.from_env() as client,
        WebhookApp(handle, client=client, verify=verify) as app,
        serving(app, listener),
        aclosing(read()) as records,
    ):
        note(f"The receiver answers at http://{shown}:{port} until Ctrl-C.")
        with status.show():
            return await pour(records, lines, stop, status=status)
