"""The type that holds a credential, and shows and copies nothing of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from trtc_records._checks import clean_text

__all__ = ["Secret", "hide", "hide_secrets"]

_MASK: Final = "***"
_SECRETS: Final = ("secret_key", "user_sig", "pseudonym_key", "proxy", "base_url")


class Secret:
    """A text that prints as ``***`` and cannot be pickled, copied out or compared by accident."""

    __slots__ = ("_mask", "_reveal")
    _reveal: Callable[[], Any]

    def __init__(self, value: Any) -> None:
        # In a closure: code that walks over attributes does not find the text.
        self._reveal = lambda: value
        self._mask: Callable[[bytes], bytes] | None = None

    def clean(self) -> Secret | None:
        """Return it without white space around it; ``None`` if it is no string, empty, or cannot be sent."""
        text = clean_text(self._reveal())
        return Secret(text) if text is not None and text.isprintable() else None

    def reveal(self) -> str:
        """Return the text."""
        text: str = self._reveal()
        return text

    def mask(self, data: bytes) -> bytes:
        """Replace the text in *data*, also where it is escaped as in URLs, JSON or HTML."""
        if self._mask is None:
            self._mask = _make_mask(self.reveal().encode())
        return self._mask(data)

    def mask_text(self, text: str) -> str:
        """Replace the text in *text*."""
        return self.mask(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def __repr__(self) -> str:
        return _MASK

    __str__ = __repr__

    def __format__(self, _: str) -> str:
        return _MASK

    def __reduce_ex__(self, _: object) -> NoReturn:
        raise TypeError("a secret cannot be pickled or copied")


def hide(value: object) -> object:
    """Wrap a credential of any type; ``None``, callables and secrets stay as they are."""
    return value if value is None or callable(value) or isinstance(value, Secret) else Secret(value)


def hide_secrets(arguments: Mapping[str, object]) -> dict[str, Any]:
    """Return the arguments of a client with those wrapped that are, or may hold, a credential."""
    return {name: hide(value) if name in _SECRETS else value for name, value in arguments.items()}


def _make_mask(secret: bytes) -> Callable[[bytes], bytes]:
    """Return a function that replaces *secret* by the mask; it keeps the text in a closure, as a secret does."""
    pattern = re.compile(b"".join(map(_match_escaped, secret)))
    # Nobody escapes letters and digits: where the longest run of them is missing, as it nearly always is, all is.
    longest = max(re.findall(rb"[A-Za-z0-9]*", secret), key=len)

    def mask(data: bytes) -> bytes:
        return pattern.sub(_MASK.encode(), data) if longest in data else data

    return mask


def _match_escaped(code: int) -> bytes:
    """Return the pattern of a byte, as it is and as URLs (escaped once or more), JSON and HTML escape it."""
    plain = re.escape(bytes([code]))
    if plain.isalnum():
        return plain
    escaped = rb"%%(?:25)*(?i:%02x)|\\+(?:u00|x)(?i:%02x)|&#0*%d;|&#[xX]0*(?i:%x);" % (code, code, code, code)
    return rb"(?:\\*%b|%b)" % (plain, escaped)
