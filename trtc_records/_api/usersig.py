"""UserSig, version 2.0: the credential of an app administrator, signed with the app's secret key.

Tencent describes it at https://trtc.io/document/34385 and advises a lifetime of 24 hours or more.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
import zlib

import attrs

from trtc_records._checks import check_count, check_sdk_app_id, check_text
from trtc_records._errors import ConfigurationError, shorten
from trtc_records._public import public
from trtc_records._secret import Secret

__all__ = ["UserSigClaims", "generate_user_sig", "read_user_sig", "verify_user_sig"]

DAY = 86_400
_LATEST = 253_402_300_799  # Unix seconds: the last second of the year 9999
_LONGEST = 10 * 365 * DAY
_TO_URL = str.maketrans("+/=", "*-_")
_FROM_URL = str.maketrans("*-_", "+/=")
_CLAIMS_LIMIT = 65_536  # bytes; a UserSig has a few hundred, so more is a decompression bomb


@attrs.frozen
class UserSigClaims:
    """The claims of a UserSig; the repr leaves the signature out."""

    identifier: str
    """The user id that it authenticates."""
    sdk_app_id: int
    issued_at: int
    """Unix seconds."""
    lifetime: int
    """Seconds."""
    signature: str = attrs.field(default="", repr=False)
    user_buffer: str | None = attrs.field(default=None, repr=False)
    """Rights in a room, as base64; ``None`` in most. This library reads them and never writes them."""

    @property
    def expires_at(self) -> int:
        """Return the time when it expires, in Unix seconds."""
        return self.issued_at + self.lifetime


@public
def generate_user_sig(
    sdk_app_id: int, identifier: str, secret_key: str, *, lifetime: int = DAY, issued_at: int | None = None
) -> str:
    """Sign a UserSig.

    Args:
        sdk_app_id: The application's id.
        identifier: The user id to sign for; the call-record API accepts app administrators only.
        secret_key: The app's secret key, from Tencent's console.
        lifetime: Seconds until it expires; a day by default, the shortest that Tencent advises, and 10 years at most
            (https://trtc.io/document/34456).
        issued_at: Unix seconds; now by default.

    Raises:
        ConfigurationError: An argument cannot be used. The message does not repeat the key.
    """
    hidden = Secret(secret_key)
    del secret_key  # error reporters collect the variables of a frame
    key = hidden.clean()
    issued_at = int(time.time()) if issued_at is None else issued_at
    check_sdk_app_id(sdk_app_id)
    identifier = check_text("identifier", identifier, "pass the user id of an app administrator")
    if check_count("lifetime", lifetime) > _LONGEST:
        raise ConfigurationError(f"lifetime={lifetime}: pass at most 10 years, {_LONGEST} seconds")
    if type(issued_at) is not int or not 0 <= issued_at <= _LATEST:
        raise ConfigurationError(f"issued_at={shorten(issued_at)}: pass Unix seconds as an int")
    if key is None:
        raise ConfigurationError("secret_key: pass the app's secret key, a non-empty string without line feeds inside")
    claims = UserSigClaims(identifier, sdk_app_id, issued_at, lifetime)
    fields = {
        "TLS.ver": "2.0",
        "TLS.identifier": identifier,
        "TLS.sdkappid": sdk_app_id,
        "TLS.expire": lifetime,
        "TLS.time": issued_at,
        "TLS.sig": _sign(claims, key.reveal()),
    }
    return base64.b64encode(zlib.compress(json.dumps(fields).encode())).decode().translate(_TO_URL)


def read_user_sig(user_sig: str) -> UserSigClaims:
    """Read the claims of a UserSig, without checking its signature.

    Raises:
        ValueError: It is not a UserSig of version 2.0. The message does not repeat it.
    """
    try:
        packed = base64.b64decode(user_sig.translate(_FROM_URL), validate=True)
        decompressor = zlib.decompressobj()
        claims = json.loads(decompressor.decompress(packed, _CLAIMS_LIMIT))
        whole = decompressor.eof and not decompressor.unused_data
        if whole and claims["TLS.ver"] == "2.0":
            return UserSigClaims(
                str(claims["TLS.identifier"]),
                int(claims["TLS.sdkappid"]),
                int(claims["TLS.time"]),
                int(claims["TLS.expire"]),
                str(claims["TLS.sig"]),
                None if claims.get("TLS.userbuf") is None else str(claims["TLS.userbuf"]),
            )
        reason = "version" if whole else "truncated"
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError, zlib.error, binascii.Error) as error:
        reason = type(error).__name__
    raise ValueError(f"not a UserSig of version 2.0 ({reason})")


def verify_user_sig(user_sig: str, secret_key: str) -> UserSigClaims:
    """Read a UserSig and check that *secret_key* signed it, but not whether it has expired.

    Raises:
        ValueError: It is not a UserSig, or another key signed it. The message repeats neither.
    """
    claims = read_user_sig(user_sig)
    expected = _sign(claims, secret_key)
    if not hmac.compare_digest(expected.encode(), claims.signature.encode()):
        raise ValueError("the UserSig is signed with another key")
    return claims


def _sign(claims: UserSigClaims, secret_key: str) -> str:
    lines = [
        f"TLS.identifier:{claims.identifier}",
        f"TLS.sdkappid:{claims.sdk_app_id}",
        f"TLS.time:{claims.issued_at}",
        f"TLS.expire:{claims.lifetime}",
    ]
    if claims.user_buffer is not None:
        lines.append(f"TLS.userbuf:{claims.user_buffer}")
    text = "".join(f"{line}\n" for line in lines)
    return base64.b64encode(hmac.digest(secret_key.encode(), text.encode(), hashlib.sha256)).decode()
