"""The rows of the ``_eds_`` tables, as a person can read them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import (
    Row,
    Select,
    Table,
    Update,
    bindparam,
    func,
    select,
    update,
)

from eds_core.event import Message
from eds_core.ledger import (
    Checkpoint,
    ImportedFile,
    Parked,
    Quarantined,
    QuarantineGroup,
    Role,
    SchemaStep,
    TableStatus,
)
from eds_core.moments import as_nanoseconds, as_text

_IDS_AT_ONCE = 500  # databases bound the parameters of one statement


def now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def storable(text: str) -> str:
    """*text* without what some database cannot hold: NUL and lone surrogates."""
    whole = text.encode("utf-8", "backslashreplace").decode()
    return whole.replace("\0", "\\u0000")


def checkpoint_of(row: Row[Any]) -> Checkpoint:
    return Checkpoint(
        row.company,
        row.seq,
        as_nanoseconds(row.time),
        row.account or "",
        row.stream or "",
        row.prefix or "",
        row.epoch,
        row.owner or "",
        cast(Role, row.role or "server"),
        row.updated or "",
    )


def quarantine_row(entry: Quarantined) -> dict[str, object]:
    message = entry.message
    return {
        "id": entry.id,
        "company": storable(entry.company),
        "table_name": storable(entry.table),
        "event_id": storable(entry.event_id),
        "state": entry.state,
        "reason": storable(entry.reason),
        "advice": storable(entry.advice),
        "at": entry.at or now(),
        "subject": storable(message.subject),
        "seq": message.sequence,
        "time": as_text(message.time),
        "headers": json.dumps(dict(message.headers)),
        "payload": message.data,
    }


def quarantined_of(row: Row[Any]) -> Quarantined:
    headers = json.loads(row.headers or "{}")
    time = as_nanoseconds(row.time)
    return Quarantined(
        row.id,
        row.company or "",
        row.table_name or "",
        row.event_id or "",
        Message(row.subject, bytes(row.payload), row.seq, time, headers),
        row.reason or "",
        row.advice or "",
        row.state,
        row.at or "",
    )


def quarantine_groups(table: Table) -> Select[Any]:
    """The quarantine by table and reason: no message leaves the database."""
    c = table.c
    kind = (c.company, c.table_name, c.state, c.reason, c.advice)
    first, last = func.min(c.at).label("first"), func.max(c.at).label("last")
    at = (func.count().label("entries"), first, last)
    return select(*kind, *at).group_by(*kind)


def quarantine_group_of(row: Row[Any]) -> QuarantineGroup:
    return QuarantineGroup(
        row.company or "",
        row.table_name or "",
        row.state or "",
        row.reason or "",
        row.advice or "",
        row.entries,
        row.first or "",
        row.last or "",
    )


def status_row(status: TableStatus) -> dict[str, object]:
    row: dict[str, object] = {
        "state": status.state,
        "reason": storable(status.reason),
        "updated": status.updated or now(),
    }
    if status.last_event:  # else only the state is told
        row |= {"last_event": as_text(status.last_event), "lag": status.lag}
    return row


def status_of(row: Row[Any]) -> TableStatus:
    return TableStatus(
        row.table_name,
        row.company,
        row.state or "ok",
        row.reason or "",
        as_nanoseconds(row.last_event),
        row.lag or 0.0,
        row.rows_written,
        row.updated or "",
    )


def parked_of(row: Row[Any]) -> Parked:
    return Parked(
        row.table_name,
        row.company,
        row.seq,
        row.reason or "",
        row.advice or "",
        bool(row.resume),
    )


def imported_row(file: ImportedFile) -> dict[str, object]:
    return {
        "table_name": file.table,
        "file": storable(file.name),
        "bytes_read": file.offset,
        "lines_read": file.line,
        "is_done": int(file.done),
        "rows_read": file.read,
        "rows_inserted": file.inserted,
        "rows_updated": file.updated,
        "rows_quarantined": file.quarantined,
        "rows_deleted": file.deleted,
        "updated": now(),
    }


def imported_of(row: Row[Any]) -> ImportedFile:
    return ImportedFile(
        row.id,
        row.table_name or "",
        row.file or "",
        row.bytes_read,
        row.lines_read,
        bool(row.is_done),
        row.rows_read,
        row.rows_inserted,
        row.rows_updated,
        row.rows_quarantined,
        row.rows_deleted,
    )


def schema_step_row(step: SchemaStep) -> dict[str, object]:
    return {
        "table_name": step.table,
        "at": step.at,
        "ended": step.ended,
        "outcome": step.outcome,
        "statement": storable(step.statement),
        "actor": storable(step.actor),
        "version": step.version,
        "error": storable(step.error),
        "model": step.model,
    }


def schema_step_of(row: Row[Any]) -> SchemaStep:
    return SchemaStep(
        row.id,
        row.table_name or "",
        row.statement or "",
        row.outcome,
        row.actor or "",
        row.version or "",
        row.at or "",
        row.ended or "",
        row.error or "",
        row.model or "",
    )


def checkpoint_row(checkpoint: Checkpoint) -> dict[str, Any]:
    """What is written of a company's first position."""
    return {
        "company": checkpoint.company,
        "seq": checkpoint.sequence,
        "time": as_text(checkpoint.time),
        "account": checkpoint.account,
        "stream": checkpoint.stream,
        "prefix": checkpoint.prefix,
        "epoch": checkpoint.epoch,
        "owner": storable(checkpoint.owner),
        "role": checkpoint.role,
        "updated": now(),
    }


def checkpoint_step(table: Table) -> Update:
    """Compare-and-set of one checkpoint."""
    c = table.c
    which = (
        c.company == bindparam("of_company"),
        c.epoch == bindparam("of_epoch"),
        c.seq == bindparam("of_seq"),
    )
    names = ("seq", "time", "updated")
    return update(table).where(*which).values({name: bindparam(name) for name in names})


def in_parts(ids: Iterable[str]) -> Iterator[list[str]]:
    every = list(ids)
    for start in range(0, len(every), _IDS_AT_ONCE):
        yield every[start : start + _IDS_AT_ONCE]
