"""A summary as one HTML page with charts, for light and dark, phone and desk; it has no script and loads nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from importlib.resources import files
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

__all__ = ["make_page"]

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SHADES: Final = 5
_STYLE: Final = files(__package__).joinpath("page.css")


def make_page(result: SummaryResult, *, title: str) -> str:
    """Return *result* as an HTML document.

    Values from the service are escaped, and a policy in the page forbids it to load or run anything.
    """
    shown = _text(title)
    style = _STYLE.read_text("utf-8")
    body = "\n".join(_make_body(result))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{shown}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n<h1>{shown}</h1>\n"
        f"{body}\n</main>\n</body>\n</html>\n"
    )


def _make_body(result: SummaryResult) -> Iterator[str]:
    if not result.calls or result.first is None or result.last is None:
        yield f"<p>{_text(NO_CALLS)}</p>"
        return
    yield f'<p class="quiet">{show_moment(result.first)} to {show_moment(result.last)}, {_text(result.zone)}</p>'
    yield '<div class="tiles">'
    yield _make_tile("calls", f"{result.calls:,}")
    yield _make_tile("answered", show_share(result.answered, result.calls), f"{result.answered:,} calls")
    yield _make_time_tile("talk time, median", result.talk_time)
    yield _make_time_tile("ring time, median", result.ring_time)
    yield _make_tile("talked in all", show_length(result.talk_time.total))
    yield "</div>"
    yield _make_section("Results", _make_bars(_named(result.results), result.calls))
    yield _make_section(f"Calls by hour of the day ({result.zone})", _make_columns(result.hours))
    yield _make_section(f"Calls by hour of the week ({result.zone})", _make_heat_map(result.week))
    yield '<div class="pair">'
    yield _make_section("Single and group", _make_bars(_named(result.call_types), result.calls))
    yield _make_section("Audio and video", _make_bars(_named(result.media_types), result.calls))
    yield "</div>"
    yield '<div class="pair">'
    yield _make_section("Talk time of answered calls", _make_spread(result.talk_time))
    yield _make_section("Ring time of all calls", _make_spread(result.ring_time))
    yield "</div>"
    callers = [(caller.user_id, caller.calls) for caller in result.top_callers]
    more = "+" if result.callers_error else ""
    yield _make_section(f"Top callers, of {result.callers:,}{more}", _make_bars(callers, result.calls))
    yield from (f'<p class="quiet">{_text(note)}</p>' for note in make_notes(result))


def _make_tile(name: str, value: str, note: str = "") -> str:
    below = f'<span class="quiet">{_text(note)}</span>' if note else ""
    return f'<div class="tile"><span class="quiet">{_text(name)}</span><b>{_text(value)}</b>{below}</div>'


def _make_time_tile(name: str, durations: Durations) -> str:
    if not durations.count:
        return _make_tile(name, "n/a")
    return _make_tile(name, show_length(durations.median), f"95 % within {show_length(durations.p95)}")


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


def _make_columns(hours: tuple[int, ...]) -> Iterator[str]:
    largest = max(hours)
    busiest = hours.index(largest)
    label = f"Calls by hour of the day; most, {largest:,}, from {busiest:02}:00 to {busiest + 1:02}:00"
    yield f'<div class="columns" role="img" aria-label="{label}">'
    for hour, count in enumerate(hours):
        kind = "column most" if hour == busiest else "column"
        shown = f"<i>{count:,}</i>" if hour == busiest else ""
        yield (
            f'<div class="{kind}" title="{hour:02}:00 to {hour + 1:02}:00: {count:,}">{shown}'
            f'<div style="height:{_percent(count, largest)}%"></div></div>'
        )
    yield "</div>"
    yield _make_hour_axis()


def _make_heat_map(week: tuple[tuple[int, ...], ...]) -> Iterator[str]:
    largest = max(map(max, week))
    yield '<div class="heat" role="img" aria-label="Calls by weekday and hour; the darker, the more">'
    for day, hours in zip(_DAYS, week, strict=True):
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


def _percent(count: int, largest: int) -> str:
    return f"{100 * count / largest:.2f}" if largest else "0"


def _text(text: str) -> str:
    """Return *text* escaped, with U+FFFD for characters that do not print or change the writing direction."""
    return escape("".join(character if character.isprintable() else "\ufffd" for character in text))
