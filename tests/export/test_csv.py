"""The CSV format."""

from __future__ import annotations

import asyncio
import csv
import io
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from exported import make_record
from hypothesis import given
from hypothesis import strategies as st

from trtc_records import CallRecord, CallRecordsWarning
from trtc_records.export import CsvWriter, read_records


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


CONVERTED = (
    *("00123", "123456789012", "1234567890123456", "1E5", "12e03", "1.50", "1,234", "(5)", "5%", "$5", "5 €", ".5"),
    *("1-2", "1/2", "1 1/2", "MAR1", "mar 1", "Mar-1", "Sept 1", "May 5, 2026", "3 mai", "Dezember 5", "24.11.2026"),
    *(
        "2026-11-24",
        "Tue 24 Nov 2026",
        "нояб 5",
        "พ.ย. 5",
        "5 Oca",
        "tammikuu 5",
        "H30.4.1",
        "昭和60年1月1日",
        "3月4日",
    ),
    *(
        "12:30",
        "5 PM",
        "5pm",
        "下午3:00",
        "Nov 5 2026 3:30 pm",
        "Rp500",
        "rp 500",
        "R$ 10",
        "kr500",
        "Kč5",
        "RM5",
        "NT$5",
        "S/5",
    ),
    *("TRUE", "false", "Wahr", "SAND", "falskt", "DOĞRU", "거짓", "真", "#N/A", "#REF!"),
    *("\uff13", " 0147", "0147 ", "\u00a00147"),
)
"""Texts that a spreadsheet takes for numbers, dates, times, money, truth values or errors, in some language."""
LANGUAGES = {
    "German": 1031,
    "English": 1033,
    "French": 1036,
    "Danish": 1030,
    "Brazilian": 1046,
    "Indonesian": 1057,
    "Turkish": 1055,
    "Taiwanese": 1028,
}
"""Numbers of Windows for languages."""
PLAIN = (
    *("0", "147", "12345678901", "alice", "user_1434", "roomid-1434", "04c9a0ac-8e38-4a19-be45-349c5ce7911b", "3abc9f"),
    *("小明", "E5", "true-blue", "march", "a'b", "maria1", "marvin 12", "jo-mar-5", "user5", "room5", "kris5", ""),
)
"""Texts that it shows as they are."""


@pytest.mark.parametrize("text", CONVERTED)
def test_spreadsheets_convert_nothing(text: str) -> None:
    """A text that a spreadsheet would convert begins with an apostrophe, in the columns of ids."""
    row = read_cells(make_record(call_id=text, caller=text, room_id=text))
    assert [row[name] for name in ("call_id", "caller", "room_id")] == [f"'{text}"] * 3


@pytest.mark.parametrize("text", PLAIN)
def test_other_texts_have_no_apostrophe(text: str) -> None:
    """A text that it shows as it is stays as it is."""
    assert read_cells(make_record(caller=text))["caller"] == text


def read_cells(*records: CallRecord) -> dict[str, str]:
    """Return the first row for spreadsheets."""
    text = write(*records, for_spreadsheets=True).removeprefix("\ufeff")
    return next(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_spreadsheets_read_times() -> None:
    """Times are such as Excel reads, and the names of their columns say that they are in UTC."""
    row = read_cells(make_record(accept_time=None))
    assert row["start_time (UTC)"] == "2025-02-19 10:17:22"
    assert row["accept_time (UTC)"] == ""
    assert (row["ring_seconds"], row["talk_seconds"]) == ("3", "0")


TEXTS = st.text(
    st.sampled_from([*"'=+-@;\t\r\n,\"0123456789eE./: #$%(Tt", "\uff13", "\ud83d", "小", "\U0001f600"]), max_size=12
)


@given(text=TEXTS | st.sampled_from(CONVERTED) | st.text(), seconds=st.integers(1, 4_102_444_800))
def test_spreadsheets_are_read_as_written(tmp_path_factory: pytest.TempPathFactory, text: str, seconds: int) -> None:
    """Whatever the apostrophes, the records come back equal, and their times in UTC."""
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=seconds % 3)
    record = make_record(text, caller=text, callees=(text, "b"), room_id=text, extra={"Tag": text}, start_time=moment)
    path = tmp_path_factory.mktemp("csv") / "calls.csv"
    asyncio.run(CsvWriter(path, for_spreadsheets=True).write([record, make_record()]))
    assert list(read_records(path)) == [record, make_record()]


