"""The progress of a walk: lines where stderr is no terminal, and which texts fit beside a bar on one."""

from __future__ import annotations

import pytest
from cli_process import EXTRAS
from exported import make_record

from trtc_records import CallRecordPage

if not EXTRAS:
    pytest.skip("needs the extra cli", allow_module_level=True)

from trtc_records.cli import _progress
from trtc_records.cli._output import configure_output, restore_output


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """Return the current time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(_progress, "time", clock)
    return clock


def page(total: int | None) -> CallRecordPage:
    return CallRecordPage(records=tuple(make_record(str(number)) for number in range(100)), page=1, total_num=total)


def test_line_comes_every_few_seconds(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """Records, speed, share of the quota and time left stand in a line, every five seconds."""
    with _progress.show_progress() as advance:
        for _ in range(1_001):
            advance(page(400_000))
            clock.now += 0.01
    assert capsys.readouterr().err.splitlines() == [
        "trtc-records: 50,100 of 400,000 call records, 100 pages/s, 50% of the quota, 35 s left",
        "trtc-records: 100,100 of 400,000 call records, 100 pages/s, 50% of the quota, 30 s left",
    ]


def test_total_may_be_unknown(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a total, no time left is shown."""
    with _progress.show_progress() as advance:
        clock.now += 10
        advance(page(None))
    assert capsys.readouterr().err == "trtc-records: 100 call records, 0 pages/s, 0% of the quota\n"


def test_quiet_says_nothing(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """``--quiet`` is quiet about progress too."""
    with restore_output():
        configure_output(quiet=True, log_level=None)
        with _progress.show_progress() as advance:
            clock.now += 10
            advance(page(None))
    assert capsys.readouterr().err == ""


def test_speed_is_that_of_the_last_seconds(clock: Clock) -> None:
    """A burst is forgotten after five seconds, and a walk that stands still has no speed and no time left."""
    walk = _progress._Walk()
    for pages, seconds in ((1_280, 1 / 128), (80, 1 / 8)):
        for _ in range(pages):
            clock.now += seconds
            walk.add(page(400_000))
        if pages == 1_280:
            assert walk.get_texts("/") == ["128,000/400,000", "21 s left", "128 pages/s", "64% of the quota"]
    assert walk.get_texts("/") == ["136,000/400,000", "5 min 30 s left", "8 pages/s", "4% of the quota"]
    clock.now += 30
    assert walk.get_texts("/") == ["136,000/400,000", "", "0 pages/s", "0% of the quota"]


@pytest.mark.parametrize(
    ("width", "texts", "bar"),
    [
        (100, ["99,000/120,000", "11 s left", "20 pages/s", "10% of the quota"], 47),
        (63, ["99,000/120,000", "11 s left", "20 pages/s", "10% of the quota"], 10),
        (62, ["99,000/120,000", "11 s left", "20 pages/s"], 26),
        (46, ["99,000/120,000", "11 s left", "20 pages/s"], 10),
        (45, ["99,000/120,000", "11 s left", "20 pages/s"], 0),
        (34, ["99,000/120,000", "11 s left"], 0),
        (23, ["99,000/120,000"], 0),
        (5, ["99,000/120,000"], 0),
    ],
)
def test_narrow_terminal_loses_the_least_important_first(clock: Clock, width: int, texts: list[str], bar: int) -> None:
    """The quota goes first, then the bar, the speed and the time left; the count stays."""
    walk = _progress._Walk()
    for _ in range(990):
        walk.add(page(120_000))
        clock.now += 0.05
    assert walk.fit(width) == (texts, bar)


def test_unknown_total_leaves_room_for_the_rest(clock: Clock) -> None:
    """Without a total, the line has no gap for the time left."""
    walk = _progress._Walk()
    clock.now += 1
    walk.add(page(None))
    assert walk.fit(60) == (["100", "1 pages/s", "0% of the quota"], 30)
