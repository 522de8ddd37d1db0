"""``trtc-records usersig``: sign a UserSig with the secret key."""

from __future__ import annotations

import os
import stat
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from trtc_records import generate_user_sig
from trtc_records._environment import read_sdk_app_id
from trtc_records.cli._errors import CommandError, ExitCode, explain_writing
from trtc_records.cli._options import Log, Quiet, read_length
from trtc_records.cli._output import configure_output, flatten, note, say
from trtc_records.cli._streams import is_stdout
from trtc_records.cli._times import show_time
from trtc_records.export import replace_file

__all__ = ["EXAMPLES", "usersig"]

EXAMPLES: Final = (
    ("trtc-records usersig -o usersig.txt", "a file that only you can read"),
    ("export TRTC_USER_SIG=$(trtc-records usersig --print --lifetime 1h)", "use it instead of the key:"),
    ("unset TRTC_SECRET_KEY", "only one of the two may be set"),
)

_PRIVATE: Final = 0o600


def usersig(
    *,
    to_stdout: Annotated[bool, typer.Option("--print", help="Print the UserSig on stdout.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the UserSig to a file that only you can read."),
    ] = None,
    identifier: Annotated[
        str | None,
        typer.Option(metavar="USER_ID", help="User to sign for; by default TRTC_IDENTIFIER.", show_default=False),
    ] = None,
    lifetime: Annotated[
        timedelta,
        typer.Option(
            parser=read_length, metavar="LENGTH", help="Time until the UserSig expires; Tencent advises 24h or more."
        ),
    ] = "24h",  # type: ignore[assignment]  # read by the parser
    quiet: Quiet = False,
    log_level: Log = None,
) -> ExitCode:
    """Sign a UserSig with the app's secret key.

    Until it expires, its holder has the user's rights in the app: it is shown only where you ask for it. Needs
    TRTC_SDK_APP_ID, TRTC_IDENTIFIER and TRTC_SECRET_KEY, and no network.
    """
    configure_output(quiet=quiet, log_level=log_level)
    if to_stdout == (output is not None):
        given = "both" if to_stdout else "neither"
        raise CommandError(f"--print and --output: {given} given", "choose where the UserSig may be shown")
    if output is not None and is_stdout(str(output)):
        raise CommandError(f"--output {output} is not a file", "for stdout, write --print")
    seconds = int(lifetime.total_seconds())
    if seconds < 1:
        raise CommandError("--lifetime is less than a second", "write 24h")
    if identifier is not None and not identifier.strip():
        raise CommandError("--identifier is empty", "name the user to sign for")
    _check_variables("TRTC_SDK_APP_ID", *(["TRTC_IDENTIFIER"] if identifier is None else []), "TRTC_SECRET_KEY")
    issued_at = int(datetime.now(UTC).timestamp())
    who = os.environ["TRTC_IDENTIFIER"] if identifier is None else identifier
    app = read_sdk_app_id(os.environ["TRTC_SDK_APP_ID"])
    user_sig = generate_user_sig(app, who, os.environ["TRTC_SECRET_KEY"], lifetime=seconds, issued_at=issued_at)
    if output is None:
        print(user_sig)
        sys.stdout.flush()
    else:
        _write(output, user_sig)
    note(f"trtc-records: for {flatten(who)}, expires {show_time(datetime.fromtimestamp(issued_at + seconds, UTC))}")
    return ExitCode.DONE


def _check_variables(*names: str) -> None:
    missing = [f"{name} is not set" for name in names if not os.environ.get(name)]
    for problem in missing[:-1]:
        say(problem)
    if missing:
        raise CommandError(missing[-1], "set it; the secret key is in Tencent's console")


def _write(path: Path, user_sig: str) -> None:
    with explain_writing(path), replace_file(path) as file:
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # and no pipe or device, which is as it is
            Path(file.name).chmod(_PRIVATE)
        file.write(f"{user_sig}\n".encode())
