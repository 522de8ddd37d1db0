"""A Redis or Valkey of a test's own, as a real process."""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import redis

SERVER = shutil.which("redis-server") or shutil.which("valkey-server")


def find_port() -> int:
    """Return a free port from below those that connections take, so that it is free again after a stop.

    It leaves room for a cluster's second one, 10,000 above.
    """
    while True:
        port = 12_000 + secrets.randbelow(10_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Server:
    """A Redis of the test's own, with nothing on disk."""

    def __init__(self, directory: Path, *options: str, password: str = "") -> None:
        self.port = find_port()
        self.url = f"redis://localhost:{self.port}"
        self.admin = redis.Redis(port=self.port, password=password or None, socket_timeout=5)
        self._command = [
            *(str(SERVER), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(directory)),
            *("--save", "", "--appendonly", "no", *options),
        ]
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while True:
            try:
                self.admin.ping()
            except redis.RedisError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise RuntimeError("the server does not start") from None
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        if self.process is not None:
            self.admin.close()
            self.process.kill()
            self.process.wait()
            self.process = None

    def questions(self) -> int:
        """Return how often a script was called."""
        return self.admin.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)

    def make_cluster(self) -> None:
        """Make it a cluster of one node; it needs the option ``--cluster-enabled yes``."""
        self.admin.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
        deadline = time.monotonic() + 30
        while self.admin.execute_command("CLUSTER INFO")["cluster_state"] != "ok":
            assert time.monotonic() < deadline, "the cluster does not start"
            time.sleep(0.05)
