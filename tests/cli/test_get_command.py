"""``trtc-records get``."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path

import pytest
from cli_process import COMMAND, Run, is_short
from records import envelope, raw_record
from scripted_service import scripted_service

from trtc_records.sandbox import Sandbox


def test_record_is_printed_as_json(run: Run, sandbox: Sandbox) -> None:
    """A call id gives the one record that has it."""
    wanted = sandbox.records[17]
    done = run("get", wanted.call_id)
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert (row["call_id"], row["caller"], row["callees"]) == (wanted.call_id, wanted.caller, list(wanted.callees))


def test_number_that_json_does_not_have_is_a_text(run: Run) -> None:
    """An infinite number in a field that is not known is written as text, as every reader takes it."""
    answer = envelope({"CallRecord": raw_record(1, Big=math.inf)})
    with scripted_service(lambda _: answer) as environment:
        done = run("get", "call-000001", **environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(json.loads(done.stdout)["extra"]) == {"Big": "Infinity"}


def test_unknown_call_is_explained(run: Run) -> None:
    """A call id that the service does not have ends with exit code 5 and a hint."""
    done = run("get", "00000000-0000-4000-8000-000000000000")
    assert (done.returncode, done.stdout) == (5, "")
    assert "error 101050" in done.stderr
    assert "hint: " in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("command", ["get", "export"])
def test_full_disk_is_explained(environment: dict[str, str], sandbox: Sandbox, command: str) -> None:
    """Output that cannot be written is a line or two, with exit code 2."""
    arguments = ["get", sandbox.records[0].call_id] if command == "get" else ["export"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *arguments], env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert is_short(done.stderr)


def test_empty_call_id_is_refused(run: Run) -> None:
    """An empty call id, as an unset shell variable leaves it, is a usage error."""
    done = run("get", "")
    assert (done.returncode, done.stdout) == (2, "")
    assert "CALL_ID='' cannot be used" in done.stderr
