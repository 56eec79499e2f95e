"""Layer 7, speed: rows per second. Told and remembered, never a failure."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import pytest

from eds_core.event import Row
from eds_core.schema import ColumnType, TableSchema
from eds_core.testing.shop import Shop, row_of, table_of, unique
from eds_core.testing.suite import Suite

_RUNS = 3
_KINDS = (ColumnType.TEXT, ColumnType.INTEGER, ColumnType.BOOLEAN, ColumnType.DATETIME)
_VALUES: dict[ColumnType, Any] = {
    ColumnType.TEXT: "a text of some length",
    ColumnType.INTEGER: 1234567,
    ColumnType.BOOLEAN: True,
    ColumnType.DATETIME: "2024-05-06T07:08:09.123Z",
}

#: Batches of rows, the n-th time they are written.
Batches = Callable[[TableSchema, int, int], Sequence[Sequence[Row]]]


def narrow() -> TableSchema:
    return table_of(unique(), name=ColumnType.TEXT, total=ColumnType.INTEGER)


def wide() -> TableSchema:
    types = {f"c{n}": _KINDS[n % len(_KINDS)] for n in range(100)}
    return table_of(unique(), **types)


def many(table: TableSchema, run: int, count: int) -> Sequence[Sequence[Row]]:
    values = {column.name: _VALUES[column.type] for column in table.values}
    return [[row_of(table, run, id=f"{n:06d}", **values) for n in range(count)]]


def hot(table: TableSchema, run: int, count: int) -> Sequence[Sequence[Row]]:
    """One row that changes with every batch."""
    values = {column.name: _VALUES[column.type] for column in table.values}
    first = run * count
    return [[row_of(table, first + n, id="hot", **values)] for n in range(count)]


@dataclass(frozen=True, slots=True)
class Shape:
    """A table, and what is written into it."""

    name: str
    table: Callable[[], TableSchema]
    batches: Batches
    rows: int


SHAPES = (
    Shape("narrow", narrow, many, 2000),
    Shape("101 columns", wide, many, 500),
    Shape("one hot key", narrow, hot, 100),
)


class Speed(Suite):
    """The median of three runs, beside the one of the last time."""

    @pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
    def test_speed(
        self,
        shop: Shop,
        record_property: Callable[[str, object], None],
        shape: Shape,
    ) -> None:
        table = shape.table()
        count = min(shape.rows // self.slowness, shop.capabilities.max_rows)
        shop.prepare(table)
        runs = [shape.batches(table, run, count) for run in range(1, _RUNS + 1)]

        seconds = [_timed(shop, table, run) for run in runs]

        record_property("speed", [shape.name, round(count / median(seconds))])
        keys = {row.key for rows in runs[-1] for row in rows}
        assert len(shop.rows(table, "id")) == len(keys)


def _timed(shop: Shop, table: TableSchema, batches: Sequence[Sequence[Row]]) -> float:
    began = time.perf_counter()
    for rows in batches:
        with shop.transaction():
            shop.upsert(table, rows)
    return time.perf_counter() - began
