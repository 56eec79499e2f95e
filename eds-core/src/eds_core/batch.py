"""Coalesce events to the last word per key. Pure.

A batch holds, per table, runs of one model version each. Applying a run's
deletes and then its upserts equals applying its events one by one in version
order to a destination that guards rows by version and remembers deletions.
"""

from __future__ import annotations

from collections.abc import ItemsView
from operator import itemgetter

from .event import ChangeEvent, Deletion, Key, Row, VersionedKey
from .schema import TableSchema

_KEY = itemgetter(0)


class Run:
    """Changes of one table under one model version: the last word on each key.

    That is at most one deletion, then at most one row.
    """

    __slots__ = ("_deletions", "_rows", "table")

    def __init__(self, table: TableSchema) -> None:
        self.table = table
        self._deletions: dict[Key, ChangeEvent] = {}
        self._rows: dict[Key, ChangeEvent] = {}  # always newer than the deletion

    def add(self, event: ChangeEvent) -> None:
        """Take *event* unless something newer is known; equal: the later wins.

        Raises DecodeError when the event's key does not fit the table.
        """
        key, version = event.key(self.table), event.version
        deletion, row = self._deletions.get(key), self._rows.get(key)
        after_deletion = deletion is None or deletion.version <= version
        after_row = row is None or row.version <= version
        if event.deletes:
            if after_deletion:
                self._deletions[key] = event
            if after_row:
                self._rows.pop(key, None)
        elif after_deletion and after_row:
            self._rows[key] = event

    @property
    def deletes(self) -> list[VersionedKey]:
        """Keys to delete, sorted. They come before the upserts."""
        found = sorted(self._deletions.items(), key=_KEY)
        return [Deletion.of(key, event) for key, event in found]

    @property
    def upserts(self) -> list[Row]:
        """Rows to write, sorted by key."""
        found = sorted(self._rows.items(), key=_KEY)
        return [
            Row(key, event.version, event.after, b"", event) for key, event in found
        ]

    @property
    def written(self) -> ItemsView[Key, ChangeEvent]:
        """The events whose rows are to be written, by key."""
        return self._rows.items()

    def event(self, key: Key) -> ChangeEvent:
        """The event behind the row of *key*, or else behind its deletion."""
        return self._rows.get(key) or self._deletions[key]


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
