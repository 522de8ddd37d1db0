"""The errors: their tree, their messages, and their pickles."""

from __future__ import annotations

import copy
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtc_records import _errors
from trtc_records._errors import (
    AccountError,
    APIError,
    AuthenticationError,
    CallRecordNotFoundError,
    CallRecordsError,
    CallRecordsWarning,
    CheckpointError,
    ClientClosedError,
    ClockSkewWarning,
    ConfigurationError,
    IncompleteWalkWarning,
    InvalidRequestError,
    LimiterUnavailableError,
    PermissionDeniedError,
    RateLimitError,
    RepeatedPageError,
    RequestTimeoutError,
    ResponseDecodeError,
    RetentionWarning,
    ServerError,
    TransportError,
    shorten,
)

TREE: dict[type[Exception], tuple[type[Exception], ...]] = {
    CallRecordsError: (Exception,),
    ConfigurationError: (CallRecordsError, ValueError),
    ClientClosedError: (CallRecordsError, RuntimeError),
    APIError: (CallRecordsError,),
    AuthenticationError: (APIError,),
    PermissionDeniedError: (AuthenticationError,),
    AccountError: (APIError,),
    InvalidRequestError: (APIError,),
    CallRecordNotFoundError: (APIError,),
    RateLimitError: (APIError,),
    ServerError: (APIError,),
    TransportError: (CallRecordsError,),
    RequestTimeoutError: (TransportError, TimeoutError),
    ResponseDecodeError: (CallRecordsError,),
    LimiterUnavailableError: (CallRecordsError,),
    CheckpointError: (CallRecordsError,),
    RepeatedPageError: (CallRecordsError,),
    CallRecordsWarning: (UserWarning,),
    ClockSkewWarning: (CallRecordsWarning,),
    IncompleteWalkWarning: (CallRecordsWarning,),
    RetentionWarning: (CallRecordsWarning,),
}


@pytest.mark.parametrize(("error", "bases"), TREE.items(), ids=[error.__name__ for error in TREE])
def test_an_error_has_its_place_in_the_tree(error: type[Exception], bases: tuple[type[Exception], ...]) -> None:
    """Each error is caught by these bases, and by no other."""
    assert error.__bases__ == bases


def test_the_tree_is_complete() -> None:
    """Every error that the module exports has its place in the tree."""
    assert sorted(_errors.__all__) == sorted(error.__name__ for error in TREE)


def drawn_bases() -> dict[str, set[str]]:
    """Return each name in the module's drawing with those that it stands under, or is said to be also."""
    bases: dict[str, set[str]] = {}
    above: list[str] = []
    for branch, name, remark in re.findall(
        r"^    ((?:│   |    )*(?:[├└]── )?)(\w+)(.*)$", _errors.__doc__ or "", re.MULTILINE
    ):
        depth = len(branch) // 4
        del above[depth:]
        bases[name] = {*above[-1:], *re.findall(r"\(also an? (\w+)\)", remark)}
        above.append(name)
    return bases


def test_the_drawing_shows_the_tree() -> None:
    """The drawing at the top of the module is the tree."""
    expected = {error.__name__: {base.__name__ for base in bases} for error, bases in TREE.items()}
    expected |= {"CallRecordsError": set(), "UserWarning": set()}
    assert drawn_bases() == expected


# -- Words -------------------------------------------------------------------------------------------

REPEATED = "The walk would not end, so it stops here; ask Tencent's support, or try another page_size"
ERRORS = {
    "ConfigurationError": (
        ConfigurationError("page=0: pass a whole number, 1 or more"),
        "page=0: pass a whole number, 1 or more",
    ),
    "ClientClosedError": (ClientClosedError("the client is closed"), "the client is closed"),
    "APIError": (APIError(99999), "error 99999"),
    "APIError, with info": (APIError(99999, "odd"), "error 99999: odd"),
    "APIError, with RequestId": (APIError(99999, request_id="Id-1"), "error 99999 (RequestId Id-1)"),
    "APIError, with hint": (APIError(99999, hint="Ask"), "error 99999. Ask"),
    "APIError, whole": (APIError(99999, "odd", "Id-1", "Ask"), "error 99999: odd (RequestId Id-1). Ask"),
    "AuthenticationError": (AuthenticationError(70001, "expired", "Id-1", "Renew"), None),
    "PermissionDeniedError": (PermissionDeniedError(60010, "no admin", "Id-1", "Be one"), None),
    "AccountError": (AccountError(60026, "region", "Id-1", "Move"), None),
    "InvalidRequestError": (InvalidRequestError(101002, "Page", "Id-1", "Fix"), None),
    "CallRecordNotFoundError": (CallRecordNotFoundError(101050, "none", "Id-1", "Look"), None),
    "RateLimitError": (RateLimitError(60011, "fast", "Id-1", "Slow"), None),
    "ServerError": (ServerError(101001, "oops", "Id-1", "Retry"), "error 101001: oops (RequestId Id-1). Retry"),
    "TransportError": (TransportError("connection refused"), "connection refused"),
    "RequestTimeoutError": (RequestTimeoutError("no answer within 1 s"), "no answer within 1 s"),
    "RequestTimeoutError, whole": (RequestTimeoutError("late", 504, 2.0, retryable=False), "late"),
    "TransportError, whole": (TransportError("HTTP status 429", 429, 2.0, retryable=False), "HTTP status 429"),
    "ResponseDecodeError": (ResponseDecodeError("is missing"), "$: is missing"),
    "ResponseDecodeError, whole": (
        ResponseDecodeError("expected an integer", "$.Response.Page", [{"a": 1}], "Id-1", retryable=True),
        "$.Response.Page: expected an integer, got [{'a': 1}] (RequestId Id-1)",
    ),
    "RepeatedPageError": (
        RepeatedPageError(3),
        f"page 3 repeats records that earlier pages gave (RequestId unknown). {REPEATED}",
    ),
    "RepeatedPageError, whole": (
        RepeatedPageError(3, "Id-1"),
        f"page 3 repeats records that earlier pages gave (RequestId Id-1). {REPEATED}",
    ),
}
each_error = pytest.mark.parametrize("error", [error for error, _ in ERRORS.values()], ids=list(ERRORS))


