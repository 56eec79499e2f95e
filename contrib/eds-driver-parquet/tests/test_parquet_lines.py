"""What the README says of itself."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parents[1]


def code_lines(source: str) -> int:
    """Lines that hold code: no blank, no comment, no docstring."""
    docs: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            docs |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = enumerate(source.splitlines(), 1)
    return sum(
        1 for n, line in lines if n not in docs and line.strip()[:1] not in ("", "#")
    )


def test_the_readme_tells_how_many_lines_it_took():
    files = sorted((HERE / "src").rglob("*.py"))
    lines = sum(code_lines(file.read_text(encoding="utf-8")) for file in files)

    told = re.search(r"(\d+) lines of code", (HERE / "README.md").read_text())

    assert told
    assert int(told[1]) == lines
