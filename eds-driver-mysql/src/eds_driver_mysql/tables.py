"""A real table out of information_schema: types, collations, its unique indexes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from eds_core.errors import TableError
from eds_core.schema import ColumnType, TableSchema
from eds_core.sql.tables import RealColumn, RealTable

#: Compared byte by byte, without padding: 'a' is not 'a '. Each server executes its
#: own comment and skips the other's.
EXACT = (
    "CHARACTER SET utf8mb4 "
    "/*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */"
)
_EXACT_COLLATIONS = ("utf8mb4_0900_bin", "utf8mb4_nopad_bin", None)  # None: no text

#: What a comment says where the type alone does not.
POINT, WALL, JSON, KEY = "point in time, UTC", "date and time, UTC", "JSON", "key"

_OF = "WHERE table_schema = DATABASE() AND table_name = %s"
TABLES = f"SELECT table_name, engine, table_type FROM information_schema.tables {_OF}"  # noqa: S608 - a constant
COLUMNS = (
    "SELECT table_name, column_name, column_type, collation_name, column_comment, "  # noqa: S608 - a constant
    f"generation_expression FROM information_schema.columns {_OF} "
    "ORDER BY ordinal_position"
)
INDEXES = (
    "SELECT table_name, index_name, column_name, sub_part "  # noqa: S608 - a constant
    f"FROM information_schema.statistics {_OF} AND non_unique = 0 "
    "ORDER BY index_name, seq_in_index"
)

_WIDTH = re.compile(r"^(bigint)\(\d+\)$")
_KINDS = {
    ("bigint", ""): ColumnType.INTEGER,
    ("double", ""): ColumnType.NUMBER,
    ("decimal(65,25)", ""): ColumnType.DECIMAL,
    ("tinyint(1)", ""): ColumnType.BOOLEAN,
    ("datetime(6)", POINT): ColumnType.TIMESTAMP,
    ("datetime(6)", WALL): ColumnType.DATETIME,
    ("longtext", ""): ColumnType.TEXT,
    ("longtext", JSON): ColumnType.JSON,
    ("longblob", ""): ColumnType.BYTES,
    ("varchar", KEY): ColumnType.TEXT,
    ("varchar", JSON): ColumnType.JSON,
    ("varbinary", KEY): ColumnType.BYTES,
}


@dataclass(frozen=True, slots=True)
class MysqlColumn(RealColumn):
    """With what decides whether two keys are one."""

    collation: str | None = None
    comment: str = ""


def kind_of(declared: str, comment: str, collation: str | None) -> ColumnType | None:
    """Read a real column's type back; None for what EDS would not choose."""
    if declared == "longtext" and collation == "utf8mb4_bin":
        return None  # MariaDB's JSON, which is a LONGTEXT that is checked
    if comment in (KEY, JSON):
        declared = declared.partition("(")[0]
    return _KINDS.get((_WIDTH.sub(r"\1", declared), comment))


def look(cursor: Any, name: str, folds: bool) -> RealTable | None:
    """Return the table *name* as it is; None when there is none.

    *folds*: this server keeps names of tables in lower case.
    """
    found = _rows(cursor, TABLES, name)
    exact = [row for row in found if row[0] == name] or (found if folds else [])
    if not exact:
        return None
    real, engine, kind = exact[0]
    if kind == "BASE TABLE" and engine != "InnoDB":
        raise TableError(
            f"table {name} is kept by {engine}, which has no transactions",
            table=name,
            advice=f"ALTER TABLE `{name}` ENGINE = InnoDB; "
            "then `eds resume TABLE` goes on with it",
        )
    columns = {
        row[1]: _column(row) for row in _rows(cursor, COLUMNS, name) if row[0] == real
    }
    indexes = _indexes(row for row in _rows(cursor, INDEXES, name) if row[0] == real)
    primary = indexes.get("PRIMARY", frozenset())
    return RealTable(real, columns, primary, frozenset(indexes.values()))


def _rows(cursor: Any, query: str, name: str) -> list[tuple[Any, ...]]:
    cursor.execute(query, (name,))
    return list(cursor.fetchall())


def _column(row: tuple[Any, ...]) -> MysqlColumn:
    _, name, declared, collation, comment, expression = row
    kind = kind_of(declared, comment, collation)
    return MysqlColumn(name, declared, kind, not expression, collation, comment)


def _indexes(rows: Iterable[tuple[Any, ...]]) -> dict[str, frozenset[str]]:
    """The unique indexes; one on part of a column or on an expression is no key."""
    indexes: dict[str, frozenset[str]] = {}
    for _, index, column, part in rows:
        name = f"{column}({part})" if part or column is None else column
        indexes[index] = indexes.get(index, frozenset()) | {name}
    return indexes


def inexact(real: RealTable, names: Iterable[str]) -> list[MysqlColumn]:
    """Of *names*, the columns whose collation takes different values for one."""
    columns = (real.columns.get(name) for name in names)
    return [
        column
        for column in columns
        if isinstance(column, MysqlColumn) and column.collation not in _EXACT_COLLATIONS
    ]


def has_other_unique(table: TableSchema, real: RealTable) -> bool:
    """Say whether another row than the key's own may stand in the way of a row."""
    return real.unique != {frozenset(table.key)}


def check_exact(table: TableSchema, real: RealTable) -> None:
    """Raise TableError when two keys could be taken for one."""
    for column in inexact(real, table.key):
        raise TableError(
            f"{real.name}.{column.name} is compared by {column.collation}, "
            "which takes different keys for one",
            table=real.name,
            advice="`eds resume TABLE`, and its collation is changed",
        )
