"""A summary as lines of text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Final

from trtc_records.summary._result import Durations, SummaryResult
from trtc_records.summary._words import (
    NO_CALLS,
    make_notes,
    name_value,
    show_length,
    show_moment,
    show_share,
    show_split,
)

__all__ = ["make_text"]

_NARROWEST: Final = 40
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_LABEL_WIDTH: Final = 24
_AROUND_BAR: Final = 14  # columns of the indent, the gaps and the share


def make_text(result: SummaryResult, *, width: int) -> str:
    """Return *result* as lines, each of which ends with a line feed; the bars keep to *width* columns."""
    return "".join(f"{line.rstrip()}\n" for line in _make_lines(result, max(width, _NARROWEST)))


def _make_lines(result: SummaryResult, width: int) -> Iterator[str]:
    if not result.calls or result.first is None or result.last is None:
        yield NO_CALLS
        return
    calls = "1 call" if result.calls == 1 else f"{result.calls:,} calls"
    yield f"{calls}, {show_moment(result.first)} to {show_moment(result.last)} {result.zone}"
    yield ""
    yield f"answered   {result.answered:,} ({show_share(result.answered, result.calls)})"
    yield f"kind       {show_split(result.call_types, result.calls)}"
    yield f"media      {show_split(result.media_types, result.calls)}"
    yield f"ring time  {_show_durations(result.ring_time)}"
    yield f"talk time  {_show_durations(result.talk_time)}, {show_length(result.talk_time.total)} in all"
    yield ""
    yield "Results"
    yield from _make_bars([(name_value(name), count) for name, count in result.results.items()], result.calls, width)
    yield ""
    yield f"Calls by hour of the day ({result.zone})"
    yield from _make_bars([(f"{hour:02}", count) for hour, count in enumerate(result.hours)], result.calls, width)
    yield ""
    yield f"Top callers, of {result.callers:,}{'+' if result.callers_error else ''}"
    yield from _make_bars([(caller.user_id, caller.calls) for caller in result.top_callers], result.calls, width)
    yield ""
    yield from make_notes(result)


def _show_durations(durations: Durations) -> str:
    return f"median {show_length(durations.median)}, 95 % within {show_length(durations.p95)}"


def _make_bars(rows: list[tuple[str, int]], whole: int, width: int) -> Iterator[str]:
    """Yield a line for each row: its name, a bar as long as its count is large, the count and its share."""
    largest = max((count for _, count in rows), default=0)
    names = [_cut(name) for name, _ in rows]
    name_width = max(map(_measure, names), default=0)
    count_width = len(f"{largest:,}")
    room = max(width - name_width - count_width - _AROUND_BAR, 4)
    for name, (_, count) in zip(names, rows, strict=True):
        padding = " " * (name_width - _measure(name))
        bar = _make_bar(count / largest if largest else 0.0, room)
        yield f"  {name}{padding}  {bar}  {count:>{count_width},}  {show_share(count, whole):>6}"


def _make_bar(share: float, room: int) -> str:
    eighths = round(share * room * 8)
    full, rest = divmod(max(eighths, 1) if share else 0, 8)
    return f"{_EIGHTHS[8] * full}{_EIGHTHS[rest] if rest else ''}".ljust(room)


def _cut(name: str) -> str:
    """Return *name* on one line and within its column; a user id may hold anything, terminal escapes included."""
    shown = "".join(character if character.isprintable() else "\ufffd" for character in name)
    while _measure(shown) > _LABEL_WIDTH:
        shown = f"{shown.removesuffix('…')[:-1]}…"
    return shown


def _measure(text: str) -> int:
    """Return how many columns of a terminal *text* takes."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )
