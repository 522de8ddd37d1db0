"""Arguments that cannot be used are refused, by name, with the value and the remedy."""

import pytest

from trtc_records.sandbox import Behaviour, Drift, Faults, Sandbox, Webhooks, make_records


@pytest.mark.parametrize(
    ("make", "argument", "value", "remedy"),
    [
        (Behaviour, "end", "stop", "'page_zero'"),
        (Behaviour, "order", "up", "'ascending', 'descending', 'random'"),
        (Behaviour, "unanswered", None, "'zero', 'null', 'absent'"),
        (Behaviour, "quota_code", 60012, "60007, 60011, 60018, 60019"),
        (Behaviour, "page_cap", 0, "None for no limit"),
        (Behaviour, "deepest", 0, "None for no limit"),
        (Behaviour, "deepest", 1e4, "None for no limit"),
        (Behaviour, "beyond", "end", "'invalid_parameter', 'illegal_parameter', 'internal_error', 'empty', 'repeat'"),
        (Behaviour, "total_cap", -5, "None for no limit"),
        (Behaviour, "window", "StartTime", "'start', 'end', 'within', 'overlap'"),
        (Faults, "http_502", 5, "0.05 for one in twenty"),
        (Faults, "reset", -0.1, "0.05 for one in twenty"),
        (Faults, "slow", "often", "0.05 for one in twenty"),
        (Faults, "not_json", True, "0.05 for one in twenty"),
        (Faults, "truncated", float("nan"), "0.05 for one in twenty"),
        (Faults, "slow_seconds", -1, "seconds"),
        (Faults, "retry_after", 0.5, "whole seconds"),
        (Drift, "arrivals", 2, "0.05 for one in twenty"),
        (Drift, "expiries", 1.01, "0.05 for one in twenty"),
        (Drift, "replica_lag", 1.5, "0.05 for one in twenty"),
        (Webhooks, "loss", 1.5, "0.05 for one in twenty"),
        (Webhooks, "repetition", -0.1, "0.05 for one in twenty"),
        (Webhooks, "forgery", "often", "0.05 for one in twenty"),
        (Webhooks, "delay", -1, "seconds"),
        (Sandbox, "records", -1, "how many records"),
        (Sandbox, "records", True, "how many records"),
        (Sandbox, "records", None, "a list of CallRecord"),
        (Sandbox, "records", 2.5, "a list of CallRecord"),
        (Sandbox, "behaviour", "strict", "Behaviour(...)"),
        (Sandbox, "faults", {}, "Faults(...)"),
        (Sandbox, "faults", {"reset": 0.1}, "Faults(...)"),
        (Sandbox, "drift", 0.1, "Drift(...)"),
        (Sandbox, "webhooks", {"loss": 0.1}, "Webhooks(...)"),
        (Sandbox, "live", -1, "30/min"),
        (Sandbox, "live", 5_000, "1000 at most"),
        (Sandbox, "live", "2", "30/min"),
        (Sandbox, "live", "many/min", "30/min"),
        (Sandbox, "live", True, "30/min"),
        (Sandbox, "call_seconds", -1, "seconds on average"),
        (Sandbox, "call_seconds", 604_800, "seconds on average"),
        (Sandbox, "call_seconds", "60", "seconds on average"),
        (Sandbox, "call_seconds", (1, 2, 3), "(1, 12)"),
        (Sandbox, "webhook_url", "http://192.0.2.1/", "a URL of this machine"),
        (Sandbox, "webhook_url", "http://localhost.example.com/", "a URL of this machine"),
        (Sandbox, "webhook_url", "http://127.0.0.1@example.com/", "a URL of this machine"),
        (Sandbox, "webhook_url", "ftp://127.0.0.1/", "a URL of this machine"),
        (Sandbox, "webhook_url", "http://127.0.0.1:x/", "a URL of this machine"),
        (Sandbox, "webhook_url", 8000, "a URL of this machine"),
        (Sandbox, "seed", "x", "an integer"),
        (Sandbox, "quota", 0, "None for no limit"),
        (Sandbox, "latency", -0.5, "seconds"),
        (Sandbox, "jitter", float("inf"), "seconds"),
        (Sandbox, "clock_skew", "1 h", "seconds"),
        (Sandbox, "clock_skew", -1e12, "seconds"),
        (Sandbox, "sdk_app_id", "1400000000", "1400000000"),
        (Sandbox, "port", 70_000, "0 for a free one"),
        (Sandbox, "identifier", "", "leave it out"),
        (Sandbox, "identifier", 5, "leave it out"),
        (Sandbox, "secret_key", "", "leave it out"),
        (Sandbox, "host", None, "leave it out"),
        (Sandbox, "host", "", "leave it out"),
    ],
)
def test_a_wrong_argument_is_named(make, argument, value, remedy):
    """The message has the argument, the value and a correct value."""
    with pytest.raises(ValueError, match=argument) as caught:
        make(**{argument: value})
    assert remedy in str(caught.value)
    assert repr(value) in str(caught.value) or not value


def test_a_record_of_another_type_is_named():
    """An object among the given records that is no record is named."""
    with pytest.raises(ValueError, match="an item of records cannot be 1: write how many to make"):
        Sandbox(records=[*make_records(1), 1])


def test_a_wrong_key_is_not_shown():
    """The message shows only the type of a wrong key."""
    with pytest.raises(
        ValueError, match="secret_key must be text that is not empty, got bytes: leave it out"
    ) as caught:
        Sandbox(secret_key=b"x" * 64)
    assert "xxx" not in str(caught.value)


@pytest.mark.parametrize("lengths", [(12, 1), (1, "x"), (1, 604_801)])
def test_a_wrong_bound_of_lengths_is_named(lengths):
    """Each of two bounds is checked."""
    with pytest.raises(ValueError, match=r"call_seconds must be .*\(1, 12\)"):
        Sandbox(call_seconds=lengths)


def test_too_many_calls_under_way_are_refused():
    """A rate and lengths that need too much memory are refused before any call is made."""
    with pytest.raises(ValueError, match="live and call_seconds mean 8,640,000 calls under way at once"):
        Sandbox(live=100, call_seconds=(86_400, 86_400))


def test_probabilities_do_not_exceed_one():
    """A request has at most one fault."""
    with pytest.raises(ValueError, match=r"add up to 1\.2: lower them"):
        Faults(http_502=0.6, reset=0.6)


@pytest.mark.parametrize(("arguments", "name"), [({"count": -1}, "records"), ({"count": 1, "days": 0}, "days")])
def test_records_need_a_number_and_days(arguments, name):
    """A negative number of records, and less than one day, are refused."""
    with pytest.raises(ValueError, match=name):
        make_records(**arguments)


@pytest.mark.parametrize("options", [Behaviour(), Faults(), Drift(), Webhooks()])
def test_options_do_not_change(options):
    """Options are immutable, so tests can share them."""
    with pytest.raises(AttributeError):
        options.end = "null"
