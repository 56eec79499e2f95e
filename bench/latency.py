"""How long a lone change takes: published to visible in PostgreSQL.

The server runs as a process of its own, and rows of `order` (70 columns) are
published at a steady rate. A third process watches with a connection of its own:
as soon as events have been published it asks for their rows by primary key, again
and again with pauses of half a millisecond, until the rows have the events' versions.
So each figure is too high by up to one pause and one query (about 1 ms together); the
publisher, the watcher and both servers share this machine's cores, which adds more.
Both clocks are this machine's monotonic one. The denominator is the median of bare
upserts with their commit, of such rows in the same database, in the same round.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import multiprocessing.connection
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from itertools import islice, takewhile
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from statistics import median

import msgspec
import psycopg

from bench.databases import Database, own_database
from bench.events import bench_models, updates, version_of
from bench.machine import EdsServer, usage
from bench.plain import plain
from bench.report import add_common_options, percentile, report, table
from bench.rounds import Run, paired, ratio, short
from eds_core.sandbox import Sandbox, ShopEvent

ROWS = 200
PAUSE = 0.0005  # between two looks
PATIENCE = 60.0  # seconds for one event
BARE_COUNT = 200
BARE_PAUSE = 0.02
BARE = "bare upsert"
BARE_TABLE = "bench_bare"
VERSIONS = 'SELECT id, _eds_version FROM "order" WHERE id = ANY(%s)'
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}

Wanted = Sequence[tuple[str, str]]  # key, version
Times = Mapping[str, Sequence[Sequence[float]]]  # way, round: seconds of each event


def add_options(parser: argparse.ArgumentParser) -> None:
    add_common_options(parser)
    parser.add_argument(
        "--rate", default="1,50,500,2000", help="events a second; default: %(default)s"
    )
    parser.add_argument(
        "--seconds", type=float, default=10.0, help="for each rate and round"
    )


async def run(options: argparse.Namespace) -> None:
    rates = [float(rate) for rate in options.rate.split(",")]
    with (
        own_database("postgresql") as database,
        tempfile.TemporaryDirectory(prefix="eds-bench-") as name,
    ):
        async with Sandbox(Path(name)) as sandbox:
            for model in bench_models().values():
                sandbox.use(model)
            url = database.new_url()
            with EdsServer(sandbox, url, Path(name) / "eds.log") as server:
                server.wait_ready()
                trip = Trip(sandbox, url, database, server, options)
                await trip.warm_up()
                ways = {BARE: trip.bare}
                ways |= {f"{r:g}/s": partial(trip.at_rate, r) for r in rates}
                runs = await paired(options.runs, ways)
                server.check()
    told = {way: milliseconds(times) for way, times in trip.times.items()}
    print(table(("ms", *SHARES), ((way, *ms.values()) for way, ms in told.items())))
    report("latency", options, runs, ratios(trip.times), {"ms": told})


class Trip:
    """From the shop to the database, at several rates."""

    def __init__(
        self,
        sandbox: Sandbox,
        url: str,
        database: Database,
        server: EdsServer,
        options: argparse.Namespace,
    ) -> None:
        self._sandbox, self._url, self._database = sandbox, url, database
        self._server, self._seconds = server, options.seconds
        self._events = updates(options.seed, ROWS, "order")
        self.times: dict[str, list[list[float]]] = {}

    async def warm_up(self) -> None:
        await _seen(self._sandbox, self._url, islice(self._events, ROWS), 100.0)
        with plain(self._url) as tables:
            tables.make_like("order", BARE_TABLE)

    async def at_rate(self, rate: float) -> Run:
        some = islice(self._events, max(10, int(rate * self._seconds)))
        nats = self._sandbox.server.pid or 0
        eds, database = usage(self._server.pid), self._database.cpu()
        others = usage(nats)
        seen = await _seen(self._sandbox, self._url, some, rate)
        times = [(end - begin) / 1e9 for begin, end in seen]
        seconds, after = (seen[-1][1] - seen[0][0]) / 1e9, usage(self._server.pid)
        cpu = {
            "EDS": after.cpu - eds.cpu,
            "nats": usage(nats).cpu - others.cpu,
            **self._database.processes(database),
        }
        self.times.setdefault(f"{rate:g}/s", []).append(times)
        return Run(len(times), seconds, cpu, after.peak_mib)

    async def bare(self) -> Run:
        some = list(islice(self._events, BARE_COUNT))
        times = await asyncio.to_thread(_bare_upserts, self._url, some)
        self.times.setdefault(BARE, []).append(times)
        return Run(len(times), sum(times))


async def _seen(
    sandbox: Sandbox, url: str, some: Iterator[ShopEvent], rate: float
) -> list[tuple[int, int]]:
    """Publish *some*; return when each was sent and visible, in nanoseconds."""
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
    return list(zip(sent, seen, strict=True))


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


def _bare_upserts(url: str, events: Sequence[ShopEvent]) -> list[float]:
    """Seconds of one upsert with its commit, of each event's row."""
    seconds: list[float] = []
    with plain(url) as tables:
        upsert = tables.upserting(BARE_TABLE, bench_models()["order"])
        for event in events:
            row = after_of(event)
            begin = time.perf_counter()
            upsert(row)
            seconds.append(time.perf_counter() - begin)
            time.sleep(BARE_PAUSE)
    return seconds


def after_of(event: ShopEvent) -> bytes:
    """The row after the event, as it is on the wire."""
    parts = msgspec.json.decode(event.payload, type=dict[str, msgspec.Raw])
    return bytes(parts["after"])


def milliseconds(rounds: Sequence[Sequence[float]]) -> dict[str, float]:
    """The medians over the rounds."""
    return {
        name: short(median(percentile(times, share) for times in rounds) * 1000)
        for name, share in SHARES.items()
    }


def ratios(times: Times) -> dict[str, dict[str, object]]:
    """Each rate's percentiles over the bare upsert's median, of the same round."""
    units = [median(some) for some in times[BARE]]
    return {
        f"{way}: {name} / bare upsert": ratio(
            (percentile(some, share) for some in rounds), units
        )
        for way, rounds in times.items()
        if way != BARE
        for name, share in SHARES.items()
    }
