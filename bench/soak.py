"""Long load with faults: nothing lost, memory and file descriptors flat.

The server catches up on a backlog first, which tells its maximum rate; then a shop
publishes at a share of that, while one thing after the other is harmed at random: the
server itself, NATS, PostgreSQL, the connections to both, and the tables by their user.
The server reaches NATS and the database through proxies. Several times on the way, and
at the end, all tables are compared with the fold of all events. `--spare` harms
everything but the server's process, so that a leak has time to show.

It fails when a table differs, when anything is in quarantine or parked, when the server
ends by itself or prints a traceback, and when a process's descriptors grow. Whether its
memory is flat is told, and for `--spare` it fails as well.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from random import Random
from time import perf_counter
from urllib.parse import urlsplit

import psycopg
from tests.servers import OwnPostgres

from bench.check import digest_of_database, digest_of_state
from bench.events import bench_models
from bench.harm import ENDING, FAULTS, Scene
from bench.keeper import Keeper
from bench.load import Load
from bench.machine import EdsServer, own_postgres
from bench.report import table, write
from eds_core.sandbox import Sandbox
from eds_core.testing.proxy import Proxy, proxy

POLL = 0.1
PATIENCE = 600.0  # seconds from the last event until all must be there
WITHIN = 120.0  # seconds that a fault and its healing may take
STREAM = {"max_bytes": 1024**3}  # what is older has long been written


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=1800, help="of load")
    parser.add_argument("--backlog", type=int, default=60_000, help="events at first")
    parser.add_argument("--share", type=float, default=0.5, help="of the maximum rate")
    parser.add_argument("--comparisons", type=int, default=6, help="on the way")
    parser.add_argument("--pause", type=float, default=10, help="between faults, mean")
    parser.add_argument("--spare", action="store_true", help="the process of EDS")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="where the figures go as well")


async def run(options: argparse.Namespace) -> None:
    with own_postgres() as database:
        url = database.new_database()
        with tempfile.TemporaryDirectory(prefix="eds-soak-") as name:
            async with _soaking(options, database, url, Path(name)) as soak:
                await soak.run()
    figures = soak.figures()
    _report(figures, options)
    if found := problems(figures, soak.said, spare=options.spare):
        raise SystemExit("\n".join(found))


@asynccontextmanager
async def _soaking(
    options: argparse.Namespace, database: OwnPostgres, url: str, directory: Path
) -> AsyncIterator[Soak]:
    async with AsyncExitStack() as parts:
        sandbox = await parts.enter_async_context(
            Sandbox(directory, stream_config=STREAM)
        )
        links = {
            where: parts.enter_context(proxy("127.0.0.1", port))
            for where, port in (
                ("nats", sandbox.server.port),
                ("database", database.port),
            )
        }
        soak = Soak(options, sandbox, database, url, links)
        parts.callback(soak.close)
        yield soak


class Soak:
    """One run, from its backlog to its last comparison."""

    def __init__(
        self,
        options: argparse.Namespace,
        sandbox: Sandbox,
        database: OwnPostgres,
        url: str,
        links: Mapping[str, Proxy],
    ) -> None:
        self._options, self._sandbox, self._url = options, sandbox, url
        self._links, self._database = links, database
        self._dice = Random(options.seed)
        self._load = Load(sandbox, options.seed)
        self._keeper: Keeper | None = None
        self._maximum = 0.0
        self._published = 0.0  # events a second, while it did
        self._faults: Counter[str] = Counter()
        self._slowest = 0.0
        self.said = ""  # by all processes of the server
        self._unequal: list[str] = []
        self._left: dict[str, int] = {}

    async def run(self) -> None:
        await self._load.publish(self._options.backlog)
        self._keeper = keeper = Keeper(self._server)
        watching = asyncio.create_task(keeper.watch())
        try:
            await self._measure()
            await self._rounds()
            self._left = await asyncio.to_thread(_left_over, self._url)
            await asyncio.to_thread(keeper.stop)
        finally:
            watching.cancel()
            logs = sorted(self._sandbox.directory.glob("eds-*.log"))
            self.said = "".join(log.read_text() for log in logs)

    def close(self) -> None:
        if self._keeper is not None:
            self._keeper.kill()

    def _server(self, number: int) -> EdsServer:
        link = self._links["database"]
        parts = urlsplit(self._url)
        behind = self._url.replace(f":{parts.port}/", f":{link.port}/")
        return EdsServer(
            self._sandbox,
            behind,
            self._sandbox.directory / f"eds-{number:04d}.log",
            "--consumer-start-time",
            "24h",
            nats=f"nats://127.0.0.1:{self._links['nats'].port}",
        )

    async def _measure(self) -> None:
        """The maximum rate: a backlog, from its first commit to its last."""
        first = await self._until(1)
        begun = perf_counter()
        last = await self._until(self._load.sequence)
        self._maximum = (last - first) / max(perf_counter() - begun, POLL)
        self._say(f"maximum {self._maximum:,.0f} events/s")

    async def _rounds(self) -> None:
        rate = self._maximum * self._options.share
        seconds = self._options.seconds / self._options.comparisons
        taken, before = 0.0, self._load.count
        for number in range(self._options.comparisons):
            begun = perf_counter()
            async with asyncio.TaskGroup() as both:
                both.create_task(self._harm(begun + seconds))
                await self._load.publish_for(seconds, rate)
                taken += perf_counter() - begun
            begun = perf_counter()
            await self._until(self._load.sequence)
            waited = perf_counter() - begun
            self._slowest = max(self._slowest, waited)
            await self._compare(number, waited)
        self._published = (self._load.count - before) / taken

    async def _harm(self, until: float) -> None:
        """One fault after the other; every one is over when this returns."""
        scene = Scene(
            self._keeper,
            self._sandbox.server,
            self._database,
            self._url,
            self._links,
            self._dice,
        )
        names = [name for name in FAULTS if name not in self._spared]
        while perf_counter() < until:
            name = self._dice.choice(names)
            async with asyncio.timeout(WITHIN):
                await FAULTS[name](scene)
            self._faults[name] += 1
            await asyncio.sleep(self._dice.uniform(0.2, 1.8) * self._options.pause)
            self._keeper.check()

    @property
    def _spared(self) -> frozenset[str]:
        return ENDING if self._options.spare else frozenset()

    async def _until(self, sequence: int) -> int:
        """Wait until the checkpoint has come so far; return where it is."""
        deadline = perf_counter() + PATIENCE
        while (found := await asyncio.to_thread(_checkpoint, self._url)) < sequence:
            self._keeper.check()
            if perf_counter() > deadline:
                raise RuntimeError(f"it stands at {found}, not at {sequence}")
            await asyncio.sleep(POLL)
        return found

    async def _compare(self, number: int, waited: float) -> None:
        wanted = digest_of_state(self._load.expected(), bench_models())
        found = await asyncio.to_thread(digest_of_database, self._url, bench_models())
        wrong = [name for name in wanted if wanted[name] != found[name]]
        self._unequal += [f"comparison {number + 1}: {name}" for name in wrong]
        self._say(
            f"comparison {number + 1}: {self._load.count:,} events, "
            f"{self._faults.total()} faults, there after {waited:.1f} s, "
            + ("equal" if not wrong else f"DIFFERS: {', '.join(wrong)}")
        )

    @staticmethod
    def _say(words: str) -> None:
        print(f"  {words}", flush=True)

    def figures(self) -> dict[str, object]:
        lives = [life for life in self._keeper.lives if life.samples]
        longest = max(lives, key=lambda life: life.seconds)
        return {
            "seconds": self._options.seconds,
            "seed": self._options.seed,
            "events": self._load.count,
            "maximum events/s": round(self._maximum),
            "published events/s": round(self._published),
            "faults": dict(sorted(self._faults.items())),
            "comparisons": self._options.comparisons,
            "unequal": self._unequal,
            "there after the last event, s, at most": round(self._slowest, 1),
            "quarantined": self._left.get("_eds_quarantine", 0),
            "parked": self._left.get("_eds_parked", 0),
            "tracebacks": self.said.count("Traceback"),
            "processes": len(lives),
            "starts without NATS or database": self._keeper.refused,
            "longest life": longest.figures(),
            "RSS MiB of any at most": max(
                life.figures()["RSS MiB at most"] for life in lives
            ),
            "descriptors of any at most": max(
                life.figures()["descriptors at most"] for life in lives
            ),
        }


def problems(figures: Mapping[str, object], said: str, *, spare: bool) -> list[str]:
    """Why a run failed, in which the server *said* this; empty when it did not.

    *spare*: the process lived from start to end, so its memory counts.
    """
    life = figures["longest life"]
    flat = ["descriptors are flat", *(["memory is flat"] * spare)]
    return [
        *figures["unequal"],
        *(f"not so: {what}" for what in flat if not life[what]),
        *(
            f"{figures[what]} {what}: {said[-3000:]}"
            for what in ("quarantined", "parked", "tracebacks")
            if figures[what]
        ),
    ]


def _checkpoint(url: str) -> int:
    """Where the server is; 0 while that cannot be told."""
    with suppress(psycopg.Error), psycopg.connect(url, connect_timeout=5) as it:
        found = it.execute("SELECT max(seq) FROM _eds_checkpoint").fetchone()
        return (found and found[0]) or 0
    return 0


def _left_over(url: str) -> dict[str, int]:
    """What the server could not write."""
    with psycopg.connect(url) as it:
        return {
            name: it.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for name in ("_eds_quarantine", "_eds_parked")
        }


def _report(figures: Mapping[str, object], options: argparse.Namespace) -> None:
    rows = [
        (name, value) for name, value in _flat(figures) if value not in ([], {}, None)
    ]
    print(table(("figure", "value"), rows))
    print(write("soak", figures, options))


def _flat(figures: Mapping[str, object]) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for name, value in figures.items():
        if isinstance(value, Mapping):
            found += [(f"{name}: {inner}", other) for inner, other in value.items()]
        else:
            found.append((name, value))
    return found
