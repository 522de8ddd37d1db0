"""The CSV format."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest
from exported import make_record

from trtc_records import CallRecord
from trtc_records.export import CsvWriter


def write(*records: CallRecord, for_spreadsheets: bool = False) -> str:
    file = io.BytesIO()
    asyncio.run(CsvWriter(file, for_spreadsheets=for_spreadsheets).write(records))
    return file.getvalue().decode()


def test_row_has_plain_values() -> None:
    """A header and a line, ended by CRLF as RFC 4180 has it."""
    assert write(make_record(accept_time=None, extra={"Tag": "x"})) == (
        "call_id,caller,callees,media_type,call_type,call_result,start_time,accept_time,end_time,"
        "ring_seconds,talk_seconds,room_id,room_id_type,extra\r\n"
        'a,147,"[""147"", ""369""]",Audio,SingleCall,NormalEnd,2025-02-19T10:17:22Z,,2025-02-19T10:17:25Z,'
        '3,0,,0,"{""Tag"": ""x""}"\r\n'
    )


@pytest.mark.parametrize("caller", ["=1+1", "+86138", "-1", "@SUM(A1)", "\t=1", "\r", "\n", "\uff1d1+1"])
def test_spreadsheets_see_no_formula(caller: str) -> None:
    """For spreadsheets a text that they would compute begins with an apostrophe; for programs it is as it is."""
    record = make_record(caller=caller)
    assert f"'{caller}" not in write(record)
    assert f"'{caller}" in write(record, for_spreadsheets=True)


@pytest.mark.parametrize("changes", [{"caller": "a;=1+1"}, {"callees": ("a;=1+1",)}, {"extra": {"Tag": "a;=1+1"}}])
def test_semicolon_begins_no_formula(changes: dict[str, Any]) -> None:
    """Where the list separator is a semicolon, a cell that it makes begins with an apostrophe, too."""
    record = make_record(**changes)
    assert "a;=1+1" in write(record)
    assert "a;'=1+1" in write(record, for_spreadsheets=True)


def test_line_break_begins_no_formula() -> None:
    """Where quotes are not understood, a row that a line break makes begins with an apostrophe, too."""
    assert "a\n'=1+1" in write(make_record(caller="a\n=1+1"), for_spreadsheets=True)


def test_spreadsheets_see_quotes() -> None:
    """For spreadsheets every value is in quotes, so that no other list separator divides it."""
    text = write(make_record(), for_spreadsheets=True)
    assert '"a","147"' in text


def test_spreadsheets_see_utf_8() -> None:
    """For spreadsheets the file begins with a byte order mark, once."""
    text = write(make_record(caller="小明"), for_spreadsheets=True)
    assert text.startswith('\ufeff"call_id",')
    assert text.count("\ufeff") == 1
    assert "小明" in text
