"""How values travel to Snowflake, and the SQL that takes them. No account is needed."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from eds_core.errors import RejectedError, TableError
from eds_core.event import Version, VersionedKey
from eds_core.schema import Column, ColumnType, TableSchema
from eds_core.sql.tables import RealColumn, match
from eds_driver_snowflake import SnowflakeDriver, lines, tables

DRIVER = SnowflakeDriver("snowflake://u:p@acc/DB/S")
EVERY = {f"a_{kind}": kind for kind in ColumnType}


def target_of(table, **declared):
    """*table* as EDS makes it, but for columns that somebody *declared* otherwise."""
    real = DRIVER.as_made(table)
    for name, text in declared.items():
        column = RealColumn(name, text, DRIVER.type_of(text))
        real = replace(real, columns={**real.columns, name: column})
    return match(table, real)


@pytest.fixture
def line(table_of, raw):
    def made(kind, token, declared=None):
        given = {"a": declared} if declared else {}
        target = target_of(table_of("thing", a=kind), **given)
        (found,) = lines.upserts(target, [raw(7, "x", f'{{"id":"x","a":{token}}}')])
        return json.loads(found).get("c1")

    return made


def test_a_line_has_version_key_and_texts_only(table_of, raw):
    target = target_of(table_of("thing", **EVERY))
    after = (
        '{"id":"x","a_text":"t","a_integer":9007199254740993,"a_number":0.1,'
        '"a_decimal":12345678901234567890.10,"a_boolean":true,'
        '"a_timestamp":"2024-01-01T02:00:00.123456789+02:00",'
        '"a_datetime":"0001-01-01T00:00:00Z","a_json":{"n":1.10,"n":1E+2},'
        '"a_bytes":"AP8=","unknown":1}'
    )
    (found,) = lines.upserts(target, [raw(7, "x", after)])

    assert json.loads(found) == {
        "v": "7.0000000000",
        "k": '["x"]',
        "c0": "x",
        "c1": "t",
        "c2": "9007199254740993",
        "c3": "0.1",
        "c4": "12345678901234567890.10",
        "c5": "true",
        "c6": "2024-01-01T00:00:00.123456789+00:00",
        "c7": "0001-01-01T00:00:00.000000000",
        "c8": '{"n":1E+2}',
        "c9": "00ff",
    }


def test_null_and_absent_are_left_out(line):
    assert line(ColumnType.JSON, "null") is None


def test_a_deletion_has_its_key_columns_only(table_of):
    table = table_of("owner", key=("b", "a"), c=ColumnType.TEXT)
    key = VersionedKey(("x", "y"), Version(1, 2))
    (found,) = lines.deletes(target_of(table), [key])

    expected = {"v": "1.0000000002", "k": '["x","y"]', "c0": "x", "c1": "y"}
    assert json.loads(found) == expected


@pytest.mark.parametrize(
    "digits",
    [
        "0.1",
        "-0.000000000000000001",
        "99999999999999999999.999999999999999999",
        "1E+3",
        "0.30000000000000004",
        "1.50000000000000000000000",
    ],
)
def test_a_decimal_that_fits_is_exact(line, digits):
    assert float(line(ColumnType.DECIMAL, digits)) == float(digits)


@pytest.mark.parametrize("digits", ["100000000000000000000", "0.1234567890123456789"])
def test_a_decimal_that_would_be_rounded_is_refused(line, digits):
    with pytest.raises(RejectedError, match="column a") as caught:
        line(ColumnType.DECIMAL, digits)

    assert digits not in f"{caught.value} {caught.value.signature}"


def test_a_users_own_number_is_not_rounded_into(line):
    assert line(ColumnType.DECIMAL, "1.25", "NUMBER(5,2)") == "1.25"
    for digits in ("1.255", "1234"):
        with pytest.raises(RejectedError):
            line(ColumnType.DECIMAL, digits, "NUMBER(5,2)")


@pytest.mark.parametrize(
    ("kind", "token"),
    [
        (ColumnType.TEXT, '"a\\u0000b"'),
        (ColumnType.JSON, '{"a":"\\u0000"}'),
        (ColumnType.TIMESTAMP, '"0001-01-01T00:00:00+02:00"'),
        (ColumnType.TEXT, f'"{"x" * (17 * 1024 * 1024)}"'),
    ],
)
def test_what_snowflake_cannot_hold_is_refused(line, kind, token):
    with pytest.raises(RejectedError):
        line(kind, token)


def test_types_are_read_as_they_are_described():
    found = {
        text: DRIVER.type_of(text)
        for text in (
            "VARCHAR(16777216)",
            "VARCHAR(134217728)",
            "VARCHAR(100)",
            "NUMBER(38,0)",
            "NUMBER(10,2)",
            "BINARY(67108864)",
            "ARRAY",
        )
    }

    assert [kind for kind in found.values() if kind is not None] == [
        ColumnType.TEXT,
        ColumnType.TEXT,
        ColumnType.INTEGER,
        ColumnType.BYTES,
    ]


@pytest.mark.parametrize(
    ("declared", "read"),
    [
        ("ARRAY", 'PARSE_JSON(x."v":c1::VARCHAR)::ARRAY'),
        ("OBJECT", 'PARSE_JSON(x."v":c1::VARCHAR)::OBJECT'),
        ("VARIANT", 'PARSE_JSON(x."v":c1::VARCHAR)'),
        ("VARCHAR(9)", 'x."v":c1::VARCHAR'),
        ("NUMBER(10,2)", 'x."v":c1::VARCHAR::NUMBER(10,2)'),
        ("TIMESTAMP_LTZ(9)", 'x."v":c1::VARCHAR::TIMESTAMP_LTZ'),
        ("DATE", 'x."v":c1::VARCHAR::DATE'),
    ],
)
def test_a_users_own_type_is_read_into(table_of, declared, read):
    target = target_of(table_of("thing", a=ColumnType.JSON), a=declared)

    assert f'{read} AS "a"' in DRIVER.statements(target)["upsert"]


def test_a_collated_key_is_refused():
    answers = {
        "DESCRIBE": [("id", "VARCHAR(99) COLLATE 'en-ci'", *[None] * 8)],
        "SHOW": [(None, None, None, None, "id")],
    }

    with pytest.raises(TableError, match="en-ci"):
        tables.read(lambda q: answers[q.split()[0]], "t", '"t"', DRIVER.type_of)


def test_a_computed_column_is_not_written_and_one_with_a_comment_is():
    unsaid = ("COLUMN", "Y", None, "N", "N", None)
    answers = {
        "DESCRIBE": [
            ("id", "VARCHAR", *unsaid, None, None),
            ("a", "NUMBER(38,0)", *unsaid, None, "what the shop calls it"),
            ("more", "NUMBER(38,0)", *unsaid, '"a" + 1', None),
        ],
        "SHOW": [],
    }
    real = tables.read(lambda q: answers[q.split()[0]], "t", '"t"', DRIVER.type_of)

    found = {name: column.writable for name, column in real.columns.items()}
    assert found == {"id": True, "a": True, "more": False}


def test_names_are_quoted_and_values_are_not_in_the_sql():
    columns = tuple(Column(n, ColumnType.TEXT) for n in ("id", "select", "camelCase"))
    script = DRIVER.script(TableSchema("order", "1", columns, ("id",)))

    assert script["create"] == (
        'CREATE TABLE "order" (\n    "id" VARCHAR NOT NULL,\n    "select" VARCHAR,\n'
        '    "camelCase" VARCHAR,\n    "_eds_version" NUMBER(38,10),\n'
        '    PRIMARY KEY ("id")\n)'
    )
    assert script["upsert"] == (
        'MERGE INTO "order" t USING (SELECT r."id", r."select", r."camelCase", '
        'r."_eds_version" FROM (SELECT ? AS "_eds_table", x."v":c0::VARCHAR AS "id", '
        'x."v":c1::VARCHAR AS "select", x."v":c2::VARCHAR AS "camelCase", '
        'x."v":v::VARCHAR::NUMBER(38,10) AS "_eds_version", '
        'x."v":k::VARCHAR AS "_eds_key" FROM (SELECT f.value AS "v" '
        "FROM (SELECT PARSE_JSON(?) AS j) p, LATERAL FLATTEN(INPUT => p.j) f) x) r "
        'LEFT JOIN "_eds_tombstone" d ON d."table_name" = r."_eds_table" '
        'AND d."key" = r."_eds_key" AND d."version" > r."_eds_version" '
        'WHERE d."key" IS NULL) s ON t."id" = s."id" '
        'WHEN MATCHED AND (t."_eds_version" IS NULL '
        'OR t."_eds_version" <= s."_eds_version") '
        'THEN UPDATE SET "select" = s."select", "camelCase" = s."camelCase", '
        '"_eds_version" = s."_eds_version" WHEN NOT MATCHED THEN '
        'INSERT ("id", "select", "camelCase", "_eds_version") '
        'VALUES (s."id", s."select", s."camelCase", s."_eds_version")'
    )
    bare = {
        name: re.sub(r'"[^"]*"', "", text)
        for name, text in script.items()
        if name.startswith("delete")
    }
    assert all("order" not in text for text in bare.values())
