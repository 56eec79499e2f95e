"""An intake with messages in it, for tests."""

from __future__ import annotations

import json

from eds_core.event import ChangeEvent, Message
from eds_core.intake import Intake, Taken
from eds_core.schema import Column, ColumnType, TableSchema

A, B, C = "aa", "bb", "cc"


def message(company: str, sequence: int, table="order", size=0, data=None) -> Message:
    body = {
        "operation": "INSERT",
        "table": table,
        "key": ["1"],
        "timestamp": 1,
        "after": {"id": "1", "pad": "x" * size},
    }
    text = json.dumps(body).encode() if data is None else data
    subject = f"dbchange.{table}.INSERT.{company}.N.PUBLIC.1.e"
    return Message(subject, text, sequence, sequence * 10, size=len(text) + 300)


def schema(table: str) -> TableSchema:
    return TableSchema(table, "", (Column("id", ColumnType.TEXT),), ("id",))


KNOWN = {table: schema(table) for table in ("order", "user", "slow")}


def known(event: ChangeEvent) -> TableSchema | None:
    return KNOWN[event.table]


def all_but(*tables: str):
    """A look-up in which these tables are still being asked for."""
    return lambda event: None if event.table in tables else KNOWN[event.table]


def intake(**positions: int) -> Intake:
    found = Intake()
    for company, after in positions.items():
        found.open_lane(company, after, after * 10)
    return found


def sequences(taken: Taken, company: str | None = None) -> list[int]:
    messages = (entry.message for entry in taken.entries)
    return [m.sequence for m in messages if company in (None, m.company)]
