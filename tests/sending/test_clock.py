"""The service's clock, by the Date of its answers."""

from __future__ import annotations

import warnings
from email.utils import formatdate

import pytest

from trtc_records._errors import ClockSkewWarning
from trtc_records._sending.clock import ServiceClock

NOW = 1_800_000_000


def clock_after(*skews: float) -> ServiceClock:
    """Return a clock that has seen the dates of a service so many seconds ahead."""
    clock = ServiceClock(lambda: NOW)
    for skew in skews:
        clock.observe(formatdate(NOW + skew, usegmt=True))
    return clock


@pytest.mark.parametrize(
    ("skews", "offset"),
    [((), 0), ((0,), 0), ((59,), 0), ((-59,), 0), ((60,), 60), ((-28_800,), -28_800), ((28_800, 28_830), 28_800)],
)
def test_a_difference_of_a_minute_is_followed(skews: tuple[float, ...], offset: float) -> None:
    """Less than a minute is left alone, and so is a change of less."""
    clock = clock_after(*skews)
    assert clock.offset == offset
    assert clock.now() == NOW + offset
    assert clock.is_known is bool(skews)


def test_a_clock_that_was_set_is_followed() -> None:
    """The difference is gone once the machine's clock is right again."""
    assert clock_after(28_800, 10).offset == 0


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 2026 00:00:00 GMT", "Thu, 01 Jan 99999 00:00:00 GMT"])
def test_a_date_that_cannot_be_read_is_passed_over(date: str) -> None:
    """The clock stays as it was."""
    clock = ServiceClock(lambda: NOW)
    clock.observe(date)
    assert not clock.is_known
    assert clock.offset == 0


@pytest.mark.parametrize(("skew", "direction"), [(28_800, "behind"), (-28_800, "ahead of")])
def test_a_difference_is_warned_about_once(skew: float, direction: str) -> None:
    """The warning gives the seconds and the direction."""
    clock = clock_after(skew)
    with pytest.warns(ClockSkewWarning, match=f"28,800 s {direction} the service's") as caught:
        clock.warn_if_off()
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clock.warn_if_off()
        clock_after(0).warn_if_off()
