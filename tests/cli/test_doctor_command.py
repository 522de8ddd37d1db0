"""``trtc-records doctor``."""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx
import pytest
from cli_process import Run
from records import envelope, page_answer, raw_record
from scripted_service import scripted_service

from trtc_records import CallRecordsClient, Region
from trtc_records.cli._exit_codes import ExitCode
from trtc_records.cli.commands.doctor import Finding, find_region, judge_clock

NOW = 1_800_000_000.0


def marks(output: str) -> dict[str, str]:
    """Return each check's mark by its subject."""
    return {line[6:20].strip(): line[:5].strip() for line in output.splitlines() if line[:5].strip()}


def test_healthy_account_passes(run: Run) -> None:
    """Every check of a good account is ok, and no secret is shown."""
    done = run("doctor")
    assert done.returncode == 0, done.stdout
    assert set(marks(done.stdout).values()) == {"ok"}
    assert set(marks(done.stdout)) == {
        "versions",
        "configuration",
        "network",
        "tls",
        "clock",
        "credentials",
        "legacy calls",
    }
    assert done.stdout.count("450 records of the last 7 days") == 2
    assert "5a17d80c" not in done.stdout + done.stderr


def test_terminal_without_unicode_is_served(run_process: Run) -> None:
    """A character that stdout's encoding lacks becomes a question mark, not a failure."""
    done = run_process("doctor", PYTHONIOENCODING="cp1252", TRTC_IDENTIFIER="管理员")
    assert done.returncode == 3, done.stderr
    assert "1400000000, ???, a secret key" in done.stdout


def test_missing_variable_is_named(run: Run) -> None:
    """Without an identifier nothing is sent, and the exit code is 2."""
    done = run("doctor", TRTC_IDENTIFIER="")
    assert done.returncode == 2
    assert marks(done.stdout) == {"versions": "ok", "configuration": "FAIL"}
    assert "TRTC_IDENTIFIER is not set" in done.stdout
    assert "identifier=" not in done.stdout


def test_every_problem_has_a_line(run: Run) -> None:
    """Problems of the configuration are separate findings."""
    done = run("doctor", TRTC_IDENTIFIER="", TRTC_REGION="seoul")
    assert done.returncode == 2
    assert [line[6:] for line in done.stdout.splitlines() if line.startswith("FAIL")] == [
        "configuration  TRTC_IDENTIFIER is not set",
        "configuration  TRTC_REGION and TRTC_BASE_URL are set: keep one of them",
    ]


@pytest.mark.parametrize(
    ("changes", "problem", "remedy"),
    [
        ({"TRTC_SDK_APP_ID": "0"}, "TRTC_SDK_APP_ID='0' cannot be used", "set it to the SDKAppID, an integer above 0"),
        ({"TRTC_SECRET_KEY": "a\nb"}, "TRTC_SECRET_KEY: an empty string", "set it to a non-empty string"),
        ({"TRTC_BASE_URL": "http://host"}, "TRTC_BASE_URL='http://host' cannot be used", "set it to an https:// URL"),
        (
            {"TRTC_BASE_URL": "", "TRTC_REGION": "seoul", "HTTPS_PROXY": "ftp://x"},
            "HTTPS_PROXY or ALL_PROXY cannot be used",
            "set it to a URL such as 'http://host:3128'",
        ),
    ],
)
def test_problem_and_remedy_are_in_the_terms_of_a_shell(
    run: Run, changes: dict[str, str], problem: str, remedy: str
) -> None:
    """A line for the problem and one for the remedy name variables, not arguments."""
    lines = run("doctor", **changes).stdout.splitlines()
    assert lines[-2].startswith(f"FAIL  configuration  {problem}")
    assert lines[-1].strip().startswith(remedy)


def test_wrong_key_is_a_credential_matter(run: Run) -> None:
    """A key of another app ends with exit code 3 and the hint, and is not shown."""
    done = run("doctor", TRTC_SECRET_KEY="not-the-key-of-this-app")
    assert done.returncode == 3
    assert marks(done.stdout)["credentials"] == "FAIL"
    assert "not-the-key-of-this-app" not in done.stdout + done.stderr


