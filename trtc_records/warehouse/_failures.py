"""The errors of a destination, without any password."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import Final

from dlt.common.configuration.exceptions import ConfigurationException
from dlt.common.exceptions import MissingDependencyException
from dlt.pipeline.exceptions import PipelineStepFailed

from trtc_records._errors import CallRecordsError, CallRecordsWarning
from trtc_records.warehouse._targets import Target, TargetError

__all__ = ["DestinationError", "explain", "miss_driver"]

_REASON_CHARACTERS: Final = 300
_DLT_DOCS: Final = "https://dlthub.com/docs/dlt-ecosystem/destinations"
_NETWORK_ERRORS: Final = (ConnectionError, TimeoutError, socket.gaierror)
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_TRACEBACK: Final = "Traceback (most recent call last)"


class DestinationError(CallRecordsError):
    """A destination that cannot be reached or written to, or that another sync writes to.

    No record was lost, and the next sync tries again, unless the message says otherwise.
    """


def explain(error: Exception, target: Target) -> BaseException:
    """Return an error of this library for *error*, without any password."""
    causes = list(_causes(error))
    for cause in causes:
        # dlt wraps Ctrl-C as it wraps everything.
        if isinstance(cause, CallRecordsError | CallRecordsWarning) or not isinstance(cause, Exception):
            return cause
    root = causes[-1]
    # Delta's errors are some without a number.
    is_local = isinstance(root, OSError) and root.errno is not None and not isinstance(root, _NETWORK_ERRORS)
    if is_local or (isinstance(error, PipelineStepFailed) and error.step == "extract"):
        return root
    reason = target.conceal(_shorten(str(root)))
    for cause in causes:
        if isinstance(cause, MissingDependencyException):
            return miss_driver(target)
        if isinstance(cause, ConfigurationException):
            return TargetError(f"{target.shown} is not configured; {_DLT_DOCS}/{target.name} says how. {reason}")
    return DestinationError(f"{target.shown}: {reason}")


def miss_driver(target: Target) -> TargetError:
    """Return the error for a driver that is not installed."""
    return TargetError(f"{target.shown} needs a driver that is not installed: pip install 'dlt[{target.name}]'")


def _shorten(message: str) -> str:
    if _TRACEBACK in message:  # dlt quotes the last of several tries
        message = message.strip().splitlines()[-1]
    return " ".join(_COLOUR.sub("", message).split())[:_REASON_CHARACTERS]


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
