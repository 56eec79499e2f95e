"""The base of every driver for a SQL database.

A dialect supplies its types, how it spells them back, and its codes for errors;
for speed also ``write`` and ``remove``, which work on any database as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import ClassVar

from sqlalchemy import URL, Engine, NullPool, create_engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from eds_core.driver import Driver, hookimpl
from eds_core.errors import ConfigError, DestinationError, TableError, TransientError
from eds_core.event import Row, Version, VersionedKey
from eds_core.schema import Column, ColumnType, SchemaChange, TableSchema
from eds_core.urls import redact

from . import portable
from .books import Books
from .errors import (
    ANSWERS,
    UNKNOWN,
    Answers,
    Fault,
    decide,
    first_sentence,
    opening,
    while_opening,
)
from .ledger import SqlLedger
from .session import Session
from .tables import (
    VERSION,
    RealTable,
    Target,
    check_case,
    check_key,
    check_lengths,
    lacks,
    match,
    missing,
    narrow,
)

#: Statements that belong together: one transaction.
Step = tuple[str, ...]


class SqlDriver(Driver):
    """One SQL database. Rows are guarded by the column ``_eds_version``."""

    #: What each type is called in CREATE TABLE, and in a key where that differs.
    types: ClassVar[Mapping[ColumnType, str]]
    key_types: ClassVar[Mapping[ColumnType, str]] = {}
    version_type: ClassVar[str] = "VARCHAR(40)"
    #: What errors mean, by SQLSTATE.
    answers: ClassVar[Answers] = ANSWERS
    #: A statement that begins a transaction, where the DBAPI does not do it right.
    begin: ClassVar[str] = ""
    #: A statement that has deferred constraints checked at once, where there are any.
    check_at_once: ClassVar[str] = ""
    #: Names that differ in case only are one name.
    folds_case: ClassVar[bool] = False

    def __init__(self, url: str) -> None:
        self.url = url
        self.parse(url)
        self.session = Session(
            self.read_fault, self.answers, self.begin, self.check_at_once
        )
        self.books = self.make_books()
        self.ledger = SqlLedger(self.session, self.books)
        self._targets: dict[tuple[str, str], Target] = {}
        self._stamp: object = None

    # What a dialect supplies, or changes.

    def parse(self, url: str) -> URL:
        """Return *url* as SQLAlchemy understands it. Raises ConfigError."""
        try:
            return make_url(url)
        except (SQLAlchemyError, ValueError):
            raise ConfigError(
                f"{redact(url)} is not a URL of a database",
                advice=f"it should look like {self.example_url}",
            ) from None  # the cause holds the password

    def make_engine(self) -> Engine:
        """Return an engine that has not connected yet."""
        url = self.parse(self.url)
        return create_engine(
            url, poolclass=NullPool, hide_parameters=True, pool_reset_on_return=None
        )

    def prepare_session(self) -> str | None:
        """Set up the connection just made; return the schema to work in."""
        return self.session.connection.dialect.default_schema_name

    def make_books(self) -> Books:
        """Return EDS's own tables, in this database's types."""
        return Books()

    def read_fault(self, error: BaseException) -> Fault:
        """Reduce the DBAPI's exception to what may be shown."""
        code = getattr(error, "sqlstate", None) or UNKNOWN
        return Fault(code, first_sentence(str(error)))

    def type_of(self, declared: str) -> ColumnType | None:
        """Read a real column's type back; None for what EDS would not choose."""
        spelled = {spelling.upper(): kind for kind, spelling in self.types.items()}
        return spelled.get(declared.upper())

    def version_value(self, version: Version) -> str:
        """Return what ``_eds_version`` holds: it must order as versions do."""
        return version.sortable

    def stamp(self) -> object:
        """Return what changes when a table was altered by somebody, if cheap."""
        return None

    def widening(self, real: RealTable, column: Column) -> Step:
        """Statements that give a column a wider type and keep every value."""
        raise TableError(
            f"{real.name}.{column.name} has to become {column.type}, which EDS "
            "cannot do on this database",
            table=real.name,
            advice=f"alter the column to {self.types[column.type]}",
        )

    def look(self, table: str) -> RealTable | None:
        """Find out what *table* is really like, in this schema and no other."""
        return portable.look(self.session, table, self.type_of)

    def write(self, target: Target, rows: Sequence[Row]) -> int:
        """Write *rows* as ``upsert`` has it; return how many changed."""
        return portable.write(self, target, rows)

    def remove(self, target: Target, keys: Sequence[VersionedKey]) -> int:
        """Remove *keys* as ``delete`` has it; return how many there were."""
        return portable.remove(self, target, keys)

    # The contract.

    def open(self) -> None:
        self._targets.clear()
        fault = self.session.open(self.make_engine())
        if fault is not None:
            raise while_opening(fault, self.answers, redact(self.url))
        try:
            self.session.settle(self.prepare_session())
        except DestinationError as error:
            self.close()
            raise opening(error, redact(self.url)) from error

    def close(self) -> None:
        self.session.close()

    def transaction(self) -> AbstractContextManager[None]:
        return self.session.transaction()

    def savepoint(self) -> AbstractContextManager[None]:
        return self.session.savepoint()

    def columns(self, table: str) -> Mapping[str, ColumnType | None]:
        real = self.look(table)
        if real is None or real.name != table:
            return {}
        return {c.name: c.type for c in real.columns.values() if c.name != VERSION}

    def count(self, table: str) -> int:
        return 0 if self.look(table) is None else portable.count(self.session, table)

    def adopted(self, table: str) -> bool:
        real = self.look(table)
        return real is None or VERSION in real.columns

    @hookimpl
    def migrate(self, change: SchemaChange) -> int:
        table = change.table
        check_lengths(table, self.session.connection.dialect.max_identifier_length)
        self._forget(table.name)
        self.session.ensure(self.books.tombstone)
        ran, last = 0, None
        with self._about(table.name):
            while (step := self._next_step(change)) is not None:
                if step == last:
                    raise TableError(f"{step[-1]} was executed and made no difference")
                ran += self._take(step, change)
                last = step
        return ran

    def _next_step(self, change: SchemaChange) -> Step | None:
        """What *change* still needs, by what is really there."""
        table, quote = change.table, self.session.quote
        real = self.look(table.name)
        if self.folds_case:
            check_case(table, real)
        if real is None:
            return (self._create(table),)
        check_key(table, real, quote)
        if VERSION not in real.columns:
            return (self._add(table.name, VERSION, self.version_type),)
        for column in missing(change, real):
            return (self._add(table.name, column.name, self.types[column.type]),)
        for column in narrow(change, real):
            return self.widening(real, column)
        return None

    def _take(self, step: Step, change: SchemaChange) -> int:
        try:
            with self.session.transaction():
                for statement in step:
                    self.session.run(statement)
        except TransientError:
            raise
        except DestinationError:
            # No error when another server was faster: reality decides.
            if self._next_step(change) == step:
                raise
            return 0
        return len(step)

    def _create(self, table: TableSchema) -> str:
        quote = self.session.quote
        columns = [f"{quote(c.name)} {self._declared(c, table)}" for c in table.columns]
        columns.append(f"{quote(VERSION)} {self.version_type}")
        key = ", ".join(map(quote, table.key))
        return (
            f"CREATE TABLE {self.session.quote_table(table.name)} "
            f"({', '.join(columns)}, PRIMARY KEY ({key}))"
        )

    def _declared(self, column: Column, table: TableSchema) -> str:
        if column.name not in table.key:
            return self.types[column.type]
        return f"{self.key_types.get(column.type, self.types[column.type])} NOT NULL"

    def _add(self, table: str, column: str, declared: str) -> str:
        place = self.session.quote_table(table)
        return f"ALTER TABLE {place} ADD {self.session.quote(column)} {declared}"

    @hookimpl
    def upsert(self, table: TableSchema, rows: Sequence[Row]) -> int:
        if not rows:
            return 0
        with self.session.joined(), self._about(table.name):
            return self.write(self._target(table), rows)

    @hookimpl
    def delete(self, table: TableSchema, keys: Sequence[VersionedKey]) -> int:
        if not keys:
            return 0
        with self.session.joined(), self._about(table.name):
            return self.remove(self._target(table), keys)

    @hookimpl
    def bulk_load(self, table: TableSchema, rows: Iterable[Row]) -> int:
        chunks = portable.chunks(rows, self.capabilities.max_rows)
        return sum(self.upsert(table, chunk) for chunk in chunks)

    def _target(self, table: TableSchema) -> Target:
        """Match *table* with the real one. Raises TableError when they cannot be."""
        if (stamp := self.stamp()) != self._stamp:
            self._targets.clear()
            self._stamp = stamp
        place = table.name, table.model_version
        known = self._targets.get(place)
        if known is None or known.table is not table:
            known = self._targets[place] = self._matched(table)
        return known

    def _matched(self, table: TableSchema) -> Target:
        real = self.look(table.name)
        if real is None or real.name != table.name:
            raise decide(Fault("42P01", f"there is no table {table.name}"), ANSWERS)
        check_key(table, real, self.session.quote)
        if lacking := lacks(table, real):
            text = f"table {table.name} has no column {', '.join(lacking)}"
            raise decide(Fault("42703", text), ANSWERS)
        return match(table, real)

    def _forget(self, table: str) -> None:
        self._targets = {p: t for p, t in self._targets.items() if p[0] != table}

    @contextmanager
    def _about(self, table: str) -> Iterator[None]:
        """After an error, look at the real table again; say which one it was."""
        try:
            yield
        except DestinationError as error:
            self._forget(table)
            if isinstance(error, TableError):
                error.table = table
                error.advice = error.advice or f"see to the table {table}"
            raise
