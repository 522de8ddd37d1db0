"""The conversion between a call record and the JSON of a service, by a cattrs converter of our own.

The first conversion runs without cattrs' detailed validation. Only a record that fails is converted again
with it, to find the path of the bad value. The records of a page are read field by field where that gives the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final

import attrs
from cattrs import ClassValidationError, Converter
from cattrs.gen import make_dict_structure_fn_from_attrs, make_dict_unstructure_fn, override

from trtc_records._api.columns import (
    Column,
    as_it_is,
    fill_records,
    to_members,
    to_optional_text,
    to_optional_times,
    to_times,
    to_tuples,
)
from trtc_records._api.extra import TOO_DEEP, is_too_deep, read_extras
from trtc_records._api.models import CallRecord, CallResult, CallType, InvalidRecord, MediaType, RoomIdType
from trtc_records._api.times import since_epoch
from trtc_records._errors import ResponseDecodeError
from trtc_records._public import public

__all__ = [
    "FIELDS",
    "RECORD_FORM",
    "Read",
    "RecordForm",
    "read_integer",
    "read_room_id_type",
    "record_from_json",
    "record_to_json",
]

_LATEST: Final = 253_402_300_799  # the last second of the year 9999
_OUT_OF_RANGE: Final = "expected Unix seconds within the years 1970 to 9999; are these milliseconds?"
_SECOND: Final = timedelta(seconds=1)
_from_timestamp: Final = datetime.fromtimestamp
_INTEGER: Final = re.compile(r"\s*[+-]?[0-9]{1,20}\s*", re.ASCII)
_OPTIONAL: Final = ("callees", "accept_time", "end_time", "room_id", "room_id_type")
"""Attributes whose fields a service may leave out."""
_UNSET_START: Final = "StartTime"
"""The key under which ``extra`` keeps the start of a call that the service did not set."""

Read = Callable[..., object]
"""A hook that reads a value of the JSON; its second argument, if any, is the type, which it knows without it."""
Common = tuple[frozenset[type], Callable[[list[Any]], Iterable[Any]]]
"""The common types of a field's values, and the function that reads many of these."""


_NOTHING_COMMON: Final[Common] = (frozenset(), as_it_is)


class RecordForm:
    """The form of a call record in the JSON of one service.

    Args:
        fields: For each attribute of a :class:`CallRecord` that the service has a field for: the field's name, and the
            hook that reads its value.
        common: For some of these attributes: how the values of common types are read together; by default each value is
            read by its hook.
    """

    def __init__(self, fields: Mapping[str, tuple[str, Read]], common: Mapping[str, Common] | None = None) -> None:
        self._fields = fields
        names = {attribute: name for attribute, (name, _) in fields.items()}
        self.field_names = frozenset(names.values())
        """The names of the fields that this version knows."""
        self.time_names = names["start_time"], names["accept_time"], names["end_time"]
        """The names of the times, the start first."""
        self._start_time, *self._other_times = self.time_names
        self._left_out = dict.fromkeys(names[attribute] for attribute in _OPTIONAL if attribute in names)
        self._columns = {
            attribute: Column(name, name in self._left_out, read, *(common or {}).get(attribute, _NOTHING_COMMON))
            for attribute, (name, read) in fields.items()
        }
        self._structure = _make_hook(fields, detailed=False)
        self._structure_detailed = _make_hook(fields, detailed=True)

    def read(self, raw: object, *, path: str = "$", request_id: str = "") -> CallRecord:
        """Read a call record as the service writes it; see :func:`record_from_json`.

        Raises:
            ResponseDecodeError: It is not a call record; the error has the path of the bad value.
        """
        if not isinstance(raw, dict):
            raise ResponseDecodeError("expected an object", path, raw, request_id)
        start = self._find_start(raw)
        try:
            record = self._read(raw if start is None else {**raw, self._start_time: start})
        except Exception:  # noqa: BLE001 - the second conversion finds the reason
            steps, reason = self._locate(raw, start)
        else:
            if start is not None:
                record.extra[_UNSET_START] = raw.get(self._start_time)
            return record
        value: Any = raw
        for step in steps:
            path += f"[{step}]" if isinstance(step, int) else f".{step}"
            value = value[step] if isinstance(step, int) else value.get(step)
        raise ResponseDecodeError(reason, path, value, request_id)

    def read_all(
        self, raws: list[Any], path: str, request_id: str, *, keep_invalid: bool
    ) -> tuple[tuple[CallRecord, ...], tuple[InvalidRecord, ...]]:
        """Read the call records of a page; *path* is the place of their array in the answer.

        Raises:
            ResponseDecodeError: One is not a call record, and *keep_invalid* is not set.
        """
        with suppress(Exception):  # one by one, those that can be read are, and the reason is found for the others
            return fill_records([*self._take_columns(raws), read_extras(raws, self.field_names)]), ()
        records: list[CallRecord] = []
        invalid: list[InvalidRecord] = []
        for index, raw in enumerate(raws):
            try:
                records.append(self.read(raw, path=f"{path}[{index}]", request_id=request_id))
            except ResponseDecodeError as error:
                if not keep_invalid:
                    raise
                invalid.append(InvalidRecord(raw, error))
        return tuple(records), tuple(invalid)

    def _take_columns(self, raws: list[Any]) -> Iterator[list[Any]]:
        """Yield the values of each attribute but ``extra``, for all records of a page.

        Raises:
            Exception: One of them is missing, or cannot be read.
        """
        for attribute in attrs.fields(CallRecord):
            if attribute.name in self._columns:
                yield self._columns[attribute.name].take(raws)
            elif attribute.name != "extra":
                yield [attribute.default] * len(raws)

    def _read(self, raw: dict[str, Any]) -> CallRecord:
        """Read a record whose start is set.

        Raises:
            Exception: It is not a call record.
        """
        (extra,) = read_extras([raw], self.field_names)
        record: CallRecord = self._structure(self._left_out | raw, CallRecord)
        record.extra.update(extra)
        return record

    def _find_start(self, raw: dict[str, Any]) -> object:
        """Return the time of a call that takes the place of its start; ``None`` if that is set, or no other time is."""
        if not _is_unset(raw.get(self._start_time)):
            return None
        return next((raw[name] for name in self._other_times if not _is_unset(raw.get(name))), None)

    def _locate(self, raw: dict[str, Any], start: object) -> tuple[list[str | int], str]:
        """Return the steps into *raw* to the bad value, and the reason; *start* takes the place of one not set."""
        try:
            replaced = {} if start is None else {self._start_time: start}
            self._structure_detailed({**self._left_out, **raw, **replaced}, CallRecord)
        except ClassValidationError as error:
            for cause, note in error.group_exceptions()[0]:
                steps: list[str | int] = [self._fields[note.name][0]]
                if isinstance(cause, _ItemError):
                    steps.append(cause.index)
                return steps, "is missing" if isinstance(cause, KeyError) else str(cause)
        for name, value in raw.items():
            if name not in self.field_names and is_too_deep(value):
                return [name], TOO_DEEP
        return [], "cannot be read as a call record"


