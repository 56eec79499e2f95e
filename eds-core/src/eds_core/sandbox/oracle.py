"""The tests' oracle: what a destination must hold after some change events.

Written to be obviously right, not fast, and on purpose without any code of the
pipeline whose results it judges.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import TypeAlias

from eds_core.sandbox.event import ShopEvent
from eds_core.sandbox.model import Model

RowValues: TypeAlias = dict[str, object]
State: TypeAlias = dict[str, dict[tuple[str, ...], RowValues]]
Version: TypeAlias = tuple[int, int]


def fold(events: Iterable[ShopEvent]) -> State:
    """Return the rows by table and key that *events* leave behind.

    Per key the event with the highest version decides; of equal ones the later
    in *events*. A table that ever had an event is in the result.
    """
    state: State = {}
    decided: dict[tuple[str, tuple[str, ...]], Version] = {}
    for event in events:
        rows = state.setdefault(event.table, {})
        body = decode_exactly(event.payload)
        version = _version(body)
        if version < decided.get((event.table, event.key), (0, 0)):
            continue
        decided[event.table, event.key] = version
        if body["operation"] == "DELETE":
            rows.pop(event.key, None)
        else:
            rows[event.key] = public_row(body["after"], event.model)
    return state


def public_row(row: object, model: Model) -> RowValues:
    """Return the values of a row's columns that *model* has; absent ones are None."""
    if not isinstance(row, dict):
        raise TypeError(f"{model.table}: a row is an object, not {row!r}")
    return {name: row.get(name) for name in model.column_names}


def decode_exactly(text: bytes) -> dict[str, object]:
    """Return a JSON object with exact integers, and Decimal for all else."""
    value = json.loads(text, parse_float=Decimal)
    if not isinstance(value, dict):
        raise TypeError("not a JSON object")
    return value


def _version(body: dict[str, object]) -> Version:
    wall, _, logical = str(body["mvccTimestamp"]).partition(".")
    return int(wall), int(logical or 0)
