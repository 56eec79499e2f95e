"""The databases that are measured, each of them with commits that reach the disk."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal

import psycopg
from tests.servers import NO_MARIADB, NO_MYSQL, OwnMysql
from tests.servers.mysql import mysql_program

from bench.machine import own_postgres, tree_cpu
from bench.plain import plain
from bench.rounds import Run

DURABLE = (
    "--innodb-flush-log-at-trx-commit=1",
    "--innodb-flush-method=fsync",
    "--innodb-buffer-pool-size=512M",
)
#: What the two have different names for: room in the redo log.
REDO = {
    "mariadb": "--innodb-log-file-size=1G",
    "mysql": "--innodb-redo-log-capacity=1G",
}
MISSING = {"mariadb": NO_MARIADB, "mysql": NO_MYSQL}


@dataclass(frozen=True, slots=True)
class Database:
    """A server, or a directory of files, that makes new, empty databases."""

    kind: str
    new_url: Callable[[], str]
    drop: Callable[[], None]
    #: CPU seconds of all of the server's processes so far; SQLite has none.
    cpu: Callable[[], float] = lambda: 0.0

    def processes(self, before: float) -> dict[str, float]:
        """What the server has used since it had used *before*, by its name."""
        return {} if self.kind == "sqlite" else {"database": self.cpu() - before}


@contextmanager
def own_database(kind: str) -> Iterator[Database]:
    """Lend one of ours: a new server with nothing in it."""
    with _KINDS[kind](kind) as found:
        yield found


@contextmanager
def _postgres(kind: str) -> Iterator[Database]:
    with own_postgres() as server:
        with psycopg.connect(server.admin_url) as connection:
            (home,) = connection.execute("SHOW data_directory").fetchone() or ("",)
        pid = int(Path(home, "postmaster.pid").read_text().split()[0])
        drop = server.drop_databases
        yield Database(kind, server.new_database, drop, lambda: tree_cpu(pid))


@contextmanager
def _mysql(kind: Literal["mariadb", "mysql"]) -> Iterator[Database]:
    program = mysql_program(kind)
    if program is None:
        raise SystemExit(MISSING[kind])
    parent = "/tmp" if os.geteuid() == 0 else None  # where the server's user may look
    home = Path(tempfile.mkdtemp(prefix=f"eds-{kind}-", dir=parent))
    server = OwnMysql(kind, program, home)
    try:
        server.create()
        server.stop()
        server.start(*DURABLE, REDO[kind])
        pid = int((home / "pid").read_text())
        drop = server.drop_databases
        yield Database(kind, server.new_database, drop, lambda: tree_cpu(pid))
    finally:
        server.discard()


@contextmanager
def _sqlite(kind: str) -> Iterator[Database]:
    home, numbers = Path(tempfile.mkdtemp(prefix="eds-sqlite-")), count()
    try:
        yield Database(
            kind,
            lambda: f"sqlite:///{home / f'shop{next(numbers)}.db'}",
            lambda: [path.unlink() for path in home.iterdir()] and None,
        )
    finally:
        shutil.rmtree(home)


_KINDS = {
    "postgresql": _postgres,
    "mariadb": _mysql,
    "mysql": _mysql,
    "sqlite": _sqlite,
}
KINDS = tuple(_KINDS)


def bulk_copy(database: Database, url: str, *tables: str, csv: bool = False) -> Run:
    """The yardstick: the rows of *tables*, ready made, into empty ones like them."""
    rows, seconds, cpu = 0, 0.0, 0.0
    with plain(url) as connection:
        connection.form = "csv" if csv else connection.form
        for table in tables:
            ready, name = connection.unload(table), f"copied_{table}"
            connection.make_like(table, name)
            before, began = database.cpu(), time.perf_counter()
            connection.load(ready, name)
            seconds += time.perf_counter() - began
            cpu += database.cpu() - before
            ((found,),) = connection.run(
                f"SELECT count(*) FROM {connection.quoted(name)}"
            )
            rows += found
            connection.run(f"DROP TABLE {connection.quoted(name)}")
            connection.commit()
    return Run(rows, seconds, {"database": cpu} if database.kind != "sqlite" else {})
