"""The command without its extras; runs with and without them installed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from cli_process import EXTRAS


def run_without(module: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command as if *module* were not installed, with *variables* in the environment."""
    code = (
        "import sys\n"
        f"class Missing:\n"
        f"    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        f"            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from trtc_records.cli import main\n"
        f"sys.exit(main({list(arguments)!r}))\n"
    )
    return subprocess.run(
        [sys.executable, "-P", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | variables,
    )


def test_missing_typer_names_the_extra() -> None:
    """Without Typer the command names the extra in one line."""
    done = run_without("typer", "--help")
    assert (done.returncode, done.stdout) == (2, "")
    assert 'pip install ".[cli]"' in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.skipif(not EXTRAS, reason="needs the extra cli")
def test_missing_pyarrow_names_the_extra() -> None:
    """Without pyarrow an export to Parquet names the extra before anything is read; other formats do without."""
    done = run_without("pyarrow", "export", "--sandbox", "--format", "parquet", "-o", "-")
    assert (done.returncode, done.stdout) == (2, "")
    assert 'pip install ".[parquet]"' in done.stderr
    assert run_without("pyarrow", "export", "--sandbox", "--format", "csv").returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not EXTRAS, reason="needs the extra cli")
@pytest.mark.parametrize("command", ["doctor", "get call-1"])
def test_missing_redis_names_the_extra(command: str) -> None:
    """A quota shared through Redis without the extra is an error that names the install command."""
    account = {"TRTC_SDK_APP_ID": "1", "TRTC_IDENTIFIER": "a", "TRTC_SECRET_KEY": "k", "TRTC_REGION": "seoul"}
    done = run_without("redis", *command.split(), **account, TRTC_REDIS_URL="redis://127.0.0.1:1")
    assert done.returncode == 2
    assert 'pip install ".[redis]"' in done.stderr + done.stdout
