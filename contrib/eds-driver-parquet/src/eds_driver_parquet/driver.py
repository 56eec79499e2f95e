"""The Parquet driver: each transaction adds one file per table and day."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar
from uuid import uuid4

from eds_core import (
    Capabilities,
    Finding,
    SchemaChange,
    TableError,
    TableSchema,
    Version,
    hookimpl,
    parameters,
    parse_freshness,
)
from eds_core.append import AppendDriver, Change

from .files import PARTITION, cells, day_of, parquet
from .places import place_of

#: Seconds; a lone change would be a file of its own.
FRESHNESS = 60.0


class ParquetDriver(AppendDriver):
    """A lake: a directory, or a prefix of a bucket. Files are added, never changed."""

    title = "Parquet"
    example_url = "file:///var/lib/eds/lake"
    capabilities: ClassVar[Capabilities] = replace(
        AppendDriver.capabilities, bulk_rows=20_000
    )

    def __init__(self, url: str) -> None:
        self._place = place_of(url)
        self._order = 0
        self.freshness = parse_freshness(parameters(url).get("freshness"), FRESHNESS)
        super().__init__(url)

    def default_state(self) -> str:
        return self._place.state()

    def open(self) -> None:
        self._place.open()
        super().open()

    @hookimpl
    def migrate(self, change: SchemaChange) -> int:
        table = change.table
        if PARTITION in {name.lower() for name in table.types}:  # readers fold case
            raise TableError(
                f"column {PARTITION} of {table.name} is called as its directories",
                table=table.name,
                advice="there is no remedy but another kind of destination",
            )
        known = self.columns(table.name)
        new = {column.name: column.type for column in (*change.adds, *change.widens)}
        types = {name: kind for name, kind in {**known, **new}.items() if kind}
        if types != known:  # a file without rows tells readers of the columns
            today = day_of(Version(time.time_ns()))
            with self._place.adding() as put:
                put(_path(table.name, today, time.time_ns()), parquet(types))
        return super().migrate(change)

    def check(self, change: Change) -> None:
        change.made = cells(change)

    def write(self, changes: Sequence[Change]) -> None:
        first = max(time.time_ns(), self._order + 1)  # ascends, whatever the clock does
        self._order = first + len(changes)
        files: dict[tuple[int, str], list[tuple[int, Change]]] = {}
        for order, change in enumerate(changes, first):
            which = id(change.table), day_of(change.version)
            files.setdefault(which, []).append((order, change))
        with self._place.adding() as put:
            for (_, day), some in files.items():
                order, change = some[0]
                types = {name: change.types[name] for name in change.table.types}
                put(_path(change.table.name, day, order), parquet(types, some))

    @hookimpl
    def diagnose(self, models: Mapping[str, TableSchema]) -> Iterator[Finding]:
        yield from self._place.diagnose()
        yield from super().diagnose(models)


def _path(table: str, day: str, order: int) -> str:
    """Nobody else's, ever. Names of tables are letters, digits and ``_``."""
    return f"{table}/{PARTITION}={day}/{order:020d}-{uuid4().hex}.parquet"
