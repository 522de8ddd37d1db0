"""The place of a feed, as a checkpoint keeps it: a JSON object."""

from __future__ import annotations

import json
from typing import Any, Final

import attrs
import cattrs

from trtc_records._errors import CheckpointError, ConfigurationError

__all__ = ["Place"]

_VERSION: Final = 1


@attrs.define(kw_only=True)
class Place:
    """The place of a feed; all times are Unix seconds at the service."""

    feed: dict[str, Any]
    """The app, the endpoint and the filters that it belongs to."""
    begun: float
    """When the feed began for the first time: calls that had ended before are not given."""
    since: float | None
    """Calls that started at or after this are given although they had ended before :attr:`begun`."""
    mark: float | None = None
    """All calls whose records could be read at this time were given; ``None`` before the first reading ended."""
    floor: float = 0.0
    """The digests in the checkpoint cover all calls given that ended at or after this."""

    def to_text(self) -> str:
        """Return it as text."""
        return json.dumps({"version": _VERSION, **attrs.asdict(self)})

    @classmethod
    def from_text(cls, text: str, feed: dict[str, Any]) -> Place:
        """Read it.

        Raises:
            ConfigurationError: It is another feed's, or a newer version's.
            CheckpointError: It cannot be read.
        """
        try:
            fields = json.loads(text)
            version = int(fields["version"])
            place = cattrs.structure(fields, cls) if version <= _VERSION else None
        except Exception as error:  # noqa: BLE001 - whatever JSON and cattrs make of damaged text
            raise CheckpointError(
                f"the place in the checkpoint cannot be read ({type(error).__name__}): pass another checkpoint, and "
                "since= to go on from a time that you know"
            ) from None
        if place is None:
            raise ConfigurationError(
                "the checkpoint was written by a newer version of trtc-records: install that version, or pass another"
            )
        differences = [name for name in feed if place.feed.get(name) != feed[name]]
        if differences:
            found = ", ".join(f"{name} {place.feed.get(name)!r} instead of {feed[name]!r}" for name in differences)
            raise ConfigurationError(f"the checkpoint belongs to another feed ({found}): give each feed its own")
        return place
