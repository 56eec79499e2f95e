"""A bulk load into PostgreSQL: whatever road a row takes, it ends up the same."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from eds_core.driver import Loaded
from eds_core.errors import EdsError, RejectedError
from eds_core.event import Row, Version
from eds_core.line import LineReader
from eds_core.schema import Column, ColumnType, TableSchema
from eds_driver_postgres.driver import PostgresDriver
from eds_driver_postgres.loading import Loader

EVERY = TableSchema(
    "everything",
    "1",
    (Column("id", ColumnType.TEXT), *(Column(f"a_{k}", k) for k in ColumnType)),
    ("id",),
)
VALUES = {
    "a_text": [
        "",
        "NULL",
        "null",
        '"null"',
        "\\N",
        "emoji 🚗",
        "ü" * 500,
        *('"', 'at its end "', '" at its beginning', "\\", 'a \\" b\\'),
        "tab \t, line\nline\r\n, \b\f \x01 \x1b",
        "{a: [b]}",
        "[",
        "/\\/",
        "\\u00e9",
        None,
    ],
    "a_integer": [0, 2**63 - 1, -(2**63), 2**53 + 1, "12", None],
    "a_number": [0.1, 1e300, -0.0, 3, None],
    "a_decimal": ["0.10", "-12345678901234567890123456789.000000001", 1.5, None],
    "a_boolean": [True, False, None],
    "a_timestamp": [
        "2026-01-02T03:04:05.123456Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999+00:00",
        "2026-06-01T12:00:00+05:30",
        "2026-06-01T12:00:00.1234565-07:00",
        "2026-06-01T12:00:00.123455500001Z",
        None,
    ],
    "a_datetime": ["2026-01-02T03:04:05Z", "2026-06-01T12:00:00.1234555Z", None],
    "a_json": [
        {"b": [1, "ü", None], "a": 2**53 + 1},
        [],
        "text",
        'a "quoted" \\ text\n',
        "null",
        1.50,
        False,
        None,
    ],
    "a_bytes": ["", "aGVsbG8=", None],
}


def usual_rows(count, *, version=1):
    """Rows that hold each of the values above in turn."""
    for number in range(count):
        after = {n: some[number % len(some)] for n, some in VALUES.items()}
        row = {"id": f"k{number}", **after, "private": 1}
        data = json.dumps(row, ensure_ascii=number % 2 == 0).encode()
        yield Row((f"k{number}",), Version(version, number), data)


def copied(monkeypatch):
    """Count the rows on each road: copied straight or merged, or sent as JSON."""
    counts = []

    def count(name, owner, method):
        real = getattr(owner, method)

        def run(self, *args):
            if args[-1]:
                counts.append((name, len(args[-1])))
            return real(self, *args)

        monkeypatch.setattr(owner, method, run)

    count("merge", Loader, "_merge")
    count("copy", Loader, "_copy")
    count("json", PostgresDriver, "_as_json")
    return counts


def content(shop, table="everything"):
    return shop.rows(table, *EVERY.types, "_eds_version")


def test_copied_rows_equal_those_that_go_as_json(postgresql, monkeypatch):
    counts = copied(monkeypatch)
    postgresql.prepare(EVERY)
    postgresql.upsert(EVERY, list(usual_rows(60)))
    expected = content(postgresql)
    postgresql.run('DELETE FROM "everything"')

    postgresql.driver._loader.forget()
    assert postgresql.bulk_load(EVERY, usual_rows(60)) == Loaded(inserted=60)
    assert content(postgresql) == expected

    assert postgresql.bulk_load(EVERY, usual_rows(60, version=2)) == Loaded(updated=60)
    assert [row[:-1] for row in content(postgresql)] == [row[:-1] for row in expected]
    assert counts == [("json", 60), ("copy", 60), ("copy", 60), ("merge", 60)]


def test_the_cells_that_the_importer_makes_are_copied_alike(postgresql):
    postgresql.prepare(EVERY)
    postgresql.bulk_load(EVERY, usual_rows(60))
    expected = [row[:-1] for row in content(postgresql)]
    reader = LineReader(EVERY, cells=True)
    read = [reader.read(row.after, Version(2), 0) for row in usual_rows(60)]
    rows = [row for _, row, _ in filter(None, read)]

    assert sum(bool(row.cells) for row in rows) > 50
    assert postgresql.bulk_load(EVERY, rows) == Loaded(updated=60)
    assert [row[:-1] for row in content(postgresql)] == expected


def test_cells_of_other_types_than_the_tables_are_not_taken(postgresql, table_of):
    made = table_of("order", total=ColumnType.INTEGER, note=ColumnType.TEXT)
    postgresql.prepare(made)
    swapped = "ALTER total TYPE text, ALTER note TYPE bigint USING note::bigint"
    postgresql.run(f'ALTER TABLE "order" {swapped}')
    reader = LineReader(made, cells=True)
    lines = [b'{"id":"%d","total":%d,"note":"7"}' % (n, n) for n in range(5)]
    read = [reader.read(line, Version(1), 0) for line in lines]

    postgresql.bulk_load(made, [row for _, row, _ in filter(None, read)])

    found = postgresql.rows("order", "id", "total", "note")
    assert found == [(str(n), str(n), 7) for n in range(5)]


def test_a_newer_row_and_a_tombstone_outlive_a_bulk_load(postgresql, table_of, row):
    table = table_of("order", name=ColumnType.TEXT)
    postgresql.prepare(table)
    postgresql.put(table, 9, id="newer", name="kept")
    postgresql.drop(table, 9, "dead")

    loaded = [row(table, 5, id=k, name="old") for k in ("newer", "dead", "new")]
    assert postgresql.bulk_load(table, loaded).changed == 1

    assert postgresql.rows("order", "id", "name") == [("new", "old"), ("newer", "kept")]


def test_a_deletion_before_the_first_row_is_remembered(postgresql, table_of, row):
    table = table_of("order", name=ColumnType.TEXT)
    postgresql.prepare(table)
    postgresql.drop(table, 9, "dead")

    postgresql.bulk_load(table, [row(table, 5, id="dead", name="old")])

    assert postgresql.rows("order") == []


def test_a_key_that_comes_again_later_is_merged(postgresql, table_of, row, monkeypatch):
    counts = copied(monkeypatch)
    fewer = replace(postgresql.capabilities, bulk_rows=2)
    monkeypatch.setattr(type(postgresql.driver), "capabilities", fewer)
    table = table_of("order", name=ColumnType.TEXT)
    postgresql.prepare(table)

    loaded = [row(table, 3, id=k, name=f"{k}3") for k in "abcadb"]
    loaded[3] = row(table, 2, id="a", name="stale")
    loaded[5] = row(table, 4, id="b", name="newest")
    postgresql.bulk_load(table, loaded)

    assert postgresql.rows("order", "id", "name") == [
        ("a", "a3"),
        ("b", "newest"),
        ("c", "c3"),
        ("d", "d3"),
    ]
    assert counts == [("copy", 2), ("copy", 2), ("merge", 2), ("merge", 2)]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("a_integer", 7.0),
        ("a_integer", "seven"),
        ("a_integer", 2**63),
        ("a_number", "Infinity"),
        ("a_number", True),
        ("a_decimal", ""),
        ("a_timestamp", "2026-01-02"),
        ("a_timestamp", "20260102T030405Z"),
        ("a_timestamp", "2026-13-02T03:04:05Z"),
        ("a_timestamp", "2026-01-02T03:04:05.1234505Z"),
        ("a_timestamp", 1767323045),
        ("a_datetime", "2026-01-02T03:04:05.1234505Z"),
        ("a_datetime", "2026-01-02T03:04:05"),
        ("a_datetime", "2026-06-01T12:00:00.5+02:00"),
        ("a_text", {"an": 'object\twith "\\'}),
        ("a_text", ["\u00fc", "null"]),
        ("a_text", 1.50),
        ("a_text", "\x1c and \x1d"),
        ("a_text", "NUL \0"),
        ("a_boolean", 1),
        ("a_boolean", "true"),
        ("a_json", {"NUL": "\0"}),
        ("a_bytes", "not base64!"),
    ],
)
def test_what_is_legal_but_unusual_takes_the_general_road(postgresql, column, value):
    postgresql.prepare(EVERY)
    data = json.dumps({"id": "k", column: value}).encode()
    odd = Row(("k",), Version(1), data)
    outcome = {}
    for road in ("upsert", "bulk_load"):
        try:
            getattr(postgresql, road)(EVERY, [odd])
        except EdsError as error:
            outcome[road] = type(error), str(error)
        else:
            outcome[road] = content(postgresql)
        postgresql.run('DELETE FROM "everything"')
        postgresql.driver._loader.forget()

    assert outcome["upsert"] == outcome["bulk_load"]


def test_no_word_is_taken_for_a_moment(postgresql):
    postgresql.prepare(EVERY)
    for word in ("now", "today", "infinity", "epoch"):
        data = json.dumps({"id": "k", "a_timestamp": word}).encode()
        with pytest.raises(RejectedError):
            postgresql.bulk_load(EVERY, [Row(("k",), Version(1), data)])

    assert content(postgresql) == []


def test_blanks_in_a_row_change_nothing(postgresql):
    postgresql.prepare(EVERY)
    blank = b'{ "id" :\t"k",\r"a_json" : [ 1 ,\t{ "a" :\r2 } ] , "a_integer":\t1 }'

    assert postgresql.bulk_load(EVERY, [Row(("k",), Version(1), blank)]).changed == 1

    ((found,),) = postgresql.rows("everything", "a_json")
    assert found == [1, {"a": 2}]


def test_one_unusual_row_leaves_the_others_on_their_road(postgresql, monkeypatch):
    counts = copied(monkeypatch)
    postgresql.prepare(EVERY)
    odd = b'{"id": "odd", "a_integer": 7, "a_boolean": 1, "a_text": "\\u001c"}'
    rows = [*usual_rows(5), Row(("odd",), Version(1), odd)]

    assert postgresql.bulk_load(EVERY, rows) == Loaded(inserted=6)
    assert postgresql.bulk_load(EVERY, rows) == Loaded(updated=6)

    once = [("copy", 6), ("json", 1)]
    again = [("copy", 6), ("merge", 6), ("json", 1)]
    assert counts == once + again
    assert len(content(postgresql)) == 6


def test_a_users_own_types_take_the_general_road(postgresql, table_of, row):
    postgresql.run(
        'CREATE TABLE "order" (id varchar(9) PRIMARY KEY, labels text[],'
        " _eds_version numeric(30,10))"
    )
    table = table_of("order", labels=ColumnType.JSON)

    postgresql.bulk_load(table, [row(table, 1, id="a", labels=["x", "y"])])

    assert postgresql.rows("order", "id", "labels") == [("a", ["x", "y"])]


def test_without_the_privilege_for_temporary_tables_rows_go_the_general_road(
    postgres, postgresql, table_of, row
):
    database = postgresql.driver.url.rpartition("/")[2]
    postgres.execute("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC, eds", database)
    table = table_of("order", name=ColumnType.TEXT)
    postgresql.prepare(table)

    for version in (1, 2):
        postgresql.bulk_load(table, [row(table, version, id="a", name=str(version))])

    assert postgresql.rows("order", "id", "name") == [("a", "2")]


def test_a_transaction_that_fails_takes_the_load_with_it(postgresql):
    postgresql.prepare(EVERY)

    def load_and_fail():
        with postgresql.transaction():
            postgresql.bulk_load(EVERY, usual_rows(10))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        load_and_fail()

    assert content(postgresql) == []
    assert postgresql.bulk_load(EVERY, usual_rows(10)) == Loaded(inserted=10)
