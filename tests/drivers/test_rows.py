"""How rows are guarded, on every database."""

from __future__ import annotations

import pytest

from eds_core.errors import RejectedError, TableError
from eds_core.event import Version, VersionedKey
from eds_core.schema import ColumnType

TEXT = ColumnType.TEXT


def names(shop, table="order"):
    return shop.rows(table, "id", "name")


def test_a_row_is_inserted_and_updated(shop, order):
    assert shop.put(order, 1, id="a", name="x", total=1) == 1
    assert shop.put(order, 2, id="a", name="y", total=2) == 1

    assert shop.rows("order", "id", "name", "total") == [("a", "y", 2)]


def test_a_stale_row_does_nothing(shop, order):
    shop.put(order, 2, id="a", name="new")

    assert shop.put(order, 1, id="a", name="old") == 0
    assert names(shop) == [("a", "new")]


def test_of_equal_versions_the_later_wins(shop, order):
    shop.put(order, 2, id="a", name="first")

    assert shop.put(order, 2, id="a", name="second") == 1
    assert names(shop) == [("a", "second")]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Version(5, 9), Version(5, 10)),
        (Version(99, 9), Version(100, 0)),
        (Version(1_700_000_000_000_000_001, 0), Version(1_700_000_000_000_000_002, 0)),
        (Version(5, 2), Version(5, 1_000_000_000)),
    ],
)
def test_versions_are_ordered_as_pairs_of_whole_numbers(shop, order, first, second):
    shop.put(order, second, id="a", name="second")
    shop.put(order, first, id="a", name="first")
    shop.put(order, first, id="b", name="first")
    shop.put(order, second, id="b", name="second")

    assert names(shop) == [("a", "second"), ("b", "second")]


def test_a_late_insert_does_not_bring_a_deleted_row_back(shop, order):
    shop.put(order, 1, id="a")

    assert shop.drop(order, 5, "a") == 1
    assert shop.put(order, 4, id="a", name="late") == 0
    assert names(shop) == []


def test_a_row_deleted_before_it_came_stays_away(shop, order):
    assert shop.drop(order, 5, "a") == 0
    assert shop.put(order, 4, id="a") == 0
    assert shop.put(order, 5, id="a", name="equal") == 1
    assert names(shop) == [("a", "equal")]


def test_a_stale_deletion_leaves_the_newer_row(shop, order):
    shop.put(order, 6, id="a", name="new")

    assert shop.drop(order, 5, "a") == 0
    assert names(shop) == [("a", "new")]


def test_a_deletion_as_old_as_the_row_removes_it(shop, order):
    shop.put(order, 5, id="a")

    assert shop.drop(order, 5, "a") == 1


def test_a_row_put_back_by_hand_is_not_touched_by_stale_events(shop, order):
    shop.drop(order, 9, "a")
    shop.run("INSERT INTO \"order\" (id, name) VALUES ('a', 'by hand')")

    assert shop.put(order, 8, id="a", name="stale") == 0
    assert names(shop) == [("a", "by hand")]


def test_a_tombstone_only_rises(shop, order):
    shop.drop(order, 9, "a")
    shop.drop(order, 5, "a")

    assert shop.put(order, 8, id="a") == 0
    assert shop.put(order, 10, id="a") == 1


def test_a_deletion_removes_what_an_old_server_left(shop, order):
    shop.put(order, 1, id="a")
    shop.run('UPDATE "order" SET _eds_version = NULL')

    assert shop.drop(order, 0, "a") == 1


def test_a_row_without_a_version_is_the_oldest(shop, order):
    shop.put(order, 9, id="a", name="left by the old server")
    shop.run('UPDATE "order" SET _eds_version = NULL')

    assert shop.put(order, 0, id="a", name="new") == 1
    assert names(shop) == [("a", "new")]


def test_columns_outside_of_the_model_are_untouched(shop, order):
    shop.run('ALTER TABLE "order" ADD note TEXT')
    shop.put(order, 1, id="a", name="x")
    shop.run("UPDATE \"order\" SET note = 'mine'")
    shop.put(order, 2, id="a", name="y", note="theirs")

    assert shop.rows("order", "id", "name", "note") == [("a", "y", "mine")]


def test_an_older_model_leaves_newer_columns_alone(shop, order, table_of):
    newer = table_of("order", name=TEXT, total=ColumnType.INTEGER, color=TEXT)
    shop.prepare(newer)
    shop.put(newer, 1, id="a", name="x", color="red")
    shop.put(order, 2, id="a", name="y")

    assert shop.rows("order", "name", "color") == [("y", "red")]


def test_a_column_that_the_row_lacks_becomes_null(shop, order):
    shop.put(order, 1, id="a", name="x", total=1)
    shop.put(order, 2, id="a", total=None)

    assert shop.rows("order", "name", "total") == [(None, None)]


def test_a_composite_key(shop, table_of, row):
    table = table_of("vehicle_owner", key=("vehicleId", "customerId"), since=TEXT)
    shop.prepare(table)
    pairs = [("a", "b"), ("b", "a"), ("a,b", ""), ("a", ',b"')]
    rows = [row(table, 1, vehicleId=v, customerId=c, since="x") for v, c in pairs]

    assert shop.upsert(table, rows) == 4
    assert shop.delete(table, [VersionedKey(("a", "b"), Version(2))]) == 1
    assert shop.put(table, 1, vehicleId="a", customerId="b") == 0
    assert shop.put(table, 2, vehicleId="b", customerId="a", since="y") == 1
    assert sorted(shop.rows("vehicle_owner", "vehicleId", "since")) == [
        ("a", "x"),
        ("a,b", "x"),
        ("b", "y"),
    ]


