"""Give a column a wider type: through a new one, and again after any crash.

Snowflake commits each of these statements by itself. So each says by what is
really there whether it is still to be done: a column whose name begins with
``_eds_`` is half of a column to be.
"""

from __future__ import annotations

from collections.abc import Mapping

from eds_core.schema import Column, ColumnType, TableSchema
from eds_core.sql import Step
from eds_core.sql.session import Session
from eds_core.sql.tables import RealColumn, RealTable

ISO = """'YYYY-MM-DD"T"HH24:MI:SS.FF9'"""
_SHORT = "RTRIM(RTRIM({}, '0'), '.')"  # without zeros that say nothing

#: How a value of each type is written in digits and letters, losing nothing. A
#: double is not among them: as text, Snowflake cuts it off after 15 digits.
_EXACT: Mapping[ColumnType, str] = {
    ColumnType.INTEGER: "{}::VARCHAR",
    ColumnType.DECIMAL: _SHORT.format("{}::VARCHAR"),
    ColumnType.BOOLEAN: "{}::VARCHAR",
    ColumnType.TIMESTAMP: _SHORT.format(
        f"TO_VARCHAR(CONVERT_TIMEZONE('UTC', {{}}), {ISO})"
    )
    + " || 'Z'",
    ColumnType.DATETIME: _SHORT.format(f"TO_VARCHAR({{}}, {ISO})") + " || 'Z'",
    ColumnType.BYTES: "BASE64_ENCODE({})",
}


def widening(
    real: RealTable,
    column: Column,
    types: Mapping[ColumnType, str],
    session: Session,
) -> Step | None:
    """Return the statements; None where values would suffer."""
    found = real.columns[column.name].type
    value = _exact(found, column.type)
    if value is None:
        return None
    table, new = session.quote_table(real.name), f"_eds_{column.name}"
    old, place = session.quote(column.name), session.quote(new)
    add = f"ALTER TABLE {table} ADD {place} {types[column.type]}"
    return (
        *(() if new in real.columns else (add,)),
        f"UPDATE {table} SET {place} = {value.format(old)}",  # noqa: S608 - identifiers only, quoted
        f"ALTER TABLE {table} DROP COLUMN {old}",
        rename(real, new, column.name, session),
    )


def _exact(found: ColumnType | None, wanted: ColumnType) -> str | None:
    if found is ColumnType.INTEGER and wanted is ColumnType.DECIMAL:
        return "{}"
    return _EXACT.get(found) if found and wanted is ColumnType.TEXT else None


def half_done(real: RealTable, table: TableSchema) -> Mapping[str, RealColumn]:
    """The columns of which a widening was cut off before its last step, as they are."""
    halves = {name: real.columns.get(f"_eds_{name}") for name in table.types}
    return {
        name: half
        for name, half in halves.items()
        if half is not None and name not in real.columns
    }


def rename(real: RealTable, old: str, new: str, session: Session) -> str:
    """The last step of a widening."""
    place, quote = session.quote_table(real.name), session.quote
    return f"ALTER TABLE {place} RENAME COLUMN {quote(old)} TO {quote(new)}"
