"""Coalesce events to the last word per key. Pure.

A batch holds, per table, runs of one model version each. Applying a run's
deletes and then its upserts equals applying its events one by one in version
order to a destination that guards rows by version and remembers deletions.
"""

from __future__ import annotations

from collections.abc import Iterator

from .event import ChangeEvent, Key, Row, Version, VersionedKey
from .schema import TableSchema


class Last:
    """The last word on one key: at most one deletion, then at most one row."""

    __slots__ = ("deleted", "deletion", "event", "row")

    def __init__(self) -> None:
        self.deleted: Version | None = None
        self.deletion: ChangeEvent | None = None
        self.row: Row | None = None
        self.event: ChangeEvent | None = None

    def upsert(self, row: Row, event: ChangeEvent) -> None:
        """Take *row* unless something newer is known; equal: the later wins."""
        if self.row is not None and row.version < self.row.version:
            return
        if self.deleted is not None and row.version < self.deleted:
            return
        self.row, self.event = row, event

    def delete(self, version: Version, event: ChangeEvent) -> None:
        if self.deleted is None or version >= self.deleted:
            self.deleted, self.deletion = version, event
        if self.row is not None and self.row.version <= version:
            self.row = self.event = None


class Run:
    """Changes of one table under one model version, one entry per key."""

    __slots__ = ("_last", "table")

    def __init__(self, table: TableSchema) -> None:
        self.table = table
        self._last: dict[Key, Last] = {}

    def add(self, event: ChangeEvent) -> None:
        """Raises DecodeError when the event's key does not fit the table."""
        key = event.key(self.table)
        last = self._last.get(key)
        if last is None:
            last = self._last[key] = Last()
        if event.deletes:
            last.delete(event.version, event)
        else:
            last.upsert(Row(key, event.version, event.after), event)

    @property
    def deletes(self) -> list[VersionedKey]:
        """Keys to delete, sorted. They come before the upserts."""
        return sorted(
            VersionedKey(key, last.deleted)
            for key, last in self._last.items()
            if last.deleted is not None
        )

    @property
    def rows(self) -> Iterator[Row]:
        """Rows to write, in no order."""
        return (last.row for last in self._last.values() if last.row is not None)

    @property
    def upserts(self) -> list[Row]:
        """Rows to write, sorted by key."""
        return sorted(self.rows, key=_key)

    def event(self, key: Key) -> ChangeEvent:
        """The event behind the row of *key*, or else behind its deletion."""
        last = self._last[key]
        found = last.event or last.deletion
        if found is None:
            raise KeyError(key)
        return found


class Batch:
    """Events to be written in one transaction, table by table."""

    __slots__ = ("runs", "size")

    def __init__(self) -> None:
        self.runs: dict[str, list[Run]] = {}
        self.size = 0

    def add(self, event: ChangeEvent, table: TableSchema) -> None:
        """Coalesce *event*; a change of the table's model begins a new run.

        Raises DecodeError when the event's key does not fit *table*.
        """
        runs = self.runs.get(event.table)
        if runs and runs[-1].table is table:
            runs[-1].add(event)
        else:
            run = Run(table)
            run.add(event)  # what raises here leaves no empty run behind
            self.runs.setdefault(event.table, []).append(run)
        self.size += 1


def _key(row: Row) -> Key:
    return row.key
