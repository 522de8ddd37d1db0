"""A Delta lake in a directory: dlt's destination for it, the rows in its table, and the repair after a kill."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from dlt.common.destination.client import DEFAULT_FILE_LAYOUT
from dlt.destinations import filesystem
from pyarrow.compute import field

from trtc_records.warehouse._targets import TargetError

__all__ = ["count_rows", "find_text", "make_lake", "repair"]

_STATE: Final = ("_dlt_pipeline_state", "_dlt_version")
"""dlt's directories of small files that a sync reads again."""


def make_lake(directory: Path, shown: str) -> Any:
    """Return dlt's destination.

    Raises:
        TargetError: The package for Delta tables is not installed.
    """
    if find_spec("deltalake") is None:
        raise TargetError(f'{shown} needs deltalake, which is not installed: pip install ".[delta]"')
    return filesystem(bucket_url=directory.as_uri(), layout=DEFAULT_FILE_LAYOUT)


def count_rows(table: Path) -> int:
    """Return the number of rows of a Delta table; 0 if there is none."""
    from deltalake import DeltaTable  # noqa: PLC0415  (the extra may be missing)

    return DeltaTable(table).count() if DeltaTable.is_deltatable(str(table)) else 0


def find_text(table: Path, column: str) -> str | None:
    """Return a text of a column of a Delta table; ``None`` if all are empty."""
    from deltalake import DeltaTable  # noqa: PLC0415  (the extra may be missing)

    rows = DeltaTable(table).to_pyarrow_dataset().head(1, columns=[column], filter=field(column) != "")
    return None if not rows.num_rows else str(rows.column(column)[0])


def repair(dataset: Path) -> None:
    """Delete the files of dlt's state that a killed sync left half-written: without them, the state before it holds.

    Args:
        dataset: The directory of the dataset, which no other sync writes to.
    """
    for name in _STATE:
        for path in (dataset / name).glob("*.jsonl"):
            try:
                json.loads(path.read_bytes())
            except ValueError:
                path.unlink()
