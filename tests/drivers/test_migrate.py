"""How real tables follow the model, on every database."""

from __future__ import annotations

from decimal import Decimal

import pytest

from eds_core.errors import TableError
from eds_core.schema import Column, ColumnType, SchemaChange, TableSchema, diff

ALL = {f"a_{kind}": kind for kind in ColumnType}
TEXT, INTEGER = ColumnType.TEXT, ColumnType.INTEGER


def test_a_created_table_reads_back_as_it_was_meant(shop, table_of):
    table = table_of("thing", **ALL)

    assert shop.driver.columns("thing") == {}
    assert str(shop.prepare(table)) == "create table thing"
    assert shop.driver.columns("thing") == table.types
    assert shop.prepare(table) is None


def test_every_type_can_be_a_key(shop, table_of):
    for kind in ColumnType:
        table = TableSchema(f"by_{kind}", "1", (Column("id", kind),), ("id",))
        shop.prepare(table)

        assert shop.prepare(table) is None


def test_a_migration_is_done_twice_as_after_a_crash(shop, table_of):
    change = SchemaChange(table_of("thing", a=TEXT), creates=True)

    assert shop.migrate(change) == 1
    assert shop.migrate(change) == 0


def test_columns_are_added_twice_as_after_a_crash(shop, table_of):
    shop.prepare(table_of("thing", a=TEXT))
    shop.put(table_of("thing", a=TEXT), 1, id="x", a="kept")
    wider = table_of("thing", a=TEXT, b=INTEGER, c=ColumnType.JSON)
    change = diff(wider, shop.driver.columns("thing"))

    assert shop.migrate(change) == 2
    assert shop.migrate(change) == 0
    assert shop.rows("thing", "id", "a", "b") == [("x", "kept", None)]


def test_half_a_migration_is_completed(shop, table_of):
    shop.prepare(table_of("thing", a=TEXT))
    change = diff(table_of("thing", a=TEXT, b=TEXT, c=TEXT), {"id": TEXT, "a": TEXT})
    shop.run("ALTER TABLE thing ADD b TEXT")

    assert shop.migrate(change) == 1


def test_two_servers_migrate_at_once(shop, table_of):
    table = table_of("thing", a=TEXT)
    with shop.another() as second:
        change = diff(table, second.driver.columns("thing"))
        shop.prepare(table)

        assert second.migrate(change) == 0
        assert second.put(table, 1, id="a") == 1


def test_another_server_widens_what_this_one_knows(shop, table_of):
    narrow, wide = table_of("thing", a=INTEGER), table_of("thing", a=TEXT)
    shop.prepare(narrow)
    shop.put(narrow, 1, id="x", a=1)
    with shop.another() as second:
        second.prepare(wide)
        second.put(wide, 2, id="y", a="00012")

    shop.put(narrow, 3, id="x", a=9_007_199_254_740_993)
    assert shop.rows("thing", "id", "a") == [("x", "9007199254740993"), ("y", "00012")]


@pytest.mark.parametrize(
    ("types", "values", "expected"),
    [
        ((INTEGER, TEXT), [7, -(2**63)], ["7", "-9223372036854775808"]),
        ((INTEGER, ColumnType.DECIMAL), [2**63 - 1], ["9223372036854775807"]),
        ((ColumnType.NUMBER, ColumnType.DECIMAL), [0.1, 0.1 + 0.2, 1.5], None),
        ((ColumnType.BOOLEAN, TEXT), [True, False], ["true", "false"]),
        ((ColumnType.BYTES, TEXT), ["AAEC"], ["AAEC"]),
        ((ColumnType.DECIMAL, TEXT), ["12345678901234567890.10"], None),
    ],
)
def test_a_wider_type_keeps_every_value(shop, table_of, types, values, expected):
    old, new = types
    narrow, wide = table_of("thing", a=old, b=TEXT), table_of("thing", a=new, b=TEXT)
    shop.prepare(narrow)
    for n, value in enumerate(values):
        shop.put(narrow, 1, id=str(n), a=value, b="b")
    shop.prepare(wide)

    assert shop.driver.columns("thing")["a"] is new
    assert shop.prepare(wide) is None
    as_value = Decimal if ColumnType.DECIMAL in types else str
    found = [as_value(a) for _, a in shop.rows("thing", "id", "a")]
    assert found == [as_value(str(value)) for value in expected or values]
    assert shop.put(wide, 0, id="0", a="1") == 0


