"""The programs in docs/examples, as modules and as processes."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

EXAMPLES: Final = Path(__file__).parents[1] / "docs" / "examples"
STRICT: Final = (sys.executable, "-P", "-X", "dev", "-W", "error")
"""Every warning an error, resource warnings and asyncio's debug mode on."""

_SLOW: Final = re.compile(r"^.*Executing <.* took \d+\.\d+ seconds\n", re.MULTILINE)


def skip_without(*modules: str, remedy: str) -> None:
    """Skip the calling test module where a module is not installed."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"needs {module} ({remedy})", allow_module_level=True)


def load(name: str) -> ModuleType:
    """Import an example."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where FastAPI looks annotations up
    spec.loader.exec_module(module)
    return module


def run(
    name: str, *arguments: str, environment: Mapping[str, str], directory: Path
) -> subprocess.CompletedProcess[str]:
    """Run an example as a process, with *environment* on top of this one's."""
    return subprocess.run(
        [*STRICT, str(EXAMPLES / f"{name}.py"), *arguments],
        env={**os.environ, **environment},
        cwd=directory,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )


def without_slowness(stderr: str) -> str:
    """Return a process's output without asyncio's debug messages on slow callbacks, which a busy machine causes."""
    return _SLOW.sub("", stderr)
