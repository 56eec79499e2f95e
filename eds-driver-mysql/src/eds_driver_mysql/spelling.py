"""What each type is called, here and in EDS's own tables, and how it is widened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.types import UserDefinedType

from eds_core.schema import Column, ColumnType
from eds_core.sql import Step
from eds_core.sql.tables import RealTable

from .tables import EXACT, JSON, KEY, POINT, WALL, MysqlColumn

_TEXT = "LONGTEXT CHARACTER SET utf8mb4"
_IN_KEY = f"VARCHAR({{length}}) {EXACT} COMMENT"

#: JSON is kept as text: MySQL's JSON sorts an object's names, makes floats of long
#: numbers and refuses some depths, MariaDB's is text with a check of its depth.
PLAIN: Mapping[ColumnType, str] = {
    ColumnType.TEXT: _TEXT,
    ColumnType.INTEGER: "BIGINT",
    ColumnType.NUMBER: "DOUBLE",
    ColumnType.DECIMAL: "DECIMAL(65,25)",
    ColumnType.BOOLEAN: "TINYINT(1)",
    ColumnType.TIMESTAMP: f"DATETIME(6) COMMENT '{POINT}'",
    ColumnType.DATETIME: f"DATETIME(6) COMMENT '{WALL}'",
    ColumnType.JSON: f"{_TEXT} COMMENT '{JSON}'",
    ColumnType.BYTES: "LONGBLOB",
}
IN_KEYS: Mapping[ColumnType, str] = {
    ColumnType.TEXT: f"{_IN_KEY} '{KEY}'",
    ColumnType.JSON: f"{_IN_KEY} '{JSON}'",
    ColumnType.BYTES: f"VARBINARY({{length}}) COMMENT '{KEY}'",
}

_ALONE, _TOGETHER = 255, 480  # characters; an index has room for 3,072 bytes

Quote = Callable[[str], str]


class Exact(UserDefinedType[str]):
    """Text of at most *length* characters, told apart byte by byte."""

    cache_ok = True

    def __init__(self, length: int) -> None:
        self.length = length

    def get_col_spec(self, **_: Any) -> str:
        return f"VARCHAR({self.length}) {EXACT}"


class LongText(UserDefinedType[str]):
    """Text of any length, in any language, whatever the database's default is."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return _TEXT


def sized(declared: str, columns: int) -> str:
    """*declared* with its length, in a key of so many *columns*."""
    length = _ALONE if columns == 1 else _TOGETHER // columns
    return declared.format(length=length)


def make_exact(table: str, column: MysqlColumn, quote: Quote) -> str:
    """Give a key's column the collation that tells 'a' from 'A' and 'a '."""
    comment = column.comment.replace("\\", "").replace("'", "''")
    return (
        f"ALTER TABLE {quote(table)} MODIFY {quote(column.name)} {column.declared} "
        f"{EXACT} NOT NULL COMMENT '{comment}'"
    )


def widening(real: RealTable, column: Column, quote: Quote) -> Step | None:
    """Give a column a wider type; None where that cannot be done here.

    A statement of DDL commits, so each step stands alone: where a value is written in
    another way as text, a generated column follows the old one, whoever writes, until
    one statement puts it in the place of the old one.
    """
    table, old = quote(real.name), quote(column.name)
    new = f"_eds_{column.name}"
    found = real.columns[column.name].type
    if column.name in real.primary:
        return None
    value = _AS_TEXT.get(found) if found and column.type is ColumnType.TEXT else None
    if value is None:
        return (f"ALTER TABLE {table} MODIFY {old} {PLAIN[column.type]}",)
    expression = value.format(old)
    follow = (
        f"ALTER TABLE {table} ADD {quote(new)} {_TEXT} "
        f"GENERATED ALWAYS AS ({expression}) STORED"
    )
    change = f"ALTER TABLE {table} DROP {old}, CHANGE {quote(new)} {old} {_TEXT}"
    return (change,) if new in real.columns else (follow, change)


_ISO = "CONCAT(REPLACE(CAST({0} AS CHAR CHARACTER SET utf8mb4), ' ', 'T'), 'Z')"

#: How a value is written as text where MySQL's own way is another one.
_AS_TEXT: Mapping[ColumnType, str] = {
    ColumnType.BOOLEAN: "CASE {0} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END",
    ColumnType.DECIMAL: "TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM "
    "CAST({0} AS CHAR CHARACTER SET utf8mb4)))",
    ColumnType.TIMESTAMP: _ISO,
    ColumnType.DATETIME: _ISO,
    ColumnType.BYTES: r"REPLACE(TO_BASE64({0}), '\n', '')",
}
