"""The columns of every export: one table, from which formats, tests and the documentation derive.

A new field of ``CallRecord`` needs a line here, which a test demands; the formats follow. Any change of a name, a type
or a null needs a new ``SCHEMA_VERSION``, which a test demands too.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

import attrs

__all__ = ["COLUMNS", "SCHEMA_VERSION", "Column", "Kind", "NewerSchemaError", "check_schema_version", "names_of"]

SCHEMA_VERSION: Final = 1
"""The version of the columns. It grows with every change of them."""


class NewerSchemaError(ValueError):
    """A newer version of this library wrote a file."""


def check_schema_version(version: int) -> None:
    """Check that this version knows the columns of a file.

    Raises:
        NewerSchemaError: It does not.
    """
    if version > SCHEMA_VERSION:
        raise NewerSchemaError("it was written by a newer version of trtc-records: install that one")


class Kind(Enum):
    """The type of a column."""

    TEXT = auto()
    TEXTS = auto()
    """A list of texts."""
    TIME = auto()
    SECONDS = auto()
    """A duration in whole seconds."""
    INTEGER = auto()
    OBJECT = auto()
    """A JSON object, as text."""


@attrs.frozen
class Column:
    """A column: its name, its type, its meaning for the documentation."""

    name: str
    kind: Kind
    meaning: str
    source: str = attrs.field(kw_only=True, default=attrs.Factory(lambda self: self.name, takes_self=True))
    """The attribute of ``CallRecord`` that the column has; by default the one of the same name."""
    nullable: bool = attrs.field(kw_only=True, default=False)
    """Whether a value may be null."""


COLUMNS: Final = (
    Column("call_id", Kind.TEXT, "The call's id"),
    Column("caller", Kind.TEXT, "User id of the caller"),
    Column("callees", Kind.TEXTS, "User ids of the call's members, usually with the caller"),
    Column("media_type", Kind.TEXT, "`Audio` or `Video`"),
    Column("call_type", Kind.TEXT, "`SingleCall` or `MultiCall`"),
    Column("call_result", Kind.TEXT, "How the call ended, such as `NormalEnd`"),
    Column("start_time", Kind.TIME, "When the call was started; if that is not set, when it connected or ended"),
    Column(
        "accept_time",
        Kind.TIME,
        "When the call connected; null (in CSV, empty) if it was never answered",
        nullable=True,
    ),
    Column("end_time", Kind.TIME, "When the call ended; null if that is not set", nullable=True),
    Column(
        "ring_seconds",
        Kind.SECONDS,
        "How long it rang, until it connected or ended; null if unknown",
        source="ring_time",
        nullable=True,
    ),
    Column(
        "talk_seconds",
        Kind.SECONDS,
        "How long it was connected; null if unknown",
        source="talk_time",
        nullable=True,
    ),
    Column("room_id", Kind.TEXT, "The TRTC room; empty without one"),
    Column("room_id_type", Kind.INTEGER, "0 without a room, 1 for a numeric room id, 2 for a string", nullable=True),
    Column(
        "extra",
        Kind.OBJECT,
        "JSON object, as text: fields that this version does not know, and values that do not fit, in `_exact`",
    ),
)


def names_of(*kinds: Kind) -> tuple[str, ...]:
    """Return the names of the columns of these kinds."""
    return tuple(column.name for column in COLUMNS if column.kind in kinds)
