"""Destinations that are only appended to: nothing is lost, and repeats do no harm."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from drivers.appended import LinesDriver
from eds_core.append import AppendDriver
from eds_core.destination import Destination
from eds_core.dryrun import DryRun
from eds_core.errors import ConfigError, TakenOver, TransientError
from eds_core.event import ChangeEvent, Message, Operation, Version, VersionedKey
from eds_core.ledger import Checkpoint, Move
from eds_core.schema import Column, ColumnType, TableSchema
from eds_core.testing.shop import row_of
from eds_core.work import Work
from eds_core.writer import Writer

TABLE = TableSchema(
    "order",
    "1",
    (Column("id", ColumnType.TEXT), Column("total", ColumnType.INTEGER)),
    ("id",),
)
MOVE = Move("shop", 1, 0, 3, 0)


@pytest.fixture
def url(tmp_path):
    return f"lines://{tmp_path}"


@pytest.fixture
def lines(url):
    """An open destination that company ``shop`` is claimed on, at position 0."""
    destination = begun(url)
    yield destination
    destination.close()


def begun(url):
    destination = Destination(LinesDriver(url))
    destination.open()
    destination.ledger.create()
    destination.ledger.establish(Checkpoint("shop", 0, 0, "a", "s", "p"))
    destination.ledger.claim("shop", "me", "server")
    return destination


def change(number, key="a", total=None):
    message = Message("dbchange.order.UPDATE.shop.N.PUBLIC.1.e", b"", number, 1)
    after = json.dumps({"id": key, "total": total or number}).encode()
    event = ChangeEvent(
        "e", "order", Operation.UPDATE, [key], Version(number), "1", after, message
    )
    return event, TABLE


def state(destination):
    """The position, how many lines there are, and what they come to."""
    driver = destination.driver
    position = destination.ledger.checkpoints()["shop"].sequence
    rows = [row["total"] for row in driver.rows(TABLE)]
    return position, len(driver.lines("order")), rows


def test_a_batch_is_written_before_the_position_moves(lines, monkeypatch):
    seen = []

    def write(changes):
        other = LinesDriver(lines.driver.url)
        other.open()
        seen.append((other.ledger.checkpoints()["shop"].sequence, len(changes)))
        other.close()

    monkeypatch.setattr(lines.driver, "write", write)
    Writer(lines).write(Work([change(1), change(3)], {"shop": MOVE}))

    assert seen == [(0, 1)]
    assert state(lines)[0] == 3


DIES = """
import os, sys
sys.path.insert(0, {tests!r})
from drivers.test_append import begun, change, MOVE, Work, Writer
lines = begun({url!r})
write = lines.driver.write
lines.driver.write = lambda changes: (write(changes), os._exit(7))
Writer(lines).write(Work([change(1), change(2)], {{"shop": MOVE}}))
"""


def test_who_dies_between_rows_and_position_repeats_the_rows(url):
    source = DIES.format(tests=str(Path(__file__).parents[1]), url=url)
    died = subprocess.run([sys.executable, "-c", source], check=False, timeout=120)
    lines = Destination(LinesDriver(url))
    lines.open()
    before = state(lines)
    lines.ledger.claim("shop", "me", "server")
    # The next server divides what comes again otherwise.
    Writer(lines).write(Work([change(1)], {"shop": Move("shop", 2, 0, 1, 0)}))
    Writer(lines).write(
        Work([change(2), change(3)], {"shop": Move("shop", 2, 1, 3, 0)})
    )

    assert died.returncode == 7
    assert before == (0, 1, [2])
    assert state(lines) == (3, 3, [3])
    lines.close()


def test_what_cannot_be_written_now_leaves_position_and_comes_again(lines, monkeypatch):
    work = Work([change(1)], {"shop": MOVE})

    def full(_changes):
        raise TransientError("no space left")

    with monkeypatch.context() as broken:
        broken.setattr(lines.driver, "write", full)
        with pytest.raises(TransientError):
            Writer(lines).write(work)
    assert state(lines) == (0, 0, [])
    Writer(lines).write(work)

    assert state(lines) == (3, 1, [1])


def test_a_bad_row_is_quarantined_and_the_others_are_written_once(lines):
    bad, good = change(2, "bad", total="many"), [change(1, "one"), change(3, "two")]
    Writer(lines).write(Work([bad, *good], {"shop": MOVE}))

    assert [entry.id for entry in lines.ledger.quarantined()] == ["2"]
    assert state(lines) == (3, 2, [1, 3])


def test_what_a_savepoint_undoes_is_not_written(lines):
    lines.prepare(TABLE)
    with lines.transaction():
        put(lines, 1)
        with pytest.raises(ZeroDivisionError), lines.savepoint():
            put_and_fail(lines, 2)

    assert state(lines) == (0, 1, [1])


def put(destination, number):
    destination.upsert(TABLE, [row_of(TABLE, number, id="a", total=number)])


def put_and_fail(destination, number):
    put(destination, number)
    raise ZeroDivisionError


def test_who_was_taken_over_appends_nothing(lines):
    other = Destination(LinesDriver(lines.driver.url))
    other.open()
    other.ledger.claim("shop", "rival", "server")
    other.close()

    with pytest.raises(TakenOver, match="rival"):
        Writer(lines).write(Work([change(1)], {"shop": MOVE}))

    assert state(lines) == (0, 0, [])


def test_a_dry_run_makes_no_state(url, tmp_path):
    dry = Destination(DryRun(url, LinesDriver))
    dry.open()
    dry.prepare(TABLE)
    put(dry, 1)

    assert dry.ledger.checkpoints() == {}
    dry.close()
    assert list(tmp_path.iterdir()) == []


def test_the_example_of_the_page_for_authors_works(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "writing-a-driver.md").read_text()
    (source,) = re.findall(r"(?ms)^```python\n(import os\n.*?)^```", page)
    made = {}
    exec(source, made)
    url = f"lines://{tmp_path}/changes?state={tmp_path}/state.db"
    destination = Destination(made["LinesDriver"](url))
    destination.open()
    destination.prepare(TABLE)
    put(destination, 1)
    destination.delete(TABLE, [VersionedKey(("a",), Version(2))])
    destination.close()

    lines = (tmp_path / "changes").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        ["order", ["a"], "1.0000000000", {"id": "a", "total": 1}],
        ["order", ["a"], "2.0000000000", None],
    ]


class Topic(AppendDriver):
    """A destination that is no place on this machine."""

    title = "Topic"
    example_url = "topic://host/name?state=/var/lib/eds/shop.db"

    def write(self, changes):
        """Nobody asks for it here."""


def test_the_url_has_to_say_where_the_position_is_kept(tmp_path):
    with pytest.raises(ConfigError, match="where to keep the position") as caught:
        Topic("topic://user:secret@host/name")
    driver = Topic(f"topic://host/name?state={tmp_path}/shop.db")
    driver.open()
    driver.ledger.create()
    driver.close()

    assert "state=/var/lib/eds/shop.db" in caught.value.advice
    assert "secret" not in str(caught.value)
    assert [path.name for path in tmp_path.glob("*.db")] == ["shop.db"]
