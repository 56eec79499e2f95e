"""MariaDB and MySQL for tests: our own, thrown away, or ones that are given."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, unquote, urlsplit, urlunsplit
from uuid import uuid4

import pymysql

from .host import certify, free_port, give_away, unprivileged_user

GIVEN_MARIADB = "EDS_TEST_MARIADB_URL"
GIVEN_MYSQL = "EDS_TEST_MYSQL_URL"
#: The program of a MySQL that is not installed, as `.ci/mysql.sh` makes one.
MYSQLD = "EDS_TEST_MYSQLD"
NO_MARIADB = f"no MariaDB here: set {GIVEN_MARIADB} or install mariadb-server"
NO_MYSQL = f"no MySQL here: set {GIVEN_MYSQL}, or {MYSQLD} (see .ci/mysql.sh)"
PASSWORD = "secret@word"  # in a URL: secret%40word

Kind = Literal["mariadb", "mysql"]

SETTINGS = (
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--skip-log-bin",
    "--local-infile=1",
    "--secure-file-priv=",
    "--performance-schema=OFF",
    "--innodb-flush-log-at-trx-commit=2",  # tests kill processes, never the host
    "--innodb-flush-method=nosync",
    "--innodb-buffer-pool-size=64M",
)
OWN_SETTINGS: dict[Kind, tuple[str, ...]] = {
    "mariadb": (),
    "mysql": ("--mysqlx=OFF",),
}


class MysqlServer(ABC):
    """A MariaDB or MySQL server on which tests make databases of their own."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._made: list[str] = []

    @abstractmethod
    def url(self, database: str) -> str:
        """Return how its user connects to *database*."""

    @abstractmethod
    def administrator(self) -> pymysql.Connection[Any]:
        """Connect as somebody who may make databases."""

    @abstractmethod
    def start(self) -> None:
        """See that it runs and takes connections, on the port it always had."""

    def new_database(self) -> str:
        """Make an empty database; return its URL."""
        name = f"eds_test_{uuid4().hex}"
        self.execute(f"CREATE DATABASE {name}")
        self._made.append(name)
        return self.url(name)

    def drop_databases(self) -> None:
        while self._made:
            self.execute(f"DROP DATABASE IF EXISTS {self._made.pop()}")

    def execute(self, *statements: str) -> None:
        """Execute *statements* as the administrator."""
        with closing(self.administrator()) as connection:
            for statement in statements:
                connection.cursor().execute(statement)


class GivenMysql(MysqlServer):
    """A server that a variable names: not ours to start or stop."""

    def __init__(self, kind: Kind, url: str) -> None:
        super().__init__(kind)
        self._url = urlsplit(url)

    def url(self, database: str) -> str:
        return urlunsplit(self._url._replace(path=f"/{database}"))

    def administrator(self) -> pymysql.Connection[Any]:
        return pymysql.connect(
            host=self._url.hostname,
            port=self._url.port or 3306,
            user=unquote(self._url.username or ""),
            password=unquote(self._url.password or ""),
            autocommit=True,
        )

    def start(self) -> None:
        """Do nothing: whoever gave it keeps it running."""


