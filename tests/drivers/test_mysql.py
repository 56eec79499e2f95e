"""What is MySQL's and MariaDB's own: unique indexes, collations, modes, packets."""

from __future__ import annotations

import json
import logging

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from eds_core.errors import RejectedError, TableError, TransientError
from eds_core.event import Version, VersionedKey
from eds_core.schema import Column, ColumnType, TableSchema
from eds_driver_mysql import MysqlDriver

TEXT = ColumnType.TEXT


def names(shop, table="thing"):
    return shop.rows(table, "id", "a")


@pytest.fixture
def thing(mysqls, table_of):
    table = table_of("thing", a=TEXT)
    mysqls.prepare(table)
    return table


def test_a_unique_index_of_the_users_overwrites_no_other_row(mysqls, thing, row):
    mysqls.make_unique("thing", "a")
    mysqls.put(thing, 1, id="a", a="x")

    with pytest.raises(RejectedError):
        mysqls.upsert(thing, [row(thing, 2, id="b", a="x"), row(thing, 2, id="c")])

    assert names(mysqls) == [("a", "x")]


def test_a_unique_index_added_meanwhile_overwrites_no_other_row(mysqls, thing, row):
    mysqls.put(thing, 1, id="a", a="x")  # what is known of the table is kept
    mysqls.make_unique("thing", "a")
    rows = [row(thing, 2, id="b", a="x"), row(thing, 2, id="c", a="y")]

    with pytest.raises(TransientError, match="unique indexes"):
        mysqls.upsert(thing, rows)
    with pytest.raises(RejectedError):
        mysqls.upsert(thing, rows)

    assert names(mysqls) == [("a", "x")]


def test_many_rows_beside_a_unique_index_keep_every_rule(mysqls, thing, row):
    mysqls.make_unique("thing", "a")
    mysqls.put(thing, 5, id="1", a="newer")
    mysqls.drop(thing, 5, "2")
    rows = [row(thing, 4, id=str(n), a=f"x{n}") for n in range(1, 6)]

    assert mysqls.upsert(thing, rows) == 3
    assert mysqls.upsert(thing, rows) == 3
    assert names(mysqls) == [("1", "newer"), ("3", "x3"), ("4", "x4"), ("5", "x5")]


def test_of_many_rows_those_that_changed_are_counted(mysqls, thing, row):
    mysqls.put(thing, 5, id="stale", a="x")
    mysqls.put(thing, 1, id="older", a="x")
    rows = [row(thing, 3, id=i, a="y") for i in ("new", "older", "stale")]

    assert mysqls.upsert(thing, rows) == 2
    assert names(mysqls) == [("new", "y"), ("older", "y"), ("stale", "x")]


def test_every_column_of_a_newer_row_is_taken_not_only_the_version(mysqls, table_of):
    table = table_of("thing", a=TEXT, z=TEXT, b=ColumnType.INTEGER)
    mysqls.prepare(table)
    mysqls.put(table, 1, id="x", a="1", z="1", b=1)
    mysqls.put(table, 2, id="x", a="2", z="2", b=2)

    assert mysqls.rows("thing", "a", "z", "b") == [("2", "2", 2)]


def test_a_table_of_the_old_server_is_adopted_with_exact_keys(mysqls, table_of):
    mysqls.run(
        "CREATE TABLE vehicle (id VARCHAR(64) NOT NULL PRIMARY KEY, name TEXT, "
        'at TIMESTAMP NULL, price FLOAT, meta JSON, "list" JSON, tag VARCHAR(64), '
        "ok BOOLEAN) CHARACTER SET utf8mb4",
        "INSERT INTO vehicle (id, name) VALUES ('a', 'old')",
    )
    table = table_of(
        "vehicle",
        name=TEXT,
        at=ColumnType.TIMESTAMP,
        price=ColumnType.NUMBER,
        meta=ColumnType.JSON,
        list=ColumnType.JSON,
        tag=TEXT,
        ok=ColumnType.BOOLEAN,
    )
    assert str(mysqls.prepare(table)) == "adopt table vehicle"
    assert mysqls.prepare(table) is None
    values = {
        "at": "2024-05-06T07:08:09.5Z",
        "price": 1.5,
        "meta": "text",
        "list": [1, {"a": 'it\'s \\ "q"'}],
        "ok": True,
    }
    assert mysqls.put(table, 1, id="A", name="new", **values) == 1

    found = mysqls.rows("vehicle", "id", "name", "price", "ok")
    assert sorted(found) == [("A", "new", 1.5, 1), ("a", "old", None, None)]
    kept = mysqls.value("SELECT list FROM vehicle WHERE id = 'A'")
    assert json.loads(kept) == values["list"]


def test_a_loose_collation_set_later_is_found(mysqls, thing):
    mysqls.run("ALTER TABLE thing MODIFY id VARCHAR(255) COLLATE utf8mb4_general_ci")

    with pytest.raises(TableError, match="utf8mb4_general_ci"):
        mysqls.put(thing, 1, id="a")
    mysqls.prepare(thing)
    mysqls.put(thing, 1, id="a")
    mysqls.put(thing, 1, id="A")
    assert len(names(mysqls)) == 2


