"""The check of an archive's files against its manifests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs

from trtc_records.archive._manifest import Manifest, digest, list_manifests, read_manifest
from trtc_records.export._reading import DATA_FILE

__all__ = ["ArchiveCheck", "verify_archive"]


@attrs.frozen(kw_only=True)
class ArchiveCheck:
    """The result of a check."""

    partitions: int
    """Days or hours with a readable manifest."""
    records: int
    """Records in their files, as the manifests count them."""
    incomplete: tuple[str, ...]
    """The names of those that are not complete."""
    problems: tuple[str, ...]
    """Files that differ from their manifest, or have none; manifests that cannot be read."""


def verify_archive(directory: Path | str) -> ArchiveCheck:
    """Compare every file of an archive with the SHA-256 in its manifest.

    It blocks while it reads all files, and does not change them. While a run writes, or after one was killed, a file
    may be newer than its manifest; the next run mends that.

    Args:
        directory: The archive.

    Raises:
        OSError: The directory, or a file in it, cannot be read.
        ValueError: The directory is no archive.
    """
    directory = Path(directory)
    manifests, problems = [], []
    paths = list_manifests(directory)
    if not paths:
        raise ValueError(f"{directory} is no archive: it has no manifests")
    for path in paths:
        try:
            manifests.append(read_manifest(path))
        except ValueError as error:
            problems.append(str(error))
    for manifest in manifests:
        problems += _compare(directory, manifest)
    known = {directory / manifest.file for manifest in manifests if manifest.file is not None}
    for path in sorted(directory.glob(f"start_date=*/**/{DATA_FILE}.*")):
        if path not in known:
            problems.append(f"{path} has no manifest that can be read")
    return ArchiveCheck(
        partitions=len(manifests),
        records=sum(manifest.records for manifest in manifests),
        incomplete=tuple(manifest.name for manifest in manifests if not manifest.complete),
        problems=tuple(problems),
    )


def _compare(directory: Path, manifest: Manifest) -> Iterator[str]:
    if manifest.file is None:
        return
    path = directory / manifest.file
    if not path.is_file():
        yield f"{path} is missing"
    elif path.stat().st_size != manifest.bytes or digest(path) != manifest.sha256:
        yield f"{path} differs from its manifest"
