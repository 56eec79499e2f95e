"""One destination per test: SQLite, SQLite by the portable statements, PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from eds_core.destination import Destination
from eds_core.driver import Driver
from eds_core.event import Row, Version, VersionedKey
from eds_core.schema import Column, ColumnType, TableSchema
from eds_core.sql import SqlDriver
from eds_core.sqlite import SqliteDriver
from eds_driver_postgres import PostgresDriver
from eds_driver_sqlserver import SqlServerDriver


class PortableSqlite(SqliteDriver):
    """SQLite without statements of its own: what a new dialect begins with."""

    write = SqlDriver.write
    remove = SqlDriver.remove


class Shop(Destination):
    """A destination, and short ways to write to it and look at it."""

    driver: SqlDriver

    def put(self, table: TableSchema, version: int | Version, /, **values: Any) -> int:
        return self.upsert(table, [row(table, version, **values)])

    def drop(self, table: TableSchema, version: int | Version, *key: str) -> int:
        return self.delete(table, [VersionedKey(key, as_version(version))])

    def run(self, *statements: str) -> None:
        with self.driver.session.transaction():
            for statement in statements:
                self.driver.session.run(statement)

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        session = self.driver.session
        names = ", ".join(map(session.quote, columns)) or "*"
        query = f"SELECT {names} FROM {session.quote(table)} ORDER BY 1"
        with session.reading() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query)]

    def value(self, query: str) -> Any:
        with self.driver.session.reading() as connection:
            return connection.exec_driver_sql(query).scalar()

    @contextmanager
    def another(self) -> Iterator[Shop]:
        """A second server on the same database."""
        second = Shop(type(self.driver)(self.driver.url))
        second.open()
        try:
            yield second
        finally:
            second.close()


def as_version(version: int | Version) -> Version:
    return version if isinstance(version, Version) else Version(version)


def row(table: TableSchema, version: int | Version, /, **values: Any) -> Row:
    key = tuple(str(values[name]) for name in table.key)
    after = json.dumps(values, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return Row(key, as_version(version), after)


def raw(version: int, key: str, after: str | bytes) -> Row:
    data = after.encode() if isinstance(after, str) else after
    return Row((key,), Version(version), data)


def table_of(
    name: str, /, *, key: Sequence[str] = ("id",), **types: ColumnType
) -> TableSchema:
    columns = {**dict.fromkeys(key, ColumnType.TEXT), **types}
    model = ",".join(f"{n} {t}" for n, t in columns.items())
    return TableSchema(
        name, model, tuple(Column(n, t) for n, t in columns.items()), tuple(key)
    )


@pytest.fixture(name="table_of")
def _table_of() -> Callable[..., TableSchema]:
    return table_of


@pytest.fixture(name="row")
def _row() -> Callable[..., Row]:
    return row


@pytest.fixture(name="raw")
def _raw() -> Callable[..., Row]:
    return raw


DRIVERS: dict[str, tuple[type[Driver], str]] = {
    "sqlite": (SqliteDriver, "sqlite_url"),
    "portable": (PortableSqlite, "sqlite_url"),
    "postgres": (PostgresDriver, "postgres_url"),
    "sqlserver": (SqlServerDriver, "sqlserver_url"),
}

_PADS = "SQL Server refuses a key that ends in a space: it would pad the others"
_NO_INDEX = "SQL Server cannot index an nvarchar(max)"
_SYNTAX = "written in words that T-SQL lacks"
_OTHERWISE = "SQL Server's own answer is in test_sqlserver.py"

#: Tests that say something else of SQL Server, or not in its words.
NOT_FOR_SQLSERVER = {
    "test_keys_are_compared_byte_by_byte": _PADS,
    "test_a_users_own_unique_index_rejects_the_row_and_no_other": _NO_INDEX,
    "test_a_unique_value_that_moves_between_rows_goes_in_order": _NO_INDEX,
    "test_a_generated_column_is_left_to_the_database": _SYNTAX,
    "test_json_is_equal": _SYNTAX,
    "test_moments": _SYNTAX,
    "test_a_moment_may_have_nine_digits": _SYNTAX,
    "test_an_offset_becomes_utc_where_none_is_kept": _SYNTAX,
    "test_a_wider_type_keeps_every_value": _OTHERWISE,
    "test_moments_become_text_in_utc": _OTHERWISE,
    "test_decimals_are_exact": _OTHERWISE,
    "test_doubles_are_exact": _OTHERWISE,
}


def opened(request: pytest.FixtureRequest, name: str) -> Iterator[Shop]:
    driver, url = DRIVERS[name]
    shop = Shop(driver(request.getfixturevalue(url)))
    shop.open()
    shop.ledger.create()
    yield shop
    shop.close()


@pytest.fixture(params=DRIVERS)
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    """Each database in turn."""
    why_not = NOT_FOR_SQLSERVER.get(request.node.originalname)
    if why_not and request.param == "sqlserver":
        pytest.skip(why_not)
    yield from opened(request, request.param)


@pytest.fixture
def sqlite(request: pytest.FixtureRequest) -> Iterator[Shop]:
    yield from opened(request, "sqlite")


@pytest.fixture
def portable(request: pytest.FixtureRequest) -> Iterator[Shop]:
    yield from opened(request, "portable")


@pytest.fixture
def postgresql(request: pytest.FixtureRequest) -> Iterator[Shop]:
    yield from opened(request, "postgres")


@pytest.fixture
def sqlserver_shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    yield from opened(request, "sqlserver")


@pytest.fixture
def order(shop: Shop) -> TableSchema:
    """A table that exists: a key, a text, a number."""
    table = table_of("order", name=ColumnType.TEXT, total=ColumnType.INTEGER)
    shop.prepare(table)
    return table
