"""The command without its extras; runs with and without them installed."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

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


@pytest.mark.slow
@pytest.mark.skipif(not EXTRAS, reason="needs the extra cli")
def test_archive_without_pyarrow(tmp_path: Path) -> None:
    """Without pyarrow an archive of Parquet names the extra and makes nothing; one of JSON Lines does without."""
    directory = tmp_path / "calls"
    done = run_without("pyarrow", "archive", str(directory), "--sandbox")
    assert (done.returncode, done.stdout) == (2, "")
    assert 'pip install ".[parquet]"' in done.stderr
    assert "or choose another --format, such as jsonl" in done.stderr
    assert not directory.exists()
    done = run_without("pyarrow", "archive", str(directory), "--sandbox", "--format", "jsonl")
    assert done.returncode == 0, done.stderr
    assert [*directory.glob("start_date=*/calls.jsonl")]
    assert run_without("pyarrow", "archive", str(directory), "--verify").returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not EXTRAS or find_spec("fsspec") is None, reason="needs the extras archive and cli")
@pytest.mark.parametrize("option", ["--sandbox", "--verify"])
@pytest.mark.parametrize(
    ("url", "missing", "explanation"),
    [
        ("s3://bucket/calls", "fsspec", 's3:// needs fsspec, which is not installed: pip install ".[archive]"'),
        ("s3://bucket/calls", "s3fs", "s3:// needs s3fs, which is not installed: pip install s3fs"),
        ("sftp://host/calls", "paramiko", 'sftp:// cannot be used: SFTPFileSystem requires "paramiko"'),
    ],
)
def test_missing_package_of_a_store_is_named(url: str, missing: str, explanation: str, option: str) -> None:
    """An archive at a URL names the package that its store needs."""
    done = run_without(missing, "archive", url, "--format", "jsonl", option)
    assert (done.returncode, done.stdout) == (2, "")
    assert explanation in done.stderr
    assert len(done.stderr.splitlines()) == 1
