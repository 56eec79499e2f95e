"""The base of drivers that only append: to a lake of files, a topic, a queue.

Such a destination has no transactions, is not read back, and holds no table of EDS's
own. What EDS remembers (positions, quarantine, the tables' columns) is in a SQLite
file, the state. The changes of a transaction are gathered, written, and only then is
the position committed there. A crash in between repeats them: at least once. So whoever
reads takes, of each key, the change of the highest version, and of equal ones the last.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import islice
from typing import Any, ClassVar

import msgspec

from .driver import Capabilities, Driver, Loaded, hookimpl
from .errors import ConfigError, TableError
from .event import Key, Row, Version, VersionedKey
from .findings import Finding
from .schema import ColumnType, SchemaChange, TableSchema
from .sqlite import SqliteDriver
from .urls import parameters, redact
from .values import Value, convert

__all__ = ["AppendDriver", "Change"]

_STATE = "state"


class Change:
    """One change of one row: how it is now, or that it is gone."""

    def __init__(
        self,
        table: TableSchema,
        source: Row | VersionedKey,
        types: Mapping[str, ColumnType],
    ) -> None:
        #: The model that it came with.
        self.table = table
        #: What the driver was given.
        self.source = source
        #: The types of the destination's columns, which may be wider than the model's.
        self.types = types
        #: The driver's own: what its ``check`` has made of it, for its ``write``.
        self.made: Any = None

    @property
    def key(self) -> Key:
        return self.source.key

    @property
    def version(self) -> Version:
        return self.source.version

    @property
    def deleted(self) -> bool:
        return not isinstance(self.source, Row)

    @cached_property
    def values(self) -> Mapping[str, Value]:
        """Of each column of the model, as ``Row.get`` has it; if deleted, of the key.

        By ``types``. Raises RejectedError for a value that does not fit.
        """
        if isinstance(self.source, Row):
            names = self.table.types
            return {name: self.source.get(name, self.types[name]) for name in names}
        return {
            name: convert(msgspec.json.encode(text), self.types[name], name)
            for name, text in zip(self.table.key, self.key, strict=True)
        }


class AppendDriver(Driver):
    """Appends changes. A subclass has to supply ``write`` and its names only.

    The URL's parameter ``state`` names the SQLite file, unless ``default_state`` does.
    Whoever has to connect overrides ``open`` and ``close``, and calls these as well.
    """

    capabilities: ClassVar[Capabilities] = Capabilities(
        transactions=False, guards=False
    )

    def __init__(self, url: str) -> None:
        self.url = url
        place = parameters(url).get(_STATE) or self.default_state()
        self._state = SqliteDriver(f"sqlite:///{place}")
        self.ledger = self._state.ledger
        self._gathered: list[Change] | None = None  # None: no transaction is open

    def default_state(self) -> str:
        """The path of the state where the URL names none, or ConfigError."""
        raise ConfigError(
            f"{redact(self.url)} does not say where to keep the position",
            advice=f"name a file of this machine that lasts: {self.example_url}",
        )

    @abstractmethod
    def write(self, changes: Sequence[Change]) -> None:
        """Append *changes* in their order; return when they can no longer be lost.

        All changes of a transaction, of any tables; it is called once, at its end.
        When it raises, or the process dies, they come again, perhaps divided
        otherwise: parts of them may be there twice. Raises TransientError when it
        may work later. What is one row's fault is found by ``check``.
        """

    def check(self, change: Change) -> None:
        """Raise RejectedError for a change that cannot be written.

        Here: whose values do not fit their columns.
        """
        _ = change.values

    def open(self) -> None:
        self._state.read_only = self.read_only
        self._state.actor = self.actor
        self._state.open()

    def close(self) -> None:
        self._state.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """The state's; what was gathered is written before it is committed."""
        with self._state.transaction():
            self._gathered = []
            try:
                yield
                if self._gathered:
                    self.write(self._gathered)
            finally:
                self._gathered = None

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        with self._state.savepoint(), self._joined() as gathered:
            before = len(gathered)
            try:
                yield
            except BaseException:
                del gathered[before:]
                raise

    def columns(self, table: str) -> Mapping[str, ColumnType | None]:
        return self._state.columns(table)

    def key(self, table: str) -> tuple[str, ...]:
        return self._state.key(table)

    @hookimpl
    def diagnose(self, models: Mapping[str, TableSchema]) -> Iterable[Finding]:
        """What is to be known of the state. Whoever has more adds to it."""
        return self._state.diagnose(models)

    @hookimpl
    def migrate(self, change: SchemaChange) -> int:
        """Remember the columns: by a table of the state that stays empty."""
        return self._state.migrate(change)

    @hookimpl
    def upsert(self, table: TableSchema, rows: Sequence[Row]) -> int:
        return self._append(table, rows)

    @hookimpl
    def delete(self, table: TableSchema, keys: Sequence[VersionedKey]) -> int:
        return self._append(table, keys)

    @hookimpl
    def bulk_load(self, table: TableSchema, rows: Iterable[Row]) -> Loaded:
        source, count = iter(rows), 0
        while chunk := list(islice(source, self.capabilities.bulk_rows)):
            count += self._append(table, chunk)
        return Loaded(inserted=count)

    def _append(self, table: TableSchema, items: Sequence[Row | VersionedKey]) -> int:
        types = self._types(table)
        changes = [Change(table, item, types) for item in items]
        for change in changes:
            self.check(change)
        with self._joined() as gathered:
            gathered.extend(changes)
        return len(changes)

    @contextmanager
    def _joined(self) -> Iterator[list[Change]]:
        """What the open transaction has gathered, or one of its own."""
        if self._gathered is not None:
            yield self._gathered
            return
        with self.transaction(), self._joined() as gathered:
            yield gathered

    def _types(self, table: TableSchema) -> Mapping[str, ColumnType]:
        """The types of the destination's columns, which have to be there."""
        known = self.columns(table.name)
        types = {name: kind for name, kind in known.items() if kind is not None}
        if lacking := table.types.keys() - types.keys():
            raise TableError(
                f"there is no table {table.name} with columns "
                f"{', '.join(sorted(lacking))} in {self._state.path}",
                table=table.name,
                advice="`eds resume TABLE` makes it again",
            )
        return types