@pytest.mark.parametrize(
    ("callees", "length"),
    [
        (("x" * 40_000,), 40_004),
        (("'" + "0" * 32_763,), 32_768),
        (("\U0001f600" * 20_000,), 20_004),
        (("x" + "\U0001f600" * 20_000,), 20_005),
    ],
)
def test_long_cell_is_cut_with_a_mark(tmp_path: Path, callees: tuple[str, ...], length: int) -> None:
    """A cell holds as much as Excel does, in UTF-16; the rest is not lost in silence, and not read back as if whole."""
    path = tmp_path / "calls.csv"
    records = [make_record(), make_record(callees=callees, extra={"Tag": callees[0]})]

    async def write_all() -> int:
        return await CsvWriter(path, for_spreadsheets=True).write(records)

    with pytest.warns(CallRecordsWarning, match="cells of more than 32,767 characters, .* were cut: 2") as caught:
        assert asyncio.run(write_all()) == 2
    assert caught[0].filename == __file__
    cell = read_cells_of(path)[1]["callees"]
    assert len(cell.encode("utf-16-le")) // 2 in {32_766, 32_767}
    assert cell.endswith(f"… [cut: {length:,} characters]")
    with pytest.raises(ValueError, match="after 1 records: the column callees was cut for spreadsheets"):
        list(read_records(path))


def read_cells_of(path: Path) -> list[dict[str, str]]:
    limit = csv.field_size_limit(10**9)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file, strict=True))
    finally:
        csv.field_size_limit(limit)


def test_longest_cell_is_whole(tmp_path: Path) -> None:
    """A cell of exactly 32,767 characters is not cut; a program's file has cells of any length."""
    path = tmp_path / "calls.csv"
    record = make_record(callees=("x" * 32_763,))
    asyncio.run(CsvWriter(path, for_spreadsheets=True).write([record]))
    assert list(read_records(path)) == [record]
    record = make_record(callees=("x" * 40_000,))
    asyncio.run(CsvWriter(path).write([record]))
    assert list(read_records(path)) == [record]


def test_mark_in_a_short_text_is_a_text(tmp_path: Path) -> None:
    """Only a cell of the greatest length was cut."""
    path = tmp_path / "calls.csv"
    record = make_record(caller="x… [cut: 40,000 characters]")
    asyncio.run(CsvWriter(path, for_spreadsheets=True).write([record]))
    assert list(read_records(path)) == [record]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("soffice") is None, reason="needs LibreOffice")
@pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)
def test_libreoffice_shows_each_text(tmp_path: Path, language: int) -> None:
    """LibreOffice, which converts all that it can, takes ids for texts, and times for times."""
    path = tmp_path / "calls.csv"
    texts = [*CONVERTED, *(text for text in PLAIN if text and not text.isdecimal()), "=1+1", "+86138", "-1", "@SUM(A1)"]
    records = [make_record(f"call {number}", caller=text) for number, text in enumerate(texts)]
    asyncio.run(CsvWriter(path, for_spreadsheets=True).write(records))
    separator, quote, utf_8, first_line = 44, 34, 76, 1
    subprocess.run(
        [
            *("soffice", f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}", "--headless"),
            f"--infilter=CSV:{separator},{quote},{utf_8},{first_line},,{language},false,true",  # special numbers, too
            *("--convert-to", "fods", "--outdir", str(tmp_path), str(path)),
        ],
        capture_output=True,
        timeout=90,
        check=True,
    )
    rows = read_sheet(tmp_path / "calls.fods")[1:]
    assert [row[1][0] for row in rows] == ["string"] * len(texts)
    assert [row[1][1].lstrip("'").split() for row in rows] == [text.split() for text in texts]
    assert {row[6] for row in rows} == {("date", "2025-02-19 10:17:22")}


def read_sheet(path: Path) -> list[list[tuple[str | None, str]]]:
    """Return the type and the text of each cell of the first sheet."""
    office = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
    table = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
    return [
        [(cell.get(f"{office}value-type"), "".join(cell.itertext()).strip("\n ")) for cell in row]
        for row in ET.parse(path).iter(f"{table}table-row")
    ]
