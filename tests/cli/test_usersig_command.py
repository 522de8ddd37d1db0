"""``trtc-records usersig``."""

from __future__ import annotations

import shlex
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_process import COMMAND, Run, is_short

from trtc_records._api.usersig import verify_user_sig
from trtc_records.cli.commands import usersig
from trtc_records.sandbox import Sandbox


def test_user_sig_is_printed_where_that_is_asked_for(run: Run, sandbox: Sandbox) -> None:
    """``--print`` puts it on stdout, alone, and its expiry on stderr; it is good for the account."""
    done = run("usersig", "--print", "--lifetime", "2h")
    assert done.returncode == 0, done.stderr
    claims = verify_user_sig(done.stdout.strip(), sandbox.credentials["secret_key"])
    assert (claims.identifier, claims.sdk_app_id, claims.lifetime) == ("administrator", 1_400_000_000, 7_200)
    assert abs(claims.issued_at - time.time()) < 60
    assert "for administrator, expires 20" in done.stderr
    assert done.stdout.strip() not in done.stderr


def test_user_sig_opens_the_service(run: Run) -> None:
    """The service accepts the printed UserSig instead of the key."""
    user_sig = run("usersig", "--print").stdout.strip()
    assert run("export", "-o", "calls.jsonl", TRTC_SECRET_KEY="", TRTC_USER_SIG=user_sig).returncode == 0


def test_key_may_come_from_a_file(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """``TRTC_SECRET_KEY_FILE`` serves ``usersig`` and every other command, ``doctor`` too."""
    (tmp_path / "key").write_text(f"{sandbox.credentials['secret_key']}\n")
    account = {"TRTC_SECRET_KEY": "", "TRTC_SECRET_KEY_FILE": "key"}
    assert run("usersig", "-o", "sig", **account).returncode == 0
    assert "a secret key" in run("doctor", **account).stdout
    done = run("doctor", TRTC_SECRET_KEY="", TRTC_USER_SIG_FILE="sig")
    assert done.returncode == 0
    assert "a UserSig" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell")
def test_commands_of_the_help_work_as_written(environment: dict[str, str], tmp_path: Path) -> None:
    """After the example's two lines the next command signs in with the UserSig."""
    examples = [line for line, _ in usersig.EXAMPLES if not line.startswith("trtc-records")]
    assert examples
    script = "\n".join([*examples, "trtc-records export -q -o calls.jsonl"])
    command = f"{shlex.join(COMMAND)} "
    done = subprocess.run(
        ["/bin/sh", "-ec", script.replace("trtc-records ", command)],
        env=environment,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "calls.jsonl").read_text().splitlines()) == 450


def test_user_sig_goes_into_a_private_file(run: Run, tmp_path: Path) -> None:
    """``--output`` writes a file that others cannot read, and shows nothing."""
    done = run("usersig", "-o", "sig.txt", "--identifier", "someone")
    assert (done.returncode, done.stdout) == (0, "")
    user_sig = (tmp_path / "sig.txt").read_text().strip()
    assert user_sig not in done.stderr
    assert "for someone, expires" in done.stderr
    if sys.platform != "win32":
        assert stat.S_IMODE((tmp_path / "sig.txt").stat().st_mode) == 0o600


def test_every_missing_variable_has_a_line(run: Run) -> None:
    """One run names every variable to set and no other; ``--identifier`` replaces its variable."""
    unset = {"TRTC_SDK_APP_ID": "", "TRTC_IDENTIFIER": "", "TRTC_SECRET_KEY": ""}
    lines = run("usersig", "--print", **unset).stderr.splitlines()
    assert lines[:3] == [f"trtc-records: {name} is not set" for name in unset]
    lines = run("usersig", "--print", "--identifier", "someone", **unset).stderr.splitlines()
    assert lines[:2] == [f"trtc-records: {name} is not set" for name in unset if name != "TRTC_IDENTIFIER"]


@pytest.mark.parametrize(
    ("arguments", "changes", "explanation"),
    [
        ([], {}, "neither given"),
        (["--print", "-o", "sig.txt"], {}, "both given"),
        (["--print", "--lifetime", "soon"], {}, "'soon' is not a length of time: write 90m, 24h"),
        (["--print", "--lifetime", "2026-01-01"], {}, "is not a length of time"),
        (["--print", "--lifetime", "2026-01-31T00:00Z"], {}, "is not a length of time"),
        (["--print", "--lifetime", "9999w"], {}, "--lifetime is longer than 68 years"),
        (["--print", "--identifier", "\udcff"], {}, "--identifier '\\udcff' is no user id"),
        (["--print", "--identifier", ""], {}, "--identifier is empty"),
        (["--print", "--lifetime", "0s"], {}, "less than a second"),
        (["--print"], {"TRTC_SECRET_KEY": ""}, "TRTC_SECRET_KEY is not set"),
        (["--print"], {"TRTC_SDK_APP_ID": "x"}, "TRTC_SDK_APP_ID='x' cannot be used\nhint: set it to the SDKAppID"),
        (["--print"], {"TRTC_SECRET_KEY_FILE": "key"}, "TRTC_SECRET_KEY and TRTC_SECRET_KEY_FILE are set: keep one"),
        (
            ["--print"],
            {"TRTC_SECRET_KEY": "", "TRTC_SECRET_KEY_FILE": "no/key"},
            "TRTC_SECRET_KEY_FILE='no/key' cannot be read: No such file or directory\nhint: set it to the path",
        ),
        (["--print"], {"TRTC_SDK_APP_ID": "9" * 5_000}, "set it to the SDKAppID"),
        (["-o", "-"], {}, "for stdout, write --print"),
        (["-o", "/dev/stdout"], {}, "for stdout, write --print"),
        (["-o", "no/such/sig.txt"], {}, "cannot write no/such/sig.txt"),
    ],
)
def test_mistake_is_explained(run: Run, arguments: list[str], changes: dict[str, str], explanation: str) -> None:
    """A missing or wrong value is named, with exit code 2 and no UserSig."""
    done = run("usersig", *arguments, **changes)
    assert (done.returncode, done.stdout) == (2, "")
    assert explanation in done.stderr
    assert is_short(done.stderr)
