"""The base of every driver for a SQL database.

A dialect supplies its types, how it spells them back, and its codes for errors;
for speed also ``write`` and ``remove``, which work on any database as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar

from sqlalchemy import URL, Engine, NullPool, create_engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from . import sql_portable
from .driver import Driver, hookimpl
from .errors import ConfigError, DestinationError, TableError
from .event import Key, Row, Version, VersionedKey
from .schema import Column, ColumnType, SchemaChange, TableSchema
from .sql_books import Books
from .sql_errors import (
    ANSWERS,
    UNKNOWN,
    Answers,
    Fault,
    first_sentence,
    while_opening,
)
from .sql_ledger import SqlLedger
from .sql_session import Session
from .sql_tables import (
    VERSION,
    RealColumn,
    RealTable,
    Target,
    check_case,
    check_key,
    check_lengths,
    match,
    missing,
    narrow,
)
from .urls import redact

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
    #: Names that differ in case only are one name.
    folds_case: ClassVar[bool] = False

    def __init__(self, url: str) -> None:
        self.url = url
        self.parse(url)
        self.session = Session(self.read_fault, self.answers, self.begin)
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
        return create_engine(url, poolclass=NullPool, hide_parameters=True)

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
        """Find out what *table* really is like, in this schema and no other."""
        with self.session.reading() as connection:
            inspector = self.session.inspector()
            return reflect(
                inspector, table, self.session.schema, self._spelled_by(connection)
            )

    def write(self, target: Target, rows: Sequence[Row]) -> int:
        """Upsert *rows* under the rules of ``upsert``."""
        return sql_portable.write(self, target, rows)

    def remove(self, target: Target, keys: Sequence[VersionedKey]) -> int:
        """Delete *keys* and remember it, under the rules of ``delete``."""
        return sql_portable.remove(self, target, keys)
