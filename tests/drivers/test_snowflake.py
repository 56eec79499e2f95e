"""Snowflake's own ways: staged files, sessions that end, logins, half-done steps."""

from __future__ import annotations

import logging
import os
import re

import pytest
from snowflake.connector.cursor import SnowflakeCursor

from drivers.conftest import Shop, StagedSnowflake
from eds_core.destination import Destination
from eds_core.errors import ConfigError, DestinationError, TableError, TransientError
from eds_core.event import Version, VersionedKey
from eds_core.ledger import Checkpoint
from eds_core.schema import ColumnType
from eds_driver_snowflake import SnowflakeDriver, connecting
from servers.snowflake import GIVEN_SNOWFLAKE

TEXT, INTEGER = ColumnType.TEXT, ColumnType.INTEGER

emulated = pytest.mark.skipif(
    GIVEN_SNOWFLAKE in os.environ, reason="only fakesnow's server can be told to fail"
)


def opened(driver):
    shop = Shop(driver)
    shop.open()
    shop.ledger.create()
    return shop


@pytest.fixture
def plain(snowflake_url):
    shop = opened(SnowflakeDriver(snowflake_url))
    yield shop
    shop.close()


@pytest.fixture
def staged(snowflake_url):
    shop = opened(StagedSnowflake(snowflake_url))
    yield shop
    shop.close()


def test_every_type_comes_through_a_file_as_through_a_parameter(
    plain, staged, table_of, raw
):
    table = table_of("thing", **{f"a_{kind}": kind for kind in ColumnType})
    after = (
        '"a_text":"it\'s \\"q\\" \\\\ 😀\\n","a_integer":9223372036854775807,'
        '"a_number":5e-324,"a_decimal":-0.000000000000000001,"a_boolean":false,'
        '"a_timestamp":"9999-12-31T23:59:59.999999Z",'
        '"a_datetime":"0001-01-01T00:00:00Z","a_json":[{"a":"b\\\\c"},null],'
        '"a_bytes":"AP8="'
    )
    found = []
    for shop in (plain, staged):
        shop.prepare(table)
        shop.upsert(table, [raw(1, "x", f'{{"id":"x",{after}}}')])
        names = [c.name for c in table.columns if c.type is not ColumnType.TIMESTAMP]
        moment = shop.value('SELECT CAST("a_timestamp" AS VARCHAR) FROM "thing"')
        found.append((shop.rows("thing", *names), moment))

    assert found[0] == found[1]


def test_many_rows_go_as_a_file_which_is_gone_once_it_is_read(plain, table_of, row):
    table = table_of("thing", a=TEXT)
    plain.prepare(table)
    rows = [row(table, 1, id=str(n), a="x" * 1000) for n in range(1000)]
    assert sum(len(r.after) for r in rows) > plain.driver.bound_bytes

    assert plain.upsert(table, rows) == 1000
    assert plain.value('SELECT count(*) FROM "thing"') == 1000
    assert plain.driver._rows('LIST @"_eds_files"') == []


def test_what_a_file_left_behind_is_not_written_again(staged, table_of):
    one, two = table_of("one", a=TEXT), table_of("two", a=TEXT)
    staged.prepare(one)
    staged.prepare(two)
    with staged.transaction():
        staged.put(one, 1, id="x", a="1")
        staged.put(two, 1, id="y", a="2")

    assert staged.rows("two", "id") == [("y",)]


def test_a_file_does_not_outlive_its_transaction(staged, table_of):
    table = table_of("thing", a=TEXT)
    staged.prepare(table)
    with pytest.raises(ZeroDivisionError), staged.transaction():  # noqa: PT012 - the transaction is the point
        staged.put(table, 1, id="x")
        staged.delete(table, [VersionedKey(("y",), Version(1))])
        raise ZeroDivisionError

    assert staged.rows("thing") == []
    assert staged.put(table, 0, id="y") == 1


def test_two_servers_that_start_at_once_have_one_first_position(plain):
    first = Checkpoint("shop", 41, 1, "account", "dbchange", "prefix")
    with plain.another() as second:
        # As if each had looked before the other wrote.
        for ledger in (plain.ledger, second.ledger):
            with ledger._session.transaction():
                ledger._insert_checkpoint(first)

    assert plain.value('SELECT count(*) FROM "_eds_checkpoint"') == 1


