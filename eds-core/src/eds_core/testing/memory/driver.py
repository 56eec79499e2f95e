"""The driver contract with nothing but dicts underneath.

Read it beside ``eds_core.driver``: every rule of the contract is a line here. It is
for authors and for tests, so it has no entry point; nothing of it outlives the process.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from itertools import islice
from typing import Any, ClassVar

from eds_core.driver import Capabilities, Driver, Loaded, hookimpl
from eds_core.errors import ConfigError, RejectedError, TableError
from eds_core.event import Row, VersionedKey
from eds_core.schema import Column, ColumnType, SchemaChange, TableSchema, widened
from eds_core.urls import redact
from eds_core.values import Value

from .ledger import MemoryLedger
from .store import Session, State, Store, Stored, Table

_SCHEME = "memory://"


class MemoryDriver(Driver):
    """``memory://name``: all drivers of one name share what is in it."""

    title = "memory"
    example_url = "memory://name"
    capabilities: ClassVar[Capabilities] = Capabilities(max_rows=1_000)
    #: By name; they have to outlive a driver, as a real database does.
    stores: ClassVar[dict[str, Store]] = {}

    def __init__(self, url: str) -> None:
        name = url.removeprefix(_SCHEME)
        if not name.isidentifier():
            raise ConfigError(
                f"{redact(url)} names no store",
                advice=f"it should look like {self.example_url}",
            )
        self._session = Session(self.stores.setdefault(name, Store()))
        self.ledger = MemoryLedger(self._session)

    def open(self) -> None:
        self._session.is_open = True

    def close(self) -> None:
        self._session.is_open = False

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._session.transaction():
            yield

    def savepoint(self) -> AbstractContextManager[None]:
        return self._session.savepoint()

    def columns(self, table: str) -> Mapping[str, ColumnType | None]:
        found = self._session.state.tables.get(table)
        return dict(found.columns) if found else {}

    def count(self, table: str) -> int:
        found = self._session.state.tables.get(table)
        return len(found.rows) if found else 0

    def rows(self, table: str) -> list[dict[str, Value]]:
        """Every row's values; a column that a row never had is None."""
        found = self._session.state.tables[table]
        return [
            {name: row.values.get(name) for name in found.columns}
            for row in found.rows.values()
        ]

    def drop(self, table: str) -> None:
        """Remove *table* with what it remembers. The kit does; EDS never does."""
        with self._session.transaction() as state:
            state.tables.pop(table, None)
            dead = [place for place in state.tombstones if place[0] == table]
            for place in dead:
                del state.tombstones[place]

    @hookimpl
    def migrate(self, change: SchemaChange) -> int:
        wanted = change.table
        with self._session.transaction() as state:
            real = state.tables.get(wanted.name)
            if real is None:
                state.tables[wanted.name] = Table(wanted.key, wanted.types)
                return 1
            if real.key != wanted.key:
                raise TableError(
                    f"the key of {wanted.name} is {real.key}, not {wanted.key}",
                    table=wanted.name,
                    advice="rename the table",
                )
            added = [column for column in change.adds if _adds(real, column)]
            return len(added) + sum(_widens(real, column) for column in change.widens)

    @hookimpl
    def upsert(self, table: TableSchema, rows: Sequence[Row]) -> int:
        with self._session.joined() as state, undone_on_error(state, table):
            real = _real(state, table)
            return sum(_upsert(state, real, table, row) for row in rows)

    @hookimpl
    def delete(self, table: TableSchema, keys: Sequence[VersionedKey]) -> int:
        with self._session.joined() as state:
            real = _real(state, table)
            return sum(_delete(state, real, table, key) for key in keys)

    @hookimpl
    def bulk_load(self, table: TableSchema, rows: Iterable[Row]) -> Loaded:
        loaded, source = Loaded(), iter(rows)
        while chunk := list(islice(source, self.capabilities.max_rows)):
            with self._session.joined() as state:
                before = len(_real(state, table).rows)
                changed = self.upsert(table, chunk)
                inserted = len(_real(state, table).rows) - before
            loaded += Loaded(inserted, changed - inserted)
        return loaded


@contextmanager
def undone_on_error(state: State, table: TableSchema) -> Iterator[None]:
    """A batch is written whole or not at all, also inside a transaction."""
    before = state.tables.get(table.name)
    held = before.copy() if before else None
    try:
        yield
    except RejectedError:
        if held is not None:
            state.tables[table.name] = held
        raise


def _real(state: State, table: TableSchema) -> Table:
    real = state.tables.get(table.name)
    if real is None or table.types.keys() - real.columns.keys():
        raise TableError(
            f"there is no table {table.name} with all columns of its model",
            table=table.name,
            advice="`eds resume TABLE` makes it again",
        )
    return real


def _upsert(state: State, real: Table, table: TableSchema, row: Row) -> bool:
    """The guard: neither an older row nor a deleted one is brought back."""
    dead = state.tombstones.get((table.name, row.key))
    if dead is not None and dead > row.version:
        return False
    held = real.rows.get(row.key)
    if held is not None and held.version > row.version:
        return False
    # A column of the model that the row lacks becomes None; others stay.
    values = {name: row.get(name, real.columns[name]) for name in table.types}
    kept = held.values if held else {}
    real.rows[row.key] = Stored(row.version, {**kept, **values})
    return True


def _delete(state: State, real: Table, table: TableSchema, dead: VersionedKey) -> bool:
    """Remember the deletion, whether there is a row or not."""
    place = table.name, dead.key
    state.tombstones[place] = max(dead.version, state.tombstones.get(place, dead[1]))
    held = real.rows.get(dead.key)
    if held is None or held.version > dead.version:
        return False
    del real.rows[dead.key]
    return True


def _adds(real: Table, column: Column) -> bool:
    if column.name in real.columns:
        return False
    real.columns[column.name] = column.type
    return True


def _widens(real: Table, column: Column) -> bool:
    old = real.columns[column.name]
    new = widened(old, column.type)
    if new is old:
        return False
    real.columns[column.name] = new
    for key, row in real.rows.items():
        value = row.values.get(column.name)
        wide = None if value is None else _AS_TEXT.get(old, str)(value)
        real.rows[key] = Stored(row.version, {**row.values, column.name: wide})
    return True


#: How a value is written when its column gets a wider type. Decimals, moments and
#: JSON are text already.
_AS_TEXT: Mapping[ColumnType, Callable[[Any], str]] = {
    ColumnType.NUMBER: lambda value: format(Decimal(repr(value)), "f"),
    ColumnType.BOOLEAN: lambda value: str(value).lower(),
    ColumnType.BYTES: lambda value: base64.b64encode(value).decode(),
}
