"""The pytest plugin, as a user's own tests meet it."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

import trtc_records.sandbox  # noqa: F401  (pytester unloads the imports of an inner run, which would cost a second each)

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow

HOWTO: Final = (Path(__file__).parents[2] / "docs" / "howto" / "testing.md").read_text(encoding="utf-8")
STRICT: Final = ("--strict-markers", "--strict-config", "-W", "error", "-p", "no:cacheprovider")
# pytest-asyncio warns in every run that does not configure it, and Hypothesis takes half a second to import.
ALONE: Final = (*STRICT, "-p", "no:asyncio", "-p", "no:hypothesispytest")

HEADER: Final = """
import pytest
from trtc_records import CallRecordsClient
from trtc_records.sandbox import Faults, SandboxFixture, make_records
"""


def run(pytester: pytest.Pytester, code: str, arguments: tuple[str, ...] = ALONE) -> pytest.RunResult:
    """Run a user's test module."""
    pytester.makepyfile(HEADER + code)
    return pytester.runpytest_subprocess(*arguments)


@pytest.mark.parametrize("example", re.findall(r"^```python\n(.*?)^```$", HOWTO, re.MULTILINE | re.DOTALL))
def test_examples_of_the_page_pass(pytester: pytest.Pytester, example: str) -> None:
    """Every example of the how-to page is a test module that passes as it stands."""
    pytester.makepyfile(example)
    result = pytester.runpytest_subprocess(*ALONE)
    result.assert_outcomes(passed=example.count("def test_"))


def test_default_is_a_sandbox_without_faults(pytester: pytest.Pytester) -> None:
    """Without a mark the sandbox has its own defaults."""
    code = """
    def test_it(trtc_sandbox):
        assert isinstance(trtc_sandbox, SandboxFixture)
        assert len(trtc_sandbox.records) == 2000
        assert trtc_sandbox.stats.requests == 0
    """
    run(pytester, _dedent(code)).assert_outcomes(passed=1)


def test_nearest_mark_wins(pytester: pytest.Pytester) -> None:
    """A test's own mark goes before its class's, and that before the overridden arguments; the rest of each holds."""
    code = """
    @pytest.fixture
    def trtc_sandbox_arguments():
        return {"records": 1, "identifier": "module", "sdk_app_id": 7}

    @pytest.mark.trtc_sandbox(records=2, identifier="class")
    class TestIt:
        @pytest.mark.trtc_sandbox(records=3)
        def test_it(self, trtc_sandbox):
            assert len(trtc_sandbox.records) == 3
            assert trtc_sandbox.credentials["identifier"] == "class"
            assert trtc_sandbox.credentials["sdk_app_id"] == 7
    """
    run(pytester, _dedent(code)).assert_outcomes(passed=1)


def test_records_are_those_of_the_test(pytester: pytest.Pytester) -> None:
    """The records may be given themselves."""
    code = """
    RECORDS = make_records(5)

    @pytest.mark.trtc_sandbox(records=RECORDS)
    def test_it(trtc_sandbox):
        assert trtc_sandbox.records == RECORDS
    """
    run(pytester, _dedent(code)).assert_outcomes(passed=1)


def test_client_takes_arguments(pytester: pytest.Pytester) -> None:
    """Arguments of ``client`` win over the sandbox's credentials."""
    code = """
    def test_it(trtc_sandbox):
        assert "identifier='someone'" in repr(trtc_sandbox.client(identifier="someone"))
    """
    run(pytester, _dedent(code)).assert_outcomes(passed=1)


def test_each_test_has_its_own(pytester: pytest.Pytester) -> None:
    """The port is closed after the test, and the next one's sandbox has seen nothing."""
    code = """
    import socket
    ports = []

    @pytest.mark.trtc_sandbox(records=0)
    @pytest.mark.parametrize("number", [1, 2])
    def test_it(trtc_sandbox, number):
        port = int(trtc_sandbox.base_url.rpartition(":")[2])
        socket.create_connection(("127.0.0.1", port)).close()
        for other in ports:
            with pytest.raises(OSError):
                socket.create_connection(("127.0.0.1", other)).close()
        ports.append(port)
    """
    run(pytester, _dedent(code)).assert_outcomes(passed=2)


def test_environment_leads_to_the_sandbox(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """``from_env`` reaches the sandbox, even where a real account is configured."""
    monkeypatch.setenv("TRTC_REGION", "china")
    monkeypatch.setenv("TRTC_USER_SIG", "a real one")
    code = """
    def test_it(trtc_sandbox_env):
        assert trtc_sandbox_env.base_url in repr(CallRecordsClient.from_env())
    """
    run(pytester, _dedent(code)).assert_outcomes(passed=1)


@pytest.mark.skipif(not find_spec("pytest_asyncio"), reason="needs pytest-asyncio (dependency group examples)")
def test_works_under_pytest_asyncio(pytester: pytest.Pytester) -> None:
    """The fixture serves tests that pytest-asyncio runs."""
    code = """
    @pytest.mark.asyncio
    @pytest.mark.trtc_sandbox(records=20)
    async def test_it(trtc_sandbox):
        async with trtc_sandbox.client() as client:
            assert len([record async for record in client.iter_records()]) == 20
    """
    run(pytester, _dedent(code), (*STRICT, "-o", "asyncio_default_fixture_loop_scope=function")).assert_outcomes(
        passed=1
    )


@pytest.mark.parametrize(
    ("mark", "complaint"),
    [
        ("300", "takes keywords only: write records=300"),
        ("recrods=3", "unexpected keyword argument 'recrods'"),
        ("quota=0", "quota must be an integer of at least 1, got 0"),
    ],
)
def test_wrong_mark_is_explained(pytester: pytest.Pytester, mark: str, complaint: str) -> None:
    """A mark that cannot be used is an error of a line or two, and no traceback."""
    result = run(pytester, f"@pytest.mark.trtc_sandbox({mark})\ndef test_it(trtc_sandbox): ...\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*@pytest.mark.trtc_sandbox*{complaint}*"])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*_pytest.py:*")


def test_marker_is_listed(pytester: pytest.Pytester) -> None:
    """``pytest --markers`` explains the marker."""
    pytester.runpytest_subprocess(*ALONE, "--markers").stdout.fnmatch_lines(["@pytest.mark.trtc_sandbox(*"])


def test_unused_plugin_loads_nothing(pytester: pytest.Pytester) -> None:
    """A run whose tests do not use it has neither the package nor its dependencies in memory."""
    code = """
    import sys

    def test_it(request):
        assert request.config.pluginmanager.hasplugin("trtc_sandbox")
        assert not {"trtc_records", "httpx", "attrs", "h11"} & set(sys.modules)
    """
    pytester.makepyfile(_dedent(code))
    pytester.runpytest_subprocess(*ALONE).assert_outcomes(passed=1)


def test_plugin_imports_only_pytest() -> None:
    """The plugin itself costs no import that pytest has not made."""
    code = (
        "import sys, pytest; before = set(sys.modules); import _trtc_records_pytest; print(set(sys.modules) - before)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "{'_trtc_records_pytest'}"


def _dedent(code: str) -> str:
    return re.sub(r"^ {4}", "", code, flags=re.MULTILINE)
