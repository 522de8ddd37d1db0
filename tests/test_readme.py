"""The README's statements are true."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from trtc_records.sandbox import Sandbox

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the README's code blocks in *language*."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_first_example_prints_records() -> None:
    """The program in the first screen runs as it stands, and prints a line per record."""
    with Sandbox(records=300) as sandbox:
        done = subprocess.run(
            [sys.executable, "-P", "-W", "error", "-c", blocks("python")[0]],
            env={**os.environ, **sandbox.environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) > 5


@pytest.mark.parametrize("example", blocks("python"))
def test_every_example_is_python(example: str) -> None:
    """Every example compiles."""
    compile(example, "README.md", "exec")


def test_ci_runs_the_test_command() -> None:
    """CI runs the README's test command, word for word."""
    (command,) = [block.strip() for block in blocks("sh") if "nox -s tests" in block]
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
