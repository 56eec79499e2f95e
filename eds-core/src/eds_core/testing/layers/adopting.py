"""Layer 3, adopting: tables in a SQL database that others made or altered."""

from __future__ import annotations

import pytest

from eds_core.errors import RejectedError, TableError
from eds_core.schema import ColumnType, TableSchema
from eds_core.sql.tables import VERSION
from eds_core.testing.shop import MARK, Shop, row_of, table_of, unique
from eds_core.testing.suite import Suite, all_need

VALUE = "a-value-of-a-row"  # what no error may tell
TEXT, INTEGER = ColumnType.TEXT, ColumnType.INTEGER


class Made:
    """Tables that a user makes by hand, with the names in the database's quotes."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    def quote(self, *names: str) -> list[str]:
        return [self.shop.sql.session.quote(name) for name in names]

    def create(self, table: TableSchema, columns: str) -> TableSchema:
        self.shop.traces.tables[table.name] = table
        self.shop.run(f"CREATE TABLE {self.place(table)} ({columns})")
        return table

    def place(self, table: TableSchema) -> str:
        return self.shop.sql.session.quote_table(table.name)

    def type_of(self, kind: ColumnType) -> str:
        return self.shop.sql.types[kind]


@all_need("sql")
class Adopting(Suite):
    """A user's own table and a user's own rules are respected, or said to be."""

    @pytest.fixture
    def hand(self, shop: Shop) -> Made:
        """The hand of a user, who may do anything."""
        return Made(shop)

    @pytest.fixture
    def thing(self, shop: Shop) -> TableSchema:
        """A table that exists: a key and a name that can have an index."""
        return shop.table(name=TEXT)

    def test_a_table_of_an_old_server_is_adopted(self, shop: Shop, hand: Made) -> None:
        id_, name = hand.quote("id", "name")
        table = hand.create(
            table_of(unique(), name=TEXT),
            f"{id_} varchar(100) NOT NULL PRIMARY KEY, {name} varchar(200)",
        )
        for key in "ab":  # some databases take one row at a time
            shop.run(f"INSERT INTO {hand.place(table)} VALUES ('{key}', 'old')")

        assert str(shop.prepare(table)) == f"adopt table {table.name}"
        assert shop.prepare(table) is None
        assert shop.driver.columns(table.name) == {"id": None, "name": None}
        shop.put(table, 1, id="a", name="new")
        assert shop.rows(table) == [("a", "new"), ("b", "old")]

    def test_a_table_with_another_primary_key_is_refused(
        self, shop: Shop, hand: Made
    ) -> None:
        no, id_, a = hand.quote("no", "id", "a")
        table = hand.create(
            table_of(unique(), key=("id", "a")),
            f"{no} int NOT NULL PRIMARY KEY, {id_} varchar(9), {a} varchar(9)",
        )

        with pytest.raises(TableError, match=r"primary key of \w+ is \(no\)") as caught:
            shop.prepare(table)

        assert caught.value.table == table.name
        assert caught.value.advice

    def test_a_table_without_a_key_is_refused_with_the_remedy(
        self, shop: Shop, hand: Made
    ) -> None:
        id_, end = hand.quote("id", "end")
        table = hand.create(
            table_of(unique(), end=TEXT),
            f"{id_} varchar(9) NOT NULL, {end} {hand.type_of(TEXT)}",
        )

        with pytest.raises(TableError) as caught:
            shop.prepare(table)

        shop.run(caught.value.advice.removeprefix("run: "))
        shop.prepare(table)
        assert shop.put(table, 1, id="a") == 1
        assert shop.put(table, 0, id="a") == 0

    def test_a_surrogate_primary_key_beside_a_unique_key_will_do(
        self, shop: Shop, hand: Made
    ) -> None:
        id_, a, loaded = hand.quote("id", "a", "loaded")
        table = hand.create(
            table_of(unique(), a=TEXT),
            f"{id_} varchar(9) NOT NULL UNIQUE, {a} {hand.type_of(TEXT)}, "
            f"{loaded} int DEFAULT 1 NOT NULL PRIMARY KEY",
        )
        shop.prepare(table)

        assert shop.put(table, 1, id="a", a="x") == 1
        assert shop.put(table, 0, id="a", a="y") == 0

    def test_a_generated_column_is_left_to_the_database(
        self, shop: Shop, hand: Made
    ) -> None:
        id_, n, more = hand.quote("id", "n", "more")
        made = self.generated.format(name=more, of=n, type=hand.type_of(INTEGER))
        table = hand.create(
            table_of(unique(), n=INTEGER, more=INTEGER),
            f"{id_} varchar(9) NOT NULL PRIMARY KEY, "
            f"{n} {hand.type_of(INTEGER)}, {made}",
        )
        shop.prepare(table)
        shop.put(table, 1, id="x", n=1, more=7)

        assert shop.rows(table) == [("x", 1, 2)]

    def test_columns_outside_of_the_model_are_untouched(
        self, shop: Shop, hand: Made, thing: TableSchema
    ) -> None:
        (note,) = hand.quote("note")
        shop.run(f"ALTER TABLE {hand.place(thing)} ADD {note} varchar(20)")
        shop.put(thing, 1, id="a", name="x")
        shop.run(f"UPDATE {hand.place(thing)} SET {note} = 'mine'")
        shop.put(thing, 2, id="a", name="y", note="theirs")

        both = table_of(thing.name, name=TEXT, note=TEXT)
        assert shop.rows(both) == [("a", "y", "mine")]

    def test_a_row_without_a_version_is_the_oldest(
        self, shop: Shop, hand: Made, thing: TableSchema
    ) -> None:
        shop.put(thing, 9, id="a", name="left by the old server")
        self._forget_versions(shop, hand, thing)

        assert shop.put(thing, 0, id="a", name="new") == 1
        assert shop.rows(thing) == [("a", "new")]

    def test_a_deletion_removes_what_an_old_server_left(
        self, shop: Shop, hand: Made, thing: TableSchema
    ) -> None:
        shop.put(thing, 1, id="a")
        self._forget_versions(shop, hand, thing)

        assert shop.remove(thing, 0, "a") == 1
        assert shop.rows(thing) == []

    @staticmethod
    def _forget_versions(shop: Shop, hand: Made, table: TableSchema) -> None:
        (version,) = hand.quote(VERSION)
        shop.run(f"UPDATE {hand.place(table)} SET {version} = NULL")

    def test_a_row_put_back_by_hand_is_not_touched_by_stale_events(
        self, shop: Shop, hand: Made, thing: TableSchema
    ) -> None:
        shop.remove(thing, 9, "a")
        both = ", ".join(hand.quote("id", "name"))
        shop.run(f"INSERT INTO {hand.place(thing)} ({both}) VALUES ('a', 'by hand')")

        assert shop.put(thing, 8, id="a", name="stale") == 0
        assert shop.rows(thing) == [("a", "by hand")]

    def test_a_users_own_unique_index_rejects_the_row_and_no_other(
        self, shop: Shop, hand: Made
    ) -> None:
        table = self._with_unique_name(shop, hand)
        shop.put(table, 1, id="a", name=VALUE)

        with pytest.raises(RejectedError) as caught:
            shop.upsert(table, [row_of(table, 2, id="b", name=VALUE)])

        assert shop.rows(table) == [("a", VALUE)]
        assert caught.value.signature.startswith("23505")
        assert VALUE not in str(caught.value)

    def test_a_unique_value_that_moves_between_rows_goes_in_order(
        self, shop: Shop, hand: Made
    ) -> None:
        table = self._with_unique_name(shop, hand)
        shop.put(table, 1, id="a", name="x")

        with shop.transaction():
            with pytest.raises(RejectedError), shop.savepoint():
                shop.upsert(table, [row_of(table, 2, id="b", name="x")])
            shop.upsert(table, [row_of(table, 2, id="a", name="y")])
            shop.upsert(table, [row_of(table, 2, id="b", name="x")])

        assert shop.rows(table) == [("a", "y"), ("b", "x")]

    @staticmethod
    def _with_unique_name(shop: Shop, hand: Made) -> TableSchema:
        id_, name = hand.quote("id", "name")
        table = hand.create(
            table_of(unique(), name=TEXT),
            f"{id_} varchar(40) NOT NULL PRIMARY KEY, {name} varchar(40)",
        )
        (index,) = hand.quote(unique("index"))
        shop.run(f"CREATE UNIQUE INDEX {index} ON {hand.place(table)} ({name})")
        shop.prepare(table)
        return table

    def test_a_users_own_not_null_is_the_tables_fault(
        self, shop: Shop, hand: Made
    ) -> None:
        id_, name = hand.quote("id", "name")
        table = hand.create(
            table_of(unique(), name=TEXT),
            f"{id_} varchar(40) NOT NULL PRIMARY KEY, {name} varchar(40) NOT NULL",
        )
        shop.prepare(table)

        with pytest.raises(TableError) as caught:
            shop.put(table, 1, id="a")

        assert caught.value.table == table.name
        assert "eds resume" in caught.value.advice

    def test_a_dropped_table_is_the_tables_fault(
        self, shop: Shop, hand: Made, thing: TableSchema
    ) -> None:
        shop.put(thing, 1, id="a")
        shop.run(f"DROP TABLE {hand.place(thing)}")

        with pytest.raises(TableError) as caught:
            shop.put(thing, 2, id="a")

        assert caught.value.table == thing.name
        shop.prepare(thing)
        assert shop.put(thing, 2, id="a") == 1

    def test_a_dropped_column_is_left_out_until_it_is_added_again(
        self, shop: Shop, hand: Made, thing: TableSchema
    ) -> None:
        shop.put(thing, 1, id="a", name="x")
        (name,) = hand.quote("name")
        shop.run(f"ALTER TABLE {hand.place(thing)} {self.dropped.format(name=name)}")

        with pytest.raises(TableError):
            shop.put(thing, 2, id="a", name="y")

        shop.prepare(thing)
        shop.put(thing, 2, id="a", name="y")
        assert shop.rows(thing) == [("a", "y")]

    def test_a_table_in_another_spelling_is_not_mixed_with_ours(
        self, shop: Shop, hand: Made
    ) -> None:
        (id_,) = hand.quote("id")
        theirs = table_of(unique("a").upper(), a=TEXT)
        hand.create(theirs, f"{id_} varchar(40) NOT NULL PRIMARY KEY")
        ours = table_of(theirs.name.lower(), a=TEXT)

        assert ours.name.startswith(MARK)
        assert shop.driver.columns(ours.name) == {}
        try:
            shop.prepare(ours)
        except TableError as error:
            assert error.advice
        else:
            assert "a" not in shop.driver.columns(theirs.name)
