"""Summaries of call records, added one by one, in bounded memory and in any order: for a report, a bot, a dashboard.

::

    summary = Summary()
    async for record in client.iter_records():
        summary.add(record)
    print(summary.to_text())
"""

from trtc_records.summary._format import NO_CALLS, show_length
from trtc_records.summary._result import Caller, Durations, HourTraffic, Peak, SummaryResult
from trtc_records.summary._scope import ReportScope
from trtc_records.summary._summary import Summary

__all__ = [
    "NO_CALLS",
    "Caller",
    "Durations",
    "HourTraffic",
    "Peak",
    "ReportScope",
    "Summary",
    "SummaryResult",
    "show_length",
]
