"""The type that holds a credential, and shows and copies nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from trtc_records._checks import clean_text

__all__ = ["Secret", "hide", "hide_secrets"]

_MASK: Final = "***"
_SECRETS: Final = ("secret_key", "user_sig", "proxy", "base_url")


class Secret:
    """A text that prints as ``***`` and cannot be pickled, copied out or compared by accident."""

    __slots__ = ("_reveal",)
    _reveal: Callable[[], Any]

    def __init__(self, value: Any) -> None:
        # In a closure: code that walks over attributes does not find the text.
        self._reveal = lambda: value

    def clean(self) -> Secret | None:
        """Return it without white space around it; ``None`` if it is no string, empty, or cannot be sent."""
        text = clean_text(self._reveal())
        return Secret(text) if text is not None and text.isprintable() else None

    def reveal(self) -> str:
        """Return the text."""
        text: str = self._reveal()
        return text

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
