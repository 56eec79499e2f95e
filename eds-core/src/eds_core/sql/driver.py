"""The base of every driver for a SQL database: the contract, over its dialect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import TypeVar

from eds_core.driver import Loaded, hookimpl
from eds_core.errors import DestinationError, TableError, TransientError
from eds_core.event import Key, Row, Version, VersionedKey
from eds_core.failpoints import reached
from eds_core.findings import Finding
from eds_core.schema import Column, ColumnType, SchemaChange, TableSchema
from eds_core.urls import redact

from . import diagnosis, files, portable, reading
from .dialect import SqlDialect, Step
from .errors import ANSWERS, Fault, decide, opening, while_opening
from .tables import (
    VERSION,
    Target,
    check_case,
    check_key,
    check_lengths,
    lacks,
    match,
    missing,
    narrow,
)

T = TypeVar("T", Row, VersionedKey)
R = TypeVar("R")


class SqlDriver(SqlDialect):
    """One SQL database. Rows are guarded by the column ``_eds_version``."""

    def open(self) -> None:
        self._targets.clear()
        if self.one_file:
            url, read_only = self.parse(self.url), self.read_only
            files.check_place(url, self.url, read_only=read_only)
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

    def key(self, table: str) -> tuple[str, ...]:
        real = self.look(table)
        if real is None or real.name != table:
            return ()
        return tuple(name for name in real.columns if name in real.primary)

    def read(self, table: TableSchema, after: Key | None, most: int) -> list[Row]:
        real = self.look(table.name)
        if real is None or real.name != table.name or VERSION not in real.columns:
            return []
        return self.read_rows(match(table, real), after, most)

    def unversioned(
        self, table: TableSchema, keys: Sequence[Key] | None = None
    ) -> list[Row]:
        real = self.look(table.name)
        if real is None or real.name != table.name or VERSION not in real.columns:
            return []
        return reading.unversioned(self, match(table, real), keys)

    def deleted(self, table: TableSchema, keys: Sequence[Key]) -> Mapping[Key, Version]:
        return reading.deleted(self, table.name, keys)

    def adopted(self, table: str) -> bool:
        real = self.look(table)
        return real is None or VERSION in real.columns

    @hookimpl
    def diagnose(self, models: Mapping[str, TableSchema]) -> Iterable[Finding]:
        return diagnosis.diagnose(self, models)

    @hookimpl
    def migrate(self, change: SchemaChange) -> int:
        table = change.table
        check_lengths(table, self.session.dialect.max_identifier_length)
        self._forget(table.name)
        self.session.ensure(self.books.tombstone)
        ran, last = 0, None
        with self._about(table.name):
            while (step := self._next_step(change)) is not None:
                if step == last:
                    raise TableError(
                        f"{step[-1]} was executed and made no difference",
                        advice="the driver finds the table otherwise than it was "
                        "made: in its columns, their types, or not at all; report it "
                        "to its author",
                    )
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
        check_key(table, real, quote, self.session.dialect.max_identifier_length)
        if VERSION not in real.columns:
            return (self._add(table.name, VERSION, self.version_type),)
        for column in missing(change, real):
            return (self._add(table.name, column.name, self.types[column.type]),)
        for column in narrow(change, real):
            return self.widening(real, column)
        return None

    def _take(self, step: Step, change: SchemaChange) -> int:
        try:
            self.session.settled(lambda: self._execute(step))
        except TransientError:
            raise
        except DestinationError:
            # No error when another server was faster: reality decides.
            if self._next_step(change) == step:
                raise
            return 0
        return len(step)

    def _execute(self, step: Step) -> None:
        with self.session.altering():
            for statement in step:
                self.session.run(statement)
                reached("migrate.step")

    def _create(self, table: TableSchema) -> str:
        quote = self.session.quote
        columns = [f"{quote(c.name)} {self._declared(c, table)}" for c in table.columns]
        columns.append(f"{quote(VERSION)} {self.version_type}")
        key = ", ".join(map(quote, table.key))
        made = (
            f"CREATE TABLE {self.session.quote_table(table.name)} "
            f"({', '.join(columns)}, PRIMARY KEY ({key}))"
        )
        return f"{made} {self.table_options}".rstrip()

    def _declared(self, column: Column, table: TableSchema) -> str:
        declared = self.spelled(column, table)
        return f"{declared} NOT NULL" if column.name in table.key else declared

    def _add(self, table: str, column: str, declared: str) -> str:
        place = self.session.quote_table(table)
        return f"ALTER TABLE {place} ADD {self.session.quote(column)} {declared}"

    @hookimpl
    def upsert(self, table: TableSchema, rows: Sequence[Row]) -> int:
        if not rows:
            return 0
        return self._settled(self.write, table, rows)

    @hookimpl
    def delete(self, table: TableSchema, keys: Sequence[VersionedKey]) -> int:
        if not keys:
            return 0
        return self._settled(self.remove, table, keys)

    @hookimpl
    def bulk_load(self, table: TableSchema, rows: Iterable[Row]) -> Loaded:
        chunks = portable.chunks(rows, self.capabilities.bulk_rows)
        every = (self._settled(self.load, table, chunk) for chunk in chunks)
        return sum(every, Loaded())

    def _settled(
        self,
        verb: Callable[[Target, Sequence[T]], R],
        table: TableSchema,
        items: Sequence[T],
    ) -> R:
        """Do it in the transaction that is open, or in one of its own."""

        def once() -> R:
            with self.session.joined(), self._about(table.name):
                return verb(self._target(table), items)

        return self.session.settled(once)

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
        check_key(
            table, real, self.session.quote, self.session.dialect.max_identifier_length
        )
        if lacking := lacks(table, real):
            text = f"table {table.name} has no column {', '.join(lacking)}"
            raise decide(Fault("42703", text), ANSWERS)
        return self._with_statements(match(table, real))

    def _with_statements(self, target: Target) -> Target:
        return replace(target, statements=self.statements(target))

    def script(self, table: TableSchema) -> Mapping[str, str]:
        """Return the SQL for *table* by name: how it is made, extended and written.

        For people to read; needs no connection.
        """
        target = match(table, self.as_made(table))
        added = [
            self._add(table.name, c.name, self.types[c.type]) for c in table.values
        ]
        return {
            "create": self._create(table),
            **({"add": added[-1]} if added else {}),
            **self.statements(target),
        }

    def script_books(self) -> Mapping[str, str]:
        """Return the SQL that makes EDS's own tables, by name; as ``script`` does."""
        return {table.name: self.session.create(table) for table in self.books.all}

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
