"""The PostgreSQL driver: rows go in as the JSON they came as."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import ClassVar, cast

import msgspec
import psycopg
from psycopg.types.json import Json
from sqlalchemy import URL, Engine, NullPool, Numeric, Text, create_engine, make_url

from eds_core.driver import Capabilities, Loaded
from eds_core.errors import RejectedError, TableError
from eds_core.event import Key, Row, VersionedKey
from eds_core.findings import Check
from eds_core.schema import Column, ColumnType, TableSchema
from eds_core.sql import SqlDriver, Step
from eds_core.sql.books import Books
from eds_core.sql.errors import Fault, decide
from eds_core.sql.parts import parts
from eds_core.sql.reading import stored_version
from eds_core.sql.tables import RealTable, Target

from . import connecting, diagnosis, statements, tables
from .loading import Loader

#: Bytes of rows in one statement; PostgreSQL's own limit is 1 GB.
_BYTES_AT_ONCE = 16 * 1024 * 1024


class PostgresDriver(SqlDriver):
    """One PostgreSQL database, in the first schema of its search path."""

    title = "PostgreSQL"
    example_url = "postgresql://user:password@host:5432/database"
    capabilities: ClassVar[Capabilities] = Capabilities(
        max_rows=2_000, writers=4, cells=True, together=True
    )
    shared_locks = True
    port = 5432
    clock = "SELECT clock_timestamp()"
    version_type = "numeric(30,10)"
    check_at_once = "SET CONSTRAINTS ALL IMMEDIATE"
    types: ClassVar[Mapping[ColumnType, str]] = {
        ColumnType.TEXT: "text",
        ColumnType.INTEGER: "bigint",
        ColumnType.NUMBER: "double precision",
        ColumnType.DECIMAL: "numeric",
        ColumnType.BOOLEAN: "boolean",
        ColumnType.TIMESTAMP: "timestamp(6) with time zone",
        ColumnType.DATETIME: "timestamp(6) without time zone",
        ColumnType.JSON: "jsonb",
        ColumnType.BYTES: "bytea",
    }
    # Keys are equal byte by byte, and need no language to be sorted.
    key_types: ClassVar[Mapping[ColumnType, str]] = {
        ColumnType.TEXT: 'text COLLATE "C"'
    }

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._loader = Loader(self.session, self.books.tombstone.name)
        #: What was sent together, by table; None: each statement is waited for.
        self._sent: list[tuple[str, psycopg.Cursor]] | None = None

    def parse(self, url: str) -> URL:
        connecting.parse(url)
        return make_url("postgresql+psycopg://")  # libpq reads the URL itself

    def make_engine(self) -> Engine:
        parameters = connecting.parse(self.url)
        return create_engine(
            "postgresql+psycopg://",
            creator=lambda: connecting.connect(
                self.url, parameters, read_only=self.read_only
            ),
            poolclass=NullPool,
            hide_parameters=True,
            pool_reset_on_return=None,  # a connection is closed, not put back
            use_native_hstore=False,  # it would look for the extension each time
        )

    def prepare_session(self) -> str:
        if (schema := super().prepare_session()) is None:
            told = "the search path names no schema that exists"
            raise decide(Fault("3F000", told), self.answers)
        self._loader.forget()
        return schema

    def checks(self) -> Mapping[str, Check]:
        return diagnosis.checks(
            self.session, self.real_names(), self.makes_tables, alters=self.alters
        )

    def make_books(self) -> Books:
        name: Text = Text(collation="C")
        return Books(name=name, key=name, version=Numeric(30, 10))

    def read_fault(self, error: BaseException) -> Fault:
        return connecting.read_fault(error)

    def look(self, table: str) -> RealTable | None:
        quoted = self.session.quote_table(table)
        with self.session.reading(), self.session.cursor() as cursor:
            return tables.look(cursor, table, quoted, self.type_of)

    def widening(self, real: RealTable, column: Column) -> Step:
        quote = self.session.quote
        name = quote(column.name)
        in_key = column.name in real.primary
        wide = self.key_types if in_key else {}
        declared = wide.get(column.type, self.types[column.type])
        found = real.columns[column.name].type
        value = _EXACT.get(found, "{}::text").format(name) if found else name
        alter = (
            f"ALTER TABLE {self.session.quote_table(real.name)} ALTER COLUMN {name} "
            f"TYPE {declared} USING {_cast(value, column.type)}"
        )
        return (alter,)

    def as_made(self, table: TableSchema) -> RealTable:
        return tables.with_plain_types(super().as_made(table))

    def statements(self, target: Target) -> Mapping[str, str]:
        quote, place = self.session.quote, self.session.quote_table
        names = place(target.real.name), place(self.books.tombstone.name)
        return {
            "upsert": statements.upsert(target, *names, quote),
            "delete": statements.delete(target, *names, quote),
        }

    @contextmanager
    def together(self) -> Iterator[Mapping[str, int]]:
        """By libpq's pipeline: what is sent does not wait for what was sent before."""
        changed: dict[str, int] = {}
        sent: list[tuple[str, psycopg.Cursor]] = []
        self._sent = sent
        try:
            with self.session.translated(), self._connection.pipeline():
                yield changed
            for name, cursor in sent:
                changed[name] = changed.get(name, 0) + cursor.rowcount
        finally:
            self._sent = None

    @property
    def _connection(self) -> psycopg.Connection:
        return cast(
            psycopg.Connection, self.session.connection.connection.dbapi_connection
        )

    def write(self, target: Target, rows: Sequence[Row]) -> int:
        self._loader.touched(target)
        return self._as_json(target, rows)

    def _as_json(self, target: Target, rows: Sequence[Row]) -> int:
        return sum(
            self._run(
                target,
                target.statements["upsert"],
                _json(b"[%b]" % b",".join([row.after for row in part])),
                _array([str(row.version) for row in part]),
                _json_of([row.key for row in part]),
                target.real.name,
            )
            for part in parts(rows, _BYTES_AT_ONCE, _size)
        )

    def load(self, target: Target, rows: Sequence[Row]) -> Loaded:
        """By COPY where rows and columns are as usual, else as JSON."""
        try:
            loaded, others = self._loader.load(target, rows)
        except (ValueError, RejectedError, TableError):
            # The general road does it, or says what is wrong.
            return super().load(target, rows)
        return loaded + self.loaded(target, others, self._as_json)

    def remove(self, target: Target, keys: Sequence[VersionedKey]) -> int:
        self._loader.touched(target)
        versions = _array([str(key.version) for key in keys])
        return self._run(
            target,
            target.statements["delete"],
            target.real.name,
            _json_of([key.key for key in keys]),
            versions,
            versions,
            *map(_json_of, zip(*(key.key for key in keys), strict=True)),
        )

    def read_rows(self, target: Target, after: Key | None, most: int) -> list[Row]:
        quote, place = self.session.quote, self.session.quote_table(target.real.name)
        statement = statements.read(target, place, quote, behind=after is not None)
        with self.session.reading(), self.session.cursor() as cursor:
            cursor.execute(statement, [*(after or ()), most])
            return [
                Row(tuple(key), stored_version(version), after.encode())
                for after, version, *key in cursor.fetchall()
            ]

    def _run(self, target: Target, statement: str, *parameters: object) -> int:
        if self._sent is None:
            with self.session.cursor() as cursor:
                cursor.execute(statement, parameters)
                return int(cursor.rowcount)
        with self.session.translated():
            cursor = self._connection.execute(statement, parameters)
        self._sent.append((target.table.name, cursor))
        return 0


