"""The SQL Server driver: rows go in as one JSON parameter, through OPENJSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, ClassVar, cast

from sqlalchemy import (
    NVARCHAR,
    URL,
    Engine,
    LargeBinary,
    NullPool,
    Numeric,
    Text,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.dialects.mssql import VARBINARY

from eds_core.driver import Capabilities, Loaded
from eds_core.errors import (
    DestinationError,
    FatalError,
    RejectedError,
    TableError,
    TransientError,
)
from eds_core.event import Row, Version, VersionedKey
from eds_core.findings import Check
from eds_core.schema import Column, ColumnType, TableSchema
from eds_core.sql import SqlDriver, Step
from eds_core.sql.books import Books
from eds_core.sql.errors import Fault
from eds_core.sql.tables import RealTable, Target

from . import address, columns, connecting, diagnosis, statements, tables
from .faults import Faults
from .payload import Payload
from .widening import widened

_DIALECT = "mssql+pyodbc://"
_OPENJSON = 130  # the compatibility level that brings it
_ALIVE = 1  # of XACT_STATE: a transaction that can be committed
_TRIES = 3
#: What ODBC says of a server that says nothing.
_NO_ANSWER = re.compile(r"\((HYT00|08\w\w\w)\)$")
#: Of EDS' own names: two of them fit into the key of an index.
_NAME_LENGTH = 200


class SqlServerDriver(SqlDriver):
    """One database of a SQL Server, in one schema."""

    title = "SQL Server"
    example_url = address.EXAMPLE
    capabilities: ClassVar[Capabilities] = Capabilities(max_rows=1_000)
    # A transaction has begun once something was read: so savepoints can follow.
    begin = "SELECT TOP (1) 1 AS begun FROM sys.schemas"
    port = address.PORT
    clock = "SELECT SYSUTCDATETIME()"
    folds_case = True
    version_type = statements.VERSION_TYPE
    types: ClassVar[Mapping[ColumnType, str]] = columns.TYPES
    #: Of a key of one column; ``spelled`` knows the others.
    key_types: ClassVar[Mapping[ColumnType, str]] = {
        kind: columns.key_type(kind) for kind in columns.TYPES
    }

    def __init__(self, url: str) -> None:
        self._address = address.read(url)
        self._faults = Faults()
        self._large: connecting.Size = (0, 0, 0)
        super().__init__(url)

    def parse(self, url: str) -> URL:
        address.read(url)
        return make_url(_DIALECT)  # the connection is made by us

    def make_engine(self) -> Engine:
        engine = create_engine(
            _DIALECT,
            creator=lambda: connecting.connect(self._address),
            poolclass=NullPool,
            hide_parameters=True,
            pool_reset_on_return=None,
            fast_executemany=False,  # FreeTDS crashes the process
            use_insertmanyvalues=False,
        )
        if connecting.is_freetds(connecting.chosen(self._address)):
            event.listen(engine, "do_setinputsizes", connecting.keep_whole)
        return engine

    def open(self) -> None:
        try:
            super().open()
        except TransientError as error:
            if not _NO_ANSWER.search(str(error)):
                raise
            why = connecting.why_not(self._address)
            raise TransientError(f"{error}{why}", advice=error.advice) from error

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Let what fails inside undo no more than itself, or say that it cannot."""
        self.session.run("SET XACT_ABORT OFF")
        try:
            with super().savepoint():
                yield
        except (RejectedError, TableError) as error:
            self._check_transaction(error)
            raise
        finally:
            with suppress(DestinationError):  # the reason is on its way already
                self.session.run("SET XACT_ABORT ON")

    def _check_transaction(self, error: DestinationError) -> None:
        """Some errors end the whole transaction: nothing may be written after one."""
        with self.session.cursor() as cursor:
            state = cursor.execute("SELECT CONVERT(int, XACT_STATE())").fetchone()[0]
        if state != _ALIVE:
            raise TableError(
                f"the server ended the whole transaction: {error}",
                advice=error.advice,
            ) from error

    def prepare_session(self) -> str:
        connection = self.session.connection.connection.driver_connection
        connecting.read_exactly(connection)
        self._large = connecting.large_text(connection)
        with self.session.cursor() as cursor:
            cursor.execute("; ".join(connecting.SETTINGS))
            cursor.execute(
                "SELECT CONVERT(int, compatibility_level), DB_NAME(), "
                "SCHEMA_ID(CONVERT(nvarchar(128), ?)), SCHEMA_NAME() "
                "FROM sys.databases WHERE database_id = DB_ID()",
                self._address.schema,
            )
            level, database, found, schema = cursor.fetchone()
        self._check_database(level, database, found is not None)
        return self._address.schema or schema or "dbo"

    def _check_database(self, level: int, database: str, schema_exists: bool) -> None:
        if level < _OPENJSON:
            place = self.session.quote(database)
            raise FatalError(
                f"database {database} has compatibility level {level}, "
                f"EDS needs {_OPENJSON} (SQL Server 2016) for OPENJSON",
                advice="as its owner run: "
                f"ALTER DATABASE {place} SET COMPATIBILITY_LEVEL = {_OPENJSON}",
            )
        if (schema := self._address.schema) and not schema_exists:
            raise FatalError(
                f"database {database} has no schema {schema}",
                advice=f"run: CREATE SCHEMA {self.session.quote(schema)}",
            )

    def checks(self) -> Mapping[str, Check]:
        return diagnosis.checks(self.session, self._address, self.makes_tables)

    def renaming(self, table: str, old: str, new: str) -> str:
        place = f"{self.session.quote_table(table)}.{self.session.quote(old)}"
        words = (text.replace("'", "''") for text in (place, new))
        return "EXEC sp_rename N'{}', N'{}', 'COLUMN'".format(*words)

    def make_books(self) -> Books:
        """Return tables with text for any character, and keys equal byte by byte."""
        books = Books(
            name=NVARCHAR(_NAME_LENGTH, columns.BINARY),
            key=NVARCHAR(statements.KEY_LENGTH, columns.BINARY),
            version=Numeric(30, 10),
        )
        for column in (column for table in books.all for column in table.columns):
            if isinstance(column.type, Text):
                column.type = NVARCHAR(None, columns.BINARY)
            elif isinstance(column.type, LargeBinary):
                column.type = VARBINARY("max")  # type: ignore[no-untyped-call]  # SQLAlchemy gives it no types
        key = books.tombstone.primary_key.dialect_options["mssql"]
        key["clustered"] = False  # it may then be longer
        return books

    def read_fault(self, error: BaseException) -> Fault:
        return self._faults.read(error)

    def version_value(self, version: Version) -> str:
        return str(version)

    def type_of(self, declared: str) -> ColumnType | None:
        return columns.type_of(declared)

    def spelled(self, column: Column, table: TableSchema) -> str:
        if column.name in table.key:
            return columns.key_type(column.type, len(table.key))
        return self.types[column.type]

    def _add(self, table: str, column: str, declared: str) -> str:
        return f"{super()._add(table, column, declared)} NULL"

    def look(self, table: str) -> RealTable | None:
        with self.session.reading(), self.session.cursor() as cursor:
            return tables.look(cursor, self.session.quote_table(table))

    def as_made(self, table: TableSchema) -> RealTable:
        return columns.taken_apart(super().as_made(table))

    def widening(self, real: RealTable, column: Column) -> Step:
        if column.name in real.primary:
            return super().widening(real, column)
        place = self.session.quote_table(real.name)
        old, type_ = real.columns[column.name], self.types[column.type]
        return widened(place, old, column, type_, self.session.quote)

    def statements(self, target: Target) -> Mapping[str, str]:
        quote, place = self.session.quote, self.session.quote_table
        names = place(target.real.name), place(self.books.tombstone.name)
        return {
            "upsert": statements.upsert(target, *names, quote),
            "delete": statements.delete(target, *names, quote),
        }

    def write(self, target: Target, rows: Sequence[Row]) -> int:
        return self.load(target, rows).changed

    def load(self, target: Target, rows: Sequence[Row]) -> Loaded:
        counts = self._until_known(target, "upsert", lambda made: made.rows(rows))
        return Loaded(*counts)

    def remove(self, target: Target, keys: Sequence[VersionedKey]) -> int:
        _, removed = self._until_known(target, "delete", lambda made: made.keys(keys))
        return removed

    def _until_known(
        self, target: Target, name: str, parts: Callable[[Payload], Iterable[str]]
    ) -> tuple[int, int]:
        """Run a batch; when the table was altered meanwhile, look at it again."""
        for _ in range(_TRIES):
            inserted = changed = 0
            for part in parts(Payload(target)):
                counts = self._run(target, name, part)
                if counts[0] == statements.ALTERED:
                    break
                inserted, changed = inserted + counts[0], changed + counts[1]
            else:
                return inserted, changed
            self._forget(target.table.name)
            target = self._target(target.table)
        raise TransientError(f"table {target.real.name} is altered again and again")

    def _run(self, target: Target, name: str, json: str) -> tuple[int, int]:
        real = cast(tables.SqlServerTable, target.real)
        place = self.session.quote_table(real.name)
        parameters = place, real.altered, json, real.name
        with self.session.cursor(real.name) as cursor:
            cursor.setinputsizes([None, None, self._large, None])
            cursor.execute(target.statements[name], parameters)
            return last_numbers(cursor)


def last_numbers(cursor: Any) -> tuple[int, int]:
    """The batch's own result: the last one, for a user's trigger may have some."""
    numbers = 0, 0
    while True:
        if cursor.description is not None:
            first, *_, last = cursor.fetchone()
            numbers = int(first), int(last)
        if not cursor.nextset():
            return numbers
