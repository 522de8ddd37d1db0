"""Pseudonyms in place of ids."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from pathlib import Path
from typing import Any

import attrs
import pytest
from exported import make_record
from hypothesis import assume, given
from hypothesis import strategies as st
from records import raw_record

from trtc_records import ConfigurationError, ResponseDecodeError
from trtc_records._api.wire import RECORD_FORM, record_from_json
from trtc_records.export import JsonLinesWriter, Pseudonyms, read_records
from trtc_records.export._pseudonyms import check_pseudonyms
from trtc_records.export._rejects import conceal, encode_reject

KEY = "0123456789abcdef" * 2
ALICE = "433deb45467e4e53dbaba594c88bc3a200f705a2150788c3d11e6040e63e8510"
"""printf %s alice | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef"""
XIAOMING = "cfdc021b0233e8942bd6d6ab3232562b38fb2fafb0a45a1e872d061c6cfee1af"
"""The same of 小明."""
SECRET = "zq7-the-user-zq7"
"""A text that is nowhere else."""
IDS = st.text(st.characters(codec=None), min_size=1)


def test_pseudonym_is_the_hmac_of_the_id() -> None:
    """Another program computes the same one from the key, also for an id that is not ASCII."""
    pseudonyms = Pseudonyms(KEY)
    assert (pseudonyms.of("alice"), pseudonyms.of("小明"), pseudonyms.of("")) == (ALICE, XIAOMING, "")


@given(first=IDS, second=IDS)
def test_equal_ids_stay_equal_and_others_differ(first: str, second: str) -> None:
    """That holds across records, fields and runs, and half a surrogate pair is an id as well."""
    assume(first != second)
    one = Pseudonyms(KEY)(make_record(caller=first, callees=(first, second), room_id=second))
    other = Pseudonyms(f" {KEY}\n")(make_record(caller=second, callees=()))
    assert one.caller == one.callees[0] != one.callees[1] == one.room_id == other.caller


def test_another_key_gives_other_pseudonyms() -> None:
    """Pseudonyms of two keys cannot be joined, and their fingerprints differ."""
    one, other = Pseudonyms(KEY), Pseudonyms(KEY[::-1])
    assert one.of("alice") != other.of("alice")
    assert one.fingerprint != other.fingerprint
    assert one.fingerprint == Pseudonyms(KEY).fingerprint


def test_all_but_ids_is_unchanged() -> None:
    """The call's id, times, types and results stay; an empty room stays empty."""
    record = make_record(media_type="Hologram", accept_time=None)
    made = Pseudonyms(KEY)(record)
    assert attrs.evolve(made, caller=record.caller, callees=record.callees) == record


def test_unknown_fields_are_left_out_and_counted() -> None:
    """A field that this version does not know may name a user by its value or by its name."""
    pseudonyms = Pseudonyms(KEY)
    record = record_from_json(raw_record(1, User_Account=147, **{SECRET: {"Users": [SECRET]}}))
    assert pseudonyms(record).extra == {}
    assert pseudonyms(make_record()).extra == {}
    assert pseudonyms.left_out == 2


@pytest.mark.parametrize("start", [0, None, "-86138"])
def test_mark_of_a_start_that_is_not_set_stays(start: object) -> None:
    """Without it a file would have a ring time that nobody knows."""
    pseudonyms = Pseudonyms(KEY)
    made = pseudonyms(record_from_json(raw_record(1, StartTime=start, New=SECRET)))
    assert made.extra == {"StartTime": 0}
    assert made.ring_time is None
    assert pseudonyms.left_out == 1


def test_file_holds_no_id(tmp_path: Path) -> None:
    """A file of pseudonyms is read back as the records with pseudonyms."""
    records = [make_record(str(number), caller=SECRET, room_id=SECRET, extra={"Tag": SECRET}) for number in range(3)]
    path = tmp_path / "calls.jsonl"
    asyncio.run(JsonLinesWriter(path).write(map(Pseudonyms(KEY), records)))
    assert SECRET not in path.read_text()
    assert list(read_records(path)) == [Pseudonyms(KEY)(record) for record in records]


@pytest.mark.parametrize("key", ["", KEY[:31], f" {KEY[:31]} ", f"{KEY}\n{KEY}", KEY.encode(), None, f"{KEY}\ud800"])
def test_key_that_cannot_be_used_is_refused(key: Any) -> None:
    """The message has a remedy, and not the key."""
    with pytest.raises(ConfigurationError, match=r"^key: pass a random secret of 32 .*openssl rand -hex 32") as caught:
        Pseudonyms(key)
    assert KEY[:31] not in str(caught.value)


