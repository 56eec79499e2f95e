"""The order in which a doctor looks: from what is near to what is far."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from eds_core.claims import Call
from eds_core.credentials import Credentials, read_credentials
from eds_core.destination import DRIVERS, Destination
from eds_core.errors import EdsError
from eds_core.findings import Finding, Verdict, wrong
from eds_core.gate import SchemaChanges
from eds_core.installed import entry_points
from eds_core.status import Status
from eds_core.stream import Connection, Settings, is_the_same_stream, survey
from eds_core.stream.address import shown
from eds_core.unexpected import unexpected
from eds_core.urls import redact

from . import credentials as ours
from . import destination as theirs
from . import streaming
from .network import reach

Found = tuple[str, Finding]  # what was looked at, and what was found


@dataclass(frozen=True, slots=True)
class Question:
    """What a doctor is asked to look at."""

    servers: tuple[str, ...] = field(repr=False)
    urls: tuple[str, ...] = field(default=(), repr=False)
    credentials: Path | None = None
    schema_changes: SchemaChanges = SchemaChanges.AUTO


async def examine(question: Question) -> AsyncIterator[Found]:
    """Look at all of it; each finding as soon as it is there. Changes nothing."""
    yield "this machine", Finding("versions", ", ".join(_versions()))
    found: Credentials | None = None
    connection: Connection | None = None
    if question.credentials is not None:
        found, findings = _credentials(question.credentials)
        for finding in findings:
            yield "credentials", finding
        async for each in _way(question):
            yield each
    try:
        if found is not None:
            connection, login = await streaming.log_in(_settings(question, found))
            yield "NATS", login
        if found is not None and connection is not None:
            async for finding in streaming.stream(connection, found.companies):
                yield "NATS", finding
            yield "NATS", await streaming.look_up(connection)
        for url in dict.fromkeys(question.urls):
            mode = question.schema_changes
            async for finding in _destination(url, mode, found, connection):
                yield redact(url), finding
    finally:
        if connection is not None:
            await connection.close()


def _versions() -> Iterator[str]:
    drivers = {e.dist for e in entry_points(group=DRIVERS) if e.dist is not None}
    yield from sorted({f"{dist.name} {dist.version}" for dist in drivers})
    yield f"Python {platform.python_version()}"
    yield platform.platform()


def _credentials(path: Path) -> tuple[Credentials | None, list[Finding]]:
    now = datetime.now(UTC)
    try:
        found = read_credentials(path, now)
    except EdsError as error:
        return None, [wrong("credentials", error, "without them NATS lets nobody in")]
    return found, [*ours.look(found, now)]


async def _way(question: Question) -> AsyncIterator[Found]:
    """To each server, also where the credentials are no good."""
    for server in question.servers:
        try:
            async for finding in streaming.way(server):
                yield f"NATS at {shown(server)}", finding
        except EdsError as error:
            yield "NATS", wrong("address", error, "nothing can be read without NATS")


def _settings(question: Question, credentials: Credentials) -> Settings:
    return Settings(
        servers=question.servers,
        credentials=credentials.path,
        name=f"eds-doctor-{credentials.name or 'unknown'}",
    )


async def _destination(
    url: str,
    mode: SchemaChanges,
    credentials: Credentials | None,
    connection: Connection | None,
) -> AsyncIterator[Finding]:
    with ThreadPoolExecutor(1) as thread:  # a driver is used from one thread
        call = partial(asyncio.get_running_loop().run_in_executor, thread)
        destination, told = await call(theirs.opened, url, mode)
        yield told
        if destination is None:
            if (place := theirs.place(url)) is not None:
                yield await reach(*place)
            return
        yield theirs.changes(mode)
        try:
            try:
                findings = _looked_at(call, destination, url, credentials, connection)
                async for finding in findings:
                    yield finding
            finally:
                await call(destination.close)
        except Exception as error:  # noqa: BLE001 - a driver may raise anything
            why = "it cannot be looked at any further"
            yield wrong("database", unexpected(error), why)


async def _looked_at(
    call: Call,
    destination: Destination,
    url: str,
    credentials: Credentials | None,
    connection: Connection | None,
) -> AsyncIterator[Finding]:
    status: Status = await call(theirs.status_of, destination, url)
    tables = [table.table for table in status.tables]
    models = await streaming.schemas(connection, tables) if connection else {}
    for finding in await call(destination.diagnose, models):
        yield finding
    for finding in theirs.ours(status, credentials):
        yield finding
    if credentials is not None and connection is not None:
        try:
            async for finding in _positions(status, credentials, connection):
                yield finding
        except EdsError as error:
            yield wrong("position", error, "it cannot be compared with the stream")


async def _positions(
    status: Status, credentials: Credentials, connection: Connection
) -> AsyncIterator[Finding]:
    for checkpoint in status.checkpoints:
        company, sequence = checkpoint.company, checkpoint.sequence
        if company not in credentials.companies:
            continue
        found = await survey(connection, company, sequence)
        for finding in streaming.behind(company, sequence, found):
            yield finding
        if checkpoint.time and not await is_the_same_stream(
            connection, company, sequence, checkpoint.time
        ):
            yield Finding(
                "position",
                f"company {company}: the stream was made anew, or has lost its end",
                Verdict.WRONG,
                why="sequence numbers mean nothing in another stream: EDS stops",
                advice="see `first position` in the guide: the company begins anew, "
                "and the data is imported again",
            )
