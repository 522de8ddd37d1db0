"""Call records of an archive or a file, instead of the service's."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

import attrs

from trtc_records import CallRecord, ConfigurationError
from trtc_records.archive._manifest import Manifest, list_manifests, read_manifest
from trtc_records.cli._errors import CommandError
from trtc_records.cli._options import Window
from trtc_records.cli._times import show_time
from trtc_records.export import SCHEMA_VERSION, read_records
from trtc_records.export._reading import list_data_files
from trtc_records.export._store import LocalStore, Store, open_store

__all__ = ["RecordInput"]

_REMEDY: Final = "name a file or the directory of an archive"


@attrs.frozen
class RecordInput:
    """An archive or a file with call records."""

    store: Store
    manifests: tuple[Manifest, ...]
    """The manifests of an archive, in the order of time."""

    @classmethod
    def open(cls, path: str) -> RecordInput:
        """Return the input at a path or a URL.

        Raises:
            CommandError: It is stdin, does not exist, or is an archive with a damaged manifest.
        """
        if path == "-":
            raise CommandError("--input -: stdin cannot be read", _REMEDY)
        try:
            store = open_store("--input", path)
            if isinstance(store, LocalStore):
                store.root.stat()
            contents = [] if store.is_file() else store.read_many(list_manifests(store))
            manifests = tuple(read_manifest(store.locate(name), content) for name, content in contents)
        except (ConfigurationError, ImportError) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise _make_error(path, error.strerror or str(error)) from error
        except ValueError as error:
            raise CommandError(str(error), f"trtc-records archive {path} writes it anew") from error
        if any(manifest.schema_version > SCHEMA_VERSION for manifest in manifests):
            raise CommandError(
                f"--input {path}: the archive was written by a newer version of trtc-records", "install that one"
            )
        return cls(store, manifests)

    @property
    def sdk_app_id(self) -> int | None:
        """Return the app of an archive; ``None`` for a file, which does not name it, and for files of many apps."""
        apps = {manifest.sdk_app_id for manifest in self.manifests}
        return apps.pop() if len(apps) == 1 else None

    @property
    def end(self) -> datetime | None:
        """Return the time up to which an archive has calls; ``None`` for a file, which does not tell it."""
        return _find_end(self.manifests[-1]) if self.manifests else None

    def holds(self, path: Path) -> bool:
        """Return whether *path* is the file itself, or one of an archive's files of records."""
        if not isinstance(self.store, LocalStore) or not path.exists():
            return False
        names = [""] if self.store.is_file() else list_data_files(self.store)
        return any(self.store.locate(name).samefile(path) for name in names)

    def describe(self) -> str:
        """Return its kind and its place."""
        return f"{'file' if self.store.is_file() else 'archive'} {self.store.locate()}"

    def read(self, windows: Collection[Window]) -> Iterator[CallRecord]:
        """Yield all records that may lie in one of *windows*, and more: of an archive, whole days.

        Raises:
            CommandError: The input cannot be read, is damaged, or needs an extra that is not installed.
        """
        try:
            for name in self._choose_files(windows):
                yield from read_records(self.store.locate(name))
        except OSError as error:
            raise _make_error(self.store.locate(), error.strerror or str(error)) from error
        except ImportError as error:
            raise CommandError(str(error)) from error
        except ValueError as error:
            raise CommandError(f"cannot read --input: {error}", self._advise()) from error

    def _advise(self) -> str:
        """Return the remedy for damage."""
        if self.manifests:
            return f"trtc-records archive {self.store.locate()} --verify lists all damaged files"
        return "choose another file, or export it again"

    def _choose_files(self, windows: Collection[Window]) -> Sequence[str]:
        """Return the files to read: of an archive, those of days in a window, and those without a manifest."""
        if not self.manifests:
            return [""]
        idle = {
            manifest.file
            for manifest in self.manifests
            if manifest.file is not None and not any(_overlaps(manifest, window) for window in windows)
        }
        return [name for name in list_data_files(self.store) if name not in idle]

    def list_missing(self, window: Window) -> Iterator[str]:
        """Yield the reasons why an archive may lack calls of *window*; a file tells none.

        The day in which an archive begins is never complete, and counts only if the window has a start.
        """
        if self.store.is_file():
            return
        if not self.manifests:
            yield f"{self.store.locate()} has no manifests that say which days are complete"
            return
        yield from self._list_gaps(window)
        for number, manifest in enumerate(self.manifests):
            begins = number == 0 and window.since is None
            if _overlaps(manifest, window):
                yield from self._list_faults(manifest, window, begins=begins)
        known = {manifest.file for manifest in self.manifests}
        for name in list_data_files(self.store):
            if name not in known:
                yield f"{self.store.locate(name)} has no manifest that says whether it is complete"

    def _list_gaps(self, window: Window) -> Iterator[str]:
        """Yield the times of *window* that no manifest is about."""
        first = _read_time(self.manifests[0].start)
        if window.since is not None and window.since < first:
            yield f"the archive begins at {show_time(first)}"
        for before, after in pairwise(self.manifests):
            start, end = _read_time(before.end), _read_time(after.start)
            if _meets(start, end, window):
                yield f"the archive has no manifest for {show_time(start)} to {show_time(end)}"
        last = _find_end(self.manifests[-1])
        if not window.ends_now and window.until > last:
            yield f"the archive was last read at {show_time(last)}"

    def _list_faults(self, manifest: Manifest, window: Window, *, begins: bool) -> Iterator[str]:
        """Yield the reasons why a day may lack calls; the one in which the archive *begins* may be incomplete."""
        if not manifest.complete and not begins:
            yield f"{manifest.name} is not complete in the archive: {manifest.reason}"
        if manifest.rejects:
            yield f"records of {manifest.name} that could not be read: {manifest.rejects:,}"
        if manifest.file is not None:
            size = self.store.get_size(manifest.file)
            if size != manifest.bytes:
                fault = "is missing" if size is None else "differs from its manifest"
                yield f"{self.store.locate(manifest.file)} {fault}"
        end = _find_end(manifest)
        is_last = manifest is self.manifests[-1]  # whose end is that of the archive
        if not is_last and manifest.read_at is not None and _meets(end, _read_time(manifest.end), window):
            yield f"{manifest.name} was last read at {show_time(end)}, before its end"


def _overlaps(manifest: Manifest, window: Window) -> bool:
    """Return whether a call of the manifest's day may lie in *window*."""
    return _meets(_read_time(manifest.start), _read_time(manifest.end), window)


def _meets(start: datetime, end: datetime, window: Window) -> bool:
    """Return whether the time from *start* to before *end* meets *window*; one that ends now has no end here."""
    starts = window.ends_now or start <= window.until
    return start < end and starts and (window.since is None or window.since < end)


def _find_end(manifest: Manifest) -> datetime:
    """Return the time up to which a day was read."""
    if manifest.read_at is None:
        return _read_time(manifest.start)
    return min(_read_time(manifest.end), _read_time(manifest.read_at))


def _read_time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _make_error(path: object, reason: str) -> CommandError:
    return CommandError(f"cannot read --input {path}: {reason}", _REMEDY)
