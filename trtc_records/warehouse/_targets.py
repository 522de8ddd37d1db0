"""The destination of a sync: a URL, or the name of one of dlt's destinations. No message contains a password."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import attrs

from trtc_records._checks import clean_text
from trtc_records._errors import ConfigurationError
from trtc_records._secret import Secret, hide

__all__ = ["DEFAULT_TARGET", "Target", "TargetError", "read_target"]

DEFAULT_TARGET: Final = "duckdb:///calls.duckdb"
_EXAMPLES: Final = (
    "duckdb:///calls.duckdb (a file here), duckdb:////data/calls.duckdb (an absolute path), delta:///lake (a directory "
    "here), postgresql://user:password@host/database, or the name of a dlt destination such as bigquery"
)

_BY_SCHEME: Final = {
    "clickhouse": "clickhouse",
    "delta": "filesystem",
    "duckdb": "duckdb",
    "mariadb": "sqlalchemy",
    "mssql": "mssql",
    "mysql": "sqlalchemy",
    "postgres": "postgres",
    "postgresql": "postgres",
    "redshift": "redshift",
    "snowflake": "snowflake",
    "sqlite": "sqlalchemy",
    "trino": "sqlalchemy",
}
"""dlt's destination for each scheme of a URL; a scheme may end with + and a SQLAlchemy driver."""


class TargetError(ConfigurationError):
    """A destination that cannot be used for a sync."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"to: {reason}")


@attrs.frozen
class Target:
    """A destination of a sync."""

    name: str
    """Its name in dlt."""
    credentials: Secret | None
    """The credentials for dlt; ``None`` for those in dlt's own configuration."""
    shown: str
    """The text for messages and logs."""
    secrets: tuple[Secret, ...] = ()
    """The texts that no message may contain."""
    lake: Path | None = None
    """The directory of a Delta lake; ``None`` for every other destination."""

    def conceal(self, text: str) -> str:
        """Return *text* without the secrets."""
        for secret in self.secrets:
            text = text.replace(secret.reveal(), str(secret))
        return text


def read_target(to: object) -> Target:
    """Return the destination that *to*, a text or a hidden one, names.

    Raises:
        TargetError: It names nothing that can be synced to; the message gives examples.
    """
    hidden = hide(to)
    del to  # error reporters collect the variables of a frame
    try:
        return _read(hidden.reveal() if isinstance(hidden, Secret) else hidden)
    except TargetError as error:
        # Without the frames, and the cause, that hold the password.
        error.__context__ = None
        raise error.with_traceback(None) from None


def _read(value: object) -> Target:
    if not isinstance(value, str):
        raise _refuse(f"{type(value).__name__} given, not text")
    text = clean_text(value) or ""
    if text == "duckdb":
        raise _refuse("'duckdb' names no file")
    if "://" not in text:
        if not text.isidentifier():
            # It is not shown: it may be a pasted password.
            raise _refuse("not a URL; for a file, write duckdb:/// before its path")
        return Target(text, None, text)
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise _refuse("not a URL; a password has to be percent-encoded") from None
    base = url.scheme.partition("+")[0]
    is_path = base in {"delta", "duckdb"}
    if base not in _BY_SCHEME or (is_path and base != url.scheme):
        raise _refuse(f"'{url.scheme}://' is not known")
    if is_path:
        if "?" in text or "#" in text:
            raise _refuse("a file has no options; percent-encode ? and # in its path")
        return _read_path(url)
    if "@" in url.path + url.query + url.fragment:
        raise _refuse("an @ behind the host; the user's name and the password have to be percent-encoded")
    name = "sqlalchemy" if "+" in url.scheme else _BY_SCHEME[base]
    user = f"{url.username}@" if url.username else ""
    shown = f"{url.scheme}://{user}{url.hostname or ''}{'' if port is None else f':{port}'}{url.path}"
    credentials = text
    if name == "postgres":
        if not url.hostname or not url.path.strip("/"):
            raise _refuse("the host or the database is missing")
        if url.password is None:
            # dlt insists on a password; libpq takes an empty one for none, and looks at PGPASSWORD and .pgpass.
            credentials = url._replace(netloc=f"{user.removesuffix('@')}:@{url.netloc.rpartition('@')[2]}").geturl()
    password = url.password or ""
    secrets = sorted({password, unquote(password), url.query} - {""}, key=len, reverse=True)
    return Target(name, Secret(credentials), shown, tuple(map(Secret, secrets)))


def _read_path(url: SplitResult) -> Target:
    """Return the file of a database, or the directory of a lake; both have a parent already."""
    kind = "directory" if url.scheme == "delta" else "file"
    if url.netloc:
        raise _refuse(f"three slashes stand before the path of a {kind}")
    text = unquote(url.path)[1:]
    if text in {"", ":memory:"}:
        raise _refuse(f"the path of a {kind} is missing")
    path = Path(text).resolve()
    if not path.parent.is_dir():
        absolute = "" if text.startswith("/") else f"; for the absolute path /{text}, write four slashes"
        raise TargetError(f"the directory '{path.parent}' does not exist{absolute}")
    shown = f"{url.scheme}:///{text}"
    if kind == "file":
        return Target("duckdb", Secret(str(path)), shown)
    if path.exists() and not path.is_dir():
        raise TargetError(f"'{path}' is no directory: name one for the lake, new or old")
    return Target("filesystem", None, shown, lake=path)


def _refuse(reason: str) -> TargetError:
    return TargetError(f"{reason}: pass {_EXAMPLES}")
