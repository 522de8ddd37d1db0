"""``trtc-records summary``."""

from __future__ import annotations

import asyncio
import json
import shutil
import tomllib
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from cli_process import Run, is_short
from records import page_answer, raw_record
from scripted_service import scripted_service
from summed import call_at

from trtc_records import CallRecord, CallResult, CallType
from trtc_records.export import make_writer, read_records
from trtc_records.sandbox import Behaviour, Drift, Sandbox

NO_ACCOUNT = dict.fromkeys(
    ("TRTC_SDK_APP_ID", "TRTC_IDENTIFIER", "TRTC_SECRET_KEY", "TRTC_USER_SIG", "TRTC_REGION", "TRTC_BASE_URL"), ""
)
NOW = datetime.now(UTC).replace(microsecond=0)


def ago(**length: float) -> datetime:
    return NOW - timedelta(**length)


def write(path: Path | str, records: Iterable[CallRecord]) -> None:
    asyncio.run(make_writer(path).write(records))


def set_fields(directory: Path, name: str, **fields: object) -> None:
    """Change fields of a manifest."""
    path = directory / "_manifest" / f"{name}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_text_tells_of_every_call(run: Run, sandbox: Sandbox) -> None:
    """The text goes to stdout, with counts, times, hours and callers."""
    done = run("summary", "--since", "7d")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("450 calls, ")
    assert f"\nanswered                {sum(record.answered for record in sandbox.records)}\n" in done.stdout
    for heading in ("Results", "Calls by day (UTC)", "Calls by hour of the day (UTC)", "Top callers"):
        assert f"\n{heading}" in done.stdout


def test_json_is_all_there_is_on_stdout(run: Run, sandbox: Sandbox) -> None:
    """``--json`` prints one object that counts the sandbox's calls."""
    result = json.loads(run("summary", "--json", "--top", "3").stdout)
    assert result["calls"] == 450
    assert result["answered"] == sum(record.answered for record in sandbox.records)
    assert sum(result["hours"]) == sum(result["results"].values()) == 450
    assert len(result["top_callers"]) == 3


def test_zone_moves_the_hours(run: Run) -> None:
    """``--zone`` counts hours where the user is."""
    here = json.loads(run("summary", "--json").stdout)
    there = json.loads(run("summary", "--json", "--zone", "Asia/Singapore").stdout)
    assert there["zone"] == "Asia/Singapore"
    assert [there["hours"][(hour + 8) % 24] for hour in range(24)] == here["hours"]


@pytest.mark.parametrize("zone", ["Asia/Singapore", "utc"])
def test_zone_needs_no_database_of_the_system(run_process: Run, zone: str) -> None:
    """``--zone`` works on Windows and in slim images, which have no time zones."""
    done = run_process("summary", "--json", "--zone", zone, PYTHONTZPATH="")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["zone"].upper() == zone.upper()


