"""Replace a file at once, or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["replace_file"]

_SHOWN_NAME: Final = 40  # characters of the target's name in the part's, whose length the file system bounds
_DESCRIPTOR: Final = re.compile(r"/dev/(stdin|stdout|stderr|fd/\d+)|/proc/[^/]+/fd/\d+")


@contextmanager
def replace_file(path: Path) -> Iterator[BinaryIO]:
    """Open a new file beside *path* that takes its place at the end; after an error *path* is as it was.

    The new file is on the disk before it takes the place, so that not even a power cut leaves half of it there. A
    file that is replaced hands on its permissions; a new one has those that the umask leaves. A link's target is
    replaced, not the link. A device or a pipe is written to as it is. So is a file that a process has open and whose
    path says so, such as ``/dev/stdout`` or ``/proc/self/fd/1``: what is written is added to its end.

    Raises:
        OSError: The file cannot be written.
    """
    if _DESCRIPTOR.fullmatch(str(path)) or (path.exists() and not path.is_file()):
        with path.open("ab" if path.is_file() else "wb") as file:
            yield file
        return
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    part = target.with_name(f".{target.name[:_SHOWN_NAME]}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            if target.exists():
                shutil.copymode(target, part)
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_directory(target.parent)


def _sync_directory(directory: Path) -> None:
    """Have the new name written to the disk, where the system can be told to; the file itself is there by now."""
    if sys.platform == "win32":
        return
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