def test_a_table_without_transactions_is_refused(mysqls, table_of):
    mysqls.run("CREATE TABLE thing (id VARCHAR(9) PRIMARY KEY) ENGINE = MyISAM")

    with pytest.raises(TableError, match="MyISAM") as caught:
        mysqls.prepare(table_of("thing", a=TEXT))

    assert "ENGINE = InnoDB" in caught.value.advice


@pytest.mark.parametrize("length", [255, 256, 5000])
def test_a_key_is_kept_whole_or_rejected(mysqls, thing, length):
    key = "k" * length
    if length <= 255:
        assert mysqls.put(thing, 1, id=key) == 1
        assert mysqls.drop(thing, 2, key) == 1
        return
    with pytest.raises(RejectedError):
        mysqls.put(thing, 1, id=key)
    assert names(mysqls) == []


def test_keys_of_many_columns_fit_into_an_index(mysqls, table_of):
    key = [f"part{n}" for n in range(8)]
    table = table_of("thing", key=key, a=TEXT)
    mysqls.prepare(table)

    assert mysqls.prepare(table) is None
    assert mysqls.put(table, 1, **dict.fromkeys(key, "k" * 60)) == 1
    assert mysqls.drop(table, 2, *["k" * 60] * 8) == 1


@pytest.mark.parametrize("count", [101, 190])
def test_wide_tables_of_short_texts(mysqls, table_of, count):
    columns = {f"c{n}": TEXT for n in range(count)}
    table = table_of("thing", **columns)
    mysqls.prepare(table)

    assert mysqls.put(table, 1, id="x", **dict.fromkeys(columns, "ü" * 20)) == 1
    assert mysqls.put(table, 2, id="x", **dict.fromkeys(columns, "y" * 3000)) == 1
    assert mysqls.rows("thing", "c0", f"c{count - 1}") == [("y" * 3000, "y" * 3000)]


@pytest.mark.parametrize(
    "digits",
    ["9" * 40, "0." + "3" * 25, "-" + "9" * 40 + "." + "9" * 25, "1E-25", "1.50"],
)
def test_decimals_of_forty_and_twentyfive_digits(mysqls, table_of, raw, digits):
    table = table_of("thing", a=ColumnType.DECIMAL)
    mysqls.prepare(table)
    mysqls.upsert(table, [raw(1, "x", f'{{"id":"x","a":{digits}}}')])

    same = mysqls.value(f"SELECT a = CAST('{digits}' AS DECIMAL(65,25)) FROM thing")
    assert same == 1


@pytest.mark.parametrize("digits", ["9" * 41, "0." + "3" * 26, "1E-26", "1e999"])
def test_a_decimal_that_would_be_rounded_is_rejected(mysqls, table_of, raw, digits):
    table = table_of("thing", a=ColumnType.DECIMAL)
    mysqls.prepare(table)

    with pytest.raises(RejectedError):
        mysqls.upsert(table, [raw(1, "x", f'{{"id":"x","a":{digits}}}')])


@pytest.mark.parametrize(
    ("moment", "kept"),
    [
        ("2024-02-29T12:00:00.1234564Z", "2024-02-29 12:00:00.123456"),
        ("2024-02-29T12:00:00.1234567Z", "2024-02-29 12:00:00.123457"),
        ("2024-12-31T23:59:59.9999999Z", "2025-01-01 00:00:00.000000"),
        ("2024-02-29T12:00:00+05:30", "2024-02-29 06:30:00.000000"),
        ("2024-02-29", "2024-02-29 00:00:00.000000"),
        ("1969-12-31T23:59:59Z", "1969-12-31 23:59:59.000000"),
    ],
)
def test_moments_are_kept_to_the_microsecond(mysqls, table_of, moment, kept):
    table = table_of("thing", a=ColumnType.TIMESTAMP)
    mysqls.prepare(table)
    mysqls.put(table, 1, id="x", a=moment)

    assert mysqls.text("thing", "a") == kept


@pytest.mark.parametrize(
    "moment",
    ["0000-00-00T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999Z"],
)
def test_moments_that_are_none_are_rejected(mysqls, table_of, moment):
    table = table_of("thing", a=ColumnType.TIMESTAMP)
    mysqls.prepare(table)

    with pytest.raises(RejectedError):
        mysqls.put(table, 1, id="x", a=moment)


