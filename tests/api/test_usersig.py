"""UserSig: Tencent's own implementation is the oracle, in both directions."""

from __future__ import annotations

import base64
import json
import tracemalloc
import zlib
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
import TLSSigAPIv2  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from trtc_records._api.usersig import UserSigClaims, generate_user_sig, read_user_sig, verify_user_sig
from trtc_records._checks import clean_text
from trtc_records._errors import ConfigurationError

KEY = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"
ISSUED = 1_739_960_242

APP_IDS = st.integers(1, 2**32)
IDENTIFIERS = st.text(min_size=1, max_size=40).filter(lambda text: clean_text(text) == text)
KEYS = st.text(min_size=1, max_size=64).filter(lambda text: str.isprintable(text) and text.strip() == text)
LIFETIMES = st.integers(1, 315_360_000)
TIMES = st.integers(0, 2**33)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def pack_bytes(packed: bytes) -> str:
    """Return compressed bytes in a UserSig's alphabet, by API.md's words and without the library."""
    return base64.b64encode(packed).decode().replace("+", "*").replace("/", "-").replace("=", "_")


def deflate(content: bytes) -> str:
    """Return *content* packed as a UserSig's claims are."""
    return pack_bytes(zlib.compress(content))


def pack(claims: object) -> str:
    """Return *claims* as a UserSig."""
    return deflate(json.dumps(claims).encode())


def unpack(user_sig: str) -> dict[str, Any]:
    """Return the claims of a UserSig, by API.md's words and without the library."""
    text = user_sig.replace("*", "+").replace("-", "/").replace("_", "=")
    claims: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(text)))
    return claims


def tencent_user_sig(sdk_app_id: int, identifier: str, key: str, lifetime: int, issued_at: int) -> str:
    """Return the UserSig that Tencent's implementation signs at *issued_at*."""
    with patch.object(TLSSigAPIv2, "time", SimpleNamespace(time=lambda: issued_at + 0.5)):
        user_sig: str = TLSSigAPIv2.TLSSigAPIv2(sdk_app_id, key).gen_sig(identifier, lifetime)
    return user_sig


# -- The oracle --------------------------------------------------------------------------------------


@given(APP_IDS, IDENTIFIERS, KEYS, LIFETIMES, TIMES)
def test_ours_claims_and_signs_the_same_as_tencents(
    sdk_app_id: int, identifier: str, key: str, lifetime: int, issued_at: int
) -> None:
    """For the same input and time both hold the same JSON, the MAC included."""
    ours = generate_user_sig(sdk_app_id, identifier, key, lifetime=lifetime, issued_at=issued_at)
    assert unpack(ours) == unpack(tencent_user_sig(sdk_app_id, identifier, key, lifetime, issued_at))


@given(APP_IDS, IDENTIFIERS, KEYS, LIFETIMES, TIMES)
def test_tencents_is_verified(sdk_app_id: int, identifier: str, key: str, lifetime: int, issued_at: int) -> None:
    """A UserSig of Tencent's implementation is accepted, and its claims are read unchanged."""
    claims = verify_user_sig(tencent_user_sig(sdk_app_id, identifier, key, lifetime, issued_at), key)
    assert (claims.sdk_app_id, claims.identifier, claims.lifetime, claims.issued_at, claims.expires_at) == (
        sdk_app_id,
        identifier,
        lifetime,
        issued_at,
        issued_at + lifetime,
    )


@given(KEYS, st.binary(max_size=60))
def test_tencents_with_a_user_buffer_is_verified(key: str, content: bytes) -> None:
    """The fifth line is signed too: another buffer does not verify."""
    user_sig = TLSSigAPIv2.TLSSigAPIv2(1400000000, key).gen_sig_with_userbuf("administrator", 86_400, content)
    claims = verify_user_sig(user_sig, key)
    assert claims.user_buffer == base64.b64encode(content).decode()
    changed = unpack(user_sig) | {"TLS.userbuf": base64.b64encode(content + b"x").decode()}
    with pytest.raises(ValueError, match="another key"):
        verify_user_sig(pack(changed), key)


@pytest.mark.parametrize("identifier", ["administrator", "管理员", "Ægir", "🦄", "a b\tc\nd", '"\\', "%2F+/=*-_"])
def test_an_identifier_may_hold_any_characters(identifier: str) -> None:
    """Identifiers beyond ASCII claim the same, and carry the same MAC, as Tencent's."""
    ours = unpack(generate_user_sig(1400000000, identifier, KEY, lifetime=86_400, issued_at=ISSUED))
    assert ours == unpack(tencent_user_sig(1400000000, identifier, KEY, 86_400, ISSUED))
    assert ours["TLS.identifier"] == identifier


