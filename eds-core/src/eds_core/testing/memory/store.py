"""What a destination in memory holds, and transactions over it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from threading import Lock
from typing import NamedTuple

from eds_core.errors import TransientError
from eds_core.event import Key, Version
from eds_core.ledger import Checkpoint, Parked, Quarantined, TableStatus
from eds_core.schema import ColumnType
from eds_core.values import Value

_WAIT = 10.0  # seconds for a lock


class Stored(NamedTuple):
    """A row, never changed: another one takes its place."""

    version: Version
    values: Mapping[str, Value]


@dataclass
class Table:
    """Columns, and rows by the key that the stream gave them."""

    key: tuple[str, ...]
    columns: dict[str, ColumnType]
    rows: dict[Key, Stored] = field(default_factory=dict)

    def copy(self) -> Table:
        return Table(self.key, dict(self.columns), dict(self.rows))


@dataclass
class State:
    """Everything that is committed together."""

    tables: dict[str, Table] = field(default_factory=dict)
    tombstones: dict[tuple[str, Key], Version] = field(default_factory=dict)
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    quarantine: dict[str, Quarantined] = field(default_factory=dict)
    parked: dict[tuple[str, str], Parked] = field(default_factory=dict)
    statuses: dict[tuple[str, str], TableStatus] = field(default_factory=dict)

    def copy(self) -> State:
        new = State(**{name: copy(held) for name, held in vars(self).items()})
        new.tables = {name: table.copy() for name, table in self.tables.items()}
        return new


class Store:
    """One database: what is committed, and who is writing."""

    def __init__(self) -> None:
        self.committed = State()
        self.writing = Lock()


class Session:
    """One connection to a store. A transaction works on a copy of its state."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._own: State | None = None  # inside a transaction
        self.is_open = False

    @property
    def state(self) -> State:
        """What this connection sees."""
        if not self.is_open:
            raise TransientError("the connection to the database is closed")
        return self._store.committed if self._own is None else self._own

    @contextmanager
    def transaction(self) -> Iterator[State]:
        """One writer at a time; what it did is seen when it is over, or never."""
        if self._own is not None:
            raise RuntimeError("a transaction is open already")
        before = self.state
        if not self._store.writing.acquire(timeout=_WAIT):
            raise TransientError("another connection writes", advice="try again")
        try:
            before = self._store.committed
            self._own = before.copy()
            yield self._own
            self._store.committed = self._own
        finally:
            self._own = None
            self._store.writing.release()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Go back to the state before, unless all went well."""
        before = self.state.copy()
        try:
            yield
        except BaseException:
            self._own = before
            raise

    @contextmanager
    def joined(self) -> Iterator[State]:
        """The transaction that is open, or one of its own."""
        if self._own is not None:
            yield self._own
        else:
            with self.transaction() as own:
                yield own