def test_extra_brings_time_zones() -> None:
    """The extra of the command names the time zones, which other packages may stop to bring."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert any(name.startswith("tzdata") for name in project["optional-dependencies"]["cli"])


def test_page_is_written_beside_the_text(run: Run, tmp_path: Path) -> None:
    """``--html`` writes a page too, and says so."""
    done = run("summary", "--html", "report.html", "--sandbox")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("5,000 calls, ")
    assert "Wrote report.html" in done.stderr
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("path", ["no/such/report.html", "/proc/report.html", "."])
def test_page_that_cannot_be_written_is_found_out_first(run: Run, path: str) -> None:
    """A page that cannot be written is an error before the first request."""
    with Sandbox(records=5) as service:
        done = run("summary", "--html", path, **service.environment)
        assert (done.returncode, done.stdout, service.stats.requests) == (2, "", 0)
    assert f"cannot write {path}" in done.stderr
    assert "choose another --html" in done.stderr


def test_older_page_survives_a_failure(run: Run, tmp_path: Path) -> None:
    """A walk that fails leaves an older page, and nothing beside it."""
    (tmp_path / "report.html").write_text("older")
    assert run("summary", "--html", "report.html", TRTC_SECRET_KEY="not-the-key").returncode == 3
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("report.html", "older")]


def test_terminal_without_unicode_is_served(run_process: Run) -> None:
    """Block characters that stdout's encoding lacks become question marks, not a failure."""
    done = run_process("summary", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "?" in done.stdout


def test_record_that_cannot_be_read_is_counted_out(run: Run) -> None:
    """A bad record is left out of the numbers, said, and makes exit code 4."""
    records = [raw_record(1), {}]
    with scripted_service(lambda body: page_answer(records if body["Page"] == 1 else [], body["Page"] % 2, 2)) as there:
        done = run("summary", **there)
    assert done.returncode == 4
    assert done.stdout.startswith("1 call, ")
    assert "1 record could not be read and is left out" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "explanation"),
    [
        (["--zone", "Mars/Olympus"], "'Mars/Olympus' is not a time zone"),
        (["--zone", "../etc"], "is not a time zone"),
        (["--top", "-1"], "--top"),
        (["--html", "no/such/report.html"], "cannot write no/such/report.html"),
    ],
)
def test_bad_argument_is_explained(run: Run, arguments: list[str], explanation: str) -> None:
    """A bad argument is named, with exit code 2."""
    done = run("summary", *arguments)
    assert done.returncode == 2
    assert explanation in done.stderr
    assert is_short(done.stderr)


@pytest.mark.parametrize("form", ["jsonl", "jsonl.gz", "csv", "parquet"])
def test_file_is_summarized_without_an_account(run: Run, sandbox: Sandbox, form: str) -> None:
    """``--input`` reads a file of any format, and gives the figures that the service's records have."""
    if form == "parquet":
        pytest.importorskip("pyarrow")
    assert run("export", "-o", f"calls.{form}").returncode == 0
    done = run("summary", "--json", "--input", f"calls.{form}", **NO_ACCOUNT)
    assert (done.returncode, done.stderr) == (0, "")
    from_file, from_service = json.loads(done.stdout), json.loads(run("summary", "--json").stdout)
    subject = from_file.pop("report")
    assert subject["source"] == f"file calls.{form}"
    assert {subject[name] for name in ("sdk_app_id", "region", "host", "since", "until")} == {None}
    assert from_service.pop("report")["source"] == "the service"
    assert from_file == from_service
    assert from_file["redials"] is not None
    assert from_file["peak"]["calls"] >= 1


