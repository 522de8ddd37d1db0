"""The command itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from cli_process import COMMAND, Run

from trtc_records import __version__
from trtc_records.sandbox import Sandbox

COMMANDS: Final = Path(__file__).parents[2] / "trtc_records" / "cli" / "commands"


def test_version_is_the_package_s(run_process: Run) -> None:
    """``--version`` shows the version of the package."""
    assert run_process("--version").stdout == f"trtc-records {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["--help"], ["export", "-h"]])
def test_help_names_the_environment_variables(run: Run, arguments: list[str]) -> None:
    """Help, which no argument asks for too, says where the account comes from."""
    done = run(*arguments)
    assert done.returncode == 0
    assert "TRTC_SDK_APP_ID" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell's redirections")
def test_closed_stderr_leaves_stdout_pure(environment: dict[str, str], sandbox: Sandbox) -> None:
    """Messages for a closed stderr do not go to stdout instead."""
    shell = ["/bin/sh", "-c", '"$@" 2>&-', "sh", *COMMAND, "export"]
    done = subprocess.run(shell, env=environment, stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert len([json.loads(line) for line in done.stdout.splitlines()]) == len(sandbox.records)


def test_unknown_command_is_a_usage_error(run: Run) -> None:
    """An unknown command is named, with exit code 2."""
    done = run("import")
    assert done.returncode == 2
    assert "'import'" in done.stderr
    assert "Did you mean 'export'?" in run("exprt").stderr


@pytest.mark.parametrize("command", ["export", "summary", "sync", "follow", "get", "doctor", "usersig", "sandbox"])
def test_every_command_has_the_common_options(run: Run, command: str) -> None:
    """``--quiet``, ``--log-level`` and examples stand in every command's help, and a whole line in that of all."""
    shown = run(command, "--help").stdout
    assert f"\n  Examples:\n    trtc-records {command} " in shown
    line = next(line for line in run("--help").stdout.splitlines() if line.startswith(f"  {command} "))
    assert line.endswith(".")
    assert not line.endswith("...")
    assert "--quiet" in shown
    assert "--log-level" in shown


@pytest.mark.parametrize("command", ["show", "set", "delete", "serve"])
def test_every_command_of_the_webhook_has_the_common_options(run: Run, command: str) -> None:
    """The commands below ``webhook`` look like the others."""
    shown = run("webhook", command, "--help").stdout
    assert f"\n  Examples:\n    trtc-records webhook {command}" in shown
    line = next(line for line in run("webhook", "--help").stdout.splitlines() if line.startswith(f"  {command} "))
    assert line.endswith(".")
    assert not line.endswith("...")
    assert "--quiet" in shown
    assert "--log-level" in shown


def test_help_teaches_by_examples(run: Run) -> None:
    """Examples stand in help line by line, and so do exit codes."""
    shown = run("--help").stdout
    assert "\n    trtc-records doctor  " in shown
    assert "Exit codes: 0 success" in shown


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["--help"], {}),
        (["--version"], {}),
        (["exprt"], {}),
        ([], {"_TRTC_RECORDS_COMPLETE": "complete_bash", "COMP_WORDS": "trtc-records --ver", "COMP_CWORD": "1"}),
        ([], {"_TRTC_RECORDS_COMPLETE": "complete_bash", "COMP_WORDS": "trtc-records e", "COMP_CWORD": "1"}),
        ([], {"_TRTC_RECORDS_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "trtc-records "}),
    ],
)
def test_no_command_is_imported_unless_it_is_named(arguments: list[str], variables: dict[str, str]) -> None:
    """Help on all commands, the version, a wrong name and completion start without the library."""
    code = (
        "import sys\n"
        "from trtc_records.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print([name for name in sys.modules if name == 'httpx' or name.startswith('trtc_records.cli.commands.')])"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", sorted(path.stem for path in COMMANDS.glob("[!_]*.py")))
def test_help_says_of_a_command_what_the_command_says_of_itself(run: Run, command: str) -> None:
    """The list of commands has all of them, and repeats the first sentence of each, or its main words in order."""
    line = next(line for line in run("--help").stdout.splitlines() if line.startswith(f"  {command} "))
    sentence = iter(re.findall(r"[\w']+", run(command, "--help").stdout.split("\n\n")[1]))
    assert all(word in sentence for word in re.findall(r"[\w']+", line)[1:])


def test_unknown_log_level_is_a_usage_error(run: Run) -> None:
    """An unknown level is named, with the list of levels."""
    done = run("get", "x", "--log-level", "loud")
    assert done.returncode == 2
    assert "'loud' is not one of debug, info, warning, error" in done.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("trtc-records su", "summary"),
        ("trtc-records export --format pa", "parquet"),
        ("trtc-records export --qu", "--quiet"),
    ],
)
def test_shell_completes(run: Run, words: str, expected: str) -> None:
    """Commands, options and values are completed."""
    done = run(_TRTC_RECORDS_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(len(words.split()) - 1))
    assert expected in done.stdout.split()
