"""The dialect of a service: its paths, its names, its records, its error codes.

:mod:`trtc_records._api.protocol` speaks every dialect. Each has a module of its own, which defines it and no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from trtc_records._api.error_codes import ErrorCodes
from trtc_records._api.models import Region, Service
from trtc_records._api.wire import RecordForm

__all__ = ["Dialect"]

_NO_SPELLINGS: Final[Mapping[str, str]] = {}


@attrs.frozen(kw_only=True, eq=False)
class Dialect:
    """The dialect of a service."""

    service: Service
    hosts: Mapping[Region, str]
    errors: ErrorCodes
    records: RecordForm

    filter_path: str
    """The path of the request for a page."""
    lookup_path: str
    """The path of the request for one record."""

    # The names of a query's conditions.
    start_time: str
    end_time: str
    call_result: str
    call_type: str
    page_size: str
    query_page: str
    call_id: str
    spellings: Mapping[str, str] = _NO_SPELLINGS
    """The values of a condition that the service spells otherwise."""
    needs_start: bool = False
    """Whether a query must have a start."""

    # The names of an answer's fields.
    code: str
    info: str
    request_id: str
    result: str
    page: str
    total_num: str
    record_list: str
    record: str
    may_be_bare: bool = False
    """Whether the result of a look-up may be the record itself."""

    lookups_per_second: int | None = None
    """The most look-ups in any second; ``None`` where only the quota of all calls counts."""
    has_webhooks: bool = False
    """Whether the library knows its callbacks."""
