"""What is SQLite's own."""

from __future__ import annotations

import sqlite3
import threading

import pytest

from eds_core.errors import ConfigError, TableError, TransientError
from eds_core.ledger import Checkpoint
from eds_core.schema import ColumnType
from eds_core.sqlite import SqliteDriver

TEXT = ColumnType.TEXT


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite://", "gone with this process"),
        ("sqlite:///:memory:", "gone with this process"),
        ("sqlite://host/shop.db", "names no file"),
        ("sqlite://user:hidden@/shop.db", "names no file"),
        ("sqlite:///shop.db?mode=ro", "names no file"),
        ("sqlite:////x\0y?password=hidden", "names no file"),
    ],
)
def test_a_url_that_names_no_file_is_refused(url, words):
    with pytest.raises(ConfigError, match=words) as caught:
        SqliteDriver(url)

    assert "hidden" not in str(caught.value)


def test_a_missing_directory_is_told_at_open(tmp_path):
    driver = SqliteDriver(f"sqlite:///{tmp_path}/missing/shop.db")

    with pytest.raises(ConfigError, match="no directory") as caught:
        driver.open()

    assert caught.value.advice == f"mkdir -p {tmp_path}/missing"
    driver.close()


def test_a_directory_is_no_database(tmp_path):
    with pytest.raises(ConfigError, match="is a directory"):
        SqliteDriver(f"sqlite:///{tmp_path}").open()


def test_another_file_is_no_database(tmp_path):
    (tmp_path / "shop.db").write_bytes(b"x" * 4096)
    driver = SqliteDriver(f"sqlite:///{tmp_path}/shop.db")

    with pytest.raises(ConfigError, match="not a database"):
        driver.open()


def test_a_dry_run_makes_no_file(tmp_path):
    driver = SqliteDriver(f"sqlite:///{tmp_path}/shop.db")
    driver.read_only = True
    driver.open()

    assert driver.columns("order") == {}
    assert driver.ledger.checkpoints() == {}
    driver.close()
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_reads_what_is_there(sqlite, table_of):
    sqlite.prepare(table_of("order", a=TEXT))
    driver = SqliteDriver(sqlite.driver.url)
    driver.read_only = True
    driver.open()

    assert driver.columns("order") == {"id": TEXT, "a": TEXT}
    with pytest.raises(TransientError, match="readonly"):
        driver.ledger.establish(Checkpoint("shop", 1, 1, "a", "s", "p"))
    driver.close()


def test_a_lock_is_waited_for_and_is_not_the_rows_fault(sqlite, table_of, monkeypatch):
    monkeypatch.setattr("eds_core.sqlite._WAIT", 0.1)
    table = table_of("order", a=TEXT)
    sqlite.prepare(table)
    with (
        sqlite.another() as second,
        sqlite.transaction(),
        pytest.raises(TransientError, match="locked"),
    ):
        second.put(table, 1, id="a")


def test_a_start_waits_for_a_program_that_writes_to_its_file(tmp_path):
    path = tmp_path / "shop.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    rollback = threading.Timer(0.3, other.rollback)
    rollback.start()
    driver = SqliteDriver(f"sqlite:///{path}")

    driver.open()  # the switch to WAL is refused at once while the other writes

    driver.close()
    rollback.join()
    assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()


def test_readers_do_not_wait_for_the_writer(sqlite, table_of):
    table = table_of("order", a=TEXT)
    sqlite.prepare(table)
    with sqlite.another() as second, sqlite.transaction():
        sqlite.put(table, 1, id="a")

        assert second.rows("order") == []
        assert second.ledger.checkpoints() == {}


def test_columns_that_differ_in_case_only_are_refused(sqlite, table_of):
    with pytest.raises(TableError, match="companyID and companyId differ in case"):
        sqlite.prepare(table_of("order", companyId=TEXT, companyID=TEXT))


def test_a_column_of_another_spelling_is_not_mixed_with_ours(sqlite, table_of):
    sqlite.run('CREATE TABLE "order" (id TEXT PRIMARY KEY, COMPANYID TEXT)')

    with pytest.raises(TableError, match="differ in case"):
        sqlite.prepare(table_of("order", companyId=TEXT))


def test_a_table_of_another_spelling_is_not_mixed_with_ours(sqlite, table_of):
    sqlite.run('CREATE TABLE "ORDER" (id TEXT PRIMARY KEY)')

    assert sqlite.driver.columns("order") == {}
    with pytest.raises(TableError, match="ORDER and order differ in case"):
        sqlite.prepare(table_of("order"))


@pytest.mark.parametrize(
    "obstacle",
    [
        'CREATE INDEX mine ON "order" (a)',
        'CREATE VIEW mine AS SELECT a FROM "order"',
        'CREATE TRIGGER mine DELETE ON "order" BEGIN SELECT old.a; END',
    ],
)
def test_what_hinders_a_widening_is_named_and_nothing_is_lost(
    sqlite, table_of, obstacle
):
    sqlite.prepare(table_of("order", a=ColumnType.INTEGER))
    sqlite.put(table_of("order", a=ColumnType.INTEGER), 1, id="x", a=5)
    sqlite.run(obstacle)

    with pytest.raises(TableError, match="mine") as caught:
        sqlite.prepare(table_of("order", a=TEXT))

    assert caught.value.table == "order"
    assert caught.value.advice.startswith("drop what depends on the column")
    assert sqlite.rows("order", "id", "a") == [("x", 5)]
    assert sqlite.driver.columns("order") == {"id": TEXT, "a": ColumnType.INTEGER}


def test_a_widened_column_that_is_a_key_is_refused_with_words(sqlite, table_of):
    sqlite.run("CREATE TABLE thing (id BIGINT PRIMARY KEY)")

    with pytest.raises(TableError) as caught:
        sqlite.prepare(table_of("thing"))

    assert "PRIMARY KEY" in str(caught.value)
    assert caught.value.advice.startswith("rename the table")


def test_decimals_and_json_do_not_become_floats(sqlite, table_of, raw):
    table = table_of("thing", d=ColumnType.DECIMAL, j=ColumnType.JSON)
    sqlite.prepare(table)
    sqlite.upsert(table, [raw(1, "x", '{"id":"x","d":"1.10","j":1e5}')])

    assert sqlite.rows("thing", "d", "j") == [("1.10", "1e5")]
    assert sqlite.value("SELECT typeof(d) || typeof(j) FROM thing") == "texttext"


def test_nul_is_kept_in_text(sqlite, table_of, raw):
    table = table_of("thing", a=TEXT)
    sqlite.prepare(table)
    sqlite.upsert(table, [raw(1, "x", '{"id":"x","a":"b\\u0000c"}')])

    assert sqlite.rows("thing", "a") == [("b\0c",)]


def test_a_row_and_its_position_survive_a_crash_together(sqlite, table_of, tmp_path):
    """The write-ahead log of a process that never closed is played again."""
    table = table_of("order", a=TEXT)
    sqlite.prepare(table)
    sqlite.put(table, 1, id="a")
    copy = tmp_path / "copy.db"
    for suffix in ("", "-wal"):
        source = tmp_path / f"shop.db{suffix}"
        (tmp_path / f"copy.db{suffix}").write_bytes(source.read_bytes())

    found = sqlite3.connect(copy)
    assert found.execute('SELECT id FROM "order"').fetchall() == [("a",)]
    found.close()
