"""An S3 of a test's own, on a local port, as a process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from tempfile import TemporaryFile
from typing import IO, Any

SECRET = "hush-hush-hush"
BUCKET = "archive-bucket"


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """Run a server with an empty bucket; yield the variables that lead to it."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with TemporaryFile() as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            variables = {
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": SECRET,
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_ENDPOINT_URL": _find_url(log, process),
            }
            with connect(variables) as client:
                client.create_bucket(Bucket=BUCKET)
            yield variables
        finally:
            process.kill()


def connect(variables: Mapping[str, str]) -> closing[Any]:
    """Return a client of the server, to be closed."""
    import boto3

    return closing(
        boto3.client(
            "s3",
            endpoint_url=variables["AWS_ENDPOINT_URL"],
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=SECRET,
            region_name=variables["AWS_DEFAULT_REGION"],
        )
    )


def _find_url(log: IO[bytes], process: subprocess.Popen[bytes]) -> str:
    """Return the URL that the server prints once it listens."""
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        content = os.pread(log.fileno(), 1 << 16, 0)
        if found := re.search(rb"Running on (http://127\.0\.0\.1:\d+)", content):
            return found[1].decode()
        time.sleep(0.05)
    raise RuntimeError("the server does not start")
