"""The exit codes of the command.

====  ========================================================================
code  meaning
====  ========================================================================
0     success
2     usage, configuration, or an output that cannot be written
3     the service refuses the credentials
4     success, but records may be missing or could not be read
5     the service or the network failed, or the record or webhook does not exist
70    a bug in this program
129   stopped by SIGHUP
130   interrupted
141   the reader of stdout has closed it
143   stopped by SIGTERM
====  ========================================================================
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["ExitCode"]


class ExitCode(IntEnum):
    """The exit codes of the command."""

    DONE = 0
    USAGE = 2
    CREDENTIALS = 3
    INCOMPLETE = 4
    SERVICE = 5
    BUG = 70
    INTERRUPTED = 130
    CLOSED_PIPE = 141
