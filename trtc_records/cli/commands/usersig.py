"""``trtc-records usersig``: sign a UserSig with the secret key."""

from __future__ import annotations

import os
import stat
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from trtc_records import ConfigurationError, generate_user_sig
from trtc_records._environment import read_environment
from trtc_records.cli._errors import CommandError, explain_writing
from trtc_records.cli._exit_codes import ExitCode
from trtc_records.cli._options import Log, Quiet, read_length
from trtc_records.cli._output import configure_output, flatten, note
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
_LONGEST: Final = 2**31 - 1  # seconds


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
    TRTC_SDK_APP_ID, TRTC_IDENTIFIER and TRTC_SECRET_KEY (or TRTC_SECRET_KEY_FILE), and no network.
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
    if seconds > _LONGEST:
        raise CommandError("--lifetime is longer than 68 years", "write 24h")
    if identifier is not None and not identifier.strip():
        raise CommandError("--identifier is empty", "name the user to sign for")
    if identifier is not None and not identifier.isprintable():
        raise CommandError(f"--identifier {identifier!r} is no user id", "name the user to sign for")
    needed = [("sdk_app_id",), ("identifier",), ("secret_key",)]
    account = read_environment(os.environ, () if identifier is None else ("identifier",), needed)
    if isinstance(account, str):
        raise ConfigurationError(account)
    who = identifier or account["identifier"]
    issued_at = int(datetime.now(UTC).timestamp())
    user_sig = generate_user_sig(
        account["sdk_app_id"], who, account["secret_key"].reveal(), lifetime=seconds, issued_at=issued_at
    )
    if output is None:
        print(user_sig)
        sys.stdout.flush()
    else:
        _write(output, user_sig)
    note(f"trtc-records: for {flatten(who)}, expires {show_time(datetime.fromtimestamp(issued_at + seconds, UTC))}")
    return ExitCode.DONE


def _write(path: Path, user_sig: str) -> None:
    with explain_writing(path), replace_file(path) as file:
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # and no pipe or device, which is as it is
            Path(file.name).chmod(_PRIVATE)
        file.write(f"{user_sig}\n".encode())
