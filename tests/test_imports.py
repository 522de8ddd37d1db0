"""The import rules: arrows between rooms go downward only, and each third party has its place.

A room is a folder, or a module beside the folders. ``ROOMS`` lists them from top to bottom, each with the rooms that it
may import. A new room needs a line there, which is the point.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

import pytest

PACKAGE: Final = "trtc_records"

ROOMS: Final[dict[str, set[str]]] = {
    "cli": {"", "_environment", "_starts", "archive", "export", "sandbox", "summary", "warehouse", "webhooks"},
    "archive": {"_api", "_checks", "_client", "_errors", "_lock", "_secret", "_starts", "_walking", "_warn", "export"},
    "warehouse": {"_api", "_checks", "_client", "_errors", "_lock", "_secret", "_starts", "_warn", "export"},
    "webhooks": {"_api", "_checks", "_client", "_errors", "quota"},
    "sandbox": {"_api", "_checks", "_secret"},
    "summary": {"_api", "_version"},
    "export": {"_api", "_environment", "_errors", "_secret", "_warn"},
    "_lock": set(),
    "_starts": set(),
    "": {"_names", "_version"},
    "_names": {"_api", "_client", "_errors", "_version", "_walking", "feed", "quota"},
    "_client": {
        "_api",
        "_checks",
        "_environment",
        "_errors",
        "_public",
        "_secret",
        "_sending",
        "_walking",
        "feed",
        "quota",
    },
    "_environment": {"_checks", "_errors", "_secret", "_sending", "quota"},
    "feed": {"_api", "_checks", "_errors", "_public", "_sending", "_walking", "_warn", "quota"},
    "_walking": {"_api", "_errors", "_public", "_warn"},
    "_sending": {"_api", "_warn", "_checks", "_errors", "_secret", "_version", "quota"},
    "quota": {"_checks", "_errors", "_public"},
    "_api": {"_checks", "_errors", "_public", "_secret"},
    "_warn": {"_errors"},
    "_secret": {"_checks"},
    "_checks": {"_errors"},
    "_errors": {"_public"},
    "_public": set(),
    "_version": set(),
}
"""All rooms, top first, each with the rooms that it may import besides itself; "" is the root, the public names."""

EXCEPTIONS: Final = {
    ("cli._options", "_api.query"),  # how long the service keeps a record
    ("sandbox._fixture", ""),  # the pytest fixture makes clients
    ("sandbox._pytest", "sandbox"),  # installed outside the package, where it is a user like any other
}

WITHOUT_IO: Final = {"_api", "_checks", "_errors", "_public", "_secret"}
"""The rooms that decide, and leave input and output to others."""
IO: Final = {"aiolimiter", "anyio", "asyncio", "httpcore", "httpx", "socket", "ssl", "stamina"}

THIRD_PARTIES: Final = {
    "aiolimiter": {"quota._local"},
    "deltalake": {"warehouse._lake"},
    "dlt": {"warehouse"},
    "fsspec": {"export._store"},
    "h11": {"_sending.direct", "sandbox._http"},
    "httpcore": {"_sending.direct", "_sending.proxied", "_sending.requester"},
    "httpx": {"_client", "_environment", "_sending", "cli.commands.doctor"},
    "pyarrow": {
        "export.arrow",
        "export.parquet",
        "warehouse._lake",
        "warehouse._rows",
        "warehouse._walk",
        "warehouse.dlt",
    },
    "pyrate_limiter": {"quota.redis"},
    "pytest": {"sandbox._pytest"},
    "redis": {"feed.redis", "quota._connection", "quota.redis"},
    "rich": {"cli"},
    "stamina": {"_sending.retry"},
    "typer": {"cli"},
}
"""The modules, or whole rooms, that may import each third party."""
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


def find_arrows(sources: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each import of a module of the package by another, as their two names."""
    for module, source in sources.items():
        for imported in find_imports(source, sources):
            top, _, inside = imported.partition(".")
            if top == PACKAGE:
                yield module, inside


def find_complaints(sources: Mapping[str, str]) -> list[str]:
    """Return the broken rules, each with its remedy."""
    return sorted({*_complain_about_rooms(sources), *_complain_about_third_parties(sources), *_find_cycle(sources)})


def _complain_about_rooms(sources: Mapping[str, str]) -> Iterator[str]:
    for module in sources:
        if room_of(module) not in ROOMS:
            yield f"{module} is in no room: add a line for {room_of(module)!r} to ROOMS, above all that it imports"
    for module, imported in find_arrows(sources):
        room, target = room_of(module), room_of(imported)
        allowed = {room, *ROOMS.get(room, ROOMS)}
        if target not in allowed and (module, imported) not in EXCEPTIONS:
            yield (
                f"{module or PACKAGE} imports {imported or PACKAGE}: move the code that both need to a room below, "
                f"or, if {target!r} stands below {room!r} in ROOMS, add it to that line"
            )


