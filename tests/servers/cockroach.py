"""A stand-in for CockroachDB: PostgreSQL behind a proxy that speaks its protocol.

Or CockroachDB itself, where EDS_TEST_COCKROACH_URL names one.
"""

from __future__ import annotations

import os
import re
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import LiteralString
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
from psycopg.crdb import CrdbConnection

from .cockroach_proxy import VERSION, Faults, Relay
from .postgres import PostgresServer

GIVEN_COCKROACH = "EDS_TEST_COCKROACH_URL"
#: What every database has: CockroachDB's own functions and views, where they differ.
SHIM = f"""
CREATE SCHEMA crdb_shim;
CREATE FUNCTION crdb_shim.version() RETURNS text LANGUAGE sql
    AS $$ SELECT '{VERSION}' $$;
CREATE FUNCTION crdb_shim.refuse(code text, told text) RETURNS int LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = code, MESSAGE = told; END $$;
-- A unique index is a constraint there.
CREATE VIEW crdb_shim.key_column_usage AS
    SELECT n.nspname::text AS table_schema, c.relname::text AS table_name,
           n.nspname::text AS constraint_schema, k.relname::text AS constraint_name,
           a.attname::text AS column_name,
           CASE WHEN i.indisprimary THEN 'PRIMARY KEY' ELSE 'UNIQUE' END AS kind
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class k ON k.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
    WHERE i.indisunique AND i.indpred IS NULL;
CREATE VIEW crdb_shim.table_constraints AS
    SELECT DISTINCT table_schema, table_name, constraint_schema, constraint_name,
           kind AS constraint_type
    FROM crdb_shim.key_column_usage;
GRANT USAGE ON SCHEMA crdb_shim TO public;
GRANT SELECT ON ALL TABLES IN SCHEMA crdb_shim TO public;
"""


class CockroachServer(ABC):
    """Something on which tests make CockroachDB databases of their own."""

    #: What shall go wrong; only a stand-in can be told.
    faults: Faults | None = None

    @abstractmethod
    def new_database(self) -> str:
        """Make an empty database; return its URL."""

    @abstractmethod
    def close(self) -> None:
        """Drop what was made."""


class GivenCockroach(CockroachServer):
    """The cluster of EDS_TEST_COCKROACH_URL."""

    def __init__(self, url: str) -> None:
        self._url = re.sub(r"^\w+://", "postgresql://", url)
        self._made: list[str] = []

    def new_database(self) -> str:
        name = f"eds_test_{uuid4().hex}"
        self._execute(f"CREATE DATABASE {name}")
        self._made.append(name)
        place = urlsplit(self._url)._replace(scheme="cockroachdb", path=f"/{name}")
        return urlunsplit(place)

    def close(self) -> None:
        while self._made:
            self._execute(f"DROP DATABASE IF EXISTS {self._made.pop()} CASCADE")

    def _execute(self, statement: LiteralString) -> None:
        with CrdbConnection.connect(self._url, autocommit=True) as connection:
            connection.execute(statement)


class CockroachStandIn(CockroachServer):
    """Databases on *server*, reached through a proxy on a port of our own."""

    faults: Faults

    def __init__(self, server: PostgresServer) -> None:
        self.faults = Faults()
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    def new_database(self) -> str:
        """Make an empty database; return the URL of it through the proxy."""
        self.faults.forget()
        direct = urlsplit(self._server.new_database())
        admin = urlsplit(self._server.admin_url)._replace(path=direct.path)
        with psycopg.connect(urlunsplit(admin), autocommit=True) as connection:
            connection.execute(SHIM)
            connection.execute(
                f'ALTER DATABASE "{direct.path[1:]}" '
                "SET default_transaction_isolation = 'serializable'"
            )
        who, at, _ = direct.netloc.rpartition("@")
        port = self._listener.getsockname()[1]
        place = direct._replace(
            scheme="cockroachdb",
            netloc=f"{who}{at}127.0.0.1:{port}",
            query="sslmode=disable",
        )
        return urlunsplit(place)

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        place = urlsplit(self._server.admin_url)
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                backend = (place.hostname or "127.0.0.1", place.port or 5432)
                threading.Thread(
                    target=Relay(client, backend, self.faults).run, daemon=True
                ).start()


@contextmanager
def cockroach(server: Callable[[], PostgresServer]) -> Iterator[CockroachServer]:
    """Lend the cluster that is given, else the stand-in on *server*."""
    given = os.environ.get(GIVEN_COCKROACH)
    lent = GivenCockroach(given) if given else CockroachStandIn(server())
    try:
        yield lent
    finally:
        lent.close()
