"""``trtc-records sandbox``: the service on a local port."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from trtc_records.cli._errors import CommandError, ExitCode
from trtc_records.cli._options import Log, Quiet
from trtc_records.cli._output import configure_output, note
from trtc_records.cli._source import make_sandbox

if TYPE_CHECKING:
    from trtc_records.sandbox import Sandbox

__all__ = ["sandbox"]


def sandbox(
    *,
    quiet: Quiet = False,
    log_level: Log = None,
    port: Annotated[int, typer.Option(min=0, max=65_535, metavar="N", help="The port; 0 takes a free one.")] = 0,
    records: Annotated[int, typer.Option(min=0, metavar="N", help="How many call records to make up.")] = 2_000,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed makes the same records.")] = 0,
) -> ExitCode:
    """Serve made-up call records on this machine until Ctrl-C.

    Prints the environment variables that make this command, and CallRecordsClient.from_env(), use it.
    """
    configure_output(quiet=quiet, log_level=log_level)
    service = make_sandbox(port=port, records=records, seed=seed)
    from trtc_records.sandbox import serve  # noqa: PLC0415  (the extra is there: a sandbox was made)

    try:
        serve(service, _announce)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CommandError(f"cannot listen on port {port}: {error.strerror or error}", "try another --port") from error
    return ExitCode.DONE


def _announce(service: Sandbox) -> None:
    for name, value in service.environment.items():
        print(f"export {name}={shlex.quote(value)}")
    sys.stdout.flush()
    note(f"The sandbox answers at {service.base_url} until Ctrl-C.")
