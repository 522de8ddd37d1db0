"""The keys by which a walk knows records: hashes of all their fields, since two records may share an id, or have none.

A rough key leaves out the fields that this version does not know: one of them may be another in each answer.

The keys of a page are made field by field, in loops that run in C. An aware datetime asks for its offset before it is
hashed, which takes longer than the rest: the time since the epoch is hashed in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import chain, repeat
from operator import attrgetter, sub
from typing import Any, Final

import attrs

from trtc_records._api.models import CallRecord, InvalidRecord

__all__ = ["flatten_json", "key_of", "keys_of", "rough_key_of"]

_CONTAINERS: Final = frozenset({dict, list})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES: Final = ("start_time", "accept_time", "end_time")
_get_extra: Final = attrgetter("extra")
_get_times: Final = tuple(map(attrgetter, _TIMES))
_get_others: Final[Callable[[CallRecord], tuple[Any, ...]]] = attrgetter(
    *(field.name for field in attrs.fields(CallRecord) if field.hash is not False and field.name not in _TIMES)
)


def keys_of(records: Sequence[CallRecord]) -> tuple[list[int], list[int]]:
    """Return the keys of *records*, and their rough keys where some have others than these."""
    rough_keys = _hash_known_fields(records)
    extras = list(map(_get_extra, records))
    if not any(extras):
        return rough_keys, []
    keys = list(map(hash, zip(rough_keys, _freeze(extras), strict=True)))
    if not all(extras):
        keys = [key if extra else rough_key for key, extra, rough_key in zip(keys, extras, rough_keys, strict=True)]
    return keys, rough_keys


def key_of(entry: CallRecord | InvalidRecord) -> int:
    """Return a hash of all fields of a record, or of the whole of one that could not be read."""
    return keys_of([entry])[0][0] if isinstance(entry, CallRecord) else _hash_json(entry.raw)


def rough_key_of(entry: CallRecord | InvalidRecord) -> int:
    """Return the key of an entry, but for the fields that this version does not know."""
    return _hash_known_fields([entry])[0] if isinstance(entry, CallRecord) else _hash_json(entry.raw)


def _hash_known_fields(records: Sequence[CallRecord]) -> list[int]:
    times = [_since_epoch(list(map(get_time, records))) for get_time in _get_times]
    return list(map(hash, zip(map(_get_others, records), *times, strict=True)))


def _since_epoch(times: list[datetime | None]) -> Iterable[object]:
    if None in times:
        return [None if time is None else time - _EPOCH for time in times]
    return map(sub, times, repeat(_EPOCH))


def _freeze(extras: list[dict[str, Any]]) -> Iterable[Hashable]:
    """Return a value that can be hashed for each; the order of names does not matter."""
    if not _CONTAINERS.isdisjoint(map(type, chain.from_iterable(map(dict.values, extras)))):
        return [
            _write(extra) if _CONTAINERS.isdisjoint(map(type, extra.values())) else tuple(flatten_json(extra))
            for extra in extras
        ]
    return map(repr if max(map(len, extras)) == 1 else _write, extras)


def _write(extra: dict[str, Any]) -> str:
    """Return an object without containers as a text, in which 1, True and "1" are not the same."""
    return repr(dict(sorted(extra.items())))


def _hash_json(value: Any) -> int:
    """Return a hash of a JSON value."""
    return hash(tuple(flatten_json(value)))


def flatten_json(value: Any) -> list[str]:
    """Return the parts of a JSON value, however deeply it is nested; the order of names does not matter."""
    rest, parts = [value], []
    while rest:
        value = rest.pop()
        if type(value) is dict:
            parts.append(f"object of {len(value)}")
            for name in sorted(value):
                parts.append(repr(name))
                if type(item := value[name]) in _CONTAINERS:
                    parts.append("container")
                    rest.append(item)
                else:
                    parts.append(repr(item))
        elif type(value) is list:
            parts.append(f"array of {len(value)}")
            rest += value
        else:
            parts.append(repr(value))  # 1, True and "1" are not the same
    return parts
