"""The package exports the names in ``__all__``, and documents them."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
import traceback
from pathlib import Path
from types import ModuleType

import pytest

import trtc_records
from trtc_records import _names


def test_all_names_the_exports() -> None:
    """``__all__`` names each public name that the package really has, in order."""
    exported = {
        name for name, value in vars(_names).items() if not name.startswith("_") and not isinstance(value, ModuleType)
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


def run_python(code: str) -> str:
    """Run *code* in an interpreter of its own, and return what it prints."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_public_names_are_imported_with_the_first_use_of_one() -> None:
    """Importing the package alone imports nothing that takes time."""
    code = "import sys, trtc_records; print('attrs' in sys.modules, trtc_records.Region.CHINA, 'httpx' in sys.modules)"
    assert run_python(code) == "False china True"


@pytest.mark.parametrize("public", ["quota", "CallRecordsClient", "__all__"])
def test_every_way_to_a_public_name_works_first(public: str) -> None:
    """An attribute, ``dir()`` and a star give the same before anything else was used."""
    assert run_python(f"import trtc_records; print({public!r} in dir(trtc_records))") == "True"
    assert run_python(f"import trtc_records; print(hasattr(trtc_records, {public!r}))") == "True"
    count = run_python("from trtc_records import *; print(sum(not name.startswith('_') for name in dir()))")
    assert int(count) == len(trtc_records.__all__) - 1


def test_a_record_read_without_the_client_has_its_public_name() -> None:
    """A class that another module of the package imports is named like one from the package."""
    assert (
        run_python(
            "from trtc_records.export import read_records; import trtc_records._api.models as m; print(m.CallRecord)"
        )
        == "<class 'trtc_records.CallRecord'>"
    )


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As with any module."""
    with pytest.raises(AttributeError, match="module 'trtc_records' has no attribute 'CallRecords'"):
        trtc_records.CallRecords  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize(
    "lookup", ["dir(trtc_records)", "hasattr(trtc_records, 'nope')", "trtc_records.quota", "trtc_records.Region"]
)
def test_a_name_that_a_test_has_replaced_stays_replaced(lookup: str) -> None:
    """The import of the other names restores none."""
    code = (
        "import trtc_records\n"
        "trtc_records.CallRecordsClient = 'mine'\n"
        f"{lookup}\n"
        "from trtc_records import CallRecordsClient\n"
        "print(CallRecordsClient)"
    )
    assert run_python(code) == "mine"
