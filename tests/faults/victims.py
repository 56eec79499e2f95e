"""Databases, and what can be done to them while a server writes into them."""

import shutil
import subprocess
from abc import ABC, abstractmethod
from contextlib import closing, contextmanager
from typing import ClassVar

import pytest

from acceptance.tables import connect, execute, table_names
from servers import new_home


@contextmanager
def small_disk(place, megabytes, owner=None):
    """A file system of so many megabytes at *place*, an empty directory."""
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m,mode=777", "tmpfs", place]
    made = subprocess.run(["mount", *options], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("a small file system can be mounted by root only")
    try:
        if owner:
            shutil.chown(place, owner)
        yield
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def remount(place, options):
    subprocess.run(["mount", "-o", f"remount,{options}", place], check=True)


class Victim(ABC):
    """A server of our own and an empty database on it, at ``url``.

    ``fixture`` lends that server; ``says`` has the words of its errors, by what was
    done to it.
    """

    fixture: ClassVar[str]
    says: ClassVar[dict[str, str]]

    def __init__(self, server, url):
        self.server = server
        self.url = url
        self.name = url.rpartition("/")[2]
        self.user = f"u{self.name[-12:]}"

    def url_of_user(self, password):
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{self.user}:{password}@{rest.partition('@')[2]}"

    @abstractmethod
    def end_sessions(self):
        """End every session that is in the database."""

    @abstractmethod
    def login(self, password):
        """Make a user who may do everything in the database; return its URL."""

    @abstractmethod
    def set_password(self, password):
        """Give that user another password, and end its sessions."""

    @abstractmethod
    def revoke(self, table):
        """Let that user, who has made *table*, no longer write into it."""

    @abstractmethod
    def give_back(self, table):
        """Let that user write into *table* again."""

    @abstractmethod
    def powerless(self):
        """A context in which that user may do nothing with any table."""

    @abstractmethod
    def read_only(self):
        """A context in which nobody can write."""

    @abstractmethod
    def crowded(self):
        """A context in which that user gets no session; those there were are ended."""

    @abstractmethod
    def locked(self, table):
        """A context in which another session has *table* locked."""

    @abstractmethod
    def on_small_disk(self, megabytes):
        """A context in which the database is on a file system of its own, at a path."""


class Postgres(Victim):
    fixture = "own_postgres"
    says: ClassVar = {
        "read-only": "read-only transaction",
        "crowded": "too many connections",
        "password": "password authentication failed",
        "locked": "lock timeout",
        "powerless": "permission denied for table _eds_",
        "full": "No space left on device",
    }

    def end_sessions(self):
        self.server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = '{self.name}'"
        )

    def login(self, password):
        self.server.execute(f"CREATE ROLE {{}} LOGIN PASSWORD '{password}'", self.user)
        execute(self.url, f"GRANT ALL ON SCHEMA public TO {self.user}")
        return self.url_of_user(password)

    def set_password(self, password):
        self.server.execute(f"ALTER ROLE {{}} PASSWORD '{password}'", self.user)
        self.end_sessions()

    def revoke(self, table):
        statement = f'REVOKE INSERT, UPDATE ON "{table}" FROM {self.user}'
        execute(self.url_of_user("first"), statement)

    def give_back(self, table):
        statement = f'GRANT INSERT, UPDATE ON "{table}" TO {self.user}'
        execute(self.url_of_user("first"), statement)

    @contextmanager
    def powerless(self):
        tables, own = "ALL ON ALL TABLES IN SCHEMA public", self.url_of_user("first")
        execute(own, f"REVOKE {tables} FROM {self.user}")
        yield
        execute(own, f"GRANT {tables} TO {self.user}")

    @contextmanager
    def read_only(self):
        self._set("SET default_transaction_read_only = on")
        yield
        self._set("SET default_transaction_read_only = off")

    @contextmanager
    def crowded(self):
        self._set("CONNECTION LIMIT 0")
        yield
        self._set("CONNECTION LIMIT -1")

    def _set(self, setting):
        self.server.execute(f"ALTER DATABASE {{}} {setting}", self.name)
        self.end_sessions()

    @contextmanager
    def locked(self, table):
        with closing(connect(self.url)) as other:
            other.execute("BEGIN")
            other.execute(f'LOCK TABLE "{table}" IN ACCESS EXCLUSIVE MODE')
            yield

    @contextmanager
    def on_small_disk(self, megabytes):
        # Where the server's user may go, which pytest's own directories are not.
        place, space = new_home(), f"t{self.name}"
        place.chmod(0o755)
        with small_disk(place, megabytes, self.server.user):
            self.server.execute(f"CREATE TABLESPACE {{}} LOCATION '{place}'", space)
            self.server.execute("ALTER DATABASE {} SET TABLESPACE {}", self.name, space)
            try:
                yield place
            finally:
                self.server.execute("DROP DATABASE {} WITH (FORCE)", self.name)
                self.server.execute("DROP TABLESPACE {}", space)


