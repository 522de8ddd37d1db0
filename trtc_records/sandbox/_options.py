"""The options of a sandbox: the answers that Tencent's page leaves open, faults, drift, live calls and callbacks."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any, Final, Literal, get_args

import attrs

from trtc_records._api.query import RETENTION

__all__ = [
    "Behaviour",
    "Beyond",
    "CallsIn",
    "Drift",
    "End",
    "Faults",
    "Lengths",
    "Order",
    "Unanswered",
    "Webhooks",
    "Window",
    "read_lengths",
    "read_rate",
    "require_choice",
    "require_kind",
    "require_number",
    "require_text",
]

Beyond = Literal["invalid_parameter", "illegal_parameter", "internal_error", "empty", "repeat"]
End = Literal["page_zero", "empty_list", "error", "absent", "null"]
Order = Literal["ascending", "descending", "random"]
Window = Literal["start", "end", "within", "overlap"]
Unanswered = Literal["zero", "null", "absent"]
CallsIn = Literal["both", "current", "legacy"]
"""The services that keep the calls."""
Lengths = tuple[float, float]
"""The least and the greatest length of a call, in seconds."""

_LARGEST: Final = sys.float_info.max
_QUOTA_CODES: Final = (60007, 60011, 60018, 60019)
_RATE: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)/(s|min|h|day)", re.ASCII)
_RATE_UNITS: Final = {"s": 1, "min": 60, "h": 3_600, "day": 86_400}
_GREATEST_RATE: Final = 1_000  # calls per second
_FAULT_KINDS: Final = (
    "http_502",
    "http_429",
    "reset",
    "truncated",
    "internal_error",
    "rate_limited",
    "slow",
    "not_json",
)


def require_number(
    name: str, value: object, *, minimum: float, maximum: float = _LARGEST, whole: bool = False, remedy: str
) -> None:
    """Refuse a *value* that is not a finite number within bounds.

    Args:
        name: The argument, for the message.
        value: The value to check.
        minimum: The least value that is allowed.
        maximum: The greatest value that is allowed; any finite one by default.
        whole: Whether it has to be an ``int``.
        remedy: A correct value to write instead, for the message.

    Raises:
        ValueError: It is not; the message names the argument, the value and the remedy.
    """
    kinds = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not minimum <= value <= maximum:
        kind = "an integer" if whole else "a number"
        bounds = f"of at least {minimum:g}" if maximum == _LARGEST else f"from {minimum:g} to {maximum:g}"
        raise ValueError(f"{name} must be {kind} {bounds}, got {value!r}: {remedy}")


def require_kind(name: str, value: object, kind: type, *, remedy: str) -> None:
    """Refuse a *value* that is not of *kind*.

    Raises:
        ValueError: It is not; the message names the argument, the value and the remedy.
    """
    if not isinstance(value, kind):
        raise ValueError(f"{name} cannot be {value!r}: {remedy}")  # noqa: TRY004  (as any argument that is refused)


def require_choice(name: str, value: object, choices: Sequence[object]) -> None:
    """Refuse a *value* that is not one of *choices*.

    Raises:
        ValueError: It is not; the message names the argument, the value and the remedy.
    """
    if value not in choices:
        raise ValueError(f"{name} cannot be {value!r}: write one of {', '.join(map(repr, choices))}")


def require_text(name: str, value: object) -> None:
    """Refuse a *value* that is not text, or is empty.

    Raises:
        ValueError: It is; the message names the argument, the value and the remedy.
    """
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} must be text that is not empty, got {value!r}: leave it out for the default")


def read_rate(value: object) -> float:
    """Read *live*: calls per second, or text such as ``30/min``; ``None`` means no calls.

    Raises:
        ValueError: It is none of these; the message names the remedy.
    """
    if value is None:
        return 0.0
    remedy = "write 30/min, 2/s, 1000/h or 100000/day, or calls per second, 1000 at most"
    rate = value
    if isinstance(value, str):
        found = _RATE.fullmatch(value)
        if found is None:
            raise ValueError(f"live cannot be {value!r}: {remedy}")
        rate = float(found[1]) / _RATE_UNITS[found[2]]
    require_number("live", rate, minimum=0, maximum=_GREATEST_RATE, remedy=remedy)
    assert isinstance(rate, int | float)
    return float(rate)


def read_lengths(value: object) -> Lengths | None:
    """Read *call_seconds*: a mean, a pair of bounds, or ``None``.

    The record of a call that is longer than the service keeps records is never served.

    Raises:
        ValueError: It is none of these; the message names the remedy.
    """
    if value is None:
        return None
    remedy = "write seconds on average, or the least and the greatest as (1, 12)"
    if isinstance(value, Sequence) and not isinstance(value, str):
        if len(value) != 2:
            raise ValueError(f"call_seconds cannot be {value!r}: {remedy}")
        least, greatest = value
        require_number("call_seconds", least, minimum=0, maximum=RETENTION, remedy=remedy)
        require_number("call_seconds", greatest, minimum=least, maximum=RETENTION, remedy=remedy)
        return float(least), float(greatest)
    require_number("call_seconds", value, minimum=0, maximum=RETENTION / 1.5, remedy=remedy)
    assert isinstance(value, int | float)
    return value * 0.5, value * 1.5


def _name(instance: object, attribute: attrs.Attribute[Any]) -> str:
    return f"{type(instance).__name__}.{attribute.name}"


def _is_probability(instance: object, attribute: attrs.Attribute[float], value: object) -> None:
    remedy = "write a probability, 0.05 for one in twenty"
    require_number(_name(instance, attribute), value, minimum=0, maximum=1, remedy=remedy)


def _is_one_of(*choices: object) -> Any:
    def validate(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        require_choice(_name(instance, attribute), value, choices)

    return validate


def _is_number(*, minimum: float, maximum: float = _LARGEST, whole: bool = False, remedy: str) -> Any:
    def validate(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        require_number(_name(instance, attribute), value, minimum=minimum, maximum=maximum, whole=whole, remedy=remedy)

    return validate


def _is_limit(meaning: str) -> Any:
    remedy = f"write {meaning}, or None for no limit"
    return attrs.validators.optional(_is_number(minimum=1, whole=True, remedy=remedy))


@attrs.frozen(kw_only=True)
class Behaviour:
    """The service's answers where Tencent's page leaves them open.

    Raises:
        ValueError: A value is not one of those allowed.
    """

    end: End = attrs.field(default="page_zero", validator=_is_one_of(*get_args(End)))
    """The answer to a page after the last one: ``Page`` 0 (as documented), an empty list under the ``Page`` of the
    request, error 101050, or ``Page`` and ``CallRecordList`` absent or null."""
    order: Order = attrs.field(default="ascending", validator=_is_one_of(*get_args(Order)))
    """The order of records by StartTime; the same seed gives the same random order on all pages."""
    page_cap: int | None = attrs.field(default=None, validator=_is_limit("the most records of one page"))
    """The most records of one page, even for a greater NumberPerPage; no limit by default."""
    deepest: int | None = attrs.field(default=None, validator=_is_limit("the last position that a page may reach"))
    """The last position, counted in records, that a page may reach; no limit by default. As in search engines, a page
    is refused when Page times its length is greater, even if few records match."""
    beyond: Beyond = attrs.field(default="invalid_parameter", validator=_is_one_of(*get_args(Beyond)))
    """The answer to a page beyond ``deepest``: error 101002, 70402 or 101001; ``empty``, like a page after the last
    one; or ``repeat``, the deepest page that is allowed under the Page of the request."""
    total_cap: int | None = attrs.field(default=None, validator=_is_limit("the greatest TotalNum"))
    """The greatest TotalNum; no limit by default."""
    window: Window = attrs.field(default="start", validator=_is_one_of(*get_args(Window)))
    """The part of a call that lies between StartTime and EndTime of a query: its start, its end, both (``within``), or
    any moment of it (``overlap``)."""
    half_open: bool = False
    """Whether EndTime of a query lies outside its window."""
    unanswered: Unanswered = attrs.field(default="zero", validator=_is_one_of(*get_args(Unanswered)))
    """AcceptTime of a call that was never answered."""
    room_id_type_as_text: bool = False
    """Whether RoomIdType is a string, as in Tencent's table, and not an integer, as in the samples."""
    error_code_as_text: bool = False
    """Whether errorCode of the older service is a string, as in Tencent's table, and not an integer, as in the
    samples."""
    bare_record: bool = False
    """Whether a look-up of the older service answers with the record as its data, as in one of Tencent's samples, and
    not with the record in its data, as in another."""
    extra_fields: bool = False
    """Whether records, responses and envelopes have fields that no page documents."""
    new_enum_values: bool = False
    """Whether a quarter of the records has values that no page documents, in every enumerated field."""
    quota_code: int = attrs.field(default=60011, validator=_is_one_of(*_QUOTA_CODES))
    """The error code for a used-up quota, one of Tencent's four."""


