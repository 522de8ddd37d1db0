"""The command ``trtc-records``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Args:
        argv: The arguments behind the command's name; the process's own by default.
    """
    try:
        return _run(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:  # while modules are imported, which takes a moment
        print("trtc-records: interrupted", file=sys.stderr)
        return 130


def _run(argv: Sequence[str]) -> int:
    try:
        from trtc_records.cli._app import run  # noqa: PLC0415  (the extra may be missing)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"rich", "typer"}:
            raise
        print(
            f'trtc-records: {error.name} is not installed, which the command needs: pip install ".[cli]"',
            file=sys.stderr,
        )
        return 2
    return run(argv)
