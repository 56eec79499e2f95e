"""Layer 3, contract: how rows are guarded."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eds_core.errors import TableError
from eds_core.event import Version, VersionedKey
from eds_core.schema import ColumnType, TableSchema
from eds_core.testing.shop import Shop, row_of, table_of, unique
from eds_core.testing.suite import Suite, needs

TEXT, INTEGER = ColumnType.TEXT, ColumnType.INTEGER


def names(shop: Shop, table: TableSchema) -> list[tuple[object, ...]]:
    return shop.rows(table, "id", "name")


class Contract(Suite):
    """Whatever comes twice, late or in another order: the newest version stays."""

    @pytest.fixture
    def order(self, shop: Shop) -> TableSchema:
        """A table that exists: a key, a text, a number."""
        return shop.table(name=TEXT, total=INTEGER)

    def test_a_row_is_inserted_and_updated(
        self, shop: Shop, order: TableSchema
    ) -> None:
        assert shop.put(order, 1, id="a", name="x", total=1) == 1
        assert shop.put(order, 2, id="a", name="y", total=2) == 1

        assert shop.rows(order) == [("a", "y", 2)]

    def test_a_stale_row_does_nothing(self, shop: Shop, order: TableSchema) -> None:
        shop.put(order, 2, id="a", name="new")

        assert shop.put(order, 1, id="a", name="old") == 0
        assert names(shop, order) == [("a", "new")]

    def test_of_equal_versions_the_later_wins(
        self, shop: Shop, order: TableSchema
    ) -> None:
        shop.put(order, 2, id="a", name="first")

        assert shop.put(order, 2, id="a", name="second") == 1
        assert names(shop, order) == [("a", "second")]

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            (Version(5, 9), Version(5, 10)),
            (Version(99, 9), Version(100, 0)),
            (Version(10**18 + 1, 0), Version(10**18 + 2, 0)),
            (Version(5, 2), Version(5, 1_000_000_000)),
        ],
    )
    def test_versions_are_ordered_as_pairs_of_whole_numbers(
        self, shop: Shop, order: TableSchema, first: Version, second: Version
    ) -> None:
        shop.put(order, second, id="a", name="second")
        shop.put(order, first, id="a", name="first")
        shop.put(order, first, id="b", name="first")
        shop.put(order, second, id="b", name="second")
        shop.remove(order, second, "c")
        shop.put(order, first, id="c", name="first")

        assert names(shop, order) == [("a", "second"), ("b", "second")]

    def test_a_replayed_batch_changes_nothing(
        self, shop: Shop, order: TableSchema
    ) -> None:
        rows = [row_of(order, 2, id=key, name=key) for key in "abc"]
        for _ in range(2):
            shop.delete(order, [VersionedKey((key,), Version(1)) for key in "abcd"])
            shop.upsert(order, rows)

        assert names(shop, order) == [("a", "a"), ("b", "b"), ("c", "c")]

    def test_a_late_insert_does_not_bring_a_deleted_row_back(
        self, shop: Shop, order: TableSchema
    ) -> None:
        shop.put(order, 1, id="a")

        assert shop.remove(order, 5, "a") == 1
        assert shop.put(order, 4, id="a", name="late") == 0
        assert names(shop, order) == []

    def test_a_row_deleted_before_it_came_stays_away(
        self, shop: Shop, order: TableSchema
    ) -> None:
        assert shop.remove(order, 5, "a") == 0
        assert shop.put(order, 4, id="a") == 0
        assert shop.put(order, 5, id="a", name="equal") == 1
        assert names(shop, order) == [("a", "equal")]

    def test_a_stale_deletion_leaves_the_newer_row(
        self, shop: Shop, order: TableSchema
    ) -> None:
        shop.put(order, 6, id="a", name="new")

        assert shop.remove(order, 5, "a") == 0
        assert names(shop, order) == [("a", "new")]

    def test_a_deletion_as_old_as_the_row_removes_it(
        self, shop: Shop, order: TableSchema
    ) -> None:
        shop.put(order, 5, id="a")

        assert shop.remove(order, 5, "a") == 1
        assert names(shop, order) == []

    def test_a_tombstone_only_rises(self, shop: Shop, order: TableSchema) -> None:
        shop.remove(order, 9, "a")
        shop.remove(order, 5, "a")

        assert shop.put(order, 8, id="a") == 0
        assert shop.remove(order, 11, "a") == 0
        assert shop.put(order, 10, id="a") == 0
        assert shop.put(order, 12, id="a") == 1

    def test_a_tombstone_is_of_one_table_only(
        self, shop: Shop, order: TableSchema
    ) -> None:
        other = shop.table(name=TEXT)
        shop.remove(other, 9, "a")

        assert shop.put(order, 1, id="a") == 1

    def test_a_batch_holds_new_stale_and_deleted_rows_at_once(
        self, shop: Shop, order: TableSchema
    ) -> None:
        shop.put(order, 5, id="newer", name="kept")
        shop.put(order, 1, id="older", name="x")
        shop.remove(order, 5, "dead")
        keys = ("dead", "new", "newer", "older")

        changed = shop.upsert(order, [row_of(order, 3, id=k, name="y") for k in keys])

        assert changed == 2
        assert names(shop, order) == [("new", "y"), ("newer", "kept"), ("older", "y")]

    def test_a_column_that_the_row_lacks_becomes_null(
        self, shop: Shop, order: TableSchema
    ) -> None:
        shop.put(order, 1, id="a", name="x", total=1)
        shop.put(order, 2, id="a", total=None)

        assert shop.rows(order) == [("a", None, None)]

    def test_columns_that_the_model_lacks_are_ignored(
        self, shop: Shop, order: TableSchema
    ) -> None:
        shop.put(order, 1, id="a", name="x", private={"deep": [1, "\\u0001"]})

        assert names(shop, order) == [("a", "x")]

    def test_an_older_model_leaves_newer_columns_alone(
        self, shop: Shop, order: TableSchema
    ) -> None:
        newer = table_of(order.name, name=TEXT, total=INTEGER, color=TEXT)
        shop.prepare(newer)
        shop.put(newer, 1, id="a", name="x", color="red")
        shop.put(order, 2, id="a", name="y")
        shop.put(order, 2, id="b", name="y")

        found = shop.rows(newer, "id", "name", "color")
        assert found == [("a", "y", "red"), ("b", "y", None)]

    @needs("transactions")
    def test_what_fails_half_way_leaves_no_trace(
        self, shop: Shop, order: TableSchema
    ) -> None:
        with pytest.raises(ZeroDivisionError), shop.transaction():
            shop.put(order, 1, id="a")
            shop.remove(order, 1, "b")
            raise ZeroDivisionError

        assert names(shop, order) == []
        assert shop.put(order, 0, id="b") == 1

    @needs("transactions")
    def test_others_see_a_transaction_when_it_is_over(
        self, shop: Shop, order: TableSchema
    ) -> None:
        with shop.transaction():
            shop.put(order, 1, id="a", name="x")
        with shop.another() as second:
            assert names(second, order) == [("a", "x")]

    @needs("transactions")
    def test_a_savepoint_undoes_only_what_is_inside(
        self, shop: Shop, order: TableSchema
    ) -> None:
        with shop.transaction():
            shop.put(order, 1, id="a")
            with pytest.raises(ZeroDivisionError), shop.savepoint():
                shop.put(order, 1, id="b")
                raise ZeroDivisionError
            shop.put(order, 1, id="c")

        assert [id_ for id_, _ in names(shop, order)] == ["a", "c"]

    def test_a_table_that_does_not_exist_is_the_tables_fault(self, shop: Shop) -> None:
        table = table_of(unique(), name=TEXT)
        writes: tuple[Callable[[], object], ...] = (
            lambda: shop.put(table, 1, id="a"),
            lambda: shop.remove(table, 1, "a"),
            lambda: shop.bulk_load(table, iter([row_of(table, 1, id="a")])),
        )
        for write in writes:
            with pytest.raises(TableError) as caught:
                write()
            assert caught.value.table == table.name
            assert caught.value.advice