@attrs.frozen(kw_only=True)
class Faults:
    """The probability of each fault. A request gets at most one, and none if the quota refuses it.

    Raises:
        ValueError: A value is not a probability, or together they exceed 1.
    """

    http_502: float = attrs.field(default=0.0, validator=_is_probability)
    """The gateway answers 502 with a page of HTML."""
    http_429: float = attrs.field(default=0.0, validator=_is_probability)
    """The gateway answers 429 with Retry-After."""
    reset: float = attrs.field(default=0.0, validator=_is_probability)
    """The connection is reset, without an answer."""
    truncated: float = attrs.field(default=0.0, validator=_is_probability)
    """The connection is closed in the middle of the body."""
    internal_error: float = attrs.field(default=0.0, validator=_is_probability)
    """The service answers 101001."""
    rate_limited: float = attrs.field(default=0.0, validator=_is_probability)
    """The service answers that the quota is used up, though this process has not used it up."""
    slow: float = attrs.field(default=0.0, validator=_is_probability)
    """The answer is right, and takes ``slow_seconds`` longer."""
    not_json: float = attrs.field(default=0.0, validator=_is_probability)
    """The answer has status 200 and is text that is not JSON."""
    slow_seconds: float = attrs.field(
        default=5.0, validator=_is_number(minimum=0, remedy="write seconds, 5.0 is the default")
    )
    retry_after: int = attrs.field(
        default=1, validator=_is_number(minimum=0, whole=True, remedy="write whole seconds, 1 is the default")
    )
    """Seconds that a 429 asks to wait."""

    def __attrs_post_init__(self) -> None:
        total = sum(self.probabilities.values())
        if total > 1 + 1e-9:
            raise ValueError(f"the probabilities of Faults add up to {total:g}: lower them until they are at most 1")

    @property
    def probabilities(self) -> dict[str, float]:
        """Return the probability of each kind of fault, by its name."""
        return {kind: getattr(self, kind) for kind in _FAULT_KINDS}


