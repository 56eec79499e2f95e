"""What the base of the SQL drivers does with a session that it cannot trust."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy import event

from eds_core.destination import Destination
from eds_core.errors import TransientError
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
