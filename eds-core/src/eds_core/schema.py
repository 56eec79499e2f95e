"""Tables as EDS knows them: columns, keys, and what a destination lacks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from .errors import DecodeError

#: Prefix of every table and column that EDS adds to a destination.
_REFUSED = "E4002"  # for `eds explain`
RESERVED = "_eds_"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


class ColumnType(StrEnum):
    """What a column holds, whatever a database calls it."""

    TEXT = "text"
    INTEGER = "integer"  # 64 bits
    NUMBER = "number"  # a double
    DECIMAL = "decimal"  # exact
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"  # a point in time
    DATETIME = "datetime"  # a date and a time without a zone, in UTC
    JSON = "json"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: ColumnType


@dataclass(frozen=True, slots=True)
class TableSchema:
    """One version of a table: its columns, key columns first, and its key."""

    name: str
    model_version: str
    columns: tuple[Column, ...] = field(hash=False)  # each batch asks for the hash
    key: tuple[str, ...]
    inferred: bool = False

    def __post_init__(self) -> None:
        names = [c.name for c in self.columns]
        for name in (self.name, *names):
            check_name(name)
        if len(names) != len(set(names)) or len(self.key) != len(set(self.key)):
            raise DecodeError(f"table {self.name} names a column twice", code=_REFUSED)
        if not self.key:
            raise DecodeError(f"table {self.name} has no primary key", code=_REFUSED)
        if missing := set(self.key) - set(names):
            raise DecodeError(
                f"key columns {sorted(missing)} of {self.name} are unknown",
                code=_REFUSED,
            )

    @property
    def types(self) -> dict[str, ColumnType]:
        return {column.name: column.type for column in self.columns}

    @property
    def values(self) -> tuple[Column, ...]:
        """The columns that are not part of the key."""
        return tuple(c for c in self.columns if c.name not in self.key)


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """What a destination's table needs before rows of *table* fit into it."""

    table: TableSchema
    creates: bool = False
    adds: tuple[Column, ...] = ()
    widens: tuple[Column, ...] = ()

    def __str__(self) -> str:
        if self.creates:
            return f"create table {self.table.name}"
        if not self.adds and not self.widens:
            return f"adopt table {self.table.name}"
        parts = [f"add {c.name} {c.type}" for c in self.adds]
        parts += [f"widen {c.name} to {c.type}" for c in self.widens]
        return f"alter table {self.table.name}: {', '.join(parts)}"


def check_name(name: str) -> str:
    """Return *name* if it can be a table's or column's name, else DecodeError."""
    if not _NAME.fullmatch(name) or name.lower().startswith(RESERVED):
        raise DecodeError(
            f"{name[:80]!r} is not a name that EDS accepts for a table or column",
            advice="names are letters, digits and _, up to 128 characters, "
            f"and do not begin with {RESERVED}",
            code=_REFUSED,
        )
    return name


def diff(
    wanted: TableSchema, present: Mapping[str, ColumnType | None]
) -> SchemaChange | None:
    """Say what a table with the columns *present* lacks, or None.

    *present* is empty when there is no such table. A type of None is one that EDS
    did not choose (an old server's, a user's own); it is left as it is.
    """
    if not present:
        return SchemaChange(wanted, creates=True, adds=wanted.columns)
    adds = tuple(c for c in wanted.columns if c.name not in present)
    widens = tuple(
        Column(column.name, wide)
        for column in wanted.columns
        if (found := present.get(column.name)) is not None
        and (wide := widened(found, column.type)) is not found
    )
    if not adds and not widens:
        return None
    return SchemaChange(wanted, adds=adds, widens=widens)


def merged(models: Sequence[TableSchema]) -> TableSchema:
    """Return what holds the rows of all *models* of one table, the first one first.

    Raises DecodeError when they have different keys.
    """
    first = models[0]
    types = first.types
    for model in models[1:]:
        if model.key != first.key:
            raise DecodeError(
                f"table {first.name} has the key ({', '.join(first.key)}) in one "
                f"version of its model and ({', '.join(model.key)}) in another",
                code=_REFUSED,
            )
        for name, kind in model.types.items():
            types[name] = widened(types.get(name, kind), kind)
    columns = tuple(Column(name, kind) for name, kind in types.items())
    return replace(first, columns=columns)


_NUMERIC = (ColumnType.INTEGER, ColumnType.NUMBER, ColumnType.DECIMAL)
_HOLDS_ALL = (ColumnType.TEXT, ColumnType.JSON)


def widened(present: ColumnType, wanted: ColumnType) -> ColumnType:
    """The narrowest type that keeps every value of both types exactly.

    *present* itself when it is wide enough. Text takes anything; so does JSON.
    """
    if present is wanted or present in _HOLDS_ALL:
        return present
    if present in _NUMERIC and wanted in _NUMERIC:
        return ColumnType.DECIMAL
    return ColumnType.TEXT
