"""A service in a thread whose every answer a test writes, for the command as a process."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[dict[str, Any]], dict[str, Any] | bytes]
"""Takes the body of a request, and returns that of the answer, as an object or as bytes."""


@contextmanager
def scripted_service(answer: Answer, *, clock_skew: float = 0.0) -> Iterator[dict[str, str]]:
    """Serve, and yield the environment that leads here; *clock_skew* seconds is the service's clock ahead."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._reply(b"")

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            content = answer(body)
            self._reply(content if isinstance(content, bytes) else json.dumps(content).encode())

        def date_time_string(self, timestamp: float | None = None) -> str:
            import time

            return formatdate((timestamp or time.time()) + clock_skew, usegmt=True)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _reply(self, content: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield {
            "TRTC_SDK_APP_ID": "1400000000",
            "TRTC_IDENTIFIER": "administrator",
            "TRTC_SECRET_KEY": "0123456789abcdef" * 4,
            "TRTC_BASE_URL": f"http://127.0.0.1:{server.server_port}",
        }
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
