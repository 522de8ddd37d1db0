"""The figures, their comparison, and the subject of a report: the same in text, JSON and page."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from summed import START, call, sum_up

from trtc_records import CallResult
from trtc_records.summary import ReportScope, Summary
from trtc_records.summary._figures import FIGURES

SCOPE = ReportScope(
    source="the service",
    sdk_app_id=1400000000,
    region="singapore",
    host="adminapisgp.im.qcloud.com",
    since=START,
    until=START + timedelta(days=1, microseconds=5),
    filters={"result": "NotAnswer", "type": "SingleCall"},
    made_at=datetime(2025, 2, 20, 12, 30, 5, tzinfo=UTC),
)


def read_text(text: str) -> dict[str, str]:
    """Return the rows of figures in a report's text, with lines put together."""
    rows: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        name = line[:24].strip() or name
        rows[name] = f"{rows.get(name, '')} {line[24:].strip()}".strip()
    return rows


def read_page(page: str) -> dict[str, list[str]]:
    """Return the cells of the table of figures, without the last one, the meaning."""
    table = re.search(r'<table class="figures">(.*?)</table>', page, re.DOTALL)
    assert table is not None
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</th>(.*?)</tr>", table[1])
    return {unescape(name): [unescape(cell) for cell in re.findall(r"<td>(.*?)</td>", row)] for name, row in rows}


def look_up(tree: dict[str, Any], path: str) -> Any:
    """Return the value at a path of JSON; it is an error if there is none."""
    for name in path.split("."):
        tree = tree[name]
    return tree


def make_summary() -> Summary:
    calls = [call(number, ring=number, talk=number * 4 or None) for number in range(8)]
    return sum_up(*calls, call(20, talk=None, call_result=CallResult.OFFLINE), scope=SCOPE)


@pytest.mark.parametrize("summary", [make_summary(), sum_up(call(talk=None)), sum_up(call(talk=0))])
def test_all_forms_show_the_same_figures(summary: Summary) -> None:
    """Text, page and JSON have every figure, by one table; an unknown one is n/a, in JSON null."""
    text, page, plain = read_text(summary.to_text(width=200)), read_page(summary.to_html()), summary.to_dict()
    assert [name for name in text if name in page] == list(page) == [figure.label for figure in FIGURES]
    for figure in FIGURES:
        assert page[figure.label] == [text[figure.label]]
        value = look_up(plain, figure.path)
        assert (value is None) == (text[figure.label] == "n/a")
    assert json.loads(json.dumps(plain)) == plain


