"""The destinations of a sync."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtc_records import ConfigurationError
from trtc_records.warehouse._targets import Target, read_target

PASSWORD = "s3cret"


def reveal(target: Target) -> str | None:
    """Return the credentials in the clear."""
    return None if target.credentials is None else target.credentials.reveal()


@pytest.mark.parametrize(
    ("text", "name", "credentials", "shown"),
    [
        ("bigquery", "bigquery", None, "bigquery"),
        ("postgresql://u:p%2Fw@h:5/d", "postgres", "postgresql://u:p%2Fw@h:5/d", "postgresql://u@h:5/d"),
        ("postgres://u:p@h/d?sslmode=require", "postgres", "postgres://u:p@h/d?sslmode=require", "postgres://u@h/d"),
        ("postgresql://u@h/d", "postgres", "postgresql://u:@h/d", "postgresql://u@h/d"),
        ("postgresql://h/d", "postgres", "postgresql://:@h/d", "postgresql://h/d"),
        ("snowflake://u:p@account/d/s", "snowflake", "snowflake://u:p@account/d/s", "snowflake://u@account/d/s"),
        ("mysql+pymysql://u:p@h/d", "sqlalchemy", "mysql+pymysql://u:p@h/d", "mysql+pymysql://u@h/d"),
        ("postgresql+psycopg://u:p@h/d", "sqlalchemy", "postgresql+psycopg://u:p@h/d", "postgresql+psycopg://u@h/d"),
    ],
)
def test_destination_is_read(text: str, name: str, credentials: str | None, shown: str) -> None:
    """A URL or a name becomes dlt's destination, its credentials and a text for messages."""
    target = read_target(text)
    assert (target.name, reveal(target), target.shown) == (name, credentials, shown)


def test_relative_file_is_in_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path after three slashes is relative to the current directory."""
    monkeypatch.chdir(tmp_path)
    target = read_target("duckdb:///my%20calls.duckdb")
    assert (target.name, reveal(target)) == ("duckdb", str(tmp_path.resolve() / "my calls.duckdb"))


@pytest.mark.parametrize(("slashes", "shown"), [("", "delta:///my lake"), ("/", "delta:////{}/my lake")])
def test_lake_is_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slashes: str, shown: str) -> None:
    """A lake is relative after three slashes and absolute after four, as a file is; it need not exist."""
    monkeypatch.chdir(tmp_path)
    directory = str(tmp_path).removeprefix("/")
    target = read_target(f"delta:///{slashes}{directory}/my%20lake" if slashes else "delta:///my%20lake")
    assert (target.name, target.credentials, target.lake) == ("filesystem", None, tmp_path.resolve() / "my lake")
    assert target.shown == shown.format(directory)


def test_lake_cannot_be_a_file(tmp_path: Path) -> None:
    """The message names the file."""
    (tmp_path / "calls.duckdb").touch()
    with pytest.raises(ConfigurationError, match=r"^to: '.*calls.duckdb' is no directory"):
        read_target(f"delta:///{tmp_path}/calls.duckdb")


def test_path_may_hold_special_characters_of_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ? and a # in a path are percent-encoded."""
    monkeypatch.chdir(tmp_path)
    assert reveal(read_target("duckdb:///week%237%3F.duckdb")) == str(tmp_path.resolve() / "week#7?.duckdb")


def test_absolute_file_has_a_fourth_slash(tmp_path: Path) -> None:
    """A path after four slashes is absolute."""
    assert reveal(read_target(f"duckdb:///{tmp_path}/calls.duckdb")) == str(tmp_path.resolve() / "calls.duckdb")


@pytest.mark.parametrize(
    ("text", "explanation"),
    [
        ("", "not a URL"),
        ("calls.duckdb", "for a file, write duckdb:/// before its path"),
        ("ftp://host/calls", "'ftp://' is not known"),
        ("duckdb://calls.duckdb", "three slashes"),
        ("duckdb:///", "the path of a file is missing"),
        ("duckdb:///:memory:", "the path of a file is missing"),
        ("duckdb:////no/such/directory/calls.duckdb", "the directory '/no/such/directory' does not exist"),
        ("duckdb:///no/such/calls.duckdb", "for the absolute path /no/such/calls.duckdb, write four slashes"),
        ("delta://lake", "three slashes stand before the path of a directory"),
        ("delta:///", "the path of a directory is missing"),
        ("delta:///no/such/lake", "for the absolute path /no/such/lake, write four slashes"),
        ("delta:///lake?version=1", "percent-encode ? and # in its path"),
        ("delta+s3:///lake", "'delta+s3://' is not known"),
        ("duckdb:///week#7.duckdb", "percent-encode ? and # in its path"),
        ("duckdb:///calls.duckdb?access_mode=read_only", "percent-encode ? and # in its path"),
        ("duckdb:///calls?", "percent-encode ? and # in its path"),
        ("duckdb", "'duckdb' names no file: pass duckdb:///calls.duckdb"),
        (Path("calls.duckdb"), "Path given, not text: pass duckdb:///calls.duckdb"),
        (None, "NoneType given, not text"),
        ("postgresql://host", "the host or the database is missing"),
        ("postgresql:///database", "the host or the database is missing"),
        (f"postgresql://u:{PASSWORD}@host:port/d", "percent-encoded"),
        (f"postgresql://u:{PASSWORD}[@host/d", "percent-encoded"),
        (f"postgresql://u:a/{PASSWORD}@host/d", "percent-encoded"),
        (f"postgresql://u:a?{PASSWORD}@host/d", "percent-encoded"),
        (f"u:{PASSWORD}@host", "not a URL"),
    ],
)
def test_unusable_destination_is_explained(text: object, explanation: str) -> None:
    """The message gives the reason and an example, and shows no part of a password."""
    with pytest.raises(ConfigurationError, match=r"^to: ") as raised:
        read_target(text)
    assert explanation in str(raised.value)
    assert PASSWORD not in str(raised.value)


def test_password_is_in_no_repr() -> None:
    """The repr of a target has no password."""
    assert PASSWORD not in repr(read_target(f"postgresql://u:{PASSWORD}@host/d?token={PASSWORD}"))


def test_password_is_concealed_as_it_was_written_and_as_it_is() -> None:
    """Passwords and options of a URL are concealed, as written and decoded, as a driver may quote either."""
    target = read_target("postgresql://u:p%2Fw@host/d?token=abc")
    assert target.conceal("p/w or p%2Fw with token=abc") == "*** or *** with ***"


def test_target_without_a_password_conceals_nothing() -> None:
    """A target without a password conceals nothing."""
    assert Target("bigquery", None, "bigquery").conceal("text") == "text"
