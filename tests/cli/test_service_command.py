"""``--service`` and ``TRTC_SERVICE``, of every command that reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from cli_process import Run, clean_environment
from records import envelope, page_answer, raw_record
from scripted_service import scripted_service

from trtc_records.sandbox import Sandbox

READING = ("export", "archive", "summary", "sync", "follow", "get", "doctor")


@pytest.fixture(scope="module")
def older() -> Iterator[Sandbox]:
    """Run a service whose calls are all kept by the older one."""
    with Sandbox(records=30, seed=3, calls_in="legacy") as sandbox:
        yield sandbox


@pytest.fixture
def account(older: Sandbox) -> dict[str, str]:
    """Return the variables that lead there."""
    return {**clean_environment(), **older.environment}


@pytest.mark.parametrize("command", READING)
def test_every_command_that_reads_has_the_option(run: Run, command: str) -> None:
    """Help names the option and the variable."""
    text = run(command, "--help").stdout
    assert "--service SERVICE" in text
    assert "TRTC_SERVICE" in text


@pytest.mark.parametrize("command", ["usersig", "schema", "sandbox"])
def test_other_commands_do_not_have_it(run: Run, command: str) -> None:
    """A command that reads nothing has no such option."""
    assert "--service" not in run(command, "--help").stdout


@pytest.mark.parametrize("how", ["option", "variable"])
def test_an_export_reads_the_older_service(
    run: Run, older: Sandbox, account: dict[str, str], tmp_path: Path, how: str
) -> None:
    """Both ways lead to the calls, and the default does not."""
    arguments = ("--service", "Legacy") if how == "option" else ()
    changes = {"TRTC_SERVICE": "legacy"} if how == "variable" else {}
    done = run("export", "-o", "calls.jsonl", *arguments, **{**account, **changes})
    assert done.returncode == 0, done.stderr
    rows = list(map(json.loads, (tmp_path / "calls.jsonl").read_text().splitlines()))
    assert [row["call_id"] for row in rows] == [record.call_id for record in older.records]
    assert {json.loads(row["extra"])["sdkAppId"] for row in rows} == {1400000000}
    done = run("export", "-o", "none.jsonl", **account)
    assert "Exported 0 call records" in done.stderr
    assert "--service" in done.stderr


def test_the_option_wins(run: Run, account: dict[str, str]) -> None:
    """--service current counts although TRTC_SERVICE names the other."""
    done = run("summary", "--json", "--service", "current", **{**account, "TRTC_SERVICE": "legacy"})
    assert (done.returncode, json.loads(done.stdout)["calls"]) == (0, 0)
    done = run("summary", "--json", **{**account, "TRTC_SERVICE": "legacy"})
    report = json.loads(done.stdout)
    assert (report["calls"], report["report"]["source"]) == (30, "the older service")


def test_a_summary_has_one_source(run: Run, account: dict[str, str]) -> None:
    """A file holds the calls of whichever service they came from."""
    done = run("summary", "--input", "calls.jsonl", "--service", "legacy", **account)
    assert (done.returncode, "--input and --service are two sources" in done.stderr) == (2, True)


def test_a_record_is_looked_up(run: Run, older: Sandbox, account: dict[str, str]) -> None:
    """The record is found in the service that keeps it, and not in the other."""
    call_id = older.records[5].call_id
    done = run("get", call_id, "--service", "legacy", **account)
    assert (done.returncode, json.loads(done.stdout)["call_id"]) == (0, call_id)
    assert run("get", call_id, **account).returncode == 5


def test_an_archive_and_a_feed_read_the_older_service(
    run: Run, older: Sandbox, account: dict[str, str], tmp_path: Path
) -> None:
    """Both have each call once; the archive is refused to the other service."""
    legacy = ("--service", "legacy")
    done = run("archive", "days", "--format", "jsonl", *legacy, **account)
    assert (done.returncode, "Archived 30 call records" in done.stderr + done.stdout) == (0, True)
    done = run("archive", "days", "--format", "jsonl", **account)
    assert done.returncode == 2
    assert "the legacy service" in done.stderr
    done = run("follow", "--since", "7d", "--interval", "0.1", "--limit", "30", "-o", "calls.jsonl", *legacy, **account)
    assert (done.returncode, done.stderr) == (0, "")
    found = {json.loads(line)["call_id"] for line in (tmp_path / "calls.jsonl").read_text().splitlines()}
    assert found == {record.call_id for record in older.records}


@pytest.mark.skipif(find_spec("dlt") is None, reason="needs the extra dlt")
def test_a_sync_of_each_service_has_its_own_place(run: Run, older: Sandbox, account: dict[str, str]) -> None:
    """A table takes the calls of both services, and a complete sync of the one says nothing about the other."""
    first = run("sync", **account)
    assert "Synced 0 call records" in first.stderr
    second = run("sync", "--service", "legacy", **account)
    assert "30 new, 0 seen before" in second.stderr
    assert "last run  none" in second.stderr


@pytest.mark.parametrize(
    ("command", "sandbox_arguments"),
    [("export", ("-o", "-")), ("follow", ("--limit", "1", "--interval", "0.5"))],
)
def test_a_sandbox_has_the_older_service(run: Run, command: str, sandbox_arguments: tuple[str, ...]) -> None:
    """--sandbox --service legacy needs no account, and shows records of the older service."""
    done = run(command, "--sandbox", "--service", "legacy", *sandbox_arguments)
    assert done.returncode == 0, done.stderr
    assert "sdkAppId" in done.stdout.splitlines()[0]


def test_an_unknown_service_is_refused(run: Run, account: dict[str, str]) -> None:
    """Neither the option nor the variable takes another name."""
    done = run("export", "-o", "-", "--service", "old", **account)
    assert (done.returncode, "'old' is not one of current, legacy" in done.stderr) == (2, True)
    done = run("export", "-o", "-", **{**account, "TRTC_SERVICE": "old"})
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "trtc-records: TRTC_SERVICE='old' cannot be used",
        "hint: set it to one of current, legacy",
    ]


@pytest.mark.parametrize(
    "command",
    [("show",), ("set", "https://example.com/c"), ("delete",), ("serve", "--port", "0")],
    ids=lambda words: words[0],
)
def test_webhooks_are_of_the_current_service(run: Run, account: dict[str, str], command: tuple[str, ...]) -> None:
    """With TRTC_SERVICE=legacy, each command about webhooks says why it cannot work."""
    done = run("webhook", *command, **{**account, "TRTC_SERVICE": "legacy"})
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "trtc-records: TRTC_SERVICE='legacy': webhooks are those of the current service",
        "hint: set it to 'current'",
    ]


# -- doctor ------------------------------------------------------------------------------------------


def lines_of(output: str) -> dict[str, str]:
    """Return the mark and the text of each check by its subject, with the remedy."""
    found: dict[str, str] = {}
    subject = ""
    for line in output.splitlines():
        subject = line[6:20].strip() or subject
        found[subject] = found.get(subject, line[:5].strip()) + " " + line[21:]
    return found


@pytest.mark.parametrize("chosen", ["current", "legacy"])
@pytest.mark.parametrize("keeper", ["current", "legacy"])
def test_doctor_says_which_service_has_calls(run: Run, keeper: Any, chosen: str) -> None:
    """Each service's count is shown; where the one that is read is empty and the other is not, the hint names it."""
    other = "legacy" if chosen == "current" else "current"
    with Sandbox(records=12, calls_in=keeper) as sandbox:
        done = run("doctor", "--service", chosen, **{**clean_environment(), **sandbox.environment})
    assert done.returncode == 0
    lines = lines_of(done.stdout)
    assert f"{chosen} service at" in lines["configuration"]
    if keeper == chosen:
        assert lines["credentials"].startswith("ok accepted; 12 records")
        assert lines[f"{other} calls"].startswith("ok no records of the last 7 days")
    else:
        assert lines["credentials"].startswith("note accepted, but the app has no records")
        assert f"the {other} service has 12 records: set TRTC_SERVICE={other}" in lines["credentials"]
        assert lines[f"{other} calls"].startswith("ok 12 records")