@pytest.mark.parametrize("done", [1, 2, 3])
def test_a_widening_that_was_cut_off_is_completed(plain, table_of, done):
    narrow, wide = table_of("thing", a=INTEGER), table_of("thing", a=TEXT)
    plain.prepare(narrow)
    plain.put(narrow, 1, id="x", a=7)
    steps = [
        'ALTER TABLE "thing" ADD "_eds_a" VARCHAR',
        'UPDATE "thing" SET "_eds_a" = "a"::VARCHAR',
        'ALTER TABLE "thing" DROP COLUMN "a"',
    ]
    plain.run(*steps[:done])

    plain.prepare(wide)
    assert plain.driver.columns("thing") == wide.types
    assert plain.rows("thing", "id", "a") == [("x", "7")]


def test_a_key_is_not_widened(plain, table_of):
    plain.prepare(table_of("thing", id=INTEGER))

    with pytest.raises(TableError, match="has to become text") as caught:
        plain.prepare(table_of("thing", id=TEXT))

    assert caught.value.table == "thing"


def test_a_dry_run_makes_nothing(snowflake_url):
    driver = SnowflakeDriver(snowflake_url)
    driver.read_only = True
    driver.open()

    with pytest.raises(TableError):
        driver._rows('SELECT * FROM "_eds_rows"')
    assert driver.columns("thing") == {}
    driver.close()


@pytest.fixture
def altered(monkeypatch):
    """What the sessions are made other than they were at their login."""
    told = []
    execute = SnowflakeCursor.execute

    def noting(self, operation, *args, **options):
        if operation.startswith("ALTER SESSION"):
            told.append(operation)
        return execute(self, operation, *args, **options)

    monkeypatch.setattr(SnowflakeCursor, "execute", noting)
    return told


def test_a_session_is_tagged_and_else_stays_as_it_logged_in(snowflake_url, altered):
    opened(SnowflakeDriver(snowflake_url)).close()

    assert altered == ["ALTER SESSION SET QUERY_TAG = 'eds'"]


def test_a_tag_that_is_not_allowed_stops_nobody(snowflake_url, altered, monkeypatch):
    refused = "ALTER SESSION UNSET nothing at all"
    monkeypatch.setattr(connecting, "TAG", refused)

    shop = opened(SnowflakeDriver(snowflake_url))

    assert altered == [refused]
    with pytest.raises(DestinationError):
        shop.driver.session.run(refused)
    shop.close()


def test_the_destination_says_how_long_changes_may_wait(snowflake_url):
    url = snowflake_url.replace("freshness=0", "freshness=10m")

    assert Destination(SnowflakeDriver(url)).freshness == 600


@emulated
def test_a_session_that_has_expired_is_opened_again(plain, order_of_one):
    plain.put(order_of_one, 1, id="a")
    with pytest.raises(TransientError):
        plain.driver._rows("EXPIRE")
    with pytest.raises(TransientError):
        plain.put(order_of_one, 2, id="b")

    plain.close()
    plain.open()
    assert plain.put(order_of_one, 2, id="b") == 1
    assert plain.rows("one", "id") == [("a",), ("b",)]


@pytest.fixture
def order_of_one(plain, table_of):
    table = table_of("one", name=TEXT)
    plain.prepare(table)
    return table


@emulated
@pytest.mark.parametrize("number", ["390100", "390144"])
def test_a_login_that_is_refused_is_the_users_to_mend(snowflake_url, number):
    url = re.sub("//eds:", f"//refused_{number}:", snowflake_url)

    with pytest.raises(ConfigError, match="Incorrect username") as caught:
        SnowflakeDriver(url).open()

    assert caught.value.advice
    assert "secret" not in f"{caught.value!r} {caught.value} {caught.value.__cause__}"


@emulated
def test_a_server_that_dies_is_no_rows_fault(snowflake, snowflake_url, table_of):
    table = table_of("thing", a=TEXT)
    shop = opened(SnowflakeDriver(snowflake_url))
    shop.prepare(table)
    snowflake.stop()
    try:
        with pytest.raises(TransientError):
            shop.put(table, 1, id="x")
        shop.close()
    finally:
        snowflake.start()
    shop.open()
    assert shop.ledger.checkpoints() == {}
    shop.close()


def test_no_secret_and_no_value_is_logged(snowflake_url, table_of, caplog):
    caplog.set_level(logging.DEBUG)
    table = table_of("thing", a=TEXT)
    shop = opened(SnowflakeDriver(snowflake_url))
    shop.prepare(table)
    shop.put(table, 1, id="x", a="Jane Doe")
    shop.close()

    assert "secret" not in caplog.text
    assert "Jane" not in caplog.text


def test_the_connector_is_quiet_unless_asked(snowflake_url, caplog):
    logging.getLogger("eds").setLevel(logging.INFO)
    shop = opened(SnowflakeDriver(snowflake_url))
    shop.close()

    assert [r for r in caplog.records if r.name.startswith("snowflake")] == []
