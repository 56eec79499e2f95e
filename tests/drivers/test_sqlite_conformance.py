"""SQLite keeps the contract: with statements of its own and with the portable ones."""

from __future__ import annotations

import pytest

from eds_core.sql import SqlDriver
from eds_core.sqlite import SqliteDriver
from eds_core.testing import DriverConformance


@pytest.fixture(scope="class")
def destination_url(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('conformance') / 'shop.db'}"


class TestSqlite(DriverConformance):
    scheme = "sqlite"
    shrinks = True


class PortableSqlite(SqliteDriver):
    """SQLite without statements of its own: what a new dialect begins with."""

    write = SqlDriver.write
    remove = SqlDriver.remove
    statements = SqlDriver.statements


class TestPortable(DriverConformance):
    driver = PortableSqlite
    documented = False
    max_examples = 15
    shrinks = True
