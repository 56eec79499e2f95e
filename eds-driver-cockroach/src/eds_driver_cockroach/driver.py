"""The CockroachDB driver: rows go in as the JSON they came as, by plain statements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

from sqlalchemy import URL, Engine, NullPool, Numeric, Text, create_engine, make_url

from eds_core.driver import Capabilities
from eds_core.errors import TableError
from eds_core.event import Row, VersionedKey
from eds_core.findings import Check
from eds_core.schema import Column, ColumnType, SchemaChange, TableSchema
from eds_core.sql import SqlDriver, Step, catalogue
from eds_core.sql.books import Books
from eds_core.sql.errors import ANSWERS, Answers, Fault, decide
from eds_core.sql.tables import RealTable, Target
from eds_driver_postgres.connecting import read_fault

from . import connecting, diagnosis, rows, statements, tables

#: The entry point of this distribution that SQLAlchemy looks up.
_DIALECT = "eds_cockroach+psycopg://"
#: Rows in one transaction, which had better be small here.
_MOST_ROWS = 500
_ALTER_TYPE = "SET enable_experimental_alter_column_type_general = on"


class CockroachDriver(SqlDriver):
    """One CockroachDB database, in the first schema of its search path."""

    title = "CockroachDB"
    example_url = "cockroachdb://user:password@host:26257/database"
    capabilities: ClassVar[Capabilities] = Capabilities(
        max_rows=_MOST_ROWS, bulk_rows=_MOST_ROWS
    )
    port = 26257
    clock = "SELECT clock_timestamp()"
    alters_alone = True
    version_type = "numeric(30,10)"
    answers: ClassVar[Answers] = {
        **ANSWERS,
        "XXA00": TableError,  # a schema change was begun, and undone
    }
    types: ClassVar[Mapping[ColumnType, str]] = {
        ColumnType.TEXT: "text",
        ColumnType.INTEGER: "bigint",
        ColumnType.NUMBER: "double precision",
        ColumnType.DECIMAL: "numeric",
        ColumnType.BOOLEAN: "boolean",
        ColumnType.TIMESTAMP: "timestamp with time zone",
        ColumnType.DATETIME: "timestamp without time zone",
        ColumnType.JSON: "jsonb",
        ColumnType.BYTES: "bytea",
    }
    # JSON can be a key since v23.2 only.
    key_types: ClassVar[Mapping[ColumnType, str]] = {ColumnType.JSON: "text"}

    def parse(self, url: str) -> URL:
        connecting.parse(url)
        return make_url(_DIALECT)  # libpq reads the URL itself

    def make_engine(self) -> Engine:
        parameters = connecting.parse(self.url)
        return create_engine(
            _DIALECT,
            creator=lambda: connecting.connect(parameters, read_only=self.read_only),
            poolclass=NullPool,
            hide_parameters=True,
            pool_reset_on_return=None,  # a connection is closed, not put back
            use_native_hstore=False,  # there is none
        )

    def prepare_session(self) -> str:
        if (schema := super().prepare_session()) is None:
            told = "there is no such database, or no schema that its search path names"
            raise decide(Fault("3D000", told), self.answers)
        return schema

    def checks(self) -> Mapping[str, Check]:
        return diagnosis.checks(
            self.session, self.real_names(), self.makes_tables, alters=self.alters
        )

    def make_books(self) -> Books:
        # Text is compared byte by byte.
        return Books(name=Text(), key=Text(), version=Numeric(30, 10))

    def read_fault(self, error: BaseException) -> Fault:
        return read_fault(error)

    def look(self, table: str) -> RealTable | None:
        session = self.session
        with session.reading(), session.cursor() as cursor:
            return tables.look(
                cursor, session.schema, table, session.quote, self.type_of
            )

    def table_names(self) -> list[str]:
        return catalogue.table_names(self.session, mark="%s")

    def widening(self, real: RealTable, column: Column) -> Step:
        name = self.session.quote(column.name)
        wide = self.types[column.type]
        value = statements.widened(name, real.columns[column.name].declared, wide)
        place = self.session.quote_table(real.name)
        return (f"ALTER TABLE {place} ALTER COLUMN {name} TYPE {wide} USING {value}",)

    def _take(self, step: Step, change: SchemaChange) -> int:
        """Before v25.1 it takes a setting to alter a type: for people to decide."""
        try:
            return super()._take(step, change)
        except TableError as error:
            if " ALTER COLUMN " in step[-1]:
                error.advice = (
                    f"run: {_ALTER_TYPE}; {step[-1]}; then `eds resume TABLE`"
                )
            raise

    def as_made(self, table: TableSchema) -> RealTable:
        return tables.with_plain_types(super().as_made(table))

    def statements(self, target: Target) -> Mapping[str, str]:
        quote, place = self.session.quote, self.session.quote_table
        table, tombstones = place(target.real.name), place(self.books.tombstone.name)
        return {
            "upsert": statements.upsert(target, table, tombstones, quote),
            "bury": statements.bury(tombstones),
            "delete": statements.delete(target, table, quote),
        }

    def write(self, target: Target, rows_: Sequence[Row]) -> int:
        arrays = {n for n, c in target.real.columns.items() if c.declared.endswith("]")}
        elements = (rows.element(row, arrays) for row in rows_)
        upsert, name = target.statements["upsert"], target.real.name
        return sum(self._run(upsert, part, name) for part in self._parts(elements))

    def remove(self, target: Target, keys: Sequence[VersionedKey]) -> int:
        bury, delete = target.statements["bury"], target.statements["delete"]
        count = 0
        for part in self._parts(map(rows.key_element, keys)):
            self._run(bury, target.real.name, part)
            count += self._run(delete, part)
        return count

    def _parts(self, elements: Iterable[bytes]) -> Iterator[str]:
        with self.session.translated():
            yield from rows.documents(elements)

    def _run(self, statement: str, *parameters: str) -> int:
        with self.session.cursor() as cursor:
            cursor.execute(statement, parameters)
            return int(cursor.rowcount)
