"""A cron job that adds the day's calls to a database, each of them once.

::

    pip install ".[dlt]"  # in a clone of trtc-records
    17 3 * * *  cd /srv/calls && . ./environment && ./venv/bin/python daily_sync.py 2>>daily_sync.log

The account is in ``TRTC_…``, the database in ``CALLS_DATABASE`` (``duckdb:///calls.duckdb`` by default;
``delta:///lake`` for a Delta table). Kill it at any time, run it again at any time: the next run goes on where the last
complete one ended, and reads the 72 hours before again, for the calls that had not ended.

Exit codes: 0 done; 2 configuration; 3 the service refuses the credentials; 4 done, but calls may be missing, which the
next run reads again; 5 the service, the network or the database failed; 75 the last run has not ended.
"""

import fcntl
import logging
import os
import sys
from pathlib import Path

from trtc_records import AuthenticationError, CallRecordsError, ConfigurationError
from trtc_records.warehouse.dlt import sync_call_records

log = logging.getLogger("daily_sync")


def main() -> int:
    """Sync once, and return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.captureWarnings(capture=True)  # expired or missing records are warned about
    with Path(os.environ.get("CALLS_LOCK", "daily_sync.lock")).open("w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system releases it, however this process ends
        except BlockingIOError:
            log.warning("the last run has not ended, so this one does nothing")
            return 75
        return sync()


def sync() -> int:
    """Add the new calls to the database, and return the exit code."""
    try:
        report = sync_call_records(os.environ.get("CALLS_DATABASE", "duckdb:///calls.duckdb"))
    except ConfigurationError as error:
        log.error("%s", error)  # noqa: TRY400  (the traceback of a missing variable does not help)
        return 2
    except AuthenticationError as error:
        log.error("%s", error)  # noqa: TRY400  (likewise)
        return 3
    except CallRecordsError:
        log.exception("nothing is lost: the next run does it again")
        return 5
    log.info("%s calls read, %s of them new, %s in %s", report.read, report.added, report.total, report.destination)
    return 0 if report.complete else 4


if __name__ == "__main__":
    sys.exit(main())
