"""Changes as a Parquet file: the types, and the columns that EDS adds. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from eds_core import ColumnType, RejectedError, Version
from eds_core.append import Change

#: What a table's directories are called: ``eds_date=2026-11-25``. Many readers pass
#: over names that begin with ``_``.
PARTITION = "eds_date"

_NANOSECONDS_PER_DAY = 86_400_000_000_000
_EPOCH = date(1970, 1, 1).toordinal()
_BEFORE, _BEHIND = 29, 9  # the point: digits of a decimal

TYPES: Mapping[ColumnType, pa.DataType] = {
    ColumnType.TEXT: pa.string(),
    ColumnType.INTEGER: pa.int64(),
    ColumnType.NUMBER: pa.float64(),
    ColumnType.DECIMAL: pa.decimal128(_BEFORE + _BEHIND, _BEHIND),
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    ColumnType.DATETIME: pa.timestamp("us"),
    ColumnType.JSON: pa.string(),
    ColumnType.BYTES: pa.binary(),
}

Numbered = tuple[int, Change]

#: The columns that EDS adds, and what is in them.
ADDED: Mapping[str, tuple[pa.DataType, Callable[[Numbered], object]]] = {
    "_eds_operation": (pa.string(), lambda each: _operation(each[1])),
    "_eds_deleted": (pa.bool_(), lambda each: each[1].deleted),
    "_eds_version": (pa.decimal128(30, 10), lambda each: Decimal(str(each[1].version))),
    "_eds_sequence": (pa.int64(), lambda each: _sequence(each[1])),
    "_eds_order": (pa.int64(), lambda each: each[0]),
}


def day_of(version: Version) -> str:
    """The day of the change in UTC, as ISO 8601."""
    days = version.wall // _NANOSECONDS_PER_DAY
    return date.fromordinal(_EPOCH + days).isoformat()


def parquet(
    types: Mapping[str, ColumnType], changes: Sequence[Numbered] = ()
) -> pa.Buffer:
    """The file with columns of *types* for *changes* with their order."""
    arrays = {
        name: pa.array([change.made.get(name) for _, change in changes], TYPES[kind])
        for name, kind in types.items()
    }
    for name, (kind, get) in ADDED.items():
        arrays[name] = pa.array([get(each) for each in changes], kind)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(arrays), sink, compression="zstd")
    return sink.getvalue()


def cells(change: Change) -> Mapping[str, object]:
    """The change's values as Arrow takes them. Raises RejectedError."""
    types = change.types
    return {
        name: None if value is None else _cell(name, types[name], value)
        for name, value in change.values.items()
    }


def _cell(name: str, kind: ColumnType, value: Any) -> object:
    make = _CELLS.get(kind)
    try:
        return value if make is None else make(value)
    except (ValueError, OverflowError):
        raise RejectedError(
            f"a value of column {name} does not fit {TYPES[kind]}",
            signature=f"value of {name}",
        ) from None  # the cause holds the value


def _text(value: str) -> str:
    value.encode()  # half of a surrogate pair cannot be
    return value


def _decimal(value: str) -> Decimal:
    whole, _, fraction = value.lstrip("-0").partition(".")
    if len(whole) > _BEFORE or len(fraction.rstrip("0")) > _BEHIND:
        raise ValueError("too many digits")
    return Decimal(value)


def _moment(value: str) -> datetime:
    """A moment without an offset is in UTC."""
    moment = datetime.fromisoformat(value)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


_CELLS: Mapping[ColumnType, Callable[[Any], object]] = {
    ColumnType.TEXT: _text,
    ColumnType.JSON: _text,
    ColumnType.DECIMAL: _decimal,
    ColumnType.TIMESTAMP: _moment,
    ColumnType.DATETIME: lambda value: _moment(value).replace(tzinfo=None),
}


def _operation(change: Change) -> str:
    if change.deleted:
        return "DELETE"
    event = change.source.event
    return str(event.operation) if event else "IMPORT"


def _sequence(change: Change) -> int | None:
    event = change.source.event
    return event.message.sequence if event else None
