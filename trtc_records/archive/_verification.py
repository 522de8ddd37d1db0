"""The check of an archive's files against its manifests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs

from trtc_records.archive._manifest import Manifest, digest, list_manifests, read_manifest
from trtc_records.export._reading import list_data_files
from trtc_records.export._store import Store, open_store

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
        directory: The archive: a path, or a URL such as ``s3://bucket/calls``, from which all files are fetched.

    Raises:
        OSError: The directory, or a file in it, cannot be read.
        ValueError: The directory is no archive.
        ImportError: The URL needs a package that is not installed; the message names it.
    """
    store = open_store("directory", directory)
    manifests, problems = [], []
    names = list_manifests(store)
    if not names:
        raise ValueError(f"{store.locate()} is no archive: it has no manifests")
    for name, content in store.read_many(names):
        try:
            manifests.append(read_manifest(store.locate(name), content))
        except ValueError as error:
            problems.append(str(error))
    for manifest in manifests:
        problems += _compare(store, manifest)
    known = {manifest.file for manifest in manifests}
    problems += [
        f"{store.locate(name)} has no manifest that can be read" for name in list_data_files(store) if name not in known
    ]
    return ArchiveCheck(
        partitions=len(manifests),
        records=sum(manifest.records for manifest in manifests),
        incomplete=tuple(manifest.name for manifest in manifests if not manifest.complete),
        problems=tuple(problems),
    )


def _compare(store: Store, manifest: Manifest) -> Iterator[str]:
    if manifest.file is None:
        return
    size = store.get_size(manifest.file)
    if size is None:
        yield f"{store.locate(manifest.file)} is missing"
    elif size != manifest.bytes or digest(store.open(manifest.file)) != manifest.sha256:
        yield f"{store.locate(manifest.file)} differs from its manifest"
