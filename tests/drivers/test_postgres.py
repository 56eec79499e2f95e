"""What is PostgreSQL's own: real types, schemas, plans, an old server's tables."""

from __future__ import annotations

import pytest

from eds_core.errors import (
    ConfigError,
    RejectedError,
    TableError,
)
from eds_core.event import Version, VersionedKey
from eds_core.schema import ColumnType
from eds_driver_postgres import PostgresDriver

TEXT = ColumnType.TEXT


def test_rows_are_never_decoded(postgresql, table_of, raw):
    table = table_of("thing", **{f"a_{kind}": kind for kind in ColumnType})
    postgresql.prepare(table)
    row = raw(1, "x", '{"id":"x","a_integer":1,"unknown":[1,2]}')
    postgresql.upsert(table, [row])

    assert row._tokens is None


def test_a_batch_is_one_statement(postgresql, table_of, row):
    table = table_of("thing", a=TEXT)
    postgresql.prepare(table)
    with postgresql.transaction():
        postgresql.upsert(table, [row(table, 1, id=str(n)) for n in range(100)])

        assert postgresql.value("SELECT count(DISTINCT cmin::text) FROM thing") == 1


def test_a_table_of_the_old_server_keeps_its_types(postgresql, table_of, raw):
    postgresql.run(
        'CREATE TABLE "order" (id varchar(100), "createdDate" timestamp(3), '
        '"updatedDate" timestamptz(6), tags text array, "totalCents" int8, '
        "percent float8, meta jsonb, paid boolean, price decimal, name text, "
        'CONSTRAINT "order_pkey" PRIMARY KEY (id))',
        "INSERT INTO \"order\" (id, name, tags) VALUES ('old', 'x', '{a}')",
    )
    table = table_of(
        "order",
        createdDate=ColumnType.DATETIME,
        updatedDate=ColumnType.TIMESTAMP,
        tags=ColumnType.JSON,
        totalCents=ColumnType.INTEGER,
        percent=ColumnType.NUMBER,
        meta=ColumnType.JSON,
        paid=ColumnType.BOOLEAN,
        price=ColumnType.NUMBER,
        name=TEXT,
    )
    assert str(postgresql.prepare(table)) == "adopt table order"
    after = (
        '{"id":"a","createdDate":"2024-01-01T02:00:00.1235+02:00",'
        '"updatedDate":"2024-01-01T00:00:00.123456Z","tags":["x","y,z","\\"q\\""],'
        '"totalCents":9007199254740993,"percent":1.5,"meta":{"a":1},"paid":true,'
        '"price":1.10,"name":"n"}'
    )

    assert (
        postgresql.upsert(table, [raw(1, "a", after), raw(1, "old", '{"id":"old"}')])
        == 2
    )
    found = postgresql.value(
        'SELECT concat_ws(\'|\', "createdDate", "updatedDate", tags[2], tags[3], '
        '"totalCents", price) FROM "order" WHERE id = \'a\''
    )
    assert found == (
        '2024-01-01 00:00:00.124|2024-01-01 00:00:00.123456+00|y,z|"q"|'
        "9007199254740993|1.10"
    )
    assert postgresql.prepare(table) is None


def test_a_key_too_long_for_its_column_is_rejected_not_cut(postgresql, table_of, row):
    postgresql.run('CREATE TABLE "order" (id varchar(3) PRIMARY KEY, a char(2))')
    table = table_of("order", a=TEXT)
    postgresql.prepare(table)
    postgresql.put(table, 1, id="abc", a="x")

    with pytest.raises(RejectedError, match="too long"):
        postgresql.put(table, 2, id="abcd")
    assert postgresql.drop(table, 3, "abcd") == 0
    assert postgresql.rows("order", "id") == [("abc",)]


def test_domains_enumerations_and_arrays_of_the_user(postgresql, table_of):
    postgresql.run(
        "CREATE SCHEMA types",
        "CREATE DOMAIN types.base AS varchar(5)",
        "CREATE DOMAIN types.short AS types.base CHECK (value <> 'bad')",
        "CREATE DOMAIN moment AS timestamptz",
        "CREATE TYPE \"types\".\"My % color\" AS ENUM ('red', 'green')",
        'CREATE TABLE thing (id types.short PRIMARY KEY, c types."My % color", '
        "m moment, d date, n numeric(6,2), i int4, j json, v varchar[], u uuid)",
    )
    kinds = dict.fromkeys(["c", "m", "d", "n", "i", "j", "v", "u"], TEXT)
    table = table_of("thing", **kinds)
    postgresql.prepare(table)
    values = {
        "c": "green",
        "m": "2024-01-01T00:00:00Z",
        "d": "2024-01-01T00:00:00Z",
        "n": 1.25,
        "i": 5,
        "j": {"a": 1},
        "v": ["a", None],
        "u": "123e4567-e89b-12d3-a456-426614174000",
    }

    assert postgresql.put(table, 1, id="a", **values) == 1
    assert postgresql.value("SELECT concat_ws('|', c, d, n, i, v) FROM thing") == (
        "green|2024-01-01|1.25|5|{a,NULL}"
    )
    for bad in ({"m": "now"}, {"d": "today"}, {"i": 2**31}, {"c": "blue"}):
        with pytest.raises(RejectedError):
            postgresql.put(table, 2, id="a", **bad)
    assert postgresql.drop(table, 2, "a") == 1


