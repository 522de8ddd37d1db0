"""Fixtures: a sandbox that many tests share, and a plain HTTP client that signs its requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import httpx
import pytest

from trtc_records._api.usersig import generate_user_sig
from trtc_records.sandbox import Sandbox


@attrs.frozen
class Caller:
    """A caller of a sandbox by Tencent's page, or with something changed."""

    http: httpx.Client
    credentials: dict[str, Any]

    def sign(self, **changes: Any) -> str:
        """Return a UserSig; *changes* are arguments of ``generate_user_sig``."""
        names = ("sdk_app_id", "identifier", "secret_key")
        return generate_user_sig(**{name: self.credentials[name] for name in names} | changes)

    def parameters(self, **changes: Any) -> dict[str, Any]:
        """Return the query parameters; a change to ``None`` leaves one out."""
        parameters = {
            "sdkappid": self.credentials["sdk_app_id"],
            "identifier": self.credentials["identifier"],
            "usersig": self.sign(),
            "random": 7,
            "contenttype": "json",
        } | changes
        return {name: value for name, value in parameters.items() if value is not None}

    def post(
        self, content: bytes = b"{}", *, call: str = "get_record_by_filter", params: Any = None, method: str = "POST"
    ) -> httpx.Response:
        """Send a request."""
        path = f"/v4/call_record_http_srv/{call}"
        return self.http.request(method, path, params=params or self.parameters(), content=content)

    def ask(self, call: str = "get_record_by_filter", **fields: Any) -> dict[str, Any]:
        """Send a body of *fields* and return the decoded answer."""
        answer = self.http.post(f"/v4/call_record_http_srv/{call}", params=self.parameters(), json=fields)
        assert answer.status_code == 200
        return answer.json()

    def configure(self, call: str, **fields: Any) -> dict[str, Any]:
        """Send a body of *fields* to a call about callbacks and return the decoded answer."""
        answer = self.http.post(f"/v4/call_config/{call}", params=self.parameters(), json=fields)
        assert answer.status_code == 200
        return answer.json()

    def query(self, **fields: Any) -> dict[str, Any]:
        """Return the Response of a query that succeeds."""
        answer = self.ask(**fields)
        assert answer["ErrorCode"] == 0, answer
        return answer["Response"]

    def walk(self, size: int = 10, **fields: Any) -> list[dict[str, Any]]:
        """Return all records, page by page, of a service that ends a walk as documented."""
        records: list[dict[str, Any]] = []
        page = 1
        while (response := self.query(NumberPerPage=size, Page=page, **fields))["Page"]:
            records += response["CallRecordList"]
            page += 1
        return records


@pytest.fixture
def connect() -> Iterator[Callable[[Sandbox], Caller]]:
    """Yield a function that connects a caller to a sandbox; connections close with the test."""
    clients = []

    def connect(sandbox: Sandbox) -> Caller:
        clients.append(httpx.Client(base_url=sandbox.base_url, timeout=10, trust_env=False, verify=False))
        return Caller(clients[-1], sandbox.credentials)

    yield connect
    for client in clients:
        client.close()


class Clock:
    """The clock of a sandbox, which goes on when a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_780_000_000.0
        monkeypatch.setattr("trtc_records.sandbox._server.time.time", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return a clock for sandboxes that are made after it."""
    return Clock(monkeypatch)


@pytest.fixture(scope="session")
def shared() -> Iterator[Sandbox]:
    """Run one sandbox for all tests that change nothing in it."""
    with Sandbox(records=60, quota=None) as sandbox:
        yield sandbox


@pytest.fixture
def caller(shared: Sandbox, connect: Callable[[Sandbox], Caller]) -> Caller:
    """Return a caller of the shared sandbox."""
    return connect(shared)
