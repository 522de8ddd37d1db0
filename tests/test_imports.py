"""The house's import rules: arrows go downward only, and each third party has its rooms.

The core is a stack of floors. A module imports from floors below its own, never from its own or from above. On the core
stand the rooms; what a room may import is in ``ROOMS``. A new module needs a place here, which is the point.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

PACKAGE: Final = "trtc_records"

FLOORS: Final = (
    {"_client"},
    {"_arguments", "_transport"},
    {"_protocol", "_walk"},
    {"_error_codes", "_lanes", "_ledger", "_prefetch", "_wire"},
    {"_credentials", "_models", "_retry", "_throttle", "_warn"},
    {"_brake", "_usersig"},
    {"_checks", "_latency"},
    {"_errors", "_version"},
)
"""The core, top floor first."""

PURE: Final = ("_checks", "_error_codes", "_errors", "_ledger", "_models", "_protocol", "_usersig", "_wire")
"""What decides without I/O."""
IO: Final = {"aiolimiter", "anyio", "asyncio", "httpcore", "httpx", "socket", "ssl", "stamina"}

ROOMS: Final = {
    "export": {"_models"},
    "summary": {"_models"},
    "sandbox": {"_errors", "_models", "_usersig", "_wire"},
    "integrations": {
        "_arguments",
        "_brake",
        "_checks",
        "_client",
        "_errors",
        "_models",
        "_throttle",
        "_warn",
        "export",
    },
    "cli": {"", "export", "integrations", "sandbox", "summary"},
}
"""What each room may import besides itself; "" is the package root, the public names."""

EXCEPTIONS: Final = {
    ("sandbox._fixture", ""),  # the pytest fixture makes clients: in a method, so that serving needs no client
    ("sandbox._pytest", "sandbox"),  # installed outside the package, where it is a user like any other
}

THIRD_PARTIES: Final = {
    "aiolimiter": {"_throttle"},
    "dlt": {"integrations.dlt"},
    "httpcore": {"_lanes", "_transport"},
    "httpx": {"_arguments", "_client", "_lanes", "_transport", "cli.commands.doctor"},
    "pyarrow": {"export.arrow", "export.parquet", "integrations.dlt"},
    "pyrate_limiter": {"integrations.redis"},
    "pytest": {"sandbox._pytest"},
    "redis": {"integrations.redis"},
    "rich": {"cli"},
    "stamina": {"_retry"},
    "starlette": {"sandbox"},
    "typer": {"cli"},
    "uvicorn": {"sandbox"},
}
"""Where each may be imported: a module, or a room and all in it."""
EVERYWHERE: Final = {"anyio", "attrs", "cattrs"}


def read_package() -> dict[str, str]:
    """Return the source of every module of the package, by its name without the package's."""
    root = Path(__file__).parents[1] / PACKAGE
    sources = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        sources[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(encoding="utf-8")
    return sources


def find_imports(source: str, modules: Collection[str]) -> Iterator[str]:
    """Yield the full name of each module that is imported, in functions and under ``TYPE_CHECKING`` too."""
    for name, imported in read_imports(source):
        inner = f"{name}.{imported}".removeprefix(f"{PACKAGE}.")
        yield f"{PACKAGE}.{inner}" if inner in modules and name.partition(".")[0] == PACKAGE else name


@functools.cache
def read_imports(source: str) -> tuple[tuple[str, str], ...]:
    """Return each ``import module`` and ``from module import name`` as the two names."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            assert not node.level, "write imports in full"
            found += [(node.module, alias.name) for alias in node.names]
    return tuple(found)


def find_complaints(sources: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the imports of these modules."""
    floor_of = {name: floor for floor, names in enumerate(reversed(FLOORS)) for name in names}
    complaints = []
    for module, source in sources.items():
        room = module.partition(".")[0]
        if module and room not in floor_of and room not in ROOMS:
            complaints.append(f"{module} has no place in the house")
            continue
        for imported in set(find_imports(source, sources)):
            top, _, inside = imported.partition(".")
            if top != PACKAGE:
                homes = THIRD_PARTIES.get(top)
                if homes is not None and not {module, room} & homes:
                    complaints.append(f"{module} imports {top}")
                if module in PURE and top in IO | THIRD_PARTIES.keys():
                    complaints.append(f"{module} decides without I/O, and imports {top}")
                continue
            target = inside.partition(".")[0]
            if room in ROOMS:
                private = room == "cli" and target.startswith("_")
                allowed = target == room or (target in ROOMS[room] and not private)
                allowed |= {(module, target), (module, inside)} & EXCEPTIONS != set()
            elif module:
                allowed = target in floor_of and floor_of[target] < floor_of[module]
                if module in PURE and target not in PURE:
                    complaints.append(f"{module} decides without I/O, and imports {target}, which may do I/O")
            else:
                allowed = target in floor_of
            if not allowed:
                complaints.append(f"{module or PACKAGE} imports {imported}")
    return sorted(set(complaints))


def test_house_is_in_order() -> None:
    """No module imports what stands above it, beside it, or in another's room."""
    assert find_complaints(read_package()) == []


def test_every_third_party_has_a_room() -> None:
    """Each third party that is imported anywhere is known here."""
    sources = read_package()
    found = {name.partition(".")[0] for source in sources.values() for name in find_imports(source, sources)}
    assert found - set(sys.stdlib_module_names) - {PACKAGE} == THIRD_PARTIES.keys() | EVERYWHERE


@pytest.mark.parametrize(
    ("module", "statement"),
    [
        ("_errors", "from trtc_records._models import CallRecord"),
        ("_walk", "from trtc_records._client import CallRecordsClient"),
        ("_walk", "from trtc_records import _client"),
        ("_walk", "import trtc_records._protocol"),
        ("_protocol", "import httpx"),
        ("_wire", "from asyncio import sleep"),
        ("_ledger", "def f():\n    import anyio"),
        ("_protocol", "from trtc_records._throttle import QUOTA"),
        ("_walk", "import httpx"),
        ("_client", "from trtc_records.export import make_row"),
        ("_models", "import trtc_records"),
        ("", "from trtc_records.sandbox import Sandbox"),
        ("sandbox._store", "from trtc_records import CallRecordsClient"),
        ("sandbox._store", "from trtc_records._protocol import Query"),
        ("export.csv", "from trtc_records.sandbox import Sandbox"),
        ("export.csv", "import pyarrow.parquet"),
        ("summary._text", "from trtc_records.export import make_row"),
        ("integrations.redis", "from trtc_records.cli import main"),
        ("integrations.redis", "import dlt"),
        ("cli.commands.get", "from trtc_records._wire import record_from_json"),
        ("export.csv", "from rich import print"),
        ("_newcomer", ""),
    ],
)
def test_broken_rule_is_found(module: str, statement: str) -> None:
    """One import against the rules, in whatever form, is a complaint that names its module."""
    sources = read_package()
    broken = {**sources, module: f"{sources.get(module, '')}\n{statement}\n"}
    complaint, *_ = find_complaints(broken)
    assert complaint.startswith(module or PACKAGE)
