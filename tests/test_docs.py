"""The documentation's examples run, and the names in it exist."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from cli_process import EXTRAS
from docs_examples import RUN, SHOWN, Block, read_blocks

from trtc_records._api.error_codes import CALL_CODES, ErrorCodes
from trtc_records._api.legacy import LEGACY

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)
PAGES_WITH_EXAMPLES = [page for page in PAGES if any(block.language in RUN for block in read_blocks(page))]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.slow
@pytest.mark.skipif(not EXTRAS or find_spec("pyarrow") is None, reason="needs the extras cli and parquet")
@pytest.mark.skipif(sys.platform == "win32", reason="the commands are for bash")
@pytest.mark.parametrize("page", PAGES_WITH_EXAMPLES, ids=name_of)
def test_every_example_runs(page: Path, tmp_path: Path) -> None:
    """Each block of a page runs unchanged, with warnings as errors, and prints the page's output."""
    done = subprocess.run(
        [sys.executable, "-P", "-X", "dev", "-W", "error", str(ROOT / "tests" / "docs_examples.py"), page, tmp_path],
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=110,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_is_run_or_says_why_not(page: Path) -> None:
    """Every block is run or gives a reason, except plain text and data."""
    unexplained = [
        f"{name_of(page)}:{block.line} ({block.language})"
        for block in read_blocks(page)
        if block.language not in RUN | SHOWN and not block.mark
    ]
    assert unexplained == []


def test_blocks_are_found(tmp_path: Path) -> None:
    """Marks belong to the fence below them, directives of code are code, and others are none."""
    page = tmp_path / "page.md"
    page.write_text(
        "```python\na = 1\n```\n\n<!-- not run: no reason -->\n```sh\nrm\n```\n\n```{toctree}\npage\n```\n"
        "<!-- prints -->\n\n```text\nb\n```\n```{code-block} python\n:linenos:\nc\n```\n:::{note}\n```sh\nd\n```\n:::\n"
    )
    assert list(read_blocks(page)) == [
        Block(2, "python", "a = 1\n"),
        Block(7, "sh", "rm\n", "not run: no reason"),
        Block(16, "text", "b\n", "prints"),
        Block(20, "python", "c\n"),
        Block(24, "sh", "d\n"),
    ]


def find_tests(path: Path) -> set[str]:
    """Return the names of the tests in a file."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {
        node.name
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_test_that_is_named_exists(page: Path) -> None:
    """A page that calls a test as a witness gives the name of one, in a table under its file's name."""
    text = page.read_text(encoding="utf-8")
    known = {name for path in (ROOT / "tests").rglob("test_*.py") for name in find_tests(path)}
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py")}
    assert set(re.findall(r"`(test_\w+)`", text)) <= known
    assert set(re.findall(r"`(tests/[\w/]+\.py)`", text)) <= files


def test_every_fault_has_a_witness() -> None:
    """Every row of the faults table names a test."""
    rows = [line for line in (DOCS / "faults.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    facts = [row for row in rows if not row.startswith(("| ---", "| fault"))]
    assert len(facts) > 30
    assert [row for row in facts if "`test_" not in row] == []


def test_every_error_code_has_a_page() -> None:
    """The pages of error codes cover every code of the table."""
    pages = [page.read_text(encoding="utf-8") for page in (DOCS / "errors").glob("*.md")]
    shown = [
        range(int(first), int(last) + 1)
        for page in pages
        for first, last in re.findall(r"^```\{error-codes\} (\d+)-(\d+)$", page, re.MULTILINE)
    ]
    assert [code for code in CALL_CODES.rows if sum(code in codes for codes in shown) != 1] == []
    assert sum("```{error-codes} legacy\n" in page for page in pages) == 1


@pytest.mark.parametrize(
    ("codes", "code", "words"),
    [
        (CALL_CODES, 101001, "retried by the client"),
        (CALL_CODES, 70009, "not retried"),
        (CALL_CODES, 60004, "tried once more"),
        (CALL_CODES, 70052, "tried once more, with a new UserSig"),
        (LEGACY.errors, 70003, "tried once more, with a new UserSig"),
    ],
)
def test_a_page_says_how_often_a_code_is_tried(
    monkeypatch: pytest.MonkeyPatch, codes: ErrorCodes, code: int, words: str
) -> None:
    """The line of a code agrees with the client, also where it tries a refusal once more."""
    pytest.importorskip("sphinx", reason="needs the packages of the documentation")
    monkeypatch.syspath_prepend(DOCS / "_ext")
    tables = importlib.import_module("project_tables")
    assert tables.describe_retries(codes, code) == words


def test_every_page_can_be_reached() -> None:
    """Each page stands in a table of contents."""
    texts = {page: page.read_text(encoding="utf-8") for page in PAGES}
    listed = {DOCS / "index.md"}
    for page, text in texts.items():
        for entries in re.findall(r"^```\{toctree\}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            for entry in entries.split():
                listed |= set(page.parent.glob(f"{entry}.md"))
    assert [name_of(page) for page in PAGES if page not in listed] == []


def test_no_page_names_a_path_of_some_machine() -> None:
    """No page contains a path of a certain machine."""
    found = [name_of(page) for page in PAGES if re.search(r"(?:/home/|/tmp/|/work/|C:\\)", page.read_text("utf-8"))]
    assert found == []
