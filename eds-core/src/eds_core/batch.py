"""Coalesce events to the last word per key. Pure.

A batch holds, per table, runs of one model version each. Applying a run's
deletes and then its upserts equals applying its events one by one in version
order to a destination that guards rows by version and remembers deletions.
"""

from __future__ import annotations

from collections.abc import ItemsView
from operator import attrgetter, itemgetter

from .event import ChangeEvent, Deletion, Key, Operation, Row, VersionedKey
from .schema import TableSchema

_KEY = itemgetter(0)
_VERSION = attrgetter("version")
_DELETE = Operation.DELETE  # an enumeration looks its members up slowly

_Events = dict[Key, ChangeEvent]


class Run:
    """Changes of one table under one model version: the last word on each key.

    That is at most one deletion, then at most one row.
    """

    __slots__ = ("_coalesced", "_events", "_width", "table")

    def __init__(self, table: TableSchema) -> None:
        self.table = table
        self._width = len(table.key)
        self._events: list[ChangeEvent] = []
        self._coalesced: tuple[_Events, _Events] | None = None

    def add(self, event: ChangeEvent) -> None:
        """Take *event*. Raises DecodeError when its key does not fit the table."""
        if len(event.raw_key) < self._width:
            event.key(self.table)  # raises
        self._events.append(event)
        self._coalesced = None

    def _last(self) -> tuple[_Events, _Events]:
        """Each key's last deletion, and its row if that comes later still.

        In the order of versions; of equal ones the later in the stream is later.
        """
        if self._coalesced is None:
            events = sorted(self._events, key=_VERSION)
            keys = [tuple(event.raw_key)[-self._width :] for event in events]
            every = [*zip(keys, events, strict=True)]
            rows = dict(every)
            deletions = {k: e for k, e in every if e.operation is _DELETE}
            for key, deletion in deletions.items():
                if rows[key] is deletion:
                    del rows[key]
            self._coalesced = deletions, rows
        return self._coalesced

    @property
    def deletes(self) -> list[VersionedKey]:
        """Keys to delete, sorted. They come before the upserts."""
        found = sorted(self._last()[0].items(), key=_KEY)
        return [Deletion.of(key, event) for key, event in found]

    @property
    def upserts(self) -> list[Row]:
        """Rows to write, sorted by key."""
        found = sorted(self.written, key=_KEY)
        return [
            Row(key, event.version, event.after, b"", event) for key, event in found
        ]

    @property
    def written(self) -> ItemsView[Key, ChangeEvent]:
        """The events whose rows are to be written, by key."""
        return self._last()[1].items()

    def event(self, key: Key) -> ChangeEvent:
        """The event behind the row of *key*, or else behind its deletion."""
        deletions, rows = self._last()
        return rows.get(key) or deletions[key]


class Batch:
    """Events to be written in one transaction, table by table."""

    __slots__ = ("_latest", "runs")

    def __init__(self) -> None:
        self.runs: dict[str, list[Run]] = {}
        self._latest: dict[str, Run] = {}  # of each table

    def add(self, event: ChangeEvent, table: TableSchema) -> None:
        """Coalesce *event*; a change of the table's model begins a new run.

        Raises DecodeError when the event's key does not fit *table*.
        """
        run = self._latest.get(event.table)
        if run is not None and run.table is table:
            run.add(event)
        else:
            run = Run(table)
            run.add(event)  # what raises here leaves no empty run behind
            self._latest[event.table] = run
            self.runs.setdefault(event.table, []).append(run)