def test_identity_columns_and_defaults_of_the_user(postgresql, table_of):
    postgresql.run(
        "CREATE TABLE thing (id text PRIMARY KEY, no int GENERATED ALWAYS AS IDENTITY, "
        "loaded timestamptz DEFAULT now(), a text)"
    )
    table = table_of("thing", a=TEXT)
    postgresql.prepare(table)
    postgresql.put(table, 1, id="x", a="y")

    assert postgresql.value("SELECT loaded IS NOT NULL AND no = 1 FROM thing")


def test_like_named_tables_elsewhere_are_not_ours(postgresql, table_of):
    postgresql.run(
        "CREATE SCHEMA elsewhere",
        'CREATE TABLE elsewhere."order" (id text PRIMARY KEY, a text)',
        "CREATE TABLE elsewhere._eds_tombstone (x int)",
        "SET search_path = public, elsewhere",
    )
    table = table_of("order", a=TEXT)

    assert postgresql.driver.columns("order") == {}
    postgresql.prepare(table)
    postgresql.put(table, 1, id="a")
    postgresql.drop(table, 2, "b")
    assert postgresql.value('SELECT count(*) FROM elsewhere."order"') == 0
    assert postgresql.value('SELECT count(*) FROM public."order"') == 1


def test_the_urls_search_path_is_the_schema(postgresql, postgres_url, table_of):
    postgresql.run('CREATE SCHEMA "My Shop"')
    driver = PostgresDriver(
        f"{postgres_url}?options=-csearch_path%3D%22My%5C%20Shop%22"
    )
    driver.open()
    driver.ledger.create()
    driver.close()

    assert postgresql.value('SELECT count(*) FROM "My Shop"._eds_checkpoint') == 0


def test_a_search_path_that_does_not_exist_is_told(postgres_url):
    driver = PostgresDriver(f"{postgres_url}?options=-csearch_path%3Dnowhere")

    with pytest.raises(ConfigError, match="search path"):
        driver.open()


def test_names_longer_than_63_characters_are_refused(postgresql, table_of):
    for table in (table_of("t" * 64), table_of("t", **{"c" * 64: TEXT})):
        with pytest.raises(TableError, match="64 characters"):
            postgresql.prepare(table)
    postgresql.prepare(table_of("t" * 63, **{"c" * 63: TEXT}))


def test_keys_use_their_index_in_small_and_unanalyzed_tables(postgresql, table_of, row):
    table = table_of("thing", a=TEXT)
    postgresql.prepare(table)
    postgresql.upsert(table, [row(table, 1, id=str(n)) for n in range(2000)])
    postgresql.delete(table, [VersionedKey((str(n),), Version(2)) for n in range(500)])
    before = _scans(postgresql)
    for number in range(20):
        postgresql.put(table, 3, id=str(number))
        postgresql.drop(table, 4, str(number))

    assert _scans(postgresql) == before


def test_a_row_looks_for_no_tombstone_but_its_own(postgresql, table_of, row):
    """They are kept for ever: a look at all of them takes longer every year."""
    table = table_of("thing", a=TEXT)
    postgresql.prepare(table)
    postgresql.delete(table, [VersionedKey((str(n),), Version(2)) for n in range(500)])
    before = _tombstones_read(postgresql)
    postgresql.upsert(table, [row(table, 3, id=str(n)) for n in range(490, 510)])

    assert _tombstones_read(postgresql) == before + 10


def _tombstones_read(shop):
    shop.run("SELECT pg_stat_force_next_flush()")
    return shop.value(
        "SELECT sum(idx_tup_read) FROM pg_stat_user_indexes "
        "WHERE relname = '_eds_tombstone'"
    )


def _scans(shop):
    shop.run("SELECT pg_stat_force_next_flush()")
    return shop.value(
        "SELECT sum(seq_tup_read) FROM pg_stat_user_tables "
        "WHERE relname IN ('thing', '_eds_tombstone')"
    )


def test_a_widening_that_a_view_hinders_is_named(postgresql, table_of):
    postgresql.prepare(table_of("thing", a=ColumnType.INTEGER))
    postgresql.run("CREATE VIEW mine AS SELECT a FROM thing")

    with pytest.raises(TableError, match="view") as caught:
        postgresql.prepare(table_of("thing", a=TEXT))

    assert caught.value.advice.startswith("drop the view")


def test_a_trigger_of_the_users_may_refuse_a_row(postgresql, table_of):
    table = table_of("thing", a=TEXT)
    postgresql.prepare(table)
    postgresql.run(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'no % here', NEW.a; END $$",
        "CREATE TRIGGER refuse BEFORE INSERT ON thing "
        "FOR EACH ROW EXECUTE FUNCTION refuse()",
    )

    with pytest.raises(RejectedError) as caught:
        postgresql.put(table, 1, id="x", a="y")

    assert caught.value.signature == "P0001"


def test_messages_hold_no_values(postgresql, table_of):
    table = table_of("thing", a=TEXT, n=ColumnType.INTEGER)
    postgresql.prepare(table)
    postgresql.run("CREATE UNIQUE INDEX mine ON thing (a)")
    postgresql.put(table, 1, id="x", a="secret one")

    for values in ({"a": "secret one"}, {"a": "z", "n": "secret one"}):
        with pytest.raises(RejectedError) as caught:
            postgresql.put(table, 1, id="y", **values)
        assert "secret" not in f"{caught.value} {caught.value.signature}"


def test_psycopg_is_not_confused_by_percent_signs(postgresql, table_of):
    table = table_of("thing", a=TEXT)
    postgresql.prepare(table)
    postgresql.put(table, 1, id="100%s", a="%(a)s")

    assert postgresql.rows("thing", "id", "a") == [("100%s", "%(a)s")]
