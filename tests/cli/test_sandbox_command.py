"""``trtc-records sandbox``."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import signal
import sys
from pathlib import Path
from typing import Any, get_args, get_type_hints

import attrs
import pytest
from cli_process import Run, is_short, running
from http_server import Request, serve

import trtc_records.sandbox
from trtc_records.cli import main
from trtc_records.cli.commands.sandbox import sandbox
from trtc_records.sandbox import Behaviour, Drift, Faults, Sandbox, Webhooks

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


def test_printed_variables_lead_to_the_records(run: Run, tmp_path: Path) -> None:
    """Another process that has the printed variables exports as many records as were asked for."""
    with running("--records", "42") as (_, variables):
        done = run("export", "-o", "calls.jsonl", **variables)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "calls.jsonl").read_text().splitlines()) == 42


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_interruption_ends_it_quietly(name: str) -> None:
    """Ctrl-C ends it with exit code 0, and prints nothing after the start."""
    with running("--records", "0") as (process, _):
        assert process.stderr is not None
        assert "until Ctrl-C" in process.stderr.readline()
        process.send_signal(signal.Signals[name])
        assert process.stderr.read() == ""
        assert process.wait(30) == 0


def test_port_in_use_is_explained(run: Run) -> None:
    """A port that another program has is named, with exit code 2."""
    with running() as (_, variables):
        port = variables["TRTC_BASE_URL"].rpartition(":")[2]
        done = run("sandbox", "--port", port)
    assert done.returncode == 2
    assert f"cannot listen on port {port}" in done.stderr


# fmt: off
OPTIONS = (
    "--records=500", "--quota=0", "--latency=0.01", "--jitter=0.01", "--capacity=20", "--clock-skew=-90000",
    "--fault=http_502=0.25",
    "--fault=slow=0.75", "--slow-seconds=0.01", "--retry-after=2", "--arrivals=0.5", "--expiries=0.5", "--anywhere",
    "--live=30/min", "--call-seconds=1-12", "--webhook-url=http://[::1]/", "--webhook-loss=0.1", "--webhook-delay=3",
    "--webhook-repetition=0.2", "--webhook-forgery=0.3", "--replica-lag=0.5", "--end=null", "--order=random",
    "--page-cap=9", "--deepest=90", "--beyond=repeat", "--total-cap=80", "--window=overlap", "--half-open",
    "--unanswered=absent", "--room-id-type-as-text", "--extra-fields", "--new-enum-values", "--quota-code=60018",
    "--seed=3", "--calls-in=legacy", "--error-code-as-text", "--bare-record",
)
# fmt: on


def test_every_option_reaches_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each option of the command is the argument of the same name."""
    made: list[dict[str, Any]] = []

    def keep(**arguments: Any) -> object:
        made.append(arguments)
        return object()

    monkeypatch.setattr(trtc_records.sandbox, "Sandbox", keep)
    monkeypatch.setattr(trtc_records.sandbox, "serve", lambda *_: None)
    assert main(["sandbox", *OPTIONS]) == 0
    behaviour = Behaviour(
        end="null",
        order="random",
        page_cap=9,
        deepest=90,
        beyond="repeat",
        total_cap=80,
        window="overlap",
        half_open=True,
        unanswered="absent",
        room_id_type_as_text=True,
        error_code_as_text=True,
        bare_record=True,
        extra_fields=True,
        new_enum_values=True,
        quota_code=60018,
    )
    drift = Drift(arrivals=0.5, expiries=0.5, anywhere=True, replica_lag=0.5)
    faults = Faults(http_502=0.25, slow=0.75, slow_seconds=0.01, retry_after=2)
    webhooks = Webhooks(loss=0.1, repetition=0.2, delay=3, forgery=0.3)
    expected = {"port": 0, "records": 500, "seed": 3, "quota": None, "latency": 0.01, "jitter": 0.01}
    live = {"live": "30/min", "call_seconds": (1, 12), "webhook_url": "http://[::1]/", "webhooks": webhooks}
    drifting = {"capacity": 20.0, "clock_skew": -90_000, "behaviour": behaviour, "drift": drift, "faults": faults}
    assert made == [{**expected, **live, **drifting, "calls_in": "legacy"}]


