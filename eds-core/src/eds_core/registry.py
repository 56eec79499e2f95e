"""The schema of a table by (table, model version): ask, cache, latest, infer."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol

from .errors import DecodeError, EdsError, TransientError
from .event import ChangeEvent
from .model import infer, parse_reply
from .schema import TableSchema
from .stream import Disconnected, Feed, NoAnswer
from .waiting import Backoff

log = logging.getLogger("eds.registry")

LATEST = "latest"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MOST_CACHED = 4096
_ASK_AGAIN = 30.0  # seconds after which a failed look-up is tried again


class SchemaSource(Protocol):
    """The seam: where schemas are asked for (NATS today, HTTP later)."""

    async def fetch(self, table: str, version: str) -> TableSchema | None:
        """The schema of *table* at *version*; None when there is no such version.

        Raises TransientError without an answer, DecodeError for a hostile one.
        """


class NatsSchemas:
    """Asks the service over core NATS: ``schema.<table>.<version>``."""

    def __init__(self, feed: Feed, patience: float = 5.0) -> None:
        self._feed = feed
        self._patience = patience  # seconds for one question

    async def fetch(self, table: str, version: str) -> TableSchema | None:
        subject = f"schema.{table}.{version}"
        while True:
            connection = await self._feed.connected()
            try:
                answer = await connection.request(subject, b"{}", self._patience)
            except Disconnected as error:  # that says nothing of the service
                log.debug("%s", error)
                await connection.lost.wait()
            else:
                return parse_reply(answer, table)


class _Entry:
    """What is known of one (table, model version)."""

    __slots__ = ("ask_again", "error", "schema", "task")

    def __init__(self) -> None:
        self.schema: TableSchema | None = None
        self.error: DecodeError | None = None
        self.ask_again = 0.0  # when a look-up that failed is worth another try
        self.task: asyncio.Task[None] | None = None


class Registry:
    """Knows, asks in the background, and guesses when nobody answers.

    *changed* is called whenever a look-up has ended.
    """

    def __init__(
        self,
        source: SchemaSource,
        changed: Callable[[], None],
        patience: float = 5.0,
    ) -> None:
        self._source = source
        self._changed = changed
        self._patience = patience
        self._entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()

    def get(self, event: ChangeEvent) -> TableSchema | None:
        """The schema for *event*; None while it is being asked for.

        Raises DecodeError when the table's schema is one that EDS refuses, or can
        neither be had nor guessed.
        """
        name = (event.table, event.model_version or LATEST)
        entry = self._entries.get(name)
        if entry is None:
            entry = self._add(name)
        if entry.error is not None:
            self._ask_again(name, entry)
            raise entry.error
        if entry.ask_again == 0:
            return entry.schema
        self._ask_again(name, entry)
        if entry.schema is None or entry.schema.inferred:
            entry.schema = infer(entry.schema, event)
        return entry.schema

    def foresee(self, events: Iterable[ChangeEvent]) -> None:
        """Ask for what *events* will need, so that it is known when they go."""
        for event in events:
            with suppress(DecodeError):
                self.get(event)

    def _add(self, name: tuple[str, str]) -> _Entry:
        entry = self._entries[name] = _Entry()
        self._ask(name, entry)
        while len(self._entries) > _MOST_CACHED:
            _, oldest = self._entries.popitem(last=False)
            if oldest.task is not None:
                oldest.task.cancel()
        return entry

    def _ask_again(self, name: tuple[str, str], entry: _Entry) -> None:
        if entry.task is None and time.monotonic() > entry.ask_again:
            self._ask(name, entry)

    def _ask(self, name: tuple[str, str], entry: _Entry) -> None:
        entry.task = asyncio.create_task(self._look_up(*name, entry))

    async def _look_up(self, table: str, version: str, entry: _Entry) -> None:
        found = None
        try:
            found = await self._find(table, version)
            entry.error = None
        except DecodeError as error:
            entry.error = error
        except Exception as error:  # noqa: BLE001 - else the table waits for ever, in silence
            log.error("the look-up of %s has failed: %r", table, error)  # noqa: TRY400 - a sentence; it is tried again
        entry.task = None
        if found is not None and found != entry.schema:
            entry.schema = self._known(found)
        # The latest one may be from the time before this version.
        exact = found is not None and found.model_version == version
        entry.ask_again = 0 if exact else time.monotonic() + _ASK_AGAIN
        self._changed()

    def _known(self, found: TableSchema) -> TableSchema:
        """The same object for the same schema: another one would cut each batch.

        (Two versions that the look-up does not know both get the latest.)
        """
        schemas = (entry.schema for entry in self._entries.values())
        return next((known for known in schemas if known == found), found)

    async def _find(self, table: str, version: str) -> TableSchema | None:
        """Exact, then latest; None when neither can be had now."""
        versions = (version, LATEST) if _TOKEN.fullmatch(version) else (LATEST,)
        for wanted in dict.fromkeys(versions):
            try:
                found = await self._patiently(table, wanted)
            except TransientError as error:
                self._say(table, wanted, error)
                continue
            if found is not None:
                return found
            log.info("no schema %s of table %s", wanted, table)
        log.warning("the schema of %s is guessed from its rows for now", table)
        return None

    async def _patiently(self, table: str, version: str) -> TableSchema | None:
        """Ask, and again while nobody is there to answer, as patience allows."""
        end = time.monotonic() + self._patience
        backoff = Backoff(first=0.1, most=1)
        while True:
            try:
                return await self._source.fetch(table, version)
            except NoAnswer:
                if time.monotonic() >= end:
                    raise
                await backoff.wait()

    @staticmethod
    def _say(table: str, version: str, error: EdsError) -> None:
        log.warning("schema %s of table %s: %s", version, table, error)

    async def close(self) -> None:
        """Stop asking."""
        tasks = [entry.task for entry in self._entries.values() if entry.task]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