def test_a_user_sig_holds_these_claims() -> None:
    """The JSON has Tencent's names and types, and nothing else."""
    claims = unpack(generate_user_sig(1400000000, "administrator", KEY, lifetime=3600, issued_at=ISSUED))
    signature = claims.pop("TLS.sig")
    assert claims == {
        "TLS.ver": "2.0",
        "TLS.identifier": "administrator",
        "TLS.sdkappid": 1400000000,
        "TLS.expire": 3600,
        "TLS.time": ISSUED,
    }
    assert len(base64.b64decode(signature, validate=True)) == 32


def test_a_user_sig_is_signed_for_a_day_from_now_by_default() -> None:
    """The default lifetime is the least that Tencent advises, and time begins now."""
    with patch("trtc_records._api.usersig.time", SimpleNamespace(time=lambda: ISSUED + 0.9)):
        claims = read_user_sig(generate_user_sig(1400000000, "administrator", KEY))
    assert (claims.issued_at, claims.lifetime, claims.expires_at) == (ISSUED, 86_400, ISSUED + 86_400)


@given(IDENTIFIERS, st.binary(min_size=1, max_size=40))
def test_a_user_sig_needs_only_tencents_alphabet(identifier: str, key: bytes) -> None:
    """The three characters that URLs would escape are replaced; the rest are letters and digits."""
    user_sig = generate_user_sig(1, identifier, key.hex(), issued_at=ISSUED)
    assert set(user_sig) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789*-_")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sdk_app_id": "1400000000"}, "sdk_app_id='1400000000': pass"),
        ({"identifier": " "}, "identifier=' ': pass"),
        ({"identifier": "\udc80"}, r"identifier='\\udc80': pass"),
        ({"lifetime": 0}, "lifetime=0: pass"),
        ({"lifetime": 315_360_001}, "lifetime=315360001: pass at most 10 years"),
        ({"lifetime": 3600.0}, r"lifetime=3600\.0: pass"),
        ({"issued_at": -1}, "issued_at=-1: pass"),
        ({"issued_at": "now"}, "issued_at='now': pass"),
        ({"secret_key": ""}, "secret_key: pass"),
        ({"secret_key": None}, "secret_key: pass"),
        ({"secret_key": KEY.encode()}, "secret_key: pass"),
    ],
)
def test_an_argument_that_cannot_be_signed_is_refused(changes: dict[str, Any], message: str) -> None:
    """The message names the argument, its value unless it is the key, and the remedy."""
    arguments = {"sdk_app_id": 1, "identifier": "administrator", "secret_key": KEY, **changes}
    with pytest.raises(ConfigurationError, match=f"^{message}") as caught:
        generate_user_sig(**arguments)
    assert KEY not in str(caught.value)


# -- Verification ------------------------------------------------------------------------------------

SIGNED = generate_user_sig(1400000000, "administrator", KEY, lifetime=86_400, issued_at=ISSUED)


@given(KEYS.filter(lambda key: key != KEY))
def test_another_key_does_not_verify(key: str) -> None:
    """Only the key that signed is accepted; the message shows neither key nor UserSig."""
    with pytest.raises(ValueError, match=r"^the UserSig is signed with another key$"):
        verify_user_sig(SIGNED, key)


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("TLS.identifier", "administrator2"),
        ("TLS.identifier", ""),
        ("TLS.sdkappid", 1400000001),
        ("TLS.time", ISSUED + 1),
        ("TLS.expire", 86_401),
        ("TLS.sig", ""),
        ("TLS.sig", "ü"),
        ("TLS.sig", unpack(SIGNED)["TLS.sig"][:-1]),
        ("TLS.sig", unpack(SIGNED)["TLS.sig"].swapcase()),
    ],
)
def test_a_changed_claim_does_not_verify(claim: str, value: object) -> None:
    """A change of any claim breaks the signature."""
    with pytest.raises(ValueError, match="signed with another key"):
        verify_user_sig(pack({**unpack(SIGNED), claim: value}), KEY)


@pytest.mark.parametrize("version", ["1.0", "2.1", "", 2.0, None])
def test_another_version_is_no_user_sig(version: object) -> None:
    """Version 2.0, a string, is the only one."""
    with pytest.raises(ValueError, match=r"^not a UserSig of version 2\.0 \(version\)$"):
        read_user_sig(pack({**unpack(SIGNED), "TLS.ver": version}))


