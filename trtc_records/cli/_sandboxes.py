"""Make sandboxes for commands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from trtc_records.cli._errors import CommandError

__all__ = ["explain_making"]


@contextmanager
def explain_making() -> Iterator[None]:
    """Turn what speaks against making a sandbox into a line: its extra is missing, or an option cannot be used."""
    try:
        yield
    except (ImportError, ValueError) as error:
        raise CommandError(str(error)) from error
