"""CSV as RFC 4180 has it: a header, commas, CRLF, in UTF-8."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

from trtc_records._api.models import CallRecord
from trtc_records.export._rows import COLUMNS, TEXT_COLUMNS, make_typed_row, show_time
from trtc_records.export._writer import Encoder, Gzip, RecordWriter

__all__ = ["CsvWriter"]

# What a spreadsheet takes for a formula at the start of a cell, in full width too (OWASP, "CSV Injection"). Where its
# list separator is a semicolon, as in much of Europe, it also begins a cell behind that, or a row behind a line break.
_FORMULA_START: Final = re.compile("(?:^|(?<=[;\r\n]))(?=[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20])")
_GUARDED_COLUMNS: Final = (*TEXT_COLUMNS, "callees", "extra")
_TIME_COLUMNS: Final = ("start_time", "accept_time", "end_time")
_BYTE_ORDER_MARK: Final = "\ufeff"


class CsvWriter(RecordWriter):
    """Write call records as CSV.

    ``callees`` is a JSON array and ``extra`` a JSON object, each in its cell. Every value is written as it is, so
    that a program reads back what the service sent. That includes a user id such as ``=1+1``, which a spreadsheet
    would compute: for spreadsheets there is an argument.

    Args:
        target: A path, whose file is replaced once every record is written and stays as it was after an
            error; or an open binary file, which is flushed and left open.
        compress: Whether to compress with gzip; it is not by default.
        for_spreadsheets: Whether to put an apostrophe before a text that a spreadsheet would take for a formula,
            every value into quotes, and a byte order mark at the start, without which Excel takes UTF-8 for something
            else. None of it by default.
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
        self._writer.writerow(COLUMNS)

    def add(self, records: Sequence[CallRecord]) -> bytes:
        for record in records:
            row = make_typed_row(record)
            for name in _TIME_COLUMNS:
                row[name] = row[name] and show_time(row[name])
            row["callees"] = json.dumps(row["callees"], ensure_ascii=False)
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