class Mariadb(Victim):
    fixture = "own_mariadb"
    says: ClassVar = {
        "read-only": "--read-only option",
        "crowded": "max_user_connections",
        "password": "Access denied",
        "locked": "Lock wait timeout exceeded",
        "powerless": "command denied to user",
        "full": "is full",
    }

    def end_sessions(self):
        with closing(self.server.administrator()) as connection:
            cursor = connection.cursor()
            where = f"WHERE db = '{self.name}'"
            cursor.execute(f"SELECT id FROM information_schema.processlist {where}")
            for (number,) in cursor.fetchall():
                cursor.execute(f"KILL {number}")

    def login(self, password):
        self.server.execute(
            f"CREATE USER {self.user} IDENTIFIED BY '{password}'",
            f"GRANT ALL ON {self.name}.* TO {self.user}",
        )
        return self.url_of_user(password)

    def set_password(self, password):
        self.server.execute(f"ALTER USER {self.user} IDENTIFIED BY '{password}'")
        self.end_sessions()

    def revoke(self, table):
        others = table_names(self.url) - {table}
        self.server.execute(
            f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {self.user}",
            *(f"GRANT ALL ON {self.name}.`{name}` TO {self.user}" for name in others),
            f"GRANT SELECT, DELETE ON {self.name}.`{table}` TO {self.user}",
        )
        self.end_sessions()

    def give_back(self, table):
        self.server.execute(f"GRANT ALL ON {self.name}.`{table}` TO {self.user}")
        self.end_sessions()

    @contextmanager
    def powerless(self):
        self.server.execute(
            f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {self.user}",
            f"GRANT CREATE ON {self.name}.* TO {self.user}",  # so that it may log in
        )
        self.end_sessions()
        yield
        self.server.execute(f"GRANT ALL ON {self.name}.* TO {self.user}")

    @contextmanager
    def read_only(self):
        self.server.execute("SET GLOBAL read_only = 1")
        yield
        self.server.execute("SET GLOBAL read_only = 0")

    @contextmanager
    def crowded(self):
        limit = f"ALTER USER {self.user} WITH MAX_USER_CONNECTIONS"
        self.server.execute(f"{limit} 1")
        self.end_sessions()
        with closing(connect(self.url_of_user("first"))):
            yield
        self.server.execute(f"{limit} 0")

    @contextmanager
    def locked(self, table):
        with closing(connect(self.url)) as other:
            other.cursor().execute(f'LOCK TABLES "{table}" WRITE')
            yield

    @contextmanager
    def on_small_disk(self, megabytes):
        place = self.server.directory(self.name)
        options = (place / "db.opt").read_bytes()
        with small_disk(place, megabytes, self.server.user):
            (place / "db.opt").write_bytes(options)
            shutil.chown(place / "db.opt", self.server.user)
            try:
                yield place
            finally:  # the directory cannot go while it is mounted
                for name in table_names(self.url):
                    self.server.execute(f"DROP TABLE {self.name}.`{name}`")
