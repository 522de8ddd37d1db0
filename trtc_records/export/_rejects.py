"""Records that could not be read, as JSON Lines."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from trtc_records._errors import ResponseDecodeError
from trtc_records.export._json import clean, dump_json
from trtc_records.export._rows import keep_exact

__all__ = ["encode_reject"]


def encode_reject(raw: Any, error: ResponseDecodeError) -> bytes:
    """Return a line for a record that could not be read.

    What JSON readers refuse in it is replaced, and the whole of it kept as JSON text in ``_exact``, as in exports.

    Args:
        raw: The record as the service sent it.
        error: The reason why it cannot be read.
    """
    cleaned = clean({"path": error.path, "reason": error.reason, "request_id": error.request_id, "raw": raw})
    if _differs(raw, cleaned["raw"]):
        with suppress(RecursionError):
            cleaned = keep_exact(cleaned, {"raw": raw})
    return dump_json(cleaned).encode() + b"\n"


def _differs(raw: Any, cleaned: Any) -> bool:
    try:
        return bool(raw != cleaned)
    except RecursionError:
        return True
