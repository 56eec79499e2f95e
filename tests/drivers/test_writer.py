"""What the writer asks of a destination, and how often."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from eds_core.event import ChangeEvent, Message, Operation, Version
from eds_core.ledger import Checkpoint, Move
from eds_core.schema import ColumnType, TableSchema
from eds_core.work import Work
from eds_core.writer import Writer


@pytest.fixture
def looked(shop, monkeypatch) -> list[str]:
    """The tables that were looked at, in turn."""
    found: list[str] = []
    look = shop.driver.look
    monkeypatch.setattr(
        shop.driver, "look", lambda table: (found.append(table), look(table))[1]
    )
    return found


@pytest.fixture
def moves(shop) -> Iterator[dict[str, Move]]:
    """Steps of the checkpoint, one behind the other."""
    shop.ledger.establish(Checkpoint("shop", 0, 0, "a", "s", "p"))
    shop.ledger.claim("shop", "me", "server")
    return ({"shop": Move("shop", 1, n, n + 1, 0)} for n in range(9))


def insert(
    number: int, model: TableSchema, **values: object
) -> tuple[ChangeEvent, TableSchema]:
    subject = f"dbchange.{model.name}.INSERT.shop.N.PUBLIC.1.e"
    message = Message(subject, b"", number, 1)
    row = {"id": str(number), **dict.fromkeys(model.types.keys() - {"id"}, number)}
    row |= values
    event = ChangeEvent(
        f"e{number}",
        model.name,
        Operation.INSERT,
        [str(number)],
        Version(number),
        model.model_version,
        json.dumps(row).encode(),
        message,
    )
    return event, model


def test_models_that_come_mixed_are_compared_with_the_table_once_each(
    shop, table_of, looked, moves
):
    """As while the shop's service is brought up to date, machine by machine."""
    old = table_of("order", total=ColumnType.INTEGER)
    new = table_of("order", total=ColumnType.INTEGER, points=ColumnType.INTEGER)
    writer = Writer(shop)
    for first in (1, 101):
        changes = [insert(n, new if n % 2 else old) for n in range(first, first + 100)]
        writer.write(Work(changes, next(moves)))

    assert shop.value('SELECT count(*) FROM "order"') == 200
    assert shop.value('SELECT sum(points) FROM "order"') == sum(range(1, 201, 2))
    assert len(looked) < 20


def test_what_mends_a_parked_table_can_be_pasted(shop, table_of, moves):
    table = table_of("order", total=ColumnType.INTEGER)
    shop.run('CREATE TABLE "order" (id VARCHAR(9), other INT)')
    Writer(shop).write(Work([insert(1, table)], next(moves)))

    (parked,) = shop.ledger.parked()
    assert parked.sequence == 1
    assert "CREATE UNIQUE INDEX" in parked.advice
    assert parked.advice.endswith("then `eds resume order URL`")


def test_a_table_that_fails_among_others_is_parked_alone(shop, table_of, moves):
    """Also where all were sent before the first was answered."""
    tables = [
        table_of(n, total=ColumnType.INTEGER) for n in ("brand", "label", "order")
    ]
    writer = Writer(shop)
    writer.write(Work([insert(1, table) for table in tables], next(moves)))
    shop.run("ALTER TABLE label RENAME TO kept", "CREATE TABLE label (other INT)")
    changes = [insert(n, table) for n, table in enumerate(tables, 2)]
    written = writer.write(Work(changes, next(moves)))

    assert written.rows == {"brand": 1, "order": 1}
    assert [parked.table for parked in shop.ledger.parked()] == ["label"]
    assert shop.rows("brand", "id") == [("1",), ("2",)]
    assert shop.rows("order", "id") == [("1",), ("4",)]
    assert shop.ledger.checkpoints()["shop"].sequence == 2


def test_a_row_that_is_rejected_all_the_same_is_not_told_as_mended(
    shop, table_of, moves, caplog
):
    table = table_of("order", total=ColumnType.INTEGER)
    bad = insert(1, table, total="many", secret="of the shop's own")
    Writer(shop).write(Work([bad, insert(2, table, secret=5)], next(moves)))

    assert [entry.id for entry in shop.ledger.quarantined()] == ["1"]
    assert "left out" not in caplog.text


def test_a_row_that_was_mended_is_told_once(postgresql, table_of, caplog):
    shop, table = postgresql, table_of("order", total=ColumnType.INTEGER)
    shop.ledger.establish(Checkpoint("shop", 0, 0, "a", "s", "p"))
    shop.ledger.claim("shop", "me", "server")
    odd = insert(1, table, total=1.0)
    bad = insert(2, table, total="many")
    Writer(shop).write(Work([odd, bad], {"shop": Move("shop", 1, 0, 1, 0)}))

    assert shop.rows("order", "id", "total") == [("1", 1)]
    assert caplog.text.count("written as a plain integer") == 1
