"""What is MySQL's and MariaDB's own: unique indexes, collations, old tables."""

from __future__ import annotations

import json

import pytest

from eds_core.errors import RejectedError, TableError, TransientError
from eds_core.event import Version, VersionedKey
from eds_core.schema import ColumnType

TEXT = ColumnType.TEXT


def names(shop, table="thing"):
    return shop.rows(table, "id", "a")


@pytest.fixture
def thing(mysqls, table_of):
    table = table_of("thing", a=TEXT)
    mysqls.prepare(table)
    return table


def test_a_unique_index_of_the_users_overwrites_no_other_row(mysqls, thing, row):
    mysqls.make_unique("thing", "a")
    mysqls.put(thing, 1, id="a", a="x")

    with pytest.raises(RejectedError):
        mysqls.upsert(thing, [row(thing, 2, id="b", a="x"), row(thing, 2, id="c")])

    assert names(mysqls) == [("a", "x")]


def test_a_unique_index_added_meanwhile_overwrites_no_other_row(mysqls, thing, row):
    mysqls.put(thing, 1, id="a", a="x")  # what is known of the table is kept
    mysqls.make_unique("thing", "a")
    rows = [row(thing, 2, id="b", a="x"), row(thing, 2, id="c", a="y")]

    with pytest.raises(TransientError, match="unique indexes"):
        mysqls.upsert(thing, rows)
    with pytest.raises(RejectedError):
        mysqls.upsert(thing, rows)

    assert names(mysqls) == [("a", "x")]


def test_many_rows_beside_a_unique_index_keep_every_rule(mysqls, thing, row):
    mysqls.make_unique("thing", "a")
    mysqls.put(thing, 5, id="1", a="newer")
    mysqls.drop(thing, 5, "2")
    rows = [row(thing, 4, id=str(n), a=f"x{n}") for n in range(1, 6)]

    assert mysqls.upsert(thing, rows) == 3
    assert mysqls.upsert(thing, rows) == 3
    assert names(mysqls) == [("1", "newer"), ("3", "x3"), ("4", "x4"), ("5", "x5")]


def test_of_many_rows_those_that_changed_are_counted(mysqls, thing, row):
    mysqls.put(thing, 5, id="stale", a="x")
    mysqls.put(thing, 1, id="older", a="x")
    rows = [row(thing, 3, id=i, a="y") for i in ("new", "older", "stale")]

    assert mysqls.upsert(thing, rows) == 2
    assert names(mysqls) == [("new", "y"), ("older", "y"), ("stale", "x")]


def test_every_column_of_a_newer_row_is_taken_not_only_the_version(mysqls, table_of):
    table = table_of("thing", a=TEXT, z=TEXT, b=ColumnType.INTEGER)
    mysqls.prepare(table)
    mysqls.put(table, 1, id="x", a="1", z="1", b=1)
    mysqls.put(table, 2, id="x", a="2", z="2", b=2)

    assert mysqls.rows("thing", "a", "z", "b") == [("2", "2", 2)]


def test_a_table_of_the_old_server_is_adopted_with_exact_keys(mysqls, table_of):
    mysqls.run(
        "CREATE TABLE vehicle (id VARCHAR(64) NOT NULL PRIMARY KEY, name TEXT, "
        'at TIMESTAMP NULL, price FLOAT, meta JSON, "list" JSON, tag VARCHAR(64), '
        "ok BOOLEAN) CHARACTER SET utf8mb4",
        "INSERT INTO vehicle (id, name) VALUES ('a', 'old')",
    )
    table = table_of(
        "vehicle",
        name=TEXT,
        at=ColumnType.TIMESTAMP,
        price=ColumnType.NUMBER,
        meta=ColumnType.JSON,
        list=ColumnType.JSON,
        tag=TEXT,
        ok=ColumnType.BOOLEAN,
    )
    assert str(mysqls.prepare(table)) == "adopt table vehicle"
    assert mysqls.prepare(table) is None
    values = {
        "at": "2024-05-06T07:08:09.5Z",
        "price": 1.5,
        "meta": "text",
        "list": [1, {"a": 'it\'s \\ "q"'}],
        "ok": True,
    }
    assert mysqls.put(table, 1, id="A", name="new", **values) == 1

    found = mysqls.rows("vehicle", "id", "name", "price", "ok")
    assert sorted(found) == [("A", "new", 1.5, 1), ("a", "old", None, None)]
    kept = mysqls.value("SELECT list FROM vehicle WHERE id = 'A'")
    assert json.loads(kept) == values["list"]


