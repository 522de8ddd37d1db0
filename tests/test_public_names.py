"""The package exports the names in ``__all__``, and documents them."""

from __future__ import annotations

import pickle
import re
import traceback
from pathlib import Path
from types import ModuleType

import pytest

import trtc_records


def test_all_names_the_exports() -> None:
    """``__all__`` names each public name that the package really has, in order."""
    exported = {
        name
        for name, value in vars(trtc_records).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert trtc_records.__all__ == sorted(exported | {"__version__"})


def test_reference_documents_each_public_name() -> None:
    """The reference has an entry for every public name."""
    pages = "".join(page.read_text() for page in (Path(__file__).parents[1] / "docs" / "reference").glob("*.md"))
    documented = re.findall(r"^\.\. auto(?:class|exception|function):: trtc_records\.(\w+)$", pages, re.MULTILINE)
    assert set(documented) == set(trtc_records.__all__) - {"__version__"}


@pytest.mark.parametrize("name", sorted(set(trtc_records.__all__) - {"__version__"}))
def test_public_names_are_those_of_the_package(name: str) -> None:
    """A class prints as the package's, not as a private module's, and pickles by that name."""
    value = getattr(trtc_records, name)
    assert f"{value.__module__}.{value.__qualname__}" == f"trtc_records.{name}"
    assert pickle.loads(pickle.dumps(value)) is value
    assert b"trtc_records._" not in pickle.dumps(value)


def test_an_error_prints_its_public_name() -> None:
    """The last line of a traceback names the class as it is imported."""
    assert repr(trtc_records.APIError) == "<class 'trtc_records.APIError'>"
    with pytest.raises(trtc_records.ConfigurationError) as caught:
        trtc_records.CallRecordsClient.from_env({})
    assert traceback.format_exception_only(caught.value)[0].startswith("trtc_records.ConfigurationError: ")
