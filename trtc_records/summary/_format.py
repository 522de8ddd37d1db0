"""The form of numbers, times and names in all reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, cast

from trtc_records._api.models import CallResult, CallType, MediaType
from trtc_records._version import __version__
from trtc_records.summary._figures import Figure, Kind, Value
from trtc_records.summary._redials import MOST_CALLS
from trtc_records.summary._result import SummaryResult
from trtc_records.summary._scope import ReportScope

__all__ = [
    "NOT_KNOWN",
    "NO_CALLS",
    "NO_NAME",
    "WEEKDAYS",
    "group_days",
    "list_missing",
    "make_notes",
    "make_printable",
    "make_scope_rows",
    "make_title",
    "name_value",
    "show_change",
    "show_erlangs",
    "show_length",
    "show_share",
    "show_value",
]

NO_CALLS: Final = (
    "No calls. Those that were started through the deprecated TUICallKit.call() and groupCall() are kept by an older "
    "service, all others by the current one: service= or --service chooses, and trtc-records doctor asks both."
)
"""The text of a report without calls."""

NOT_KNOWN: Final = "n/a"
"""The text of a figure that cannot be known."""

NO_NAME: Final = "(empty)"
"""The text of an empty user id, or of an empty value of Tencent's."""

WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_MOST_DAYS: Final = 31
"""The most days that are shown one by one; more are shown by month."""

_NAMES: Final[Mapping[str, str]] = {
    CallResult.NORMAL_END: "ended normally",
    CallResult.CANCEL: "cancelled by the caller",
    CallResult.REJECT: "declined",
    CallResult.NOT_ANSWER: "not answered in time",
    CallResult.CALL_BUSY: "busy",
    CallResult.INTERRUPT: "interrupted",
    CallResult.OFFLINE: "ended by a lost heartbeat",
    CallType.SINGLE_CALL: "one to one",
    CallType.MULTI_CALL: "group",
    MediaType.AUDIO: "audio",
    MediaType.VIDEO: "video",
}


def name_value(value: str) -> str:
    """Return a value of Tencent's in plain words; a value that this version does not know stays unchanged."""
    return _NAMES.get(value, value) or NO_NAME


def show_length(length: timedelta | None) -> str:
    """Return a duration in two units at most, such as ``4 min 05 s``."""
    if length is None:
        return "an unknown time"
    seconds = round(length.total_seconds())
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 100:
        return f"{hours:,} h"
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"


def _show_moment(moment: datetime) -> str:
    """Return a time, to the minute, without its zone."""
    return f"{moment:%Y-%m-%d %H:%M}"


def show_share(part: int, whole: int) -> str:
    """Return a share in percent; only all is shown as 100 %, and only none as 0 %."""
    return _show_percent(part / whole) if whole else NOT_KNOWN


def _show_percent(share: float) -> str:
    if 0 < share < 1:
        return f"{min(max(share, 0.001), 0.999):.1%}"
    return f"{share:.0%}"


def show_erlangs(erlangs: float) -> str:
    """Return a traffic with two digits behind the point; only none is shown as 0."""
    return f"{max(erlangs, 0.01) if erlangs else 0:,.2f}"


def show_value(figure: Figure, result: SummaryResult) -> str:
    """Return the value of a figure; a lower bound ends in a plus sign."""
    return f"{_show(figure, figure.read(result))}{'+' if figure.is_bound(result) else ''}"


def _show(figure: Figure, value: Value) -> str:
    if value is None:
        return NOT_KNOWN
    match figure.kind:
        case Kind.SHARE:
            return _show_percent(cast("float", value))
        case Kind.LENGTH:
            return show_length(cast("timedelta", value))
        case Kind.ERLANGS:
            return show_erlangs(cast("float", value))
        case Kind.MOMENT:
            return _show_moment(cast("datetime", value))
        case Kind.COUNT:
            return f"{value:,}"


