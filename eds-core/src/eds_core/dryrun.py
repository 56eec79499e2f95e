"""A destination that is read but never written: says what would be done."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from .destination import open_driver
from .driver import Driver, Loaded, hookimpl
from .errors import ConfigError
from .event import Key, Row, Version, VersionedKey
from .ledger import (
    Checkpoint,
    Ledger,
    Move,
    Outcome,
    Parked,
    Quarantined,
    Role,
    SchemaStep,
    TableStatus,
)
from .schema import ColumnType, SchemaChange, TableSchema

log = logging.getLogger("eds.dryrun")


class DryRun(Driver):
    """Stands before *driver*: reads go through, writes are only told."""

    title = "dry run"
    example_url = ""

    def __init__(self, url: str, driver: type[Driver] | None = None) -> None:
        if driver is None:
            raise ConfigError("a dry run needs a driver to stand before")
        self._driver = driver(url)
        self._driver.read_only = True
        self._changed: dict[str, dict[str, ColumnType]] = {}  # by table, so far
        self.ledger = DryLedger(lambda: self._driver.ledger)

    def open(self) -> None:
        self._driver = open_driver(self._driver)

    def close(self) -> None:
        self._driver.close()

    def transaction(self) -> AbstractContextManager[None]:
        return nullcontext()

    def columns(self, table: str) -> Mapping[str, ColumnType | None]:
        return {**self._driver.columns(table), **self._changed.get(table, {})}

    def key(self, table: str) -> tuple[str, ...]:
        return self._driver.key(table)

    def read(self, table: TableSchema, after: Key | None, most: int) -> list[Row]:
        if not self._driver.columns(table.name):  # it would be created
            return []
        return self._driver.read(table, after, most)

    def unversioned(
        self, table: TableSchema, keys: Sequence[Key] | None = None
    ) -> list[Row]:
        return self._driver.unversioned(table, keys)

    def deleted(self, table: TableSchema, keys: Sequence[Key]) -> Mapping[Key, Version]:
        return self._driver.deleted(table, keys)

    def plan(self, change: SchemaChange) -> Sequence[str] | None:
        return self._driver.plan(change)

    @hookimpl
    def migrate(self, change: SchemaChange) -> int:
        log.info("dry run: would %s", change)
        changed = self._changed.setdefault(change.table.name, {})
        changed |= {c.name: c.type for c in (*change.adds, *change.widens)}
        return 0

    @hookimpl
    def upsert(self, table: TableSchema, rows: Sequence[Row]) -> int:
        log.info("dry run: would write %d rows to %s", len(rows), table.name)
        return len(rows)

    @hookimpl
    def delete(self, table: TableSchema, keys: Sequence[VersionedKey]) -> int:
        log.info("dry run: would delete %d rows of %s", len(keys), table.name)
        return len(keys)

    @hookimpl
    def bulk_load(self, table: TableSchema, rows: Iterable[Row]) -> Loaded:
        count = sum(1 for _ in rows)
        log.info("dry run: would load %d rows into %s", count, table.name)
        return Loaded(inserted=count)


class DryLedger(Ledger):
    """Positions kept in memory only; nothing is claimed from anybody."""

    def __init__(self, real: Callable[[], Ledger]) -> None:
        self._find_real = real
        self._mine: dict[str, Checkpoint] = {}

    @property
    def _real(self) -> Ledger:
        return self._find_real()

    def create(self) -> None:
        """Nothing is made."""

    def checkpoints(self) -> dict[str, Checkpoint]:
        return self._real.checkpoints() | self._mine

    def establish(self, checkpoint: Checkpoint) -> None:
        self._mine[checkpoint.company] = checkpoint

    def claim(self, company: str, owner: str, role: Role) -> Checkpoint | None:
        found = self.checkpoints().get(company)
        if found is not None:
            self._mine[company] = replace(found, owner=owner, role=role)
        return self._mine.get(company)

    def reclaim(self, company: str, epoch: int, owner: str) -> Checkpoint:
        return replace(self._mine[company], epoch=epoch, owner=owner)

    def advance(self, moves: Sequence[Move]) -> None:
        for move in moves:
            old = self._mine[move.company]
            self._mine[move.company] = replace(old, sequence=move.new, time=move.time)

    def quarantine(self, entries: Sequence[Quarantined]) -> None:
        for entry in entries:
            log.info("dry run: would quarantine %s: %s", entry.id, entry.reason)

    def quarantined(
        self,
        *,
        ids: Iterable[str] | None = None,
        state: str | None = None,
        after: int = 0,
        most: int | None = None,
    ) -> list[Quarantined]:
        if state == "retry":
            return []
        return self._real.quarantined(ids=ids, state=state, after=after, most=most)

    def set_quarantine_state(self, ids: Iterable[str], state: str) -> int:
        del ids, state
        return 0

    def drop_quarantined(self, ids: Iterable[str]) -> int:
        del ids
        return 0

    def park(self, entries: Sequence[Parked]) -> None:
        for entry in entries:
            log.info("dry run: would park %s: %s", entry.table, entry.reason)

    def unpark(self, table: str, company: str) -> None:
        """Nothing was parked here."""

    def parked(self) -> list[Parked]:
        return [replace(parked, resume=False) for parked in self._real.parked()]

    def request_resume(self, table: str) -> int:
        del table
        return 0

    def report(self, statuses: Mapping[tuple[str, str], TableStatus]) -> None:
        """Freshness of a dry run is nobody's business."""

    def statuses(self) -> list[TableStatus]:
        return self._real.statuses()

    def missing(self) -> Sequence[str]:
        return self._real.missing()

    def schema_steps(
        self, *, outcome: Outcome | None = None, most: int | None = None
    ) -> list[SchemaStep]:
        return self._real.schema_steps(outcome=outcome, most=most)
