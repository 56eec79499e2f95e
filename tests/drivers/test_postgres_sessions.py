"""Locks, lost connections and read-only servers: never the row's fault."""

from __future__ import annotations

import threading

import pytest

from eds_core.errors import PositionMoved, TableError, TransientError
from eds_core.ledger import Checkpoint, Move, TableStatus
from eds_core.schema import ColumnType
from eds_driver_postgres import PostgresDriver

TEXT = ColumnType.TEXT


def test_a_zombie_transaction_is_waited_for_then_fenced(postgresql):
    ledger = postgresql.ledger
    ledger.establish(Checkpoint("shop", 1, 1, "a", "s", "p"))
    mine = ledger.claim("shop", "me", "server")
    with postgresql.another() as second:
        with postgresql.transaction():
            ledger.advance([Move("shop", mine.epoch, 1, 5, 1)])
            second.run("SET lock_timeout = '200ms'")
            with pytest.raises(TransientError, match="lock"):
                second.ledger.reclaim("shop", mine.epoch, "me")
        again = second.ledger.reclaim("shop", mine.epoch, "me")

        assert again.sequence == 5
        with second.transaction(), pytest.raises(PositionMoved):
            second.ledger.advance([Move("shop", again.epoch, 1, 5, 1)])


def test_a_killed_connection_is_transient_and_open_heals_it(postgresql, table_of):
    table = table_of("thing", a=TEXT)
    postgresql.prepare(table)
    with postgresql.another() as second:
        mine = postgresql.value("SELECT pg_backend_pid()")
        with pytest.raises(TransientError), postgresql.transaction():  # noqa: PT012 - the transaction is the point
            second.run(f"SELECT pg_terminate_backend({mine})")
            postgresql.put(table, 1, id="a")
    with pytest.raises(TransientError):
        postgresql.put(table, 1, id="a")
    with pytest.raises(TransientError):
        postgresql.driver.columns("thing")

    postgresql.open()
    assert postgresql.put(table, 1, id="a") == 1


def test_a_read_only_database_is_not_the_rows_fault(postgresql, table_of):
    table = table_of("thing", a=TEXT)
    postgresql.prepare(table)
    postgresql.run("SET default_transaction_read_only = on")

    with pytest.raises(TransientError, match="read-only"):
        postgresql.put(table, 1, id="a")


def test_deadlocks_and_cancelled_statements_are_transient(postgresql, table_of):
    table = table_of("thing", a=TEXT)
    postgresql.prepare(table)
    postgresql.put(table, 1, id="a")
    postgresql.run("SET lock_timeout = 0", "SET statement_timeout = '200ms'")
    with postgresql.another() as second, second.transaction():
        second.driver.session.run("LOCK TABLE thing")
        with pytest.raises(TransientError, match="statement timeout"):
            postgresql.put(table, 2, id="a")


def test_a_session_is_set_up_so_that_it_frees_what_it_holds(postgresql):
    settings = {
        name: postgresql.value(f"SHOW {name}")
        for name in ("idle_in_transaction_session_timeout", "lock_timeout", "jit")
    }

    assert list(settings.values()) == ["1min", "10s", "off"]
    assert postgresql.value("SHOW timezone") == "UTC"
    assert postgresql.value("SHOW application_name") == "eds"


def test_a_dry_run_cannot_write(postgresql, postgres_url):
    driver = PostgresDriver(postgres_url)
    driver.read_only = True
    driver.open()

    with pytest.raises(TransientError, match="read-only"):
        driver.ledger.establish(Checkpoint("shop", 1, 1, "a", "s", "p"))
    driver.close()


def test_a_deferred_constraint_is_found_to_be_the_tables_fault(postgresql, table_of):
    table = table_of("thing", a=TEXT)
    postgresql.prepare(table)
    postgresql.run("CREATE TABLE other (id text PRIMARY KEY)")
    postgresql.run(
        "ALTER TABLE thing ADD FOREIGN KEY (a) REFERENCES other (id) "
        "DEFERRABLE INITIALLY DEFERRED"
    )

    with pytest.raises(TransientError, match="deferred"):  # at the commit
        postgresql.put(table, 1, id="x", a="nobody")
    with postgresql.transaction(), pytest.raises(TableError):  # in the statement
        postgresql.put(table, 1, id="x", a="nobody")


def test_a_status_that_another_server_has_just_written_is_tried_again(postgresql):
    status = {("thing", "shop"): TableStatus("thing", "shop", rows=1)}
    failed: list[Exception] = []

    def report(second):
        try:
            second.ledger.report(status)
        except TransientError as error:
            failed.append(error)

    with postgresql.another() as second:
        thread = threading.Thread(target=report, args=[second])
        with postgresql.transaction():
            postgresql.ledger.report(status)
            thread.start()
            thread.join(0.3)
        thread.join()
        second.ledger.report(status)

    assert len(failed) == 1
    assert [found.rows for found in postgresql.ledger.statuses()] == [2]
