"""Made-up changes of rows, and what a table has to be after them. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from eds_core.batch import Batch
from eds_core.event import ChangeEvent, Key, Message, Operation, Row, Version
from eds_core.schema import Column, ColumnType, TableSchema

from .reading import canonical

KEYS = ("a", "b", "B", "ü", "o'x")

_TEXT = st.text("abAB \"'\\%üß😀\n", max_size=5)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _TEXT,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from("abc"), inner, max_size=2)
    ),
    max_leaves=3,
)
_MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 - the Z is added
    lambda moment: f"{moment.isoformat()}Z"
)

#: What may stand in a row's JSON for a column of each type.
VALUES: Mapping[ColumnType, st.SearchStrategy[Any]] = {
    ColumnType.TEXT: _TEXT,
    ColumnType.INTEGER: st.integers(-(2**63), 2**63 - 1),
    ColumnType.NUMBER: st.floats(-1e300, 1e300, allow_subnormal=False),
    ColumnType.DECIMAL: st.decimals(-(10**12), 10**12, places=4).map(str),
    ColumnType.BOOLEAN: st.booleans(),
    ColumnType.TIMESTAMP: _MOMENTS,
    ColumnType.DATETIME: _MOMENTS,
    ColumnType.JSON: _JSON,
    ColumnType.BYTES: st.binary(max_size=4).map(lambda b: base64.b64encode(b).decode()),
}

versions = st.builds(
    Version, st.sampled_from([7, 99, 100, 10**18, 10**18 + 1]), st.integers(0, 11)
)


@dataclass(frozen=True)
class Deed:
    """One change of one row, as the source meant it."""

    version: Version
    row: Mapping[str, Any]
    deletes: bool


@st.composite
def deeds(
    draw: st.DrawFn,
    columns: Sequence[Column],
    when: st.SearchStrategy[Version] = versions,
) -> Deed:
    """A change of a row of *columns*; each but the key may be absent or null."""
    values = {
        column.name: st.none() | VALUES[column.type]
        for column in columns
        if column.name != "id"
    }
    row = draw(
        st.fixed_dictionaries(
            {"id": st.sampled_from(KEYS)}, optional={**values, "private": st.just(1)}
        )
    )
    return Deed(draw(when), row, draw(st.integers(0, 3)) == 0)


@st.composite
def histories(
    draw: st.DrawFn, columns: Sequence[Column]
) -> tuple[list[Deed], list[Deed], list[bool]]:
    """Changes of distinct versions, an order they may come in, ends of batches."""
    moments = draw(st.lists(versions, unique=True, max_size=12))
    every = [draw(deeds(columns, st.just(moment))) for moment in moments]
    again = draw(st.lists(st.sampled_from(every), max_size=6)) if every else []
    arrival = draw(st.permutations([*every, *again]))
    cuts = draw(st.lists(st.booleans(), min_size=len(arrival), max_size=len(arrival)))
    return every, arrival, cuts


def event_of(deed: Deed, table: TableSchema) -> ChangeEvent:
    """The change as it comes from the stream."""
    operation = Operation.DELETE if deed.deletes else Operation.UPDATE
    after = b"" if deed.deletes else json.dumps(deed.row).encode()
    whole = {
        "operation": operation,
        "id": "e",
        "table": table.name,
        "key": [deed.row["id"]],
        "mvccTimestamp": str(deed.version),
        "modelVersion": table.model_version,
        "after": None if deed.deletes else deed.row,
    }
    subject = f"dbchange.{table.name}.{operation}.shop.loc.PUBLIC.1"
    message = Message(subject, json.dumps(whole).encode(), 1, 1)
    return ChangeEvent(
        "e",
        table.name,
        operation,
        [deed.row["id"]],
        deed.version,
        table.model_version,
        after,
        message,
    )


def row_of_deed(deed: Deed) -> Row:
    return Row((deed.row["id"],), deed.version, json.dumps(deed.row).encode())


def apply(fold: Fold, deed: Deed, table: TableSchema) -> None:
    if deed.deletes:
        fold.delete((deed.row["id"],), deed.version)
    else:
        fold.upsert(row_of_deed(deed), table)


@dataclass
class Fold:
    """The model: rows by key, and the versions of what was deleted."""

    rows: dict[Key, tuple[Version, dict[str, object]]] = field(default_factory=dict)
    dead: dict[Key, Version] = field(default_factory=dict)

    def upsert(self, row: Row, table: TableSchema) -> None:
        if row.version < self.dead.get(row.key, row.version):
            return
        version, values = self.rows.get(row.key, (row.version, {}))
        if row.version < version:
            return
        sent = json.loads(bytes(row.after))
        new = {c.name: _stored(sent.get(c.name), c.type) for c in table.columns}
        self.rows[row.key] = row.version, values | new

    def delete(self, key: Key, version: Version) -> None:
        self.dead[key] = max(version, self.dead.get(key, version))
        if key in self.rows and self.rows[key][0] <= version:
            del self.rows[key]

    def write(self, batch: Batch, table: str) -> None:
        """Do as a driver does with a batch: run by run, deletes first."""
        for run in batch.runs.get(table, []):
            for key, version in run.deletes:
                self.delete(key, version)
            for row in run.upserts:
                self.upsert(row, run.table)

    def sorted(self, table: TableSchema) -> list[tuple[Any, ...]]:
        """What reading the table back has to give."""
        names = [column.name for column in table.columns]
        return [
            tuple(values.get(name) for name in names)
            for _, (_, values) in sorted(self.rows.items())
        ]


def _stored(value: object, kind: ColumnType) -> object:
    if value is None:
        return None
    if kind is ColumnType.JSON:
        value = json.dumps(value)
    if kind is ColumnType.BYTES:
        value = base64.b64decode(str(value))
    return canonical(value, kind)