def test_defaults_and_choices_are_those_of_the_sandbox() -> None:
    """Without options the command serves as ``Sandbox()`` does, and it offers every choice of the sandbox."""
    parameters = inspect.signature(sandbox, eval_str=True).parameters
    names = inspect.signature(Sandbox).parameters.keys() & parameters.keys()
    known = {name: inspect.signature(Sandbox).parameters[name].default for name in names}
    for options in (Behaviour, Drift, Faults):
        hints = get_type_hints(options)
        fields = {field.name: field for field in attrs.fields(options) if field.name not in Faults().probabilities}
        for name, field in fields.items():
            choices = get_args(get_args(parameters[name].annotation)[0])
            assert choices == get_args(hints[name]) or name == "quota_code"
            known[name] = field.default
    known |= {f"webhook_{field.name}": field.default for field in attrs.fields(Webhooks)}
    assert {name: parameters[name].default for name in known} == known
    assert parameters.keys() - known.keys() == {"fault", "quiet", "log_level"}


@pytest.mark.anyio
async def test_callbacks_of_live_calls_are_posted() -> None:
    """With --live and --webhook-url a receiver gets the callbacks of calls as they start and end."""
    done = asyncio.Event()
    wanted = {"Call.CallbackAfterStartCall", "Call.CallbackAfterEndCall"}

    async def answer(request: Request) -> dict[str, Any]:
        wanted.discard(request.body["CallbackCommand"])
        if not wanted:
            done.set()
        return {"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0}

    async with serve(answer) as receiver:
        with running("--live", "100/s", "--call-seconds", "0-1", "--webhook-url", f"{receiver.base_url}/callback"):
            await asyncio.wait_for(done.wait(), 30)
    assert receiver.requests[0].path == "/callback"


def test_help_names_every_fault(run: Run) -> None:
    """All kinds of faults stand in help."""
    shown = run("sandbox", "--help", COLUMNS="200").stdout
    assert all(re.search(rf"\b{kind}\b", shown) for kind in Faults().probabilities)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("--fault http_503=0.1", "--fault http_503=0.1 names no fault"),
        ("--fault reset", "--fault reset has no probability"),
        ("--fault reset=often", "--fault reset=often has no probability"),
        ("--fault reset=2", "Faults.reset must be a number from 0 to 1, got 2.0"),
        ("--fault reset=0.6 --fault slow=0.6", "add up to 1.2"),
        ("--quota -1", "'--quota'"),
        ("--quota-code 60012", "'60012' is not one of"),
        ("--end stop", "'stop' is not one of"),
        ("--arrivals nan", "'--arrivals'"),
        ("--deepest 0", "'--deepest'"),
        ("--live 30", "live cannot be '30': write 30/min"),
        ("--live 5000/s", "live must be a number from 0 to 1000, got 5000.0"),
        ("--call-seconds 1-x", "'1-x' is no length of calls"),
        ("--call-seconds 12-1", "call_seconds must be a number from 12 to"),
        ("--webhook-url http://example.com/", "webhook_url cannot be 'http://example.com/'"),
        ("--webhook-loss 2", "'--webhook-loss'"),
        ("--clock-skew 1e12", "clock_skew must be a number from -1e+09 to 1e+09"),
    ],
)
def test_wrong_option_is_a_usage_error(run: Run, arguments: str, complaint: str) -> None:
    """A value that cannot be used is named in a line, with exit code 2."""
    done = run("sandbox", *arguments.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr.splitlines()[0]
    assert is_short(done.stderr)


def test_options_change_the_answers(run: Run, tmp_path: Path) -> None:
    """Options of the command change the answers to a client."""
    with running("--records", "30", "--page-cap", "7", "--extra-fields", "--fault", "http_502=0.1") as (_, variables):
        done = run("export", "-o", "calls.jsonl", "--log-level", "debug", **variables)
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "calls.jsonl").read_text().splitlines()
    assert len(lines) == 30
    assert all("Platform" in json.loads(json.loads(line)["extra"]) for line in lines)