def _make_hook(fields: Mapping[str, tuple[str, Read]], *, detailed: bool) -> Callable[[Any, Any], Any]:
    converter = Converter(detailed_validation=detailed)
    overrides: dict[str, Any] = {
        field: override(rename=name, struct_hook=read) for field, (name, read) in fields.items()
    }
    # Without the attributes' defaults, cattrs generates a single call of the class, which is faster.
    required = [field.evolve(default=attrs.NOTHING) for field in attrs.fields(CallRecord) if field.name in fields]
    return make_dict_structure_fn_from_attrs(
        required, CallRecord, converter, _cattrs_detailed_validation=detailed, **overrides
    )


def _is_unset(value: object) -> bool:
    try:
        return value is None or read_integer(value) <= 0
    except ValueError:
        return False


def read_integer(value: object) -> int:
    """Read a whole number, which Tencent documents as a string in places and sends as an integer in others.

    Raises:
        ValueError: It is neither.
    """
    if type(value) is int:
        return value
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise ValueError("expected an integer")


def _read_text(value: object, _: object = None) -> str:
    if type(value) is str:
        return value
    if type(value) is int:  # an id made of digits
        return str(value)
    raise ValueError("expected a string")


def _read_optional_text(value: object, _: object = None) -> str:
    return "" if value is None else _read_text(value)


def _read_time(value: object, _: object = None) -> datetime:
    seconds = value if type(value) is int else read_integer(value)
    if 0 < seconds <= _LATEST:
        return _from_timestamp(seconds, UTC)
    raise ValueError(_OUT_OF_RANGE if seconds > 0 else "is not set")


def _read_optional_time(value: object, _: object = None) -> datetime | None:
    if type(value) is int and 0 < value <= _LATEST:
        return _from_timestamp(value, UTC)
    return None if _is_unset(value) else _read_time(value)


def _read_callees(value: object, _: object = None) -> tuple[str, ...]:
    if value is None or value == {}:
        return ()
    if type(value) is not list:
        raise ValueError("expected an array")
    for item in value:
        if type(item) is not str:
            return tuple([_read_callee(item, index) for index, item in enumerate(value)])
    return tuple(value)


