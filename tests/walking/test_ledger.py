"""The keys by which the records of a walk are known."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from records import raw_record

from trtc_records._api.wire import record_from_json
from trtc_records._walking.ledger import flatten_json, key_of

DIFFERENT: list[Any] = [
    {},
    {"a": 1},
    {"a": True},
    {"a": 1.0},
    {"a": "1"},
    {"a": None},
    {"a": []},
    {"a": {}},
    {"a": [1, [2]]},
    {"a": [[1], 2]},
    {"a": {}, "b": "c"},
    {"a": "b", "c": {}},
    {"a": {"b": 1}, "c": 1},
    {"a": {"b": 1, "c": 1}},
    {"a": "container", "b": 1},
    {"a": {}, "b": 1},
    {"a": "dict of 0", "b": 1},
    {"a": "\n'b'\n1"},
]


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(DIFFERENT, 2)))
def test_records_that_differ_in_unknown_fields_have_different_keys(one: Any, other: Any) -> None:
    """Each kind of value counts, and so does its place."""
    assert key_of(record_from_json(raw_record(1, **one))) != key_of(record_from_json(raw_record(1, **other)))
    assert "\n".join(flatten_json(one)) != "\n".join(flatten_json(other))


def test_the_order_of_names_does_not_count() -> None:
    """Some languages write the names of an object in another order each time."""
    one = {"Info": {"Zone": "a", "Cost": [{"x": 1, "y": {}}]}, "Duration": float("nan")}
    other = {"Duration": float("nan"), "Info": {"Cost": [{"y": {}, "x": 1}], "Zone": "a"}}
    assert key_of(record_from_json(raw_record(1, **one))) == key_of(record_from_json(raw_record(1, **other)))


def test_a_value_may_be_nested_deeper_than_calls() -> None:
    """An unreadable record has any depth."""
    value: Any = 1
    for _ in range(10_000):
        value = {"a": [value]}
    assert len(flatten_json(value)) > 20_000
