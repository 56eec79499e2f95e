"""What a SQL database supplies to its driver, or changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import (
    URL,
    ColumnElement,
    Engine,
    NullPool,
    create_engine,
    make_url,
)
from sqlalchemy.exc import SQLAlchemyError

from eds_core.catalogue import all_tables
from eds_core.driver import Driver, Loaded
from eds_core.errors import ConfigError, TableError
from eds_core.event import Key, Row, Version, VersionedKey
from eds_core.findings import Check
from eds_core.schema import Column, ColumnType, TableSchema
from eds_core.urls import redact

from . import files, portable, reading
from .books import Books
from .errors import ANSWERS, UNKNOWN, Answers, Fault, first_sentence
from .ledger import SqlLedger
from .placement import placement_of, without_placement
from .session import Session
from .steps import Step
from .tables import VERSION, RealColumn, RealTable, Target

#: Writes rows and says how many changed.
Write = Callable[[Target, Sequence[Row]], int]


class SqlDialect(Driver):
    """One kind of SQL database: its types, its words, its codes for errors.

    ``write`` and ``remove`` work on any database as they are; for speed, supply
    ``statements`` and use them.
    """

    #: SQLAlchemy's dialect and DBAPI, as in "postgresql+pg8000"; "": the URL's scheme.
    drivername: ClassVar[str] = ""
    #: What the DBAPI's ``connect`` is given besides what the URL says.
    connect_args: ClassVar[Mapping[str, object]] = {}
    #: What each type is called in CREATE TABLE, and in a key where that differs.
    types: ClassVar[Mapping[ColumnType, str]]
    key_types: ClassVar[Mapping[ColumnType, str]] = {}
    version_type: ClassVar[str] = "VARCHAR(40)"
    #: The URL names a file of this machine, and no server.
    one_file: ClassVar[bool] = False
    #: What follows the columns in CREATE TABLE.
    table_options: ClassVar[str] = ""
    #: What errors mean, by SQLSTATE.
    answers: ClassVar[Answers] = ANSWERS
    #: A statement that begins a transaction, where the DBAPI does not do it right.
    begin: ClassVar[str] = ""
    #: A statement that has deferred constraints checked at once, where there are any.
    check_at_once: ClassVar[str] = ""
    #: What changes a table is executed outside of any transaction.
    alters_alone: ClassVar[bool] = False
    #: Names that differ in case only are one name.
    folds_case: ClassVar[bool] = False
    #: A parameter in a SELECT's list has to be cast to the type that it is for.
    typed_parameters: ClassVar[bool] = False
    #: The port of a URL that names none; 0: no network.
    port: ClassVar[int] = 0
    #: A query for the database's clock, in UTC; empty: it is this machine's.
    clock: ClassVar[str] = ""
    #: SELECT ... FOR SHARE locks rows that others may read and lock as well.
    shared_locks: ClassVar[bool] = False
    #: Tables are in schemas, of which a database may have several.
    has_schemas: ClassVar[bool] = True

    def __init__(self, url: str) -> None:
        self.url = url
        self.placement = placement_of(url)
        if self.placement.schema and not self.has_schemas:
            raise ConfigError(
                f"{redact(url)}: {self.title} has no schemas",
                advice="name another database, or use table_prefix=shop_",
            )
        dialect = self.parse(url).get_dialect()()
        self.session = Session(
            dialect,
            self.read_fault,
            self.answers,
            self.begin,
            self.check_at_once,
            renew=self.open,
            alters_alone=self.alters_alone,
        )
        self.books = self.make_books()
        self.books.put_before(self.placement.prefix)
        self.ledger: SqlLedger = self.make_ledger()
        self._targets: dict[tuple[str, str], Target] = {}
        self._stamp: object = None

    def parse(self, url: str) -> URL:
        """Return *url* as SQLAlchemy understands it. Raises ConfigError."""
        try:
            parsed = make_url(without_placement(url))
        except (SQLAlchemyError, ValueError):
            raise ConfigError(
                f"{redact(url)} is not a URL of a database",
                advice=f"it should look like {self.example_url}",
            ) from None  # the cause holds the password
        if self.one_file:
            files.check_url(parsed, url, self.example_url)
        return parsed.set(drivername=self.drivername or parsed.drivername)

    @property
    def path(self) -> Path:
        """The file, of a driver for ``one_file``."""
        return Path(self.parse(self.url).database or "")

    def endpoint(self) -> tuple[str, int] | None:
        try:
            url = make_url(without_placement(self.url))
        except (SQLAlchemyError, ValueError):  # several hosts, or only a socket
            return None
        port = url.port or self.port
        return (url.host, port) if url.host and port else None

    def checks(self) -> Mapping[str, Check]:
        """What `eds doctor` should look at on this database, by a word for each."""
        return {}

    def makes_tables(self) -> bool:
        """Whether a table is to be made: one of the shop's, or of EDS's own."""
        return self.alters or bool(self.ledger.missing())

    def renaming(self, table: str, old: str, new: str) -> str:
        """Return the statement that gives a column another name, to be pasted."""
        quote, place = self.session.quote, self.session.quote_table(table)
        return f"ALTER TABLE {place} RENAME COLUMN {quote(old)} TO {quote(new)}"

    def make_engine(self) -> Engine:
        """Return an engine that has not connected yet."""
        return create_engine(
            self.parse(self.url),
            connect_args=dict(self.connect_args),
            poolclass=NullPool,
            hide_parameters=True,
            pool_reset_on_return=None,
        )

    def prepare_session(self) -> str | None:
        """Set up the connection just made; return the schema to work in."""
        default = self.session.connection.dialect.default_schema_name
        return self.placement.schema or default

    def real_name(self, table: str) -> str:
        """What the table of that name is called here."""
        return f"{self.placement.prefix}{table}"

    def make_books(self) -> Books:
        """Return EDS's own tables, in this database's types."""
        return Books()

    def make_ledger(self) -> SqlLedger:
        """Return the ledger over this session and these tables."""
        return SqlLedger(
            self.session,
            self.books,
            shared_locks=self.shared_locks,
            actor=lambda: self.actor,
        )

    def read_fault(self, error: BaseException) -> Fault:
        """Reduce the DBAPI's exception to what may be shown."""
        code = getattr(error, "sqlstate", None) or UNKNOWN
        return Fault(code, first_sentence(str(error)))

    def type_of(self, declared: str) -> ColumnType | None:
        """Read a real column's type back; None for what EDS would not choose."""
        both = (*self.key_types.items(), *self.types.items())
        spelled = {spelling.upper(): kind for kind, spelling in both}
        return spelled.get(declared.upper())

    def version_value(self, version: Version) -> str:
        """Return what ``_eds_version`` holds: it must order as versions do."""
        return version.sortable

    def readable(
        self, column: ColumnElement[Any], real: RealColumn
    ) -> ColumnElement[Any]:
        """Return what reads *column* back where its DBAPI would lose digits."""
        del real
        return column

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

    def table_names(self) -> list[str]:
        """Return what all tables of this schema are called, whoever's they are."""
        with self.session.reading():
            return self.session.inspector().get_table_names(self.session.schema)

    def real_names(self) -> list[str]:
        """Return what all tables that EDS may have here are called."""
        own = [table.name for table in self.books.all]
        return own + [self.real_name(table) for table in all_tables()]

    def look(self, table: str) -> RealTable | None:
        """Find out what the table that is called so here is really like.

        In this schema and no other.
        """
        return portable.look(self.session, table, self.type_of)

    def spelled(self, column: Column, table: TableSchema) -> str:
        """Return the type that *column* of *table* is made with."""
        plain = self.types[column.type]
        return (
            self.key_types.get(column.type, plain)
            if column.name in table.key
            else plain
        )

    def as_made(self, table: TableSchema) -> RealTable:
        """Return *table* as ``migrate`` makes it and ``look`` then finds it."""
        columns = {
            column.name: RealColumn(
                column.name, self.spelled(column, table), column.type
            )
            for column in table.columns
        }
        columns[VERSION] = RealColumn(VERSION, self.version_type)
        key = frozenset(table.key)
        name = self.real_name(table.name)
        return RealTable(name, columns, key, frozenset({key}))

    def statements(self, target: Target) -> Mapping[str, str]:
        """Return the SQL that writes into *target*, by name. No connection needed."""
        del target
        return {}

    def write(self, target: Target, rows: Sequence[Row]) -> int:
        """Write *rows* as ``upsert`` has it; return how many changed."""
        return portable.write(self, target, rows)

    def load(self, target: Target, rows: Sequence[Row]) -> Loaded:
        """Write a part of a bulk load, distinct keys, as ``write`` does."""
        return self.loaded(target, rows, self.write)

    def loaded(self, target: Target, rows: Sequence[Row], write: Write) -> Loaded:
        """Have *rows* written by *write*, telling the inserts from the updates.

        The keys are looked up; a database that tells them apart by itself needs none
        of this in its ``load``.
        """
        there = partial(reading.there, self, target, [row.key for row in rows])
        return portable.counted(len(rows), there, partial(write, target, rows))

    def remove(self, target: Target, keys: Sequence[VersionedKey]) -> int:
        """Remove *keys* as ``delete`` has it; return how many there were."""
        return portable.remove(self, target, keys)

    def read_rows(self, target: Target, after: Key | None, most: int) -> list[Row]:
        """Return rows of *target* behind the key *after*, as ``read`` has it."""
        return reading.read(self, target, after, most)
