"""NATS: the way there, the login, the stream, the clock, the schema look-up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

from eds_core.durations import spoken
from eds_core.errors import EdsError
from eds_core.findings import Finding, Verdict, wrong
from eds_core.model import parse_reply
from eds_core.schema import TableSchema
from eds_core.stream import (
    Connection,
    Greeting,
    Settings,
    Survey,
    greet,
    survey,
)
from eds_core.stream.address import check_scheme
from eds_core.stream.greeting import host_and_port

from .network import reach

_PATIENCE = 5.0  # seconds
_SKEW = 60.0  # seconds by which a clock is wrong
_PROBED = "order"  # a table that every shop has
_AT_ONCE = 8


async def way(server: str) -> AsyncIterator[Finding]:
    """Name, TCP and greeting of one server; nobody logs in."""
    check_scheme(server)
    reached = await reach(*host_and_port(server))
    yield reached
    if reached.verdict is Verdict.OK:
        yield await _greeted(server)


async def _greeted(server: str) -> Finding:
    why = "EDS cannot log in before NATS has greeted"
    try:
        greeting = await greet(server, _PATIENCE)
    except TimeoutError:
        return Finding(
            "greeting",
            f"connected, but nothing is said within {_PATIENCE:g} s",
            Verdict.WRONG,
            why,
            "a firewall or proxy on the way swallows it: let NATS (TCP, not HTTP) "
            "through unchanged",
        )
    except OSError as error:
        told = f"the connection breaks: {error.strerror or error}"
        advice = "a firewall or proxy on the way ends it: let NATS through"
        return Finding("greeting", told, Verdict.WRONG, why, advice)
    return _said(greeting, why)


def _said(greeting: Greeting, why: str) -> Finding:
    if not greeting.version:
        return Finding(
            "greeting",
            "what answers there is no NATS server",
            Verdict.WRONG,
            why,
            "check host and port; a captive portal or proxy may answer in its place",
        )
    tls = "with TLS" if greeting.tls else "without TLS"
    return Finding("greeting", f"nats-server {greeting.version}, {tls}")


async def log_in(settings: Settings) -> tuple[Connection | None, Finding]:
    """Connect as the server does: TLS, then the credentials."""
    connection = Connection(settings)
    try:
        await connection.open()
    except EdsError as error:
        told = wrong("login", error, "without it nothing can be read")
        return None, told
    return connection, Finding("login", "NATS takes the credentials")


async def stream(
    connection: Connection, companies: Iterable[str]
) -> AsyncIterator[Finding]:
    """What the stream keeps of each company, and by its answers NATS' clock."""
    first: Survey | None = None
    for company in companies:
        try:
            found = await survey(connection, company, 0)
        except EdsError as error:
            yield wrong("stream", error, f"company {company} cannot be read")
            continue
        if first is None:
            first = found
            yield clock(found)
        yield _kept(company, found)


def clock(found: Survey) -> Finding:
    """Compare this machine's clock with NATS'."""
    skew = (found.asked - found.clock) / 1e9
    if abs(skew) < _SKEW:
        return Finding("clock", f"right by NATS' clock ({skew:+.1f} s)")
    which = "ahead of" if skew > 0 else "behind"
    return Finding(
        "clock",
        f"this machine's clock is {spoken(abs(skew))} {which} NATS'",
        Verdict.WRONG,
        why="credentials and certificates are checked by it, and freshness and lag "
        "are told by it",
        advice="set it by NTP",
        paste="sudo timedatectl set-ntp true   # Windows: w32tm /resync",
    )


def _kept(company: str, found: Survey) -> Finding:
    if not found.first:
        told = f"company {company}: no message is kept; the stream ends at {found.end}"
        return Finding("stream", told)
    age = spoken((found.clock - found.first_time) / 1e9)
    return Finding(
        "stream",
        f"company {company}: {found.pending:,} messages, from sequence {found.first} "
        f"({age} ago); the stream ends at {found.end}",
    )


async def look_up(connection: Connection) -> Finding:
    """Ask the service for one table's schema."""
    why = "without answers EDS has to guess the types of new columns"
    try:
        found = await _schema(connection, _PROBED)
    except EdsError as error:
        return wrong("schemas", error, why)
    if found is None:
        told = f"the service does not know table {_PROBED}"
        return Finding("schemas", told, Verdict.NOTE, why)
    count = len(found.columns)
    return Finding("schemas", f"the service answers: {_PROBED} has {count} columns")


async def _schema(connection: Connection, table: str) -> TableSchema | None:
    answer = await connection.request(f"schema.{table}.latest", b"{}", _PATIENCE)
    return parse_reply(answer, table)


async def schemas(
    connection: Connection, tables: Iterable[str]
) -> Mapping[str, TableSchema]:
    """Those of *tables* that the service describes; what it does not is left out."""
    limit = asyncio.Semaphore(_AT_ONCE)

    async def ask(table: str) -> TableSchema | None:
        async with limit:
            return await _schema(connection, table)

    every = sorted(set(tables))
    found = await asyncio.gather(*map(ask, every), return_exceptions=True)
    return {
        table: schema
        for table, schema in zip(every, found, strict=True)
        if isinstance(schema, TableSchema)
    }


def behind(company: str, sequence: int, found: Survey) -> Iterator[Finding]:
    """Where a destination at *sequence* stands in the stream."""
    if found.begin > sequence:
        yield Finding(
            "position",
            f"company {company}: the messages {sequence + 1} to {found.begin} are gone",
            Verdict.WRONG,
            why="the stream keeps 7 days; of the company's changes among them nothing "
            "is here",
            advice="import an export: newer rows stay, what is missing comes",
            paste="eds export --all --bulk -o export && "
            "eds import --creds shop.creds --prune export URL",
        )
    yield Finding(
        "position",
        f"company {company}: at sequence {sequence}, {found.pending:,} messages are "
        "still to come",
    )
