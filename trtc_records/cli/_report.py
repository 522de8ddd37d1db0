"""Say what an export came to."""

from __future__ import annotations

from collections.abc import Iterator

from trtc_records.cli._output import flatten
from trtc_records.cli._times import show_time
from trtc_records.summary import NO_CALLS, SummaryResult, show_length

__all__ = ["make_report"]


def make_report(result: SummaryResult, pages: int, *, target: str, window: str, seconds: float) -> Iterator[str]:
    """Yield the lines to show.

    Args:
        result: What was exported.
        pages: How many pages it came on.
        target: Where the records were written.
        window: The time that was asked for.
        seconds: How long it took.
    """
    noun = "call record" if result.calls == 1 else "call records"
    yield f"Exported {result.calls:,} {noun} to {target} in {seconds:.1f} s"
    yield f"  window    {window}"
    if result.first is None or result.last is None:
        yield f"  note      {NO_CALLS}"
        return
    yield f"  started   {show_time(result.first)} to {show_time(result.last)}"
    talk = show_length(result.talk_time.total)
    yield f"  answered  {result.answered:,} ({result.answered_share:.1%}), {talk} of talk"
    yield f"  results   {', '.join(f'{flatten(name)} {count:,}' for name, count in result.results.items())}"
    yield f"  pages     {pages:,}"