def _as_it_is(data: bytes) -> bytes:
    """The rows are JSON already."""
    return data


def _json(data: bytes) -> Json:
    return Json(data, _as_it_is)


def _json_of(keys: Sequence[str | Key]) -> Json:
    """A JSON array: psycopg's own arrays of text cost more than all the rest.

    The text that PostgreSQL takes a whole key in it for is that of ``key_text``.
    """
    return _json(msgspec.json.encode(keys))


def _array(numbers: Sequence[str]) -> str:
    """PostgreSQL's text form of an array, which takes no driver to make."""
    return "{" + ",".join(numbers) + "}"


def _size(row: Row) -> int:
    return len(row.after)


def _cast(value: str, kind: ColumnType) -> str:
    return f"({value})::numeric" if kind is ColumnType.DECIMAL else f"({value})::text"


_ISO = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""

#: How a value of each type is written in digits and letters, losing nothing.
_EXACT: Mapping[ColumnType, str] = {
    ColumnType.TIMESTAMP: "CASE WHEN isfinite({0}) THEN "
    f"to_char({{0}} AT TIME ZONE 'UTC', {_ISO}) ELSE {{0}}::text END",
    ColumnType.DATETIME: "CASE WHEN isfinite({0}) THEN "
    f"to_char({{0}}, {_ISO}) ELSE {{0}}::text END",
    ColumnType.BYTES: "replace(encode({0}, 'base64'), chr(10), '')",
}
