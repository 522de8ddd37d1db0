"""A summary as lines of text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

from trtc_records.summary._figures import FIGURES
from trtc_records.summary._format import (
    NO_NAME,
    NOT_KNOWN,
    group_days,
    list_missing,
    make_notes,
    make_printable,
    make_scope_rows,
    make_title,
    name_value,
    show_change,
    show_erlangs,
    show_share,
    show_value,
)
from trtc_records.summary._result import SummaryResult

__all__ = ["make_text"]

_NARROWEST: Final = 40
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_LABEL_WIDTH: Final = 24
_SHORTEST_BAR: Final = 4
_NAME_WIDTH: Final = max(len(figure.label) for figure in FIGURES) + 2
_AROUND_BAR: Final = 14  # columns of the indent, the gaps and the share


def make_text(result: SummaryResult, before: SummaryResult | None = None, *, width: int) -> str:
    """Return *result* as lines of at most *width* columns; each ends with a line feed.

    Args:
        result: The figures.
        before: The figures to compare them with; by default none.
        width: Largest number of columns; at least 40 are used.
    """
    return "".join(f"{line.rstrip()}\n" for line in _make_lines(result, before, max(width, _NARROWEST)))


def _make_lines(result: SummaryResult, before: SummaryResult | None, width: int) -> Iterator[str]:
    yield from _wrap(make_title(result), width)
    for name, reason in list_missing(result, before):
        yield from _wrap(f"{name}: {reason}", width)
    scope = list(make_scope_rows(result, before))
    if scope:
        yield ""
        yield from _make_rows(scope, width)
    if result.calls or before is not None:
        yield ""
        yield from _make_rows(_make_figures(result, before), width)
    if result.calls:
        yield from _make_details(result, width)


def _make_figures(result: SummaryResult, before: SummaryResult | None) -> Iterator[tuple[str, str]]:
    for figure in FIGURES:
        text = show_value(figure, result)
        if before is not None:
            change = show_change(figure, result, before)
            text += f" (before {show_value(figure, before)}{'' if change == NOT_KNOWN else f', {change}'})"
        yield figure.label, text


def _make_details(result: SummaryResult, width: int) -> Iterator[str]:
    yield from _make_rows(
        [
            ("kind", _show_counts(result.call_types, result.calls)),
            ("media", _show_counts(result.media_types, result.calls)),
        ],
        width,
    )
    yield ""
    yield "Results"
    yield from _make_bars([(name_value(name), count) for name, count in result.results.items()], result.calls, width)
    unit, days = group_days(result)
    if days:
        yield ""
        yield from _wrap(f"Calls by {unit} ({result.zone})", width)
        yield from _make_bars(days, result.calls, width)
    yield ""
    more = ", and the most erlangs that each had" if result.traffic else ""
    yield from _wrap(f"Calls by hour of the day ({result.zone}){more}", width)
    hours = [(f"{hour:02}", count) for hour, count in enumerate(result.hours)]
    erlangs = [f"{show_erlangs(most)} E" for most in result.hour_traffic] if result.traffic else ()
    yield from _make_bars(hours, result.calls, width, more=erlangs)
    yield ""
    yield f"Top callers, of {result.callers:,}{'+' if result.callers_error else ''}"
    yield from _make_bars(
        [(caller.user_id or NO_NAME, caller.calls) for caller in result.top_callers], result.calls, width
    )
    yield ""
    for note in make_notes(result):
        yield from _wrap(note, width)


def _make_rows(rows: Iterable[tuple[str, str]], width: int) -> Iterator[str]:
    for name, text in rows:
        yield from _wrap(text, width, f"{name:<{_NAME_WIDTH}}")


def _wrap(text: str, width: int, label: str = "") -> Iterator[str]:
    """Yield *text* as lines after *label*, broken between words, and within a word that is longer than a line."""
    room = width - len(label)
    line = ""
    for shown in chain.from_iterable(_break(word, room) for word in text.split()):
        if line and _measure(f"{line} {shown}") > room:
            yield f"{label}{line}"
            label, line = " " * len(label), ""
        line = f"{line} {shown}" if line else shown
    yield f"{label}{line}"


def _break(word: str, room: int) -> Iterator[str]:
    """Yield *word*, such as a long path, in parts of at most *room* columns, without terminal escapes."""
    part, taken = "", 0
    for character in make_printable(word):
        columns = _measure(character)
        if taken + columns > room:
            yield part
            part, taken = "", 0
        part += character
        taken += columns
    yield part


def _show_counts(counts: Mapping[str, int], whole: int) -> str:
    """Return counts in one line, each with its share."""
    return ", ".join(
        f"{_cut(name_value(name), _LABEL_WIDTH)} {count:,} ({show_share(count, whole)})"
        for name, count in counts.items()
    )


def _make_bars(rows: list[tuple[str, int]], whole: int, width: int, *, more: Sequence[str] = ()) -> Iterator[str]:
    """Yield a line for each row: its name, a bar in proportion to its count, the count, its share and *more*."""
    largest = max((count for _, count in rows), default=0)
    count_width = len(f"{largest:,}")
    more_width = max((len(text) + 2 for text in more), default=0)
    room = width - count_width - more_width - _AROUND_BAR  # for name and bar
    names = [_cut(name, min(_LABEL_WIDTH, room - _SHORTEST_BAR)) for name, _ in rows]
    name_width = max(map(_measure, names), default=0)
    for name, (_, count), text in zip(names, rows, more or [""] * len(rows), strict=True):
        padding = " " * (name_width - _measure(name))
        bar = _make_bar(count / largest if largest else 0.0, room - name_width)
        yield f"  {name}{padding}  {bar}  {count:>{count_width},}  {show_share(count, whole):>6}{text:>{more_width}}"


def _make_bar(share: float, room: int) -> str:
    eighths = round(share * room * 8)
    full, rest = divmod(max(eighths, 1) if share else 0, 8)
    return f"{_EIGHTHS[8] * full}{_EIGHTHS[rest] if rest else ''}".ljust(room)


def _cut(name: str, width: int) -> str:
    """Return *name* cut to one line of *width* columns, without the terminal escapes that a user id may hold."""
    shown = make_printable(name)
    while _measure(shown) > width:
        shown = f"{shown.removesuffix('…')[:-1]}…"
    return shown


def _measure(text: str) -> int:
    """Return the number of terminal columns that *text* takes."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )
