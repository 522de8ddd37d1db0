"""Make sandboxes for commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtc_records.cli._errors import CommandError

if TYPE_CHECKING:
    from trtc_records.sandbox import Sandbox

__all__ = ["make_sandbox"]


def make_sandbox(**options: Any) -> Sandbox:
    """Return a sandbox that is not running.

    Raises:
        CommandError: The extra is not installed, or an option cannot be used.
    """
    try:
        from trtc_records.sandbox import Sandbox  # noqa: PLC0415  (the extra may be missing)
    except ImportError as error:
        raise CommandError(str(error)) from error
    try:
        return Sandbox(**options)
    except ValueError as error:
        raise CommandError(str(error)) from error
