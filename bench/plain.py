"""Databases as everyday Python speaks to them: the yardsticks, and a look at rows.

Nothing here is shared with EDS's drivers. Each kind of database loads ready-made rows
by its own fastest road that a client has: COPY, LOAD DATA LOCAL, or for SQLite one
transaction of `executemany`.
"""

from __future__ import annotations

import json
import re
import sqlite3
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import closing
from decimal import Decimal
from functools import partial
from typing import IO, Any, ClassVar
from urllib.parse import unquote, urlsplit

import psycopg
import pymysql
from psycopg.types.json import set_json_loads

from eds_core.sandbox import Column, Model
from eds_core.waiting import again

BLOCK = 1 << 18
ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\0": "\\0"}


def loads(text: str | bytes) -> object:
    """JSON without the loss of a digit."""
    return json.loads(text, parse_float=Decimal)


class Plain(ABC):
    """A connection."""

    mark: ClassVar[str] = "%s"
    quotes: ClassVar[str] = '"'
    #: What its calls raise.
    errors: ClassVar[type[Exception]]
    #: Whether JSON comes parsed.
    parses: ClassVar[bool] = False
    #: Of COPY's files; other databases know one only.
    form = "text"

    def __init__(self, url: str) -> None:
        self.connection: Any = self._connect(url)

    @abstractmethod
    def _connect(self, url: str) -> Any: ...

    def run(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        cursor = self.connection.cursor()
        cursor.execute(statement, values)
        return list(cursor.fetchall()) if cursor.description else []

    def commit(self) -> None:
        self.connection.commit()

    def rollback(self) -> None:
        self.connection.rollback()

    def close(self) -> None:
        self.connection.close()

    def quoted(self, name: str) -> str:
        return f"{self.quotes}{name}{self.quotes}"

    def bind(self, value: object, column: Column) -> object:
        """What is bound for a value as JSON has it: text, for all but text."""
        is_json = column.type == "Json" or column.list
        if value is None or (isinstance(value, str) and not is_json):
            return value
        return json.dumps(value)

    @abstractmethod
    def make_like(self, table: str, name: str) -> None:
        """Make the empty table *name* that is defined as *table* is."""

    def empty(self, table: str) -> None:
        """Delete all rows of *table*, and commit."""
        self.run(f"TRUNCATE TABLE {self.quoted(table)}")
        self.commit()

    @abstractmethod
    def unload(self, table: str) -> Any:
        """The rows of *table*, ready made for `load`."""

    @abstractmethod
    def load(self, rows: Any, table: str) -> None:
        """Load ready-made rows, and commit."""

    def upserting(self, table: str, model: Model) -> Callable[[bytes], None]:
        """What upserts one row, given as its JSON, and commits."""
        names = [self.quoted(name) for name in model.column_names]
        marks = ", ".join([self.mark] * len(names))
        statement = (
            f"INSERT INTO {self.quoted(table)} ({', '.join(names)}) VALUES ({marks}) "
            f"{self._otherwise(names)}"
        )

        def upsert(after: bytes) -> None:
            row = json.loads(after)
            self.run(statement, [self.bind(row[c.name], c) for c in model.columns])
            self.commit()

        return upsert

    def _otherwise(self, names: Sequence[str]) -> str:
        """The end of an INSERT that updates a row that is there."""
        changes = ", ".join(f"{name} = excluded.{name}" for name in names)
        return f"ON CONFLICT (id) DO UPDATE SET {changes}"


class PlainPostgres(Plain):
    errors = psycopg.Error
    parses = True

    def _connect(self, url: str) -> psycopg.Connection:
        connection = psycopg.connect(url)
        set_json_loads(loads, connection)
        connection.execute("SET TimeZone = 'UTC'")
        connection.commit()
        connection.prepare_threshold = 0
        return connection

    def make_like(self, table: str, name: str) -> None:
        self.run(f'CREATE TABLE "{name}" (LIKE "{table}" INCLUDING ALL)')
        self.commit()

    def unload(self, table: str) -> IO[bytes]:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - it is the result
        unloading = f'COPY "{table}" TO STDOUT (FORMAT {self.form})'
        with self.connection.cursor().copy(unloading) as copied:
            for block in copied:
                file.write(block)
        self.commit()
        return file

    def load(self, rows: IO[bytes], table: str) -> None:
        rows.seek(0)
        loading = f'COPY "{table}" FROM STDIN (FORMAT {self.form})'
        with self.connection.cursor().copy(loading) as copying:
            while data := rows.read(BLOCK):
                copying.write(data)
        self.commit()

    def upserting(self, table: str, model: Model) -> Callable[[bytes], None]:
        """By one JSON parameter, which is faster here than 70 of text."""
        names = [self.quoted(name) for name in model.column_names]
        statement = (
            f'INSERT INTO "{table}" SELECT * FROM '
            f'json_populate_recordset(NULL::"{table}", %s) {self._otherwise(names)}'
        )
        self.connection.autocommit = True  # or it is two ways to the server

        def upsert(after: bytes) -> None:
            self.run(statement, (f"[{after.decode()}]",))

        return upsert


class PlainMysql(Plain):
    errors = pymysql.Error
    quotes = "`"

    def _connect(self, url: str) -> Any:
        place = urlsplit(url)
        return pymysql.connect(
            host=place.hostname,
            port=place.port or 3306,
            user=unquote(place.username or ""),
            password=unquote(place.password or ""),
            database=place.path.lstrip("/"),
            local_infile=True,
        )

    def bind(self, value: object, column: Column) -> object:
        if isinstance(value, bool):
            return int(value)
        if column.type == "DateTime" and isinstance(value, str) and not column.list:
            return value.rstrip("Z").replace("T", " ")[:26]
        return super().bind(value, column)

    def make_like(self, table: str, name: str) -> None:
        self.run(f"CREATE TABLE `{name}` LIKE `{table}`")

    def unload(self, table: str) -> IO[bytes]:
        file = tempfile.NamedTemporaryFile()  # noqa: SIM115 - it is the result
        for row in self.run(f"SELECT * FROM `{table}`"):
            file.write("\t".join(map(_field, row)).encode() + b"\n")
        file.flush()
        return file

    def load(self, rows: IO[bytes], table: str) -> None:
        self.run(
            f"LOAD DATA LOCAL INFILE '{rows.name}' INTO TABLE `{table}` "
            "CHARACTER SET utf8mb4"
        )
        self.commit()

    def _otherwise(self, names: Sequence[str]) -> str:
        changes = ", ".join(f"{name} = VALUES({name})" for name in names)
        return f"ON DUPLICATE KEY UPDATE {changes}"


class PlainSqlite(Plain):
    errors = sqlite3.Error
    mark = "?"

    def _connect(self, url: str) -> sqlite3.Connection:
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=10)
        switch = partial(connection.execute, "PRAGMA journal_mode = WAL")
        again(switch, sqlite3.OperationalError)  # EDS may be at it as well
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def make_like(self, table: str, name: str) -> None:
        query = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?"
        ((statement,),) = self.run(query, (table,))
        self.run(re.sub(rf'"?\b{table}\b"?', f'"{name}"', statement, count=1))
        self.commit()

    def empty(self, table: str) -> None:
        self.run(f'DELETE FROM "{table}"')
        self.commit()

    def unload(self, table: str) -> list[tuple[object, ...]]:
        return self.run(f'SELECT * FROM "{table}"')

    def load(self, rows: list[tuple[object, ...]], table: str) -> None:
        marks = ", ".join("?" * len(rows[0])) if rows else "?"
        statement = f'INSERT INTO "{table}" VALUES ({marks})'
        self.connection.executemany(statement, rows)
        self.commit()


def _field(value: object) -> str:
    """A value in a file for LOAD DATA."""
    if value is None:
        return "\\N"
    return re.sub(r"[\\\t\n\0]", lambda found: ESCAPES[found[0]], str(value))


KINDS: dict[str, type[Plain]] = {
    "postgresql": PlainPostgres,
    "mariadb": PlainMysql,
    "mysql": PlainMysql,
    "sqlite": PlainSqlite,
}


def plain(url: str) -> closing[Plain]:
    """A connection to *url*, to be closed at the end of a ``with``."""
    return closing(KINDS[urlsplit(url).scheme](url))
