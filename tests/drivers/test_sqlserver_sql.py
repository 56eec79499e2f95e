"""The SQL for SQL Server, read without a server: by people, and by a parser."""

from __future__ import annotations

import re

import pytest
import sqlglot
from sqlglot import exp

from eds_core.errors import TableError
from eds_core.schema import Column, ColumnType, TableSchema
from eds_core.sql.tables import RealTable, match
from eds_core.testing.layers import golden
from eds_driver_sqlserver import SqlServerDriver, columns, tables
from eds_driver_sqlserver.columns import column

KINDS = tuple(Column(f"a_{kind}", kind) for kind in ColumnType)
ORDER = TableSchema("order", "1", (Column("id", ColumnType.TEXT), *KINDS), ("id",))
PAIR = TableSchema(
    "label_link",
    "1",
    (Column("labelId", ColumnType.TEXT), Column("end", ColumnType.INTEGER)),
    ("labelId", "end"),
)
OLD = TableSchema(
    "customer",
    "1",
    (
        Column("id", ColumnType.TEXT),
        Column("name", ColumnType.TEXT),
        Column("visits", ColumnType.INTEGER),
        Column("createdDate", ColumnType.TIMESTAMP),
    ),
    ("id",),
)


@pytest.fixture
def driver():
    return SqlServerDriver("sqlserver://u:p@h/db")


def adopted():
    """A table as the old server made it, on a server with the usual collation."""
    usual = "SQL_Latin1_General_CP1_CI_AS"
    made = [
        column("id", f"varchar(100) COLLATE {usual}", None, codec="cp1252"),
        column("name", f"varchar(max) COLLATE {usual}", None, codec="cp1252"),
        column("visits", "int", None),
        column("createdDate", "datetime", None),
        column("_eds_version", "decimal(30,10)", ColumnType.DECIMAL),
    ]
    key = frozenset({"id"})
    return RealTable("customer", {c.name: c for c in made}, key, frozenset({key}))


def every(driver):
    """Every statement under a name: those of the kit, and for an adopted table."""
    statements = driver.statements(match(OLD, adopted()))
    found = {f"{name} customer, adopted": sql for name, sql in statements.items()}
    name = ""
    for part in re.split(r"(?m)^-- (?!refused)", golden.script(driver)):
        name, _, sql = part.partition("\n")
        if sql.strip():
            found[f"{name} {len(found)}"] = sql
    return found


#: What sqlglot does not know of T-SQL, and what it may read instead.
UNKNOWN = {
    r"\nOPTION \(FORCE ORDER, LOOP JOIN\)": "",
    r"PRIMARY KEY NONCLUSTERED": "PRIMARY KEY",
    r"(?m)^IF (.*\n.*)\nBEGIN$": r"SELECT 1 WHERE \1;",
    r"(?m)^IF ((?:.*\n)+?.*)\nBEGIN$": r"SELECT 1 WHERE \1;",
    r"(?m)^IF (EXISTS .*) RAISERROR [^;]*": r"SELECT 1 WHERE \1",
    r"(?m)^ *(RETURN|END|RAISERROR.*);$": "",
}


def parsed(sql):
    for unknown, known in UNKNOWN.items():
        sql = re.sub(unknown, known, sql)
    parts = re.split(r";\n|;$", sql)
    return [sqlglot.parse_one(p, dialect="tsql") for p in parts if p.strip()]


def test_every_statement_is_tsql(driver):
    for name, sql in every(driver).items():
        unread = [p.sql() for p in parsed(sql) if isinstance(p, exp.Command)]

        assert [s for s in unread if not s.startswith(("EXEC", "SET"))] == [], name


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        ("upsert", [exp.Update, exp.Insert]),
        ("delete", [exp.Update, exp.Insert, exp.Delete]),
    ],
)
def test_a_batch_writes_in_this_order(driver, batch, expected):
    writes = (exp.Update, exp.Insert, exp.Delete)
    found = [type(part) for part in parsed(driver.script(ORDER)[batch])]

    assert [kind for kind in found if kind in writes] == expected


