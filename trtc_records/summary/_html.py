"""A summary as one HTML page with charts, for light and dark, phone and desk; it has no script and loads nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from importlib.resources import files
from typing import Final

from trtc_records.summary._figures import FIGURES
from trtc_records.summary._format import (
    NO_NAME,
    WEEKDAYS,
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
from trtc_records.summary._result import Durations, SummaryResult

__all__ = ["make_page"]

_SHADES: Final = 5
_STYLE: Final = files(__package__).joinpath("page.css")


def make_page(result: SummaryResult, before: SummaryResult | None = None, *, title: str) -> str:
    """Return *result* as an HTML document.

    Values from the service are escaped, and a policy in the page forbids it to load or run anything.

    Args:
        result: The figures.
        before: The figures to compare them with; by default none.
        title: The heading.
    """
    shown = _text(title)
    style = _STYLE.read_text("utf-8")
    body = "\n".join(_make_body(result, before))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{shown}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n<h1>{shown}</h1>\n"
        f"{body}\n</main>\n</body>\n</html>\n"
    )


def _make_body(result: SummaryResult, before: SummaryResult | None) -> Iterator[str]:
    yield f"<p>{_text(make_title(result))}</p>"
    missing = "".join(
        f"<li><b>{_text(name)}</b>: {_text(reason)}</li>" for name, reason in list_missing(result, before)
    )
    if missing:
        yield f'<ul class="banner" role="alert">{missing}</ul>'
    scope = list(make_scope_rows(result, before))
    if scope:
        rows = "".join(f"<dt>{_text(name)}</dt><dd>{_text(text)}</dd>" for name, text in scope)
        yield f'<dl class="scope">{rows}</dl>'
    if result.calls:
        tiles = "".join(_make_tile(each.label, show_value(each, result)) for each in FIGURES if each.leads)
        yield f'<div class="tiles">{tiles}</div>'
    if result.calls or before is not None:
        yield _make_section("Figures", _make_figures(result, before))
    if result.calls:
        yield from _make_charts(result)
        yield from (f'<p class="quiet">{_text(note)}</p>' for note in make_notes(result))


def _make_figures(result: SummaryResult, before: SummaryResult | None) -> Iterator[str]:
    names = ["figure", "now", "before", "change"] if before else ["figure", "value"]
    heads = "".join(f'<th scope="col">{name}</th>' for name in [*names, "meaning"])
    yield f'<div class="scroll" tabindex="0" role="region" aria-label="Figures"><table class="figures"><tr>{heads}</tr>'
    for figure in FIGURES:
        cells = [show_value(figure, result)]
        if before is not None:
            cells += [show_value(figure, before), show_change(figure, result, before)]
        row = "".join(f"<td>{_text(cell)}</td>" for cell in cells)
        yield f'<tr><th scope="row">{_text(figure.label)}</th>{row}<td class="quiet">{_text(figure.meaning)}</td></tr>'
    yield "</table></div>"


def _make_charts(result: SummaryResult) -> Iterator[str]:
    yield _make_section("Results", _make_bars(_named(result.results), result.calls))
    unit, days = group_days(result)
    if days:
        yield _make_section(f"Calls by {unit} ({result.zone})", _make_bars(days, result.calls))
    yield _make_section(
        f"Calls by hour of the day ({result.zone})",
        _make_columns(result.hours, "Calls by hour of the day", lambda count: f"{count:,.0f}"),
    )
    yield _make_section(f"Calls by hour of the week ({result.zone})", _make_heat_map(result.week))
    if result.traffic:
        yield _make_section(
            f"Most erlangs that each hour of the day had ({result.zone})",
            _make_columns(result.hour_traffic, "Most erlangs by hour of the day", show_erlangs),
        )
    yield '<div class="pair">'
    yield _make_section("Single and group", _make_bars(_named(result.call_types), result.calls))
    yield _make_section("Audio and video", _make_bars(_named(result.media_types), result.calls))
    yield "</div>"
    yield '<div class="pair">'
    yield _make_section("Talk time of answered calls", _make_spread(result.talk_time))
    yield _make_section("Ring time of all calls", _make_spread(result.ring_time))
    yield "</div>"
    callers = [(caller.user_id or NO_NAME, caller.calls) for caller in result.top_callers]
    more = "+" if result.callers_error else ""
    yield _make_section(f"Top callers, of {result.callers:,}{more}", _make_bars(callers, result.calls))


def _make_tile(name: str, value: str) -> str:
    return f'<div class="tile"><span class="quiet">{_text(name)}</span><b>{_text(value)}</b></div>'


def _make_section(title: str, content: Iterable[str]) -> str:
    return f"<section>\n<h2>{_text(title)}</h2>\n{''.join(content)}\n</section>"


def _make_bars(rows: Iterable[tuple[str, int]], whole: int) -> Iterator[str]:
    """Yield a table whose rows have bars, so that a screen reader reads the numbers."""
    rows = list(rows)
    largest = max((count for _, count in rows), default=0)
    yield '<table class="bars">'
    for name, count in rows:
        kind = "bar some" if count else "bar"
        yield (
            f'<tr><th scope="row">{_text(name)}</th><td class="track"><div class="{kind}" style="width:'
            f'{_percent(count, largest)}%"></div></td><td>{count:,}</td><td>{show_share(count, whole)}</td></tr>'
        )
    yield "</table>"


def _make_spread(durations: Durations) -> Iterator[str]:
    """Yield the bars of the ranges, up to the last one that is not empty."""
    last = max((index for index, (_, count) in enumerate(durations.spread) if count), default=0)
    return _make_bars(durations.spread[: last + 1], durations.count)


def _make_columns(hours: Sequence[float], name: str, show: Callable[[float], str]) -> Iterator[str]:
    """Yield columns for the hours of the day.

    Args:
        hours: The value of each hour.
        name: The name of the values, for a screen reader.
        show: A function that returns the text of a value.
    """
    largest = max(hours)
    busiest = hours.index(largest)
    label = f"{name}; most, {show(largest)}, from {busiest:02}:00 to {busiest + 1:02}:00"
    yield f'<div class="columns" role="img" aria-label="{label}">'
    for hour, value in enumerate(hours):
        kind = "column most" if hour == busiest else "column"
        shown = f"<i>{show(value)}</i>" if hour == busiest else ""
        yield (
            f'<div class="{kind}" title="{hour:02}:00 to {hour + 1:02}:00: {show(value)}">{shown}'
            f'<div style="height:{_percent(value, largest)}%"></div></div>'
        )
    yield "</div>"
    yield _make_hour_axis()


def _make_heat_map(week: tuple[tuple[int, ...], ...]) -> Iterator[str]:
    largest = max(map(max, week))
    yield '<div class="heat" role="img" aria-label="Calls by weekday and hour; the darker, the more">'
    for day, hours in zip(WEEKDAYS, week, strict=True):
        yield f"<span>{day}</span>"
        for hour, count in enumerate(hours):
            shade = -(-count * _SHADES // largest)  # 0 only for none
            yield f'<div class="shade{shade}" title="{day} {hour:02}:00 to {hour + 1:02}:00: {count:,}"></div>'
    yield "</div>"
    yield _make_hour_axis("heat-axis")
    shades = "".join(f'<div class="shade{shade}"></div>' for shade in range(_SHADES + 1))
    yield f'<div class="legend quiet"><span>0</span>{shades}<span>{largest:,} calls in an hour of the week</span></div>'


def _make_hour_axis(kind: str = "") -> str:
    labels = "".join(f"<span>{hour:02}</span>" for hour in range(0, 24, 3))
    return f'<div class="axis {kind}" aria-hidden="true">{labels}</div>'


def _named(counts: dict[str, int]) -> list[tuple[str, int]]:
    return [(name_value(name), count) for name, count in counts.items()]


def _percent(count: float, largest: float) -> str:
    return f"{100 * count / largest:.2f}" if largest else "0"


def _text(text: str) -> str:
    """Return *text* escaped, with U+FFFD for characters that do not print or change the writing direction."""
    return escape(make_printable(text))