def _complain_about_third_parties(sources: Mapping[str, str]) -> Iterator[str]:
    for module, source in sources.items():
        room = room_of(module)
        for top in {imported.partition(".")[0] for imported in find_imports(source, sources)}:
            homes = THIRD_PARTIES.get(top)
            if room in WITHOUT_IO and top in IO | THIRD_PARTIES.keys():
                yield f"{module} imports {top}, and {room!r} is a room without I/O: move that code to a room above"
            elif homes is not None and not {module, room} & homes:
                yield f"{module} imports {top}: call one of {sorted(homes)}, or add {module!r} to THIRD_PARTIES"


def _find_cycle(sources: Mapping[str, str]) -> Iterator[str]:
    graph: dict[str, set[str]] = {module: set() for module in sources}
    for module, imported in find_arrows(sources):
        if module != imported and (module, imported) not in EXCEPTIONS:
            graph[module].add(imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        # The sorter lists each module before the one that imports it.
        chain = [module or PACKAGE for module in reversed(error.args[1])]
        yield f"{' imports '.join(chain)}: move the code that they share to a module below them"


def room_of(module: str) -> str:
    """Return the room that a module is in."""
    return module.partition(".")[0]


def test_no_import_breaks_a_rule() -> None:
    """No module imports another that stands above it, and each third party stays in its place."""
    assert find_complaints(read_package()) == []


def test_arrows_go_downward() -> None:
    """The table itself holds the rule: a room may import only rooms that stand below it."""
    order = list(ROOMS)
    upward = [
        f"{room!r} may import {target!r}, which stands above it: swap their lines in ROOMS, or drop the arrow"
        for room, targets in ROOMS.items()
        for target in targets
        if order.index(target) <= order.index(room)
    ]
    assert upward == []
    assert {target for room in WITHOUT_IO for target in ROOMS[room]} <= WITHOUT_IO


def test_every_arrow_is_used() -> None:
    """The table allows nothing that no module does."""
    used = {(room_of(module), room_of(imported)) for module, imported in find_arrows(read_package())}
    idle = {(room, target) for room, targets in ROOMS.items() for target in targets} - used
    assert idle == set(), "drop these from ROOMS"


def test_every_third_party_has_a_place() -> None:
    """Each third party that is imported anywhere is known here."""
    sources = read_package()
    found = {name.partition(".")[0] for source in sources.values() for name in find_imports(source, sources)}
    assert found - set(sys.stdlib_module_names) - {PACKAGE} == THIRD_PARTIES.keys() | EVERYWHERE


@pytest.mark.parametrize(
    ("module", "statement", "remedy"),
    [
        ("_errors", "from trtc_records._api.models import CallRecord", "move the code"),
        ("_walking.walk", "from trtc_records._client import CallRecordsClient", "move the code"),
        ("_walking.walk", "from trtc_records import _client", "move the code"),
        ("_walking.walk", "import trtc_records._sending.requester", "move the code"),
        ("_api.protocol", "import httpx", "without I/O"),
        ("_api.wire", "from asyncio import sleep", "without I/O"),
        ("_api.protocol", "from trtc_records.quota._local import QUOTA", "move the code"),
        ("_api.models", "from trtc_records._api.protocol import Request", "move the code that they share"),
        ("_sending.retry", "from trtc_records._sending.requester import Requester", "move the code that they share"),
        ("_walking.walk", "import httpx", "call one of"),
        ("quota._local", "import redis", "call one of"),
        ("_client", "from trtc_records.export import make_row", "move the code"),
        ("_api.models", "import trtc_records", "move the code"),
        ("", "from trtc_records.sandbox import Sandbox", "move the code"),
        ("sandbox._store", "from trtc_records import CallRecordsClient", "move the code"),
        ("sandbox._store", "from trtc_records._sending.endpoint import check_base_url", "move the code"),
        ("export.csv", "from trtc_records.sandbox import Sandbox", "move the code"),
        ("export.csv", "import pyarrow.parquet", "call one of"),
        ("summary._text", "from trtc_records.export import make_row", "move the code"),
        ("quota.redis", "from trtc_records.cli import main", "move the code"),
        ("quota.redis", "import dlt", "call one of"),
        ("cli.commands.get", "from trtc_records._api.wire import record_from_json", "move the code"),
        ("export.csv", "from rich import print", "call one of"),
        ("_client", "from trtc_records.webhooks import WebhookApp", "move the code"),
        ("webhooks._app", "from trtc_records import CallRecordsClient", "move the code"),
        ("_newcomer", "", "add a line"),
    ],
)
def test_broken_rule_is_found(module: str, statement: str, remedy: str) -> None:
    """An import against the rules, in any form, is a complaint that names its module and a remedy."""
    sources = read_package()
    broken = {**sources, module: f"{sources.get(module, '')}\n{statement}\n"}
    assert any((module or PACKAGE) in complaint and remedy in complaint for complaint in find_complaints(broken))