@attrs.frozen(kw_only=True)
class Drift:
    """The changes of the records between one query and the next.

    Raises:
        ValueError: A value is not a probability, or out of range.
    """

    arrivals: float = attrs.field(default=0.0, validator=_is_probability)
    """A record appears that the query matches."""
    expiries: float = attrs.field(default=0.0, validator=_is_probability)
    """The oldest record that the query matches goes away."""
    anywhere: bool = False
    """Whether a record appears anywhere in the query's window, and not at its recent end."""
    replica_lag: float = attrs.field(default=0.0, validator=_is_probability)
    """An answer comes from a replica that has all records but the one that appeared last."""


@attrs.frozen(kw_only=True)
class Webhooks:
    """The faults of callbacks, as Tencent documents neither a retry, nor an order, nor a signature.

    Raises:
        ValueError: A value is not a probability, or out of range.
    """

    loss: float = attrs.field(default=0.0, validator=_is_probability)
    """A callback is not posted."""
    repetition: float = attrs.field(default=0.0, validator=_is_probability)
    """A callback is posted twice."""
    delay: float = attrs.field(default=0.0, validator=_is_number(minimum=0, remedy="write seconds"))
    """The most seconds by which a callback is late, drawn evenly for each, so that they overtake each other."""
    forgery: float = attrs.field(default=0.0, validator=_is_probability)
    """With the end of a call comes an end that is not true: of a call that does not exist, or of that call with other
    content; one as often as the other."""
