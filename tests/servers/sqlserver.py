"""A SQL Server that is given for tests, in which each makes its own database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

GIVEN_SQLSERVER = "EDS_TEST_SQLSERVER_URL"
NO_SQLSERVER = f"no SQL Server here: set {GIVEN_SQLSERVER}"


class SqlServer:
    """The server of EDS_TEST_SQLSERVER_URL, as a user who may create databases."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._made: list[str] = []

    def new_database(self) -> str:
        """Make an empty database; return its URL."""
        name = f"eds_test_{uuid4().hex}"
        self._made.append(name)
        self._execute(f"CREATE DATABASE [{name}]")
        return urlunsplit(urlsplit(self._url)._replace(path=f"/{name}"))

    def drop_databases(self) -> None:
        while self._made:
            name = self._made.pop()
            self._execute(
                f"IF DB_ID(N'{name}') IS NOT NULL ALTER DATABASE [{name}] "
                "SET SINGLE_USER WITH ROLLBACK IMMEDIATE",
                f"DROP DATABASE IF EXISTS [{name}]",
            )

    def _execute(self, *statements: str) -> None:
        """Execute as the administrator, in no transaction."""
        from eds_driver_sqlserver import address, connecting

        with closing(connecting.connect(address.read(self._url))) as connection:
            connection.autocommit = True
            for statement in statements:
                connection.execute(statement)


@contextmanager
def sqlserver() -> Iterator[SqlServer | None]:
    """Lend the server that is given; None: there is none."""
    url = os.environ.get(GIVEN_SQLSERVER)
    if not url:
        yield None
        return
    server = SqlServer(url)
    try:
        yield server
    finally:
        server.drop_databases()
