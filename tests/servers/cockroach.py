"""A stand-in for CockroachDB: PostgreSQL behind a proxy that speaks its protocol.

The proxy says that it is CockroachDB, refuses what CockroachDB refuses, and has
transactions fail as CockroachDB has them fail. What it refuses is replaced by a
call of a function that raises the error, so that PostgreSQL itself answers, and
the state of the transaction is real.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import LiteralString
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
from psycopg.crdb import CrdbConnection

from .postgres import PostgresServer

GIVEN_COCKROACH = "EDS_TEST_COCKROACH_URL"
VERSION = "CockroachDB CCL v25.2.4 (x86_64-pc-linux-gnu, built 2025/07/28, go1.23.7)"

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

#: Names that are looked up in the shim.
_SHIMMED = re.compile(
    r"(?:pg_catalog\.|\b)(version\(\))"
    r"|information_schema\.(table_constraints|key_column_usage)",
    re.IGNORECASE,
)

#: Settings that CockroachDB knows, of those that a client may think of.
_SETTINGS = (
    "application_name|bytea_output|client_encoding|client_min_messages|datestyle"
    "|default_transaction_isolation|default_transaction_read_only"
    "|enable_experimental_alter_column_type_general|enable_seqscan"
    "|extra_float_digits|idle_in_transaction_session_timeout|intervalstyle"
    "|lock_timeout|search_path|session|sql_safe_updates|statement_timeout|timezone"
    "|time|transaction"
)
_CHANGES = r"(create|alter|drop|truncate|comment|grant|revoke)\b"

#: What is refused: a pattern, an SQLSTATE, and CockroachDB's words for it.
_REFUSED: tuple[tuple[str, str, str], ...] = (
    (
        r"\bcreate\s+(local\s+|global\s+)?temp(orary)?\b",
        "0A000",
        "temporary tables are only supported experimentally",
    ),
    (r"^copy\b", "42501", "only users with the admin role are allowed to COPY"),
    (r"^set\s+constraints\b", "0A000", "unimplemented: this syntax"),
    (
        rf"(^|;)\s*set\s+(session\s+|local\s+)?(?!\"?({_SETTINGS})\b)",
        "42704",
        "unrecognized configuration parameter",
    ),
    (r"\bset_config\(", "42704", "the stand-in cannot look into set_config"),
    (r"\bdeferrable\b", "0A000", "unimplemented: deferrable constraints"),
    (r"\brows\s+from\b.*\bas\s*\(", "42601", "at or near (: syntax error"),
    (r"\bcreate\s+domain\b", "0A000", "unimplemented: this syntax"),
    (r"\[[^\]]*:[^:\]]*\]", "0A000", "unimplemented: array slicing"),
    (r"^(listen|notify|lock|prepare\s+transaction)\b", "0A000", "unimplemented"),
)
_MOST_BYTES = 16 * 1024 * 1024


@dataclass
class Rule:
    """The next statements that match fail, or are followed by something."""

    pattern: re.Pattern[str]
    replace: Callable[[str], str]
    times: int


@dataclass
class Faults:
    """What shall go wrong on a stand-in, and what came by."""

    rules: list[Rule] = field(default_factory=list)
    largest: int = 0
    refused: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)

    def fail(
        self, pattern: str, code: str = "40001", times: int = 1, told: str = "restart"
    ) -> None:
        """Let the next statements that match fail with *code*, undoing all before."""
        self._add(pattern, lambda _: _refusal(code, told), times)

    def fail_commit(self, code: str = "40001", times: int = 1) -> None:
        """Let commits fail: the transaction is gone, as CockroachDB leaves it."""
        told = _refusal(code, "TransactionRetryWithProtoRefreshError: restart")
        self._add("^commit", lambda _: f"ROLLBACK; {told}", times)

    def lose_answer(self) -> None:
        """Let the next commit succeed, and nobody know."""
        told = _refusal("40003", "result is ambiguous")
        self._add("^commit", lambda _: f"COMMIT; {told}", 1)

    def forget(self) -> None:
        """Begin anew, for another test."""
        for had in (self.rules, self.refused, self.statements):
            had.clear()
        self.largest = 0

    def _add(self, pattern: str, replace: Callable[[str], str], times: int) -> None:
        compiled = re.compile(pattern, re.IGNORECASE | re.DOTALL)
        self.rules.append(Rule(compiled, replace, times))

    def apply(self, statement: str) -> str | None:
        for rule in self.rules:
            if rule.times and rule.pattern.search(statement):
                rule.times -= 1
                return rule.replace(statement)
        return None


def _refusal(code: str, told: str) -> str:
    return f"SELECT crdb_shim.refuse('{code}', '{told}')"


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
                    target=_Relay(client, backend, self.faults).run, daemon=True
                ).start()


class _Relay:
    """One connection of a client's, and what the proxy makes of it."""

    def __init__(
        self, client: socket.socket, backend: tuple[str, int], faults: Faults
    ) -> None:
        self._client = client
        self._backend = backend
        self._faults = faults
        self._state = b"I"  # of the transaction, as PostgreSQL says it
        self._greeted = False
        self._unsaid = 0  # successes that the client shall not hear of

    def run(self) -> None:
        with suppress(OSError, EOFError), self._client:
            start = self._startup()
            with socket.create_connection(self._backend) as server:
                for end in (self._client, server):  # many small messages
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                answers = threading.Thread(target=self._answers, args=[server])
                answers.start()
                try:
                    server.sendall(start)
                    self._questions(server)
                finally:  # closed only when nobody reads it any more
                    _shut(server)
                    answers.join()

    def _startup(self) -> bytes:
        """Read the first packet; say no to encryption."""
        while True:
            (length,) = struct.unpack("!i", _read(self._client, 4))
            body = _read(self._client, length - 4)
            (code,) = struct.unpack("!i", body[:4])
            if code not in {80877103, 80877104}:  # SSLRequest, GSSENCRequest
                return struct.pack("!i", length) + body
            self._client.sendall(b"N")

    def _questions(self, server: socket.socket) -> None:
        for kind, body in _messages(self._client):
            server.sendall(_message(kind, self._look_into(kind, body)))

    def _answers(self, server: socket.socket) -> None:
        with suppress(OSError, EOFError):
            for kind, body in _messages(server):
                if kind == b"Z":
                    self._state = body
                    self._greet()
                if kind == b"C" and self._unsaid:
                    self._unsaid -= 1
                    continue
                self._client.sendall(_message(kind, body))
        _shut(self._client)

    def _greet(self) -> None:
        if not self._greeted:
            self._greeted = True
            told = b"crdb_version\0" + VERSION.encode() + b"\0"
            self._client.sendall(_message(b"S", told))

    def _look_into(self, kind: bytes, body: bytes) -> bytes:
        """Return the message as PostgreSQL shall have it."""
        self._faults.largest = max(self._faults.largest, len(body))
        if kind == b"Q":
            return self._rewritten(body[:-1].decode(), len(body)).encode() + b"\0"
        if kind == b"P":
            name, query, rest = body.split(b"\0", 2)
            rewritten = self._rewritten(query.decode(), len(body))
            return b"\0".join((name, rewritten.encode(), rest))
        if kind == b"B" and len(body) > _MOST_BYTES:  # too late to refuse it well
            raise EOFError
        return body

    def _rewritten(self, statement: str, size: int) -> str:
        self._faults.statements.append(statement)
        fault = self._faults.apply(statement)
        if fault is None and (refusal := self._refusal(statement, size)):
            self._faults.refused.append(statement)
            fault = _refusal(*refusal)
        if fault is not None:
            self._unsaid += fault.count(";")
            return _with_parameters_of(statement, fault)
        return _SHIMMED.sub(
            lambda found: f"crdb_shim.{found[1] or found[2]}", statement
        )

    def _refusal(self, statement: str, size: int) -> tuple[str, str] | None:
        if size > _MOST_BYTES:
            return "54000", "message size is bigger than the maximum allowed"
        bare = statement.strip()
        if self._state != b"I" and re.match(_CHANGES, bare, re.IGNORECASE):
            return "0A000", "schema change in a transaction with other statements"
        without_values = re.sub(r"'[^']*'", "''", bare)
        for pattern, code, told in _REFUSED:
            if re.search(pattern, without_values, re.IGNORECASE | re.DOTALL):
                return code, told
        return None


def _shimmed(found: re.Match[str]) -> str:
    return f"crdb_shim.{found[1] or found[2]}"


def _with_parameters_of(statement: str, fault: str) -> str:
    """*fault* with as many parameters as *statement*, so that it can be bound."""
    count = max(map(int, re.findall(r"\$(\d+)", statement)), default=0)
    unused = ", ".join(f"${number}::text" for number in range(1, count + 1))
    return f"{fault} FROM (VALUES ({unused})) AS unused" if unused else fault


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _messages(source: socket.socket) -> Iterator[tuple[bytes, bytes]]:
    while True:
        kind = _read(source, 1)
        (length,) = struct.unpack("!i", _read(source, 4))
        yield kind, _read(source, length - 4)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _read(source: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = source.recv(min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


@contextmanager
def cockroach(server: Callable[[], PostgresServer]) -> Iterator[CockroachServer]:
    """Lend the cluster that is given, else the stand-in on *server*."""
    given = os.environ.get(GIVEN_COCKROACH)
    lent = GivenCockroach(given) if given else CockroachStandIn(server())
    try:
        yield lent
    finally:
        lent.close()