def test_doctor_of_an_idle_app(run: Run) -> None:
    """Where neither has calls, both say so."""
    with Sandbox(records=0) as sandbox:
        done = run("doctor", **{**clean_environment(), **sandbox.environment})
    lines = lines_of(done.stdout)
    assert (done.returncode, lines["credentials"][:4]) == (0, "note")
    assert lines["legacy calls"] == "ok no records of the last 7 days"


def answer_for(*, current: dict[str, Any], legacy: dict[str, Any]) -> Any:
    """Return a handler that tells the services apart by the body of a query."""
    return lambda body: legacy if "startTimestamp" in body else current


LEGACY_PAGE = {
    "errorCode": 0,
    "requestId": "id",
    "data": {
        "totalNum": 7,
        "page": 1,
        "callRecordList": [
            {"callId": "c", "caller": "a", "mediaType": "audio", "callType": "single", "callResult": "cancel",
             "startCallTs": 1_739_960_242, "endTs": 1_739_960_245},
        ],
    },
}  # fmt: skip


def test_doctor_takes_a_failure_of_the_other_service_for_a_note(run: Run) -> None:
    """An app without the older service's package is healthy, and its calls are shown."""
    page = page_answer([raw_record(1)], 1, 9)
    refused = {"errorCode": 50001, "errorMessage": "package needed", "requestId": "id"}
    with scripted_service(answer_for(current=page, legacy=refused)) as environment:
        done = run("doctor", **environment)
    lines = lines_of(done.stdout)
    assert done.returncode == 0
    assert lines["credentials"].startswith("ok accepted; 9 records")
    assert lines["legacy calls"].startswith("note error 50001: package needed")
    assert "package" in lines["legacy calls"].split("needed", 1)[1]


def test_doctor_shows_the_other_service_although_the_one_fails(run: Run) -> None:
    """A failure of the service that is read is one, and its remedy names the other, which has the calls."""
    with scripted_service(answer_for(current=envelope(code=60020, info="expired"), legacy=LEGACY_PAGE)) as environment:
        done = run("doctor", **environment)
    lines = lines_of(done.stdout)
    assert done.returncode == 5
    assert lines["service"].startswith("FAIL error 60020: expired")
    assert "Renew it" in lines["service"]
    assert "the legacy service has 7 records: set TRTC_SERVICE=legacy" in lines["service"]
    assert lines["legacy calls"].startswith("ok 7 records")
