"""The page with charts: as text, and in a browser if one is installed."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import zlib
from html.parser import HTMLParser
from pathlib import Path

import pytest
from exported import make_record

from trtc_records.summary import ReportScope, Summary

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
NASTY = "\"><script>document.title='stolen'</script><img src=x onerror=alert(1)>&amp;\u202e\ud800"
VOID = {"meta", "img", "br"}


def make_page() -> str:
    scope = ReportScope(source=NASTY, region=NASTY, host="host" * 40, filters={"result": NASTY})
    summary = Summary(scope=scope)
    summary.add_missing(NASTY)
    for number in range(60):
        summary.add(make_record(str(number), caller=NASTY if number % 2 else "user" * 40, call_result=NASTY))
    return summary.to_html(title=NASTY, before=Summary(scope=scope))


class Reader(HTMLParser):
    """A parser that collects tags, attributes and unclosed tags."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_is_well_formed_and_escaped() -> None:
    """Every tag is closed, and text from the service makes no tag."""
    reader = Reader()
    reader.feed(make_page())
    reader.close()
    assert reader.open == []
    assert not reader.tags & {"script", "img", "link", "iframe"}
    assert not {name for name in reader.attributes if name.startswith("on") or name in {"src", "href"}}


def test_page_needs_no_network() -> None:
    """Nothing in the page names another place, and its policy forbids to go there."""
    page = make_page()
    assert not re.search(r"https?:|url\(|@import", page)
    assert "default-src 'none'" in page
    page.encode()


def shoot(page: Path, picture: Path, *arguments: str) -> tuple[int, int, set[bytes]]:
    """Take a picture; return its width, its height, and the colours of its first column."""
    assert CHROMIUM is not None
    subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={picture}.profile",
            f"--screenshot={picture}",
            *arguments,
            page.as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=90,
    )
    return read_png(picture.read_bytes())


def read_png(content: bytes) -> tuple[int, int, set[bytes]]:
    width, height, _, kind = struct.unpack(">IIBB", content[16:26])
    depth = {2: 3, 6: 4}[kind]
    data, position = b"", 8
    while position < len(content):
        length, name = struct.unpack(">I4s", content[position : position + 8])
        data += content[position + 8 : position + 8 + length] if name == b"IDAT" else b""
        position += length + 12
    rows = zlib.decompress(data)
    # The first pixel of the first row is stored unchanged under every filter.
    return width, height, {rows[1 : 1 + min(depth, 3)]}


def dump(page: Path, profile: Path, *arguments: str) -> str:
    """Return the document as the browser has it once it is loaded."""
    assert CHROMIUM is not None
    done = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={profile}",
            "--dump-dom",
            *arguments,
            page.as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=90,
    )
    return done.stdout.decode()


@needs_chromium
def test_browser_shows_light_and_dark(tmp_path: Path) -> None:
    """The page's background is light or dark as the reader prefers."""
    path = tmp_path / "report.html"
    path.write_text(make_page(), encoding="utf-8")
    *_, light = shoot(path, tmp_path / "light.png", "--window-size=1000,800")
    dark_preference = "--blink-settings=preferredColorScheme=0"
    *_, dark = shoot(path, tmp_path / "dark.png", "--window-size=1000,800", dark_preference)
    assert light == {bytes.fromhex("f6f7f9")}
    assert dark == {bytes.fromhex("10151b")}


@needs_chromium
@pytest.mark.parametrize("width", [360, 1_000])
def test_browser_fits_the_page_into_the_window(tmp_path: Path, width: int) -> None:
    """Even a long user id does not exceed the width of a phone or a desktop screen."""
    (tmp_path / "report.html").write_text(make_page(), encoding="utf-8")
    # A frame can have any width; a window of the browser cannot. The frame's own page runs no script.
    frame = tmp_path / "frame.html"
    frame.write_text(
        f"<iframe src='report.html' style='width:{width}px;height:600px;border:0'></iframe><script>onload = () => {{"
        "const page = document.querySelector('iframe').contentDocument.documentElement;"
        "document.title = page.scrollWidth + ' of ' + page.clientWidth}</script>"
    )
    shown = dump(frame, tmp_path / "profile", "--allow-file-access-from-files", "--virtual-time-budget=3000")
    title = re.search(r"<title>(\d+) of (\d+)</title>", shown)
    assert title is not None
    assert title[1] == title[2]


@needs_chromium
def test_browser_runs_nothing(tmp_path: Path) -> None:
    """A user id that is a script stays text."""
    path = tmp_path / "report.html"
    path.write_text(make_page(), encoding="utf-8")
    shown = dump(path, tmp_path / "profile")
    assert "<title>stolen</title>" not in shown
    assert "&lt;script&gt;" in shown
