"""What SQL Server does in its own way, on a real one. The rest the kit asks."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from eds_core.errors import RejectedError, TableError
from eds_core.schema import ColumnType

TEXT = ColumnType.TEXT


@pytest.fixture
def shop(sqlserver_shop):
    return sqlserver_shop


def stored(shop, table_of, raw, kind, token, *, show="a"):
    table = table_of("thing", a=kind)
    shop.prepare(table)
    assert shop.upsert(table, [raw(1, "x", f'{{"id":"x","a":{token}}}')]) == 1
    return shop.value(f"SELECT {show} FROM thing")


def test_a_value_of_a_users_own_type_does_not_doom_the_transaction(shop, table_of):
    shop.run(
        "CREATE TABLE thing (id varchar(40) PRIMARY KEY, a date, b varchar(3))",
    )
    table = table_of("thing", a=TEXT, b=TEXT)
    shop.prepare(table)
    with shop.transaction():
        shop.put(table, 1, id="x", a="2024-02-29", b="abc")
        with pytest.raises(RejectedError), shop.savepoint():
            shop.put(table, 1, id="y", a="no date", b="abc")
        with pytest.raises(RejectedError), shop.savepoint():
            shop.put(table, 1, id="z", a="2024-02-29", b="abcd")

    assert shop.rows("thing", "id", "b") == [("x", "abc")]


def test_a_trigger_that_rolls_back_parks_its_table(shop, order):
    shop.run('CREATE TRIGGER no ON "order" AFTER INSERT AS ROLLBACK')

    with (
        pytest.raises(TableError, match="whole transaction"),
        shop.transaction(),
        shop.savepoint(),
    ):
        shop.put(order, 1, id="a")

    assert shop.rows("order") == []


@pytest.mark.parametrize(
    "case",
    [
        (
            ColumnType.TIMESTAMP,
            "2024-02-29T12:00:00.123456789+02:00",
            "2024-02-29 12:00:00.1234567 +02:00",
        ),
        (
            ColumnType.DATETIME,
            "2024-01-01T00:30:00.1234567+02:00",
            "2023-12-31 22:30:00.1234567",
        ),
    ],
)
def test_a_moment_keeps_its_offset_where_there_is_place_for_it(
    shop, table_of, raw, case
):
    kind, said, expected = case
    show = "CONVERT(nvarchar(40), a, 121)"
    found = stored(shop, table_of, raw, kind, f'"{said}"', show=show)

    assert found == expected


@pytest.mark.parametrize(
    "digits", ["9" * 19 + "." + "9" * 19, "-0.0000000000000000001"]
)
def test_decimals_have_19_digits_on_each_side(shop, table_of, raw, digits):
    found = stored(shop, table_of, raw, ColumnType.DECIMAL, digits)

    assert Decimal(found) == Decimal(digits)
    with pytest.raises(RejectedError):
        stored(shop, table_of, raw, ColumnType.DECIMAL, "1e20")


@pytest.mark.parametrize("number", [0.1 + 0.2, 2.2250738585072014e-308])
def test_doubles_keep_17_digits_down_to_the_smallest(shop, table_of, raw, number):
    assert stored(shop, table_of, raw, ColumnType.NUMBER, repr(number)) == number


@pytest.mark.parametrize("token", ["1.0", '{ "b": [1, null], "a": "\\u00e9" }'])
def test_json_is_kept_as_it_was_written(shop, table_of, raw, token):
    found = stored(shop, table_of, raw, ColumnType.JSON, token)

    assert found == token
    assert json.loads(found) == json.loads(token)


@pytest.mark.parametrize(
    "case",
    [
        (ColumnType.INTEGER, TEXT, -(2**63), str(-(2**63))),
        (ColumnType.INTEGER, ColumnType.DECIMAL, 2**63 - 1, Decimal(2**63 - 1)),
        (ColumnType.NUMBER, ColumnType.DECIMAL, 1.5, Decimal("1.5")),
        (ColumnType.DECIMAL, TEXT, "10.10", "10.1"),
        (ColumnType.BOOLEAN, TEXT, True, "true"),
        (ColumnType.BYTES, TEXT, "AAEC", "AAEC"),
        (
            ColumnType.TIMESTAMP,
            TEXT,
            "2024-05-06T07:08:09.1234567+02:00",
            "2024-05-06T05:08:09.1234567Z",
        ),
    ],
)
def test_a_wider_type_keeps_the_value(shop, table_of, case):
    old, new, value, expected = case
    shop.prepare(table_of("thing", a=old))
    shop.put(table_of("thing", a=old), 1, id="x", a=value)
    shop.prepare(table_of("thing", a=new))

    assert shop.driver.columns("thing")["a"] is new
    assert shop.rows("thing", "a") == [(expected,)]


def test_a_number_that_no_decimal_holds_keeps_its_column(shop, table_of):
    shop.prepare(table_of("thing", a=ColumnType.NUMBER))
    shop.put(table_of("thing", a=ColumnType.NUMBER), 1, id="x", a=1e300)

    with pytest.raises((RejectedError, TableError)):
        shop.prepare(table_of("thing", a=ColumnType.DECIMAL))

    assert shop.rows("thing", "a") == [(1e300,)]
