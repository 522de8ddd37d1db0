"""Where the files of an archive are: a directory, or a URL such as ``s3://bucket/calls`` through fsspec."""

from __future__ import annotations

import io
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, Final, cast
from urllib.request import url2pathname

from trtc_records._errors import ConfigurationError, shorten
from trtc_records.export._files import move_file, replace_file

__all__ = ["LocalStore", "RemoteStore", "Store", "open_store"]

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+")
_COLLAPSED: Final = re.compile(rf"{_SCHEME.pattern}:[/\\][^/\\]")
"""A URL that was made a ``Path``, which drops a slash; a drive of Windows has a single letter."""
_EXAMPLE: Final = "s3://bucket/calls"
_BLOCK: Final = 1 << 22
"""Bytes per request of a file that is read; s3fs would take 50 MB."""
_BUFFER: Final = 1 << 18


class Store(ABC):
    """The files below a place, by their names relative to it. All methods block, and raise ``OSError``."""

    @abstractmethod
    def locate(self, name: str = "") -> Path | str:
        """Return the path or the URL of a file."""

    @abstractmethod
    def is_file(self) -> bool:
        """Return whether the place itself is a file."""

    @abstractmethod
    def list_files(self, directory: str = "") -> list[str]:
        """Return the names of all files below a directory, sorted."""

    @abstractmethod
    def get_size(self, name: str) -> int | None:
        """Return the bytes of a file, ``None`` if it does not exist."""

    @abstractmethod
    def open(self, name: str = "") -> BinaryIO:
        """Open a file for reading."""

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """Return the content of a file, ``None`` if it does not exist."""

    @abstractmethod
    def read_many(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield each file's name and content."""

    @abstractmethod
    def open_scratch(self) -> AbstractContextManager[Path]:
        """Yield a directory for files that :meth:`put` takes."""

    @abstractmethod
    def put(self, path: Path, name: str) -> None:
        """Put a file of the scratch directory in its place, as a whole; it replaces an older one."""

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Write a file as a whole; it replaces an older one."""

    @abstractmethod
    def move(self, name: str, new: str) -> None:
        """Give a file another name in its directory."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file, if it exists."""


class LocalStore(Store):
    """The files in a directory.

    Args:
        root: The directory.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def locate(self, name: str = "") -> Path:
        return self.root / name

    def is_file(self) -> bool:
        return not self.root.is_dir()  # opening explains why it is neither

    def list_files(self, directory: str = "") -> list[str]:
        found = (self.root / directory).rglob("*")
        return _sort(path.relative_to(self.root).as_posix() for path in found if path.is_file())

    def get_size(self, name: str) -> int | None:
        path = self.root / name
        return path.stat().st_size if path.is_file() else None

    def open(self, name: str = "") -> BinaryIO:
        return (self.root / name).open("rb")

    def read(self, name: str) -> bytes | None:
        path = self.root / name
        return path.read_bytes() if path.exists() else None

    def read_many(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        return ((name, (self.root / name).read_bytes()) for name in names)

    def open_scratch(self) -> AbstractContextManager[Path]:
        return nullcontext(self.root)  # a file can be moved within a file system only

    def put(self, path: Path, name: str) -> None:
        move_file(path, self.root / name)

    def write(self, name: str, content: bytes) -> None:
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        with replace_file(path) as file:
            file.write(content)

    def move(self, name: str, new: str) -> None:
        move_file(self.root / name, self.root / new)

    def remove(self, name: str) -> None:
        (self.root / name).unlink(missing_ok=True)


class RemoteStore(Store):
    """The files below a URL, through fsspec.

    Args:
        argument: The name of the caller's argument, for messages.
        url: The URL.
        scheme: Its scheme.
    """

    def __init__(self, argument: str, url: str, scheme: str) -> None:
        self._url = url.rstrip("/")
        with self._explain(""):
            self._files, root = _connect(argument, url, scheme)
        self._root = root.rstrip("/")
        if not self._root:
            raise ConfigurationError(f"{argument}={shorten(url)}: names no bucket: pass a URL such as {_EXAMPLE}")

    def locate(self, name: str = "") -> str:
        return f"{self._url}/{name}" if name else self._url

    def is_file(self) -> bool:
        return self.get_size("") is not None

    def list_files(self, directory: str = "") -> list[str]:
        with self._explain(directory):
            self._files.invalidate_cache()  # listings, of which fsspec keeps some
            found = self._files.find(self._place(directory))
        prefix = f"{self._root}/"
        return _sort(path.removeprefix(prefix) for path in found if path.startswith(prefix) and not path.endswith("/"))

    def get_size(self, name: str) -> int | None:
        with self._explain(name), suppress(FileNotFoundError):
            self._files.invalidate_cache()
            found = self._files.info(self._place(name))
            if found["type"] == "file":
                return int(found["size"])
        return None

    def open(self, name: str = "") -> BinaryIO:
        with self._explain(name):
            self._files.invalidate_cache()
            file = self._files.open(self._place(name), "rb", block_size=_BLOCK)
        # By itself, a file of fsspec looks for the ends of lines in Python.
        return cast("BinaryIO", io.BufferedReader(file, buffer_size=_BUFFER))

    def read(self, name: str) -> bytes | None:
        with self._explain(name), suppress(FileNotFoundError):
            self._files.invalidate_cache()
            return bytes(self._files.cat_file(self._place(name)))
        return None

    def read_many(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        by_place = {self._place(name): name for name in names}
        if not by_place:
            return
        with self._explain(""):
            contents = self._files.cat([*by_place])  # many at a time, if the store can
        for place, name in by_place.items():
            yield name, bytes(contents[place])

    @contextmanager
    def open_scratch(self) -> Iterator[Path]:
        with TemporaryDirectory(prefix="trtc-records-") as directory:
            yield Path(directory)

    def put(self, path: Path, name: str) -> None:
        with self._explain(name):
            self._files.put_file(str(path), self._place(name))
        path.unlink()

    def write(self, name: str, content: bytes) -> None:
        with self._explain(name):
            self._files.pipe_file(self._place(name), content)

    def move(self, name: str, new: str) -> None:
        with self._explain(name):
            self._files.mv(self._place(name), self._place(new))

    def remove(self, name: str) -> None:
        with self._explain(name), suppress(FileNotFoundError):
            self._files.rm_file(self._place(name))

    def _place(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    @contextmanager
    def _explain(self, name: str) -> Iterator[None]:
        """Turn the errors of a store's own kinds, which have no common base, into an ``OSError``."""
        try:
            yield
        except (OSError, ImportError, ConfigurationError):
            raise
        except Exception as error:  # noqa: BLE001
            raise OSError(f"{self.locate(name)}: {type(error).__name__}: {error}") from None


def open_store(argument: str, place: PurePath | str) -> Store:
    """Return the store that the caller has named; nothing is read or written yet.

    Args:
        argument: The name of the caller's argument, for messages.
        place: A path, or a URL as text; ``file://`` stands for a path.

    Raises:
        ConfigurationError: The path or the URL cannot be used.
        ImportError: The URL needs a package that is not installed; the message names it.
    """
    text = str(place)
    if not isinstance(place, PurePath | str) or not text.strip():
        raise ConfigurationError(f"{argument}={shorten(place)}: pass a path, or a URL such as {_EXAMPLE}")
    before, separator, address = text.partition("://")
    if "@" in address.partition("/")[0]:
        # The value is left out, as it may hold a password.
        raise ConfigurationError(
            f"{argument}: a URL with a user or a password: pass them by the variables of the store's package"
        )
    if _COLLAPSED.match(text) or (separator and not _SCHEME.fullmatch(before)):
        raise ConfigurationError(f"{argument}={shorten(text)}: pass a path, or a URL as a str, such as {_EXAMPLE}")
    if not separator:
        return LocalStore(Path(place))
    if before.lower() in {"file", "local"}:
        return LocalStore(Path(url2pathname(address)))
    return RemoteStore(argument, text, before.lower())


def _connect(argument: str, url: str, scheme: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the URL's path within it."""
    try:
        from fsspec import available_protocols  # noqa: PLC0415  (the extra may be missing)
        from fsspec.core import url_to_fs  # noqa: PLC0415
        from fsspec.registry import known_implementations  # noqa: PLC0415
    except ModuleNotFoundError:
        raise ImportError(
            f'{scheme}:// needs fsspec, which is not installed: pip install ".[archive]"', name="fsspec"
        ) from None
    if scheme not in available_protocols():
        raise ConfigurationError(
            f"{argument}={shorten(url)}: fsspec knows no {scheme}://: pass a path, or a URL such as {_EXAMPLE}"
        )
    try:
        files, root = url_to_fs(url)
    except ImportError as error:
        package = known_implementations[scheme]["class"].partition(".")[0]
        if package == "fsspec":  # its own class needs another package, which the message names
            raise ImportError(f"{scheme}:// cannot be used: {error}", name=scheme) from None
        raise ImportError(
            f"{scheme}:// needs {package}, which is not installed: pip install {package}", name=package
        ) from None
    return files, root


def _sort(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: name.split("/"))
