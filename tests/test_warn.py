"""Warnings: they point at the caller's own line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from trtc_records._api.query import Query
from trtc_records._errors import IncompleteWalkWarning, RetentionWarning
from trtc_records._walking.window import check_window
from trtc_records._warn import collect_warnings, warn_caller

NOW = 1_800_000_000


def call_from(module: str, call: Callable[[], None]) -> Callable[[], None]:
    """Return a function of a module named *module*, in a file of the same name, that calls *call*."""
    namespace: dict[str, Any] = {"__name__": module, "call": call}
    exec(compile("def caller():\n    call()\n", f"<{module}>", "exec"), namespace)
    caller: Callable[[], None] = namespace["caller"]
    return caller


def test_a_warning_points_at_the_line_that_called() -> None:
    """File and line are those of the code that called the library, and the text is whole."""
    line = sys._getframe().f_lineno + 2
    with pytest.warns(IncompleteWalkWarning, match="^records may be missing$") as caught:
        warn_caller("records may be missing", IncompleteWalkWarning)
    assert [(warning.filename, warning.lineno) for warning in caught] == [(__file__, line)]


def test_a_query_is_warned_about_where_it_is_made() -> None:
    """The line is the caller's, and not the one inside the library that found the reason."""
    line = sys._getframe().f_lineno + 2
    with pytest.warns(RetentionWarning) as caught:
        check_window(Query(start_time=NOW - 30 * 86_400, page_size=1), NOW)
    assert [(warning.filename, warning.lineno) for warning in caught] == [(__file__, line)]


@pytest.mark.parametrize("depth", [1, 2, 10])
@pytest.mark.parametrize("module", ["trtc_records", "trtc_records._walking.walk", "trtc_records.export.csv"])
def test_every_frame_of_the_library_is_passed_over(module: str, depth: int) -> None:
    """However many of the library's own calls lie between, the caller's line is found."""
    call: Callable[[], None] = partial(warn_caller, "x", IncompleteWalkWarning)
    for _ in range(depth):
        call = call_from(module, call)
    line = sys._getframe().f_lineno + 2
    with pytest.warns(IncompleteWalkWarning) as caught:
        call()
    assert [(warning.filename, warning.lineno) for warning in caught] == [(__file__, line)]


@pytest.mark.parametrize("module", ["trtc_records_tools", "app.trtc_records", "__main__"])
def test_a_look_alike_of_the_library_is_the_caller(module: str) -> None:
    """A package whose name only begins like the library's is the caller."""
    with pytest.warns(IncompleteWalkWarning) as caught:
        call_from(module, partial(warn_caller, "x", IncompleteWalkWarning))()
    assert [(warning.filename, warning.lineno) for warning in caught] == [(f"<{module}>", 2)]


def test_warnings_can_be_collected_instead() -> None:
    """Collected warnings are returned as values and not shown."""
    with collect_warnings() as outer:
        warn_caller("one", IncompleteWalkWarning)
        with collect_warnings() as inner:
            warn_caller("two", RetentionWarning)
        warn_caller("three", IncompleteWalkWarning)
    assert [str(warning) for warning in outer] == ["one", "three"]
    assert [type(warning) for warning in inner] == [RetentionWarning]
    with pytest.warns(RetentionWarning, match="four"):
        warn_caller("four", RetentionWarning)
