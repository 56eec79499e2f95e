"""How a column becomes wider and keeps every value: copied, checked, swapped. Pure.

SQL Server's own ALTER COLUMN would round doubles to six digits. The statements belong
into one transaction; a value that would change undoes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from eds_core.schema import Column, ColumnType
from eds_core.sql import Step
from eds_core.sql.tables import RealColumn

from .columns import TYPES

Quote = Callable[[str], str]

_COPY = "_eds_copy"  # the column's own name with a prefix might be too long
_DECIMAL = TYPES[ColumnType.DECIMAL]
#: A decimal in digits, without the zeros at its end.
_SHORT = (
    "REPLACE(RTRIM(REPLACE(REPLACE(RTRIM(REPLACE(CONVERT(nvarchar(60), {0}), "
    "N'0', N' ')), N' ', N'0'), N'.', N' ')), N' ', N'.')"
)

#: How a value is written in digits and letters, losing nothing. {1} is unquoted.
_TO_TEXT: Mapping[ColumnType, str] = {
    ColumnType.INTEGER: "CONVERT(nvarchar(30), {0})",
    ColumnType.NUMBER: "CONVERT(nvarchar(60), {0}, 3)",  # all 17 digits
    ColumnType.DECIMAL: _SHORT,
    ColumnType.BOOLEAN: "CASE {0} WHEN 1 THEN N'true' WHEN 0 THEN N'false' END",
    ColumnType.TIMESTAMP: "CONVERT(nvarchar(40), "
    "CONVERT(datetime2(7), SWITCHOFFSET({0}, N'+00:00')), 126) + N'Z'",
    ColumnType.DATETIME: "CONVERT(nvarchar(40), {0}, 126) + N'Z'",
    ColumnType.BYTES: "CAST(N'' AS xml).value("
    "'xs:base64Binary(sql:column(\"{1}\"))', 'nvarchar(max)')",
}


def widened(table: str, old: RealColumn, new: Column, type_: str, quote: Quote) -> Step:
    """Return the statements that make column *old* of the quoted *table* as *new*."""
    name, copy = quote(old.name), quote(_COPY)
    if new.type is ColumnType.DECIMAL and old.type is ColumnType.INTEGER:
        return (f"ALTER TABLE {table} ALTER COLUMN {name} {type_}",)
    to_number = new.type is ColumnType.DECIMAL
    form = f"TRY_CONVERT({_DECIMAL}, {{0}})" if to_number else _form(old)
    value = form.format(name, old.name)
    return (
        f"ALTER TABLE {table} ADD {copy} {type_} NULL",
        f"UPDATE {table} SET {copy} = {value}",  # noqa: S608 - identifiers only, quoted
        *((_unless_equal(table, name, copy),) if to_number else ()),
        f"ALTER TABLE {table} DROP COLUMN {name}",
        f"EXEC sp_rename {_text(f'{table}.{copy}')}, {_text(old.name)}, N'COLUMN'",
    )


def _form(old: RealColumn) -> str:
    return _TO_TEXT.get(old.type, "{0}") if old.type else "{0}"


def _unless_equal(table: str, name: str, copy: str) -> str:
    """A double that no decimal holds ends it."""
    return (
        f"IF EXISTS (SELECT 1 FROM {table} WHERE {name} IS NOT NULL "  # noqa: S608 - identifiers only, quoted
        f"AND ({copy} IS NULL OR CONVERT(float, {copy}) <> {name})) "
        f"RAISERROR (N'a number in the column does not fit into {_DECIMAL}', 16, 1)"
    )


def _text(words: str) -> str:
    escaped = words.replace("'", "''")
    return f"N'{escaped}'"
