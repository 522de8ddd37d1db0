"""Manifests: the account of each file of an archive, written after the file."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any, BinaryIO, Final

import attrs
from attrs.validators import ge, instance_of, optional

from trtc_records.export import SCHEMA_VERSION
from trtc_records.export._store import Store

__all__ = ["MANIFESTS", "Layout", "Manifest", "digest", "list_manifests", "name_of", "read_manifest", "write_manifest"]

MANIFESTS: Final = "_manifest"
"""The directory of the manifests within an archive."""

_FILE: Final = re.compile(rf"{MANIFESTS}/\d{{4}}-\d\d-\d\d(T\d\d)?\.json", re.ASCII)
_COUNT: Final = (instance_of(int), ge(0))


def _is_time(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if datetime.fromisoformat(value).tzinfo is None:
        raise ValueError(f"{attribute.name} has no offset")


@attrs.frozen(kw_only=True)
class Layout:
    """The arguments that all runs into one archive share."""

    sdk_app_id: int = attrs.field(validator=instance_of(int))
    service: str = attrs.field(default="current", validator=instance_of(str))
    partition: str = attrs.field(validator=instance_of(str))
    zone: str = attrs.field(validator=instance_of(str))
    file_format: str = attrs.field(validator=instance_of(str))
    pseudonyms: str | None = attrs.field(default=None, validator=optional(instance_of(str)))
    """The fingerprint of the key of the pseudonyms; ``None`` for ids as the service has them."""


@attrs.frozen(kw_only=True)
class Manifest(Layout):
    """The account of one file. Times are ISO 8601 in UTC."""

    schema_version: int = attrs.field(default=SCHEMA_VERSION, validator=instance_of(int))
    name: str = attrs.field(validator=instance_of(str))
    """The day or the hour."""
    start: str = attrs.field(validator=_is_time)
    """Its first second."""
    end: str = attrs.field(validator=_is_time)
    """The first second after it."""
    file: str | None = attrs.field(validator=optional(instance_of(str)))
    """The file's path within the archive; ``None`` if the day was never read."""
    bytes: int = attrs.field(validator=_COUNT)
    sha256: str | None = attrs.field(validator=optional(instance_of(str)))
    window_start: str | None = attrs.field(validator=optional(_is_time))
    """Start of the window that was read, as far back as the service had records if ``None``."""
    window_end: str | None = attrs.field(validator=optional(_is_time))
    """Its end; that is beyond the day's, since the service may select calls by their end."""
    read_at: str | None = attrs.field(validator=optional(_is_time))
    """The service's time when the reading began."""
    total_num: int | None = attrs.field(validator=optional(instance_of(int)))
    """``TotalNum`` of the window, as the service counted; ``None`` if it did not."""
    records: int = attrs.field(validator=_COUNT)
    rejects: int = attrs.field(validator=_COUNT)
    complete: bool = attrs.field(validator=instance_of(bool))
    final: bool = attrs.field(validator=instance_of(bool))
    expired: bool = attrs.field(default=False, validator=instance_of(bool))
    """Whether the service has dropped the day's records before the day was final."""
    reason: str | None = attrs.field(default=None, validator=optional(instance_of(str)))
    """The reason why it is not complete."""

    @property
    def is_settled(self) -> bool:
        """Return whether no later run will read the day."""
        return self.final or self.expired

    def has_layout(self, layout: Layout) -> bool:
        """Return whether the file is one of an archive with that layout."""
        return all(getattr(self, field.name) == getattr(layout, field.name) for field in attrs.fields(Layout))


def list_manifests(store: Store) -> list[str]:
    """Return the names of the files of all manifests, sorted."""
    return [name for name in store.list_files(MANIFESTS) if _FILE.fullmatch(name)]


def read_manifest(path: Path | str, content: bytes) -> Manifest:
    """Return the manifest in the content of a file.

    Raises:
        ValueError: It is damaged, or is another day's.
    """
    try:
        read = json.loads(content)
        # A later version may have added fields.
        manifest = Manifest(**{field.name: read[field.name] for field in attrs.fields(Manifest) if field.name in read})
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if manifest.name != name_of(str(path)):
        raise ValueError(f"{path} cannot be read: it is the manifest of {manifest.name}")
    return manifest


def write_manifest(store: Store, manifest: Manifest) -> None:
    """Write a manifest, as a whole or not at all.

    Raises:
        OSError: It cannot be written.
    """
    content = json.dumps(attrs.asdict(manifest), indent=2).encode() + b"\n"
    store.write(f"{MANIFESTS}/{manifest.name}.json", content)


def name_of(file: str) -> str:
    """Return the name of the day or hour whose manifest a file is."""
    return PurePath(file).stem


def digest(file: BinaryIO) -> str:
    """Return the SHA-256 of a file, and close it."""
    with file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # asks for less
