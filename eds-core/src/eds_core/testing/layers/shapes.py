"""Layer 3, shapes: keys and tables of every kind, batches of every size."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eds_core.driver import Loaded
from eds_core.errors import RejectedError
from eds_core.event import Row, Version, VersionedKey
from eds_core.schema import ColumnType, TableSchema
from eds_core.testing.shop import Shop, row_of
from eds_core.testing.suite import Suite, needs

TEXT, INTEGER = ColumnType.TEXT, ColumnType.INTEGER

#: A key of each kind that some database once took for another one.
KEYS = ("a", "A", "a ", "ä", "a\u0308", "'", '"', "\\", "%s", "😀", "?", ":x", "$1")


class Shapes(Suite):
    """Nothing depends on what a key looks like, or on how much there is."""

    @pytest.fixture
    def order(self, shop: Shop) -> TableSchema:
        """A table that exists: a key, a text, a number."""
        return shop.table(name=TEXT, total=INTEGER)

    def test_a_composite_key(self, shop: Shop) -> None:
        table = shop.table(key=("vehicleId", "customerId"), since=TEXT)
        pairs = [("a", "b"), ("b", "a"), ("a,b", ""), ("a", ',b"')]
        rows = [
            row_of(table, 1, vehicleId=v, customerId=c, since="x") for v, c in pairs
        ]

        assert shop.upsert(table, rows) == 4
        assert shop.delete(table, [VersionedKey(("a", "b"), Version(2))]) == 1
        assert shop.put(table, 1, vehicleId="a", customerId="b") == 0
        assert shop.put(table, 2, vehicleId="b", customerId="a", since="y") == 1
        assert sorted(shop.rows(table)) == [
            ("a", ',b"', "x"),
            ("a,b", "", "x"),
            ("b", "a", "y"),
        ]

    def test_a_table_of_key_columns_only(self, shop: Shop) -> None:
        table = shop.table(key=("labelId", "orderId"))

        assert shop.put(table, 1, labelId="a", orderId="b") == 1
        assert shop.put(table, 2, labelId="a", orderId="b") == 1
        assert shop.put(table, 1, labelId="a", orderId="b") == 0
        assert shop.rows(table) == [("a", "b")]
        assert shop.remove(table, 3, "a", "b") == 1
        assert shop.rows(table) == []

    def test_a_table_of_101_columns(self, shop: Shop) -> None:
        kinds = [kind for kind in ColumnType if kind is not ColumnType.BYTES]
        types = {f"c{n}": kinds[n % len(kinds)] for n in range(100)}
        table = shop.table(**types)
        texts = {name: "x" for name, kind in types.items() if kind is TEXT}
        rows = [row_of(table, 1, id=str(n), **texts) for n in range(10)]

        assert shop.upsert(table, rows) == 10
        again = [row_of(table, 2, id=str(n), **texts | {"c0": "y"}) for n in range(10)]
        assert shop.upsert(table, again) == 10
        assert shop.rows(table, "c0", "c1", "c8") == [("y", None, "x")] * 10

    @property
    def keys(self) -> list[str]:
        return [key for key in KEYS if key not in self.refused_keys]

    def test_keys_are_compared_byte_by_byte(
        self, shop: Shop, order: TableSchema
    ) -> None:
        keys = self.keys
        shop.upsert(order, [row_of(order, 1, id=key, name=key) for key in keys])

        found = shop.rows(order, "id", "name")
        assert sorted(found) == sorted((key, key) for key in keys)
        assert shop.remove(order, 2, "a") == 1
        dead = [VersionedKey((key,), Version(2)) for key in keys]
        assert shop.delete(order, dead) == len(keys) - 1
        for key in self.refused_keys:  # it would be another one
            with pytest.raises(RejectedError):
                shop.put(order, 3, id=key)

    def test_tombstones_compare_keys_byte_by_byte(
        self, shop: Shop, order: TableSchema
    ) -> None:
        shop.remove(order, 5, "a")
        others = [row_of(order, 1, id=key, name=key) for key in self.keys if key != "a"]

        assert shop.upsert(order, others) == len(others)

    def test_nothing_to_write_is_no_statement(
        self, shop: Shop, order: TableSchema
    ) -> None:
        assert shop.upsert(order, []) == 0
        assert shop.delete(order, []) == 0
        assert shop.bulk_load(order, iter(())) == Loaded()

    def test_as_many_rows_as_a_call_may_have(
        self, shop: Shop, order: TableSchema
    ) -> None:
        count = shop.capabilities.max_rows
        rows = [row_of(order, 1, id=str(n), total=n) for n in range(count)]

        assert shop.upsert(order, rows) == count
        dead = [VersionedKey(row.key, Version(2)) for row in rows[1:]]
        assert shop.delete(order, dead) == count - 1
        assert shop.rows(order, "id", "total") == [("0", 0)]

    @needs("guards")
    def test_a_bulk_load_streams_and_keeps_the_last_word(
        self, shop: Shop, order: TableSchema
    ) -> None:
        shop.put(order, 50, id="0", name="newer")
        shop.remove(order, 50, "1")
        count = shop.capabilities.max_rows + 10

        loaded = shop.bulk_load(order, _twice(order, count))

        assert loaded.changed >= count - 2
        assert loaded.inserted == count - 2
        found = dict(shop.rows(order, "id", "name"))
        assert len(found) == count - 1
        assert found["0"] == "newer"
        assert found["7"] == str(count + 7)

    @needs("guards")
    def test_a_bulk_load_tells_inserts_from_updates(
        self, shop: Shop, order: TableSchema
    ) -> None:
        for key, version in {"older": 1, "equal": 5, "newer": 9}.items():
            shop.put(order, version, id=key)
        shop.remove(order, 9, "dead")
        shop.remove(order, 1, "risen")
        keys = "older", "equal", "newer", "dead", "risen", "unknown"
        rows = [row_of(order, 5, id=key, name=key) for key in keys]

        assert shop.bulk_load(order, iter(rows)) == Loaded(inserted=2, updated=2)
        other = [row_of(order, 5, id=key, name="other") for key in keys]
        assert shop.bulk_load(order, iter(other)) == Loaded(updated=4)

    def test_a_bulk_load_into_an_empty_table_only_inserts(
        self, shop: Shop, order: TableSchema
    ) -> None:
        rows = [row_of(order, 5, id=key, name=key) for key in "abc"]

        assert shop.bulk_load(order, iter(rows)) == Loaded(inserted=3)

    def test_a_bulk_load_may_repeat_a_key_in_any_order(
        self, shop: Shop, order: TableSchema
    ) -> None:
        versions = {"a": (1, 2, 3), "b": (3, 1, 2), "c": (2, 2, 1)}
        rows = [
            row_of(order, version, id=key, total=10 * version + n)
            for key, every in versions.items()
            for n, version in enumerate(every)
        ]
        shop.bulk_load(order, iter(rows))

        assert shop.rows(order, "id", "total") == [("a", 32), ("b", 30), ("c", 21)]


def _twice(table: TableSchema, count: int) -> Iterator[Row]:
    """Each of *count* rows in two versions, the newer one last."""
    for n in range(2 * count):
        yield row_of(table, 1 + n // count, id=str(n % count), name=str(n))
