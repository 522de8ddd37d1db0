"""CSV (RFC 4180): a header, commas, CRLF, in UTF-8."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

from trtc_records._api.models import CallRecord
from trtc_records.export._columns import COLUMNS, Kind, names_of
from trtc_records.export._json import dump_json
from trtc_records.export._rows import LIST_COLUMNS, make_row
from trtc_records.export._writer import Encoder, Gzip, RecordWriter

__all__ = ["CsvWriter"]

# Characters that begin a formula at the start of a cell, in full width too (OWASP, "CSV Injection"). A spreadsheet
# whose list separator is a semicolon, as in much of Europe, begins a cell after it, and a row after a line break.
_FORMULA_START: Final = re.compile("(?:^|(?<=[;\r\n]))(?=[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20])")
_GUARDED_COLUMNS: Final = names_of(Kind.TEXT, Kind.TEXTS, Kind.OBJECT)
_BYTE_ORDER_MARK: Final = "\ufeff"


class CsvWriter(RecordWriter):
    """A writer of CSV.

    ``callees`` is a JSON array and ``extra`` a JSON object, each in its cell. Texts are written unchanged, for
    programs. That includes a user id such as ``=1+1``, which a spreadsheet would compute: use *for_spreadsheets* there.

    Args:
        target: A path, whose file is replaced once every record is written, and not after an error; or an open binary
            file, which is flushed and left open.
        compress: Whether to compress with gzip; no by default.
        for_spreadsheets: Whether to put an apostrophe before a text that a spreadsheet would compute as a formula,
            every value in quotes, and a byte order mark at the start, without which Excel does not recognize UTF-8;
            no by default.
    """

    def __init__(
        self, target: Path | str | BinaryIO, *, compress: bool = False, for_spreadsheets: bool = False
    ) -> None:
        super().__init__(target)
        self._compress = compress
        self._for_spreadsheets = for_spreadsheets

    def _make_encoder(self) -> Encoder:
        encoder = _Csv(for_spreadsheets=self._for_spreadsheets)
        return Gzip(encoder) if self._compress else encoder


class _Csv:
    def __init__(self, *, for_spreadsheets: bool) -> None:
        self._for_spreadsheets = for_spreadsheets
        self._text = io.StringIO(newline="")
        if for_spreadsheets:
            self._text.write(_BYTE_ORDER_MARK)
        self._writer = csv.writer(self._text, quoting=csv.QUOTE_ALL if for_spreadsheets else csv.QUOTE_MINIMAL)
        self._writer.writerow(column.name for column in COLUMNS)

    def add(self, records: Sequence[CallRecord]) -> bytes:
        for record in records:
            row = make_row(record)
            for name in LIST_COLUMNS:
                row[name] = dump_json(row[name], ensure_ascii=False)
            row["extra"] = dump_json(row["extra"]) if row["extra"] else "{}"
            if self._for_spreadsheets:
                _defuse(row)
            self._writer.writerow(row.values())
        return self._take()

    def finish(self) -> bytes:
        return self._take()

    def _take(self) -> bytes:
        content = self._text.getvalue().encode()
        self._text.seek(0)
        self._text.truncate()
        return content


def _defuse(row: dict[str, Any]) -> None:
    for name in _GUARDED_COLUMNS:
        row[name] = _FORMULA_START.sub("'", row[name])