def test_key_comes_from_the_environment(tmp_path: Path) -> None:
    """From a variable, or from the file that one names."""
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n")
    assert Pseudonyms.from_env({"TRTC_PSEUDONYM_KEY": f"{KEY}\r\n"}).of("alice") == ALICE
    assert Pseudonyms.from_env({"TRTC_PSEUDONYM_KEY_FILE": str(path)}).of("alice") == ALICE


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, "TRTC_PSEUDONYM_KEY is not set: set it to a random secret"),
        ({"TRTC_PSEUDONYM_KEY": " "}, "TRTC_PSEUDONYM_KEY is not set"),
        ({"TRTC_PSEUDONYM_KEY": KEY[:31]}, "TRTC_PSEUDONYM_KEY is too short, or no line of text: set it to"),
        ({"TRTC_PSEUDONYM_KEY_FILE": "/no/where"}, "TRTC_PSEUDONYM_KEY_FILE='/no/where' cannot be read"),
        ({"TRTC_PSEUDONYM_KEY": KEY, "TRTC_PSEUDONYM_KEY_FILE": "x"}, "are set: keep one of them"),
        (KEY, "environ: pass a mapping"),
    ],
)
def test_environment_that_cannot_be_used_is_explained(environ: Any, message: str) -> None:
    """The message names the variable and a remedy, and not the key."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        Pseudonyms.from_env(environ)
    assert KEY[:31] not in str(caught.value)


def test_pseudonyms_do_not_show_their_key() -> None:
    """Neither repr nor attributes have it, and nothing can be pickled or copied."""
    pseudonyms = Pseudonyms(KEY)
    assert repr(pseudonyms) == f"Pseudonyms(fingerprint='{pseudonyms.fingerprint}')"
    assert KEY not in repr(vars(pseudonyms))
    for take in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            take(pseudonyms)


def test_key_in_place_of_pseudonyms_is_refused() -> None:
    """The message does not repeat it."""
    with pytest.raises(ConfigurationError, match=r"^pseudonyms: pass Pseudonyms\(key\), or leave it out$"):
        check_pseudonyms(KEY)


def _nest(levels: int) -> Any:
    nested: Any = SECRET
    for _ in range(levels):
        nested = {SECRET: nested}
    return nested


FIELDS = sorted(raw_record(1))
BAD_VALUES = st.sampled_from([SECRET, [SECRET], {SECRET: SECRET}, [7, SECRET, [SECRET]], _nest(150), [[SECRET]], 1e99])


@given(
    changes=st.dictionaries(st.sampled_from([*FIELDS, SECRET, f"{SECRET}[0].StartTime"]), BAD_VALUES, min_size=1),
    index=st.integers(0, 20),
)
def test_reject_shows_no_value(changes: dict[str, Any], index: int) -> None:
    """With pseudonyms, a record that cannot be read leaves its place and the reason, and no value or name of it."""
    raw = raw_record(1, **changes)
    path = f"$.Response.CallRecordList[{index}]"
    _, invalid = RECORD_FORM.read_all(
        [*[raw_record(0)] * index, raw], path[: -len(f"[{index}]")], "R", keep_invalid=True
    )
    for each in invalid:
        line = encode_reject(each.raw, each.error, Pseudonyms(KEY)).decode()
        concealed = conceal(each.error)
        assert SECRET not in line + str(concealed) + repr(concealed)
        assert json.loads(line).keys() == {"path", "reason", "request_id", "pseudonym"}
        assert json.loads(line)["path"].startswith(path)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("$.Response.CallRecordList[1].StartTime", "$.Response.CallRecordList[1].StartTime"),
        ("$.Response.CallRecordList[1].CalleeList_Account[2]", "$.Response.CallRecordList[1].CalleeList_Account[2]"),
        ("$.Response.CallRecordList[1].alice", "$.Response.CallRecordList[1]"),
        ("$.data.callRecordList[1].startCallTs", "$.data.callRecordList[1].startCallTs"),
        ("$.data.callRecordList[1].alice", "$.data.callRecordList[1]"),
        ("$.Response.CallRecordList[1].StartTime.alice", "$.Response.CallRecordList[1]"),
        ("$.Response.CallRecordList[1].alice[0].StartTime", "$.Response.CallRecordList[1]"),
        ("$.Response.CallRecordList", "$.Response.CallRecordList"),
    ],
)
def test_path_names_known_fields_only(path: str, shown: str) -> None:
    """A field of another name may be named after a user."""
    assert conceal(ResponseDecodeError("a reason", path, "alice")).path == shown


def test_same_reject_is_known_again() -> None:
    """The pseudonym of a record that cannot be read depends on nothing but the record."""

    def encode(raw: Any, index: int) -> Any:
        error = ResponseDecodeError("a reason", f"$.CallRecordList[{index}]", raw)
        return json.loads(encode_reject(raw, error, Pseudonyms(KEY)))["pseudonym"]

    assert encode({"a": 1, "b": "\ud800"}, 1) == encode({"b": "\ud800", "a": 1}, 2) != encode({"a": 2}, 1)
