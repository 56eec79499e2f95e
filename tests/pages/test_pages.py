"""Each command line and statement of the pages is one that there is, run or not."""

from __future__ import annotations

import ast
import re
from itertools import chain

import click
import pytest

from eds_core.cli.main import main, with_command
from eds_core.destination import find_driver
from pages.blocks import (
    LIST,
    PAGES,
    TOP,
    blocks,
    commands,
    eds,
    is_run,
    not_run,
    programs,
)

EVERY = [(block, line) for page in PAGES for block, line in commands(page)]
#: Their commands and drivers are not installed here.
ELSEWHERE = {"contrib", "examples"}
INLINE = re.compile(r"`(eds(?:-server)? [^`…]+)`")
URL = re.compile(r"[a-z]+://[^\s'\"]+")
#: The statements of these marks are run by these tests, on these pages.
RUN_BY = {
    "grants": {
        "eds-driver-mysql/README.md": "tests/drivers/test_mysql_connecting.py",
        "eds-driver-postgres/README.md": "tests/drivers/test_postgres_connecting.py",
    },
    "reader": {"docs/diagnosis.md": "tests/acceptance/test_status.py"},
    "sql": {
        "docs/diagnosis.md": "tests/acceptance/test_status.py",
        "docs/guide.md": "tests/acceptance/test_schema_changes.py",
    },
}


def is_here(page):
    return page.relative_to(TOP).parts[0] not in ELSEWHERE


def ours():
    """Each `eds` of the blocks, and each in the middle of the text."""
    lines = [(block.where, line) for block, line in EVERY if is_here(block.page)]
    for page in filter(is_here, PAGES):
        found = INLINE.findall(page.read_text())
        lines += [(str(page.relative_to(TOP)), line) for line in found]
    for where, line in dict.fromkeys(lines):
        for words in filter(lambda words: "--help" not in words, eds(line)):
            yield pytest.param(words, id=f"{where} {' '.join(words)}")


@pytest.mark.parametrize("words", [*ours()])
def test_a_command_is_read_by_its_parser(words):
    command, rest = main, with_command(words)
    context = click.Context(main, info_name="eds")
    while rest and isinstance(command, click.Group):
        name, *rest = rest
        command = command.get_command(context, name)
        assert command is not None, name

    command.make_parser(click.Context(command, context)).parse_args(rest)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(url, id=f"{block.where} {url}")
        for block, line in EVERY
        if any(eds(line)) and is_here(block.page)
        for url in URL.findall(line)
    ],
)
def test_a_url_is_read_by_its_driver(url):
    find_driver(url)(url)


def test_what_is_not_run_is_named_for_a_reason():
    every = chain(
        ((block, line) for block, line in EVERY),
        ((block, block.text) for page in PAGES for block in blocks(page, "sql")),
    )
    texts = [(str(block.page.relative_to(TOP)), text) for block, text in every]
    listed = not_run()

    assert len(listed) > 10
    assert len(set(listed)) == len(listed)
    for part in listed:
        assert any(part in text or part == place for place, text in texts), part


def test_what_is_run_instead_is_there():
    section = LIST.read_text().partition("## Commands that no test runs")[2]

    for name in re.findall(r"`(tests/[\w/.]+)`", section):
        assert (TOP / name).exists(), name


def test_every_nox_session_that_is_named_is_there():
    tree = ast.parse((TOP / "noxfile.py").read_text())
    there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    named = set()
    for _, line in EVERY:
        for words in programs(line):
            if "-s" in words and any(word.endswith("nox") for word in words):
                named.update(sessions(words))

    assert len(named) > 5
    assert named - there == set()


def sessions(words):
    """What stands between `-s` and `--`."""
    rest = words[words.index("-s") + 1 :]
    return rest[: rest.index("--")] if "--" in rest else rest


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(block, id=block.where)
        for page in PAGES
        for block in blocks(page, "sql")
    ],
)
def test_every_statement_of_sql_is_run_or_named(block):
    if not is_run(block, block.text):
        return  # the list says why
    place, mark = str(block.page.relative_to(TOP)), block.mark.partition(":")[0]

    assert (TOP / RUN_BY[mark][place]).exists()
