"""CSV (RFC 4180): a header, commas, CRLF, in UTF-8."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

from trtc_records._api.models import CallRecord
from trtc_records._errors import CallRecordsWarning
from trtc_records._warn import warn_caller
from trtc_records.export._columns import COLUMNS, Kind, names_of
from trtc_records.export._json import dump_json
from trtc_records.export._rows import make_typed_columns, show_time
from trtc_records.export._spreadsheets import HEADER, LONGEST, show_row
from trtc_records.export._writer import Encoder, Gzip, RecordWriter

__all__ = ["CsvWriter"]

_BYTE_ORDER_MARK: Final = "\ufeff"
_NAMES: Final = names_of(*Kind)


class CsvWriter(RecordWriter):
    """A writer of CSV.

    ``callees`` is a JSON array and ``extra`` a JSON object, each in its cell. Texts are written unchanged, for
    programs. That includes a user id such as ``=1+1``, which a spreadsheet would compute: use *for_spreadsheets* there.

    Args:
        target: A path, whose file is replaced once every record is written, and not after an error; or an open binary
            file, which is flushed and left open.
        compress: Whether to compress with gzip; no by default.
        for_spreadsheets: Whether a spreadsheet is to show each value as it is; no by default. A text that it would
            compute as a formula, or convert to a number, a date, an amount of money or a truth value, then begins with
            an apostrophe. Times are such as Excel reads (``2026-11-24 13:45:00``, in UTC, as the names of their columns
            say). A cell of more than 32,767 characters is cut, and ends in ``… [cut: 40,000 characters]``; a
            :class:`CallRecordsWarning` has the number of such cells. Every value is in quotes, and a byte order mark is
            at the start, without which Excel does not recognize UTF-8.
    """

    def __init__(
        self, target: Path | str | BinaryIO, *, compress: bool = False, for_spreadsheets: bool = False
    ) -> None:
        super().__init__(target)
        self._compress = compress
        self._for_spreadsheets = for_spreadsheets
        self._cut_cells = 0

    async def _write(self, records: AsyncIterable[CallRecord] | Iterable[CallRecord], file: BinaryIO) -> int:
        self._cut_cells = 0
        count = await super()._write(records, file)
        if self._cut_cells:
            warn_caller(
                f"cells of more than {LONGEST:,} characters, which no spreadsheet holds, were cut: {self._cut_cells:,}",
                CallRecordsWarning,
            )
        return count

    def _make_encoder(self) -> Encoder:
        encoder = _Csv(for_spreadsheets=self._for_spreadsheets, on_cut=self._count_cut)
        return Gzip(encoder) if self._compress else encoder

    def _count_cut(self) -> None:
        self._cut_cells += 1


def _make_cells(kind: Kind, values: Sequence[Any]) -> Iterable[Any]:
    match kind:
        case Kind.TEXTS:
            return (dump_json([*texts], ensure_ascii=False) for texts in values)
        case Kind.TIME:
            return (time and show_time(time) for time in values)
        case _:
            return values


class _Csv:
    def __init__(self, *, for_spreadsheets: bool, on_cut: Callable[[], object]) -> None:
        self._for_spreadsheets = for_spreadsheets
        self._on_cut = on_cut
        self._text = io.StringIO(newline="")
        if for_spreadsheets:
            self._text.write(_BYTE_ORDER_MARK)
        self._writer = csv.writer(self._text, quoting=csv.QUOTE_ALL if for_spreadsheets else csv.QUOTE_MINIMAL)
        self._writer.writerow(HEADER if for_spreadsheets else _NAMES)

    def add(self, records: Sequence[CallRecord]) -> bytes:
        columns = zip(COLUMNS, make_typed_columns(records), strict=True)
        rows = zip(*(_make_cells(column.kind, values) for column, values in columns), strict=True)
        if self._for_spreadsheets:
            named = (dict(zip(_NAMES, row, strict=True)) for row in rows)
            self._writer.writerows(show_row(row, self._on_cut).values() for row in named)
        else:
            self._writer.writerows(rows)
        return self._take()

    def finish(self) -> bytes:
        return self._take()

    def _take(self) -> bytes:
        content = self._text.getvalue().encode()
        self._text.seek(0)
        self._text.truncate()
        return content
