"""A destination under test, and short ways to write to it and look at it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol
from unittest.mock import ANY
from uuid import uuid4

from eds_core.destination import Destination
from eds_core.driver import Driver
from eds_core.errors import TableError
from eds_core.event import Row, Version, VersionedKey
from eds_core.schema import Column, ColumnType, SchemaChange, TableSchema
from eds_core.sql import SqlDriver

from .reading import canonical

#: What every table and company of the kit begins with.
MARK = "eds_test_"


def unique(what: str = "") -> str:
    """A name that nothing else has: not of this run, nor left by an earlier one."""
    return f"{MARK}{what}{uuid4().hex[:16]}"


def table_of(
    name: str, /, *, key: Sequence[str] = ("id",), **types: ColumnType
) -> TableSchema:
    """Return a table of these columns; key columns that have no type are text."""
    columns = {**dict.fromkeys(key, ColumnType.TEXT), **types}
    model = ",".join(f"{n} {t}" for n, t in columns.items())
    return TableSchema(
        name, model, tuple(Column(n, t) for n, t in columns.items()), tuple(key)
    )


def as_version(version: int | Version) -> Version:
    return version if isinstance(version, Version) else Version(version)


def row_of(table: TableSchema, version: int | Version, /, **values: Any) -> Row:
    """A row as it would come from the stream."""
    key = tuple(str(values[name]) for name in table.key)
    after = json.dumps(values, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return Row(key, as_version(version), after)


def raw_row(version: int | Version, key: str, after: str | bytes) -> Row:
    data = after.encode() if isinstance(after, str) else after
    return Row((key,), as_version(version), data)


class Traces:
    """What the kit leaves in a database that is not its own, to be removed."""

    def __init__(self) -> None:
        self.tables: dict[str, TableSchema] = {}
        self.companies: set[str] = set()
        self.by_type: dict[ColumnType, TableSchema] = {}  # for the matrix of values
        self.books_made = False  # EDS's own tables

    def company(self) -> str:
        name = unique()
        self.companies.add(name)
        return name


class Access(Protocol):
    """How the kit reaches the database under test."""

    def fetch(self, driver: Driver, table: TableSchema) -> list[Mapping[str, Any]]: ...

    def opened(self, url: str, traces: Traces) -> AbstractContextManager[Shop]: ...


class Shop(Destination):
    """One connection to the database under test."""

    def __init__(
        self, access: Access, driver: Driver, url: str, traces: Traces
    ) -> None:
        super().__init__(driver)
        self._access = access
        self.url = url
        self.traces = traces

    def migrate(self, change: SchemaChange) -> int:
        name = change.table.name
        known = self.traces.tables.get(name)
        self.traces.tables[name] = change.table
        try:
            return super().migrate(change)
        except TableError:
            if known is None:  # refused, so there is nothing to remove
                del self.traces.tables[name]
            raise

    def upsert(self, table: TableSchema, rows: Sequence[Row]) -> int:
        return self._counted(super().upsert(table, rows))

    def delete(self, table: TableSchema, keys: Sequence[VersionedKey]) -> int:
        return self._counted(super().delete(table, keys))

    def _counted(self, changed: int) -> int:
        """What only appends cannot know what has changed: any count is right."""
        return changed if self.capabilities.guards else ANY

    def table(
        self, name: str = "", /, *, key: Sequence[str] = ("id",), **types: ColumnType
    ) -> TableSchema:
        """Make a table that nobody else has."""
        table = table_of(name or unique(), key=key, **types)
        self.prepare(table)
        return table

    def put(self, table: TableSchema, version: int | Version, /, **values: Any) -> int:
        return self.upsert(table, [row_of(table, version, **values)])

    def remove(self, table: TableSchema, version: int | Version, *key: str) -> int:
        return self.delete(table, [VersionedKey(key, as_version(version))])

    def rows(self, table: TableSchema, *columns: str) -> list[tuple[Any, ...]]:
        """Every row's values in *columns* (all of *table*'s), sorted by key."""
        types = table.types
        found = [
            {name: canonical(each[name], kind) for name, kind in types.items()}
            for each in self._access.fetch(self.driver, table)
        ]
        found.sort(key=lambda each: [str(each[name]) for name in table.key])
        return [tuple(each[name] for name in columns or types) for each in found]

    @contextmanager
    def another(self) -> Iterator[Shop]:
        """A second server on the same database."""
        with self._access.opened(self.url, self.traces) as second:
            yield second

    @property
    def sql(self) -> SqlDriver:
        """The driver, for what only a SQL database has."""
        if not isinstance(self.driver, SqlDriver):
            raise TypeError(f"{self.title} is no SQL driver")
        return self.driver

    def run(self, *statements: str) -> None:
        """Do what a user might do to the database, in its own words."""
        for statement in statements:
            with self.sql.session.altering():
                self.sql.session.run(statement)
