"""The report of a walk that may have missed records: to a function, or as a warning that is seen each time."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime

import attrs
import pytest
from moving_service import WINDOW_START

from trtc_records import IncompleteWalk, IncompleteWalkWarning
from trtc_records._api.query import Query
from trtc_records._walking.incomplete import report

QUERY = Query(start_time=WINDOW_START, end_time=WINDOW_START + 60, page_size=10)


@attrs.define
class EndedWalk:
    """The parts of a walk that a report reads."""

    doubts: list[str]
    yielded: int = 20
    expected: int | None = 50
    without_own_id: int = 0


def test_a_function_is_called_once_with_all_reasons() -> None:
    """Each reason is given once, with the numbers and both ends of the window."""
    reports: list[IncompleteWalk] = []
    report(EndedWalk(["one", "two", "one"]), QUERY, reports.append)  # type: ignore[arg-type]
    assert reports == [
        IncompleteWalk(
            reason="one; two",
            yielded=20,
            expected=50,
            start_time=datetime.fromtimestamp(WINDOW_START, UTC),
            end_time=datetime.fromtimestamp(WINDOW_START + 60, UTC),
        )
    ]


def test_a_whole_walk_reports_nothing() -> None:
    """Neither a call nor a warning."""
    reports: list[IncompleteWalk] = []
    report(EndedWalk([]), QUERY, reports.append)  # type: ignore[arg-type]
    report(EndedWalk([]), QUERY, None)  # type: ignore[arg-type]
    assert reports == []


def test_the_warning_is_given_each_time() -> None:
    """By Python's default filter a text is shown once per line of code; the third incomplete walk is shown as well."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            report(EndedWalk(["one"]), QUERY, None)  # type: ignore[arg-type]
    assert [warning.category for warning in caught] == [IncompleteWalkWarning] * 3
    assert {str(warning.message) for warning in caught} == {"a walk may have missed records: one"}
    assert {warning.filename for warning in caught} == {__file__}


@pytest.mark.parametrize("expected", [None, 7])
def test_the_count_may_be_unknown(expected: int | None) -> None:
    """``expected`` is as the walk has it."""
    reports: list[IncompleteWalk] = []
    report(EndedWalk(["one"], expected=expected), QUERY, reports.append)  # type: ignore[arg-type]
    assert [each.expected for each in reports] == [expected]
