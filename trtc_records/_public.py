"""A mark for what users import from ``trtc_records``, though it is defined in a module below."""

from __future__ import annotations

from typing import Any, TypeVar

__all__ = ["public"]

Definition = TypeVar("Definition", bound=Any)


def public(definition: Definition) -> Definition:
    """Have a class or function named by its public place: in its repr, in tracebacks, and in pickles."""
    definition.__module__ = "trtc_records"
    return definition
