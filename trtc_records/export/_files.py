"""Files that are replaced as a whole, or stay unchanged."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from trtc_records._errors import CallRecordsWarning
from trtc_records._warn import warn_caller

__all__ = ["move_file", "replace_file"]

_SHOWN_NAME: Final = 40  # characters of the target's name in the part's name, whose length the file system limits
_DESCRIPTOR: Final = re.compile(r"/dev/(stdin|stdout|stderr|fd/\d+)|/proc/[^/]+/fd/\d+")
_MOUNTS: Final = Path("/proc/self/mountinfo")
_REPLACEABLE: Final = (errno.EACCES, errno.ETXTBSY)
"""Errors of opening a file for writing that do not keep it from being replaced."""


def replace_file(path: Path) -> AbstractContextManager[BinaryIO]:
    """Open a new file beside *path* that replaces it at the end; after an error *path* is unchanged.

    The new file is on the disk before it replaces the old one, so that not even a power cut leaves half a file. It
    takes over the permissions of the file that it replaces; without one, the umask sets them. A link's target is
    replaced, not the link.

    A file that cannot be replaced is overwritten at the end: a mount point (a single file of a container's host),
    another user's file in a directory such as ``/tmp``, a file in a read-only directory. An error while it is
    overwritten leaves a part of it.

    A device or a pipe is written to directly. To a path that names an open file of a process, such as ``/dev/stdout``
    or ``/proc/self/fd/1``, the content is appended.

    Raises:
        OSError: The file can be neither replaced nor overwritten; as far as possible, this is found out at once.

    Warns:
        CallRecordsWarning: The file will be overwritten.
    """
    if _DESCRIPTOR.fullmatch(str(path)) or (path.exists() and not path.is_file()):
        return path.open("ab" if path.is_file() else "wb")
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    return _replace(target, _choose_directory(target))


def move_file(source: Path, target: Path) -> None:
    """Move *source*, which is on the disk, to *target* on the same file system, whose file it replaces.

    Raises:
        OSError: It cannot be moved.
    """
    source.replace(target)
    _sync_directory(target.parent)


@contextmanager
def _replace(target: Path, directory: Path) -> Iterator[BinaryIO]:
    part = directory / f".{target.name[:_SHOWN_NAME]}.{secrets.token_hex(4)}.part"
    try:
        with part.open("xb") as file:
            if target.exists():
                shutil.copymode(target, part)
            yield file
            file.flush()
            os.fsync(file.fileno())
        _put(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_directory(target.parent)


def _choose_directory(target: Path) -> Path:
    """Return the directory for the new file, after a check that *target* can be replaced or overwritten.

    Raises:
        OSError: It can be neither.
    """
    if not target.exists():
        return target.parent
    may_create = os.access(target.parent, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)
    must_stay = not may_create or _is_mount_point(target) or _is_sticky(target)
    try:
        target.open("r+b").close()
    except OSError as error:
        if must_stay or error.errno not in _REPLACEABLE:
            raise
    if must_stay:
        warn_caller(
            f"{target} cannot be replaced, so it is overwritten at the end: an error then leaves a part of it",
            CallRecordsWarning,
        )
    return target.parent if may_create else Path(tempfile.gettempdir())


def _is_mount_point(path: Path) -> bool:
    """Return whether something is mounted at *path*; a bind mount, as containers have, does not change the device."""
    try:
        mounts = _MOUNTS.read_bytes()
    except OSError:
        return os.path.ismount(path)
    escaped = re.sub(rb"[ \t\n\\]", lambda found: b"\\%03o" % ord(found[0]), os.fsencode(path))
    return any(line.split(b" ")[4] == escaped for line in mounts.splitlines())


def _is_sticky(path: Path) -> bool:
    """Return whether the sticky bit of its directory keeps *path* from being replaced by this user."""
    if sys.platform == "win32":
        return False
    directory = path.parent.stat()
    return bool(directory.st_mode & stat.S_ISVTX) and os.geteuid() not in {0, path.stat().st_uid, directory.st_uid}


def _put(part: Path, target: Path) -> None:
    """Replace *target* by *part*, or overwrite it where the system does not let it be replaced."""
    try:
        part.replace(target)
    except OSError:
        if not target.exists():
            raise
        with part.open("rb") as source, target.open("r+b") as file:
            shutil.copyfileobj(source, file)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
        part.unlink()


def _sync_directory(directory: Path) -> None:
    """Write the new name to the disk, on systems that can; the file itself is there already."""
    if sys.platform == "win32":
        return
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
