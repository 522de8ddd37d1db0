"""Run the command as ``python -m trtc_records.cli``."""

import os
import sys
import threading

from trtc_records.cli import main

__all__ = ["run"]

_SIGNALS = 128
"""The exit code of a command that a signal stopped is above this one."""


def run() -> None:
    """Run the command and end the process."""
    code = main()
    if code > _SIGNALS and threading.active_count() > 1:
        # A thread may be in a write that never ends, as the reader has stopped, and Python would wait for it.
        if sys.stderr is not None:
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    run()
