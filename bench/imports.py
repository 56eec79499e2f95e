"""How fast an import is, beside the database's own bulk load of the same rows.

Each round is, for each table, on a new database: an import of one row, which tells
what a start takes; one into a table that is not there yet; the database's own load
(COPY, LOAD DATA) of just those rows, ready made (for PostgreSQL as CSV), into a table
with the same primary key; an import of a later export with the same rows, so that
each one is updated; and `gzip -dc | wc -l` of the file. `order` has 70 columns,
`core_charge` 10. The yardstick has nothing to unpack, to decode or to compare, and
its program costs nothing.

Seconds and CPU are those of the whole command and of the database's server, less what
an import of a single row takes: the start counts for little where there are many
rows. At the end one import has twice the rows, which must not need more memory, and
the tables are imported together, by one job and by two.
"""

from __future__ import annotations

import argparse
import gzip
import os
import subprocess
import sys
import tempfile
import time
from asyncio import to_thread
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random
from statistics import median

from bench.databases import KINDS, Database, bulk_copy, own_database
from bench.events import START, bench_models
from bench.plain import plain
from bench.report import add_common_options, report
from bench.rounds import Run, Runs, Ways, paired, ratio, speed_ratio
from eds_core.sandbox import COMPANY, Sandbox
from eds_core.sandbox.books import Books, Company
from eds_core.sandbox.exports import export_name

NAME = "import"
TABLES = ("order", "core_charge")
TEMPLATES = 500
LATER = 3_600_000_000_000  # nanoseconds from the first export to the second
START_UP, EMPTY, COPY, UPDATED, GUNZIP, TWICE = (
    "a single row",
    "empty table",
    "COPY",
    "all updated",
    "gzip -dc | wc -l",
    "twice the rows",
)

JOBS = {jobs: f"all tables, --jobs {jobs}" for jobs in (1, 2)}


def add_options(parser: argparse.ArgumentParser) -> None:
    add_common_options(parser)
    parser.add_argument("--database", choices=KINDS, default="postgresql")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument(
        "--tables", default=",".join(TABLES), help="default: %(default)s"
    )
    parser.add_argument("--files", type=int, default=1)


async def run(options: argparse.Namespace) -> None:
    runs: dict[str, list[Run]] = {}
    found: dict[str, dict[str, object]] = {}
    with (
        own_database(options.database) as database,
        tempfile.TemporaryDirectory(prefix="eds-bench-") as home,
    ):
        async with Sandbox(Path(home) / "sandbox") as sandbox:
            names = options.tables.split(",")
            for name in names:
                sandbox.use(bench_models()[name])
            for name in names:
                table = Table(name, database, sandbox, Path(home), options)
                some = await paired(options.runs, table.ways())
                some |= await paired(1, {TWICE: table.twice})
                some = without_start(some)
                runs |= {f"{name}: {way}": each for way, each in some.items()}
                found |= {f"{name}: {k}": v for k, v in ratios(some).items()}
            some = await paired(options.runs, table.side_by_side(names))
            found[f"{JOBS[2]} / {JOBS[1]}"] = speed_ratio(some[JOBS[2]], some[JOBS[1]])
    report(NAME, options, runs | some, found)


