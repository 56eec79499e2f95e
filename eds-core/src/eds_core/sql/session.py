"""One connection to a SQL database: its transactions, and its errors made ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    Dialect,
    Engine,
    Executable,
    Inspector,
    Table,
    inspect,
)
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateTable

from eds_core.errors import (
    ConflictError,
    DestinationError,
    EdsError,
    RejectedError,
    TableError,
    TransientError,
)
from eds_core.waiting import again

from .errors import Answers, Fault, decide
from .faults import ReadFault, fault_of, in_full

R = TypeVar("R")


class Session:
    """The driver's one connection; what it raises is of ``eds_core.errors``.

    *begin* is a statement that opens a writing transaction, where the database's
    own way (or its DBAPI's) does not do; *check_at_once* one that has deferred
    constraints checked by each statement. With *alters_alone* no transaction is
    begun for what changes tables. *renew* opens the session again, as its driver does.
    """

    def __init__(
        self,
        dialect: Dialect,
        read_fault: ReadFault,
        answers: Answers,
        begin: str = "",
        check_at_once: str = "",
        *,
        renew: Callable[[], None],
        alters_alone: bool = False,
    ) -> None:
        self._dialect = dialect  # until there is a connection, which knows better
        self._read_fault = read_fault
        self._answers = answers
        self._begin = begin
        self._check_at_once = check_at_once
        self._renew = renew
        self._alters_alone = alters_alone
        self._checks_at_once = False
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self._failed: tuple[type[Exception], ...] = (SQLAlchemyError,)
        self._broken = False  # lost: whoever uses it is told
        self._doubtful = False  # not rolled back: the next use makes another one
        self._inside = False
        self._alone = False  # each statement is committed by itself
        #: For authors of drivers: errors carry the database's words, and the statement,
        #: in a note. Never where data are a user's: both may hold the row.
        self.explains = False
        #: Where tables are looked for and made; None: the database has but one.
        self.schema: str | None = None

    def open(self, engine: Engine) -> Fault | None:
        """Connect; return what went wrong."""
        self.close()
        self._engine = engine
        dbapi = engine.dialect.loaded_dbapi
        self._failed = (SQLAlchemyError, dbapi.Error, UnicodeError, OverflowError)
        try:
            self._connection = engine.connect()
            self._broken = False
        except self._failed as error:
            return self._fault(error)
        return None

    def settle(self, schema: str | None) -> None:
        """Keep what was set on the connection; work in *schema* from now on."""
        self.schema = schema
        with self.translated():
            self.connection.commit()
        if schema is not None:  # SQLAlchemy takes no None: there must be a schema
            self.connection.execution_options(schema_translate_map={None: schema})

    def close(self) -> None:
        self._doubtful = False
        connection, self._connection = self._connection, None
        engine, self._engine = self._engine, None
        with suppress(*self._failed):
            if connection is not None:
                connection.close()
        if engine is not None:
            engine.dispose()

    @property
    def connection(self) -> Connection:
        if self._doubtful:
            self._renew()
        if self._connection is None or self._broken:
            raise TransientError("the connection to the database is closed")
        return self._connection

    @property
    def dialect(self) -> Dialect:
        """How this database spells names and types; needs no connection."""
        return self._dialect if self._connection is None else self._connection.dialect

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What happens inside is committed at the end, or not at all."""
        if self._inside:
            raise RuntimeError("a transaction is open already")
        connection = self.connection
        with self.translated():
            connection.rollback()  # nothing, or what was read outside of one
            connection.begin()
        self._inside = True
        try:
            if self._begin:
                self.run(self._begin)
            if self._checks_at_once:
                self.run(self._check_at_once)
            yield
            self._commit(connection)
        except BaseException:
            self._roll_back(connection)
            raise
        finally:
            self._inside = False

    def _commit(self, connection: Connection) -> None:
        """Commit, and learn from a constraint that fails only here.

        It does not say whose row it was; from then on each statement checks it.
        """
        try:
            with self.translated():
                connection.commit()
        except (RejectedError, TableError) as error:
            if self._checks_at_once or not self._check_at_once:
                raise
            self._checks_at_once = True
            raise TransientError(
                f"{error} (a deferred constraint: it is checked at once from now on)"
            ) from error

    def _roll_back(self, connection: Connection) -> None:
        """Undo what was done. Where that fails, nobody knows what is still open."""
        try:
            connection.rollback()
        except self._failed as error:
            self._broken |= self._fault(error).is_lost
            self._doubtful = not self._broken

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Inside a transaction: what fails inside is undone, the rest stands."""
        with self.translated():
            nested = self.connection.begin_nested()
        try:
            yield
            with self.translated():
                nested.commit()
        except BaseException:
            with suppress(*self._failed):  # the reason is on its way already
                nested.rollback()
            raise

    def settled(self, work: Callable[[], R]) -> R:
        """Do *work*, whole transactions, again while others are in their way.

        Inside of a transaction once only: all of that one has to be done again.
        """
        return work() if self._inside else again(work, after=ConflictError)

    @contextmanager
    def joined(self) -> Iterator[None]:
        """The transaction that is open, or one of its own; none where none may be."""
        if self._inside or self._alone:
            yield
        else:
            with self.transaction():
                yield

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read in the transaction that is open, or in one that leaves no trace."""
        outside = not self._inside
        connection = self.connection
        try:
            with self.translated():
                yield connection
        finally:
            if outside:
                self._roll_back(connection)

    def execute(
        self,
        statement: Executable,
        parameters: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None,
    ) -> CursorResult[Any]:
        with self.translated():
            # Of an INSERT SQLAlchemy forgets the count on some DBAPIs, unless asked.
            options = {"preserve_rowcount": True}
            return self.connection.execute(
                statement, parameters, execution_options=options
            )

    def run(self, statement: str) -> None:
        """Execute a statement in the database's own words."""
        with self.cursor() as cursor:
            cursor.execute(statement)

    @contextmanager
    def cursor(self, table: str = "") -> Iterator[Any]:
        """The DBAPI's own cursor, in the transaction that is open."""
        with self.translated(table):
            if not self.connection.in_transaction():
                self.connection.begin()  # else nobody ends what the DBAPI begins
            cursor = self.connection.connection.cursor()
            try:
                yield cursor
            finally:
                cursor.close()

    @contextmanager
    def translated(self, table: str = "") -> Iterator[None]:
        """No database's own exception leaves this block."""
        try:
            yield
        except EdsError:
            raise
        except self._failed as error:
            raise self._decide(error, table) from None  # it holds the statement

    def _decide(self, error: BaseException, table: str) -> DestinationError:
        fault = self._fault(error)
        self._broken |= fault.is_lost
        told = f"{table}: {fault.text}" if table else fault.text
        named = replace(fault, text=told, table=table or fault.table)
        decision = decide(named, self._answers)
        if self.explains:
            decision.add_note(in_full(error))
        return decision

    def _fault(self, error: BaseException) -> Fault:
        return fault_of(error, self._read_fault)

    def inspector(self) -> Inspector:
        """A fresh look at the real tables; inside of ``reading``."""
        return inspect(self.connection)

    def quote(self, name: str) -> str:
        """An identifier in the database's own quotes, always."""
        return self.dialect.identifier_preparer.quote_identifier(name)

    def quote_table(self, name: str) -> str:
        """A table's name with its schema, so that no other one is meant."""
        quoted = self.quote(name)
        return quoted if self.schema is None else f"{self.quote(self.schema)}.{quoted}"

    def has_table(self, name: str) -> bool:
        with self.reading():
            return self.inspector().has_table(name, schema=self.schema)

    def has_schema(self, name: str) -> bool:
        with self.reading():
            return self.inspector().has_schema(name)

    def create(self, table: Table) -> str:
        """The statement that makes *table*; needs no connection."""
        placed: dict[str, Any] = {}
        if self.schema is not None:
            placed["schema_translate_map"] = {None: self.schema}
            placed["render_schema_translate"] = True
        made = CreateTable(table).compile(dialect=self.dialect, **placed)
        return str(made).strip()

    @contextmanager
    def altering(self) -> Iterator[None]:
        """Change tables: in a transaction, or each statement for itself."""
        if not self._alters_alone:
            with self.transaction():
                yield
            return
        if self._inside:
            raise RuntimeError("a transaction is open, which this would commit")
        connection = self.connection
        with self.translated():
            connection.rollback()
            usual = connection.default_isolation_level
            connection.execution_options(isolation_level="AUTOCOMMIT")
        self._alone = True
        try:
            yield
        finally:
            self._alone = False
            self._roll_back(connection)  # for SQLAlchemy: nothing is open
            with self.translated():
                connection.execution_options(isolation_level=usual)
