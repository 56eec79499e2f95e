"""What `eds doctor` looks at on every SQL database."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from eds_core.catalogue import all_tables
from eds_core.durations import spoken
from eds_core.findings import Finding, Verdict, looked
from eds_core.schema import TableSchema

from . import portable
from .dialect import SqlDialect
from .session import Session
from .tables import VERSION, RealTable

_SKEW = 60.0  # seconds by which a database's clock may differ unnoticed
_ROOM = 1 << 30  # bytes of a disk that are enough for some days
_LITTLE = 100 << 20  # and those that are not
_MANY = 1_000_000  # rows of EDS's own that are worth a word


def diagnose(
    driver: SqlDialect, models: Mapping[str, TableSchema]
) -> Iterator[Finding]:
    """Look at what every database has, and at what this one has besides."""
    return looked(
        {
            **driver.checks(),
            "clock": partial(_clock, driver),
            "own tables": partial(_own, driver),
            "prefixes": partial(_prefixes, driver),
            "columns": partial(_columns, driver, models),
        }
    )


def ask(session: Session, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Return the rows of *query*, in the DBAPI's own words; leaves nothing open."""
    with session.reading(), session.cursor() as cursor:
        cursor.execute(query, *([parameters] if parameters else []))
        return [tuple(row) for row in cursor.fetchall()]


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:  # noqa: PLR2004 - the next unit begins
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def free_space(place: object, free: int) -> Finding:
    """Say how much room the disk of *place* has, in bytes."""
    told = f"{size(free)} free at {place}"
    if free >= _ROOM:
        return Finding("disk", told)
    return Finding(
        "disk",
        told,
        Verdict.WRONG if free < _LITTLE else Verdict.NOTE,
        why="a full disk stops everything; EDS waits for room, and loses nothing for 7 "
        "days",
        advice="make room, or move the database to a larger disk",
        paste=f"df -h {shlex.quote(str(place))}",
    )


def missing_privileges(lacking: Iterable[str], paste: str) -> Finding:
    """Say which privileges are lacking, and the statement that grants them."""
    if not (names := ", ".join(lacking)):
        return Finding("privileges", "all that EDS needs are there")
    return Finding(
        "privileges",
        f"missing: {names}",
        Verdict.WRONG,
        why="EDS makes its tables, adds columns and writes rows itself",
        advice="as an administrator of the database run",
        paste=paste,
    )


def _clock(driver: SqlDialect) -> Iterator[Finding]:
    if not driver.clock:
        return
    ((found,),) = ask(driver.session, driver.clock)
    theirs = found if found.tzinfo else found.replace(tzinfo=UTC)
    skew = (datetime.now(UTC) - theirs).total_seconds()
    if abs(skew) < _SKEW:
        yield Finding("clock", "the database's is right by this machine's")
        return
    yield Finding(
        "clock",
        f"this machine's is {spoken(abs(skew))} {'ahead' if skew > 0 else 'behind'} of "
        "the database's",
        Verdict.NOTE,
        why="one of the two is wrong; rows are not, but moments in _eds_ tables are",
        advice="let both machines set their clocks by NTP",
    )


def _own(driver: SqlDialect) -> Iterator[Finding]:
    names = [table.name for table in driver.books.all]
    counts = {name: _count(driver.session, name) for name in names}
    there = {name: count for name, count in counts.items() if count is not None}
    if not there:
        yield Finding("own tables", "there are none yet: the server makes them")
        return
    told = ", ".join(f"{name} {count:,}" for name, count in there.items())
    yield Finding("own tables", f"rows: {told}")
    quarantine = driver.books.quarantine.name
    if there.get(quarantine, 0) > _MANY:
        yield Finding(
            "own tables",
            f"{quarantine} has {there[quarantine]:,} messages",
            Verdict.NOTE,
            why="each holds a whole row, and takes room",
            advice="mend the cause and retry them, or forget them",
            paste="eds quarantine drop URL --all",
        )


def _count(session: Session, name: str) -> int | None:
    return portable.count(session, name) if session.has_table(name) else None


def _prefixes(driver: SqlDialect) -> Iterator[Finding]:
    """Look for other EDS's in this schema whose tables would be called as ours."""
    own = driver.placement.prefix
    ours = {f"{own}{table}" for table in _met(driver, own)}
    for other in _other_prefixes(driver):
        theirs = {f"{other}{table}" for table in _met(driver, other)}
        if both := sorted(ours & theirs):
            yield Finding(
                "prefixes",
                f"an EDS with {_told(other)} writes here, too, and with {_told(own)} "
                f"this one: {', '.join(both)} is a table of both",
                Verdict.WRONG,
                why="the rows of two different tables end in one, or in none",
                advice="give one of the two a schema of its own, or a table_prefix by "
                "which no names meet, and import into it anew",
            )


def _told(prefix: str) -> str:
    return f"table_prefix={prefix}" if prefix else "no table_prefix"


def _other_prefixes(driver: SqlDialect) -> list[str]:
    """By the checkpoints that are there: each EDS has one of its own."""
    names, end = driver.table_names(), "_eds_checkpoint"
    found = {name.removesuffix(end) for name in names if name.endswith(end)}
    return sorted(found - {driver.placement.prefix})


def _met(driver: SqlDialect, prefix: str) -> set[str]:
    """The shop's tables: those that EDS knows, and those that came with *prefix*."""
    session = driver.session
    name = f"{prefix}_eds_status"
    if not session.has_table(name):
        return set(all_tables())
    column, place = session.quote("table_name"), session.quote_table(name)
    query = f"SELECT DISTINCT {column} FROM {place}"  # noqa: S608 - identifiers only, quoted
    return {*all_tables(), *(table for (table,) in ask(session, query))}


def _columns(
    driver: SqlDialect, models: Mapping[str, TableSchema]
) -> Iterator[Finding]:
    """Compare the tables that are there with the shop's own description of them."""
    compared, quiet = 0, True
    for name, model in sorted(models.items()):
        if (real := driver.look(driver.real_name(name))) is None:
            continue
        compared += 1
        for finding in _compared(driver, model, real):
            quiet = False
            yield finding
    if compared and quiet:
        yield Finding("columns", f"{compared} tables have the columns of the shop")


def _compared(
    driver: SqlDialect, model: TableSchema, real: RealTable
) -> Iterator[Finding]:
    missing = sorted(model.types.keys() - real.columns.keys())
    others = sorted(real.columns.keys() - model.types.keys() - {VERSION})
    renames = [
        driver.renaming(real.name, old, new)
        for new in missing
        for old in others
        if real.columns[old].type is model.types[new]
    ]
    if renames:
        yield Finding(
            "columns",
            f"table {real.name} has no column {', '.join(missing)}, and one that the "
            f"shop does not have: {', '.join(others)}; was it renamed?",
            Verdict.WRONG,
            why="EDS adds the column anew, empty; what is there stays where it is",
            advice="give it its name back, and use a view for names of your own",
            paste="; ".join(renames),
        )
    elif missing:
        yield Finding(
            "columns",
            f"table {real.name} has no column {', '.join(missing)} yet",
            why="EDS adds it with the next row",
        )
    elif others:
        yield Finding(
            "columns",
            f"table {real.name} has columns that the shop does not have: "
            f"{', '.join(others)}",
            Verdict.NOTE,
            why="your own, or the shop's under an old name: EDS leaves them alone",
        )
