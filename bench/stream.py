"""Catching up: events per second from JetStream into a database.

N events of about 3 KB (with `--small` of 1.3) wait in the stream; the server process
starts on an empty database, and the time runs from the moment its first position is
in the database (its consumers are made after that, tables and schema look-ups
included) until its checkpoint has reached the last event. In turn with that, in each
round: one event at a time applied the plain way (bench/naive.py) to like tables; a
bare socket that reads the stream (bench/bare.py); the final rows, ready made, loaded
by the database's own bulk load into tables with a primary key; `json.loads` of the
payloads, after gunzip where they are packed.
Everything shares this machine's cores: it is not what a server of its own would do,
and N events with few distinct rows coalesce more than N events with many.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path

from bench.bare import read_bare
from bench.check import digest_of_database, digest_of_state
from bench.databases import KINDS, Database, bulk_copy, own_database
from bench.events import KEYS, SMALL, bench_models, generate, updates
from bench.machine import EdsServer, usage
from bench.naive import run_naive
from bench.plain import Plain, plain
from bench.report import add_common_options, report
from bench.rounds import Run, Runs, Ways, paired, ratio, speed_ratio
from eds_core.sandbox import Model, Sandbox, ShopEvent, fold

PATIENCE = 900.0  # seconds without an end
POLL = 0.005
CHECKPOINT = "SELECT max(seq) FROM _eds_checkpoint"
EDS, NAIVE, SOCKET, COPY, JSON = (
    "EDS",
    "one at a time",
    "bare socket",
    "COPY of the final rows",
    "json.loads",
)


def add_options(parser: argparse.ArgumentParser) -> None:
    add_common_options(parser)
    parser.add_argument("--database", choices=KINDS, default="postgresql")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument(
        "--naive-events", type=int, default=2_000, help="0: without the comparisons"
    )
    parser.add_argument("--gzip-share", type=float, default=0.0)
    parser.add_argument("--small", action="store_true", help="one narrow table")


async def run(options: argparse.Namespace) -> None:
    async with racing(options) as race:
        runs = await paired(options.runs, race.ways())
    report("stream", options, runs, ratios(runs), race.facts())
    race.check()


@asynccontextmanager
async def racing(options: argparse.Namespace) -> AsyncIterator[Race]:
    """A stream with all events in it, and a database."""
    make = _small if options.small else generate
    events = list(islice(make(options.seed), options.events))
    with tempfile.TemporaryDirectory(prefix="eds-bench-") as name:
        async with Sandbox(Path(name)) as sandbox:
            for model in bench_models().values():
                sandbox.use(model)
            sequences = await sandbox.publish_many(
                events, gzip_share=options.gzip_share
            )
            with own_database(options.database) as database:
                yield Race(sandbox, database, events, sequences[-1], options)


def _small(seed: int) -> Iterator[ShopEvent]:
    return updates(seed, KEYS, SMALL)


class Race:
    """All ways to the end of one stream; the first of a round makes the database."""

    def __init__(
        self,
        sandbox: Sandbox,
        database: Database,
        events: Sequence[ShopEvent],
        last: int,
        options: argparse.Namespace,
    ) -> None:
        self._sandbox, self._database, self._last = sandbox, database, last
        self._events, self._options = events, options
        state = fold(events)
        self._models: dict[str, Model] = {name: bench_models()[name] for name in state}
        self._expected = digest_of_state(state, self._models)
        self._url = ""
        self._correct = True

    def ways(self) -> Ways:
        compared = {
            NAIVE: self._naive,
            SOCKET: self._socket,
            COPY: self._copy,
            JSON: self._json,
        }
        return {EDS: self.eds, **(compared if self._options.naive_events else {})}

    def facts(self) -> dict[str, object]:
        events = self._events
        size = sum(len(event.payload) for event in events) / len(events)
        return {
            "bytes per event": round(size),
            "rows touched": len({(event.table, event.key) for event in events}),
            "equal to the replay": self._correct,
        }

    def check(self) -> None:
        if not self._correct:
            raise SystemExit("the tables are NOT what a plain replay gives")

    async def eds(self, change: str = "") -> Run:
        """Catch up on a new database, by a server that is changed like this."""
        self._database.drop()
        self._url = self._database.new_url()
        run = await asyncio.to_thread(self._catch_up, change)
        found = await asyncio.to_thread(digest_of_database, self._url, self._models)
        self._correct &= found == self._expected
        return run

    async def _naive(self) -> Run:
        count = min(self._options.naive_events, len(self._events))
        return await run_naive(self._sandbox, self._url, self._models, count)

    async def _socket(self) -> Run:
        return await read_bare(self._sandbox, "dbchange.>", len(self._events))

    async def _copy(self) -> Run:
        return await asyncio.to_thread(
            bulk_copy, self._database, self._url, *self._models
        )

    async def _json(self) -> Run:
        """In this process, from memory."""
        zipped = round(len(self._events) * self._options.gzip_share)
        payloads = [event.payload for event in self._events]
        packed = [gzip.compress(payload) for payload in payloads[:zipped]]
        own, began = time.process_time(), time.perf_counter()
        for payload in packed:
            json.loads(gzip.decompress(payload))
        for payload in payloads[zipped:]:
            json.loads(payload)
        seconds = time.perf_counter() - began
        return Run(len(payloads), seconds, {"reader": time.process_time() - own})

    def _catch_up(self, change: str) -> Run:
        log = self._sandbox.directory / "eds.log"
        nats = self._sandbox.server.pid or 0
        more = "--consumer-start-time", "24h"
        server = EdsServer(self._sandbox, self._url, log, *more, change=change)
        with server:
            until(server, partial(is_there, self._url))
            with plain(self._url) as tables:

                def position() -> int | None:
                    tables.rollback()  # or it reads the same again
                    return sequence_of(tables)

                until(server, lambda: position() is not None)
                started, database = time.perf_counter(), self._database.cpu()
                eds, before = usage(server.pid), usage(nats)
                until(server, lambda: (position() or 0) >= self._last)
                seconds = time.perf_counter() - started
            after = usage(server.pid)
            cpu = {
                "EDS": after.cpu - eds.cpu,
                "nats": usage(nats).cpu - before.cpu,
                **self._database.processes(database),
            }
        return Run(len(self._events), seconds, cpu, after.peak_mib)


def sequence_of(tables: Plain) -> int | None:
    """The checkpoint, looked at from outside; None while there is none."""
    with suppress(tables.errors):
        ((found,),) = tables.run(CHECKPOINT)
        return found
    return None


def until(server: EdsServer, reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        server.check()
        if time.monotonic() > deadline:
            raise RuntimeError(f"not caught up within {PATIENCE:g} s")
        time.sleep(POLL)


def is_there(url: str) -> bool:
    """SQLite's file is for EDS to make."""
    path = url.removeprefix("sqlite:///")
    return path == url or Path(path).exists()


def ratios(runs: Runs) -> dict[str, dict[str, object]]:
    """What `docs/performance.md` shows; all within the same round."""
    eds = runs[EDS]
    found = {"wall / CPU budget": ratio((r.seconds for r in eds), map(budget, eds))}
    for other in (NAIVE, SOCKET):
        if other in runs:
            found[f"EDS / {other}"] = speed_ratio(eds, runs[other])
    if COPY in runs:
        seconds = (run.seconds for run in runs[COPY])
        found["time of COPY / of EDS"] = ratio(seconds, (r.seconds for r in eds))
    if JSON in runs:
        cpu = (run.cpu_per("EDS") for run in eds)
        found["CPU of EDS / json.loads"] = ratio(
            cpu, (run.cpu_per("reader") for run in runs[JSON])
        )
    return found


def budget(run: Run, cores: int | None = None) -> float:
    """Seconds that the CPU used needs at least: the busiest, or all on all cores."""
    cores = cores or os.cpu_count() or 1
    return max(*run.cpu.values(), sum(run.cpu.values()) / cores, 0.001)
