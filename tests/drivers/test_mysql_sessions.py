"""Locks, lost connections and read-only servers: never the row's fault."""

from __future__ import annotations

import threading

import pytest

from eds_core.errors import PositionMoved, TransientError
from eds_core.ledger import Checkpoint, Move
from eds_core.schema import ColumnType
from eds_driver_mysql import MysqlDriver

TEXT = ColumnType.TEXT


@pytest.fixture
def thing(mysqls, table_of):
    table = table_of("thing", a=TEXT)
    mysqls.prepare(table)
    return table


def test_two_servers_never_hold_one_company(mysqls):
    ledger = mysqls.ledger
    ledger.establish(Checkpoint("shop", 1, 1, "a", "s", "p"))
    mine = ledger.claim("shop", "me", "server")
    claimed: list[Checkpoint | None] = []

    with mysqls.another() as second:
        thread = threading.Thread(
            target=lambda: claimed.append(second.ledger.claim("shop", "you", "server"))
        )
        with mysqls.transaction():
            ledger.advance([Move("shop", mine.epoch, 1, 5, 1)])
            thread.start()
            thread.join(0.3)
            waited = thread.is_alive()
        thread.join()

    assert waited
    assert claimed[0] is not None
    assert (claimed[0].epoch, claimed[0].sequence) == (mine.epoch + 1, 5)


def test_a_zombie_transaction_is_waited_for_then_fenced(mysqls):
    ledger = mysqls.ledger
    ledger.establish(Checkpoint("shop", 1, 1, "a", "s", "p"))
    mine = ledger.claim("shop", "me", "server")
    with mysqls.another() as second:
        with mysqls.transaction():
            ledger.advance([Move("shop", mine.epoch, 1, 5, 1)])
            second.driver.session.run("SET innodb_lock_wait_timeout = 1")
            with pytest.raises(TransientError, match="Lock wait timeout"):
                second.ledger.reclaim("shop", mine.epoch, "me")
        again = second.ledger.reclaim("shop", mine.epoch, "me")

        assert again.sequence == 5
        with second.transaction(), pytest.raises(PositionMoved):
            second.ledger.advance([Move("shop", again.epoch, 1, 5, 1)])


def test_a_killed_connection_is_transient_and_open_heals_it(mysqls, thing):
    mine = mysqls.value("SELECT CONNECTION_ID()")
    with mysqls.another() as second:
        with pytest.raises(TransientError), mysqls.transaction():  # noqa: PT012 - the transaction is the point
            mysqls.put(thing, 1, id="a")
            second.run(f"KILL {mine}")
            mysqls.put(thing, 1, id="b")
        with pytest.raises(TransientError):
            mysqls.put(thing, 1, id="a")
        with pytest.raises(TransientError):
            mysqls.driver.columns("thing")

    mysqls.open()
    assert mysqls.rows("thing") == []
    assert mysqls.put(thing, 1, id="a") == 1


def test_a_connection_killed_while_it_waits_is_transient(mysqls, thing):
    mine = mysqls.value("SELECT CONNECTION_ID()")
    mysqls.put(thing, 1, id="a")
    with mysqls.another() as second, second.transaction():
        second.put(thing, 2, id="a")
        killer = threading.Timer(0.3, lambda: _kill(mysqls, mine))
        killer.start()
        with pytest.raises(TransientError):
            mysqls.put(thing, 3, id="a")
        killer.join()


def _kill(shop, number):
    with shop.another() as third:
        third.run(f"KILL {number}")


def test_a_statement_that_is_cancelled_is_transient(mysqls, thing):
    mine = mysqls.value("SELECT CONNECTION_ID()")
    mysqls.put(thing, 1, id="a")
    with mysqls.another() as second, second.transaction():
        second.put(thing, 2, id="a")
        cancel = threading.Timer(0.3, lambda: _cancel(mysqls, mine))
        cancel.start()
        with pytest.raises(TransientError, match="interrupted"):
            mysqls.put(thing, 3, id="a")
        cancel.join()

    assert mysqls.put(thing, 4, id="a") == 1


def _cancel(shop, number):
    with shop.another() as third:
        third.run(f"KILL QUERY {number}")


def test_a_deadlock_is_transient(mysqls, thing, row):
    mysqls.upsert(thing, [row(thing, 1, id=i) for i in "ab"])
    failed: list[Exception] = []

    def other(second):
        try:
            with second.transaction():
                second.put(thing, 2, id="b")
                there.wait()
                second.put(thing, 2, id="a")
        except TransientError as error:
            failed.append(error)

    there = threading.Barrier(2)
    with mysqls.another() as second:
        thread = threading.Thread(target=other, args=[second])
        thread.start()
        try:
            with mysqls.transaction():
                mysqls.put(thing, 3, id="a")
                there.wait()
                mysqls.put(thing, 3, id="b")
        except TransientError as error:
            failed.append(error)
        thread.join()

    assert len(failed) == 1
    assert "eadlock" in str(failed[0])


def test_a_session_is_set_up_so_that_it_frees_what_it_holds(mysqls):
    def setting(name):
        return mysqls.value(f"SELECT @@SESSION.{name}")

    assert setting("innodb_lock_wait_timeout") == 10
    assert setting("lock_wait_timeout") == 10
    assert setting("wait_timeout") == 600
    assert setting("time_zone") == "+00:00"
    assert "STRICT_ALL_TABLES" in setting("sql_mode")
    mariadb = "MariaDB" in mysqls.value("SELECT VERSION()")
    name = "tx_isolation" if mariadb else "transaction_isolation"
    assert setting(name) == "READ-COMMITTED"
    assert not mariadb or setting("idle_transaction_timeout") == 60


def test_a_dry_run_cannot_write(mysqls, thing, row):
    driver = MysqlDriver(mysqls.driver.url)
    driver.read_only = True
    driver.open()

    with pytest.raises(TransientError, match="READ ONLY"):
        driver.upsert(thing, [row(thing, 1, id="a")])
    driver.close()


@pytest.mark.parametrize("server", ["own_mariadb", "own_mysql"])
def test_a_crashed_server_is_transient_and_heals(request, server, table_of, row):
    own = request.getfixturevalue(server)
    driver = MysqlDriver(own.new_database())
    driver.open()
    own.stop("immediate")
    with pytest.raises(TransientError):
        driver.columns("order")
    with pytest.raises(TransientError):
        driver.open()
    own.start()

    driver.open()
    assert driver.columns("order") == {}
    driver.close()


def test_a_server_made_read_only_is_not_the_rows_fault(own_mysql, table_of, row):
    driver, table = MysqlDriver(own_mysql.new_database()), table_of("thing", a=TEXT)
    driver.open()
    driver.ledger.create()
    with driver.transaction():
        driver.session.run(
            "CREATE TABLE thing (id VARCHAR(9) COLLATE utf8mb4_0900_bin PRIMARY KEY, "
            "a TEXT, _eds_version DECIMAL(30,10))"
        )
    own_mysql.execute("SET GLOBAL read_only = 1")
    try:
        with pytest.raises(TransientError, match="read-only"):
            driver.upsert(table, [row(table, 1, id="a")])
    finally:
        own_mysql.execute("SET GLOBAL read_only = 0")
        driver.close()
