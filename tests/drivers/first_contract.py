"""A driver that was written against the first contract. Leave it as it is.

It has to pass the kit for as long as ``OLDEST_CONTRACT`` is 1.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from eds_core import (
    Capabilities,
    ColumnType,
    ConfigError,
    Driver,
    Key,
    Loaded,
    Row,
    SchemaChange,
    TableError,
    TableSchema,
    TransientError,
    Version,
    VersionedKey,
    hookimpl,
    widened,
)
from eds_core.sqlite import SqliteDriver


class Table(msgspec.Struct):
    """A table: its columns, its rows by key, and the keys that were deleted."""

    key: tuple[str, ...]
    columns: dict[str, ColumnType]
    rows: dict[Key, tuple[Version, dict[str, Any]]] = {}
    deleted: dict[Key, Version] = {}


_decode = msgspec.msgpack.Decoder(Table).decode
_encode = msgspec.msgpack.Encoder().encode


class Store:
    """Tables in a directory."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def read(self, name: str) -> Table | None:
        """Return the table, or None when there is none."""
        try:
            return _decode(self._file(name).read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _later(error) from error

    def write(self, name: str, table: Table) -> None:
        """Put *table* in the place of the one that is there: whole, or not at all."""
        place = self._file(name)
        new = place.with_suffix(".new")
        try:
            with new.open("wb") as file:
                file.write(_encode(table))
                os.fsync(file.fileno())
            new.replace(place)
        except OSError as error:
            raise _later(error) from error

    def drop(self, name: str) -> None:
        """Remove the table. The tests do; EDS never does."""
        self._file(name).unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        return self._place / f"{name}.table"


def _later(error: OSError) -> TransientError:
    return TransientError(
        f"Frozen: {error.strerror}", advice="see to the directory and its disk"
    )


class FirstContract(Driver):
    """A directory. Its checkpoint is written after the rows: at least once."""

    contract = 1
    title = "Frozen"
    example_url = "frozen:///var/lib/eds/frozen"
    capabilities: ClassVar[Capabilities] = Capabilities(
        transactions=False, max_rows=1_000
    )

    def __init__(self, url: str) -> None:
        found = re.fullmatch(r"frozen://(/[\w./-]+)", url)
        if found is None:
            raise ConfigError(
                "the URL names no directory",
                advice=f"it should look like {self.example_url}",
            )
        self._place = Path(found[1])
        self._store = Store(self._place)
        # What EDS remembers is kept in a SQLite file beside the tables; its lock
        # lets one process write at a time.
        self._books = SqliteDriver(f"sqlite:///{self._place}/_eds.db")
        self.ledger = self._books.ledger

    def open(self) -> None:
        if not self._place.is_dir():
            raise ConfigError(
                f"there is no directory {self._place}", advice=f"mkdir {self._place}"
            )
        self._books.read_only = self.read_only
        self._books.open()

    def close(self) -> None:
        self._books.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """The ledger's. Rows are written at once, before the position moves."""
        with self._books.transaction():
            yield

    def columns(self, table: str) -> Mapping[str, ColumnType | None]:
        found = self._store.read(table)
        return dict(found.columns) if found else {}

    def count(self, table: str) -> int:
        found = self._store.read(table)
        return len(found.rows) if found else 0

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Every row's values, for the tests."""
        found = self._real(table)
        return [
            {name: values.get(name) for name in found.columns}
            for _, values in found.rows.values()
        ]

    def drop(self, table: str) -> None:
        """Remove a table, for the tests."""
        self._store.drop(table)

    @hookimpl
    def migrate(self, change: SchemaChange) -> int:
        wanted = change.table
        with self._writing():
            real = self._store.read(wanted.name)
            if real is None:
                self._store.write(wanted.name, Table(wanted.key, wanted.types))
                return 1
            if real.key != wanted.key:
                raise TableError(
                    f"the key of {wanted.name} is {real.key}, not {wanted.key}",
                    table=wanted.name,
                    advice="rename the table's file: EDS makes a new one",
                )
            done = sum(_extend(real, c.name, c.type) for c in wanted.columns)
            if done:
                self._store.write(wanted.name, real)
            return done

    @hookimpl
    def upsert(self, table: TableSchema, rows: Sequence[Row]) -> int:
        with self._writing():
            real = self._real(table.name, table.types)
            changed = sum(_upsert(real, table, row) for row in rows)
            self._store.write(table.name, real)
            return changed

    @hookimpl
    def delete(self, table: TableSchema, keys: Sequence[VersionedKey]) -> int:
        with self._writing():
            real = self._real(table.name, table.types)
            changed = sum(_delete(real, key) for key in keys)
            self._store.write(table.name, real)
            return changed

    @hookimpl
    def bulk_load(self, table: TableSchema, rows: Iterable[Row]) -> Loaded:
        done, source = Loaded(), iter(rows)
        while chunk := list(islice(source, self.capabilities.bulk_rows)):
            before = self.count(table.name)
            changed = self.upsert(table, chunk)
            inserted = self.count(table.name) - before
            done += Loaded(inserted, changed - inserted)
        return done

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """In the transaction that is open, or in one of its own."""
        with self._books.session.joined():
            yield

    def _real(self, name: str, needed: Iterable[str] = ()) -> Table:
        real = self._store.read(name)
        if real is None or not real.columns.keys() >= set(needed):
            raise TableError(
                f"there is no table {name} with all columns of its model",
                table=name,
                advice=f"`eds resume {name}` makes it again",
            )
        return real


def _upsert(real: Table, table: TableSchema, row: Row) -> bool:
    """The guard: nothing older than what is there, or than its deletion."""
    dead = real.deleted.get(row.key)
    version, kept = real.rows.get(row.key, (row.version, {}))
    if version > row.version or (dead is not None and dead > row.version):
        return False
    # A column of the model that the row lacks becomes None; others stay.
    values = {name: row.get(name, real.columns[name]) for name in table.types}
    real.rows[row.key] = (row.version, {**kept, **values})
    return True


def _delete(real: Table, dead: VersionedKey) -> bool:
    """Remember the deletion, whether there is a row or not. It only rises."""
    known = real.deleted.get(dead.key, dead.version)
    real.deleted[dead.key] = max(known, dead.version)
    held = real.rows.get(dead.key)
    if held is None or held[0] > dead.version:
        return False
    del real.rows[dead.key]
    return True


def _extend(real: Table, name: str, kind: ColumnType) -> bool:
    """Add the column, or widen it and keep every value; say whether it was needed."""
    old = real.columns.get(name)
    new = kind if old is None else widened(old, kind)
    if new is old:
        return False
    real.columns[name] = new
    for _, values in real.rows.values():
        if old is not None and values.get(name) is not None:
            values[name] = _AS_TEXT.get(old, str)(values[name])
    return True


#: How a value is written when its column gets a wider type. Decimals, moments and
#: JSON are text already.
_AS_TEXT: Mapping[ColumnType, Callable[[Any], str]] = {
    ColumnType.NUMBER: lambda value: format(Decimal(repr(value)), "f"),
    ColumnType.BOOLEAN: lambda value: str(value).lower(),
    ColumnType.BYTES: lambda value: base64.b64encode(value).decode(),
}
