"""Layer 3, migrating: how real tables follow the model."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from eds_core.errors import TableError
from eds_core.schema import Column, ColumnType, SchemaChange, TableSchema, diff
from eds_core.testing.shop import Shop, row_of, table_of, unique
from eds_core.testing.suite import Suite

TEXT, INTEGER, DECIMAL = ColumnType.TEXT, ColumnType.INTEGER, ColumnType.DECIMAL

RESERVED = ("default", "end", "primary", "select", "from", "index", "values", "order")

#: A type, a wider one, values as the shop sends them, and what has to be read then.
WIDENINGS: tuple[tuple[ColumnType, ColumnType, list[Any], list[Any]], ...] = (
    (INTEGER, TEXT, [7, -(2**63)], ["7", "-9223372036854775808"]),
    (INTEGER, DECIMAL, [2**63 - 1], [Decimal(2**63 - 1)]),
    (
        ColumnType.NUMBER,
        DECIMAL,
        [0.1, 0.1 + 0.2, 1.5],
        [Decimal("0.1"), Decimal("0.30000000000000004"), Decimal("1.5")],
    ),
    (ColumnType.BOOLEAN, TEXT, [True, False], ["true", "false"]),
    (ColumnType.BYTES, TEXT, ["AAEC"], ["AAEC"]),
    (
        DECIMAL,
        TEXT,
        ["12345678901234567890.12"],
        ["12345678901234567890.12"],
    ),
    (
        ColumnType.TIMESTAMP,
        TEXT,
        ["2024-05-06T07:08:09.123456Z"],
        ["2024-05-06T07:08:09.123456Z"],
    ),
    (
        ColumnType.DATETIME,
        TEXT,
        ["2024-05-06T07:08:09.123456Z"],
        ["2024-05-06T07:08:09.123456Z"],
    ),
)


class Migrating(Suite):
    """Tables are made and extended, never cut back; twice is as good as once."""

    def test_a_created_table_reads_back_as_it_was_meant(self, shop: Shop) -> None:
        table = table_of(unique(), **{f"a_{kind}": kind for kind in ColumnType})

        assert shop.driver.columns(table.name) == {}
        assert str(shop.prepare(table)) == f"create table {table.name}"
        assert shop.driver.columns(table.name) == table.types
        assert shop.driver.adopted(table.name)
        assert shop.prepare(table) is None

    @pytest.mark.parametrize("kind", ColumnType)
    def test_every_type_can_be_a_key(self, shop: Shop, kind: ColumnType) -> None:
        table = TableSchema(unique(), "1", (Column("id", kind),), ("id",))
        shop.prepare(table)

        assert shop.prepare(table) is None

    def test_a_migration_is_done_twice_as_after_a_crash(self, shop: Shop) -> None:
        change = SchemaChange(table_of(unique(), a=TEXT), creates=True)

        assert shop.migrate(change) == 1
        assert shop.migrate(change) == 0

    def test_columns_are_added_twice_as_after_a_crash(self, shop: Shop) -> None:
        table = shop.table(a=TEXT)
        shop.put(table, 1, id="x", a="kept")
        wider = table_of(table.name, a=TEXT, b=INTEGER, c=ColumnType.JSON)
        change = diff(wider, shop.driver.columns(table.name))
        assert change is not None

        assert shop.migrate(change) == 2
        assert shop.migrate(change) == 0
        assert shop.driver.columns(table.name) == wider.types
        assert shop.rows(wider) == [("x", "kept", None, None)]

    def test_half_a_migration_is_completed(self, shop: Shop) -> None:
        table = shop.table(a=TEXT)
        whole = table_of(table.name, a=TEXT, b=TEXT, c=TEXT)
        change = diff(whole, shop.driver.columns(table.name))
        assert change is not None
        shop.prepare(table_of(table.name, a=TEXT, b=TEXT))

        assert shop.migrate(change) == 1

    def test_two_servers_migrate_at_once(self, shop: Shop) -> None:
        table = table_of(unique(), a=TEXT)
        with shop.another() as second:
            change = diff(table, second.driver.columns(table.name))
            assert change is not None
            shop.prepare(table)

            assert second.migrate(change) == 0
            assert second.put(table, 1, id="a") == 1

    def test_a_new_column_is_null_in_the_rows_that_are_there(self, shop: Shop) -> None:
        table = shop.table(a=TEXT)
        shop.put(table, 1, id="x", a="x")
        wider = table_of(table.name, a=TEXT, **{f"b_{k}": k for k in ColumnType})
        shop.prepare(wider)

        assert shop.rows(wider)[0][2:] == (None,) * len(ColumnType)
        assert shop.put(wider, 1, id="x", a="x", b_integer=1) == 1

    def test_another_server_widens_what_this_one_knows(self, shop: Shop) -> None:
        narrow = shop.table(a=INTEGER)
        wide = table_of(narrow.name, a=TEXT)
        shop.put(narrow, 1, id="x", a=1)
        with shop.another() as second:
            second.prepare(wide)
            second.put(wide, 2, id="y", a="00012")

        shop.put(narrow, 3, id="x", a=9_007_199_254_740_993)
        assert shop.rows(wide) == [("x", "9007199254740993"), ("y", "00012")]

    @pytest.mark.parametrize(
        ("old", "new", "values", "expected"),
        WIDENINGS,
        ids=[f"{old} to {new}" for old, new, *_ in WIDENINGS],
    )
    def test_a_wider_type_keeps_every_value(
        self,
        shop: Shop,
        old: ColumnType,
        new: ColumnType,
        values: list[Any],
        expected: list[Any],
    ) -> None:
        narrow = shop.table(a=old, b=TEXT)
        wide = table_of(narrow.name, a=new, b=TEXT)
        rows = [row_of(narrow, 1, id=str(n), a=a, b="b") for n, a in enumerate(values)]
        shop.upsert(narrow, rows)
        if f"{old} to {new}" in self.refused_widenings:
            with pytest.raises(TableError) as caught:
                shop.prepare(wide)
            assert caught.value.advice
            assert len(shop.rows(narrow)) == len(values)
            return
        shop.prepare(wide)

        assert shop.driver.columns(wide.name)["a"] is new
        assert shop.prepare(wide) is None
        assert shop.rows(wide, "a", "b") == [(value, "b") for value in expected]
        assert shop.put(wide, 0, id="0", a="1") == 0

    def test_leading_zeros_survive_in_a_widened_column(self, shop: Shop) -> None:
        narrow = shop.table(a=INTEGER)
        shop.put(narrow, 1, id="x", a=12)
        wide = table_of(narrow.name, a=TEXT)
        shop.prepare(wide)
        shop.put(wide, 1, id="y", a="00012")
        shop.put(wide, 1, id="z", a=7)

        assert shop.rows(wide) == [("x", "12"), ("y", "00012"), ("z", "7")]

    def test_a_narrower_model_writes_into_a_wider_column(self, shop: Shop) -> None:
        wide = shop.table(a=TEXT)
        narrow = table_of(wide.name, a=INTEGER)

        assert shop.prepare(narrow) is None
        shop.put(narrow, 1, id="x", a=7)
        assert shop.rows(wide, "a") == [("7",)]

    @pytest.mark.parametrize("name", ["order", "user", "authorization", "select"])
    def test_reserved_words_are_names_like_others(self, shop: Shop, name: str) -> None:
        if shop.driver.columns(name):
            pytest.skip(f"this database has a table {name} of its own")
        table = shop.table(name, **dict.fromkeys(RESERVED, TEXT))
        shop.remove(table, 9, "c")
        shop.put(table, 1, id="a", **dict.fromkeys(RESERVED, "x"))
        shop.put(table, 2, id="a", **dict.fromkeys(RESERVED, "y"))
        shop.remove(table, 2, "b")

        assert shop.rows(table, *RESERVED) == [("y",) * len(RESERVED)]
        shop.prepare(table_of(name, **dict.fromkeys((*RESERVED, "group"), TEXT)))
        assert "group" in shop.driver.columns(name)

    @pytest.mark.parametrize("length", [63, 64, 128])
    def test_long_names_are_refused_or_kept_apart(
        self, shop: Shop, length: int
    ) -> None:
        """Cut off, the two tables would be one, and so would the two columns."""
        stem = unique().ljust(length - 1, "x")
        columns = dict.fromkeys(("c" * (length - 1) + end for end in "ab"), TEXT)
        tables = [table_of(stem + end, **columns) for end in "ab"]

        found = [refused_or_kept(shop, table) for table in tables]

        assert found in (["refused"] * 2, ["kept"] * 2)

    def test_columns_that_differ_in_case_only_are_refused_or_kept_apart(
        self, shop: Shop
    ) -> None:
        table = table_of(unique(), companyId=TEXT, companyID=TEXT)

        assert refused_or_kept(shop, table) in ("refused", "kept")

    def test_tables_that_differ_in_case_only_are_refused_or_kept_apart(
        self, shop: Shop
    ) -> None:
        first = shop.table(unique("a"), a=TEXT)
        other = table_of(first.name.upper().replace("EDS_TEST_", "eds_test_"), a=TEXT)
        shop.put(first, 1, id="x", a="first")

        assert shop.driver.columns(other.name) == {}
        assert refused_or_kept(shop, other) in ("refused", "kept")
        assert shop.rows(first) == [("x", "first")]


def refused_or_kept(shop: Shop, table: TableSchema) -> str:
    """Say what became of *table*: a clear refusal, or each value in its place."""
    values = {column.name: column.name for column in table.values}
    try:
        shop.prepare(table)
    except TableError as error:
        assert error.table == table.name
        assert error.advice
        return "refused"
    shop.put(table, 1, id="only", **values)
    assert shop.rows(table) == [("only", *values.values())]
    return "kept"
