"""An archive of call records that outlives the service's 7 days: a file for each day, and a manifest beside it.

::

    async with CallRecordsClient.from_env() as client:
        report = await archive_call_records(client, "archive")

Run it every day. :func:`trtc_records.export.read_records` reads an archive back, and so do DuckDB, polars and Spark.
"""

from __future__ import annotations

from trtc_records.archive._archive import LONGEST_SETTLE, SETTLE, archive_call_records
from trtc_records.archive._report import ArchivedPartition, ArchiveReport
from trtc_records.archive._verification import ArchiveCheck, verify_archive

__all__ = [
    "LONGEST_SETTLE",
    "SETTLE",
    "ArchiveCheck",
    "ArchiveReport",
    "ArchivedPartition",
    "archive_call_records",
    "verify_archive",
]