def test_a_table_of_key_columns_only(shop, table_of):
    table = table_of("label_link", key=("labelId", "orderId"))
    shop.prepare(table)

    assert shop.put(table, 1, labelId="a", orderId="b") == 1
    assert shop.put(table, 2, labelId="a", orderId="b") == 1
    assert shop.put(table, 1, labelId="a", orderId="b") == 0
    assert shop.drop(table, 3, "a", "b") == 1


@pytest.mark.parametrize("table", ["order", "user", "authorization", "select"])
def test_reserved_words_are_names_like_others(shop, table_of, table):
    columns = dict.fromkeys(["default", "end", "primary", "select", "from"], TEXT)
    schema = table_of(table, **columns)
    shop.prepare(schema)
    shop.put(schema, 1, id="a", **dict.fromkeys(columns, "x"))
    shop.put(schema, 2, id="a", **dict.fromkeys(columns, "y"))
    shop.drop(schema, 2, "b")

    assert shop.rows(table, *columns) == [("y",) * 5]


def test_keys_are_compared_byte_by_byte(shop, order, row):
    keys = ["a", "A", "a ", "ä", "a\u0308", "'", '"', "\\", "%s", "😀", "?"]
    shop.upsert(order, [row(order, 1, id=key, name=key) for key in keys])

    assert sorted(names(shop)) == sorted((key, key) for key in keys)
    assert shop.drop(order, 2, "a") == 1
    assert shop.delete(order, [VersionedKey((k,), Version(2)) for k in keys]) == 10


def test_nothing_to_write_is_no_statement(shop, order):
    assert shop.upsert(order, []) == 0
    assert shop.delete(order, []) == 0


def test_a_users_own_unique_index_rejects_the_row_and_no_other(shop, order, row):
    shop.make_unique("order", "name")
    shop.put(order, 1, id="a", name="x")
    bad = row(order, 2, id="b", name="x")

    with pytest.raises(RejectedError) as caught:
        shop.upsert(order, [bad])

    assert names(shop) == [("a", "x")]
    assert caught.value.signature.startswith("23505")
    assert "x" not in str(caught.value).replace("index", "").split()


def test_a_unique_value_that_moves_between_rows_goes_in_order(shop, order, row):
    shop.make_unique("order", "name")
    shop.put(order, 1, id="a", name="x")

    with shop.transaction():
        with pytest.raises(RejectedError), shop.savepoint():
            shop.upsert(order, [row(order, 2, id="b", name="x")])
        shop.upsert(order, [row(order, 2, id="a", name="y")])
        shop.upsert(order, [row(order, 2, id="b", name="x")])

    assert names(shop) == [("a", "y"), ("b", "x")]


def test_a_users_own_not_null_is_the_tables_fault(shop, table_of):
    shop.run(
        "CREATE TABLE strict (id varchar(40) PRIMARY KEY, "
        "name text NOT NULL, _eds_version varchar(40))"
    )
    table = table_of("strict", name=TEXT)

    with pytest.raises(TableError) as caught:
        shop.put(table, 1, id="a")

    assert caught.value.table == "strict"
    assert "eds resume" in caught.value.advice


def test_a_dropped_table_is_the_tables_fault(shop, order):
    shop.put(order, 1, id="a")
    shop.run('DROP TABLE "order"')

    with pytest.raises(TableError) as caught:
        shop.put(order, 2, id="a")

    assert caught.value.table == "order"
    shop.prepare(order)
    assert shop.put(order, 2, id="a") == 1


def test_a_dropped_column_is_left_out_until_it_is_added_again(shop, order):
    shop.put(order, 1, id="a", name="x")
    shop.run('ALTER TABLE "order" DROP COLUMN name')

    with pytest.raises(TableError):
        shop.put(order, 2, id="a", name="y")

    shop.prepare(order)
    shop.put(order, 2, id="a", name="y")
    assert names(shop) == [("a", "y")]


def test_what_fails_half_way_leaves_no_trace(shop, order):
    with pytest.raises(ZeroDivisionError), shop.transaction():  # noqa: PT012 - the transaction is the point
        shop.put(order, 1, id="a")
        shop.drop(order, 1, "b")
        raise ZeroDivisionError

    assert names(shop) == []
    assert shop.put(order, 0, id="b") == 1


def test_a_savepoint_undoes_only_what_is_inside(shop, order):
    with shop.transaction():
        shop.put(order, 1, id="a")
        with pytest.raises(ZeroDivisionError), shop.savepoint():  # noqa: PT012 - the savepoint is the point
            shop.put(order, 1, id="b")
            raise ZeroDivisionError
        shop.put(order, 1, id="c")

    assert [id_ for id_, _ in names(shop)] == ["a", "c"]


def test_a_bulk_load_streams_and_keeps_the_last_word(shop, order, row):
    shop.put(order, 50, id="0", name="newer")
    shop.drop(order, 50, "1")
    count = shop.capabilities.max_rows + 10
    rows = (
        row(order, 1 + n // count, id=str(n % count), name=n) for n in range(2 * count)
    )

    changed = shop.bulk_load(order, rows)

    assert changed >= count - 2
    assert len(names(shop)) == count - 1
    assert shop.rows("order", "id", "name")[0] == ("0", "newer")
    assert dict(names(shop))["7"] == str(count + 7)
