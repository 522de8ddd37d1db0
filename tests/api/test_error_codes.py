"""Tencent's error codes: API.md's table, row by row, written out a second time."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtc_records._api.error_codes import (
    CALL_CODES,
    NO_RECORDS,
    NO_WEBHOOK,
    explain_identifier,
)
from trtc_records._api.models import Region
from trtc_records._errors import (
    AccountError,
    APIError,
    AuthenticationError,
    CallRecordNotFoundError,
    InvalidRequestError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)

ROWS: list[tuple[type[APIError], bool, tuple[int, ...]]] = [
    (ServerError, True, (100001, 101001)),
    (InvalidRequestError, False, (100002, 101002)),
    (APIError, False, (100301, 101004)),
    (CallRecordNotFoundError, False, (101050,)),
    (InvalidRequestError, False, (60002, 60003, 60009, 60012, 60015, 60025)),
    (AuthenticationError, False, (60004, 60005)),
    (AccountError, False, (60006, 60016, 60017, 60020, 60021, 60026, 60027, 60028, 70107, 70114, 72000, 72002)),
    (RateLimitError, True, (60007, 60011, 60018, 60019)),
    (ServerError, True, (60008, 60013, 60014, 70169, 70202, 70500)),
    (PermissionDeniedError, False, (60010, 70403)),
    (AuthenticationError, False, (70001, 70052)),
    (AuthenticationError, False, (70002, 70003, 70005, 70009, 70013, 70014, 70016, 70020, 70051)),
    (AuthenticationError, False, (70050,)),
    (InvalidRequestError, False, (70402,)),
]
TABLE = {code: (error, retryable) for error, retryable, codes in ROWS for code in codes}
each_code = pytest.mark.parametrize("code", TABLE)


@pytest.mark.parametrize(("code", "error", "retryable"), [(code, *expected) for code, expected in TABLE.items()])
def test_a_code_becomes_an_error(code: int, error: type[APIError], retryable: bool) -> None:
    """Each code of Tencent's becomes exactly this class, and is retryable or not."""
    made = CALL_CODES.make_error(code)
    assert (type(made), made.retryable) == (error, retryable)


def test_the_table_is_tencents() -> None:
    """The library knows these codes and no other."""
    assert set(CALL_CODES.rows) == set(TABLE)


def test_an_error_carries_the_words_of_the_service() -> None:
    """Code, info and RequestId go into the error as they are."""
    error = CALL_CODES.make_error(101001, "internal error", "Id-1")
    assert (error.code, error.info, error.request_id) == (101001, "internal error", "Id-1")


@each_code
def test_every_code_has_a_hint(code: int) -> None:
    """Each code's message ends with a sentence of advice."""
    error = CALL_CODES.make_error(code, "info")
    assert len(error.hint.split()) >= 4
    assert str(error).endswith(f". {error.hint}")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (60004, "secret_key"),
        (60005, "secret_key"),
        (60010, "administrator"),
        (70403, "administrator"),
        (60007, "200 calls per second"),
        (60011, "200 calls per second"),
        (60018, "share a limiter"),
        (60019, "slow down"),
        (60020, "package"),
        (60021, "IP address"),
        (60027, "may not use"),
        (60028, "24 hours"),
        (70001, "expired"),
        (70009, "key of another app"),
        (70013, "another identifier"),
        (70014, "another SDKAppID"),
        (70020, "region"),
        (70050, "Wait a minute"),
        (70051, "blocked"),
        (70052, "new one"),
        (70107, "one of its administrators"),
        (70114, "security"),
        (72000, "daily"),
        (72002, "monthly"),
        (100001, "try again"),
        (100002, "the URL or the event"),
        (100301, "set_webhook"),
        (101001, "try again"),
        (101002, "the parameter that the message names"),
        (101050, "7 days"),
        (101050, "the region and service="),
        *((60026, f"{region.value} ({region.host})") for region in Region),
    ],
)
def test_a_hint_names_the_remedy(code: int, words: str) -> None:
    """The hint names the cause of this code; for the wrong region it lists all regions."""
    assert words in CALL_CODES.make_error(code).hint


def test_a_page_that_is_too_large_is_explained() -> None:
    """Tencent documents no largest page, so the refusal names the argument to lower."""
    assert "lower page_size" in CALL_CODES.make_error(101002, "NumberPerPage is out of range").hint


@pytest.mark.parametrize(
    ("code", "info"), [(101002, "Page is invalid"), (101002, ""), (70402, "NumberPerPage is out of range")]
)
def test_page_size_is_blamed_for_its_own_field_only(code: int, info: str) -> None:
    """Another field, or another code, does not speak of page_size."""
    assert "page_size" not in CALL_CODES.make_error(code, info).hint


@given(st.integers().filter(lambda code: code not in TABLE), st.text(), st.text())
def test_an_unknown_code_is_a_plain_api_error(code: int, info: str, request_id: str) -> None:
    """A code that this version does not know still carries all that the service said; it is not tried again."""
    error = CALL_CODES.make_error(code, info, request_id)
    assert type(error) is APIError
    assert (error.code, error.info, error.request_id, error.hint) == (code, info, request_id, "")
    assert not error.retryable


def test_named_codes_are_tencents() -> None:
    """The codes that the client itself acts on have Tencent's numbers."""
    assert (NO_RECORDS, NO_WEBHOOK) == (101050, 100301)
    assert ({70001, 70052}, {60004, 60005}) == (CALL_CODES.renewal, CALL_CODES.check_failed)


@pytest.mark.parametrize("identifier", ["admin@example", "a b", "ä", "a" * 33, "a.b"])
def test_an_unusual_identifier_is_pointed_out_in_a_refusal(identifier: str) -> None:
    """The hint gets one more sentence, in the message and after a pickle; other errors stay as they are."""
    error = CALL_CODES.make_error(60004, "account check failed")
    explain_identifier(error, identifier)
    assert "longer than 32 bytes or has other characters" in str(error)
    assert pickle.loads(pickle.dumps(error)).hint == error.hint
    other = CALL_CODES.make_error(101001)
    explain_identifier(other, identifier)
    assert "characters" not in str(other)


@pytest.mark.parametrize("identifier", ["administrator", "a-B_9", "a" * 32])
def test_a_usual_identifier_is_not_mentioned(identifier: str) -> None:
    """The hint stays the table's."""
    error = CALL_CODES.make_error(60004)
    explain_identifier(error, identifier)
    assert error.hint == CALL_CODES.make_error(60004).hint
