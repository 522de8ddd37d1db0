"""``trtc-records webhook``."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from cli_process import Run, clean_environment, is_short, running, start

from trtc_records.sandbox import Sandbox

URL = "https://example.com/callbacks/secret"


@pytest.fixture
def service() -> Iterator[dict[str, str]]:
    """Run a service of its own, and yield its account."""
    with Sandbox(records=5) as sandbox:
        yield sandbox.environment


@contextmanager
def receiving(environment: dict[str, str], *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the receiver; yield the process and its URL."""
    with start(["webhook", "serve", "--port", "0", *arguments], {**clean_environment(), **environment}) as process:
        try:
            assert process.stderr is not None
            yield process, process.stderr.readline().split()[4]
        finally:
            process.kill()


def test_url_is_set_shown_and_deleted(run: Run, service: dict[str, str]) -> None:
    """The commands set, show and delete the URL."""
    assert run("webhook", "set", URL, "--event", "call-ended", "--event", "CALL_STARTED", **service).returncode == 0
    shown = run("webhook", "show", **service)
    events = ["Call.CallbackAfterEndCall", "Call.CallbackAfterStartCall"]
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.splitlines()[0] == URL
    assert sorted(shown.stdout.split()[1:]) == events
    as_json = json.loads(run("webhook", "show", "--json", **service).stdout)
    assert (as_json["url"], sorted(as_json["events"])) == (URL, events)
    assert run("webhook", "delete", **service).returncode == 0
    assert run("webhook", "show", **service).returncode == 5


def test_no_url_is_an_exit_code(run: Run, service: dict[str, str]) -> None:
    """An app without a URL is shown with exit code 5, and as null in JSON."""
    done = run("webhook", "show", "--json", **service)
    assert (done.returncode, done.stdout) == (5, "null\n")
    assert "the app has no URL for callbacks" in done.stderr
    assert is_short(done.stderr)


def test_default_event_is_the_end(run: Run, service: dict[str, str]) -> None:
    """Without --event Tencent posts the ends of calls."""
    assert "call-ended" in run("webhook", "set", URL, **service).stderr
    assert json.loads(run("webhook", "show", "--json", **service).stdout)["events"] == ["Call.CallbackAfterEndCall"]


def test_another_url_is_replaced_on_demand(run: Run, service: dict[str, str]) -> None:
    """Another URL is refused in a shell's terms, and replaced with --replace."""
    assert run("webhook", "set", URL, **service).returncode == 0
    refused = run("webhook", "set", f"{URL}2", **service)
    assert refused.returncode == 2
    assert "--replace replaces it" in refused.stderr
    assert is_short(refused.stderr)
    assert run("webhook", "set", f"{URL}2", "--replace", **service).returncode == 0
    assert run("webhook", "show", **service).stdout.splitlines()[0] == f"{URL}2"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("set ftp://example.com", "URL: not a URL of the form"),
        ("set https://example.com --event hangup", "'hangup' is not one of call-started, call-ended, members-changed"),
        ("serve --host 203.0.113.1", "cannot listen on 203.0.113.1 port 8080"),
        ("serve --port 70000", "'--port'"),
        ("", "Missing command"),
    ],
)
def test_wrong_argument_is_a_usage_error(run: Run, service: dict[str, str], arguments: str, complaint: str) -> None:
    """A value that cannot be used is named in a line, with exit code 2."""
    done = run("webhook", *arguments.split(), **service)
    assert done.returncode == 2
    assert complaint in done.stderr.splitlines()[0]
    assert is_short(done.stderr)


@pytest.mark.slow
def test_verified_records_are_printed() -> None:
    """The receiver prints the service's record of each call that ended, and nothing that was forged."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    url = f"http://127.0.0.1:{port}/any/path"
    live = ("--live", "5/s", "--call-seconds", "0-1", "--webhook-url", url, "--webhook-forgery", "0.5")
    with running(*live) as (_, variables), receiving(variables, "--port", port) as (process, base_url):
        assert base_url == f"http://127.0.0.1:{port}"
        assert process.stdout is not None
        rows = [json.loads(process.stdout.readline()) for _ in range(5)]
        for row in rows:
            environment = {**clean_environment(), **variables}
            with start(["get", row["call_id"]], environment) as lookup:
                assert json.loads(lookup.communicate(timeout=30)[0]) == row


@pytest.mark.slow
def test_unverified_records_are_printed_on_demand(service: dict[str, str]) -> None:
    """With --no-verify the record of a callback is printed as it came; other events are not."""
    query = {"SdkAppid": service["TRTC_SDK_APP_ID"], "contenttype": "json"}
    record: dict[str, Any] = {"CallId": "forged", "Caller_Account": "a", "StartTime": 1, "EndTime": 2, "RoomId": "1"}
    record |= {"CallType": "SingleCall", "MediaType": "Audio", "RoomIdType": 1, "CallResult": "NormalEnd"}
    record |= {"AcceptTime": 1, "CalleeList_Account": ["b"]}
    start_of_call: dict[str, Any] = {
        "CallbackCommand": "Call.CallbackAfterStartCall",
        "CallInfo": {"CallId": "x"},
        "EventTime": 1,
    }
    end: dict[str, Any] = {"CallbackCommand": "Call.CallbackAfterEndCall", "CallRecord": record, "EventTime": 2000}
    with receiving(service, "--no-verify") as (process, url):
        for body in (start_of_call, end):
            command: dict[str, str] = {"CallbackCommand": body["CallbackCommand"]}
            answer = httpx.post(url, params={**query, **command}, json=body, trust_env=False)
            assert (answer.status_code, answer.json()["ErrorCode"]) == (200, 0), answer.text
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["call_id"] == "forged"
        refused = httpx.get(url, trust_env=False)
        assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
        assert httpx.post(url, content=b"{", trust_env=False).status_code == 400
        assert process.stderr is not None
        assert "warning: a callback was refused" in process.stderr.readline()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_signal_ends_the_receiver(service: dict[str, str], number: int, code: int) -> None:
    """SIGTERM ends the receiver with exit code 0, Ctrl-C with 130."""
    with receiving(service) as (process, _):
        process.send_signal(number)
        assert process.wait(30) == code
        assert process.stderr is not None
        assert process.stderr.read() == ("" if code == 0 else "trtc-records: interrupted\n")
