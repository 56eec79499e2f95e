"""Each stage of catching up alone: consume, decode, coalesce, write.

The events of ``stream`` go through one stage at a time, in this process: read from
JetStream and dropped; decoded from memory, on arrival; coalesced to batches; batches
written to PostgreSQL. Each figure is beside a yardstick of the same run: a bare socket
that parses nothing, `json.loads`, the decoding, COPY of the final rows. At last the
stages of an import, of a file with as many rows of `order`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BufferedReader
from itertools import islice
from pathlib import Path
from statistics import median

from bench.events import START, bench_models, generate
from bench.imports import make_files
from bench.machine import own_postgres
from bench.report import table, write
from eds_core.destination import Destination, open_destination
from eds_core.event import Message, Version
from eds_core.gunzip import GzipFile
from eds_core.importer.reading import read_lines
from eds_core.intake import Intake
from eds_core.ledger import Checkpoint, Move
from eds_core.line import LineReader
from eds_core.model import parse_reply
from eds_core.sandbox import COMPANY, Sandbox, ShopEvent
from eds_core.schema import TableSchema
from eds_core.server import spare_the_collector
from eds_core.stream import Feed, Settings
from eds_core.stream.consumer import Item
from eds_core.work import Work, coalesce, disagreeing, make_work
from eds_core.writer import Writer

HELD = 4 * 1024 * 1024  # bytes given back at once, as a writer does
TOGETHER = 50
BLOCK = 1 << 20
NOW = 2_000_000_000_000_000_000


@dataclass(slots=True)
class Cost:
    """Of one stage, per 100,000 events."""

    wall: float
    cpu: float


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--events", type=int, default=40_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--only",
        choices=("consume", "decode", "coalesce", "write", "import"),
        help="one stage",
    )


async def run(options: argparse.Namespace) -> None:
    spare_the_collector()  # as the server does
    events = list(islice(generate(options.seed), options.events))
    stages = {
        "consume": consume,
        "decode": decode,
        "coalesce": coalesced,
        "write": written,
        "import": imported,
    }
    rows: list[tuple[str, str, str]] = []
    figures: dict[str, object] = {"events": len(events)}
    for name, stage in stages.items():
        if options.only in (None, name):
            for what, costs in (await stage(events, options.runs)).items():
                cost = _median(costs, len(events))
                rows.append((f"{name}: {what}", f"{cost.wall:.2f}", f"{cost.cpu:.2f}"))
                figures[f"{name}: {what}"] = {"wall": cost.wall, "cpu": cost.cpu}
    print(table(("s per 100,000 events", "wall", "CPU"), rows))
    print(write("stages", figures))


def _median(costs: Iterable[Cost], events: int) -> Cost:
    walls, cpus = zip(*((cost.wall, cost.cpu) for cost in costs), strict=True)
    per = 100_000 / events
    return Cost(median(walls) * per, median(cpus) * per)


@contextmanager
def _measured(costs: list[Cost]) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    costs.append(Cost(time.perf_counter() - wall, time.process_time() - cpu))


async def consume(events: list[ShopEvent], runs: int) -> dict[str, list[Cost]]:
    """Read the whole stream, and give the bytes back at once."""
    costs: list[Cost] = []
    with tempfile.TemporaryDirectory(prefix="eds-bench-") as name:
        async with Sandbox(Path(name)) as sandbox:
            last = (await sandbox.publish_many(events))[-1]
            settings = Settings((sandbox.url,), sandbox.credentials)
            for _ in range(runs):
                await _read(settings, last, costs)
    return {"EDS's feed": costs}


async def _read(settings: Settings, last: int, costs: list[Cost]) -> None:
    feed, done = Feed(settings), asyncio.Event()
    held = 0

    def sink(items: Sequence[Item]) -> None:
        nonlocal held
        messages = [item for item in items if isinstance(item, Message)]
        ended = any(message.sequence >= last for message in messages)
        held += sum(message.size for message in messages)
        if held > HELD or ended:
            # A message counts as held only when the sink has returned.
            asyncio.get_running_loop().call_soon(feed.pool.release, held)
            held = 0
        if ended:
            done.set()

    await feed.open()
    with _measured(costs):
        feed.follow(COMPANY, sink, after=0)
        await done.wait()
    await feed.close()


async def decode(events: list[ShopEvent], runs: int) -> dict[str, list[Cost]]:
    """From messages to entries of the intake."""
    ours: list[Cost] = []
    plain: list[Cost] = []
    for _ in range(runs):
        with _measured(plain):
            for event in events:
                json.loads(event.payload)
        messages = [*_messages(events)]
        intake = Intake()
        intake.open_lane(COMPANY, 0)
        with _measured(ours):
            _put(intake, messages)
    return {"EDS's intake": ours, "json.loads": plain}


def _messages(events: Iterable[ShopEvent]) -> Iterator[Message]:
    for number, event in enumerate(events, 1):
        yield Message(event.subject, event.payload, number, NOW)


async def coalesced(events: list[ShopEvent], runs: int) -> dict[str, list[Cost]]:
    """From entries to batches; what comparing keys with rows is of it."""
    costs: list[Cost] = []
    compared: list[Cost] = []
    for _ in range(runs):
        intake = _filled(events)
        with _measured(costs):
            batches = [coalesce(work)[1] for work in _works(intake)]
        with _measured(compared):
            for batch in batches:
                for runs_of_table in batch.runs.values():
                    for some in runs_of_table:
                        disagreeing(some)
    return {"batches": costs, "of it, key check": compared}


async def written(events: list[ShopEvent], runs: int) -> dict[str, list[Cost]]:
    """Batches into PostgreSQL; coalescing is part of it.

    What proves the claim, moves the checkpoint and commits is also measured alone.
    """
    costs: list[Cost] = []
    empty: list[Cost] = []
    with own_postgres() as server:
        for _ in range(runs):
            destination = open_destination(server.new_database())
            _write_all(destination, events, costs, empty)
            destination.close()
    return {"writer": costs, "of it, fence, checkpoint, commit": empty}


async def imported(events: list[ShopEvent], runs: int) -> dict[str, list[Cost]]:
    """From a file to lines, from lines to rows, from rows to PostgreSQL."""
    costs: dict[str, list[Cost]] = {"unpack": [], "lines": [], "rows": [], "load": []}
    with (
        own_postgres() as server,
        tempfile.TemporaryDirectory(prefix="eds-bench-") as name,
    ):
        for number in range(runs):
            file = _export(Path(name, str(number)), len(events))
            _import(file, server.new_database(), costs)
    return costs


def _export(folder: Path, rows: int) -> Path:
    make_files(folder, "order", rows, 1, START)
    (file,) = folder.iterdir()
    return file


def _import(file: Path, url: str, costs: dict[str, list[Cost]]) -> None:
    with GzipFile(file) as packed, _measured(costs["unpack"]):
        while packed.read1(BLOCK):
            pass
    with GzipFile(file) as packed, _measured(costs["lines"]):
        lines = [*read_lines(BufferedReader(packed, BLOCK), file.name)]
    schema = _schemas()["order"]
    reader = LineReader(schema, cells=True)
    with _measured(costs["rows"]):
        read = [reader.read(line.data, Version(START), NOW) for line in lines]
    rows = [row for _, row, _ in filter(None, read)]
    destination = open_destination(url)
    destination.ledger.create()
    destination.prepare(schema)
    with _measured(costs["load"]):
        destination.bulk_load(schema, rows)
    destination.close()


def _write_all(
    destination: Destination,
    events: list[ShopEvent],
    costs: list[Cost],
    empty: list[Cost],
) -> None:
    ledger = destination.ledger
    ledger.create()
    ledger.establish(Checkpoint(COMPANY, 0, 0, "account", "stream", ""))
    epoch = _epoch(ledger.claim(COMPANY, "bench", "server"))
    writer = Writer(destination)
    works = list(_works(_filled(events), epoch))
    with _measured(costs):
        for work in works:
            writer.write(work)
    last = works[-1].moves[COMPANY]
    nothing = Work((), {COMPANY: replace(last, old=last.new)})
    with _measured(empty):
        for _ in works:
            writer.write(nothing)


def _epoch(checkpoint: Checkpoint | None) -> int:
    if checkpoint is None:
        raise RuntimeError("the company could not be claimed")
    return checkpoint.epoch


def _filled(events: list[ShopEvent]) -> Intake:
    intake = Intake()
    intake.open_lane(COMPANY, 0)
    _put(intake, [*_messages(events)])
    return intake


def _put(intake: Intake, messages: Sequence[Message]) -> None:
    """So many at once as come at once when a server is behind, about."""
    for start in range(0, len(messages), TOGETHER):
        intake.put(messages[start : start + TOGETHER])


def _works(intake: Intake, epoch: int = 1) -> Iterator[Work]:
    schemas = _schemas()
    old = 0
    while (taken := intake.take(lambda event: schemas[event.table])).entries:
        new, at = taken.reached[COMPANY]
        move = Move(COMPANY, epoch, old, new, at)
        yield make_work(taken.entries, {COMPANY: move})
        old = new


def _schemas() -> dict[str, TableSchema]:
    """The tables as the look-up tells them."""
    found: dict[str, TableSchema] = {}
    for name, model in bench_models().items():
        reply = json.dumps({"success": True, "data": model.describe()}).encode()
        schema = parse_reply(reply, name)
        if schema is None:
            raise RuntimeError(f"the model of {name} is not one")
        found[name] = schema
    return found