def show_change(figure: Figure, now: SummaryResult, before: SummaryResult) -> str:
    """Return the change of a figure: in points for a share, as a duration for one, in percent for others."""
    pair = figure.read_pair(now, before)
    if pair is None:
        return NOT_KNOWN
    new, old = map(round, pair) if figure.kind is Kind.LENGTH else pair  # as they are shown
    change = new - old
    if not change:
        return "no change"
    sign, size = "+" if change > 0 else "-", abs(change)
    if figure.kind is Kind.SHARE:
        return f"{sign}{max(100 * size, 0.1):.1f} points"
    if figure.kind is Kind.LENGTH:
        return f"{sign}{show_length(timedelta(seconds=size))}"
    return f"{sign}{max(size / old, 0.001):,.1%}" if old else f"{sign}{size:,}"


def make_title(result: SummaryResult) -> str:
    """Return the number of calls, and the starts of the first and the last one."""
    if result.first is None or result.last is None:
        return NO_CALLS
    calls = "1 call" if result.calls == 1 else f"{result.calls:,} calls"
    return f"{calls}, {_show_moment(result.first)} to {_show_moment(result.last)} {result.zone}"


def list_missing(result: SummaryResult, before: SummaryResult | None) -> Iterator[tuple[str, str]]:
    """Yield the reasons why calls may be missing, each after the name of the mark that it stands behind."""
    yield from (("Incomplete, calls may be missing", reason) for reason in result.missing)
    if before is not None:
        yield from (("Incomplete before, calls may be missing", reason) for reason in before.missing)


def make_scope_rows(result: SummaryResult, before: SummaryResult | None) -> Iterator[tuple[str, str]]:
    """Yield the names and texts that say what a report is about, and what it is compared with."""
    scope = result.scope
    if scope is not None:
        yield "app", NOT_KNOWN if scope.sdk_app_id is None else str(scope.sdk_app_id)
        region, host = scope.region or NOT_KNOWN, scope.host or NOT_KNOWN
        yield "region", region if scope.host is None else f"{region} ({host})"
        yield "source", scope.source
        yield "window", _show_window(scope, result)
        yield "filters", ", ".join(f"{name} {value}" for name, value in scope.filters.items()) or "none"
    if before is not None and before.scope is not None:
        yield "compared with", _show_window(before.scope, before)
    if scope is not None:
        made_at = scope.made_at.astimezone(UTC)
        yield "made", f"{made_at:%Y-%m-%d %H:%M:%S} UTC by trtc-records {__version__}"


def _show_window(scope: ReportScope, result: SummaryResult) -> str:
    since = "the oldest call" if scope.since is None else f"{scope.since:%Y-%m-%d %H:%M:%S}"
    until = "the newest call" if scope.until is None else f"{scope.until:%Y-%m-%d %H:%M:%S}"
    return f"{since} to {until}, {result.zone}"


def group_days(result: SummaryResult) -> tuple[str, list[tuple[str, int]]]:
    """Return the calls by day, or by month for more than 31 days, and the name of that unit."""
    if len(result.days) <= _MOST_DAYS:
        return "day", [(f"{day} {WEEKDAYS[day.weekday()]}", calls) for day, calls in result.days]
    months: dict[str, int] = {}
    for day, calls in result.days:
        month = f"{day:%Y-%m}"
        months[month] = months.get(month, 0) + calls
    return "month", list(months.items())


def make_printable(text: str) -> str:
    """Return *text* with U+FFFD for characters that do not print, or that change the writing direction."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def make_notes(result: SummaryResult) -> Iterator[str]:
    """Yield explanations that stand below the figures."""
    yield (
        f"Hours and days are in {result.zone}. Ring time is that of all calls, until they connected or ended; "
        "talk time is that of the answered ones."
    )
    if result.scope is not None and result.scope.filters:
        yield "The filters choose the calls, so every figure is of these calls alone."
    if result.left_out:
        yield (
            "Erlangs and concurrent calls leave out answered calls whose times are not set, not credible, or on too "
            f"many days: {result.left_out:,}."
        )
    if result.redials is None and result.calls > MOST_CALLS:
        yield f"Redials are counted for up to {MOST_CALLS:,} calls."
    if result.calls and not result.days:
        yield "Calls by day are not shown: they started on too many different days."
    if result.callers_error:
        yield f"With so many callers, each count can be too low, by {result.callers_error:,} at most."
