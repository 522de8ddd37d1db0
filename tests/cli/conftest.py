"""Fixtures: the sandbox, and the command against it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from cli_process import COMMAND, EXTRAS, Run, clean_environment

if TYPE_CHECKING:
    from trtc_records.sandbox import Sandbox

collect_ignore_glob = [] if EXTRAS else ["test_*_command.py"]


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """Run one service for all tests that change nothing in it."""
    from trtc_records.sandbox import Sandbox

    with Sandbox(records=450, seed=7) as service:
        yield service


@pytest.fixture
def environment(sandbox: Sandbox) -> dict[str, str]:
    """Return the process's environment with the sandbox's account, to be changed at will."""
    return {**clean_environment(), **sandbox.environment}


@pytest.fixture
def run(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Run:
    """Return a function that runs the command in an empty directory, in this process: it starts in no time."""
    from trtc_records.cli import main

    monkeypatch.chdir(tmp_path)

    def run_command(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        capfd.readouterr()
        with patch.dict(os.environ, {**environment, **changes}, clear=True):
            try:
                code = main(arguments)
            except SystemExit as ended:  # after a shell's completion
                code = int(ended.code or 0)
        return subprocess.CompletedProcess(arguments, code, *capfd.readouterr())

    return run_command


@pytest.fixture
def run_process(environment: dict[str, str], tmp_path: Path) -> Run:
    """Return a function that runs the command as a process, in an empty directory."""

    def run_command(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            env={**environment, **changes},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run_command
