"""How fast an import is, beside PostgreSQL's own COPY of the same rows.

Each round is, for each table, on a new database: an import into a table that is not
there yet; COPY of just those rows, as CSV that is ready made, into a table with the
same primary key; an import of a later export with the same rows, so that each one is
updated; and `gzip -dc | wc -l` of the file. `order` has 70 columns, `core_charge` 10.
COPY has nothing to unpack, to decode or to compare, and its program costs nothing.

Seconds and CPU are those of the whole command and of the database's sessions, less
what an import of a single row takes: the start counts for little where there are many
rows. At the end one import has twice the rows, which must not need more memory.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median

import psycopg
from tests.servers import PostgresServer

from bench.events import START, bench_models
from bench.machine import own_postgres, sessions_cpu
from bench.report import table, write, write_to
from eds_core.sandbox import COMPANY, Sandbox
from eds_core.sandbox.books import Books, Company
from eds_core.sandbox.exports import export_name

NAME = "import"
TABLES = ("order", "core_charge")
TEMPLATES = 500
PER = 100_000
LATER = 3_600_000_000_000  # nanoseconds from the first export to the second


@dataclass(frozen=True, slots=True)
class Import:
    """One run of `eds import`."""

    seconds: float
    cpu: float
    database_cpu: float
    peak_mib: float


@dataclass(frozen=True, slots=True)
class Round:
    """Everything once, for one table."""

    start: Import  # of one row
    empty: Import
    upsert: Import
    copy_seconds: float
    gunzip_seconds: float

    def seconds(self, run: Import) -> float:
        """What *run* took for its rows, beyond the start."""
        return max(run.seconds - self.start.seconds, 0.001)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument(
        "--tables", default=",".join(TABLES), help="default: %(default)s"
    )
    parser.add_argument("--files", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write figures there")


async def run(options: argparse.Namespace) -> None:
    with (
        own_postgres() as postgres,
        tempfile.TemporaryDirectory(prefix="eds-bench-") as home,
    ):
        async with Sandbox(Path(home) / "sandbox") as sandbox:
            for name in options.tables.split(","):
                sandbox.use(bench_models()[name])
            bench = Bench(postgres, sandbox, Path(home), options)
            figures = await asyncio.to_thread(bench.figures)
    figures = {"rows": options.rows, "runs": options.repeat, **figures}
    print(table(("figure", "median"), figures.items()))
    print(write_to(options.json, figures) if options.json else write(NAME, figures))


class Bench:
    """All rounds, on one cluster."""

    def __init__(
        self,
        postgres: PostgresServer,
        sandbox: Sandbox,
        home: Path,
        options: argparse.Namespace,
    ) -> None:
        self._postgres = postgres
        self._sandbox = sandbox
        self._home = home
        self._options = options

    def figures(self) -> dict[str, object]:
        found: dict[str, object] = {}
        for name in self._options.tables.split(","):
            rounds = [self._round(name) for _ in range(self._options.repeat)]
            found |= figures(name, rounds, self._options.rows)
            found |= self._memory(name, rounds)
        return found

    def _round(self, name: str) -> Round:
        rows = self._options.rows
        folder = self._export(name, rows, START)
        later = self._export(name, rows, START + LATER)
        url = self._postgres.new_database()
        start = self._import(self._export(name, 1, START), url)
        self._postgres.drop_databases()
        url = self._postgres.new_database()
        empty = self._import(folder, url)
        copied = copy(url, name, rows)
        upsert = self._import(later, url)
        check(url, name, rows)
        self._postgres.drop_databases()
        found = Round(start, empty, upsert, copied, gunzip(folder))
        print(f"  {name}: {rows / found.seconds(empty):,.0f} rows/s", flush=True)
        return found

    def _memory(self, name: str, rounds: Sequence[Round]) -> dict[str, object]:
        folder = self._export(name, 2 * self._options.rows, START)
        twice = self._import(folder, self._postgres.new_database())
        self._postgres.drop_databases()
        once = median(r.empty.peak_mib for r in rounds)
        return {f"{name}: peak RSS, twice the rows": round(twice.peak_mib / once, 2)}

    def _export(self, name: str, rows: int, moment: int) -> Path:
        folder = self._home / f"{name}-{rows}-{moment}"
        if not folder.exists():
            make_files(folder, name, rows, self._options.files, moment)
        return folder

    def _import(self, folder: Path, url: str) -> Import:
        program = Path(sys.executable).with_name("eds")
        command = [sys.executable, program, "import", folder, url]
        command += ["--creds", self._sandbox.credentials]
        command += ["--server", self._sandbox.url, "--jobs", str(self._options.jobs)]
        before = sessions_cpu(self._postgres)
        started = time.perf_counter()
        with (self._home / "log").open("w+b") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
            _, status, used = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            log.seek(0)
            assert process.returncode == 0, log.read().decode()
        return Import(
            seconds,
            used.ru_utime + used.ru_stime,
            sessions_cpu(self._postgres) - before,
            used.ru_maxrss / 1024,
        )


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


def copy(url: str, name: str, count: int) -> float:
    """Seconds that COPY takes for the rows that were imported."""
    with (
        psycopg.connect(url) as connection,
        connection.cursor() as cursor,
        tempfile.TemporaryFile() as file,
    ):
        with cursor.copy(f'COPY "{name}" TO STDOUT (FORMAT csv)') as copied:
            for block in copied:
                file.write(block)
        cursor.execute(f'CREATE TABLE copied (LIKE "{name}" INCLUDING ALL)')
        connection.commit()
        file.seek(0)
        started = time.perf_counter()
        with cursor.copy("COPY copied FROM STDIN (FORMAT csv)") as copying:
            while data := file.read(1 << 18):
                copying.write(data)
        connection.commit()
        seconds = time.perf_counter() - started
        assert cursor.rowcount == count
        cursor.execute("DROP TABLE copied")
    return seconds


def check(url: str, name: str, rows: int) -> None:
    """See that each row has come with the later export."""
    query = f'SELECT count(*), min(trunc(_eds_version)) FROM "{name}"'
    with psycopg.connect(url) as connection:
        found = connection.execute(query).fetchone()
    assert found == (rows, START + LATER), found


def gunzip(folder: Path) -> float:
    """Seconds that the system's own programs take to unpack and count the lines."""
    command = "for file in *; do gzip -dc $file; done | wc -l"
    started = time.perf_counter()
    subprocess.run(command, shell=True, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - started


def figures(name: str, rounds: Sequence[Round], rows: int) -> dict[str, object]:
    """Ratios within each round; their medians."""
    found: dict[str, float] = {
        f"{name}: start, s": median(r.start.seconds for r in rounds),
        f"{name}: COPY rows/s": rows / median(r.copy_seconds for r in rounds),
    }
    for road in ("empty", "upsert"):
        runs: list[tuple[Round, Import]] = [(r, getattr(r, road)) for r in rounds]
        told = {
            "rows/s": median(rows / r.seconds(i) for r, i in runs),
            "/ COPY": median(r.copy_seconds / r.seconds(i) for r, i in runs),
            "/ COPY, start included": median(
                r.copy_seconds / i.seconds for r, i in runs
            ),
            "/ gzip|wc": median(r.gunzip_seconds / r.seconds(i) for r, i in runs),
            "CPU s/100k": median(i.cpu - r.start.cpu for r, i in runs) / rows * PER,
            "database CPU s/100k": median(
                i.database_cpu - r.start.database_cpu for r, i in runs
            )
            / rows
            * PER,
            "peak RSS MiB": median(i.peak_mib for _, i in runs),
        }
        found |= {f"{name}, {road}: {what}": number for what, number in told.items()}
    return {what: _short(number) for what, number in found.items()}


def _short(number: float) -> float:
    return round(number) if number > 100 else round(number, 2)
