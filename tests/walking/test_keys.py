"""The keys by which the records of a walk are known."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import raw_record

from trtc_records._api.wire import record_from_json
from trtc_records._walking.keys import flatten_json, key_of, keys_of, rough_key_of

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


def test_a_page_of_all_kinds_of_records_gives_the_same_keys_as_each_record() -> None:
    """Keys are made for a page at once; what else is on it changes none of them."""
    records = [record_from_json(raw_record(1, **extra)) for extra in DIFFERENT]
    keys, rough_keys = keys_of(records)
    assert keys == list(map(key_of, records))
    assert rough_keys == list(map(rough_key_of, records))
    assert len(set(keys)) == len(DIFFERENT)
    assert len(set(rough_keys)) == 1


def test_a_page_without_unknown_fields_needs_no_rough_keys() -> None:
    """They would be the same as the keys."""
    records = [record_from_json(raw_record(number)) for number in range(10)]
    assert keys_of(records) == (list(map(rough_key_of, records)), [])
    assert keys_of([]) == ([], [])


SCALARS = st.sampled_from([None, False, True, 0, 1, 0.0, 1.0, -0.0, float("nan"), 2**70, "", "1", "\ud800", "'"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b"]), inner)
)
RAWS = st.fixed_dictionaries(
    {
        "number": st.integers(1, 2),
        "CalleeList_Account": st.sampled_from([[], ["a"], ["b"], ["a", "b"]]),
        "StartTime": st.sampled_from([1, 1_700_000_000]),
        "AcceptTime": st.sampled_from([1, 1_700_000_000]),
        "EndTime": st.sampled_from([1, 1_700_000_000, 1_700_000_000 + 86_400]),
        "CallResult": st.sampled_from(["NormalEnd", 0, "0"]),
    },
    optional={"a": VALUES, "b": SCALARS, "c": SCALARS},
)


@given(st.lists(RAWS, max_size=6))
def test_two_records_have_the_same_key_if_all_their_fields_are_the_same(raws: list[dict[str, Any]]) -> None:
    """A key loses no difference, whatever is on the page; the rough key loses those of unknown fields only."""
    raws = [raw_record(**raw) for raw in raws]
    records = list(map(record_from_json, raws))
    keys, rough_keys = keys_of(records)
    assert keys == list(map(key_of, records))
    for one, other in itertools.combinations(range(len(raws)), 2):
        texts = [json.dumps(raws[index], sort_keys=True) for index in (one, other)]
        assert (keys[one] == keys[other]) == (texts[0] == texts[1])
        known = [{name: value for name, value in raws[index].items() if name not in "abc"} for index in (one, other)]
        if rough_keys:
            assert (rough_keys[one] == rough_keys[other]) == (known[0] == known[1])


def test_a_value_may_be_nested_deeper_than_calls() -> None:
    """An unreadable record has any depth."""
    value: Any = 1
    for _ in range(10_000):
        value = {"a": [value]}
    assert len(flatten_json(value)) > 20_000
