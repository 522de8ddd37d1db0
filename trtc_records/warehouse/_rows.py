"""Call records as Arrow tables that every destination holds: each row has a key, and no character that one refuses."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import blake2b, sha256
from typing import Any, Final

import attrs
import pyarrow as pa

from trtc_records._api.models import CallRecord
from trtc_records._api.wire import record_to_json
from trtc_records._checks import clean_text
from trtc_records.export._json import UNFIT, clean
from trtc_records.export._rows import LIST_COLUMNS, TEXT_COLUMNS, keep_exact
from trtc_records.export.arrow import ARROW_SCHEMA, to_arrow

__all__ = ["KEY", "drop_repeats", "make_table"]

KEY: Final = ("call_id", "caller", "start_time")
"""The columns that tell two calls apart."""

_NUL: Final = "\0"
_REPLACEMENT: Final = "\ufffd"
_DIGEST_BYTES: Final = 16  # a million keys take some 100 MB, and two that are equal by chance do not occur

_SCHEMA: Final = pa.schema(
    [
        # dlt warns about a key that may be null.
        field.with_nullable(field.name not in KEY).with_type(pa.string() if field.name in LIST_COLUMNS else field.type)
        for field in ARROW_SCHEMA
    ]
)
_to_json: Final = json.JSONEncoder(ensure_ascii=False).encode


def make_table(records: Iterable[CallRecord]) -> pa.Table:
    """Return the table of every other format, but with lists as JSON text."""
    table = to_arrow(map(_fit, records))
    columns = table.columns
    for name in LIST_COLUMNS:
        place = table.schema.get_field_index(name)
        columns[place] = pa.array(map(_to_json, columns[place].to_pylist()), pa.string())
    return pa.Table.from_arrays(columns, schema=_SCHEMA)


def drop_repeats(table: pa.Table, seen: set[bytes]) -> pa.Table:
    """Return the rows of *table* whose keys are not in *seen*, each key once, and add them to it.

    Args:
        table: A table of :func:`make_table`.
        seen: Digests of keys.
    """
    news = []
    for key in zip(*(table.column(name).to_pylist() for name in KEY), strict=True):
        digest = blake2b(_NUL.join(map(str, key)).encode(), digest_size=_DIGEST_BYTES).digest()
        news.append(digest not in seen)
        seen.add(digest)
    return table if all(news) else table.filter(pa.array(news, pa.bool_()))


def _fit(record: CallRecord) -> CallRecord:
    """Return *record* with an id of its own, and without U+0000, which PostgreSQL's texts and JSON do not hold.

    ``extra`` keeps the exact values.
    """
    exact = {name: getattr(record, name) for name in TEXT_COLUMNS if _NUL in str(getattr(record, name))}
    replaced: dict[str, Any] = {name: text.replace(_NUL, _REPLACEMENT) for name, text in exact.items()}
    for name in LIST_COLUMNS:
        texts = getattr(record, name)
        if any(_NUL in text for text in texts):
            exact[name] = texts
            replaced[name] = tuple(text.replace(_NUL, _REPLACEMENT) for text in texts)
    if "call_id" in exact or clean_text(record.call_id) is None:
        exact["call_id"], replaced["call_id"] = record.call_id, _make_id(record)
    extra = clean(record.extra, UNFIT) if record.extra else {}
    if extra != record.extra:
        exact["extra"] = record.extra
    return attrs.evolve(record, extra=keep_exact(extra, exact), **replaced) if exact else record


def _make_id(record: CallRecord) -> str:
    """Return an id for a record whose own one is blank, or another one once the destination has it."""
    content = record.call_id if record.call_id.strip() else record_to_json(record)
    return f"no id {sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]}"
