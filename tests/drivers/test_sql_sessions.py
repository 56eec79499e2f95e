"""What the base of the SQL drivers does with a session that it cannot trust."""

from __future__ import annotations

import re
import sqlite3

import pytest
from sqlalchemy import event

from eds_core.destination import Destination
from eds_core.errors import TransientError
from eds_core.event import Version, VersionedKey
from eds_core.schema import Column, ColumnType, TableSchema
from eds_core.sql import SqlDriver
from eds_core.sqlite import SqliteDriver


class Stubborn(SqliteDriver):
    """SQLite, with connections that may refuse to roll back."""

    said = ""
    connected = 0

    def make_engine(self):
        engine = super().make_engine()
        event.listen(engine, "rollback", self._refuse)
        self.connected += 1
        return engine

    def _refuse(self, _connection):
        said, self.said = self.said, ""
        if said:
            raise sqlite3.OperationalError(said)

    def read_fault(self, error):
        fault = super().read_fault(error)
        return type(fault)("08006", fault.text) if "gone" in str(error) else fault


@pytest.fixture
def stubborn(sqlite_url, table_of):
    driver = Stubborn(sqlite_url)
    shop = Destination(driver)
    shop.open()
    shop.prepare(table_of("order"))
    yield driver
    shop.close()


def refused(driver, table, row, said):
    """A transaction that fails, and cannot be rolled back either."""
    with pytest.raises(ZeroDivisionError), driver.transaction():  # noqa: PT012 - the transaction is the point
        driver.upsert(table, [row(table, 1, id="a")])
        driver.said = said
        raise ZeroDivisionError


def test_a_session_that_cannot_be_rolled_back_is_replaced(stubborn, table_of, row):
    table = table_of("order")
    refused(stubborn, table, row, "cannot rollback: no transaction is active")

    assert stubborn.count("order") == 0
    assert stubborn.upsert(table, [row(table, 1, id="b")]) == 1
    assert stubborn.connected == 2


def test_a_session_that_was_only_read_is_replaced_as_well(stubborn, table_of, row):
    stubborn.said = "cannot rollback: no transaction is active"

    assert stubborn.count("order") == 0
    assert stubborn.upsert(table_of("order"), [row(table_of("order"), 1, id="b")]) == 1
    assert stubborn.connected == 2


def test_a_session_that_is_lost_waits_to_be_opened(stubborn, table_of, row):
    """Else nobody would claim anew what another server may have taken meanwhile."""
    refused(stubborn, table_of("order"), row, "the connection is gone")

    with pytest.raises(TransientError):
        stubborn.count("order")
    stubborn.open()
    assert stubborn.count("order") == 0


def test_a_session_that_was_closed_stays_closed(stubborn, table_of, row):
    refused(stubborn, table_of("order"), row, "cannot rollback")
    stubborn.close()

    with pytest.raises(TransientError):
        stubborn.count("order")


class Schemaless(SqliteDriver):
    """A database in which there are no schemas, and SQLAlchemy knows of none."""

    def make_engine(self):
        engine = super().make_engine()
        engine.dialect.default_schema_name = None
        engine.dialect._get_default_schema_name = lambda _connection: None
        return engine

    def prepare_session(self):
        super().prepare_session()


def test_a_database_may_have_no_schemas(sqlite_url, table_of, row):
    shop = Destination(Schemaless(sqlite_url))
    shop.open()
    shop.ledger.create()
    shop.prepare(table_of("order"))

    assert shop.upsert(table_of("order"), [row(table_of("order"), 1, id="a")]) == 1
    assert shop.ledger.checkpoints() == {}
    shop.close()


class Typed(SqliteDriver):
    """SQLite with the portable statements, as if it did not guess types."""

    typed_parameters = True
    write = SqlDriver.write
    remove = SqlDriver.remove

    def make_engine(self):
        engine = super().make_engine()
        self.ran = []
        event.listen(engine, "before_cursor_execute", lambda *a: self.ran.append(a[2]))
        return engine


def test_what_is_selected_has_a_type_where_a_database_wants_one(sqlite_url, row):
    columns = Column("id", ColumnType.TEXT), Column("n", ColumnType.INTEGER)
    table = TableSchema("order", "1", columns, ("id",))
    driver = Typed(sqlite_url)
    shop = Destination(driver)
    shop.open()
    shop.prepare(table)
    assert shop.upsert(table, [row(table, 2, id="a", n=2**53 + 1)]) == 1
    assert shop.delete(table, [VersionedKey(("b",), Version(9))]) == 0
    assert shop.upsert(table, [row(table, 3, id="b", n=1)]) == 0

    assert [r.values for r in driver.read(table, None, 9)] == [
        {"id": "a", "n": 2**53 + 1}
    ]
    selects = [text for text in driver.ran if re.match("INSERT.+SELECT", text)]
    assert len(selects) >= 3
    assert not [text for text in selects if re.search(r"SELECT \?|, \?", text)]
    shop.close()


class Forgetful(Typed):
    """Of many executions, its DBAPI counts nothing, and SQLAlchemy knows."""

    def make_engine(self):
        engine = super().make_engine()
        engine.dialect.supports_sane_multi_rowcount = False
        return engine


def test_rows_are_counted_where_a_dbapi_does_not_count_many(sqlite_url, table_of, row):
    driver, table = Forgetful(sqlite_url), table_of("order")
    shop = Destination(driver)
    shop.open()
    shop.prepare(table)

    assert shop.upsert(table, [row(table, 1, id=each) for each in "abc"]) == 3
    inserts = [text for text in driver.ran if text.startswith('INSERT INTO "order"')]
    assert len(inserts) == 3
    shop.close()
