"""Replace a file at once, or not at all."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["replace_file"]


@contextmanager
def replace_file(path: Path) -> Iterator[BinaryIO]:
    """Open a new file beside *path* that takes its place at the end; after an error *path* is as it was.

    A link's target is replaced, not the link. A device or a pipe is written to as it is.

    Raises:
        OSError: The file cannot be written.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    target = path.resolve()
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            if target.exists():
                shutil.copymode(target, part)
            yield file
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
