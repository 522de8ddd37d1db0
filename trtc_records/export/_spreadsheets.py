"""Cells that a spreadsheet shows as they are, and back.

A spreadsheet computes the formulas in a CSV file, and converts texts that look like a number, a date or a truth value:
``00123`` becomes 123, ``1E5`` becomes 100,000, ``MAR1`` becomes a day, and the 16th digit of a number becomes 0
(Microsoft, "Set automatic data conversions"; LibreOffice does much the same). An apostrophe before such a text keeps it
a text. The other known way, ``="00123"``, is itself a formula.

Reading takes away one apostrophe wherever writing may have put one. So a text that has one there gets another.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from trtc_records.export._columns import COLUMNS, Kind, names_of
from trtc_records.export._spreadsheet_words import CURRENCY, MONTHS, TRUTH_VALUES

__all__ = ["HEADER", "has_header", "restore_row", "show_row"]

LONGEST: Final = 32_767
"""Characters of a cell, in UTF-16: "Excel specifications and limits"."""
_GUARDED_COLUMNS: Final = names_of(Kind.TEXT, Kind.TEXTS, Kind.OBJECT)
_TIME_COLUMNS: Final = names_of(Kind.TIME)
HEADER: Final = tuple(f"{column.name} (UTC)" if column.kind is Kind.TIME else column.name for column in COLUMNS)
"""The names of the columns; times have no offset in their cells, as Excel would read them as texts."""
_NAMES: Final = names_of(*Kind)

# Characters that begin a formula at the start of a cell, in full width too (OWASP, "CSV Injection"). A spreadsheet
# whose list separator is a semicolon, as in much of Europe, begins a cell after it, and a row after a line break.
_CELL_START: Final = "(?:^|(?<=[;\r\n]))"
_NEEDS_APOSTROPHE: Final = re.compile(f"{_CELL_START}(?=['=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20])")
_APOSTROPHE: Final = re.compile(f"{_CELL_START}'")

_NUMBER_START: Final = re.compile(r"#|(?:[^\w\s\"{\[]+\s*)?\d")
"""The start of numbers, percentages, amounts of money, fractions, dates, times and error values."""
_SAFE_START: Final = re.compile(
    r"0|[1-9][0-9]{0,10}"  # Excel shows 12 digits as an exponent, and 16 are more than it has
    r"|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"  # a call's id
    r"|[0-9]+[A-Za-z_]+[0-9]+[A-Za-z_]\w*",  # letters twice, as in hexadecimal: no number, unit or date has them
    re.ASCII,
)
_LONGEST_WORDS: Final = 60
"""Characters of the longest text with words that is taken for a date or an amount of money."""
_BETWEEN_WORDS: Final = re.compile(r"[\d\s,:/'-]+")
_DIGIT: Final = re.compile(r"\d")
_NOON: Final = frozenset({"a", "p", "am", "pm"})
"""Marks of times before and after noon."""
_DATE_OR_TIME: Final = re.compile(
    r"(?:[mtshr]|明治|大正|昭和|平成|令和)\d{1,2}[./年-]\d{1,2}[./月-]\d{1,2}日?"  # the year of an emperor: H30.4.1
    r"|[^\W\d_]{1,2}\s*\d{1,2}(?::\d\d){1,2}",  # half of the day, then the time: 下午3:00
    re.IGNORECASE,
)
_MARK: Final = "… [cut: {:,} characters]"
_MARK_AT_END: Final = re.compile(r"… \[cut: [0-9,]+ characters\]\Z")


def show_row(row: dict[str, Any], on_cut: Callable[[], object]) -> dict[str, Any]:
    """Return a row of texts and numbers as cells.

    Args:
        row: The values by column, lists and objects as JSON text.
        on_cut: Called for each cell that had to be cut.
    """
    cells = dict(row)
    for name in _GUARDED_COLUMNS:
        cell = _guard(row[name])
        if len(cell) > LONGEST // 2 and _measure(cell) > LONGEST:
            cell = _cut(cell, len(row[name]))
            on_cut()
        cells[name] = cell
    for name in _TIME_COLUMNS:
        if row[name]:
            cells[name] = row[name].replace("T", " ").removesuffix("Z")
    return cells


def has_header(names: list[str]) -> bool:
    """Return whether a file with these columns was written for spreadsheets."""
    return tuple(names) == HEADER


def restore_row(cells: list[str]) -> dict[str, str]:
    """Return the row that :func:`show_row` made cells of.

    Raises:
        ValueError: A cell was cut.
    """
    row = dict(zip(_NAMES, cells, strict=True))
    for name in _GUARDED_COLUMNS:
        if len(row[name]) > LONGEST // 2 and _MARK_AT_END.search(row[name]) and _measure(row[name]) >= LONGEST - 1:
            raise ValueError(f"the column {name} was cut for spreadsheets: export it again, without for_spreadsheets")
        row[name] = _APOSTROPHE.sub("", row[name])
    for name in _TIME_COLUMNS:
        if row[name]:
            row[name] += "Z"
    return row


def _guard(text: str) -> str:
    guarded = _NEEDS_APOSTROPHE.sub("'", text)
    return f"'{guarded}" if not guarded.startswith("'") and _is_converted(text) else guarded


def _is_converted(text: str) -> bool:
    """Return whether a spreadsheet may take *text* for a number, a date or a truth value, and show another one."""
    stripped = text.strip()
    if _NUMBER_START.match(stripped):
        return not _SAFE_START.fullmatch(text)
    if len(stripped) > _LONGEST_WORDS:
        return False
    if not _DIGIT.search(stripped):
        return stripped.casefold() in TRUTH_VALUES
    return bool(_has_month(stripped) or CURRENCY.fullmatch(stripped) or _DATE_OR_TIME.fullmatch(stripped))


def _has_month(text: str) -> bool:
    """Return whether *text* names a month and, where it has spaces, at most one other word, such as a weekday."""
    words = [word.strip(".") for word in _BETWEEN_WORDS.split(text.casefold())]
    others = [word for word in words if word and word not in MONTHS and word not in _NOON]
    most = 1 if " " in text else 0
    return len(others) <= most and any(word in MONTHS for word in words)


def _measure(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _cut(text: str, length: int) -> str:
    """Return the beginning of *text*, and a mark with the *length* of the whole."""
    mark = _MARK.format(length)
    kept = text.encode("utf-16-le")[: 2 * (LONGEST - _measure(mark))]
    return kept.decode("utf-16-le", "ignore") + mark  # half of the last character is dropped
