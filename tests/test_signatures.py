"""The public names and signatures are frozen: a change of them is a change of ``signatures.txt``, seen in review.

Run this file as a program to write that file anew: ``python tests/test_signatures.py``.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import re
import typing
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType
from typing import Any, Final

import attrs
import pytest

SNAPSHOT: Final = Path(__file__).with_suffix("").with_name("signatures.txt")

MODULES: Final = {
    "trtc_records": ((), ""),
    "trtc_records.export": (("pyarrow",), "parquet"),
    "trtc_records.archive": ((), ""),
    "trtc_records.summary": ((), ""),
    "trtc_records.sandbox": ((), ""),
    "trtc_records.webhooks": ((), ""),
    "trtc_records.warehouse.dlt": (("dlt", "pyarrow"), "dlt"),
    "trtc_records.feed.redis": (("redis",), "redis"),
    "trtc_records.quota.redis": (("redis", "pyrate_limiter"), "redis"),
}
"""Each public module, with the packages that it needs and the extra that installs them."""

OPTIONAL: Final = ("feed", "quota", "warehouse")
"""The packages whose public modules need an extra each."""


def describe_module(name: str) -> Iterator[str]:
    """Yield a line for each public name of a module, and for each public member of a class."""
    module = importlib.import_module(name)
    yield f"# {name}"
    for public in sorted(module.__all__):
        value = getattr(module, public)
        if inspect.isclass(value):
            yield from describe_class(public, value)
        elif callable(value) and not typing.get_origin(value):
            yield f"{show_kind(value)} {public}{show_signature(value)}"
        else:
            yield f"{public}: {type(value).__name__}"


def describe_class(name: str, cls: type) -> Iterator[str]:
    """Yield a class with how it is made, and its own public members."""
    bases = ", ".join(base.__name__ for base in cls.__bases__ if base is not object)
    yield f"class {name}({bases})" if bases else f"class {name}"
    if issubclass(cls, enum.Enum):
        yield from (f"    {member.name} = {member.value!r}" for member in cls)
    elif "__init__" in vars(cls) and not getattr(cls, "_is_protocol", False):
        yield f"    {show_signature(cls, skip_return=True)}"
    fields = {field.name for field in attrs.fields(cls)} if attrs.has(cls) else set()
    for member in sorted(set(vars(cls)) - fields):
        value = inspect.getattr_static(cls, member)
        if member.startswith("_") or isinstance(value, enum.Enum) or (issubclass(cls, enum.Enum) and member == "name"):
            continue
        if isinstance(value, property):
            assert value.fget is not None
            yield f"    {member} -> {show_annotation(inspect.signature(value.fget).return_annotation)}"
        elif isinstance(value, classmethod | staticmethod | FunctionType):
            function = getattr(cls, member)
            kind = f"{type(value).__name__} " if not isinstance(value, FunctionType) else ""
            yield f"    {kind}{show_kind(function)} {member}{show_signature(function)}"


def show_kind(function: Any) -> str:
    """Return whether it is called, awaited or iterated."""
    if inspect.isasyncgenfunction(function) or inspect.iscoroutinefunction(function):
        return "async def"
    return "def"


def show_signature(function: Any, *, skip_return: bool = False) -> str:
    """Return a signature as it reads in the source, the same in every version of Python."""
    signature = inspect.signature(function)
    shown = []
    keywords_only = False
    for parameter in signature.parameters.values():
        text = parameter.name
        if parameter.kind is parameter.VAR_POSITIONAL:
            text, keywords_only = f"*{text}", True
        elif parameter.kind is parameter.VAR_KEYWORD:
            text = f"**{text}"
        elif parameter.kind is parameter.KEYWORD_ONLY and not keywords_only:
            shown.append("*")
            keywords_only = True
        if parameter.annotation is not parameter.empty:
            text += f": {show_annotation(parameter.annotation)}"
        if parameter.default is not parameter.empty:
            text += f" = {show_default(parameter.default)}"
        shown.append(text)
    text = f"({', '.join(shown)})"
    if skip_return or signature.return_annotation is signature.empty:
        return text
    return f"{text} -> {show_annotation(signature.return_annotation)}"


def show_annotation(annotation: Any) -> str:
    """Return an annotation without the names of modules."""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return re.sub(r"\b(?:[A-Za-z_]\w*\.)+(?=\w)", "", text)


def show_default(value: Any) -> str:
    """Return a default as it reads in the source."""
    if isinstance(value, str):
        return repr(str(value))
    if value is attrs.NOTHING:
        return "..."  # made anew for each object
    # The repr of a function has an address.
    return getattr(value, "__qualname__", None) or show_annotation(
        str(value) if isinstance(value, enum.Enum) else repr(value)
    )


def read_snapshot() -> dict[str, str]:
    """Return the frozen text of each module."""
    sections = re.split(r"^(?=# )", SNAPSHOT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {section.splitlines()[0].removeprefix("# "): section.strip() for section in sections if section}


@pytest.mark.parametrize("name", MODULES)
def test_public_names_are_frozen(name: str) -> None:
    """Every public name, argument, default and annotation is as it was."""
    needed, extra = MODULES[name]
    for module in needed:
        if find_spec(module) is None:
            pytest.skip(f"needs the extra {extra}")
    assert "\n".join(describe_module(name)).splitlines() == read_snapshot()[name].splitlines(), (
        "if that is meant, run: python tests/test_signatures.py"
    )


def test_every_public_module_is_frozen() -> None:
    """No public module is left out: each that needs an extra, and each package that has a page in the reference."""
    package = Path(__file__).parents[1] / "trtc_records"
    packages = {f"trtc_records.{path.parent.name}" for path in package.glob("[a-z]*/__init__.py")}
    modules = (path for room in OPTIONAL for path in package.glob(f"{room}/[a-z]*.py"))
    optional = {f"trtc_records.{path.parent.name}.{path.stem}" for path in modules}
    # The command is no module for programs, and the packages of the optional modules are empty.
    assert packages | optional | {"trtc_records"} == {
        *MODULES,
        "trtc_records.cli",
        *(f"trtc_records.{room}" for room in OPTIONAL),
    }


def main() -> None:
    """Write the snapshot anew."""
    text = "\n\n".join("\n".join(describe_module(name)) for name in MODULES)
    SNAPSHOT.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