@settings(
    max_examples=150,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    text=st.text(max_size=20) | st.text("'\\\"%_\n\r\0\x1a;-/*`", max_size=12),
    mode=st.sampled_from(["", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "ANSI"]),
)
def test_any_text_arrives_in_any_sql_mode(mysqls, text, mode):
    kinds = {"a": TEXT, "j": ColumnType.JSON, "b": ColumnType.BYTES}
    columns = tuple(Column(name, kind) for name, kind in {"id": TEXT, **kinds}.items())
    table = TableSchema("thing", "1", columns, ("id",))
    mysqls.prepare(table)
    mysqls.driver.session.run(f"SET sql_mode = 'STRICT_ALL_TABLES,{mode}'")
    mysqls.put(table, 1, id=text, a=text, j={"t": text})

    ((id_, a, j),) = mysqls.rows("thing", "id", "a", "j")
    assert (id_, a, json.loads(j)) == (text, text, {"t": text})
    assert mysqls.drop(table, 1, text) == 1


def test_a_batch_longer_than_a_packet_goes_in_parts(mysqls, thing, row):
    mysqls.driver._writer.most = 20_000
    rows = [row(thing, 1, id=str(n), a="x" * 5_000) for n in range(10)]

    assert mysqls.upsert(thing, rows) == 10
    assert len(names(mysqls)) == 10


def test_a_row_longer_than_a_packet_is_rejected(mysqls, thing, row):
    large = row(thing, 1, id="x", a="x" * (17 * 1024 * 1024))

    with pytest.raises(RejectedError, match="max_allowed_packet") as caught:
        mysqls.upsert(thing, [row(thing, 1, id="a"), large])

    assert "max_allowed_packet" in caught.value.advice
    assert mysqls.put(thing, 1, id="a") == 1


def test_keys_use_their_index(mysqls, thing, row):
    many = [row(thing, 1, id=str(n)) for n in range(2000)]
    mysqls.upsert(thing, many)
    mysqls.delete(thing, [VersionedKey((f"d{n}",), Version(2)) for n in range(1000)])
    before = _scanned(mysqls)
    mysqls.upsert(thing, many)
    mysqls.delete(thing, [VersionedKey((str(n),), Version(2)) for n in range(400)])
    mysqls.put(thing, 3, id="7")

    assert _scanned(mysqls) - before < 500


def _scanned(shop):
    with shop.driver.session.reading() as connection:
        query = "SHOW SESSION STATUS LIKE 'Handler_read_rnd_next'"
        ((_, count),) = connection.exec_driver_sql(query)
        return int(count)


def test_messages_hold_no_values(mysqls, table_of, raw):
    mysqls.run(
        "CREATE TABLE thing (id VARCHAR(40) PRIMARY KEY, a VARCHAR(12), n INT, "
        "d DATE, e ENUM('x'))"
    )
    table = table_of("thing", a=TEXT, n=TEXT, d=TEXT, e=TEXT)
    mysqls.prepare(table)
    mysqls.run("CREATE UNIQUE INDEX mine ON thing (d)")
    mysqls.put(table, 1, id="x", d="2024-01-02")
    secrets = {"a": "secret of one's own", "n": "secret", "e": "secret"}
    secrets["d"] = "2024-01-02"

    for name, value in secrets.items():
        with pytest.raises(RejectedError) as caught:
            mysqls.put(table, 1, id="y", **{name: value})
        told = f"{caught.value} {caught.value.signature}"
        assert "secret" not in told
        assert "2024" not in told
        assert caught.value.signature.endswith((f" {name}", " mine"))


def test_a_trigger_of_the_users_may_refuse_a_row(mysqls, thing):
    mysqls.run(
        "CREATE TRIGGER refuse BEFORE INSERT ON thing FOR EACH ROW "
        "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'"
    )

    with pytest.raises(RejectedError) as caught:
        mysqls.put(thing, 1, id="x", a="y")

    assert caught.value.signature == "P0001"


def test_a_foreign_key_of_the_users_is_the_tables_fault(mysqls, thing):
    mysqls.run(
        "CREATE TABLE other (id INT PRIMARY KEY)",
        "ALTER TABLE thing ADD o INT DEFAULT 7, "
        "ADD FOREIGN KEY (o) REFERENCES other (id)",
    )

    with pytest.raises(TableError, match="foreign key"):
        mysqls.put(thing, 1, id="x")


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
    assert loading.bulk_load(table, loaded) == 2
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

    assert loading.bulk_load(thing, rows) >= 5998
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
        assert loading.bulk_load(thing, [row(thing, 1, id="a", a="x")]) == 1
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


def test_a_widening_cut_off_half_way_is_completed(mysqls, table_of):
    mysqls.prepare(table_of("thing", a=ColumnType.BOOLEAN))
    mysqls.put(table_of("thing", a=ColumnType.BOOLEAN), 1, id="x", a=True)
    mysqls.run(
        "ALTER TABLE thing ADD _eds_a LONGTEXT CHARACTER SET utf8mb4 GENERATED ALWAYS "
        "AS (CASE a WHEN 1 THEN 'true' WHEN 0 THEN 'false' END) STORED"
    )
    mysqls.prepare(table_of("thing", a=TEXT))

    assert mysqls.rows("thing", "id", "a") == [("x", "true")]
    assert mysqls.driver.columns("thing") == {"id": TEXT, "a": TEXT}
