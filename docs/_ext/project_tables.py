"""Directives that show tables of the code, so that no page can differ from it.

``{error-codes} 60000-60999`` is that part of the library's own table of error codes, and ``{error-codes} legacy`` the
table of the older service. ``{columns}`` is its table of the columns of an export. ``{readme-section} Performance`` is
the text under that heading of the README, if there is one. The long names of tests may break after an underscore.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any, Final

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from trtc_records._api.error_codes import CALL_CODES
from trtc_records._api.error_codes import ErrorCodes as Codes
from trtc_records._api.legacy import LEGACY
from trtc_records.export._columns import COLUMNS, Kind

_TYPES: Final = {
    Kind.TEXT: ("string", "text", "string"),
    Kind.TEXTS: ("array of strings", "JSON array in a cell", "list of strings"),
    Kind.TIME: ("ISO 8601, UTC", "ISO 8601, UTC", "`timestamp[us, tz=UTC]`"),
    Kind.SECONDS: ("number", "number", "int64"),
    Kind.INTEGER: ("number", "number", "int64"),
    Kind.OBJECT: ("object", "JSON object in a cell", "JSON object as a string"),
}
"""The type of a column in JSON Lines, CSV and Parquet."""
_README: Final = Path(__file__).parents[2] / "README.md"


def read_section(title: str) -> str:
    """Return the text under a heading of the second level in the README."""
    found = re.search(
        rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", _README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return found[1].strip() if found else ""


class _Directive(SphinxDirective):
    required_arguments = 1
    final_argument_whitespace = True

    def parse(self, lines: list[str], source: Path | str) -> list[nodes.Node]:
        """Parse *lines* in the page's own language."""
        container = nodes.container()
        self.state.nested_parse(StringList(lines, str(source)), self.content_offset, container)
        return container.children


class ErrorCodes(_Directive):
    """Show each code of a range, or of the older service: its exception, whether it is tried again, its hint."""

    def run(self) -> list[nodes.Node]:
        """Return a definition for each code."""
        if self.arguments[0] == LEGACY.service:
            codes, prefix, source = LEGACY.errors, "legacy-error", "trtc_records/_api/legacy.py"
            rows = codes.rows
        else:
            first, last = map(int, self.arguments[0].split("-"))
            codes, prefix, source = CALL_CODES, "error", "trtc_records/_api/error_codes.py"
            rows = {code: row for code, row in codes.rows.items() if first <= code <= last}
        if not rows:
            raise self.error(f"there is no code from {self.arguments[0]}")
        lines: list[str] = []
        for code, (error, hint) in sorted(rows.items()):
            again = describe_retries(codes, code)
            lines += [
                f"({prefix}-{code})=",
                f"{code}",
                f": {{py:exc}}`~trtc_records.{error.__name__}`, {again}. {escape(hint, quote=False)}.",
                "",
            ]
        return self.parse(lines, source)


def describe_retries(codes: Codes, code: int) -> str:
    """Return how often the client tries a request again that failed with *code*."""
    if code in codes.renewal:
        return "tried once more, with a new UserSig"
    if code in codes.check_failed:
        return "tried once more"
    return "retried by the client" if codes.rows[code][0].retryable else "not retried"


class Columns(_Directive):
    """Show each column of an export: its meaning, and its type in each format."""

    required_arguments = 0

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        lines = ["| column | meaning | JSON Lines | CSV | Parquet |", "| --- | --- | --- | --- | --- |"]
        lines += [f"| `{column.name}` | {column.meaning} | {' | '.join(_TYPES[column.kind])} |" for column in COLUMNS]
        return self.parse(lines, "trtc_records/export/_columns.py")


class ReadmeSection(_Directive):
    """Show a section of the README."""

    def run(self) -> list[nodes.Node]:
        """Return its text."""
        self.env.note_dependency(str(_README))
        return self.parse(read_section(self.arguments[0]).splitlines(), _README)


def let_names_break(_: Sphinx, doctree: nodes.document, __: str) -> None:
    """Let browsers break the name of a test; a zero-width space would be copied along."""
    for literal in list(doctree.findall(nodes.literal)):
        name = literal.astext()
        if name.startswith("test_"):
            broken = escape(name).replace("_", "_<wbr>")
            literal.replace_self(nodes.raw("", f'<code class="docutils literal">{broken}</code>', format="html"))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_directive("error-codes", ErrorCodes)
    app.add_directive("columns", Columns)
    app.add_directive("readme-section", ReadmeSection)
    app.connect("doctree-resolved", let_names_break)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