class Table:
    """All ways to load one table's rows."""

    def __init__(
        self,
        name: str,
        database: Database,
        sandbox: Sandbox,
        home: Path,
        options: argparse.Namespace,
    ) -> None:
        self._name, self._database, self._sandbox = name, database, sandbox
        self._home, self._options = home, options
        self._rows = options.rows
        self._url = ""

    def ways(self) -> Ways:
        """In this order: each one finds what those before it have made."""
        rows = self._rows
        ways: dict[str, Callable[[], Run]] = {
            START_UP: lambda: self._import(self._export(1, START), anew=True),
            EMPTY: lambda: self._import(self._export(rows, START), anew=True),
            COPY: lambda: bulk_copy(self._database, self._url, self._name, csv=True),
            UPDATED: self._update,
            GUNZIP: lambda: gunzip(self._export(rows, START), rows),
        }
        return {name: partial(to_thread, way) for name, way in ways.items()}

    def side_by_side(self, names: Sequence[str]) -> Ways:
        """Each table's files at once, with one job and with two."""
        folder = self._home / f"all-{self._rows * len(names)}"
        folder.mkdir()
        for name in names:
            for file in self._export(self._rows, START, name).iterdir():
                (folder / file.name).hardlink_to(file)
        return {
            way: partial(to_thread, self._import, folder, anew=True, jobs=jobs)
            for jobs, way in JOBS.items()
        }

    async def twice(self) -> Run:
        folder = self._export(2 * self._rows, START)
        return await to_thread(self._import, folder, anew=True)

    def _update(self) -> Run:
        run = self._import(self._export(self._rows, START + LATER))
        check(self._url, self._name, self._rows)
        return run

    def _export(self, rows: int, moment: int, name: str = "") -> Path:
        name = name or self._name
        folder = self._home / f"{name}-{rows}-{moment}"
        if not folder.exists():
            make_files(folder, name, rows, self._options.files, moment)
        return folder

    def _import(self, folder: Path, *, anew: bool = False, jobs: int = 2) -> Run:
        if anew:
            self._database.drop()
            self._url = self._database.new_url()
        program = Path(sys.executable).with_name("eds")
        command = [sys.executable, program, "import", folder, self._url]
        command += ["--creds", self._sandbox.credentials]
        command += ["--server", self._sandbox.url, "--jobs", str(jobs)]
        before, started = self._database.cpu(), time.perf_counter()
        with (self._home / "log").open("w+b") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
            _, status, used = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            log.seek(0)
            assert process.returncode == 0, log.read().decode()
        cpu = {
            "EDS": used.ru_utime + used.ru_stime,
            **self._database.processes(before),
        }
        rows = int(folder.name.split("-")[1])
        return Run(rows, seconds, cpu, used.ru_maxrss / 1024)


def make_files(folder: Path, name: str, count: int, files: int, moment: int) -> None:
    """Write *count* rows; values repeat after some hundred, keys never."""
    folder.mkdir(parents=True)
    templates = list(lines(name))
    for number in range(files):
        path = folder / export_name(name, moment + number)
        with gzip.open(path, "wb", compresslevel=1) as file:
            for row in range(number, count, files):
                key, text = templates[row % TEMPLATES]
                file.write(text.replace(key, b"%024x" % row) + b"\n")


def lines(name: str) -> Iterator[tuple[bytes, bytes]]:
    books = Books(Random(7), bench_models(), lambda: START)
    company = Company(COMPANY)
    for _ in range(TEMPLATES):
        event = books.insert(company, name)
        (key,) = event.key
        yield key.encode(), company.stores[name].get(event.key).text


def check(url: str, name: str, rows: int) -> None:
    """See that each row has come with the later export."""
    with plain(url) as tables:
        query = f"SELECT count(*), min(_eds_version) FROM {tables.quoted(name)}"
        ((count, version),) = tables.run(query)
    wall = int(str(version).partition(".")[0])
    assert (count, wall) == (rows, START + LATER), (count, version)


def gunzip(folder: Path, rows: int) -> Run:
    """The system's own programs unpack and count the lines."""
    command = "for file in *; do gzip -dc $file; done | wc -l"
    started = time.perf_counter()
    subprocess.run(command, shell=True, cwd=folder, check=True, capture_output=True)
    return Run(rows, time.perf_counter() - started)


def without_start(runs: Runs) -> dict[str, list[Run]]:
    """What the rows took, beyond what a single one does."""
    starts = runs[START_UP]
    timed = {
        way: [run.without(start) for run, start in zip(some, starts, strict=False)]
        for way, some in runs.items()
        if way in (EMPTY, UPDATED, TWICE)
    }
    return {**runs, **timed}


def ratios(runs: Runs) -> dict[str, dict[str, object]]:
    """Speeds within each round, without the start; and the peak of memory."""
    once = median(run.peak_mib for run in runs[EMPTY])
    return {
        **{
            f"{road} / {other}": speed_ratio(runs[road], runs[other])
            for road in (EMPTY, UPDATED)
            for other in (COPY, GUNZIP)
        },
        "peak RSS, twice the rows": ratio((runs[TWICE][0].peak_mib,), (once,)),
    }
