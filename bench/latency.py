"""How long a lone change takes: published to visible in PostgreSQL.

The server runs as a process of its own, and rows of `order` (70 columns) are
published at a steady rate. A third process watches with a connection of its own:
as soon as events have been published it asks for their rows by primary key, again
and again with pauses of half a millisecond, until the rows have the events' versions.
So each figure is too high by up to one pause and one query (about 1 ms together); the
publisher, the watcher and both servers share this machine's cores, which adds more.
Both clocks are this machine's monotonic one. The denominator is the time of a bare
upsert with its commit, of such rows in the same database, at the same rate.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import multiprocessing.connection
import tempfile
import time
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice, takewhile
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from statistics import median

import msgspec
import psycopg

from bench.events import bench_models, updates, version_of
from bench.machine import EdsServer, own_postgres
from bench.report import percentile, table, write
from eds_core.sandbox import Sandbox, ShopEvent

ROWS = 200
PAUSE = 0.0005  # between two looks
PATIENCE = 60.0  # seconds for one event
BARE = 200
BARE_PAUSE = 0.02
VERSIONS = 'SELECT id, _eds_version FROM "order" WHERE id = ANY(%s)'
BARE_TABLE = 'CREATE TABLE bench_bare (LIKE "order" INCLUDING ALL)'
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}

Wanted = Sequence[tuple[str, str]]  # key, version


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rate", default="50", help="events per second, e.g. 1,50,500")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each rate")
    parser.add_argument("--seed", type=int, default=1)


async def run(options: argparse.Namespace) -> None:
    rates = [float(rate) for rate in options.rate.split(",")]
    events = updates(options.seed, ROWS, "order")
    with own_postgres() as postgres, tempfile.TemporaryDirectory() as name:
        async with Sandbox(Path(name)) as sandbox:
            for model in bench_models().values():
                sandbox.use(model)
            url = postgres.new_database()
            with EdsServer(sandbox, url, Path(name) / "eds.log") as server:
                server.wait_ready()
                await _measure(sandbox, url, islice(events, ROWS), 100.0)  # warm up
                found = {
                    rate: await _measure(
                        sandbox, url, islice(events, _count(rate, options)), rate
                    )
                    for rate in rates
                }
                bare = await asyncio.to_thread(
                    _bare_upserts, url, list(islice(events, BARE))
                )
                server.check()
    _report(found, bare, options)


def _count(rate: float, options: argparse.Namespace) -> int:
    return max(10, int(rate * options.seconds))


async def _measure(
    sandbox: Sandbox, url: str, some: Iterator[ShopEvent], rate: float
) -> list[float]:
    """Publish *some* and return the seconds until each was visible."""
    events = list(some)
    processes = multiprocessing.get_context("spawn")
    published: Synchronized[int] = processes.Value("q", 0)
    ours, theirs = processes.Pipe()
    wanted = [(event.key[0], version_of(event)) for event in events]
    watcher = processes.Process(target=_watch, args=(url, wanted, published, theirs))
    watcher.start()
    theirs.close()
    try:
        await asyncio.to_thread(ours.recv)  # it is connected
        sent = await _publish(sandbox, events, rate, published)
        seen = await asyncio.to_thread(ours.recv)
    except EOFError:
        raise RuntimeError("the watcher waited in vain, see above") from None
    finally:
        watcher.terminate()
        watcher.join()
    return [(end - begin) / 1e9 for begin, end in zip(sent, seen, strict=True)]


async def _publish(
    sandbox: Sandbox,
    events: list[ShopEvent],
    rate: float,
    published: Synchronized[int],
) -> list[int]:
    """Keep to the timetable whatever the server does; return when each was sent."""
    sent: list[int] = []
    begin = time.monotonic()
    on_the_way: list[asyncio.Task[int]] = []
    for number, event in enumerate(events):
        await asyncio.sleep(max(0.0, begin + number / rate - time.monotonic()))
        sent.append(time.monotonic_ns())
        on_the_way.append(asyncio.create_task(sandbox.publish(event)))
        await asyncio.sleep(0)  # it goes out now
        published.value = number + 1
    await asyncio.gather(*on_the_way)
    return sent


def _watch(
    url: str,
    wanted: Wanted,
    published: Synchronized[int],
    out: multiprocessing.connection.Connection,
) -> None:
    """In a process of its own: note when each of *wanted* became visible."""
    seen: list[int] = []
    with psycopg.connect(url, autocommit=True) as connection:
        connection.prepare_threshold = 0
        out.send("connected")
        last = time.monotonic()
        while len(seen) < len(wanted):
            waiting = wanted[len(seen) : published.value]
            if waiting and (count := _visible(connection, waiting)):
                last = time.monotonic()
                seen += [time.monotonic_ns()] * count
            else:
                time.sleep(PAUSE)
            if time.monotonic() > last + PATIENCE:
                raise RuntimeError(f"event {len(seen)} has not become visible")
    out.send(seen)


def _visible(connection: psycopg.Connection, waiting: Wanted) -> int:
    """How many of *waiting* are there, in their order: so they were committed."""
    keys = [key for key, _ in waiting]
    try:
        found: dict[str, Decimal] = dict(
            connection.execute(VERSIONS, (keys,)).fetchall()
        )
    except psycopg.errors.UndefinedTable:  # before the first event
        return 0
    there = (found.get(key, 0) >= Decimal(version) for key, version in waiting)
    return sum(1 for _ in takewhile(bool, there))


def _bare_upserts(url: str, events: list[ShopEvent]) -> list[float]:
    """Seconds of one upsert with its commit, of each event's row."""
    names = bench_models()["order"].column_names
    values = ", ".join(
        f'"{name}" = excluded."{name}"' for name in names if name != "id"
    )
    statement = (
        "INSERT INTO bench_bare SELECT * FROM "
        "json_populate_recordset(NULL::bench_bare, %s) "
        f"ON CONFLICT (id) DO UPDATE SET {values}"
    )
    seconds: list[float] = []
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(BARE_TABLE)
        connection.prepare_threshold = 0
        for event in events:
            after = msgspec.json.decode(event.payload, type=dict[str, msgspec.Raw])
            row = b"[" + bytes(after["after"]) + b"]"
            begin = time.perf_counter()
            connection.execute(statement, (row.decode(),))
            seconds.append(time.perf_counter() - begin)
            time.sleep(BARE_PAUSE)
    return seconds


def _report(
    found: dict[float, list[float]], bare: list[float], options: argparse.Namespace
) -> None:
    unit = median(bare)
    rows = [
        (f"{rate:g}/s, {len(times)} events", *_milliseconds(times))
        for rate, times in found.items()
    ]
    rows.append((f"bare upsert, {len(bare)}", *_milliseconds(bare)))
    ratios = [
        (f"{rate:g}/s : bare p50", *_ratios(times, unit))
        for rate, times in found.items()
    ]
    print(table(("ms", *SHARES), [*rows, *ratios]))
    figures = {
        "seconds": options.seconds,
        "bare_p50_ms": round(unit * 1000, 3),
        "rates": {
            f"{rate:g}": {
                "ms": dict(zip(SHARES, _milliseconds(times), strict=True)),
                "ratio": dict(zip(SHARES, _ratios(times, unit), strict=True)),
            }
            for rate, times in found.items()
        },
    }
    print(write("latency", figures))


def _milliseconds(times: Sequence[float]) -> list[float]:
    return [round(percentile(times, share) * 1000, 2) for share in SHARES.values()]


def _ratios(times: Sequence[float], unit: float) -> list[float]:
    return [round(percentile(times, share) / unit, 1) for share in SHARES.values()]