def test_silence_is_a_network_matter(run: Run) -> None:
    """A port where nothing listens ends with exit code 5, and credentials are not sent there."""
    done = run("doctor", TRTC_BASE_URL="http://127.0.0.1:9")
    assert done.returncode == 5
    assert marks(done.stdout) == {"versions": "ok", "configuration": "ok", "network": "FAIL"}


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_that_are_gone_are_named(run: Run, tmp_path: Path, variable: str) -> None:
    """The variable and the path are the finding, not the network."""
    path = str(tmp_path / "gone")
    changes = {"SSL_CERT_FILE": "", "SSL_CERT_DIR": "", variable: path}
    done = run("doctor", TRTC_BASE_URL="https://127.0.0.1:9", **changes)
    assert done.returncode == 2
    assert marks(done.stdout) == {"versions": "ok", "configuration": "FAIL"}
    assert f"{variable}={path!r}: No such file or directory" in done.stdout


def test_plain_http_needs_no_certificates(run: Run, tmp_path: Path) -> None:
    """A sandbox is reached whatever SSL_CERT_FILE and the proxy variables name."""
    done = run("doctor", SSL_CERT_FILE=str(tmp_path / "gone"), HTTP_PROXY="http://127.0.0.1:1", NO_PROXY="[")
    assert done.returncode == 0, done.stdout


def test_clock_that_is_far_off_fails(run: Run) -> None:
    """A clock ten minutes off is found by the service's Date, with exit code 2."""
    with scripted_service(answer_one, clock_skew=600) as environment:
        done = run("doctor", **environment)
    assert done.returncode == 2
    assert marks(done.stdout)["clock"] == "FAIL"
    assert "behind the service's" in done.stdout


def test_empty_account_is_told_of_the_older_service(run: Run) -> None:
    """No records at all are no failure, and explained."""
    with scripted_service(lambda _: page_answer([], 0, 0)) as environment:
        done = run("doctor", **environment)
    assert done.returncode == 0
    assert marks(done.stdout)["credentials"] == "note"
    assert "TUICallKit.call()" in done.stdout


def test_other_failure_of_the_service_is_shown(run: Run) -> None:
    """An error of the account comes with its code and hint, and exit code 5."""
    with scripted_service(lambda _: envelope(code=60020, info="package expired")) as environment:
        done = run("doctor", **environment)
    assert done.returncode == 5
    assert "error 60020: package expired" in done.stdout
    assert "Renew it" in done.stdout


@pytest.mark.parametrize(
    ("seconds", "mark", "text"),
    [
        (0, "ok", "agrees"),
        (4, "ok", "agrees"),
        (-30, "note", "30 s behind"),
        (31, "note", "30 s ahead of"),
        (3_600, "FAIL", "ahead of"),
    ],
)
def test_clock_is_judged_by_its_distance(seconds: float, mark: str, text: str) -> None:
    """A few seconds are the network's; some more are worth a note; a minute endangers signatures."""
    finding = judge_clock(formatdate(NOW, usegmt=True), NOW + seconds)
    assert finding.mark == mark
    assert text in finding.text


@pytest.mark.parametrize("date", ["", "yesterday", "Wed, 19 Feb 2025 10:17:22 +99999999999999999"])
def test_missing_date_is_no_failure(date: str) -> None:
    """A gateway that says no time leaves the clock unchecked."""
    assert judge_clock(date, NOW).mark == "note"


def test_finding_that_ends_badly_is_marked() -> None:
    """The mark follows from the exit code, then from the hint."""
    assert Finding("a", "b", "c", ExitCode.SERVICE).mark == "FAIL"


@pytest.mark.parametrize("home", [Region.FRANKFURT, None])
def test_region_that_answers_is_found(home: Region | None) -> None:
    """Of all regions the one that answers for the app is named, and none where none does."""

    def make_client(region: Region) -> CallRecordsClient:
        answer = page_answer([raw_record(1)], 1, 1) if region == home else envelope(code=60026)
        transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
        return CallRecordsClient(
            sdk_app_id=1, identifier="a", secret_key="k", region=region, transport=transport, attempts=1
        )

    assert asyncio.run(find_region(make_client)) is home


def answer_one(_: dict[str, Any]) -> dict[str, Any]:
    return page_answer([raw_record(1)], 1, 1)
