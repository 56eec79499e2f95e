"""A driver's verbs alone: upsert, delete and bulk_load, by the size of the batch.

In this process, without a stream: batches of rows of `order` (70 columns; `--table
core_charge`: 10) with distinct keys go through the destination as the pipeline sends
them, a transaction for each, with tombstones and the guard of versions; once more
with the checkpoint, which moves in the same transaction; and once by two connections
side by side, to each of which half of the keys are dealt. In turn with that, in each
round: the database's own load of the same rows, ready made (COPY as text, LOAD DATA
LOCAL, `executemany` of SQLite), into an empty table with the same primary key; and
one-row upserts by hand, each with its commit, which is what a batch of 1 is compared
with.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from asyncio import to_thread
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from bench.databases import KINDS, Database, bulk_copy, own_database
from bench.events import bench_models, updates
from bench.latency import after_of
from bench.machine import usage
from bench.plain import plain
from bench.report import add_common_options, report
from bench.rounds import Run, Runs, Ways, paired, speed_ratio
from eds_core.destination import Destination, open_destination
from eds_core.event import Key, Row, Version, VersionedKey
from eds_core.ledger import Checkpoint, Move
from eds_core.line import LineReader
from eds_core.model import parse_reply
from eds_core.sandbox import COMPANY, Model
from eds_core.schema import TableSchema

MOST_BATCHES = 200  # of one size in a round
WALL = 1_800_000_000_000_000_000  # of the first version
COPY, BARE = "COPY", "bare upserts"
INSERT, UPDATE, DELETE, LOAD = "insert", "update", "delete", "bulk_load"
MOVED, TWO = "insert, with the checkpoint", "insert, two connections"
BARE_TABLE = "bench_bare"

T = TypeVar("T")
Verb: TypeAlias = Callable[[TableSchema, Sequence[Any]], object]


def add_options(parser: argparse.ArgumentParser) -> None:
    add_common_options(parser)
    parser.add_argument("--database", choices=KINDS, default="postgresql")
    parser.add_argument("--table", default="order")
    parser.add_argument(
        "--local-infile", action="store_true", help="MySQL loads by LOAD DATA"
    )
    parser.add_argument("--rows", type=int, default=20_000, help="at most, of a round")
    parser.add_argument("--batch", default="1,10,100,1000,5000", help="%(default)s")


async def run(options: argparse.Namespace) -> None:
    sizes = [int(size) for size in options.batch.split(",")]
    with own_database(options.database) as database:
        alone = Alone(database, options)
        runs = await paired(options.runs, alone.ways(sizes))
        alone.close()
    report("driver", options, runs, ratios(runs, sizes))


class Alone:
    """One driver, open, and rows for it."""

    def __init__(self, database: Database, options: argparse.Namespace) -> None:
        self._database, self._name = database, options.table
        self._url = database.new_url()
        more = "?local_infile=1" if options.local_infile else ""
        self._destination: Destination = open_destination(self._url + more)
        ledger = self._destination.ledger
        ledger.create()
        ledger.establish(Checkpoint(COMPANY, 0, 0, "account", "stream", ""))
        claimed = ledger.claim(COMPANY, "bench", "server")
        assert claimed is not None
        self._move = Move(COMPANY, claimed.epoch, 0, 0, WALL)
        self._model = bench_models()[self._name]
        self._schema = schema_of(self._model)
        self._second = open_destination(self._url + more)
        for destination in (self._destination, self._second):
            destination.prepare(self._schema)
        self._version = 0
        events = islice(updates(options.seed, options.rows, self._name), options.rows)
        self._rows = [(event.key, after_of(event)) for event in events]
        with plain(self._url) as tables:
            tables.make_like(self._name, BARE_TABLE)

    def close(self) -> None:
        self._destination.close()
        self._second.close()

    def ways(self, sizes: Sequence[int]) -> Ways:
        """The yardsticks first; a size's verbs, each finding what it needs."""
        ways: dict[str, Callable[[], Run]] = {COPY: self._copy, BARE: self._bare}
        for size in sizes:
            for verb, way in (
                (INSERT, partial(self._upsert, new=True)),
                (MOVED, self._moved),
                (TWO, self._two),
                (UPDATE, self._upsert),
                (DELETE, self._delete),
                (LOAD, self._load),
            ):
                ways[f"{verb}, {size}"] = partial(way, size)
        return {name: partial(to_thread, way) for name, way in ways.items()}

    def _copy(self) -> Run:
        self._empty()
        self._load(len(self._rows))
        return bulk_copy(self._database, self._url, self._name)

    def _bare(self) -> Run:
        some = self._rows[:MOST_BATCHES]
        with plain(self._url) as tables:
            upsert = tables.upserting(BARE_TABLE, self._model)
            return self._timed(len(some), lambda: [upsert(a) for _, a in some])

    def _upsert(self, size: int, *, new: bool = False) -> Run:
        if new:
            self._empty()
        return self._each(self._destination.upsert, self._made(size), size)

    def _moved(self, size: int) -> Run:
        """With what proves in each transaction that the company is ours still."""
        self._empty()
        upsert, ledger = self._destination.upsert, self._destination.ledger

        def write(table: TableSchema, rows: Sequence[Row]) -> None:
            move = self._move = replace(
                self._move, old=self._move.new, new=self._move.new + 1
            )
            ledger.advance([move])
            upsert(table, rows)

        return self._each(write, self._made(size), size)

    def _two(self, size: int) -> Run:
        """Half of the keys each, side by side, each with its own transactions."""
        self._empty()
        rows, both = self._made(size), (self._destination, self._second)

        def write() -> None:
            with ThreadPoolExecutor(len(both)) as threads:
                done = [
                    threads.submit(
                        self._write, it, it.upsert, rows[n :: len(both)], size
                    )
                    for n, it in enumerate(both)
                ]
            for each in done:
                each.result()

        return self._timed(len(rows), write)

    def _delete(self, size: int) -> Run:
        keys = [VersionedKey(row.key, row.version) for row in self._made(size)]
        return self._each(self._destination.delete, keys, size)

    def _load(self, size: int) -> Run:
        """As an import does, into the empty table."""
        self._empty()
        reader = LineReader(self._schema, cells=self._destination.capabilities.cells)
        version = self._later()
        read = [reader.read(a, version, WALL) for _, a in self._some(size)]
        schema, rows = read[-1][0], [row for _, row, _ in read]

        def load() -> None:
            for batch in batches(rows, size):
                with self._destination.transaction():
                    self._destination.bulk_load(schema, batch)

        return self._timed(len(rows), load)

    def _each(self, verb: Verb, items: Sequence[Any], size: int) -> Run:
        write = partial(self._write, self._destination, verb, items, size)
        return self._timed(len(items), write)

    def _write(
        self, destination: Destination, verb: Verb, items: Sequence[Any], size: int
    ) -> None:
        """A transaction for each batch, in calls as large as the driver wants them."""
        most = destination.capabilities.max_rows
        for batch in batches(items, size):
            with destination.transaction():
                for part in batches(batch, most):
                    verb(self._schema, part)

    def _timed(self, count: int, work: Callable[[], object]) -> Run:
        database, own = self._database.cpu(), time.process_time()
        began = time.perf_counter()
        work()
        seconds = time.perf_counter() - began
        cpu = {"EDS": time.process_time() - own, **self._database.processes(database)}
        return Run(count, seconds, cpu, usage(os.getpid()).peak_mib)

    def _made(self, size: int) -> list[Row]:
        """Rows of a later version than all before."""
        version = self._later()
        return [Row(key, version, after) for key, after in self._some(size)]

    def _some(self, size: int) -> Sequence[tuple[Key, bytes]]:
        return self._rows[: size * MOST_BATCHES]

    def _later(self) -> Version:
        self._version += 1
        return Version(WALL + self._version)

    def _empty(self) -> None:
        with plain(self._url) as tables:
            tables.empty(self._name)
            tables.empty("_eds_tombstone")


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def schema_of(model: Model) -> TableSchema:
    """The table as the look-up tells it."""
    reply = json.dumps({"success": True, "data": model.describe()}).encode()
    found = parse_reply(reply, model.table)
    assert found is not None, model.table
    return found


def ratios(runs: Runs, sizes: Sequence[int]) -> dict[str, dict[str, object]]:
    """A batch of 1 beside bare upserts; larger ones beside the bulk load."""
    alone = {
        f"{verb}, {size} / {other}": speed_ratio(runs[f"{verb}, {size}"], runs[other])
        for size in sizes
        for other in (BARE if size == 1 else COPY,)
        for verb in (INSERT, MOVED, UPDATE, DELETE, LOAD)
    }
    two = {
        f"{TWO}, {size} / one": speed_ratio(
            runs[f"{TWO}, {size}"], runs[f"{INSERT}, {size}"]
        )
        for size in sizes
    }
    return {**alone, **two}
