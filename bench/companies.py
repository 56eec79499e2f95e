"""More than one process: a group's companies, shared out by `--company`.

The events of some companies wait in the stream. One server reads all of them, and in
turn with it as many servers as there are `--processes`, each of them its share, into
one database. The time runs from the start of the first process until the last company
is there, so that the start of each process counts.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from contextlib import ExitStack, suppress
from functools import partial
from itertools import islice
from pathlib import Path

from bench.databases import KINDS, Database, own_database
from bench.events import bench_models, generate
from bench.machine import EdsServer, usage
from bench.plain import Plain, plain
from bench.report import add_common_options, report
from bench.rounds import Run, paired, speed_ratio
from bench.stream import is_there, until
from eds_core.sandbox import Sandbox, ShopEvent

CHECKPOINTS = "SELECT company, seq FROM _eds_checkpoint"
ONE = "1 process"


def add_options(parser: argparse.ArgumentParser) -> None:
    add_common_options(parser)
    parser.add_argument("--database", choices=KINDS, default="postgresql")
    parser.add_argument("--events", type=int, default=100_000, help="in all")
    parser.add_argument("--companies", type=int, default=8)
    parser.add_argument("--processes", type=int, default=2)


async def run(options: argparse.Namespace) -> None:
    companies = [f"{number:024x}" for number in range(options.companies)]
    several = f"{options.processes} processes"
    with tempfile.TemporaryDirectory(prefix="eds-bench-") as name:
        async with Sandbox(Path(name), companies) as sandbox:
            last = await preload(sandbox, options)
            with own_database(options.database) as database:
                ways = {
                    way: partial(
                        asyncio.to_thread, catch_up, sandbox, database, last, processes
                    )
                    for way, processes in ((ONE, 1), (several, options.processes))
                }
                runs = await paired(options.runs, ways)
    found = {f"{several} / {ONE}": speed_ratio(runs[several], runs[ONE])}
    report("companies", options, runs, found)


async def preload(sandbox: Sandbox, options: argparse.Namespace) -> dict[str, int]:
    """Publish; the sequence of each company's last event."""
    for model in bench_models().values():
        sandbox.use(model)
    each = options.events // options.companies
    sources = [
        islice(generate(options.seed + number, company), each)
        for number, company in enumerate(sandbox.companies)
    ]
    events: list[ShopEvent] = [e for some in zip(*sources, strict=True) for e in some]
    sequences = await sandbox.publish_many(events)
    return {e.company: s for e, s in zip(events, sequences, strict=True)}


def catch_up(
    sandbox: Sandbox, database: Database, last: dict[str, int], processes: int
) -> Run:
    database.drop()
    url, nats = database.new_url(), sandbox.server.pid or 0
    before, others, began = database.cpu(), usage(nats).cpu, time.perf_counter()
    with ExitStack() as stack:
        servers = [
            stack.enter_context(_server(sandbox, url, number, share))
            for number, share in enumerate(shares(sandbox.companies, processes))
        ]
        until(servers[0], partial(is_there, url))
        with plain(url) as tables:
            until(servers[0], lambda: _all_there(tables, last))
        seconds = time.perf_counter() - began
        used = [usage(server.pid) for server in servers]
        cpu = {
            "EDS": sum(one.cpu for one in used),
            "nats": usage(nats).cpu - others,
            **database.processes(before),
        }
    return Run(max(last.values()), seconds, cpu, sum(one.peak_mib for one in used))


def shares(companies: tuple[str, ...], count: int) -> list[tuple[str, ...]]:
    """The companies, dealt out one by one."""
    return [companies[number::count] for number in range(count)]


def _server(
    sandbox: Sandbox, url: str, number: int, share: tuple[str, ...]
) -> EdsServer:
    log = sandbox.directory / f"eds-{number}.log"
    arguments = ("--company", ",".join(share), "--consumer-start-time", "24h")
    return EdsServer(sandbox, url, log, *arguments)


def _all_there(tables: Plain, last: dict[str, int]) -> bool:
    tables.rollback()  # or it reads the same again
    with suppress(tables.errors):
        found = dict(tables.run(CHECKPOINTS))
        return all(found.get(company, 0) >= at for company, at in last.items())
    return False
