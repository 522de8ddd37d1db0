"""``trtc-records archive s3://…`` as a process, against a real S3 on a local port."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec

import pytest
from cli_process import clean_environment, start
from exported import PYARROW
from s3_server import BUCKET, SECRET, connect, s3_server

from trtc_records import record_to_json
from trtc_records.sandbox import Behaviour, Faults, Sandbox

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(find_spec, ("boto3", "moto", "s3fs"))), reason="needs the packages of the group tests"
    ),
]

URL = f"s3://{BUCKET}/some/calls"
FORMAT = ("--format", "jsonl")
READ = """
import sys
from trtc_records import record_to_json
from trtc_records.export import read_records
import json
for record in read_records(sys.argv[1]):
    print(json.dumps(record_to_json(record)))
"""


@pytest.fixture
def s3() -> Iterator[dict[str, str]]:
    """Return the environment that leads to an empty bucket."""
    with s3_server() as variables:
        yield {**clean_environment(), **variables, "PYTHONWARNINGS": "error::ResourceWarning"}


def run(arguments: list[str], environment: dict[str, str], code: int = 0) -> str:
    """Run the command to its end, and return what it said."""
    process = start(arguments, environment)
    output, errors = process.communicate(timeout=100)
    assert (process.returncode, output) == (code, ""), errors
    assert SECRET not in errors
    return errors


def check_truth(url: str, environment: dict[str, str], sandbox: Sandbox) -> None:
    """Check that the archive has every call of the service once, in order, and that its files are as they should be."""
    done = subprocess.run(
        [sys.executable, "-c", READ, url], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    truth = sorted(sandbox.records, key=lambda record: (record.start_time, record.call_id))
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        json.loads(json.dumps(record_to_json(record))) for record in truth
    ]
    assert ": 0 problems" in run(["archive", url, "--verify"], environment)


def list_keys(environment: dict[str, str]) -> list[str]:
    """Return the keys of all objects in the bucket."""
    with connect(environment) as client:
        return [each["Key"] for each in client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


@pytest.mark.parametrize(
    "file_format",
    ["jsonl", pytest.param("parquet", marks=pytest.mark.skipif(not PYARROW, reason="needs the extra parquet"))],
)
def test_archive_is_kept_in_s3(file_format: str, s3: dict[str, str]) -> None:
    """Every record is in the bucket, beside manifests, and a second run skips the final days."""
    with Sandbox(records=450, seed=7) as sandbox:
        environment = {**s3, **sandbox.environment}
        errors = run(["archive", URL, "--format", file_format], environment)
        assert f"Archived 450 call records in {URL} in" in errors
        check_truth(URL, environment, sandbox)
        assert "  skipped   3 that are final" in run(["archive", URL, "--format", file_format], environment)
        names = {key.removeprefix("some/calls/") for key in list_keys(environment)}
        days = {
            name.removeprefix("_manifest/").removesuffix(".json") for name in names if name.startswith("_manifest/")
        }
        assert len(days) >= 8
        assert names == {
            name for day in days for name in (f"_manifest/{day}.json", f"start_date={day}/calls.{file_format}")
        }


def test_missing_bucket_is_explained(s3: dict[str, str]) -> None:
    """A bucket that does not exist is a line with a hint, and exit code 2."""
    errors = run(["archive", "s3://another-bucket/calls", *FORMAT, "--sandbox"], s3, code=2)
    assert "cannot write s3://another-bucket/calls: The specified bucket does not exist" in errors
    errors = run(["archive", "s3://another-bucket/calls", "--verify"], s3, code=2)
    assert "cannot read s3://another-bucket/calls: The specified bucket does not exist" in errors


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_stopped_and_killed_runs_lose_and_repeat_nothing(s3: dict[str, str]) -> None:
    """Runs that are stopped give their lock back, and that of a killed one is waited out: the archive is whole."""
    chance = random.Random(3)
    behaviour = Behaviour(window="end")
    with Sandbox(records=400, latency=0.1, behaviour=behaviour, faults=Faults(http_502=0.02)) as sandbox:
        environment = {**s3, **sandbox.environment}
        arguments = ["archive", URL, *FORMAT, "--page-size", "20"]
        for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            process = start(arguments, environment)
            while not any("/lock-" in key for key in list_keys(environment)):
                time.sleep(0.1)
            time.sleep(chance.uniform(0, 1.5))
            process.send_signal(kind)
            process.communicate(timeout=30)
            assert process.returncode != 0
            assert any("/lock-" in key for key in list_keys(environment)) == (kind == signal.SIGKILL)
        assert "has the lock of another run: waiting 30 s at most" in run(arguments, environment)
        assert not [key for key in list_keys(environment) if "/lock-" in key]
        check_truth(URL, environment, sandbox)


def test_two_at_once_do_not_mix(s3: dict[str, str]) -> None:
    """The second of two runs at once is refused, and the first one's archive is whole."""
    with Sandbox(records=400, latency=0.8) as sandbox:
        environment = {**s3, **sandbox.environment}
        arguments = ["archive", URL, *FORMAT, "--page-size", "20"]
        runs = [start(arguments, environment) for _ in range(2)]
        ends = [run.communicate(timeout=100)[1] for run in runs]
        assert sorted(run.returncode for run in runs) == [0, 2], ends
        assert sum("another run writes to it" in end for end in ends) == 1
        check_truth(URL, environment, sandbox)
