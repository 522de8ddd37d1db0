"""The command line: its subcommands and their help."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any, Final

import typer
import typer.core

from trtc_records import __version__
from trtc_records.cli._exit_codes import ExitCode
from trtc_records.cli._output import restore_output, say
from trtc_records.cli._signals import interrupt_at_signals
from trtc_records.cli._streams import fill_closed_streams

__all__ = ["run"]

_NAME: Final = "trtc-records"
_COMMANDS: Final = {
    "export": "Export call records to a file or to stdout.",
    "archive": "Keep every record in day files, each with a manifest.",
    "summary": "Summarize the calls in a time window.",
    "sync": "Add new records to a database table, each once.",
    "follow": "Write each call's record soon after the call ends.",
    "get": "Print one call record as JSON.",
    "doctor": "Check configuration, network, clock and account.",
    "usersig": "Sign a UserSig with the app's secret key.",
    "schema": "Print the columns of every export.",
    "sandbox": "Serve made-up call records on this machine until Ctrl-C.",
    "webhook": "Show, set, delete or serve the URL of callbacks.",
}
"""A line on each command. Its module has the command's name, and is imported when the command runs."""
_WITHOUT_ACCOUNT: Final = {"schema", "sandbox", "usersig"}
_ENVIRONMENT: Final = """\
The account comes from the environment: TRTC_SDK_APP_ID, TRTC_IDENTIFIER (an app administrator), TRTC_SECRET_KEY or
TRTC_USER_SIG, and TRTC_REGION (china, singapore, seoul, frankfurt, silicon-valley, jakarta, tokyo) or TRTC_BASE_URL.
TRTC_SECRET_KEY_FILE or TRTC_USER_SIG_FILE may name a file that holds the credential.
TRTC_SERVICE=legacy, like --service legacy, reads the older service of TUICallKit.call() and groupCall().
TRTC_PSEUDONYM_KEY, or the file that TRTC_PSEUDONYM_KEY_FILE names, holds the key of --pseudonymize.
TRTC_REDIS_URL names a Redis server through which processes share the quota.
"""
_EXIT_CODES: Final = """\
Exit codes: 0 success; 2 usage, configuration or output; 3 credentials; 4 records may be missing or could not be read;
5 service or network; 128 + n stopped by signal n (130 Ctrl-C, 143 SIGTERM); 141 the reader of stdout has gone.
"""
_FIRST_STEPS: Final = (
    ("trtc-records export --sandbox -o demo.jsonl", "try it without an account"),
    ("trtc-records doctor", "check account, network and clock"),
    ("trtc-records export --since 24h -o calls.parquet", "export the last day to a file"),
    ("trtc-records summary --since 7d --html report.html", "summarize a week, with charts"),
    ("trtc-records sync", "add new records to calls.duckdb; run it daily"),
    ("trtc-records follow --state calls.state", "print each call soon after it ends"),
    ("trtc-records archive calls", "keep every record in day files; run it daily"),
)


def _make_epilog(examples: Sequence[tuple[str, str]], *paragraphs: str) -> str:
    """Return the text below a command's options; a backspace keeps the lines of its paragraph."""
    width = max(len(line) for line, _ in examples)
    lines = [f"  {line:<{width}}  # {meaning}" for line, meaning in examples]
    return "\n\n".join(["\n".join(["\b", "Examples:", *lines]), *paragraphs])


class _Commands(typer.core.TyperGroup):
    """The commands, each of which is imported when it is called: to list and complete names, stand-ins are enough."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, _, rest = super().resolve_command(ctx, args)
        return name, None if name is None else _load(name), rest


_app: Final = typer.Typer(
    name=_NAME,
    cls=_Commands,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog=_make_epilog(_FIRST_STEPS, _ENVIRONMENT, _EXIT_CODES),
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, _line in _COMMANDS.items():
    _app.command(_name, short_help=_line)(lambda: None)


def run(argv: Sequence[str]) -> int:
    """Run the command line *argv* and return the exit code."""
    with fill_closed_streams(), restore_output(), interrupt_at_signals() as get_signal:
        code = _call(list(argv) or ["--help"])
        if code != ExitCode.INTERRUPTED:
            return code
        number = get_signal() or signal.SIGINT
        say("interrupted" if number == signal.SIGINT else f"stopped by {signal.Signals(number).name}")
        return 128 + number


def _report(error: Exception) -> ExitCode:
    from trtc_records.cli._errors import report  # noqa: PLC0415  (it imports the library)

    return report(error)


def _call(arguments: list[str]) -> int:
    """Pass *arguments* to Typer and return the exit code."""
    streams = sys.stdout, sys.stderr
    try:
        code: int | None = _app(arguments, prog_name=_NAME, standalone_mode=False)
    except typer.TyperException as error:  # the arguments
        say(error.format_message(), f"{_NAME} --help")
        return ExitCode.USAGE
    except OSError as error:  # help or the version cannot be written; errors of commands are handled
        return _report(error)
    except SystemExit as error:  # Typer's way to end after a completion, and where help's reader has gone
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        sys.stdout, sys.stderr = streams  # without Typer's wrappers
        return _report(error.__context__)
    return code or ExitCode.DONE


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"{_NAME} {__version__}", flush=True)
        raise typer.Exit


@_app.callback()
def _main(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Export, summarize and look up the call records of a Tencent RTC app (TUICallKit)."""


def _load(name: str) -> Any:
    """Import a command's module and return what Typer makes of it."""
    module = import_module(f"trtc_records.cli.commands.{name}")
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    if name == "webhook":
        app.info.help, app.info.epilog = _COMMANDS[name], _make_epilog(module.EXAMPLES, _ENVIRONMENT)
        _register(app, module.show, module.SHOW_EXAMPLES, short_help="Print the URL and its events.")
        _register(app, module.set_url, module.SET_EXAMPLES, name="set")
        _register(app, module.delete, module.DELETE_EXAMPLES)
        _register(app, module.serve, module.SERVE_EXAMPLES, short_help="Receive callbacks, and write the records.")
    else:
        _register(app, getattr(module, name), module.EXAMPLES, environment=name not in _WITHOUT_ACCOUNT)
    return typer.main.get_command(app)


def _register(
    app: typer.Typer,
    command: Callable[..., ExitCode],
    examples: Sequence[tuple[str, str]],
    *,
    name: str | None = None,
    environment: bool = True,
    short_help: str | None = None,
) -> None:
    from trtc_records.cli._errors import guard  # noqa: PLC0415  (it imports the library)

    epilog = _make_epilog(examples, *([_ENVIRONMENT] if environment else []))
    app.command(name, epilog=epilog, short_help=short_help)(guard(command))
