"""Plugins other than drivers: observers, and commands of other distributions."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from textwrap import dedent
from threading import Event

import pytest
from click.testing import CliRunner

from eds_core.cli import main
from eds_core.cli.main import COMMANDS
from eds_core.destination import Destination
from eds_core.driver import hookimpl
from eds_core.event import Message
from eds_core.ledger import Quarantined
from eds_core.plugins import Background, Observer, Transform, Transformer
from eds_core.schema import Column, ColumnType, TableSchema
from eds_core.testing import MemoryDriver
from eds_core.transforms import find_transforms

MESSAGE = Message("dbchange.order.INSERT.acme", b"{}", 42, 0)
ENTRY = Quarantined("42", "acme", "order", "e1", MESSAGE, "a reason")


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a distribution with one command where Python finds it, as pip would."""
    monkeypatch.syspath_prepend(str(tmp_path))
    modules = set(sys.modules)

    def install(name, source):
        info = tmp_path / f"eds_command_{name}-1.0.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: eds-command-{name}\nVersion: 1.0\n"
        (info / "METADATA").write_text(metadata)
        entry = f"[{COMMANDS}]\n{name} = eds_command_{name}:command\n"
        (info / "entry_points.txt").write_text(entry)
        (tmp_path / f"eds_command_{name}.py").write_text(dedent(source))

    yield install
    for name in set(sys.modules) - modules:
        del sys.modules[name]


HELLO = """
import click

@click.command("hello")
def command():
    "Greet."
    click.echo("good day")
"""


def eds(*arguments):
    return CliRunner().invoke(main, arguments)


def test_an_installed_command_runs_and_is_listed(install):
    install("hello", HELLO)

    assert eds("hello").output == "good day\n"
    assert "Greet." in eds("--help").output


@pytest.mark.parametrize(
    ("source", "reason"),
    [("1 / 0", "ZeroDivisionError"), ("command = 7", "no click.Command")],
    ids=["cannot be imported", "is no command"],
)
def test_a_broken_command_says_so_and_the_others_go_on(install, source, reason):
    install("hello", HELLO)
    install("broken", source)

    broken = eds("broken", "--any", "thing")

    assert broken.exit_code == 2
    assert reason in broken.output
    assert "eds_command_broken" in broken.output
    assert eds("--help").exit_code == 0
    assert eds("hello").output == "good day\n"


def test_a_command_of_eds_cannot_be_replaced(install):
    install("drivers", HELLO)

    assert "good day" not in eds("drivers").output


class Watching:
    """Implements every hook of an observer."""

    def __init__(self):
        self.told = []

    @hookimpl
    def batch_written(self, report):
        self.told.append(report)

    @hookimpl
    def batch_failed(self, error):
        self.told.append(error)

    @hookimpl
    def quarantined(self, entries):
        self.told.append(entries)


class Failing:
    @hookimpl
    def quarantined(self):
        raise RuntimeError("https://hooks.example.com/secret")


def test_an_observer_that_fails_keeps_nobody_and_is_said_once(caplog):
    first, last = Watching(), Watching()
    plugins = [first, Failing(), last]
    destination = Destination(MemoryDriver("memory://observed"), plugins)

    for _ in range(3):
        destination.quarantined([ENTRY])

    assert first.told == last.told == [[ENTRY]] * 3
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1
    assert "RuntimeError" in said[0]
    assert "secret" not in said[0]


def test_every_hook_of_an_observer_has_a_destination_that_calls_it():
    watching = Watching()
    destination = Destination(MemoryDriver("memory://observed"), [watching])
    hooks = [name for name in vars(Observer) if not name.startswith("_")]

    for name in hooks:
        getattr(destination, name)(name)

    assert watching.told == hooks


class Changing:
    """Implements every hook of a transformer."""

    def __init__(self):
        self.asked = set()

    @hookimpl
    def drops_table(self):
        self.asked.add("drops_table")
        return False

    @hookimpl
    def transform(self, table):
        self.asked.add("transform")
        return Transform(table, lambda row: row)


def test_every_hook_of_a_transformer_is_asked():
    changing = Changing()
    transforms = find_transforms([changing])
    table = TableSchema("order", "", (Column("id", ColumnType.TEXT),), ("id",))

    assert not transforms.drops("order")
    assert transforms.of(table).table is table

    assert changing.asked == {n for n in vars(Transformer) if not n.startswith("_")}


def test_what_waits_in_the_background_is_bounded_and_drops_are_said_once(caplog):
    going, go, done = Event(), Event(), Event()

    def call(item):
        going.set()
        assert go.wait(60)
        if item == "last":
            done.set()

    background = Background("slow", call, most=2)
    background.put("first")
    assert going.wait(60)
    taken = [background.put(item) for item in ("second", "last", "lost", "lost")]
    go.set()

    assert taken == [True, True, False, False]
    assert done.wait(60)
    assert [r.getMessage() for r in caplog.records].count(
        "slow is too slow: what does not fit is dropped"
    ) == 1


def test_the_background_goes_on_after_a_failure_which_is_said_once(caplog):
    done = Event()

    def call(item):
        if item == "last":
            done.set()
            return
        raise ValueError("a secret")

    background = Background("shaky", call)
    for item in ("bad", "bad", "last"):
        background.put(item)

    assert done.wait(60)
    said = [record.getMessage() for record in caplog.records]
    assert said == ["shaky fails: ValueError"]


@pytest.mark.parametrize("specification", [Observer, Transformer])
def test_every_hook_is_documented_with_its_signature(specification):
    page = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text()
    hooks = {n: h for n, h in vars(specification).items() if not n.startswith("_")}

    for name, hook in hooks.items():
        assert f"`{name}{inspect.signature(hook)}`".replace("'", "") in page
