"""Run the code blocks of a documentation page, in order, against a sandbox.

``python tests/docs_examples.py docs/tutorial.md DIRECTORY`` runs a page in a directory of its own. Text in a
fence is run by its language:

- ``python``: a program. Blocks of a page share their names, and ``await`` may stand at the top level.
- ``pycon``, ``{doctest}``: a session; its output is compared.
- ``sh``: commands for bash, which have to succeed.
- ``console``: lines that begin with ``$`` are commands for bash; the lines below are compared with their output.

The account in the environment is that of a sandbox with 2,000 records. Above a fence, ``<!-- prints -->`` has it
compared with the output of the block before it (``...`` stands for anything), ``<!-- not run: reason -->`` has it left
alone, and ``<!-- needs: module -->`` has it left alone where a module is not installed.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import doctest
import inspect
import io
import logging
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import attrs

__all__ = ["RUN", "SHOWN", "Block", "read_blocks", "run_page"]

RUN: Final = frozenset({"python", "pycon", "doctest", "sh", "console"})
SHOWN: Final = frozenset({"text", "json"})
"""Languages of blocks that are not run; a block of another language needs a reason."""

_FENCE: Final = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,}|:{3,})(?P<info>.*)$")
_MARK: Final = re.compile(r"^\s*(?:<!--|%)\s*(?P<mark>prints|not run: .+?|needs: .+?)\s*(?:-->)?\s*$")
_DIRECTIVE: Final = re.compile(r"^\{(?P<name>[\w:-]+)\}\s*(?P<argument>.*)$")
_CODE_DIRECTIVES: Final = frozenset({"code-block", "code", "sourcecode"})
_SECONDS: Final = 120
_OPTIONS: Final = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@attrs.frozen
class Block:
    """One fence of code."""

    line: int
    """Of its first line of code, from 1."""
    language: str
    code: str
    mark: str = ""

    @property
    def is_output(self) -> bool:
        """Return whether it is the output of the block before it."""
        return self.mark == "prints"

    @property
    def is_left_alone(self) -> bool:
        """Return whether a reason says that it is not run here."""
        if self.mark.startswith("needs: "):
            return any(find_spec(name.strip()) is None for name in self.mark.removeprefix("needs: ").split(","))
        return self.mark.startswith("not run: ")


def read_blocks(page: Path) -> Iterator[Block]:
    """Yield the code blocks of a MyST page; directives that hold no code are passed over."""
    lines = page.read_text(encoding="utf-8").splitlines()
    mark = ""
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        fence = _FENCE.match(line)
        if fence is None or not fence["info"].strip():
            found = _MARK.match(line)
            mark = found["mark"] if found else mark if not line.strip() else ""
            continue
        language = fence["info"].strip()
        if directive := _DIRECTIVE.match(language):
            language = directive["argument"] if directive["name"] in _CODE_DIRECTIVES else directive["name"]
            if directive["name"] not in {*_CODE_DIRECTIVES, "doctest"}:
                if fence["ticks"].startswith("`"):
                    number = _find_end(lines, number, fence["ticks"])
                mark = ""
                continue
        end = _find_end(lines, number, fence["ticks"])
        code = [each.removeprefix(fence["indent"]) for each in lines[number : end - 1]]
        first = number + 1
        while directive and code and re.match(r"^:[\w-]+:", code[0]):
            code.pop(0)
            first += 1
        yield Block(first, language, "\n".join(code) + "\n", mark)
        number, mark = end, ""


def _find_end(lines: list[str], number: int, ticks: str) -> int:
    """Return the number of lines up to and with the one that closes a fence."""
    while number < len(lines) and lines[number].strip() != ticks:
        number += 1
    return number + 1


class _Page:
    """Run blocks one after another."""

    def __init__(self, page: Path, environment: dict[str, str]) -> None:
        self._page = page
        self._environment = environment
        self._names: dict[str, Any] = {"__name__": "__main__"}
        self._runner = asyncio.Runner()

    def run(self, block: Block) -> str:
        """Run a block and return its output."""
        if block.language in {"python", "pycon", "doctest"}:
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                (self._execute if block.language == "python" else self._check_session)(block)
            return output.getvalue()
        if block.language == "sh":
            return self._call(block.code)
        for command, expected in _read_console(block.code):
            compare(expected, self._call(command), command)
        return ""

    def close(self) -> None:
        self._runner.close()

    def _execute(self, block: Block) -> None:
        # Line feeds in front make tracebacks name the line of the page.
        source = "\n" * (block.line - 1) + block.code
        code = compile(source, str(self._page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if code.co_flags & inspect.CO_COROUTINE:
            self._runner.run(eval(code, self._names))
        else:
            exec(code, self._names)

    def _check_session(self, block: Block) -> None:
        test = doctest.DocTestParser().get_doctest(
            block.code, self._names, self._page.name, str(self._page), block.line
        )
        report = io.StringIO()
        runner = doctest.DocTestRunner(optionflags=_OPTIONS)
        failed, tried = runner.run(test, out=report.write, clear_globs=False)
        self._names.update(test.globs)
        if failed or not tried:
            raise AssertionError(report.getvalue() or "there is nothing to run in it")

    def _call(self, command: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=_SECONDS,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"exit code {done.returncode}: {command}\n{done.stdout}")
        return done.stdout


def compare(expected: str, got: str, what: str) -> None:
    """Compare output, white space aside; ``...`` stands for anything."""
    if not doctest.OutputChecker().check_output(expected, got, _OPTIONS):
        raise AssertionError(f"{what}\nexpected:\n{expected}\ngot:\n{got}")


def _read_console(text: str) -> list[tuple[str, str]]:
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)
    if parts[0].strip():
        raise AssertionError("output without a command")
    commands = [part.partition("\n") for part in parts[1:]]
    return [(command, expected) for command, _, expected in commands]


def run_page(page: Path) -> None:
    """Run every block of a page in the current directory, and exit at the first that fails."""
    from trtc_records.sandbox import Sandbox

    blocks = list(read_blocks(page))
    # In development mode the event loop logs steps of a tenth of a second, which happen on a busy machine.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    with Sandbox() as sandbox:
        for name in [name for name in os.environ if name.startswith("TRTC_")]:
            del os.environ[name]
        os.environ |= {**sandbox.environment, "COLUMNS": "100", "NO_COLOR": "1"}
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        running = _Page(page, dict(os.environ))
        output: str | None = ""
        for block in blocks:
            try:
                if block.is_left_alone:
                    output = None
                elif block.is_output:
                    if output is not None:
                        compare(block.code, output, "the output is not what the page shows")
                elif block.language in RUN:
                    output = running.run(block)
            except BaseException:  # noqa: BLE001 - a SystemExit or a cancellation fails an example too
                traceback.print_exc()
                sys.exit(f"{page}:{block.line}: this {block.language} block fails")
        running.close()


if __name__ == "__main__":
    path = Path(sys.argv[1]).resolve()
    os.chdir(sys.argv[2])
    run_page(path)
