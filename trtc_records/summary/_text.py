"""A summary as lines of text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Final

from trtc_records.summary._format import (
    NO_CALLS,
    make_notes,
    name_value,
    show_length,
    show_moment,
    show_share,
)
from trtc_records.summary._result import Durations, SummaryResult

__all__ = ["make_text"]

_NARROWEST: Final = 40
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_LABEL_WIDTH: Final = 24
_SHORTEST_BAR: Final = 4
_AROUND_BAR: Final = 14  # columns of the indent, the gaps and the share


def make_text(result: SummaryResult, *, width: int) -> str:
    """Return *result* as lines of at most *width* columns; each ends with a line feed."""
    return "".join(f"{line.rstrip()}\n" for line in _make_lines(result, max(width, _NARROWEST)))


def _make_lines(result: SummaryResult, width: int) -> Iterator[str]:
    if not result.calls or result.first is None or result.last is None:
        yield from _wrap(NO_CALLS, width)
        return
    calls = "1 call" if result.calls == 1 else f"{result.calls:,} calls"
    talk_time = f"{_show_durations(result.talk_time)}, {show_length(result.talk_time.total)} in all"
    yield from _wrap(f"{calls}, {show_moment(result.first)} to {show_moment(result.last)} {result.zone}", width)
    yield ""
    yield from _wrap(f"{result.answered:,} ({show_share(result.answered, result.calls)})", width, "answered   ")
    yield from _wrap(_show_counts(result.call_types, result.calls), width, "kind       ")
    yield from _wrap(_show_counts(result.media_types, result.calls), width, "media      ")
    yield from _wrap(_show_durations(result.ring_time), width, "ring time  ")
    yield from _wrap(talk_time, width, "talk time  ")
    yield ""
    yield "Results"
    yield from _make_bars([(name_value(name), count) for name, count in result.results.items()], result.calls, width)
    yield ""
    yield from _wrap(f"Calls by hour of the day ({result.zone})", width)
    yield from _make_bars([(f"{hour:02}", count) for hour, count in enumerate(result.hours)], result.calls, width)
    yield ""
    yield f"Top callers, of {result.callers:,}{'+' if result.callers_error else ''}"
    yield from _make_bars([(caller.user_id, caller.calls) for caller in result.top_callers], result.calls, width)
    yield ""
    for note in make_notes(result):
        yield from _wrap(note, width)


def _wrap(text: str, width: int, label: str = "") -> Iterator[str]:
    """Yield *text* as lines after *label*, broken between words; a word longer than a line is cut."""
    room = width - len(label)
    line = ""
    for word in text.split():
        shown = _cut(word, room)
        if line and _measure(f"{line} {shown}") > room:
            yield f"{label}{line}"
            label, line = " " * len(label), ""
        line = f"{line} {shown}" if line else shown
    yield f"{label}{line}"


def _show_counts(counts: Mapping[str, int], whole: int) -> str:
    """Return counts in one line, each with its share."""
    return ", ".join(
        f"{_cut(name_value(name), _LABEL_WIDTH)} {count:,} ({show_share(count, whole)})"
        for name, count in counts.items()
    )


def _show_durations(durations: Durations) -> str:
    return f"median {show_length(durations.median)}, 95 % within {show_length(durations.p95)}"


def _make_bars(rows: list[tuple[str, int]], whole: int, width: int) -> Iterator[str]:
    """Yield a line for each row: its name, a bar in proportion to its count, the count and its share."""
    largest = max((count for _, count in rows), default=0)
    count_width = len(f"{largest:,}")
    room = width - count_width - _AROUND_BAR  # for name and bar
    names = [_cut(name, min(_LABEL_WIDTH, room - _SHORTEST_BAR)) for name, _ in rows]
    name_width = max(map(_measure, names), default=0)
    for name, (_, count) in zip(names, rows, strict=True):
        padding = " " * (name_width - _measure(name))
        bar = _make_bar(count / largest if largest else 0.0, room - name_width)
        yield f"  {name}{padding}  {bar}  {count:>{count_width},}  {show_share(count, whole):>6}"


def _make_bar(share: float, room: int) -> str:
    eighths = round(share * room * 8)
    full, rest = divmod(max(eighths, 1) if share else 0, 8)
    return f"{_EIGHTHS[8] * full}{_EIGHTHS[rest] if rest else ''}".ljust(room)


def _cut(name: str, width: int) -> str:
    """Return *name* cut to one line of *width* columns, without the terminal escapes that a user id may hold."""
    shown = "".join(character if character.isprintable() else "\ufffd" for character in name)
    while _measure(shown) > width:
        shown = f"{shown.removesuffix('…')[:-1]}…"
    return shown


def _measure(text: str) -> int:
    """Return the number of terminal columns that *text* takes."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )
