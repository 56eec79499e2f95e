"""A real table as Snowflake describes it: that takes no warehouse."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

from eds_core.errors import TableError
from eds_core.schema import ColumnType, TableSchema
from eds_core.sql.tables import RealColumn, RealTable

_TYPE = re.compile(r"(\w+)(?:\((\d+)(?:,\s*(\d+))?\))?(?: COLLATE '(.*)')?.*")
_MOST_DIGITS = 38
#: Where DESCRIBE has them; right behind the expression comes the user's comment.
_NAME, _DECLARED, _EXPRESSION = 0, 1, 8
_LONGEST = {"VARCHAR": 16 * 1024 * 1024, "BINARY": 8 * 1024 * 1024}

Run = Callable[[str], Iterable[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class SnowflakeColumn(RealColumn):
    """With its type taken apart."""

    base: str = ""
    precision: int = _MOST_DIGITS
    scale: int = 0

    @classmethod
    def of(cls, column: RealColumn) -> Self:
        base, first, second, _ = taken_apart(column.declared)
        precision, scale = int(first or _MOST_DIGITS), int(second or 0)
        return cls(
            column.name,
            column.declared,
            column.type,
            column.writable,
            base,
            precision,
            scale,
        )


@dataclass(frozen=True, slots=True)
class SnowflakeTable(RealTable):
    """Snowflake enforces no key, so a table that declares none is no worse."""

    def has_key(self, table: TableSchema) -> bool:
        return not self.primary or RealTable.has_key(self, table)


def taken_apart(declared: str) -> tuple[str, str, str, str]:
    """A type's name, its one or two numbers, and its collation."""
    found = _TYPE.fullmatch(declared)
    if found is None:
        return declared, "", "", ""
    name, first, second, collation = found.groups(default="")
    return name, first, second, collation


def plain(declared: str) -> str:
    """As EDS declares it: without a length, where that is Snowflake's longest."""
    name, length, _, _ = taken_apart(declared)
    return name if int(length or 0) >= _LONGEST.get(name, 1 << 62) else declared


def read(
    run: Run, name: str, quoted: str, type_of: Callable[[str], ColumnType | None]
) -> RealTable:
    """Return the table *name*. Raises what *run* raises when there is none."""
    described = [
        (row[_NAME], row[_DECLARED], row[_EXPRESSION])
        for row in run(f"DESCRIBE TABLE {quoted}")
    ]
    columns = {
        column: SnowflakeColumn.of(
            RealColumn(column, declared, type_of(declared), not expression)
        )
        for column, declared, expression in described
    }
    keys = [row[4] for row in run(f"SHOW PRIMARY KEYS IN TABLE {quoted}")]
    for column in keys:
        _check_collation(name, columns[column])
    return SnowflakeTable(name, columns, frozenset(keys))


def _check_collation(table: str, column: SnowflakeColumn) -> None:
    """Keys are compared byte by byte; a collation may hold two of them for one."""
    *_, collation = taken_apart(column.declared)
    if collation not in ("", "utf8", "bin"):
        raise TableError(
            f"the key column {column.name} of {table} has the collation {collation}",
            table=table,
            advice="rename or drop the table and unset DEFAULT_DDL_COLLATION for its "
            "schema: EDS makes it anew",
        )
