"""Records that could not be read, as JSON Lines, and their errors without a value."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any, Final

from trtc_records._api.protocol import FIELD_NAMES
from trtc_records._errors import ResponseDecodeError
from trtc_records.export._json import clean, dump_json
from trtc_records.export._pseudonyms import Pseudonyms
from trtc_records.export._rows import keep_exact

__all__ = ["conceal", "encode_reject", "identify_reject"]

_PLACE: Final = re.compile(r"(?P<record>\$(\.[A-Za-z]+)*\[[0-9]+\])(?:\.(?P<field>\w+)(\[[0-9]+\])?)?", re.ASCII)
"""A path into a list of records: the record, and a field of it."""


def encode_reject(raw: Any, error: ResponseDecodeError, pseudonyms: Pseudonyms | None = None) -> bytes:
    """Return a line for a record that could not be read.

    What JSON readers refuse in it is replaced, and the whole of it kept as JSON text in ``_exact``, as in exports.

    Args:
        raw: The record as the service sent it.
        error: The reason why it cannot be read.
        pseudonyms: If given, the line has no value of the record: in place of ``raw`` it has ``pseudonym``, that of the
            record's JSON, by which the same record is known again.
    """
    if pseudonyms is not None:
        error = conceal(error)
    line = {"path": error.path, "reason": error.reason, "request_id": error.request_id}
    if pseudonyms is not None:
        pseudonym = pseudonyms.of(dump_json(clean(raw), sort_keys=True))
        return dump_json(clean({**line, "pseudonym": pseudonym})).encode() + b"\n"
    cleaned = clean({**line, "raw": raw})
    if _differs(raw, cleaned["raw"]):
        with suppress(RecursionError):
            cleaned = keep_exact(cleaned, {"raw": raw})
    return dump_json(cleaned).encode() + b"\n"


def identify_reject(line: bytes) -> str:
    """Return a text by which a line of :func:`encode_reject` is known again; its path and RequestId may differ.

    Args:
        line: The line. One that cannot be read, as somebody has changed it, is known by its bytes.
    """
    with suppress(ValueError, RecursionError):
        read = json.loads(line)
        if isinstance(read, dict):
            return dump_json(read.get("pseudonym", read.get("raw")), sort_keys=True)
    return repr(line)


def conceal(error: ResponseDecodeError) -> ResponseDecodeError:
    """Return *error* without the value, and without the name of a field that this version does not know."""
    return ResponseDecodeError(
        error.reason, _cut_path(error.path), _CONCEALED, error.request_id, retryable=error.retryable
    )


class _Concealed:
    def __repr__(self) -> str:
        return "a value that is not shown"


_CONCEALED: Final = _Concealed()


def _cut_path(path: str) -> str:
    place = _PLACE.match(path)
    if place is None:
        return path
    is_known = place["field"] in FIELD_NAMES and place.end() == len(path)
    return path if is_known else place["record"]


def _differs(raw: Any, cleaned: Any) -> bool:
    try:
        return bool(raw != cleaned)
    except RecursionError:
        return True
