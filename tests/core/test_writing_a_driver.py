"""The page for driver authors: its tutorial works as written, no hook is missing."""

from __future__ import annotations

import ast
import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import eds_core
import eds_core.append
import eds_core.sql
import eds_core.testing
from eds_core.driver import PROJECT, Driver
from eds_core.plugins import Observer

TOP = Path(__file__).parents[2]
PAGES = [TOP / "docs" / name for name in ("writing-a-driver.md", "plugins.md")]
PAGE = PAGES[0].read_text()
LONG = 900  # seconds: this installs, and runs the whole kit
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\S+\.py)\n")

#: The test that sees to each hook being called with what its specification says.
TESTED = {
    "migrate": "test_a_created_table_reads_back_as_it_was_meant",
    "upsert": "test_a_row_is_inserted_and_updated",
    "delete": "test_a_row_deleted_before_it_came_stays_away",
    "bulk_load": "test_a_bulk_load_tells_inserts_from_updates",
    "diagnose": "test_a_driver_gives_its_own_checks_and_leaves_nothing_behind",
    "batch_written": "test_observers_are_told_all_of_them",
    "batch_failed": "test_observers_are_told_all_of_them",
    "quarantined": "test_an_observer_that_fails_keeps_nobody_and_is_said_once",
}


def hooks():
    """Each hook of the specification, with its function."""
    for spec in (Driver, Observer):
        for name, function in vars(spec).items():
            if hasattr(function, f"{PROJECT}_spec"):
                yield name, function


HOOKS = dict(hooks())


@pytest.mark.parametrize("name", sorted(HOOKS))
def test_a_hook_is_documented_with_its_exact_signature(name):
    signature = f"`{name}{inspect.signature(HOOKS[name])}`".replace("'", "")

    assert any(signature in page.read_text() for page in PAGES), signature


def test_each_hook_has_a_test_that_exists():
    places = [TOP / "tests", TOP / "eds-core/src/eds_core/testing/layers"]
    sources = [file.read_text() for at in places for file in at.rglob("*.py")]
    there = set(re.findall(r"^ *def (test_\w+)", "\n".join(sources), re.MULTILINE))

    assert TESTED.keys() == HOOKS.keys()
    assert set(TESTED.values()) - there == set()


PUBLIC = {
    module.__name__: module.__all__
    for module in (eds_core, eds_core.append, eds_core.sql, eds_core.testing)
}


@pytest.mark.parametrize("module", [sys.modules[name] for name in PUBLIC])
def test_what_is_public_is_there_and_in_order(module):
    assert module.__all__ == [*dict.fromkeys(module.__all__)]
    assert all(hasattr(module, name) for name in module.__all__)
    assert f"`{module.__name__}.__all__`" in PAGE


MODELS = sorted(
    file
    for place in ("contrib", "examples")
    for file in TOP.glob(f"{place}/*/src/**/*.py")
)


@pytest.mark.parametrize("file", MODELS, ids=lambda file: str(file.relative_to(TOP)))
def test_what_authors_copy_from_uses_public_names_only(file):
    nodes = list(ast.walk(ast.parse(file.read_text())))
    imported = [
        (node.module, alias.name)
        for node in nodes
        if isinstance(node, ast.ImportFrom) and not node.level
        for alias in node.names
        if str(node.module).partition(".")[0] == "eds_core"
    ]
    modules = {f"{module}.{name}" for module, name in imported} & PUBLIC.keys()
    named = [
        (f"eds_core.{node.value.id}", node.attr)
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    ]

    used = [*imported, *(each for each in named if each[0] in modules)]
    assert [
        (module, name)
        for module, name in used
        if name not in PUBLIC.get(module, ()) and f"{module}.{name}" not in modules
    ] == []


def test_what_the_pages_name_is_public():
    text = "\n".join(page.read_text() for page in PAGES)
    used = re.findall(r"\b(eds_core(?:\.(?:append|sql|testing))?)\.(\w+)", text)
    modules = {module.rpartition(".")[2] for module in PUBLIC}

    for module, name in used:
        known = {*PUBLIC[module], "__all__", *modules}
        assert name in known, f"{module}.{name}"


def test_every_error_that_a_driver_may_raise_is_documented():
    errors = {
        name
        for name in eds_core.__all__
        if inspect.isclass(it := getattr(eds_core, name)) and issubclass(it, Exception)
    }
    abstract = {"EdsError", "DestinationError", "DecodeError"}

    assert errors - abstract - set(re.findall(r"`(\w+)`", PAGE)) == set()


@pytest.fixture
def author(tmp_path, postgres_url):
    """The environment of somebody who has EDS, a compiler of nothing, a database."""
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    venv = tmp_path / "venv"
    like = f"--python={sys.executable}"
    subprocess.run([uv, "venv", "-q", "--seed", venv, like], check=True)
    core = ("-e", str(TOP / "eds-core"))
    command = [uv, "pip", "install", "-q", f"--python={venv}", *core]
    subprocess.run(command, check=True, timeout=LONG)
    url = "elephant" + postgres_url.removeprefix("postgresql")
    path = f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "EDS_TEST_ELEPHANT_URL": url}


@pytest.mark.timeout(LONG)
def test_the_tutorial_works_as_written(author, tmp_path):
    tutorial = PAGE.partition("## A driver from nothing")[2].partition("\n## ")[0]
    place, ran = tmp_path, 0
    for kind, text in BLOCK.findall(tutorial):
        if kind == "python":
            path = FILE.match(text)
            (place / path[1]).write_text(text[path.end() :])
            continue
        for command in re.findall(r"^\$ (.*)$", text, re.MULTILINE):
            ran += 1
            if command.startswith("cd "):
                place /= command.removeprefix("cd ")
            elif not command.startswith("export "):  # the fixture's is meant
                check(command, place, author)
    assert ran == 13


def check(command, place, environment):
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=LONG,
    )
    fails = command.endswith("# fails")
    assert (done.returncode != 0) == fails, f"{command}\n{done.stdout}{done.stderr}"
