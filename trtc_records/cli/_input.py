"""Call records of an archive or a file, instead of the service's."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

import attrs

from trtc_records import CallRecord, ConfigurationError
from trtc_records.archive._manifest import Manifest, list_manifests, read_manifest
from trtc_records.cli._errors import CommandError
from trtc_records.cli._options import Window
from trtc_records.cli._times import show_time
from trtc_records.export import read_records
from trtc_records.export._reading import list_data_files
from trtc_records.export._store import LocalStore, Store, open_store

__all__ = ["RecordInput"]


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
            raise CommandError("--input -: stdin cannot be read", "name a file or the directory of an archive")
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
        return cls(store, manifests)

    @property
    def sdk_app_id(self) -> int | None:
        """Return the app of an archive; ``None`` for a file, which does not name it."""
        return self.manifests[0].sdk_app_id if self.manifests else None

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
            raise CommandError(f"cannot read --input: {error}", "choose another file, or export it again") from error

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
        if not self.manifests:
            return
        first = _read_time(self.manifests[0].start)
        if window.since is not None and window.since < first:
            yield f"the archive begins at {show_time(first)}"
        for number, manifest in enumerate(self.manifests):
            begins = number == 0 and window.since is None
            is_asked = not begins and _overlaps(manifest, window)
            if is_asked and not manifest.complete:
                yield f"{manifest.name} is not complete in the archive: {manifest.reason}"
            if is_asked and manifest.rejects:
                yield f"records of {manifest.name} that could not be read: {manifest.rejects:,}"
        known = {manifest.file for manifest in self.manifests}
        for name in list_data_files(self.store):
            if name in known:
                continue
            yield f"{self.store.locate(name)} has no manifest that says whether it is complete"
        last = max((_read_time(each.read_at) for each in self.manifests if each.read_at is not None), default=first)
        if not window.ends_now and window.until > last:
            yield f"the archive was last read at {show_time(last)}"


def _overlaps(manifest: Manifest, window: Window) -> bool:
    """Return whether a call of the manifest's day may lie in *window*; one that ends now has no end here."""
    starts = window.ends_now or _read_time(manifest.start) <= window.until
    return starts and (window.since is None or window.since < _read_time(manifest.end))


def _read_time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _make_error(path: object, reason: str) -> CommandError:
    return CommandError(f"cannot read --input {path}: {reason}", "name a file or the directory of an archive")