def test_all_figures_are_documented() -> None:
    """The page of documentation has each figure by the name that reports use, and by its path in JSON."""
    page = (Path(__file__).parents[2] / "docs" / "howto" / "summary.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in page.splitlines() if "| `" in line]
    documented: dict[str, str] = {}
    for names, paths in rows:
        first, *others = re.findall(r"`([^`]*)`", paths) or [""]
        branch = first.rpartition(".")[0]
        documented |= dict(zip(names.split("; "), [first, *(branch + path for path in others)], strict=False))
    assert {figure.label: documented.get(figure.label) for figure in FIGURES} == {
        figure.label: figure.path for figure in FIGURES
    }


@pytest.mark.parametrize("width", [40, 200])
def test_all_forms_show_the_same_comparison(width: int) -> None:
    """Each figure has its value now, before and its change in text, page and JSON."""
    summary, before = make_summary(), sum_up(*[call(number) for number in range(4)])
    text = read_text(summary.to_text(width=width, before=before))
    page, plain = read_page(summary.to_html(before=before)), summary.to_dict(before=before)
    assert plain["comparison"]["figures"].keys() == {figure.path for figure in FIGURES}
    for figure in FIGURES:
        now, then, change = page[figure.label]
        assert text[figure.label] == (
            f"{now} (before {then})" if change == "n/a" else f"{now} (before {then}, {change})"
        )
        compared = plain["comparison"]["figures"][figure.path]
        assert compared["now"] == look_up(plain, figure.path)
        assert (compared["change"] is None) == (change == "n/a")
    assert page["calls"] == ["9", "4", "+125.0%"]
    assert page["answered share (ASR)"] == ["77.8%", "100%", "-22.2 points"]
    assert page["mean talk time (ACD)"] == ["16 s", "1 min 00 s", "-44 s"]
    assert page["callers"] == ["1", "1", "no change"]
    assert plain["comparison"]["figures"]["asr"] == {
        "now": 0.7778,
        "before": 1.0,
        "change": -0.2222,
        "change_share": -0.2222,
    }


def test_lower_bound_is_shown_as_one() -> None:
    """With more callers than are counted exactly, text and page say so, and no change of them is made up."""
    few = sum_up(call(caller="a"))
    many = sum_up(*[call(number, caller=f"caller {number}") for number in range(2_001)])
    for now, before, shown in ((many, few, ["2,001+", "1", "n/a"]), (few, many, ["1", "2,001+", "n/a"])):
        assert read_page(now.to_html(before=before))["callers"] == shown
        assert read_text(now.to_text(before=before))["callers"] == f"{shown[0]} (before {shown[1]})"
        compared = now.to_dict(before=before)["comparison"]["figures"]["callers"]
        assert (compared["change"], compared["change_share"]) == (None, None)
    assert read_text(few.to_text(before=few))["callers"] == "1 (before 1, no change)"


def test_comparison_with_nothing_has_no_percent() -> None:
    """Where the earlier window has no call, counts change by a number, and medians not at all."""
    page = read_page(make_summary().to_html(before=Summary()))
    assert page["calls"] == ["9", "0", "+9"]
    assert page["answered share (ASR)"] == ["77.8%", "n/a", "n/a"]
    assert page["talk time, median"][1:] == ["n/a", "n/a"]


def test_window_without_calls_is_compared_too() -> None:
    """A window in which nobody called, after one with calls, is a finding."""
    before = sum_up(call())
    summary = Summary()
    assert "No calls." in summary.to_text(before=before)
    assert read_page(summary.to_html(before=before))["calls"] == ["0", "1", "-100.0%"]
    assert read_text(summary.to_text(before=before))["calls"] == "0 (before 1, -100.0%)"


@pytest.mark.parametrize(
    ("result", "answered", "delivered"),
    [
        ("NormalEnd", True, True),
        ("Cancel", False, True),
        ("Reject", False, True),
        ("NotAnswer", False, True),
        ("CallBusy", False, True),
        ("Interrupt", False, False),
        ("Offline", False, False),
        ("Interrupt", True, True),
        ("Offline", True, True),
        ("Forwarded", False, False),
        (7, False, False),
    ],
)
def test_delivered_calls_reached_the_callee(result: str | int, answered: bool, delivered: bool) -> None:
    """NER counts answers, no answers, busy and rejects, as E.425 does, and every call that was answered."""
    got = sum_up(call(talk=9 if answered else None, call_result=result)).result
    assert (got.asr, got.ner) == (float(answered), float(delivered))


def test_figures_follow_their_formulas() -> None:
    """ASR is answered by calls, ACD talk by answered, and short calls talk for less than 6 seconds."""
    calls = [call(1, ring=3, talk=5), call(2, ring=9, talk=6), call(3, ring=30, talk=None), call(4, ring=8, talk=0)]
    unknown = call(5, ring=1, talk=9, end_time=None)
    result = sum_up(*calls, unknown).result
    assert (result.asr, result.ner, result.short_calls) == (4 / 5, 1.0, 2)
    assert result.acd == timedelta(seconds=11) / 3
    assert (result.answer_time.count, result.answer_time.median) == (4, timedelta(seconds=3))
    assert (result.ring_time.count, result.ring_time.longest) == (5, timedelta(seconds=30))


def test_every_form_names_its_subject() -> None:
    """App, region, host, source, window, filters and time of making stand in text, JSON and page."""
    summary = sum_up(call(), scope=SCOPE, zone=ZoneInfo("Asia/Singapore"))
    text = " ".join(summary.to_text(width=60).split())
    page = re.sub(r"<[^>]*>", " ", summary.to_html())
    for words in (
        "1400000000",
        "singapore (adminapisgp.im.qcloud.com)",
        "the service",
        "2025-02-19 18:17:22 to 2025-02-20 18:17:22, Asia/Singapore",
        "result NotAnswer, type SingleCall",
        "2025-02-20 12:30:05 UTC by trtc-records ",
        "every figure is of these calls alone",
    ):
        assert words in text
        assert words in " ".join(page.split())
    assert summary.to_dict()["report"] == {
        "source": "the service",
        "sdk_app_id": 1400000000,
        "region": "singapore",
        "host": "adminapisgp.im.qcloud.com",
        "since": "2025-02-19T18:17:22+08:00",
        "until": "2025-02-20T18:17:22+08:00",
        "filters": {"result": "NotAnswer", "type": "SingleCall"},
        "made_at": "2025-02-20T12:30:05+00:00",
        "version": summary.to_dict()["report"]["version"],
    }


@pytest.mark.parametrize("calls", [0, 1])
def test_incomplete_report_is_marked_in_every_form(calls: int) -> None:
    """A report that may lack calls is marked in text, JSON and page, with or without calls; others are not."""
    summary = sum_up(*[call()] * calls, scope=SCOPE)
    assert (summary.result.complete, summary.to_dict()["complete"]) == (True, True)
    assert "Incomplete" not in summary.to_text()
    assert 'class="banner"' not in summary.to_html()
    for reason in ("the service repeats <page 3>", "another", "another"):
        summary.add_missing(reason)
    assert "Incomplete, calls may be missing: the service repeats <page 3>\n" in summary.to_text()
    assert summary.to_dict()["complete"] is False
    assert summary.to_dict()["missing"] == ["the service repeats <page 3>", "another"]
    page = summary.to_html()
    assert '<ul class="banner" role="alert">' in page
    assert "<b>Incomplete, calls may be missing</b>: the service repeats &lt;page 3&gt;" in page


def test_incomplete_comparison_is_marked_in_every_form() -> None:
    """A comparison with a window that may lack calls says which of the two."""
    summary, before = sum_up(call()), sum_up(call(), scope=SCOPE)
    before.add_missing("records have expired")
    assert "Incomplete before, calls may be missing: records have expired" in summary.to_text(before=before)
    assert "<b>Incomplete before, calls may be missing</b>: records" in summary.to_html(before=before)
    plain = summary.to_dict(before=before)
    assert (plain["complete"], plain["comparison"]["complete"]) == (True, False)
    assert plain["comparison"]["missing"] == ["records have expired"]


def test_window_of_a_comparison_is_in_its_own_zone() -> None:
    """A comparison with a summary of another zone names that zone."""
    before = Summary(zone=ZoneInfo("Asia/Singapore"), scope=SCOPE)
    shown = read_text(sum_up(call(), scope=SCOPE).to_text(width=200, before=before))["compared with"]
    start = START.astimezone(ZoneInfo("Asia/Singapore"))
    assert shown.startswith(f"{start:%Y-%m-%d %H:%M:%S} to ")
    assert shown.endswith(", Asia/Singapore")


@pytest.mark.parametrize("reason", ["", None, 3])
def test_reason_must_be_a_text(reason: object) -> None:
    """A report cannot be marked without a reason."""
    with pytest.raises(ValueError, match=r"reason must be a text, got .*: write why calls may be missing"):
        Summary().add_missing(reason)  # type: ignore[arg-type]


def test_scope_is_safe_for_a_terminal_and_a_page() -> None:
    """A path with a line feed, an escape or a tag in it stays text."""
    nasty = "file \x1b[2J\n<script>\ud800"
    scope = ReportScope(source=nasty, region=nasty, host=nasty, filters={nasty: nasty})
    summary = sum_up(call(), scope=scope)
    assert "\x1b" not in summary.to_text()
    assert "<script>" not in summary.to_html()
    assert json.dumps(summary.to_dict(), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": ""}, "source must be a text, got ''"),
        ({"source": None}, "source must be a text, got None"),
        ({"region": 5}, "region must be a text, got 5: write 'singapore', or leave it out"),
        ({"host": b"x"}, "host must be a text, got b'x': write 'adminapisgp"),
        ({"sdk_app_id": "1400000000"}, "sdk_app_id must be an integer, got '1400000000': write 1400000000"),
        ({"since": START.replace(tzinfo=None)}, "since must be an aware datetime, got .*: write datetime.now"),
        ({"until": 1_739_960_242}, "until must be an aware datetime, got 1739960242"),
        ({"made_at": "now"}, "made_at must be an aware datetime, got 'now'"),
        ({"filters": {"result": 3}}, "filters must map texts to texts, got {'result': 3}: write"),
        ({"filters": "NotAnswer"}, "filters must map texts to texts, got 'NotAnswer': write"),
    ],
)
def test_scope_of_wrong_values_is_refused(arguments: dict[str, Any], message: str) -> None:
    """A value that a report could not show is an error when the scope is made, not when the report is."""
    with pytest.raises(ValueError, match=message):
        ReportScope(**{"source": "the service", **arguments})


@pytest.mark.parametrize("form", ["to_text", "to_dict", "to_html"])
def test_comparison_with_something_else_is_refused(form: str) -> None:
    """Only a summary can be compared with."""
    summary = Summary()
    with pytest.raises(
        ValueError, match=r"before must be a Summary or None, got SummaryResult\(.*: pass the summary of"
    ):
        getattr(summary, form)(before=summary.result)
