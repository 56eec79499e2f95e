"""Catching up: events per second from JetStream into a database.

N events of about 3 KB (with `--small` of 1.3) wait in the stream; the server process
starts on an empty database, and the time runs from the moment its first position is
in the database (its consumers are made after that, tables and schema look-ups
included) until its checkpoint has reached the last event. In turn with that, one
event at a time is applied the plain way (see bench/naive.py) to a like database on
the same machine.
The ratio of the two is the figure. Everything shares this machine's cores: it is
not what a server of its own would do, and N events with few distinct rows coalesce
more than N events with many.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median

import psycopg

from bench.check import digest_of_database, digest_of_state
from bench.events import KEYS, SMALL, bench_models, generate, updates
from bench.machine import EdsServer, backends, own_postgres, usage
from bench.naive import run_naive
from bench.report import table, write
from eds_core.sandbox import Model, Sandbox, ShopEvent, fold

PATIENCE = 900.0  # seconds without an end
POLL = 0.005
CHECKPOINT = "SELECT max(seq) FROM _eds_checkpoint"


@dataclass(slots=True)
class Run:
    """One catching up."""

    seconds: float
    eds_cpu: float
    database_cpu: float
    nats_cpu: float
    peak_mib: float
    correct: bool


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--events", type=int, default=30_000)
    parser.add_argument("--naive-events", type=int, default=2_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--gzip-share", type=float, default=0.0)
    parser.add_argument("--small", action="store_true", help="one narrow table")
    parser.add_argument(
        "--database", choices=("postgresql", "sqlite"), default="postgresql"
    )


async def run(options: argparse.Namespace) -> None:
    make = _small if options.small else generate
    events = list(islice(make(options.seed), options.events))
    state = fold(events)
    expected = digest_of_state(state, _models(state))
    with tempfile.TemporaryDirectory(prefix="eds-bench-") as name:
        directory = Path(name)
        async with Sandbox(directory) as sandbox:
            last = await _preload(sandbox, events, options.gzip_share)
            with _databases(options.database, directory) as new_url:
                runs, naive = await _pairs(sandbox, new_url, last, expected, options)
    _report(options, events, runs, naive)


def _small(seed: int) -> Iterator[ShopEvent]:
    return updates(seed, KEYS, SMALL)


def _models(tables: Iterable[str]) -> dict[str, Model]:
    return {name: bench_models()[name] for name in tables}


async def _preload(sandbox: Sandbox, events: list[ShopEvent], gzip_share: float) -> int:
    for model in bench_models().values():
        sandbox.use(model)
    return (await sandbox.publish_many(events, gzip_share=gzip_share))[-1]


@contextmanager
def _databases(kind: str, directory: Path) -> Iterator[Callable[[], str]]:
    """Lend what makes new, empty databases."""
    if kind == "sqlite":
        names = iter(range(1000))
        yield lambda: f"sqlite:///{directory / f'shop{next(names)}.db'}"
        return
    with own_postgres() as server:
        yield server.new_database


async def _pairs(
    sandbox: Sandbox,
    new_url: Callable[[], str],
    last: int,
    expected: dict[str, str],
    options: argparse.Namespace,
) -> tuple[list[Run], list[float]]:
    """Both ways in turn; the naive one in seconds per event."""
    runs: list[Run] = []
    naive: list[float] = []
    count = min(options.naive_events, options.events)
    for _ in range(options.runs):
        url = new_url()
        runs.append(await asyncio.to_thread(_catch_up, sandbox, url, last, expected))
        print(f"  eds {options.events / runs[-1].seconds:,.0f} events/s", flush=True)
        if count:
            seconds = await run_naive(sandbox, url, bench_models(), count)
            naive.append(seconds / count)
            print(f"  one at a time {1 / naive[-1]:,.0f} events/s", flush=True)
    return runs, naive


def _catch_up(sandbox: Sandbox, url: str, last: int, expected: dict[str, str]) -> Run:
    log = sandbox.directory / "eds.log"
    nats = sandbox.server.pid or 0
    with EdsServer(sandbox, url, log, "--consumer-start-time", "24h") as server:
        with _checkpoint(url, server) as sequence:
            _until(server, lambda: sequence() is not None)
            started = time.perf_counter()
            eds_before, nats_before = usage(server.pid), usage(nats)
            _until(server, lambda: (sequence() or 0) >= last)
            seconds = time.perf_counter() - started
        eds, nats_after = usage(server.pid), usage(nats)
        database = 0.0 if url.startswith("sqlite") else _database_cpu(url)
    found = digest_of_database(url, _models(expected))
    return Run(
        seconds,
        eds.cpu - eds_before.cpu,
        database,
        nats_after.cpu - nats_before.cpu,
        eds.peak_mib,
        found == expected,
    )


def _database_cpu(url: str) -> float:
    """Of the server's sessions, from their start."""
    return sum(usage(pid).cpu for pid in backends(url))


def _until(server: EdsServer, reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        server.check()
        if time.monotonic() > deadline:
            raise RuntimeError(f"the server has not caught up within {PATIENCE:g} s")
        time.sleep(POLL)


@contextmanager
def _checkpoint(url: str, server: EdsServer) -> Iterator[Callable[[], int | None]]:
    """Lend what reads the checkpoint, from outside; None while there is none."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        _until(server, path.exists)
        with closing(sqlite3.connect(path, timeout=10)) as connection:
            yield partial(_read_sqlite, connection)
    else:
        with psycopg.connect(url, autocommit=True) as connection:
            yield partial(_read_postgres, connection)


def _read_sqlite(connection: sqlite3.Connection) -> int | None:
    with suppress(sqlite3.OperationalError):
        (found,) = connection.execute(CHECKPOINT).fetchone()
        return None if found is None else int(found)
    return None


def _read_postgres(connection: psycopg.Connection) -> int | None:
    with suppress(psycopg.errors.UndefinedTable):
        found = connection.execute(CHECKPOINT).fetchone()
        return found[0] if found else None
    return None


def _report(
    options: argparse.Namespace,
    events: list[ShopEvent],
    runs: list[Run],
    naive: list[float],
) -> None:
    per = 100_000 / len(events)
    size = sum(len(event.payload) for event in events) / len(events)
    eds = len(events) / median(run.seconds for run in runs)
    figures = {
        "database": options.database,
        "events": len(events),
        "bytes per event": round(size),
        "rows touched": len({(event.table, event.key) for event in events}),
        "events/s": round(eds),
        "one at a time/s": round(1 / median(naive)) if naive else None,
        "ratio": round(eds * median(naive), 1) if naive else None,
        "eds CPU s/100k": round(median(run.eds_cpu for run in runs) * per, 2),
        "database CPU s/100k": round(median(r.database_cpu for r in runs) * per, 2),
        "nats-server CPU s/100k": round(median(r.nats_cpu for r in runs) * per, 2),
        "peak RSS MiB": round(median(run.peak_mib for run in runs)),
        "equal to the replay": all(run.correct for run in runs),
    }
    print(table(("figure", "median"), figures.items()))
    every = {"each events/s": [round(len(events) / run.seconds) for run in runs]}
    print(write("stream", {**figures, **every}))
    if not figures["equal to the replay"]:
        raise SystemExit("the tables are NOT what a plain replay gives")
