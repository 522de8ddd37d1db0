"""Pseudonyms in place of ids, for records that leave the hands of those who may know who called whom."""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Mapping
from typing import Final, Self

import attrs

from trtc_records._api.models import CallRecord
from trtc_records._environment import read_pseudonym_key
from trtc_records._errors import ConfigurationError
from trtc_records._secret import Secret

__all__ = ["Pseudonyms", "check_pseudonyms", "describe_ids", "is_pseudonym"]

_SHORTEST_KEY: Final = 32
"""Bytes. User ids can be guessed (phone numbers, say), so only the key keeps a pseudonym from being reversed: 16 random
bytes, in hexadecimal, are the least that nobody can try out."""
_REMEDY: Final = "a random secret of 32 characters or more, such as `openssl rand -hex 32` prints"
_FINGERPRINT_TEXT: Final = "trtc_records: the fingerprint of a key of pseudonyms"
_FINGERPRINT_CHARACTERS: Final = 16
_PSEUDONYM: Final = re.compile("[0-9a-f]{64}")
_UNSET_TIME: Final = "StartTime"
"""The field of ``extra`` that the library sets itself, where the service set no start."""


class Pseudonyms:
    """A function that returns a call record with pseudonyms in place of its ids.

    ::

        pseudonyms = Pseudonyms.from_env()
        await writer.write(pseudonyms(record) async for record in client.iter_records())

    A pseudonym is the HMAC-SHA256 of an id in UTF-8 under the key, as 64 hexadecimal digits. Equal ids have equal
    pseudonyms, in every file and every run with the same key. Without the key nobody can compute one, so nobody can
    guess an id and check the guess.

    ``caller``, ``callees`` and ``room_id`` are replaced; an empty one stays empty. ``extra`` is emptied, because fields
    that this version does not know may name users; :attr:`left_out` counts them. Only the mark of a StartTime that is
    not set stays in it. All other fields, such as ``call_id`` and the times, are unchanged.

    Anyone who may ask the service for a call by its id learns its users. Pseudonyms hide them from all others.

    Args:
        key: The key, a random secret of 32 bytes or more, such as ``openssl rand -hex 32`` prints as text. White space
            around it is cut. Keep it: with another one, the same user has another pseudonym.

    Raises:
        ConfigurationError: The key is too short, or no text. The message does not repeat it.
    """

    def __init__(self, key: str) -> None:
        hidden = Secret(key)
        del key  # error reporters collect the variables of a frame
        checked = _check_key(hidden, f"key: pass {_REMEDY}")
        # It keeps a state that is made of the key, not the key.
        self._mac = hmac.new(checked.reveal().encode(), digestmod="sha256")
        self._left_out = 0

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Take the key from ``TRTC_PSEUDONYM_KEY``, or from the file that ``TRTC_PSEUDONYM_KEY_FILE`` names.

        Args:
            environ: The variables; by default the process's environment.

        Raises:
            ConfigurationError: Neither variable is set, both are, or the key cannot be used.
        """
        found = read_pseudonym_key(os.environ if environ is None else environ, _REMEDY)
        del environ
        if isinstance(found, str):
            raise ConfigurationError(found)
        checked = _check_key(found, f"TRTC_PSEUDONYM_KEY is too short, or no line of text: set it to {_REMEDY}")
        return cls(checked.reveal())

    def __call__(self, record: CallRecord) -> CallRecord:
        """Return *record* with pseudonyms."""
        extra = {}
        if record.extra:
            if _UNSET_TIME in record.extra:
                extra[_UNSET_TIME] = 0
            self._left_out += len(record.extra) - len(extra)
        return attrs.evolve(
            record,
            caller=self.of(record.caller),
            callees=tuple(map(self.of, record.callees)),
            room_id=self.of(record.room_id),
            extra=extra,
        )

    def of(self, text: str) -> str:
        """Return the pseudonym of an id, to find a user's records.

        Args:
            text: The id. The pseudonym of an empty one is empty.
        """
        return self._digest(text) if text else ""

    @property
    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits that tell this key from others, and do not reveal it."""
        return self._digest(_FINGERPRINT_TEXT)[:_FINGERPRINT_CHARACTERS]

    @property
    def left_out(self) -> int:
        """Return how many fields of ``extra`` were left out so far, in all records together."""
        return self._left_out

    def __repr__(self) -> str:
        return f"Pseudonyms(fingerprint={self.fingerprint!r})"

    def _digest(self, text: str) -> str:
        mac = self._mac.copy()
        mac.update(text.encode("utf-8", "surrogatepass"))
        return mac.hexdigest()


def _check_key(key: Secret, message: str) -> Secret:
    """Return *key* without white space around it.

    Raises:
        ConfigurationError: It is too short, or no line of text.
    """
    cleaned = key.clean()
    if cleaned is None or len(cleaned.reveal().encode()) < _SHORTEST_KEY:
        raise ConfigurationError(message)
    return cleaned


def check_pseudonyms(value: object) -> Pseudonyms | None:
    """Return the argument *pseudonyms* of a function.

    Args:
        value: The argument; a value that is none may be a key, and is not repeated.

    Raises:
        ConfigurationError: It is neither :class:`Pseudonyms` nor ``None``.
    """
    if value is None or isinstance(value, Pseudonyms):
        return value
    del value
    raise ConfigurationError("pseudonyms: pass Pseudonyms(key), or leave it out")


def is_pseudonym(text: str) -> bool:
    """Return whether *text* looks like a pseudonym."""
    return _PSEUDONYM.fullmatch(text) is not None


def describe_ids(fingerprint: str | None) -> str:
    """Return, for messages, the kind of ids of records.

    Args:
        fingerprint: That of the key of pseudonyms; ``None`` for ids as the service has them.
    """
    return "the service's ids" if fingerprint is None else f"pseudonyms of the key {fingerprint}"
