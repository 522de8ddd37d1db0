"""What can be run here: `nox` runs all that must pass, `nox -s NAME` one of it, `nox -l` lists it.

Needs Python 3.11 or newer with pip, and `pip install nox`; each session makes an environment of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.reuse_venv = "yes"

PROJECT = nox.project.load_toml("pyproject.toml")
WHEELS = Path(".nox", "wheels")


def select_all_of_pyenv() -> None:
    """Have pyenv's stand-ins run every version that it has; by itself it runs the selected ones only."""
    if (pyenv := shutil.which("pyenv")) and "PYENV_VERSION" not in os.environ:
        listed = subprocess.run([pyenv, "versions", "--bare"], check=True, capture_output=True, text=True).stdout
        os.environ["PYENV_VERSION"] = ":".join(reversed(listed.split()))


def is_installed(version: str) -> bool:
    """Tell whether a Python of that version runs here; a version manager's stand-in may not."""
    interpreter = shutil.which(f"python{version}")
    return (
        interpreter is not None and not subprocess.run([interpreter, "-V"], check=False, capture_output=True).returncode
    )


THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
select_all_of_pyenv()
OTHER_PYTHONS = [
    version for version in nox.project.python_versions(PROJECT) if version != THIS_PYTHON and is_installed(version)
]
WITH_AND_WITHOUT_EXTRAS = nox.parametrize("extras", ["[all]", ""], ids=["extras", "core"])
PARALLEL = ("--numprocesses=auto", "--dist=worksteal")
"""A process of tests per core, each taking over tests from those that are behind."""

nox.options.sessions = ["lint", "types", "tests", *["pythons"] * bool(OTHER_PYTHONS), "coverage", "docs", "demo"]


def groups(*names: str) -> tuple[str, ...]:
    """Return the requirements of dependency groups; old versions of pip do not know them."""
    return nox.project.dependency_groups(PROJECT, *names)


def install_wheel(session: nox.Session, extra: str, *requirements: str) -> None:
    """Build the wheel once per run, and install it, so that what is tested is what is shipped."""
    if not (found := BUILT.get("wheel")):
        shutil.rmtree(WHEELS, ignore_errors=True)
        session.run("python", "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(WHEELS), ".", silent=True)
        found = BUILT["wheel"] = next(WHEELS.glob("*.whl")).resolve()
    wheel = f"trtc-records{extra} @ {found.as_uri()}"
    session.install(wheel, *requirements)
    # pip takes a wheel of the same version for the one that is there.
    session.install("--force-reinstall", "--no-deps", str(found))


BUILT: dict[str, Path] = {}


def run_tests(session: nox.Session, extras: str) -> None:
    """Run all tests with the extras; without them the quick ones, as few of the slow ones would not be skipped."""
    # The examples need their frameworks, and without the extras they are skipped anyway.
    install_wheel(session, extras, *(groups("tests", "examples") if extras else groups("tests")))
    session.run("pytest", *PARALLEL, *(() if extras else ("-m", "not slow")), *session.posargs)


@nox.session
@WITH_AND_WITHOUT_EXTRAS
def tests(session: nox.Session, extras: str) -> None:
    """Run the tests against the built wheel, with and without the extras, on the Python that runs nox."""
    run_tests(session, extras)


@nox.session(python=OTHER_PYTHONS)
@WITH_AND_WITHOUT_EXTRAS
def pythons(session: nox.Session, extras: str) -> None:
    """Run the tests as ``tests`` does, on every other Python that is installed here and supported."""
    run_tests(session, extras)


@nox.session
def quick(session: nox.Session) -> None:
    """Run the quick tests against the working tree, for between two changes."""
    session.install("-e", ".[all]", *groups("tests"))
    session.run("pytest", *PARALLEL, "-m", "not slow", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the tests, and measure how much of the core they reach."""
    install_wheel(session, "[all]", *groups("tests", "examples"))
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *PARALLEL, *session.posargs)
    session.run("coverage", "combine", "-q")
    session.run("coverage", "report")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install(*groups("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types: the package and the typed tests by mypy, the public face by pyright too."""
    install_wheel(session, "[all]", *groups("types"))
    session.run("mypy")
    session.run("pyright")
    session.run("pyright", "--verifytypes", "trtc_records", "--ignoreexternal")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation, any warning an error, and run its examples."""
    install_wheel(session, "[all]", *groups("tests", "examples", "docs"))
    session.run("sphinx-build", "-q", "-W", "--keep-going", "-E", "-b", "html", "docs", "docs/_build/html")
    session.run("pytest", "tests/test_docs.py", "tests/test_opentelemetry.py", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """Export from the embedded sandbox, as the README does."""
    install_wheel(session, "[cli]")
    session.run("trtc-records", "export", "--sandbox", "--output", str(Path(session.create_tmp(), "calls.jsonl")))


@nox.session
def bench(session: nox.Session) -> None:
    """Measure; the numbers are the machine's."""
    install_wheel(session, "[all]", *groups("tests"))
    for script in sorted(Path("tests", "benchmarks").glob("bench_*.py")):
        session.run("python", str(script), *session.posargs)
