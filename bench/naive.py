"""One event at a time: what the old Go server did, as the denominator.

Fetch one, SELECT, INSERT or UPDATE with bound parameters, commit, acknowledge and
wait for the answer. All values are bound as text, which is the fastest of such
ways on PostgreSQL, and the decoder and the client are those of everyday Python:
it is no caricature, and no measure of the Go server itself.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from typing import Any, Protocol

import psycopg
from nats.aio.msg import Msg

from eds_core.sandbox import Column, Model, Sandbox, disconnect

SCHEMA = "naive"


class Tables(Protocol):
    """The few words of a database connection that are needed."""

    mark: str

    def run(self, statement: str, values: tuple[object, ...]) -> list[Any]: ...

    def commit(self) -> None: ...

    def close(self) -> None: ...


class PostgresTables:
    """Tables like those that EDS has made, in a schema of their own."""

    mark = "%s"

    def __init__(self, url: str, models: Mapping[str, Model]) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        run = self._connection.execute
        run(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        run(f"CREATE SCHEMA {SCHEMA}")
        for name in models:
            run(f'CREATE TABLE {SCHEMA}."{name}" (LIKE public."{name}" INCLUDING ALL)')
        run(f"SET search_path = {SCHEMA}")
        self._connection.autocommit = False
        self._connection.prepare_threshold = 0

    def run(self, statement: str, values: tuple[object, ...]) -> list[Any]:
        cursor = self._connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []

    def commit(self) -> None:
        self._connection.commit()

    def close(self) -> None:
        self._connection.close()


class SqliteTables:
    """A copy of the tables' definitions in another file."""

    mark = "?"

    def __init__(self, path: str, models: Mapping[str, Model]) -> None:
        with sqlite3.connect(path) as source:
            query = "SELECT name, sql FROM sqlite_master WHERE type = 'table'"
            found = {name: sql for name, sql in source.execute(query) if name in models}
        source.close()
        self._connection = sqlite3.connect(f"{path}.naive")
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        for statement in found.values():
            self._connection.execute(statement)

    def run(self, statement: str, values: tuple[object, ...]) -> list[Any]:
        return self._connection.execute(statement, values).fetchall()

    def commit(self) -> None:
        self._connection.commit()

    def close(self) -> None:
        self._connection.close()


def open_tables(url: str, models: Mapping[str, Model]) -> Tables:
    if url.startswith("sqlite"):
        return SqliteTables(url.removeprefix("sqlite:///"), models)
    return PostgresTables(url, models)


async def run_naive(
    sandbox: Sandbox, url: str, models: Mapping[str, Model], events: int
) -> float:
    """Apply the stream's first *events*; return the seconds that it took."""
    tables = open_tables(url, models)
    client = await sandbox.connect(sandbox.directory / "service.creds")
    try:
        jetstream = client.jetstream()
        name = f"naive-{time.monotonic_ns()}"
        subscription = await jetstream.pull_subscribe("dbchange.>", durable=name)
        started = time.perf_counter()
        for _ in range(events):
            (message,) = await subscription.fetch(1)
            apply(tables, models, message)
            await message.ack_sync()
        seconds = time.perf_counter() - started
        await jetstream.delete_consumer("dbchange", name)
        return seconds
    finally:
        await disconnect(client)
        tables.close()


def apply(tables: Tables, models: Mapping[str, Model], message: Msg) -> None:
    event = json.loads(message.data)
    name, mark = f'"{event["table"]}"', tables.mark
    key = event["key"][-1]
    if event["operation"] == "DELETE":
        tables.run(f"DELETE FROM {name} WHERE id = {mark}", (key,))
        tables.commit()
        return
    after = event["after"]
    model = models[event["table"]]
    columns = [column.name for column in model.columns if column.name in after]
    values = [_text(after[c.name], c) for c in model.columns if c.name in after]
    if tables.run(f"SELECT 1 FROM {name} WHERE id = {mark}", (key,)):
        some = ", ".join(f'"{column}" = {mark}' for column in columns)
        tables.run(f"UPDATE {name} SET {some} WHERE id = {mark}", (*values, key))
    else:
        some = ", ".join(f'"{column}"' for column in columns)
        marks = ", ".join([mark] * len(columns))
        tables.run(f"INSERT INTO {name} ({some}) VALUES ({marks})", tuple(values))
    tables.commit()


def _text(value: object, column: Column) -> str | None:
    is_json = column.type == "Json" or column.list
    if value is None or (isinstance(value, str) and not is_json):
        return value
    return json.dumps(value)