@pytest.mark.parametrize(
    ("error", "text"), [pytest.param(error, text, id=name) for name, (error, text) in ERRORS.items() if text]
)
def test_an_error_says_all_that_it_knows(error: CallRecordsError, text: str) -> None:
    """The message holds every value that the error was given, and does not mention missing ones."""
    assert str(error) == text


def test_the_repr_of_a_decode_error_is_as_short_as_its_text() -> None:
    """A whole answer, which the error keeps as its value, does not flood a log through its repr."""
    error = ResponseDecodeError("expected an object", value="x" * 10_000)
    assert repr(error) == f"ResponseDecodeError({str(error)!r})"
    assert len(repr(error)) < 400


@each_error
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_survives_a_pickle(error: CallRecordsError, protocol: int) -> None:
    """An error may cross processes: its type, text, arguments and attributes come out as they went in."""
    again = pickle.loads(pickle.dumps(error, protocol))
    assert (type(again), str(again), again.args, vars(again), again.retryable) == (
        type(error),
        str(error),
        error.args,
        vars(error),
        error.retryable,
    )


@each_error
def test_an_error_can_be_copied(error: CallRecordsError) -> None:
    """A copy has the same attributes."""
    again = copy.deepcopy(error)
    assert (type(again), vars(again)) == (type(error), vars(error))


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (ConfigurationError("x"), False),
        (ClientClosedError("x"), False),
        (APIError(1), False),
        (AuthenticationError(1), False),
        (PermissionDeniedError(1), False),
        (AccountError(1), False),
        (InvalidRequestError(1), False),
        (CallRecordNotFoundError(1), False),
        (RateLimitError(1), True),
        (ServerError(1), True),
        (TransportError("x"), True),
        (RequestTimeoutError("x"), True),
        (TransportError("x", retryable=False), False),
        (ResponseDecodeError("x"), False),
        (ResponseDecodeError("x", retryable=True), True),
        (RepeatedPageError(1), False),
    ],
)
def test_an_error_says_whether_another_try_may_help(error: CallRecordsError, retryable: bool) -> None:
    """The quota, the service's own failures and the network may mend themselves; nothing else does."""
    assert error.retryable is retryable


def test_an_api_error_carries_its_data() -> None:
    """The error has the service's code, message and RequestId as attributes."""
    error = APIError(99999, "odd", "Id-1", "Ask")
    assert (error.code, error.info, error.request_id, error.hint) == (99999, "odd", "Id-1", "Ask")


def test_a_transport_error_carries_its_data() -> None:
    """The gateway's status and the wait that it asks for are there as attributes."""
    error = TransportError("HTTP status 503", 503, 1.5)
    assert (error.message, error.status_code, error.retry_after) == ("HTTP status 503", 503, 1.5)


def test_a_decode_error_carries_its_data() -> None:
    """The error has the path, the whole value and the reason as attributes."""
    value = ["x" * 10_000]
    error = ResponseDecodeError("expected an object", "$.Response", value, "Id-1")
    assert (error.reason, error.path, error.value, error.request_id) == (
        "expected an object",
        "$.Response",
        value,
        "Id-1",
    )


# -- Values in messages ------------------------------------------------------------------------------


class Unprintable:
    """A value whose repr fails."""

    def __repr__(self) -> str:
        message = "no"
        raise LookupError(message)


def nest(depth: int) -> list[object]:
    """Return a list too deep for its repr."""
    value: list[object] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("soon", "'soon'", id="short"),
        pytest.param("x" * 198, f"'{'x' * 198}'", id="just fits"),
        pytest.param("x" * 199, f"'{'x' * 199}… (201 characters)", id="just too long"),
        pytest.param("x" * 10**6, f"'{'x' * 199}… (1000002 characters)", id="huge"),
        pytest.param(10**5000, "<int without a repr: ValueError>", id="5000 digits"),
        pytest.param(Unprintable(), "<Unprintable without a repr: LookupError>", id="unprintable"),
        pytest.param(nest(100_000), "<list without a repr: RecursionError>", id="deep"),
    ],
)
def test_a_value_is_shown_as_far_as_it_fits(value: object, text: str) -> None:
    """A message shows the beginning of a long value, and the type of one that cannot be shown."""
    assert shorten(value) == text


@given(st.text(st.characters()))
def test_no_message_is_long_or_breaks_the_line(text: str) -> None:
    """Any text in a message takes some 200 characters, without line feeds, and can be written as UTF-8."""
    shown = shorten(text)
    assert len(shown) < 240
    assert shown.isprintable()
    assert shown.encode()
