"""The package exports what it says, and documents it."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import trtc_records


def test_all_is_what_is_exported() -> None:
    """``__all__`` names each public name that the package really has, in order."""
    exported = {
        name
        for name, value in vars(trtc_records).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert trtc_records.__all__ == sorted(exported | {"__version__"})


def test_reference_documents_each_public_name() -> None:
    """The reference page has an entry for every public name."""
    page = (Path(__file__).parents[1] / "docs" / "reference.md").read_text()
    documented = set(re.findall(r"^\.\. auto(?:class|exception|function):: trtc_records\.(\w+)$", page, re.MULTILINE))
    assert documented == set(trtc_records.__all__) - {"__version__"}
