"""The pytest plugin: fixtures ``trtc_sandbox``, ``trtc_sandbox_env`` and ``trtc_sandbox_arguments``, and a marker.

pytest loads an installed plugin in every test run, used or not. A module of this package would import the whole package
(160 ms and 9 MB, against 0.3 ms for this file). So the wheel has it outside the package, as ``_trtc_records_pytest``,
and it imports nothing but pytest until a test asks for a sandbox.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trtc_records.sandbox import SandboxFixture

_MARKER: Final = "trtc_sandbox"
_RIVALS: Final = ("TRTC_USER_SIG", "TRTC_REGION", "TRTC_SERVICE", "TRTC_SECRET_KEY_FILE", "TRTC_USER_SIG_FILE")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, so that ``--strict-markers`` knows it."""
    config.addinivalue_line(
        "markers", f"{_MARKER}(**arguments): arguments of trtc_records.sandbox.Sandbox for the fixture {_MARKER}"
    )


@pytest.fixture
def trtc_sandbox_arguments() -> dict[str, Any]:
    """Arguments of the sandbox for every test here: override it in a test module or a conftest.py."""
    return {}


@pytest.fixture
def trtc_sandbox(request: pytest.FixtureRequest, trtc_sandbox_arguments: dict[str, Any]) -> Iterator[SandboxFixture]:
    """The call-record service on a local port, for one test; ``trtc_sandbox.client()`` connects to it.

    Choose records, faults and more with ``@pytest.mark.trtc_sandbox(records=300, faults=Faults(http_502=0.1))``.
    """
    arguments = dict(trtc_sandbox_arguments)
    for mark in reversed(list(request.node.iter_markers(_MARKER))):  # the test's own come last, and win
        if mark.args:
            pytest.fail(f"@pytest.mark.{_MARKER} takes keywords only: write records={mark.args[0]!r}", pytrace=False)
        arguments.update(mark.kwargs)
    from trtc_records.sandbox import SandboxFixture  # noqa: PLC0415  (see the top)

    try:
        sandbox = SandboxFixture(**arguments)
    except (TypeError, ValueError) as error:
        pytest.fail(f"@pytest.mark.{_MARKER}: {error}", pytrace=False)
    with sandbox:
        yield sandbox


@pytest.fixture
def trtc_sandbox_env(trtc_sandbox: SandboxFixture, monkeypatch: pytest.MonkeyPatch) -> SandboxFixture:
    """The sandbox of ``trtc_sandbox``, to which ``CallRecordsClient.from_env()`` connects."""
    for name in _RIVALS:
        monkeypatch.delenv(name, raising=False)
    for name, value in trtc_sandbox.environment.items():
        monkeypatch.setenv(name, value)
    return trtc_sandbox