def _read_callee(value: object, index: int) -> str:
    try:
        return _read_text(value)
    except ValueError as error:
        raise _ItemError(str(error), index) from None


class _ItemError(ValueError):
    def __init__(self, reason: str, index: int) -> None:
        super().__init__(reason)
        self.index = index


def _keep_unknown(known: type[Enum], *kinds: type) -> Read:
    """Return a hook that reads a member of *known*, and keeps any other value of *kinds* as it is."""
    members: dict[object, object] = {member.value: member for member in known}
    expectation = f"expected {' or '.join(_KIND_NAMES[kind] for kind in kinds)}"

    def read(value: object, _: object = None) -> object:
        if type(value) in kinds:
            return members.get(value, value)
        raise ValueError(expectation)

    return read


def read_room_id_type(value: object, _: object = None) -> RoomIdType | int | str:
    """Read a RoomIdType, which is a string in Tencent's table and an integer in every sample."""
    if value is None:
        return RoomIdType.NONE
    if isinstance(value, str) and not _INTEGER.fullmatch(value):
        return value
    number = read_integer(value)
    return _ROOM_ID_TYPES.get(number, number)


def _to_seconds(time: datetime | None) -> int:
    return since_epoch(time) // _SECOND if time else 0  # whole numbers all the way: a float would round


def _to_plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else value


_KIND_NAMES: Final = {str: "a string", int: "an integer"}
_ROOM_ID_TYPES: Final = {member.value: member for member in RoomIdType}
FIELDS: Final[dict[str, tuple[str, Read]]] = {
    "call_id": ("CallId", _read_text),
    "caller": ("Caller_Account", _read_text),
    "callees": ("CalleeList_Account", _read_callees),
    "media_type": ("MediaType", _keep_unknown(MediaType, str)),
    "call_type": ("CallType", _keep_unknown(CallType, str)),
    "call_result": ("CallResult", _keep_unknown(CallResult, str, int)),
    "start_time": ("StartTime", _read_time),
    "accept_time": ("AcceptTime", _read_optional_time),
    "end_time": ("EndTime", _read_optional_time),
    "room_id": ("RoomId", _read_optional_text),
    "room_id_type": ("RoomIdType", read_room_id_type),
}
"""The fields of a record, as the service for today's calls names them."""
_COMMON: Final[dict[str, Common]] = {
    "call_id": (frozenset({str}), as_it_is),
    "caller": (frozenset({str}), as_it_is),
    "callees": (frozenset({list}), to_tuples),
    "media_type": (frozenset({str}), to_members(MediaType)),
    "call_type": (frozenset({str}), to_members(CallType)),
    "call_result": (frozenset({str, int}), to_members(CallResult)),
    "start_time": (frozenset({int}), to_times),
    "accept_time": (frozenset({int, type(None)}), to_optional_times),
    "end_time": (frozenset({int, type(None)}), to_optional_times),
    "room_id": (frozenset({str, type(None)}), to_optional_text),
    "room_id_type": (frozenset({int}), to_members(RoomIdType)),
}
RECORD_FORM: Final = RecordForm(FIELDS, _COMMON)
"""Their form: that of :func:`record_from_json`."""

_WRITERS: Final[dict[str, Callable[[Any], object]]] = {
    "callees": list,
    "media_type": _to_plain,
    "call_type": _to_plain,
    "call_result": _to_plain,
    "start_time": _to_seconds,
    "accept_time": _to_seconds,
    "end_time": _to_seconds,
    "room_id_type": _to_plain,
}
"""The hooks that write a value that is not a text."""
_overrides: Final[dict[str, Any]] = {
    field: override(rename=name, unstruct_hook=_WRITERS.get(field, str)) for field, (name, _) in FIELDS.items()
}
_to_json: Final = make_dict_unstructure_fn(CallRecord, Converter(), extra=override(omit=True), **_overrides)


@public
def record_from_json(raw: object, *, path: str = "$", request_id: str = "") -> CallRecord:
    """Read a call record as the service writes it.

    A time of 0 or less counts as not set, as null does. Where StartTime is not set, another time of the call takes its
    place, and ``extra`` keeps the StartTime of the service.

    Args:
        raw: The decoded JSON object.
        path: Its place in the answer; errors begin their path with it.
        request_id: The answer's RequestId, for errors.

    Raises:
        ResponseDecodeError: It is not a call record; the error has the path of the bad value.
    """
    return RECORD_FORM.read(raw, path=path, request_id=request_id)


@public
def record_to_json(record: CallRecord) -> dict[str, Any]:
    """Return *record* as the service writes it; :func:`record_from_json` reads the same record from it.

    A time that is ``None`` becomes 0, one of the three ways in which the service may write it.
    """
    return {**_to_json(record), **record.extra}
