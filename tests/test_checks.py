"""Single values that callers pass: refused by a message with the argument, its value and the remedy."""

from __future__ import annotations

import re

import pytest

from trtc_records._checks import check_callback, check_count, check_sdk_app_id, check_seconds, check_text
from trtc_records._errors import ConfigurationError


def exactly(message: str) -> str:
    """Return the pattern that only *message* matches."""
    return f"^{re.escape(message)}$"


@pytest.mark.parametrize("value", [1, 1400000000, 2**40, 2**63 - 1])
def test_an_sdk_app_id_is_an_integer_above_0(value: int) -> None:
    """Every id that Tencent's console can show is taken."""
    assert check_sdk_app_id(value) == value


@pytest.mark.parametrize("value", [0, -1, True, 1.0, "1400000000", None, [1], 2**63], ids=repr)
def test_another_sdk_app_id_is_refused(value: object) -> None:
    """A text, a bool or a number below 1 is no SDKAppID."""
    with pytest.raises(
        ConfigurationError,
        match=exactly(f"sdk_app_id={value!r}: pass the app's SDKAppID, an integer above 0"),
    ):
        check_sdk_app_id(value)


@pytest.mark.parametrize("value", ["administrator", "a b", "a\nb", "管理员"])
def test_a_text_is_taken_as_it_is(value: str) -> None:
    """Nothing inside a text is changed, which may be a user id."""
    assert check_text("identifier", value, "pass one") == value


@pytest.mark.parametrize("value", [" a ", "a\n", "a\r\n", "\ufeffa", "\ufeff a\t\xa0", "a\0"], ids=ascii)
def test_white_space_around_a_text_is_cut(value: str) -> None:
    """Files and CRLF leave it there, and the service would refuse it."""
    assert check_text("identifier", value, "pass one") == "a"


@pytest.mark.parametrize("value", ["", " ", "\n\t", None, 5, b"administrator", ["administrator"]], ids=repr)
def test_an_empty_text_is_refused(value: object) -> None:
    """``None``, white space and values other than text are refused with a remedy."""
    with pytest.raises(ConfigurationError, match=exactly(f"identifier={value!r}: pass one")):
        check_text("identifier", value, "pass one")


@pytest.mark.parametrize("value", [1, 100, 2**31 - 1])
def test_a_count_is_a_whole_number_from_1(value: int) -> None:
    """Pages and page sizes are counted from 1; the largest is the service's to say."""
    assert check_count("page_size", value) == value


@pytest.mark.parametrize("value", [0, -1, 2**31, True, 1.0, "100", None], ids=repr)
def test_another_count_is_refused(value: object) -> None:
    """Zero, less, too many for any integer of the service's, and other types are refused."""
    with pytest.raises(ConfigurationError, match=exactly(f"page={value!r}: pass a whole number, 1 or more")):
        check_count("page", value)


@pytest.mark.parametrize(("value", "expected"), [(3, 3.0), (0.5, 0.5), (1e-9, 1e-9)])
def test_seconds_are_a_number_above_0(value: float, expected: float) -> None:
    """Whole and broken numbers of seconds come out as floats."""
    seconds = check_seconds("timeout", value)
    assert (seconds, type(seconds)) == (expected, float)


@pytest.mark.parametrize("value", [0, -1, -0.0, True, "3", None, float("inf"), float("nan")], ids=repr)
def test_other_seconds_are_refused(value: object) -> None:
    """Zero, negative and infinite times, and values other than numbers, are refused."""
    with pytest.raises(ConfigurationError, match=exactly(f"timeout={value!r}: pass a number of seconds above 0")):
        check_seconds("timeout", value)


def test_seconds_that_no_float_can_hold_are_refused() -> None:
    """An integer too large for a float is refused like any other endless time."""
    with pytest.raises(ConfigurationError, match="timeout="):
        check_seconds("timeout", 10**400)


def test_a_refused_value_is_shown_in_part_only() -> None:
    """A message does not repeat a megabyte."""
    with pytest.raises(ConfigurationError) as caught:
        check_sdk_app_id("x" * 10**6)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("value", ["print", 1, [print]])
def test_a_callback_is_a_function_or_left_out(value: object) -> None:
    """A value that cannot be called is refused by name, before a walk begins."""
    check_callback("on_incomplete", None)
    check_callback("on_incomplete", print)
    with pytest.raises(ConfigurationError, match="^on_incomplete=.*: pass a function, or leave it out$"):
        check_callback("on_incomplete", value)
