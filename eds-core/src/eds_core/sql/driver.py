"""The base of every driver for a SQL database: the contract, over its dialect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import TypeVar

from eds_core.driver import Loaded, hookimpl
from eds_core.errors import ConfigError, DestinationError, TableError
from eds_core.event import Key, Row, Version, VersionedKey
from eds_core.findings import Finding
from eds_core.schema import Column, ColumnType, SchemaChange, TableSchema
from eds_core.urls import redact

from . import diagnosis, files, portable, reading
from .dialect import SqlDialect
from .errors import ANSWERS, Fault, decide, opening, while_opening
from .steps import Step
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
            schema = self.prepare_session()
            self.session.settle(schema)
            self._check_schema(schema)
        except ConfigError:
            self.close()
            raise
        except DestinationError as error:
            self.close()
            raise opening(error, redact(self.url)) from error

    def _check_schema(self, schema: str | None) -> None:
        """Raise ConfigError when the URL names a schema that is not there."""
        if schema is None or self.placement.schema is None:
            return
        if not self.session.has_schema(schema):
            raise ConfigError(
                f"{redact(self.url)}: there is no schema {schema}",
                advice="as somebody who may, run: CREATE SCHEMA "
                f"{self.session.quote(schema)}; or name another one",
            )

    def close(self) -> None:
        self.session.close()

    def transaction(self) -> AbstractContextManager[None]:
        return self.session.transaction()

    def savepoint(self) -> AbstractContextManager[None]:
        return self.session.savepoint()

    def columns(self, table: str) -> Mapping[str, ColumnType | None]:
        if (real := self._real(table)) is None:
            return {}
        return {c.name: c.type for c in real.columns.values() if c.name != VERSION}

    def count(self, table: str) -> int:
        name = self.real_name(table)
        return 0 if self.look(name) is None else portable.count(self.session, name)

    def key(self, table: str) -> tuple[str, ...]:
        if (real := self._real(table)) is None:
            return ()
        return tuple(name for name in real.columns if name in real.primary)

    def read(self, table: TableSchema, after: Key | None, most: int) -> list[Row]:
        real = self._real(table.name)
        if real is None or VERSION not in real.columns:
            return []
        return self.read_rows(match(table, real), after, most)

    def unversioned(
        self, table: TableSchema, keys: Sequence[Key] | None = None
    ) -> list[Row]:
        real = self._real(table.name)
        if real is None or VERSION not in real.columns:
            return []
        return reading.unversioned(self, match(table, real), keys)

    def deleted(self, table: TableSchema, keys: Sequence[Key]) -> Mapping[Key, Version]:
        return reading.deleted(self, self.real_name(table.name), keys)

    def _real(self, table: str) -> RealTable | None:
        """What *table* is like; one whose name differs in case is another one."""
        name = self.real_name(table)
        real = self.look(name)
        return real if real is not None and real.name == name else None

    def adopted(self, table: str) -> bool:
        real = self.look(self.real_name(table))
        return real is None or VERSION in real.columns

    @hookimpl
    def diagnose(self, models: Mapping[str, TableSchema]) -> Iterable[Finding]:
        return diagnosis.diagnose(self, models)

    @hookimpl
    def migrate(self, change: SchemaChange) -> int:
        table = change.table
        self._check_lengths(table)
        self._forget(table.name)
        self.ledger.ensure(self.books.tombstone)
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

    def plan(self, change: SchemaChange) -> Sequence[str]:
        table = change.table
        self._check_lengths(table)
        with self._about(table.name):
            steps = self.steps(change, self.look(self.real_name(table.name)))
            return [statement for step in steps for statement in step]

    def _next_step(self, change: SchemaChange) -> Step | None:
        """What *change* still needs first, by what is really there."""
        real = self.look(self.real_name(change.table.name))
        return next(iter(self.steps(change, real)), None)

    def _take(self, step: Step, change: SchemaChange) -> int:
        return self.ledger.steps.take(
            change.table.name, step, lambda: self._next_step(change) == step
        )

    def _check_lengths(self, table: TableSchema) -> None:
        most = self.session.dialect.max_identifier_length
        check_lengths(self.real_name(table.name), table, most)

    def steps(self, change: SchemaChange, real: RealTable | None) -> Iterator[Step]:
        """All that *change* needs where the table is *real*."""
        table, quote = change.table, self.session.quote
        if self.folds_case:
            check_case(self.real_name(table.name), table, real)
        if real is None:
            yield (self._create(table),)
            return
        check_key(table, real, quote, self.session.dialect.max_identifier_length)
        if VERSION not in real.columns:
            yield (self._add(table.name, VERSION, self.version_type),)
        for column in missing(change, real):
            yield (self._add(table.name, column.name, self.types[column.type]),)
        for column in narrow(change, real):
            yield self.widening(real, column)

    def _create(self, table: TableSchema) -> str:
        quote = self.session.quote
        columns = [f"{quote(c.name)} {self._declared(c, table)}" for c in table.columns]
        columns.append(f"{quote(VERSION)} {self.version_type}")
        columns.append(f"PRIMARY KEY ({', '.join(map(quote, table.key))})")
        lines = ",\n    ".join(columns)
        name = self.session.quote_table(self.real_name(table.name))
        made = f"CREATE TABLE {name} (\n    {lines}\n)"
        return f"{made} {self.table_options}".rstrip()

    def _declared(self, column: Column, table: TableSchema) -> str:
        declared = self.spelled(column, table)
        return f"{declared} NOT NULL" if column.name in table.key else declared

    def _add(self, table: str, column: str, declared: str) -> str:
        place = self.session.quote_table(self.real_name(table))
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
        if (real := self._real(table.name)) is None:
            name = self.real_name(table.name)
            raise decide(Fault("42P01", f"there is no table {name}"), ANSWERS)
        check_key(
            table, real, self.session.quote, self.session.dialect.max_identifier_length
        )
        if lacking := lacks(table, real):
            text = f"table {real.name} has no column {', '.join(lacking)}"
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
                name = self.real_name(table)
                error.advice = error.advice or f"see to the table {name}"
            raise
