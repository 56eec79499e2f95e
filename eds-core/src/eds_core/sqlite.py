"""SQLite: the embedded destination, and the reference for how rows are guarded."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any, ClassVar

from sqlalchemy import URL, Engine, NullPool, create_engine

from . import sqlite_diagnosis
from .driver import Capabilities
from .errors import ConfigError, TransientError
from .event import Row, VersionedKey
from .findings import Check
from .private import make_private
from .schema import Column, ColumnType
from .sql import SqlDriver, Step
from .sql.errors import UNKNOWN, Fault, first_sentence
from .sql.portable import key_text
from .sql.tables import VERSION, RealColumn, RealTable, Target
from .urls import redact
from .values import Value
from .waiting import again

__all__ = ["SqliteDriver"]

_WAIT = 10.0  # seconds for a lock
_TIMES = 12  # about four seconds of `again`
_GENERATED = (2, 3)

#: SQLite's codes as SQLSTATEs: extended ones first, then their families.
_CODES: Mapping[int, str] = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: "23505",
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: "23505",
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: "23502",
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: "23503",
    sqlite3.SQLITE_CONSTRAINT_CHECK: "23514",
    sqlite3.SQLITE_CONSTRAINT_TRIGGER: "P0001",
    sqlite3.SQLITE_CONSTRAINT: "23000",
    sqlite3.SQLITE_ERROR: "42000",
    sqlite3.SQLITE_AUTH: "42501",
    sqlite3.SQLITE_PERM: "42501",
    sqlite3.SQLITE_BUSY: "55P03",
    sqlite3.SQLITE_LOCKED: "55P03",
    sqlite3.SQLITE_SCHEMA: "40001",
    sqlite3.SQLITE_INTERRUPT: "57014",
    sqlite3.SQLITE_FULL: "53100",
    sqlite3.SQLITE_NOMEM: "53200",
    sqlite3.SQLITE_IOERR: "58030",
    sqlite3.SQLITE_READONLY: "25006",
    sqlite3.SQLITE_CANTOPEN: "58030",
    sqlite3.SQLITE_PROTOCOL: "55P03",
    sqlite3.SQLITE_TOOBIG: "22001",
    sqlite3.SQLITE_MISMATCH: "22000",
    sqlite3.SQLITE_NOTADB: "3D000",
    sqlite3.SQLITE_CORRUPT: "XX001",
}


#: SQLite has one code for all that is wrong with a statement.
_WORDS: Mapping[str, str] = {
    "after drop column": "2BP01",  # in an index, view or trigger of the user's
    "cannot drop primary key": "2BP02",
    "no such table": "42P01",
    "no such column": "42703",
    "has no column": "42703",
}


class SqliteDriver(SqlDriver):
    """One file. Position and rows live in it together."""

    title = "SQLite"
    example_url = "sqlite:////var/lib/eds/shop.db"
    capabilities: ClassVar[Capabilities] = Capabilities(max_rows=5_000)
    begin = "BEGIN IMMEDIATE"
    has_schemas = False
    one_file = True
    folds_case = True
    version_type = "TEXT"
    # Two words where text is kept in a type of its own: "TEXT" gives them text
    # affinity, else SQLite would make floats of decimals and of JSON's 1e5.
    types: ClassVar[Mapping[ColumnType, str]] = {
        ColumnType.TEXT: "TEXT",
        ColumnType.INTEGER: "BIGINT",
        ColumnType.NUMBER: "DOUBLE",
        ColumnType.DECIMAL: "DECIMAL TEXT",
        ColumnType.BOOLEAN: "BOOLEAN",
        ColumnType.TIMESTAMP: "TIMESTAMP TEXT",
        ColumnType.DATETIME: "DATETIME TEXT",
        ColumnType.JSON: "JSON TEXT",
        ColumnType.BYTES: "BLOB",
    }

    def parse(self, url: str) -> URL:
        parsed = super().parse(url)
        advice = f"it should look like {self.example_url}"
        if parsed.query:
            raise ConfigError(f"{redact(url)} names no file", advice=advice)
        if not parsed.database or parsed.database == ":memory:":
            raise ConfigError(
                f"{redact(url)} would be gone with this process", advice=advice
            )
        return parsed

    def make_engine(self) -> Engine:
        return create_engine(
            "sqlite://",
            creator=self._connect,
            poolclass=NullPool,
            hide_parameters=True,
            pool_reset_on_return=None,
        )

    def _connect(self) -> sqlite3.Connection:
        if not self.read_only:
            with suppress(OSError):  # SQLite will say what is wrong with the place
                make_private(self.path)
        connection = sqlite3.connect(
            self._place,
            uri=self._place.startswith("file:"),
            timeout=_WAIT,
            isolation_level=None,  # transactions are begun by us
            check_same_thread=False,  # one thread at a time is what we promise
        )
        connection.create_function("_eds_digits", 1, _digits, deterministic=True)
        connection.create_function("_eds_base64", 1, _base64, deterministic=True)
        return connection

    @property
    def _place(self) -> str:
        if not self.read_only:
            return str(self.path)
        if not self.path.exists():
            return "file::memory:"
        return f"{self.path.absolute().as_uri()}?mode=ro"

    def checks(self) -> Mapping[str, Check]:
        return sqlite_diagnosis.checks(self.session, self.path)

    def prepare_session(self) -> str | None:
        run = self.session.run
        run("PRAGMA schema_version")  # reads the file for the first time
        if not self.read_only:
            # SQLite does not wait here for one that writes, or switches just now.
            again(lambda: run("PRAGMA journal_mode = WAL"), TransientError, _TIMES)
            # What a power cut takes, it takes from rows and position alike.
            run("PRAGMA synchronous = NORMAL")
        return None

    def read_fault(self, error: BaseException) -> Fault:
        code, text = getattr(error, "sqlite_errorcode", 0), first_sentence(str(error))
        state = _CODES.get(code) or _CODES.get(code & 0xFF, UNKNOWN)
        worded = next(
            (c for words, c in _WORDS.items() if words in text.lower()), state
        )
        return Fault(worded, text)

    def stamp(self) -> object:
        return self._rows("PRAGMA schema_version")

    def look(self, table: str) -> RealTable | None:
        found = self._rows(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') "
            "AND name = ? COLLATE NOCASE",
            table,
        )
        if not found:
            return None
        columns = {
            name: RealColumn(
                name, declared, self.type_of(declared), hidden not in _GENERATED
            )
            for _, name, declared, *_, hidden in self._rows(
                "SELECT * FROM pragma_table_xinfo(?)", table
            )
        }
        return RealTable(
            found[0][0], columns, self._primary(table), self._unique(table)
        )

    def _primary(self, table: str) -> frozenset[str]:
        query = "SELECT name FROM pragma_table_info(?) WHERE pk > 0"
        return frozenset(name for (name,) in self._rows(query, table))

    def _unique(self, table: str) -> frozenset[frozenset[str]]:
        query = 'SELECT name FROM pragma_index_list(?) WHERE "unique" AND NOT partial'
        names = [name for (name,) in self._rows(query, table)]
        return frozenset(map(self._index, names))

    def _index(self, name: str) -> frozenset[str]:
        query = "SELECT name FROM pragma_index_info(?)"
        return frozenset(column or "" for (column,) in self._rows(query, name))

    def _rows(self, query: str, *parameters: str) -> list[tuple[Any, ...]]:
        with self.session.reading(), self.session.cursor() as cursor:
            return list(cursor.execute(query, parameters))

    def widening(self, real: RealTable, column: Column) -> Step:
        """Copy into a new column: SQLite cannot alter one."""
        quote = self.session.quote
        table, old, new = map(quote, (real.name, column.name, f"_eds_{column.name}"))
        found = real.columns[column.name].type
        value = _TO_TEXT.get(found, "{}").format(old) if found else old
        return (
            f"ALTER TABLE {table} ADD {new} {self.types[column.type]}",
            f"UPDATE {table} SET {new} = {value}",  # noqa: S608 - identifiers only, quoted
            f"ALTER TABLE {table} DROP COLUMN {old}",
            f"ALTER TABLE {table} RENAME COLUMN {new} TO {old}",
        )

    def statements(self, target: Target) -> Mapping[str, str]:
        return {
            "upsert": self._upsert(target),
            "tombstone": _TOMBSTONE.format(self._tombstones),
            "delete": self._delete(target),
        }

    @property
    def _tombstones(self) -> str:
        return self.session.quote(self.books.tombstone.name)

    def write(self, target: Target, rows: Sequence[Row]) -> int:
        parameters = [_parameters(target, row) for row in rows]
        return self._run(target.statements["upsert"], parameters)

    def _upsert(self, target: Target) -> str:
        quote, table = self.session.quote, self.session.quote(target.real.name)
        names = [*target.columns, VERSION]
        values = [*target.values, VERSION]
        version = quote(VERSION)
        return (
            f"INSERT INTO {table} ({', '.join(map(quote, names))}) "  # noqa: S608 - identifiers only, quoted
            f"SELECT {', '.join('?' * len(names))} WHERE NOT EXISTS ("
            f"SELECT 1 FROM {self._tombstones} "
            "WHERE table_name = ? AND key = ? AND version > ?) "
            f"ON CONFLICT ({', '.join(map(quote, target.table.key))}) DO UPDATE SET "
            f"{', '.join(f'{quote(name)} = excluded.{quote(name)}' for name in values)}"
            f" WHERE {table}.{version} IS NULL"
            f" OR {table}.{version} <= excluded.{version}"
        )

    def _delete(self, target: Target) -> str:
        quote, version = self.session.quote, self.session.quote(VERSION)
        is_row = " AND ".join(f"{quote(name)} = ?" for name in target.table.key)
        return (
            f"DELETE FROM {quote(target.real.name)} WHERE {is_row} "  # noqa: S608 - identifiers only, quoted
            f"AND ({version} IS NULL OR {version} <= ?)"
        )

    def remove(self, target: Target, keys: Sequence[VersionedKey]) -> int:
        name, statements = target.real.name, target.statements
        self._run(
            statements["tombstone"],
            [(name, key_text(key.key), key.version.sortable) for key in keys],
        )
        return self._run(
            statements["delete"],
            [(*key.key, key.version.sortable) for key in keys],
        )

    def _run(self, statement: str, parameters: Iterable[tuple[Value, ...]]) -> int:
        with self.session.cursor() as cursor:
            cursor.executemany(statement, parameters)
            return int(cursor.rowcount)


_TOMBSTONE = (
    "INSERT INTO {} (table_name, key, version) VALUES (?, ?, ?) "
    "ON CONFLICT (table_name, key) DO UPDATE "
    "SET version = max(version, excluded.version)"
)


def _parameters(target: Target, row: Row) -> tuple[Value, ...]:
    values = [row.get(name, kind) for name, kind in target.columns.items()]
    version = row.version.sortable
    return (*values, version, target.real.name, key_text(row.key), version)


def _digits(number: float | None) -> str | None:
    """The shortest digits that are exactly this double, never an exponent."""
    return None if number is None else format(Decimal(repr(number)), "f")


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


#: How a value of each type is written where its column becomes text.
_TO_TEXT: Mapping[ColumnType, str] = {
    ColumnType.INTEGER: "CAST({} AS TEXT)",
    ColumnType.NUMBER: "_eds_digits({})",
    ColumnType.BOOLEAN: "CASE {} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END",
    ColumnType.BYTES: "_eds_base64({})",
}