def test_moments_become_text_in_utc(shop, table_of):
    kinds = {"a": ColumnType.TIMESTAMP, "b": ColumnType.DATETIME}
    shop.prepare(table_of("thing", **kinds))
    moment = "2024-05-06T07:08:09.123456Z"
    shop.put(table_of("thing", **kinds), 1, id="x", a=moment, b=moment)
    shop.prepare(table_of("thing", a=TEXT, b=TEXT))

    ((a, b),) = shop.rows("thing", "a", "b")
    assert (a, b) == (moment, moment)


def test_leading_zeros_survive_in_a_widened_column(shop, table_of):
    shop.prepare(table_of("thing", a=INTEGER))
    shop.put(table_of("thing", a=INTEGER), 1, id="x", a=12)
    wide = table_of("thing", a=TEXT)
    shop.prepare(wide)
    shop.put(wide, 1, id="y", a="00012")
    shop.put(wide, 1, id="z", a=7)

    assert shop.rows("thing", "id", "a") == [("x", "12"), ("y", "00012"), ("z", "7")]


def test_a_narrower_model_writes_into_a_wider_column(shop, table_of):
    shop.prepare(table_of("thing", a=TEXT))
    table = table_of("thing", a=INTEGER)

    assert shop.prepare(table) is None
    shop.put(table, 1, id="x", a=7)
    assert shop.rows("thing", "a") == [("7",)]


def test_a_table_of_an_old_server_is_adopted(shop, table_of):
    shop.run(
        'CREATE TABLE "order" (id varchar(100) PRIMARY KEY, name varchar(200))',
        "INSERT INTO \"order\" VALUES ('a', 'old'), ('b', 'old')",
    )
    table = table_of("order", name=TEXT)

    assert str(shop.prepare(table)) == "adopt table order"
    assert shop.prepare(table) is None
    assert shop.driver.columns("order") == {"id": None, "name": None}
    shop.put(table, 1, id="a", name="new")
    assert shop.rows("order", "id", "name") == [("a", "new"), ("b", "old")]


def test_a_table_with_another_primary_key_is_refused(shop, table_of):
    shop.run("CREATE TABLE thing (no int PRIMARY KEY, id varchar(9), a text)")
    table = table_of("thing", key=("id", "a"))

    with pytest.raises(TableError, match=r"primary key of thing is \(no\)") as caught:
        shop.prepare(table)

    assert caught.value.table == "thing"
    assert caught.value.advice


def test_a_table_without_a_key_is_refused_with_the_remedy(shop, table_of):
    shop.run('CREATE TABLE "order" (id varchar(9), "end" text)')
    table = table_of("order", end=TEXT)

    with pytest.raises(TableError) as caught:
        shop.prepare(table)

    shop.run(caught.value.advice.removeprefix("run: "))
    shop.prepare(table)
    assert shop.put(table, 1, id="a") == 1
    assert shop.put(table, 0, id="a") == 0


def test_a_surrogate_primary_key_beside_a_unique_key_will_do(shop, table_of):
    shop.run(
        "CREATE TABLE thing (id varchar(9) NOT NULL UNIQUE, a text, "
        "loaded varchar(40) DEFAULT 'once' PRIMARY KEY)"
    )
    table = table_of("thing", a=TEXT)
    shop.prepare(table)

    assert shop.put(table, 1, id="a", a="x") == 1


def test_a_generated_column_is_left_to_the_database(shop, table_of):
    shop.run(
        "CREATE TABLE thing (id varchar(9) PRIMARY KEY, a text, "
        "b text GENERATED ALWAYS AS (a || '!') STORED)"
    )
    table = table_of("thing", a=TEXT, b=TEXT)
    shop.prepare(table)
    shop.put(table, 1, id="x", a="hi", b="ignored")

    assert shop.rows("thing", "a", "b") == [("hi", "hi!")]
