"""A driver written against the first contract works for as long as it is kept."""

from __future__ import annotations

import pluggy
import pytest

from drivers.first_contract import FirstContract
from eds_core import destination
from eds_core.driver import OLDEST_CONTRACT, VERBS, Driver, Loaded, hookspec
from eds_core.event import Row, Version
from eds_core.schema import Column, ColumnType, SchemaChange, TableSchema
from eds_core.testing import DriverConformance

TABLE = TableSchema("order", "v1", (Column("id", ColumnType.TEXT),), ("id",))
ROW = Row(("a",), Version(1, 0), b'{"id":"a"}')


@pytest.fixture(scope="class")
def destination_url(tmp_path_factory):
    return f"frozen://{tmp_path_factory.mktemp('frozen')}"


class TestFirstContract(DriverConformance):
    driver = FirstContract
    documented = False
    embedded = True
    max_examples = 5

    def fetch(self, driver, table):
        return driver.rows(table.name)

    def drop(self, driver, table):
        driver.drop(table.name)


def test_it_is_still_kept():
    assert FirstContract.contract == OLDEST_CONTRACT == 1


class Later(Driver):
    """The contract as it may become: each verb is given one thing more."""

    @hookspec(firstresult=True)
    def migrate(self, change, reason): ...

    @hookspec(firstresult=True)
    def upsert(self, table, rows, reason): ...

    @hookspec(firstresult=True)
    def delete(self, table, keys, reason): ...

    @hookspec(firstresult=True)
    def bulk_load(self, table, rows, reason): ...


def test_a_hook_that_gains_an_argument_breaks_no_old_driver(monkeypatch, tmp_path):
    monkeypatch.setattr(destination, "Driver", Later)
    opened = destination.Destination(FirstContract(f"frozen://{tmp_path}"))
    hook: pluggy.HookRelay = opened._hook
    assert {each: "reason" in getattr(hook, each).spec.argnames for each in VERBS} == (
        dict.fromkeys(VERBS, True)
    )
    opened.open()
    opened.ledger.create()

    with opened.transaction():
        assert hook.migrate(change=SchemaChange(TABLE, creates=True), reason="") == 1
        assert hook.upsert(table=TABLE, rows=[ROW], reason="new") == 1
        loaded = hook.bulk_load(table=TABLE, rows=[ROW], reason="new")
        assert loaded == Loaded(updated=1)
        assert hook.delete(table=TABLE, keys=[], reason="new") == 0

    assert opened.driver.count("order") == 1
    opened.close()
