"""The parts that are measured: servers, databases, and what their processes use.

CPU and memory are the kernel's own counts from /proc, so that this runs on Linux
only. PostgreSQL is a cluster of our own that keeps its promises (fsync is on).
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import psycopg
from tests.servers import (
    NO_POSTGRES,
    OwnPostgres,
    PostgresServer,
    new_home,
    postgres_programs,
)

from eds_core.sandbox import Sandbox

TICKS = os.sysconf("SC_CLK_TCK")
SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "8GB",
}
START_WITHIN = 30.0  # seconds


@contextmanager
def own_postgres() -> Iterator[PostgresServer]:
    """Lend a new cluster whose commits reach the disk."""
    programs = postgres_programs()
    if programs is None:
        raise SystemExit(NO_POSTGRES)
    server = OwnPostgres(programs, new_home())
    try:
        server.create()
        for name, value in SETTINGS.items():
            server.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        server.stop()
        server.start()
        yield server
    finally:
        server.discard()


class EdsServer:
    """`eds server` as a process of its own, streaming into *url*.

    *nats* is where it connects, by default to the sandbox itself; *change* is a
    statement of Python that it executes before it starts.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        url: str,
        log: Path,
        *more: str,
        nats: str = "",
        change: str = "",
    ) -> None:
        self.url = url
        self._log = log
        program = f"{change}\nfrom eds_core.cli import main\nmain()"
        self._command: list[str | Path] = [sys.executable, "-c", program, "server"]
        self._command += [
            "--creds",
            sandbox.credentials,
            "--server",
            nats or sandbox.url,
        ]
        self._command += [*more, url]

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def ready(self) -> bool:
        """Whether it has ever been."""
        return re.search(rb"\bready\b", self._log.read_bytes()) is not None

    def check(self) -> None:
        """Raise what the server has said if it has ended."""
        if self.ended:
            raise RuntimeError(f"the server ended:\n{self._log.read_text()[-3000:]}")

    def wait_ready(self) -> None:
        deadline = time.monotonic() + START_WITHIN
        while not self.ready:
            self.check()
            if time.monotonic() > deadline:
                raise RuntimeError(f"not ready:\n{self._log.read_text()[-3000:]}")
            time.sleep(0.01)

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def stop(self) -> int:
        """End it in good order; return its exit code."""
        if not self.ended:
            self.send(signal.SIGTERM)
        return self._process.wait(30)

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()
        self._process.wait()


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds so far, and the most memory held at once, of one process."""

    cpu: float
    peak_mib: float


def usage(pid: int) -> Usage:
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    cpu = (int(stat[11]) + int(stat[12])) / TICKS  # user and system
    status = Path(f"/proc/{pid}/status").read_text()
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    return Usage(cpu, int(peak[1]) / 1024 if peak else 0.0)


def waited(pid: int) -> float:
    """Seconds that a process's first thread could have run and had no core."""
    _, nanoseconds, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    return int(nanoseconds) / 1e9


def tree_cpu(pid: int) -> float:
    """CPU seconds so far of a process and of all that it has started."""
    stats = [_stat(path) for path in Path("/proc").glob("[0-9]*/stat")]
    children = defaultdict(list)
    for stat in stats:
        if stat:
            children[stat.parent].append(stat)
    found, total = [stat for stat in stats if stat and stat.pid == pid], 0.0
    while found:
        stat = found.pop()
        total += stat.cpu
        found += children[stat.pid]
    return total


class _Stat(NamedTuple):
    pid: int
    parent: int
    cpu: float  # with that of children that have ended


def _stat(path: Path) -> _Stat | None:
    """What the kernel counts; None for a process that has just ended."""
    try:
        rest = path.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    cpu = sum(map(int, rest[11:15])) / TICKS
    return _Stat(int(path.parent.name), int(rest[1]), cpu)


def backends(url: str) -> list[int]:
    """The process ids that serve others than us in the database of *url*."""
    query = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    with psycopg.connect(url) as connection:
        return [pid for (pid,) in connection.execute(query)]
