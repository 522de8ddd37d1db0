"""The command where its streams are closed, full, text only, or read by nobody, and where it runs inside a program."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_process import COMMAND, Run, clean_environment, is_short, start

from trtc_records.cli import main

posix = pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell and signals")
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
EXPORT = ("export", "--sandbox", "--quiet")


@pytest.fixture
def shell(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs the command with a shell's redirections."""

    def run_in_shell(redirection: str, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", "-c", f'"$@" {redirection}', "sh", *COMMAND, *arguments],
            env={**clean_environment(), "PYTHONUNBUFFERED": "", **changes},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run_in_shell


@posix
def test_closed_stdout_is_a_usage_error(shell: Run) -> None:
    """Records are not written to a stdout that is closed."""
    done = shell(">&-", *EXPORT, "-o", "-")
    assert done.returncode == 2
    assert "stdout is closed" in done.stderr
    assert is_short(done.stderr)


@posix
@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_names_of_stdout_are_stdout(shell: Run, tmp_path: Path, name: str) -> None:
    """An output that names stdout appends to the log behind it, and its name sets no format."""
    (tmp_path / "log").write_text("older\n")
    done = shell(">> log", *EXPORT, "-o", name)
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "log").read_text().splitlines()
    assert (lines[0], len(lines)) == ("older", 5_001)
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")
def test_other_open_file_is_added_to(shell: Run, tmp_path: Path) -> None:
    """An output that means another open file adds to it."""
    (tmp_path / "log").write_text("older\n")
    assert shell("3>> log", *EXPORT, "-o", "/dev/fd/3").returncode == 0
    assert len((tmp_path / "log").read_text().splitlines()) == 5_001


@needs_full
def test_full_stderr_does_not_fail_an_export(shell: Run, tmp_path: Path) -> None:
    """A message that cannot be printed does not fail the export."""
    assert shell("2> /dev/full", "export", "--sandbox", "-o", "calls.jsonl").returncode == 0
    assert len((tmp_path / "calls.jsonl").read_text().splitlines()) == 5_000


@needs_full
@pytest.mark.parametrize("option", ["--help", "--version"])
def test_full_stdout_is_explained(shell: Run, option: str) -> None:
    """Help that cannot be written is a line, with exit code 2."""
    done = shell("> /dev/full", option)
    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert is_short(done.stderr)


@posix
@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_that_nobody_reads_is_quiet(option: str) -> None:
    """Help ends without a message where the pipe is closed."""
    with start([option], {**clean_environment(), "PYTHONUNBUFFERED": ""}) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(30) == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_failed_file_leaves_stdout_whole(shell: Run) -> None:
    """Output on stdout is complete even if a file cannot be written afterwards."""
    done = shell("", "summary", "--sandbox", "--quiet", "--html", "/dev/full")
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        2,
        "trtc-records: cannot write /dev/full: No space left on device",
    )
    assert done.stdout.startswith("5,000 calls, ")


@pytest.mark.slow
@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_interruption_does_not_wait_for_a_reader(number: int, unbuffered: str) -> None:
    """An export whose reader has stopped reading ends all the same."""
    environment = {**clean_environment(), "PYTHONUNBUFFERED": unbuffered}
    with start([*EXPORT, "-o", "-"], environment) as process:
        assert process.stdout is not None
        os.read(process.stdout.fileno(), 1)
        time.sleep(1.0)
        process.send_signal(number)
        try:
            assert process.wait(20) == 128 + number
        finally:
            process.kill()
        assert process.stderr is not None
        assert process.stderr.read() in {"trtc-records: interrupted\n", "trtc-records: stopped by SIGTERM\n"}


def test_interruption_while_importing_is_a_line() -> None:
    """Ctrl-C before the command has begun is no traceback."""
    code = (
        "import sys\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "from trtc_records.cli import main\n"
        "sys.exit(main(['--help']))\n"
    )
    done = subprocess.run([COMMAND[0], "-P", "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "trtc-records: interrupted\n")


def test_failure_leaves_the_caller_its_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    """A program that runs the command goes on with the stdout that it had."""
    assert main(["usersig", "--print", "-o", "x"]) == 2
    assert main(["export", "--sandbox", "-q", "-o", "no/such/calls.jsonl"]) == 2
    os.write(1, b"still here")
    assert capfd.readouterr().out == "still here"


@needs_full
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_full_stdout_leaves_the_caller_its_descriptor() -> None:
    """After a stdout that cannot be written to, its descriptor leads where it did, and none is left open."""
    code = (
        "import os, sys\n"
        "from trtc_records.cli import main\n"
        "count = lambda: len(os.listdir('/proc/self/fd'))\n"
        "codes, opened = {main(['--version'])}, count()\n"
        "codes |= {main(['--version'])}\n"
        "print(codes == {2}, count() - opened, os.path.samestat(os.fstat(1), os.stat('/dev/full')), file=sys.stderr)\n"
    )
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [COMMAND[0], "-P", "-c", code],
            env={**clean_environment(), "PYTHONUNBUFFERED": ""},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "True 0 True")


@posix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL, lambda *_: None])
def test_caller_keeps_its_handlers(name: str, handler: Any) -> None:
    """A program that runs the command has its handlers of signals back."""
    number = signal.Signals[name]
    before = signal.signal(number, handler)
    try:
        assert main(["usersig"]) == 2
        assert signal.getsignal(number) == handler
    finally:
        signal.signal(number, before)


def test_text_stream_shows_a_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stdout that a program has replaced by a ``StringIO`` takes text, and no records."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    assert main(["summary", "--sandbox", "-q"]) == 0
    assert stream.getvalue().startswith("5,000 calls, ")


def test_text_stream_takes_no_records(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Records are bytes, which a ``StringIO`` does not take: a usage error, and so is a file that cannot be written."""
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert main(["export", "--sandbox", "-q", "-o", "-"]) == 2
    assert "stdout is a StringIO, which takes text only" in capsys.readouterr().err
    assert main(["export", "--sandbox", "-q", "-o", "no/such/calls.jsonl"]) == 2
