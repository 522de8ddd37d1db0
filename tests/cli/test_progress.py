"""The progress of a walk, where stderr is no terminal."""

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
        """Return what time it is."""
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
    """Without a total there is no time left to tell."""
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