def test_a_loose_collation_set_later_is_found(mysqls, thing):
    mysqls.run("ALTER TABLE thing MODIFY id VARCHAR(255) COLLATE utf8mb4_general_ci")

    with pytest.raises(TableError, match="utf8mb4_general_ci"):
        mysqls.put(thing, 1, id="a")
    mysqls.prepare(thing)
    mysqls.put(thing, 1, id="a")
    mysqls.put(thing, 1, id="A")
    assert len(names(mysqls)) == 2


def test_a_table_without_transactions_is_refused(mysqls, table_of):
    mysqls.run("CREATE TABLE thing (id VARCHAR(9) PRIMARY KEY) ENGINE = MyISAM")

    with pytest.raises(TableError, match="MyISAM") as caught:
        mysqls.prepare(table_of("thing", a=TEXT))

    assert "ENGINE = InnoDB" in caught.value.advice


@pytest.mark.parametrize("length", [255, 256, 5000])
def test_a_key_is_kept_whole_or_rejected(mysqls, thing, length):
    key = "k" * length
    if length <= 255:
        assert mysqls.put(thing, 1, id=key) == 1
        assert mysqls.drop(thing, 2, key) == 1
        return
    with pytest.raises(RejectedError):
        mysqls.put(thing, 1, id=key)
    assert names(mysqls) == []


def test_keys_of_many_columns_fit_into_an_index(mysqls, table_of):
    key = [f"part{n}" for n in range(8)]
    table = table_of("thing", key=key, a=TEXT)
    mysqls.prepare(table)

    assert mysqls.prepare(table) is None
    assert mysqls.put(table, 1, **dict.fromkeys(key, "k" * 60)) == 1
    assert mysqls.drop(table, 2, *["k" * 60] * 8) == 1


@pytest.mark.parametrize("count", [101, 190])
def test_wide_tables_of_short_texts(mysqls, table_of, count):
    columns = {f"c{n}": TEXT for n in range(count)}
    table = table_of("thing", **columns)
    mysqls.prepare(table)

    assert mysqls.put(table, 1, id="x", **dict.fromkeys(columns, "ü" * 20)) == 1
    assert mysqls.put(table, 2, id="x", **dict.fromkeys(columns, "y" * 3000)) == 1
    assert mysqls.rows("thing", "c0", f"c{count - 1}") == [("y" * 3000, "y" * 3000)]


def test_keys_use_their_index(mysqls, thing, row):
    many = [row(thing, 1, id=str(n)) for n in range(2000)]
    mysqls.upsert(thing, many)
    mysqls.delete(thing, [VersionedKey((f"d{n}",), Version(2)) for n in range(1000)])
    before = _scanned(mysqls)
    mysqls.upsert(thing, many)
    mysqls.delete(thing, [VersionedKey((str(n),), Version(2)) for n in range(400)])
    mysqls.put(thing, 3, id="7")

    assert _scanned(mysqls) - before < 500


def _scanned(shop):
    with shop.driver.session.reading() as connection:
        query = "SHOW SESSION STATUS LIKE 'Handler_read_rnd_next'"
        ((_, count),) = connection.exec_driver_sql(query)
        return int(count)


def test_a_trigger_of_the_users_may_refuse_a_row(mysqls, thing):
    mysqls.run(
        "CREATE TRIGGER refuse BEFORE INSERT ON thing FOR EACH ROW "
        "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'"
    )

    with pytest.raises(RejectedError) as caught:
        mysqls.put(thing, 1, id="x", a="y")

    assert caught.value.signature == "P0001"


def test_a_foreign_key_of_the_users_is_the_tables_fault(mysqls, thing):
    mysqls.run(
        "CREATE TABLE other (id INT PRIMARY KEY)",
        "ALTER TABLE thing ADD o INT DEFAULT 7, "
        "ADD FOREIGN KEY (o) REFERENCES other (id)",
    )

    with pytest.raises(TableError, match="foreign key"):
        mysqls.put(thing, 1, id="x")


def test_a_widening_cut_off_half_way_is_completed(mysqls, table_of):
    mysqls.prepare(table_of("thing", a=ColumnType.BOOLEAN))
    mysqls.put(table_of("thing", a=ColumnType.BOOLEAN), 1, id="x", a=True)
    mysqls.run(
        "ALTER TABLE thing ADD _eds_a LONGTEXT CHARACTER SET utf8mb4 GENERATED ALWAYS "
        "AS (CASE a WHEN 1 THEN 'true' WHEN 0 THEN 'false' END) STORED"
    )
    mysqls.prepare(table_of("thing", a=TEXT))

    assert mysqls.rows("thing", "id", "a") == [("x", "true")]
    assert mysqls.driver.columns("thing") == {"id": TEXT, "a": TEXT}