def test_no_statement_merges_drops_a_table_or_makes_a_temporary_one(driver):
    for sql in every(driver).values():
        assert "MERGE" not in sql
        assert "DROP TABLE" not in sql
        assert "#" not in sql


def test_every_column_of_the_model_is_written(driver):
    script = driver.script(ORDER)["upsert"]
    inserts = [found for part in parsed(script) for found in part.find_all(exp.Insert)]

    (insert,) = inserts
    names = [i.name for i in insert.this.expressions]
    assert names == [*ORDER.types, "_eds_version"]


def test_a_column_is_added_alone(driver):
    assert driver.script(PAIR).keys() >= {"create", "upsert", "delete"}
    assert driver.script(ORDER)["add"] == (
        "ALTER TABLE [order] ADD [a_bytes] varbinary(max) NULL"
    )


@pytest.mark.parametrize("kind", ColumnType)
def test_every_type_is_read_back(driver, kind):
    assert driver.type_of(driver.types[kind]) is kind


@pytest.mark.parametrize(
    "declared",
    [
        "nvarchar(max) COLLATE SQL_Latin1_General_CP1_CI_AS",
        "varchar(100) COLLATE Latin1_General_100_BIN2",
        "decimal(18,0)",
        "datetime2(3)",
        "int",
    ],
)
def test_what_eds_would_not_choose_is_left_as_it_is(driver, declared):
    assert driver.type_of(declared) is None


@pytest.mark.parametrize(
    ("row", "declared", "kind", "writable"),
    [
        (
            ("a", "nvarchar", 900, 0, 0, columns.BINARY, 1252, 0, 1),
            f"nvarchar(450) COLLATE {columns.BINARY}",
            ColumnType.TEXT,
            True,
        ),
        (
            ("a", "nvarchar", -1, 0, 0, columns.JSON, 1252, 0, 1),
            f"nvarchar(max) COLLATE {columns.JSON}",
            ColumnType.JSON,
            True,
        ),
        (
            ("a", "decimal", 17, 38, 19, None, None, 0, 1),
            "decimal(38,19)",
            ColumnType.DECIMAL,
            True,
        ),
        (
            ("a", "datetimeoffset", 10, 34, 7, None, None, 0, 1),
            "datetimeoffset(7)",
            ColumnType.TIMESTAMP,
            True,
        ),
        (
            ("a", "varbinary", -1, 0, 0, None, None, 0, 1),
            "varbinary(max)",
            ColumnType.BYTES,
            True,
        ),
        (("a", "bigint", 8, 19, 0, None, None, 1, 0), "bigint", None, False),
    ],
)
def test_a_column_of_the_catalogue_is_spelled_as_it_was_declared(
    row, declared, kind, writable
):
    found = tables._column(row)

    assert (found.declared, found.type, found.writable) == (declared, kind, writable)


@pytest.mark.parametrize(
    ("page", "codec"), [(1252, "cp1252"), (65001, "utf-8"), (None, "ascii")]
)
def test_a_code_page_is_one_of_pythons(page, codec):
    assert tables.codec_of(page) == codec


def test_keys_together_fit_into_an_index(driver):
    assert "[labelId] nvarchar(225) COLLATE" in driver.script(PAIR)["create"]


def test_a_key_column_is_widened_by_the_user(driver):
    real = driver.as_made(PAIR)

    with pytest.raises(TableError) as caught:
        driver.widening(real, Column("end", ColumnType.TEXT))

    assert "alter the column" in caught.value.advice


def test_names_are_quoted_however_they_are_spelled(driver):
    table = TableSchema("user", "1", (Column("select", ColumnType.TEXT),), ("select",))
    script = driver.script(table)

    assert script["create"].startswith(
        "CREATE TABLE [user] (\n    [select] nvarchar(450)"
    )
    assert driver.session.quote("a]b") == "[a]]b]"
