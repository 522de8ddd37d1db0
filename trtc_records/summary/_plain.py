"""A summary as plain values for JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from trtc_records._version import __version__
from trtc_records.summary._figures import FIGURES, Value, to_number
from trtc_records.summary._result import Durations, SummaryResult
from trtc_records.summary._scope import ReportScope

__all__ = ["make_dict"]

_HALF_PAIR: Final = re.compile("[\ud800-\udfff]")
_REPLACEMENT: Final = "\ufffd"
_DIGITS: Final = 4


def make_dict(result: SummaryResult, before: SummaryResult | None = None) -> dict[str, Any]:
    """Return *result* as plain values for JSON; half a surrogate pair, which JSON readers refuse, becomes U+FFFD.

    Args:
        result: The figures.
        before: The figures to compare them with; by default none.
    """
    plain: dict[str, Any] = {"report": _make_scope(result.scope), **_make_state(result)}
    for figure in FIGURES:
        _put(plain, figure.path, _round(figure.read(result)))
    if before is not None:
        plain["comparison"] = _compare(result, before)
    plain |= {
        "delivered": result.delivered,
        "first": result.first and result.first.isoformat(),
        "last": result.last and result.last.isoformat(),
        "zone": _clean(result.zone),
        "results": _make_counts(result.results),
        "call_types": _make_counts(result.call_types),
        "media_types": _make_counts(result.media_types),
        "days": [{"day": day.isoformat(), "calls": calls} for day, calls in result.days],
        "hours": list(result.hours),
        "week": [list(day) for day in result.week],
        "traffic": [
            {"hour": hour.start.isoformat(), "erlangs": round(hour.erlangs, _DIGITS)} for hour in result.traffic
        ],
        "left_out": result.left_out,
        "top_callers": [{"user_id": _clean(caller.user_id), "calls": caller.calls} for caller in result.top_callers],
        "callers_error": result.callers_error,
    }
    for name, durations in (
        ("ring_seconds", result.ring_time),
        ("answer_seconds", result.answer_time),
        ("talk_seconds", result.talk_time),
    ):
        plain[name] |= _make_durations(durations)
    return plain


def _put(tree: dict[str, Any], path: str, value: object) -> None:
    """Set the value at a path such as ``ring_seconds.median``."""
    *branches, leaf = path.split(".")
    for branch in branches:
        tree = tree.setdefault(branch, {})
    tree[leaf] = value


def _make_scope(scope: ReportScope | None) -> dict[str, Any] | None:
    if scope is None:
        return None
    return {
        "source": _clean(scope.source),
        "sdk_app_id": scope.sdk_app_id,
        "region": scope.region and _clean(scope.region),
        "host": scope.host and _clean(scope.host),
        "since": scope.since and scope.since.isoformat(timespec="seconds"),
        "until": scope.until and scope.until.isoformat(timespec="seconds"),
        "filters": {_clean(name): _clean(value) for name, value in scope.filters.items()},
        "made_at": scope.made_at.isoformat(timespec="seconds"),
        "version": __version__,
    }


def _make_state(result: SummaryResult) -> dict[str, Any]:
    return {"complete": result.complete, "missing": [_clean(reason) for reason in result.missing]}


def _compare(result: SummaryResult, before: SummaryResult) -> dict[str, Any]:
    """Return the state of the earlier report, and each figure now, before, and its change."""
    figures: dict[str, Any] = {}
    for figure in FIGURES:
        pair = figure.read_pair(result, before)
        change = None if pair is None else pair[0] - pair[1]
        figures[figure.path] = {
            "now": _round(figure.read(result)),
            "before": _round(figure.read(before)),
            "change": _round(change),
            "change_share": None if pair is None or not pair[1] else _round((pair[0] - pair[1]) / pair[1]),
        }
    return {"report": _make_scope(before.scope), **_make_state(before), "figures": figures}


def _round(value: Value) -> int | float | str | None:
    """Return a value for JSON: a duration in seconds, a time in ISO 8601."""
    if isinstance(value, datetime):
        return value.isoformat()
    number = to_number(value)
    return round(number, _DIGITS) if isinstance(number, float) else number


def _make_durations(durations: Durations) -> dict[str, Any]:
    return {
        "count": durations.count,
        "longest": _round(durations.longest),
        "total": _round(durations.total),
        "spread": dict(durations.spread),
    }


def _make_counts(counts: Mapping[str, int]) -> dict[str, int]:
    cleaned: Counter[str] = Counter()
    for name, count in counts.items():
        cleaned[_clean(name)] += count  # two names may become one
    return dict(cleaned)


def _clean(text: str) -> str:
    return _HALF_PAIR.sub(_REPLACEMENT, text)