class OwnMysql(MysqlServer):
    """A throw-away server in *home*: TLS, passwords, nobody else's data."""

    def __init__(self, kind: Kind, program: Path, home: Path) -> None:
        super().__init__(kind)
        self.port = free_port()
        self.ca_file = home / "ca.pem"
        self._program = program
        self._home = home
        #: Who owns its files; None: whoever runs the tests.
        self.user = unprivileged_user()
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        password = quote(PASSWORD)
        return f"{self.kind}://eds:{password}@127.0.0.1:{self.port}/{database}"

    def administrator(self) -> pymysql.Connection[Any]:
        return pymysql.connect(
            unix_socket=self.socket, user="root", autocommit=True, read_timeout=60
        )

    @property
    def socket(self) -> str:
        return str(self._home / "s")

    def create(self) -> None:
        """Make the data directory and start the server."""
        certify(self._home, self.ca_file)
        give_away(self._home, self.user)
        self._initialize()
        self.start()
        self.execute(f"CREATE USER eds IDENTIFIED BY '{PASSWORD}'")

    def new_database(self) -> str:
        url = super().new_database()
        self.execute(f"GRANT ALL ON {self._made[-1]}.* TO eds")
        return url

    def start(self, *settings: str) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        own = (f"--datadir={self._data}", f"--port={self.port}")
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(self._program, "--no-defaults", *own, f"--socket={self.socket}"),
                    f"--pid-file={self._home / 'pid'}",
                    *SETTINGS,
                    *OWN_SETTINGS[self.kind],
                    *self._tls,
                    *settings,
                ],
                **self._as_user,
                stdout=log,
                stderr=log,
            )
        self._wait()

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """End its sessions and see that it does not run; ``immediate`` is a crash."""
        if self._process is not None:
            if mode == "fast":
                self._process.terminate()
            else:
                self._process.kill()
            self._process.wait(60)
            self._process = None

    def discard(self) -> None:
        self.stop("immediate")
        shutil.rmtree(self._home)

    def directory(self, database: str) -> Path:
        """Where the files of *database* are."""
        return self._data / database

    @property
    def _data(self) -> Path:
        return self._home / "data"

    @property
    def _tls(self) -> tuple[str, ...]:
        home = self._home
        return (
            f"--ssl-ca={self.ca_file}",
            f"--ssl-cert={home / 'server.pem'}",
            f"--ssl-key={home / 'server.key'}",
        )

    @property
    def _as_user(self) -> dict[str, Any]:
        return {
            "cwd": self._home,
            "stdin": subprocess.DEVNULL,
            "user": self.user,
            "group": self.user and pwd.getpwnam(self.user).pw_gid,
            "extra_groups": self.user and (),
        }

    def _initialize(self) -> None:
        if self.kind == "mariadb":
            found = shutil.which("mariadb-install-db")
            command = [
                found,
                "--no-defaults",
                "--skip-test-db",
                f"--datadir={self._data}",
            ]
            command.append("--auth-root-authentication-method=normal")
        else:
            command = [self._program, "--no-defaults", f"--datadir={self._data}"]
            command.append("--initialize-insecure")
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, **self._as_user
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(self.socket)  # PyMySQL would leave it open
                self.administrator().close()
            except (OSError, pymysql.Error):
                running = self._process is not None and self._process.poll() is None
                if not running or time.monotonic() > deadline:
                    told = (self._home / "log").read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"{self.kind} does not start: {told}") from None
                time.sleep(0.05)
            else:
                return


@contextmanager
def mysql(kind: Kind) -> Iterator[MysqlServer | None]:
    """Lend the server that is given, else one of our own; None: neither."""
    program = mysql_program(kind)
    if url := os.environ.get(GIVEN_MARIADB if kind == "mariadb" else GIVEN_MYSQL):
        given = GivenMysql(kind, url)
        try:
            yield given
        finally:
            given.drop_databases()
    elif program is None:
        yield None
    else:
        own = OwnMysql(kind, program, _new_home(kind))
        try:
            own.create()
            yield own
        finally:
            own.discard()


def _new_home(kind: Kind) -> Path:
    # Root's TMPDIR may lie where the server's user cannot look.
    parent = "/tmp" if os.geteuid() == 0 else None
    return Path(tempfile.mkdtemp(prefix=f"eds-{kind}-", dir=parent))


def mysql_program(kind: Kind) -> Path | None:
    """Find the server's program; MariaDB installs one of MySQL's name, too."""
    places = f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin"
    named = "mariadbd" if kind == "mariadb" else os.environ.get(MYSQLD, "mysqld")
    found = shutil.which(named, path=places)
    if found is None or _is_mariadb(found) != (kind == "mariadb"):
        return None
    return Path(found)


def _is_mariadb(program: str) -> bool:
    told = subprocess.run(
        [program, "--no-defaults", "--version"],
        check=False,
        capture_output=True,
        text=True,
    )
    return "mariadb" in told.stdout.lower()
