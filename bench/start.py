"""How long commands take to start: `eds --help`, and a server until it consumes.

Each round: Python that does nothing; click alone; `eds --help`; and for SQLite and
PostgreSQL a server, from the start of its process until it says that it is ready (its
consumers are made, all that comes is read from then on). The database has its tables
and the company's position, as at each start but the first.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from bench.databases import own_database
from bench.machine import EdsServer, usage
from bench.report import add_common_options, report
from bench.rounds import Run, paired, ratio
from eds_core.sandbox import Sandbox

EDS = Path(sys.executable).with_name("eds")
NOTHING, CLICK, HELP = "python -c pass", "import click", "eds --help"
COMMANDS: dict[str, tuple[str | Path, ...]] = {
    NOTHING: (sys.executable, "-c", "pass"),
    CLICK: (sys.executable, "-c", "import click"),
    HELP: (sys.executable, EDS, "--help"),
}
DATABASES = ("sqlite", "postgresql")


def add_options(parser: argparse.ArgumentParser) -> None:
    add_common_options(parser)


async def run(options: argparse.Namespace) -> None:
    with (
        own_database("sqlite") as sqlite,
        own_database("postgresql") as postgres,
        tempfile.TemporaryDirectory(prefix="eds-bench-") as name,
    ):
        async with Sandbox(Path(name)) as sandbox:
            ways = {what: partial(command, *args) for what, args in COMMANDS.items()}
            for database in (sqlite, postgres):
                way = partial(server, sandbox, database.new_url())
                await way()  # which makes its tables
                ways[f"server, {database.kind}"] = way
            runs = await paired(options.runs, ways)
    ratios = {
        f"{way} / {NOTHING}": ratio(
            (run.seconds for run in some), (run.seconds for run in runs[NOTHING])
        )
        for way, some in runs.items()
        if way != NOTHING
    }
    seconds = {
        way: [round(run.seconds, 3) for run in some] for way, some in runs.items()
    }
    report("start", options, runs, ratios, {"seconds": seconds})


async def command(*arguments: str | Path) -> Run:
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *arguments, stdout=subprocess.DEVNULL
    )
    assert await process.wait() == 0, arguments
    return Run(1, time.perf_counter() - began)


async def server(sandbox: Sandbox, url: str) -> Run:
    log = sandbox.directory / "eds.log"
    began = time.perf_counter()
    with EdsServer(sandbox, url, log) as started:
        await asyncio.to_thread(started.wait_ready)
        seconds, used = time.perf_counter() - began, usage(started.pid)
    return Run(1, seconds, {"EDS": used.cpu}, used.peak_mib)
