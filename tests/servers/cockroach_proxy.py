"""A proxy that makes PostgreSQL look like CockroachDB, on the wire.

It says that it is CockroachDB, refuses what CockroachDB refuses, and has
transactions fail as CockroachDB has them fail. What it refuses is replaced by a
call of a function that raises the error, so that PostgreSQL itself answers, and
the state of the transaction is real.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

VERSION = "CockroachDB CCL v25.2.4 (x86_64-pc-linux-gnu, built 2025/07/28, go1.23.7)"

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


class Relay:
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
