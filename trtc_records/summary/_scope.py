"""The subject of a report: which calls of which app, from where, and when the report was made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import attrs

__all__ = ["ReportScope"]

_EXAMPLES: Final = {
    "source": "'the service', or a file's path",
    "region": "'singapore', or leave it out",
    "host": "'adminapisgp.im.qcloud.com', or leave it out",
}


def _is_text(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{attribute.name} must be a text, got {value!r}: write {_EXAMPLES[attribute.name]}")


def _is_text_or_none(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None:
        _is_text(instance, attribute, value)


def _is_app(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None and type(value) is not int:
        raise ValueError(f"{attribute.name} must be an integer, got {value!r}: write 1400000000, or leave it out")


def _is_aware(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None and not (isinstance(value, datetime) and value.utcoffset() is not None):
        raise ValueError(f"{attribute.name} must be an aware datetime, got {value!r}: write datetime.now(UTC)")


def _has_texts(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(text, str) for pair in value.items() for text in pair):
        raise ValueError(f"{attribute.name} must map texts to texts, got {value!r}: write {{'result': 'NotAnswer'}}")


@attrs.frozen(kw_only=True)
class ReportScope:
    """The subject of a report, which its text, its JSON and its page name.

    Raises:
        ValueError: A value cannot be used; the message names it and a value to write instead.
    """

    source: str = attrs.field(validator=_is_text)
    """The place that the calls were read from, such as ``"the service"`` or the path of a file; no credential."""
    sdk_app_id: int | None = attrs.field(default=None, validator=_is_app)
    """The application's id; ``None`` where it is not known, as for a file."""
    region: str | None = attrs.field(default=None, validator=_is_text_or_none)
    """The app's region; ``None`` where it is not known."""
    host: str | None = attrs.field(default=None, validator=_is_text_or_none)
    """The host that was asked; ``None`` for a file."""
    since: datetime | None = attrs.field(default=None, validator=_is_aware)
    """Start of the window that was asked for; ``None`` for as far back as the source goes."""
    until: datetime | None = attrs.field(default=None, validator=_is_aware)
    """End of the window that was asked for; ``None`` for as far as the source goes."""
    filters: Mapping[str, str] = attrs.field(factory=dict, hash=False, validator=_has_texts)
    """The conditions that the calls meet besides the window, such as ``{"result": "NotAnswer"}``."""
    made_at: datetime = attrs.field(factory=lambda: datetime.now(UTC), validator=_is_aware)
    """The time when the report was made; by default now."""
