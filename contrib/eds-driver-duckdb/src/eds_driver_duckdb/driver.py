"""The DuckDB driver: the SQL base, DuckDB's types, and its words for errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

import duckdb
from sqlalchemy import Engine, NullPool, create_engine

from eds_core import (
    Column,
    ColumnType,
    RejectedError,
    Row,
    TableError,
    VersionedKey,
    sql,
)

_MOMENTS = (ColumnType.TIMESTAMP, ColumnType.DATETIME)
_TYPES: Mapping[ColumnType, str] = {
    ColumnType.TEXT: "VARCHAR",
    ColumnType.INTEGER: "BIGINT",
    ColumnType.NUMBER: "DOUBLE",
    ColumnType.DECIMAL: "DECIMAL(38,9)",
    ColumnType.BOOLEAN: "BOOLEAN",
    ColumnType.TIMESTAMP: "TIMESTAMP WITH TIME ZONE",
    ColumnType.DATETIME: "TIMESTAMP",
    ColumnType.JSON: "JSON",
    ColumnType.BYTES: "BLOB",
}
_TEXTS = (ColumnType.TEXT, ColumnType.DECIMAL, ColumnType.JSON, *_MOMENTS)
_PLAIN = {kind: name for kind, name in _TYPES.items() if kind not in _TEXTS}
#: How a value is written when its column becomes text.
_TO_TEXT: Mapping[ColumnType, str] = {
    ColumnType.BYTES: "base64({})",
    ColumnType.DECIMAL: "rtrim(rtrim({}::VARCHAR, '0'), '.')",
    ColumnType.TIMESTAMP: "strftime({} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')",
    ColumnType.DATETIME: "strftime({}, '%Y-%m-%dT%H:%M:%S.%fZ')",
}
#: SQLSTATEs by what DuckDB says, else by its exception.
_WORDS: Mapping[str, str] = {
    "could not set lock": "55006",
    "not a valid duckdb": "3D000",
    "failed to commit": "40001",  # at that moment it can only be another transaction
    "primary key constraint": "40001",  # another transaction has inserted it
    "unique constraint": "23505",
    "not null constraint": "23502",
    "conflict": "40001",
    "does not exist": "42P01",
}
_KINDS: Mapping[type[Exception], str] = {
    duckdb.ConstraintException: "23000",
    duckdb.TransactionException: "40001",
    duckdb.ConnectionException: sql.LOST,
    duckdb.IOException: "58030",
    duckdb.ProgrammingError: "42000",
    duckdb.DataError: "22000",
}
_BEFORE, _BEHIND = 29, 9  # the point: digits of DECIMAL(38,9)
_INDEXES = (
    "SELECT expressions::VARCHAR[] FROM duckdb_indexes() "
    "WHERE is_unique AND schema_name = ? AND table_name = ?"
)


class DuckdbDriver(sql.SqlDriver):
    """One DuckDB file, or ``:memory:`` for a try. Rows and position live in it."""

    title = "DuckDB"
    example_url = "duckdb:////var/lib/eds/shop.duckdb"
    drivername = "eds_duckdb"
    folds_case = True
    one_file = True
    version_type = "VARCHAR"
    # An error ends DuckDB's transaction, and it has no savepoints: a row that breaks
    # a rule of the user's own cannot be told from the others.
    answers: ClassVar[sql.Answers] = {**sql.ANSWERS, "23505": TableError}
    types: ClassVar[Mapping[ColumnType, str]] = _TYPES

    def make_engine(self) -> Engine:
        url = self.parse(self.url)
        if self.read_only and not self.path.is_file():
            url = url.set(database=":memory:")
        elif self.read_only:
            url = url.update_query_dict({"access_mode": "READ_ONLY"})
        return create_engine(
            url, poolclass=NullPool, hide_parameters=True, pool_reset_on_return=None
        )

    def read_fault(self, error: BaseException) -> sql.Fault:
        text = str(error)
        said = (code for words, code in _WORDS.items() if words in text.lower())
        kinds = (code for kind, code in _KINDS.items() if isinstance(error, kind))
        return sql.Fault(next(said, next(kinds, sql.UNKNOWN)), sql.first_sentence(text))

    def look(self, table: str) -> sql.RealTable | None:
        if (found := sql.catalogue.look(self.session, table, self.type_of)) is None:
            return None
        indexes = sql.ask(self.session, _INDEXES, self.session.schema, table)
        unique = {frozenset(n.strip('"') for n in names) for (names,) in indexes}
        return replace(found, unique=found.unique | unique)

    def widening(self, real: sql.RealTable, column: Column) -> sql.Step:
        place, name = map(self.session.quote, (real.name, column.name))
        old, kind = real.columns[column.name].type, self.types[column.type]
        if old is ColumnType.NUMBER and column.type is ColumnType.DECIMAL:
            return super().widening(real, column)  # refuses: it would be rounded
        value = _TO_TEXT.get(old or column.type, "{}").format(name)
        return (f"ALTER TABLE {place} ALTER {name} TYPE {kind} USING {value}::{kind}",)

    def statements(self, target: sql.Target) -> Mapping[str, str]:
        return sql.lists.statements(self, target, _PLAIN, "VARCHAR")

    def write(self, target: sql.Target, rows: Sequence[Row]) -> int:
        return sql.lists.write(self.session, target, rows, _sent)

    def remove(self, target: sql.Target, keys: Sequence[VersionedKey]) -> int:
        return sql.lists.remove(self.session, target, keys)


def _sent(row: Row, name: str, kind: ColumnType) -> object:
    """A value in a form that DuckDB cannot refuse: that would end the transaction."""
    value = row.get(name, kind)
    if isinstance(value, str) and kind in _MOMENTS:
        return datetime.fromisoformat(value).isoformat()
    if isinstance(value, str) and kind is ColumnType.DECIMAL:
        whole, _, fraction = value.lstrip("-0").partition(".")
        if len(whole) > _BEFORE or len(fraction.rstrip("0")) > _BEHIND:
            told = f"a value of column {name} does not fit DECIMAL(38,9)"
            raise RejectedError(told, signature=f"digits of {name}")
    return value
