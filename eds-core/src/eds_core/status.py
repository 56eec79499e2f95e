"""What a destination tells of itself: positions, owners, freshness, what is wrong."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta

from .claims import has_died, is_alive
from .durations import spoken
from .findings import Finding, Verdict
from .gate import is_held
from .ledger import (
    Checkpoint,
    Heartbeat,
    Ledger,
    Parked,
    QuarantineGroup,
    SchemaStep,
    TableStatus,
)
from .moments import as_nanoseconds, as_text
from .urls import redact

_STEPS = 10  # of the schema's history that are shown; all of it is in the table


@dataclass(frozen=True, slots=True)
class Status:
    """A destination as it was at one moment."""

    url: str  # redacted
    now: int  # nanoseconds since 1970
    checkpoints: tuple[Checkpoint, ...]
    tables: tuple[TableStatus, ...]
    parked: tuple[Parked, ...]
    quarantined: tuple[QuarantineGroup, ...]
    imports: tuple[Heartbeat, ...]
    schema_changes: tuple[SchemaStep, ...] = ()  # the latest, newest first

    def age(self, moment: str) -> float | None:
        """Seconds since *moment*, as EDS writes it; None when it is not known."""
        found = as_nanoseconds(moment)
        return (self.now - found) / 1e9 if found else None

    def as_dict(self) -> dict[str, object]:
        """Return all of it, moments as ISO 8601 in UTC and ages in seconds."""
        return {
            "url": self.url,
            "companies": [self._company(each) for each in self.checkpoints],
            "tables": [_table(each) for each in self.tables],
            "parked": [asdict(each) for each in self.parked],
            "quarantined": [asdict(each) for each in self.quarantined],
            "imports": [asdict(each) for each in self.imports],
            "schema_changes": [_step(each) for each in self.schema_changes],
        }

    def _company(self, checkpoint: Checkpoint) -> dict[str, object]:
        return {
            "company": checkpoint.company,
            "sequence": checkpoint.sequence,
            "as_of": as_text(checkpoint.time) if checkpoint.time else None,
            "updated": checkpoint.updated,
            "seconds_since_update": self.age(checkpoint.updated),
            "owner": checkpoint.owner,
            "role": checkpoint.role,
            "epoch": checkpoint.epoch,
            "account": checkpoint.account,
            "stream": checkpoint.stream,
            "prefix": checkpoint.prefix,
        }


def _step(step: SchemaStep) -> dict[str, object]:
    return {name: value for name, value in asdict(step).items() if name != "model"}


def _table(status: TableStatus) -> dict[str, object]:
    moment = as_text(status.last_event) if status.last_event else None
    return {**asdict(status), "last_event": moment}


def read_status(ledger: Ledger, url: str, now: int) -> Status:
    """Read all that *ledger* says at *now*, nanoseconds since 1970; change nothing.

    Raises what the ledger raises.
    """
    return Status(
        redact(url),
        now,
        tuple(ledger.checkpoints().values()),
        tuple(ledger.statuses()),
        tuple(ledger.parked()),
        tuple(ledger.quarantine_groups()),
        tuple(ledger.heartbeats()),
        tuple(ledger.schema_steps(most=_STEPS)),
    )


def needs(status: Status, max_age: timedelta | None = None) -> Iterator[Finding]:
    """What needs a person; also positions that have not moved for *max_age*."""
    if not status.checkpoints:
        yield Finding(
            "position",
            "no company has a position here: no server has ever been ready",
            Verdict.WRONG,
            advice="start the server",
            paste=f"eds --creds shop.creds {shlex.quote(status.url)}",
        )
    for checkpoint in status.checkpoints:
        yield from _owner(status, checkpoint, max_age)
    still = [each for each in status.parked if not each.resume]
    if held := sorted({each.table for each in still if is_held(each)}):
        yield _held(status, held)
    yield from (_parked(status, each) for each in still if not is_held(each))
    yield from (_kept(status, each) for each in status.quarantined)


def _owner(
    status: Status, checkpoint: Checkpoint, max_age: timedelta | None
) -> Iterator[Finding]:
    company, age = checkpoint.company, status.age(checkpoint.updated)
    if checkpoint.role == "import":
        yield from _import(status, checkpoint)
    elif has_died(checkpoint.owner):
        yield Finding(
            "owner",
            f"company {company}: its server is gone ({checkpoint.owner})",
            Verdict.WRONG,
            why="nothing is written while no server runs; nothing is lost for 7 days",
            advice="start the server again",
            paste=f"eds --creds shop.creds {shlex.quote(status.url)}",
        )
    elif max_age is not None and (age is None or age > max_age.total_seconds()):
        yield Finding(
            "position",
            f"company {company}: its position has not moved for {spoken(age)}",
            Verdict.WRONG,
            why="the server may have stopped, or cannot reach NATS or this database",
            advice="look at the server's log",
            paste=f"eds doctor --creds shop.creds {shlex.quote(status.url)}",
        )


def _import(status: Status, checkpoint: Checkpoint) -> Iterator[Finding]:
    """An import that was begun, and is no more."""
    beats = {beat.company: beat for beat in status.imports}
    beat = beats.get(checkpoint.company)
    if beat is not None and is_alive(beat):
        return
    told = "was not ended" if beat else "has ended, and no server runs since"
    yield Finding(
        "import",
        f"company {checkpoint.company}: an import {told} ({checkpoint.owner})",
        Verdict.WRONG,
        why="nothing is written while no server runs",
        advice="give the import's command again if it was not ended: it goes on where "
        "it stood; then start the server",
    )


def _held(status: Status, tables: list[str]) -> Finding:
    """Those that wait for a person to let them change, at once: it is one deed."""
    url = shlex.quote(status.url)
    return Finding(
        "waiting",
        f"to be made or altered, which a person has to allow: {', '.join(tables)}",
        Verdict.WRONG,
        why="they stand still, the other tables go on; what the stream has kept for "
        "more than 7 days has to be imported",
        advice="look at the SQL, then have it run; or run it yourself, then `eds "
        "resume` each table",
        paste=f"eds plan {url}; eds apply {url}",
    )


def _parked(status: Status, parked: Parked) -> Finding:
    return Finding(
        "parked",
        f"table {parked.table} of company {parked.company} is parked since sequence "
        f"{parked.sequence}: {parked.reason}",
        Verdict.WRONG,
        why="it stands still, the other tables go on; what the stream has kept for "
        "more than 7 days has to be imported",
        advice=parked.advice,
        paste=f"eds resume {parked.table} {shlex.quote(status.url)}",
    )


def _kept(status: Status, group: QuarantineGroup) -> Finding:
    """Of one reason; those that are to be tried again need nobody."""
    url = shlex.quote(status.url)
    waits = group.state == "retry"
    return Finding(
        "quarantine",
        f"{group.count} of table {group.table}: {group.reason}",
        Verdict.NOTE if waits else Verdict.WRONG,
        why="the server tries them again" if waits else "these changes are not applied",
        advice=group.advice,
        paste=f"eds quarantine list {url}; eds quarantine retry {url} --all",
    )
