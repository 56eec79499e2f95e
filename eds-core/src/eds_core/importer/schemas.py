"""The schema of each table of an import: asked for, or told by what is there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from functools import partial
from typing import Protocol

from eds_core.claims import Call
from eds_core.destination import Destination
from eds_core.errors import ConfigError, DecodeError
from eds_core.event import ChangeEvent, Message, Operation, Version
from eds_core.line import Tokens, text_of
from eds_core.model import infer
from eds_core.registry import LATEST, SchemaSource
from eds_core.schema import Column, ColumnType, TableSchema, check_name
from eds_core.stream import NoAnswer

from .outages import until_answered

log = logging.getLogger("eds.import")

_AT_ONCE = 8


class Schemas(Protocol):
    """Knows tables."""

    async def get(self, table: str) -> TableSchema | None:
        """The schema of *table*; None when there is no such table."""


class AskedSchemas:
    """The latest schemas, as the shop's service has them."""

    def __init__(self, source: SchemaSource) -> None:
        self._source = source
        self._known: dict[str, TableSchema | None] = {}
        self._waiting = asyncio.Lock()

    async def get(self, table: str) -> TableSchema | None:
        if table not in self._known:
            self._known[table] = await self._ask(table)
        return self._known[table]

    async def _ask(self, table: str) -> TableSchema | None:
        ask = partial(self._source.fetch, table, LATEST)
        try:
            return await ask()
        except NoAnswer:
            async with self._waiting:  # else all tables say the same
                return await until_answered(ask)


class PresentSchemas:
    """The tables of the destination, as far as they tell."""

    def __init__(self, destination: Destination, call: Call) -> None:
        self._destination = destination
        self._call = call

    async def get(self, table: str) -> TableSchema | None:
        found: TableSchema | None = await self._call(self._look, table)
        return found

    def _look(self, table: str) -> TableSchema | None:
        try:
            check_name(table)
        except DecodeError:
            return None
        columns = self._destination.columns(table)
        if not columns:
            return None
        key = self._destination.driver.key(table) or tuple({"id"} & columns.keys())
        if not key:
            raise ConfigError(
                f"the table {table} has no primary key",
                advice="with --creds EDS asks the shop's service for it",
            )
        names = (*key, *(name for name in columns if name not in key))
        return TableSchema(
            table,
            "present",
            tuple(Column(n, columns[n] or ColumnType.TEXT) for n in names),
            key,
        )


async def all_known(schemas: Schemas, names: Iterable[str]) -> dict[str, TableSchema]:
    """Those of the tables *names* that there are."""
    limit = asyncio.Semaphore(_AT_ONCE)

    async def get(name: str) -> TableSchema | None:
        async with limit:
            return await schemas.get(name)

    found = await asyncio.gather(*(get(name) for name in names))
    return {table.name: table for table in found if table is not None}


class Guess:
    """A schema that grows with the rows of a table nobody knows."""

    def __init__(self, table: str) -> None:
        self._table = table
        self.schema: TableSchema | None = None

    def add(self, line: bytes, tokens: Tokens) -> None:
        """Learn from one row. Raises DecodeError."""
        message = Message(f"import.{self._table}", line, 0, 0)
        key = [text_of(tokens, "id")]
        event = ChangeEvent(
            "",
            self._table,
            Operation.INSERT,
            key,
            Version(0),
            "inferred",
            line,
            message,
        )
        self.schema = infer(self.schema, event)
