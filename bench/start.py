"""How long commands take to start: `eds --help`, and a server until it consumes.

Each round: Python that does nothing; click alone; `eds --help`; and for SQLite and
PostgreSQL a server, from the start of its process until it says that it is ready (its
consumers are made, all that comes is read from then on). The database has its tables
and the company's position, as at each start but the first. Where other programs keep
the cores busy, what a start waits for a core is told, too: a quiet machine saves that.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median

from bench.databases import own_database
from bench.machine import EdsServer, usage, waited
from bench.report import add_common_options, report
from bench.rounds import Run, Runs, paired, ratio, short
from eds_core.sandbox import Sandbox

WAITED = "wait for a core"
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
    found = {
        f"{way} / {NOTHING}": ratio(
            (run.seconds for run in some), (run.seconds for run in runs[NOTHING])
        )
        for way, some in runs.items()
        if way != NOTHING
    }
    report("start", options, runs, found, {"seconds": seconds(runs)})


def seconds(runs: Runs) -> dict[str, dict[str, float]]:
    """Medians, of which those without the wait for a core tell most."""
    return {
        way: {
            "in all": short(median(run.seconds for run in some)),
            "CPU": short(median(run.cpu["EDS"] for run in some)),
            "less the wait for a core": short(
                median(run.seconds - run.cpu[WAITED] for run in some)
            ),
        }
        for way, some in runs.items()
    }


async def command(*arguments: str | Path) -> Run:
    return await asyncio.to_thread(_ended, arguments)


def _ended(arguments: tuple[str | Path, ...]) -> Run:
    began = time.perf_counter()
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        took, used = time.perf_counter() - began, usage(process.pid)
        cpu = {"EDS": used.cpu, WAITED: waited(process.pid)}
    assert process.returncode == 0, arguments
    return Run(1, took, cpu)


async def server(sandbox: Sandbox, url: str) -> Run:
    log = sandbox.directory / "eds.log"
    began = time.perf_counter()
    with EdsServer(sandbox, url, log) as started:
        await asyncio.to_thread(started.wait_ready)
        took, used = time.perf_counter() - began, usage(started.pid)
        cpu = {"EDS": used.cpu, WAITED: waited(started.pid)}
    return Run(1, took, cpu, used.peak_mib)