@pytest.mark.parametrize("claim", ["TLS.ver", "TLS.identifier", "TLS.sdkappid", "TLS.time", "TLS.expire", "TLS.sig"])
def test_a_missing_claim_is_no_user_sig(claim: str) -> None:
    """Every claim has to be there."""
    claims = {name: value for name, value in unpack(SIGNED).items() if name != claim}
    with pytest.raises(ValueError, match=r"^not a UserSig of version 2\.0 \(KeyError\)$"):
        read_user_sig(pack(claims))


def verify(user_sig: str) -> UserSigClaims | None:
    """Return the claims, or nothing where the one error comes that verification may raise."""
    try:
        return verify_user_sig(user_sig, KEY)
    except ValueError:
        return None


@given(st.sampled_from(sorted(unpack(SIGNED))), JSON)
def test_no_tampering_yields_other_claims(claim: str, value: object) -> None:
    """With any claim replaced, verification refuses the UserSig or returns the signed claims."""
    assert verify(pack({**unpack(SIGNED), claim: value})) in (None, read_user_sig(SIGNED))


@given(JSON)
def test_arbitrary_json_does_not_verify(claims: object) -> None:
    """JSON of any other shape is refused, by a ValueError."""
    assert verify(pack(claims)) is None


def test_a_repr_of_claims_has_no_signature() -> None:
    """Claims are fit for a log: the signature, with which the UserSig could be made again, is not shown."""
    claims = read_user_sig(SIGNED)
    assert claims.signature == unpack(SIGNED)["TLS.sig"]
    assert claims.signature not in repr(claims)


# -- Garbage -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param("hunter2-is-my-password-and-no-user-sig", id="text"),
        pytest.param("hunter2-is-my-passwörd-and-no-user-sig", id="beyond ASCII"),
        pytest.param("hunter2-\ud800-password-and-no-user-sig", id="lone surrogate"),
        pytest.param(SIGNED[:-4], id="cut at the end"),
        pytest.param(SIGNED[:-8], id="cut"),
        pytest.param(pack_bytes(zlib.compress(json.dumps(unpack(SIGNED)).encode()) + b"x"), id="longer"),
        pytest.param(SIGNED[:40], id="cut early"),
        pytest.param(f"{SIGNED[:20]} {SIGNED[20:]}", id="space inside"),
        pytest.param(base64.b64encode(b"not compressed at all").decode(), id="not compressed"),
        pytest.param(deflate(b""), id="empty claims"),
        pytest.param(deflate(b"not JSON"), id="not JSON"),
        pytest.param(deflate(b"\xff\xfe\xfd"), id="no text"),
        pytest.param(deflate(b"[" * 60_000), id="deep"),
        pytest.param(deflate(json.dumps(unpack(SIGNED)).encode() + b" " * 70_000), id="over the limit"),
        pytest.param(pack([]), id="array"),
        pytest.param(pack("TLS.ver"), id="string"),
        pytest.param(pack(None), id="null"),
        pytest.param(pack({**unpack(SIGNED), "TLS.time": "soon"}), id="time in words"),
        pytest.param(pack({**unpack(SIGNED), "TLS.time": None}), id="no time"),
        pytest.param(pack({**unpack(SIGNED), "TLS.expire": float("inf")}), id="for ever"),
        pytest.param(pack({**unpack(SIGNED), "TLS.expire": float("nan")}), id="not a number"),
        pytest.param(pack({**unpack(SIGNED), "TLS.sdkappid": "9" * 5000}), id="5000 digits"),
    ],
)
def test_garbage_is_refused_without_being_shown(garbage: str) -> None:
    """A mistyped credential is still a credential: neither the error nor its causes repeat it."""
    with pytest.raises(ValueError, match=r"^not a UserSig of version 2\.0 \(\w+\)$") as caught:
        read_user_sig(garbage)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_an_empty_text_is_no_user_sig() -> None:
    """An empty UserSig is refused like garbage."""
    with pytest.raises(ValueError, match="not a UserSig"):
        read_user_sig("")


@given(st.text(st.characters(), min_size=1))
def test_arbitrary_text_is_refused(text: str) -> None:
    """Arbitrary text raises only a ValueError."""
    with pytest.raises(ValueError, match=r"^not a UserSig"):
        read_user_sig(text)


@given(st.binary(max_size=200))
def test_arbitrary_compressed_bytes_are_refused(content: bytes) -> None:
    """Arbitrary compressed content raises only a ValueError."""
    with pytest.raises(ValueError, match=r"^not a UserSig"):
        read_user_sig(deflate(content))


def test_a_decompression_bomb_is_not_unpacked() -> None:
    """Fifty megabytes packed into fifty kilobytes are refused after the first few of them."""
    bomb = deflate(b" " * 50_000_000)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"^not a UserSig"):
        read_user_sig(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000
