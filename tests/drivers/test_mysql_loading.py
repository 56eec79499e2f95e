"""Bulk loads of MySQL and MariaDB: LOAD DATA LOCAL, and what it must not do."""

from __future__ import annotations

import logging

import pytest

from eds_core.errors import RejectedError, TransientError
from eds_core.schema import ColumnType
from eds_driver_mysql import MysqlDriver

TEXT = ColumnType.TEXT


def names(shop, table="thing"):
    return shop.rows(table, "id", "a")


@pytest.fixture
def thing(mysqls, table_of):
    table = table_of("thing", a=TEXT)
    mysqls.prepare(table)
    return table


KINDS = {f"a_{kind}": kind for kind in ColumnType}
FULL = {
    "a_text": "it's\t\\N \n\r\0 \\ 'q'",
    "a_integer": -(2**63),
    "a_number": -1.5e300,
    "a_decimal": "12345678901234567890.0123456789",
    "a_boolean": True,
    "a_timestamp": "2024-02-29T12:00:00.123456789Z",
    "a_datetime": "0001-01-01T00:00:00Z",
    "a_json": {"a": ["\\", "\t", None, "'"]},
    "a_bytes": "AAECCQpc/w==",
}


@pytest.fixture
def loading(mysqls):
    """A driver whose URL asks for LOAD DATA LOCAL."""
    driver = MysqlDriver(f"{mysqls.driver.url}?local_infile=1")
    driver.open()
    yield driver
    driver.close()


def test_a_bulk_load_writes_what_an_upsert_writes(mysqls, loading, table_of, row):
    table = table_of("thing", **KINDS)
    mysqls.prepare(table)
    assert loading._loads
    mysqls.upsert(table, [row(table, 1, id="a", **FULL), row(table, 1, id="b")])
    expected = [found[1:] for found in mysqls.rows("thing")]
    mysqls.run("DELETE FROM thing")

    loaded = [row(table, 1, id="a", **FULL), row(table, 1, id="b")]
    assert loading.bulk_load(table, loaded).changed == 2
    assert _uses(loading, "load") == 1
    assert [found[1:] for found in mysqls.rows("thing")] == expected


def _uses(driver, command):
    with driver.session.reading() as connection:
        query = f"SHOW SESSION STATUS LIKE 'Com_{command}'"
        return int(connection.exec_driver_sql(query).one()[1])


def test_a_bulk_load_keeps_every_rule(mysqls, loading, thing, row):
    mysqls.put(thing, 5, id="1", a="newer")
    mysqls.drop(thing, 5, "2")
    rows = (row(thing, 1 + n // 6000, id=str(n % 6000), a=str(n)) for n in range(12000))

    assert loading.bulk_load(thing, rows).inserted == 5998
    assert _uses(loading, "load") == 3
    found = dict(names(mysqls))
    assert len(found) == 5999
    assert (found["1"], found["7"]) == ("newer", "6007")


def test_a_bulk_load_of_a_bad_row_rejects_it_and_cuts_nothing(
    mysqls, loading, table_of, row
):
    mysqls.run("CREATE TABLE thing (id VARCHAR(40) PRIMARY KEY, a VARCHAR(3))")
    table = table_of("thing", a=TEXT)
    mysqls.prepare(table)

    with pytest.raises(RejectedError, match="too long"):
        loading.bulk_load(table, [row(table, 1, id="x", a="long")])

    assert names(mysqls) == []


def test_a_server_without_local_infile_gets_inserts_which_is_said_once(
    mysqls, request, row, thing, caplog
):
    server = request.getfixturevalue("own_" + mysqls.driver.url.partition(":")[0])
    server.execute("SET GLOBAL local_infile = 0")
    driver = MysqlDriver(f"{mysqls.driver.url}?local_infile=1")
    try:
        driver.open()
        with caplog.at_level(logging.INFO, "eds.mysql"):
            driver.bulk_load(thing, [row(thing, 1, id="a", a="x")])
            driver.bulk_load(thing, [row(thing, 1, id="b", a="x")])
    finally:
        server.execute("SET GLOBAL local_infile = 1")
        driver.close()

    assert [record.message for record in caplog.records] == [
        "the server has local_infile off: loading by INSERT"
    ]
    assert names(mysqls) == [("a", "x"), ("b", "x")]


def test_local_infile_switched_off_at_the_server_meanwhile(
    mysqls, request, loading, row, thing
):
    server = request.getfixturevalue("own_" + mysqls.driver.url.partition(":")[0])
    server.execute("SET GLOBAL local_infile = 0")
    try:
        assert loading.bulk_load(thing, [row(thing, 1, id="a", a="x")]).inserted == 1
    finally:
        server.execute("SET GLOBAL local_infile = 1")


def test_a_server_gets_no_file_that_it_was_not_offered(
    mysqls, loading, thing, tmp_path
):
    secret = tmp_path / "secret"
    secret.write_text("secret\n")

    with pytest.raises(TransientError, match="not offered"):
        loading.session.run(f"LOAD DATA LOCAL INFILE '{secret}' INTO TABLE thing")

    assert names(mysqls) == []
