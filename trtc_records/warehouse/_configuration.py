"""dlt's configuration during a sync."""

from __future__ import annotations

import logging
import os
import threading
from types import TracebackType
from typing import Final

__all__ = ["CONFIGURATION", "configured_dlt"]

CONFIGURATION: Final = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "LOAD__TRUNCATE_STAGING_DATASET": "true",  # otherwise a copy of the last load stays in the database
}
_LOG_LEVEL: Final = "RUNTIME__LOG_LEVEL"


class _Configuration:
    """The configuration of dlt during a sync, set by the environment, which wins over dlt's files.

    dlt's log is off, unless a level was chosen: serious problems are raised. The whole process shares one environment,
    so the first of several syncs sets it, and the last one restores it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> None:
        with self._lock:
            if not self._users:
                self._before = {name: os.environ.get(name) for name in CONFIGURATION}
                if _LOG_LEVEL not in os.environ:
                    logging.getLogger("dlt").addFilter(_drop)
                os.environ.update(CONFIGURATION)
            self._users += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._users -= 1
            if self._users:
                return
            logging.getLogger("dlt").removeFilter(_drop)
            for name, value in self._before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _drop(_: logging.LogRecord) -> bool:
    return False


configured_dlt: Final = _Configuration()
