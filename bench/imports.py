"""How fast an import is, beside PostgreSQL's own COPY of the same rows.

The rows are of `order` (70 columns), packed with gzip, in as many files as --files.
COPY gets them as text, ready made, into a table with the same primary key: it has
nothing to unpack, to decode or to compare, so that a ratio of 1 cannot be reached.
Twice the rows must not need more memory.
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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psycopg

from bench.events import START, bench_models
from bench.machine import own_postgres
from bench.report import table, write
from eds_core.sandbox import COMPANY, Sandbox
from eds_core.sandbox.books import Books, Company
from eds_core.sandbox.exports import export_name

NAME = "import"
TEMPLATES = 500


@dataclass(frozen=True, slots=True)
class Figures:
    """One import and one COPY of its rows."""

    rows: int
    seconds: float
    copy_seconds: float
    cpu: float
    peak_mib: float

    @property
    def ratio(self) -> float:
        return self.copy_seconds / self.seconds


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)


async def run(options: argparse.Namespace) -> None:
    with (
        own_postgres() as postgres,
        tempfile.TemporaryDirectory(prefix="eds-bench-") as home,
    ):
        async with Sandbox(Path(home) / "sandbox") as sandbox:
            sandbox.use(bench_models()["order"])
            found = []
            for count in [options.rows] * options.repeat + [2 * options.rows]:
                folder = Path(home) / f"export-{count}"
                if not folder.exists():
                    make_files(folder, count, options.files)
                url = postgres.new_database()
                found.append(
                    await asyncio.to_thread(
                        measure, sandbox, folder, url, count, options.jobs
                    )
                )
                postgres.drop_databases()
    tell(found, options)


def make_files(folder: Path, count: int, files: int) -> None:
    """Write *count* rows; values repeat after some hundred, keys never."""
    folder.mkdir(parents=True)
    templates = list(lines())
    for number in range(files):
        path = folder / export_name("order", START + number)
        with gzip.open(path, "wb", compresslevel=1) as file:
            for row in range(number, count, files):
                key, text = templates[row % TEMPLATES]
                file.write(text.replace(key, b"%024x" % row) + b"\n")


def lines() -> Iterator[tuple[bytes, bytes]]:
    books = Books(Random(7), bench_models(), lambda: START)
    company = Company(COMPANY)
    for _ in range(TEMPLATES):
        event = books.insert(company, "order")
        (key,) = event.key
        yield key.encode(), company.stores["order"].get(event.key).text


def measure(sandbox: Sandbox, folder: Path, url: str, count: int, jobs: int) -> Figures:
    program = Path(sys.executable).with_name("eds")
    command = [sys.executable, program, "import", "--creds", sandbox.credentials]
    command += ["--server", sandbox.url, "--jobs", str(jobs), folder, url]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, process.returncode
    return Figures(
        count,
        seconds,
        copy(url, count),
        used.ru_utime + used.ru_stime,
        used.ru_maxrss / 1024,
    )


def copy(url: str, count: int) -> float:
    """Seconds that COPY takes for the rows that were imported."""
    with (
        psycopg.connect(url) as connection,
        connection.cursor() as cursor,
        tempfile.TemporaryFile() as file,
    ):
        with cursor.copy('COPY "order" TO STDOUT') as copied:
            for block in copied:
                file.write(block)
        cursor.execute('CREATE TABLE copied (LIKE "order" INCLUDING ALL)')
        connection.commit()
        file.seek(0)
        started = time.perf_counter()
        with cursor.copy("COPY copied FROM STDIN") as copying:
            while data := file.read(1 << 18):
                copying.write(data)
        connection.commit()
        seconds = time.perf_counter() - started
        cursor.execute("SELECT count(*) FROM copied")
        assert cursor.fetchone() == (count,)
    return seconds


def tell(found: list[Figures], options: argparse.Namespace) -> None:
    rows = [
        (
            f"{f.rows} rows",
            f"{f.rows / f.seconds:.0f}",
            f"{f.rows / f.copy_seconds:.0f}",
            f"{f.ratio:.2f}",
            f"{f.cpu / f.rows * 100_000:.1f}",
            f"{f.peak_mib:.0f}",
        )
        for f in found
    ]
    head = ("import", "rows/s", "COPY", "ratio", "CPU s/100k", "peak MiB")
    print(table(head, rows))
    once = sorted(found[:-1], key=lambda f: f.ratio)
    ratio = once[len(once) // 2].ratio
    memory = found[-1].peak_mib / max(f.peak_mib for f in once)
    print(f"ratio to COPY {ratio:.2f} (median), memory for twice the rows {memory:.2f}")
    figures = {"ratio": ratio, "memory": memory, "options": vars(options) | {"run": ""}}
    print(write(NAME, figures))
