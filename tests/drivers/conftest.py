"""One destination per test: each database, and other ways to write into it."""

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
from eds_driver_cockroach import CockroachDriver
from eds_driver_mysql import MysqlDriver
from eds_driver_postgres import PostgresDriver
from eds_driver_snowflake import SnowflakeDriver
from eds_driver_sqlserver import SqlServerDriver


class PortableSqlite(SqliteDriver):
    """SQLite without statements of its own: what a new dialect begins with."""

    write = SqlDriver.write
    remove = SqlDriver.remove


class StagedSnowflake(SnowflakeDriver):
    """Snowflake with a file for every row."""

    bound_bytes = 0


class Shop(Destination):
    """A destination, and short ways to write to it and look at it."""

    driver: SqlDriver
    text_type = "TEXT"
    part = ""  # of a text that an index takes

    def put(self, table: TableSchema, version: int | Version, /, **values: Any) -> int:
        return self.upsert(table, [row(table, version, **values)])

    def drop(self, table: TableSchema, version: int | Version, *key: str) -> int:
        return self.delete(table, [VersionedKey(key, as_version(version))])

    def run(self, *statements: str) -> None:
        """Execute what a user does, who may change tables, too."""
        with self.driver.session.altering():
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

    def text(self, table: str, column: str) -> Any:
        """The one value of *column*, as the database itself writes it."""
        quote = self.driver.session.quote
        return self.value(
            f"SELECT CAST({quote(column)} AS {self.text_type}) FROM {quote(table)}"
        )

    def make_unique(self, table: str, column: str) -> None:
        """A unique index of the user's own."""
        quote = self.driver.session.quote
        self.run(
            f"CREATE UNIQUE INDEX mine ON {quote(table)} ({quote(column)}{self.part})"
        )

    @contextmanager
    def another(self) -> Iterator[Shop]:
        """A second server on the same database."""
        second = type(self)(type(self.driver)(self.driver.url))
        second.open()
        try:
            yield second
        finally:
            second.close()


class MysqlShop(Shop):
    """Statements of the tests are standard SQL: quotes, ``||``."""

    text_type = "CHAR"
    part = "(40)"

    def run(self, *statements: str) -> None:
        with self.driver.session.transaction():
            self.driver.session.run("SET @own = @@sql_mode, sql_mode = 'ANSI'")
            try:
                for statement in statements:
                    self.driver.session.run(statement)
            finally:
                self.driver.session.run("SET sql_mode = @own")


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


SHOPS: dict[type[Driver], type[Shop]] = {MysqlDriver: MysqlShop}
DRIVERS: dict[str, tuple[type[Driver], str]] = {
    "sqlite": (SqliteDriver, "sqlite_url"),
    "portable": (PortableSqlite, "sqlite_url"),
    "postgres": (PostgresDriver, "postgres_url"),
    "cockroach": (CockroachDriver, "cockroach_url"),
    "mariadb": (MysqlDriver, "mariadb_url"),
    "mysql": (MysqlDriver, "mysql_url"),
    "sqlserver": (SqlServerDriver, "sqlserver_url"),
}
#: What every database does is asked by the conformance kit; what is written once for
#: all of them is asked of these.
EACH = ("sqlite", "portable", "postgres")


def opened(request: pytest.FixtureRequest, name: str) -> Iterator[Shop]:
    driver, url = DRIVERS[name]
    shop = SHOPS.get(driver, Shop)(driver(request.getfixturevalue(url)))
    shop.open()
    shop.ledger.create()
    yield shop
    shop.close()


@pytest.fixture(params=EACH)
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    """Some databases in turn."""
    yield from opened(request, request.param)


@pytest.fixture
def sqlite(request: pytest.FixtureRequest) -> Iterator[Shop]:
    yield from opened(request, "sqlite")


@pytest.fixture
def postgresql(request: pytest.FixtureRequest) -> Iterator[Shop]:
    yield from opened(request, "postgres")


@pytest.fixture(params=["mariadb", "mysql"])
def mysqls(request: pytest.FixtureRequest) -> Iterator[Shop]:
    """MariaDB and MySQL in turn."""
    yield from opened(request, request.param)


@pytest.fixture
def sqlserver_shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    yield from opened(request, "sqlserver")


@pytest.fixture
def roach(request: pytest.FixtureRequest) -> Iterator[Shop]:
    yield from opened(request, "cockroach")


@pytest.fixture
def order(shop: Shop) -> TableSchema:
    """A table that exists: a key, a text, a number."""
    table = table_of("order", name=ColumnType.TEXT, total=ColumnType.INTEGER)
    shop.prepare(table)
    return table