def test_filters_apply_to_a_file(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """``--since``, ``--until``, ``--result`` and ``--type`` choose the calls of a file, and the report names them."""
    write(tmp_path / "calls.jsonl", sandbox.records)
    since, until = ago(days=5), ago(days=2)
    wanted = [
        record
        for record in sandbox.records
        if since <= record.start_time <= until
        and (record.call_result, record.call_type) == (CallResult.NOT_ANSWER, CallType.SINGLE_CALL)
    ]
    window = ("--since", since.isoformat(), "--until", until.isoformat())
    filters = ("--result", "not-answer", "--type", "SingleCall")
    done = run("summary", "--json", "-i", "calls.jsonl", *window, *filters, **NO_ACCOUNT)
    result = json.loads(done.stdout)
    assert 0 < result["calls"] == len(wanted) < len(sandbox.records)
    assert result["report"]["filters"] == {"result": "NotAnswer", "type": "SingleCall"}
    assert (result["report"]["since"], result["report"]["until"]) == (since.isoformat(), until.isoformat())


def test_old_file_needs_no_service(run: Run, tmp_path: Path) -> None:
    """Calls of last year are summarized, although the service keeps 7 days."""
    write(tmp_path / "calls.csv", [call_at(ago(days=400), talk=60), call_at(ago(days=300), talk=60)])
    done = run("summary", "-i", "calls.csv", "--until", str(ago(days=350).date()), **NO_ACCOUNT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("1 call, ")


def test_archive_is_summarized_with_its_app(run: Run, sandbox: Sandbox) -> None:
    """An archive names its app; the day in which it begins counts as incomplete only for a window with a start."""
    assert run("archive", "calls", "--format", "jsonl").returncode == 0
    done = run("summary", "--json", "--input", "calls", **NO_ACCOUNT)
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    assert (result["calls"], result["complete"]) == (450, True)
    assert result["report"]["sdk_app_id"] == sandbox.credentials["sdk_app_id"]
    assert result["report"]["source"] == "archive calls"
    done = run("summary", "--json", "--input", "calls", "--since", "30d", **NO_ACCOUNT)
    assert done.returncode == 4
    result = json.loads(done.stdout)
    assert result["complete"] is False
    first = min(record.start_time for record in sandbox.records).date()
    assert any(f"{first} is not complete in the archive" in reason for reason in result["missing"])
    assert any(reason.startswith("the archive begins at") for reason in result["missing"])
    done = run("summary", "--input", "calls", "--since", "3d", **NO_ACCOUNT)
    assert (done.returncode, "Incomplete" in done.stdout) == (0, False)


def test_archive_with_gaps_is_marked(run: Run, tmp_path: Path) -> None:
    """A report names days that are not complete, records that could not be read, and the end of the archive."""
    assert run("archive", "calls", "--format", "jsonl").returncode == 0
    day = ago(days=2).date()
    set_fields(tmp_path / "calls", str(day), complete=False, reason="a page was repeated", rejects=3)
    done = run("summary", "--json", "--html", "r.html", "-i", "calls", "--since", "3d", **NO_ACCOUNT)
    assert done.returncode == 4
    expected = [
        f"{day} is not complete in the archive: a page was repeated",
        f"records of {day} that could not be read: 3",
    ]
    assert json.loads(done.stdout)["missing"] == expected
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert all(reason in page for reason in expected)
    elsewhere = ("--since", "1d", "--until", (NOW + timedelta(days=9)).isoformat())
    done = run("summary", "-i", "calls", *elsewhere, **NO_ACCOUNT)
    assert (done.returncode, str(day) in done.stdout) == (4, False)
    assert "Incomplete, calls may be missing: the archive was last read at" in done.stdout
    (tmp_path / "calls" / "_manifest" / f"{day}.json").write_text("{")
    done = run("summary", "-i", "calls", **NO_ACCOUNT)
    assert done.returncode == 2
    assert f"{day}.json cannot be read" in done.stderr
    assert "hint: trtc-records archive calls" in done.stderr


def test_archive_without_a_file_or_a_day_is_marked(run: Run, tmp_path: Path) -> None:
    """A report names files that are gone or cut at the end of a line, and days without a file and a manifest."""
    assert run("archive", "calls", "--format", "csv").returncode == 0
    gone, cut, lost = (ago(days=number).date() for number in (5, 4, 2))
    files = {day: Path("calls", f"start_date={day}", "calls.csv") for day in (gone, cut, lost)}
    (tmp_path / files[gone]).unlink()
    lines = (tmp_path / files[cut]).read_bytes().splitlines(keepends=True)
    (tmp_path / files[cut]).write_bytes(b"".join(lines[:-5]))
    (tmp_path / files[lost]).unlink()
    (tmp_path / "calls" / "_manifest" / f"{lost}.json").unlink()
    after = lost + timedelta(days=1)
    expected = [
        f"the archive has no manifest for {lost} 00:00:00 UTC to {after} 00:00:00 UTC",
        f"{files[gone]} is missing",
        f"{files[cut]} differs from its manifest",
    ]
    done = run("summary", "--json", "-i", "calls", **NO_ACCOUNT)
    assert (done.returncode, json.loads(done.stdout)["missing"]) == (4, expected)
    days = ("--since", str(after), "--until", str(after))
    done = run("summary", "--json", "-i", "calls", *days, **NO_ACCOUNT)
    assert (done.returncode, json.loads(done.stdout)["missing"]) == (0, [])
    (tmp_path / files[cut]).write_bytes(b"")
    done = run("summary", "-i", "calls", **NO_ACCOUNT)
    assert done.returncode == 2
    assert "hint: trtc-records archive calls --verify lists all damaged files" in done.stderr


def test_archive_without_manifests_is_marked(run: Run, tmp_path: Path) -> None:
    """Without any manifest, nothing says that the files of a directory are complete."""
    assert run("archive", "calls", "--format", "jsonl").returncode == 0
    shutil.rmtree(tmp_path / "calls" / "_manifest")
    done = run("summary", "--json", "-i", "calls", **NO_ACCOUNT)
    result = json.loads(done.stdout)
    assert (done.returncode, result["calls"]) == (4, 450)
    assert result["missing"] == ["calls has no manifests that say which days are complete"]


def test_window_ends_with_the_archive(run: Run, tmp_path: Path) -> None:
    """An archive that was last read days ago is compared by windows of the same length, both of which it has."""
    assert run("archive", "calls", "--format", "jsonl", "--until", str(ago(days=3).date())).returncode == 0
    end = datetime.combine(ago(days=2).date(), time(), UTC)
    done = run("summary", "--json", "-i", "calls", "--compare", "1d", **NO_ACCOUNT)
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    assert result["report"]["since"] == (end - timedelta(days=1, seconds=-1)).isoformat()
    assert result["report"]["until"] == end.isoformat()
    assert result["comparison"]["report"]["until"] == (end - timedelta(days=1)).isoformat()
    assert result["calls"] > 0 < result["comparison"]["figures"]["calls"]["before"]
    done = run("summary", "-i", "calls", "--since", "1d", **NO_ACCOUNT)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"is not before {end:%Y-%m-%d} 00:00:00 UTC, when the archive was last read" in done.stderr
    done = run("summary", "-i", "calls", "--until", str(ago(days=2).date()), **NO_ACCOUNT)
    assert done.returncode == 4
    assert f"Incomplete, calls may be missing: the archive was last read at {end:%Y-%m-%d}" in done.stdout


def test_day_that_was_read_before_its_end_is_marked(run: Run, tmp_path: Path) -> None:
    """A day within an archive that no later run has read to its end lacks calls, whatever it says."""
    assert run("archive", "calls", "--format", "jsonl").returncode == 0
    day = ago(days=2).date()
    set_fields(tmp_path / "calls", str(day), read_at=f"{day}T12:00:00+00:00")
    done = run("summary", "--json", "-i", "calls", "--since", "4d", **NO_ACCOUNT)
    assert done.returncode == 4
    assert json.loads(done.stdout)["missing"] == [f"{day} was last read at {day} 12:00:00 UTC, before its end"]


def test_archive_of_a_newer_version_is_refused(run: Run, tmp_path: Path) -> None:
    """Columns that this version does not know are not summed up; of files of two apps, none is named."""
    assert run("archive", "calls", "--format", "jsonl").returncode == 0
    day = str(ago(days=2).date())
    set_fields(tmp_path / "calls", day, sdk_app_id=1400000001)
    done = run("summary", "--json", "-i", "calls", **NO_ACCOUNT)
    assert json.loads(done.stdout)["report"]["sdk_app_id"] is None
    set_fields(tmp_path / "calls", day, schema_version=99)
    done = run("summary", "-i", "calls", **NO_ACCOUNT)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--input calls: the archive was written by a newer version of trtc-records" in done.stderr


def test_only_days_of_the_window_are_read(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """Days of an archive that lie outside the window are not read; a file without a manifest is, and is named."""
    assert run("archive", "calls", "--format", "jsonl").returncode == 0
    days = [ago(days=number).date() for number in (5, 2)]
    (tmp_path / "calls" / f"start_date={days[0]}" / "calls.jsonl").write_text("{")
    (tmp_path / "calls" / "_manifest" / f"{days[1]}.json").unlink()
    done = run("summary", "--json", "-i", "calls", "--since", "3d", **NO_ACCOUNT)
    assert done.returncode == 4, done.stderr
    result = json.loads(done.stdout)
    assert result["missing"] == [
        f"the archive has no manifest for {days[1]} 00:00:00 UTC to {days[1] + timedelta(days=1)} 00:00:00 UTC",
        f"{Path('calls', f'start_date={days[1]}', 'calls.jsonl')} has no manifest that says whether it is complete",
    ]
    since = datetime.fromisoformat(result["report"]["since"])
    assert result["calls"] == sum(record.start_time >= since for record in sandbox.records)
    assert any(day["day"] == str(days[1]) for day in result["days"])
    done = run("summary", "-i", "calls", **NO_ACCOUNT)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"start_date={days[0]}/calls.jsonl is damaged" in done.stderr


def test_windows_of_an_archive_are_compared(run: Run, tmp_path: Path) -> None:
    """``--compare`` alone compares the last days with those before; each call is in one window."""
    starts = [ago(days=1), ago(days=6), ago(days=8), ago(days=9), ago(days=13), ago(days=15)]
    write(tmp_path / "calls.jsonl", [call_at(start, talk=60) for start in starts])
    done = run("summary", "--json", "-i", "calls.jsonl", "--compare", "7d", **NO_ACCOUNT)
    assert (done.returncode, done.stderr) == (0, "")
    comparison = json.loads(done.stdout)["comparison"]
    assert comparison["figures"]["calls"] == {"now": 2, "before": 3, "change": -1, "change_share": -0.3333}
    text = run("summary", "-i", "calls.jsonl", "--compare", "7d", "--html", "r.html", **NO_ACCOUNT).stdout
    assert "\ncalls                   2 (before 3, -33.3%)\n" in text
    assert "\ncompared with           " in text
    assert "<td>2</td><td>3</td><td>-33.3%</td>" in (tmp_path / "r.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("since", [["--since", "2025-03-10"], []])
def test_days_are_compared_with_the_same_days_before(run: Run, tmp_path: Path, since: list[str]) -> None:
    """Whole days shifted by a week are whole days; a call at their first second is in one window."""
    midnight = datetime(2025, 3, 10, tzinfo=UTC)
    starts = [midnight, midnight - timedelta(seconds=1), midnight - timedelta(days=7), midnight - timedelta(days=8)]
    write(tmp_path / "calls.jsonl", [call_at(start, talk=60) for start in starts])
    window = (*since, "--until", "2025-03-16", "--compare", "7d")
    done = run("summary", "--json", "-i", "calls.jsonl", *window, **NO_ACCOUNT)
    comparison = json.loads(done.stdout)["comparison"]
    assert (comparison["figures"]["calls"]["now"], comparison["figures"]["calls"]["before"]) == (1, 2)
    assert comparison["report"]["since"] == "2025-03-03T00:00:00+00:00"
    assert comparison["report"]["until"] == "2025-03-09T23:59:59+00:00"


def test_service_is_compared_within_its_days(run: Run, sandbox: Sandbox) -> None:
    """Two windows that the service still has are read from it, each with its own calls."""
    done = run("summary", "--json", "--since", "2d", "--compare", "2d")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    since, before = (datetime.fromisoformat(each["report"]["since"]) for each in (result, result["comparison"]))
    assert timedelta(days=2) == since - before
    starts = [record.start_time for record in sandbox.records]
    assert result["calls"] == sum(start >= since for start in starts)
    assert result["comparison"]["figures"]["calls"]["before"] == sum(before <= start < since for start in starts) > 0
    assert (result["complete"], result["comparison"]["complete"]) == (True, True)


def test_comparison_that_has_partly_expired_is_marked(run: Run) -> None:
    """A window of which the service has dropped a part is compared, and marked in text, JSON and page."""
    window = ("--since", "4d", "--compare", "4d")
    done = run("summary", *window, "--html", "r.html")
    assert "warning: records from before" in done.stderr
    text = " ".join(done.stdout.split())
    assert "Incomplete before, calls may be missing: records from before" in text
    assert "Incomplete, calls" not in text
    comparison = json.loads(run("summary", *window, "--json").stdout)["comparison"]
    assert comparison["complete"] is False
    assert "have expired" in comparison["missing"][0]
    assert "<b>Incomplete before, calls may be missing</b>: records" in Path("r.html").read_text(encoding="utf-8")


def test_comparison_that_has_expired_is_refused_first(run: Run) -> None:
    """A window that the service has dropped is an error before the first request, with the way out."""
    with Sandbox(records=5) as service:
        done = run("summary", "--since", "7d", "--compare", "7d", **service.environment)
        assert (done.returncode, done.stdout, service.stats.requests) == (2, "", 0)
    assert "and the service keeps 7 days" in done.stderr
    assert "--since 1d --compare 1d, or read an archive with --input DIR" in done.stderr


@pytest.mark.parametrize("form", ["text", "json"])
def test_incomplete_walk_is_marked_everywhere(run: Run, tmp_path: Path, form: str) -> None:
    """A walk under which records expire is marked in text, JSON and page, with exit code 4."""
    arguments = ("summary", "--html", "r.html", "--page-size", "5", *(["--json"] if form == "json" else []))
    with Sandbox(records=120, drift=Drift(expiries=1.0)) as moving:
        done = run(*arguments, **moving.environment)
    assert done.returncode == 4
    if form == "text":
        assert "\nIncomplete, calls may be missing: a walk may have missed records" in done.stdout
    else:
        result = json.loads(done.stdout)
        assert result["complete"] is False
        assert result["missing"][0].startswith("a walk may have missed records")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert '<ul class="banner" role="alert"><li><b>Incomplete, calls may be missing</b>: a walk' in page


def test_record_that_cannot_be_read_makes_the_report_incomplete(run: Run) -> None:
    """Records that are left out are named in the report itself."""
    records = [raw_record(1), {}, {"CallId": "a"}]
    with scripted_service(lambda body: page_answer(records if body["Page"] == 1 else [], body["Page"] % 2, 3)) as there:
        result = json.loads(run("summary", "--json", **there).stdout)
    assert (result["calls"], result["complete"]) == (1, False)
    assert "2 records could not be read and are left out" in result["missing"]


@pytest.mark.parametrize("source", ["calls.jsonl", "calls"])
def test_page_does_not_replace_its_input(run: Run, tmp_path: Path, source: str) -> None:
    """A page in the place of the records that it is about is refused, also by another name."""
    records = [call_at(ago(days=1), talk=60)]
    (tmp_path / "calls").mkdir()
    for name in ("calls.jsonl", "calls/calls.jsonl"):
        write(tmp_path / name, records)
    path = "calls/../calls.jsonl" if source == "calls.jsonl" else "calls/calls.jsonl"
    done = run("summary", "-i", source, "--html", path, **NO_ACCOUNT)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"--html {path} is a file of --input" in done.stderr
    assert list(read_records(tmp_path / path)) == records
    (tmp_path / "report.html").touch()
    assert run("summary", "-i", "calls.jsonl", "--html", "report.html", **NO_ACCOUNT).returncode == 0


@pytest.mark.parametrize("known", [True, False])
def test_filters_do_not_depend_on_the_service(run: Run, known: bool) -> None:
    """A service that ignores a filter changes no figure; values that only it understands are left to it."""
    names: list[object] = ["NotAnswer", "NormalEnd"] if known else [4, 1]
    kinds = ["SingleCall", "MultiCall"] if known else ["Two", "Many"]
    start = int(ago(hours=1).timestamp())
    records = [
        {**raw_record(number), "StartTime": start, "CallResult": names[number % 2], "CallType": kinds[number // 2 % 2]}
        for number in range(8)
    ]
    with scripted_service(lambda body: page_answer(records if body["Page"] == 1 else [], body["Page"] % 2, 8)) as there:
        counts = []
        for filters in ([], ["--result", "NotAnswer"], ["--type", "MultiCall"]):
            done = run("summary", "--json", *filters, **there)
            assert done.returncode == 0, done.stderr
            counts.append(json.loads(done.stdout)["calls"])
        exported = run("export", "--result", "NotAnswer", "--type", "MultiCall", **there)
    assert counts == ([8, 4, 4] if known else [8, 8, 8])
    assert len(exported.stdout.splitlines()) == (2 if known else 8)


def test_report_says_what_it_is(run: Run, sandbox: Sandbox) -> None:
    """App, host, window, filters and time of making stand in text, JSON and page, and no credential does."""
    arguments = ("--since", "2d", "--result", "NotAnswer", "--zone", "Asia/Singapore", "--html", "r.html")
    done, plain = run("summary", *arguments), run("summary", *arguments, "--json")
    page = Path("r.html").read_text(encoding="utf-8")
    report = json.loads(plain.stdout)["report"]
    host = sandbox.base_url.removeprefix("http://")
    assert (report["sdk_app_id"], report["host"], report["region"]) == (sandbox.credentials["sdk_app_id"], host, None)
    assert report["filters"] == {"result": "NotAnswer"}
    assert report["since"].endswith("+08:00")
    for words in ("1400000000", f"({host})", "result NotAnswer", "Asia/Singapore", "by trtc-records "):
        assert words in done.stdout
        assert words in page
    for output in (done.stdout, done.stderr, plain.stdout, page):
        assert sandbox.credentials["secret_key"] not in output


def test_embedded_sandbox_is_named(run: Run) -> None:
    """A report on made-up calls says so."""
    done = run("summary", "--sandbox", "--html", "r.html", **NO_ACCOUNT)
    assert "source                  embedded sandbox, made-up calls\n" in done.stdout
    assert "embedded sandbox, made-up calls" in Path("r.html").read_text(encoding="utf-8")


def test_calls_that_arrive_meanwhile_do_not_break_the_figures(run: Run) -> None:
    """Figures of a service whose data move are those of whole calls: shares, hours and days add up."""
    with Sandbox(records=400, drift=Drift(arrivals=0.5, anywhere=True), behaviour=Behaviour(order="descending")) as it:
        result = json.loads(run("summary", "--json", "--page-size", "20", **it.environment).stdout)
    assert result["complete"] is True
    assert result["calls"] >= 400
    assert sum(day["calls"] for day in result["days"]) == sum(result["hours"]) == result["calls"]
    talk = sum(hour["erlangs"] for hour in result["traffic"]) * 3_600
    assert talk == pytest.approx(result["talk_seconds"]["total"], rel=1e-3)
    assert result["peak"]["calls"] >= result["busy_hour"]["erlangs"]
    assert result["ner"] >= result["asr"] > 0


@pytest.mark.parametrize(
    ("arguments", "explanation"),
    [
        (["--input", "-"], "--input -: stdin cannot be read"),
        (["--input", ""], "--input='': pass a path"),
        (["--input", "empty.jsonl.gz"], "empty.jsonl.gz is damaged after 0 records: it is empty"),
        (["--input", "no.jsonl"], "cannot read --input no.jsonl: No such file"),
        (["--input", "calls.txt"], "'calls.txt' ends in none of .jsonl"),
        (["--input", "empty"], "empty is no archive"),
        (["--input", "calls.jsonl"], "calls.jsonl is damaged after 0 records"),
        (["--input", "calls.jsonl", "--sandbox"], "--input and --sandbox are two sources"),
        (["--input", "calls.jsonl", "--since", "2d", "--compare", "1d"], "--compare is shorter than the window"),
        (["--compare", "0d"], "--compare 0 leaves no time between the windows"),
        (["--compare", "week"], "'week' is not a length of time"),
        (["--compare", "99999999w"], "--compare leads to a time before the year 1"),
        (["--since", "1d", "--compare", "99999999w"], "--compare leads to a time before the year 1"),
    ],
)
def test_bad_input_is_explained(run: Run, tmp_path: Path, arguments: list[str], explanation: str) -> None:
    """A source or a comparison that cannot be used is named, with the remedy and exit code 2."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "calls.txt").write_text("")
    (tmp_path / "empty.jsonl.gz").write_bytes(b"")
    (tmp_path / "calls.jsonl").write_text("{\n")
    done = run("summary", *arguments, **NO_ACCOUNT)
    assert (done.returncode, done.stdout) == (2, "")
    assert explanation in done.stderr
    assert is_short(done.stderr)
