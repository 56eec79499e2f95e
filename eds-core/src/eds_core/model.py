"""The look-up's reply to a table schema, and a schema guessed from rows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from .errors import DecodeError, TransientError
from .event import ChangeEvent
from .schema import Column, ColumnType, TableSchema, check_name, widened
from .values import parse_json

_REGION = "crdb_region"  # CockroachDB's column of where a row lives
_MOST_INFERRED = 1000  # columns; databases end near 1,000 to 1,600
_INT64 = 1 << 63

_TYPES: Mapping[str, ColumnType] = {
    "String": ColumnType.TEXT,
    "BigInt": ColumnType.INTEGER,
    "Int": ColumnType.INTEGER,
    "Double": ColumnType.NUMBER,
    "Float": ColumnType.NUMBER,
    "Decimal": ColumnType.DECIMAL,
    "Boolean": ColumnType.BOOLEAN,
    "Json": ColumnType.JSON,
    "Bytes": ColumnType.BYTES,
}


class _Field(msgspec.Struct):
    name: str
    type: str
    # None as well: an answer that is refused for its form would be guessed instead.
    primary_key: bool | None = None
    timestampz: bool | None = None
    private: bool | None = None
    list: bool | None = None
    enum: bool | None = None

    @property
    def column(self) -> Column:
        return Column(self.name, self._kind())

    def _kind(self) -> ColumnType:
        if self.list:
            return ColumnType.JSON
        if self.type == "DateTime":
            return ColumnType.TIMESTAMP if self.timestampz else ColumnType.DATETIME
        if self.enum:
            return ColumnType.TEXT
        return _TYPES.get(self.type, ColumnType.TEXT)


class _Model(msgspec.Struct, rename="camel"):
    fields: list[_Field]
    table: str | None = None
    model_version: str | None = None


class _Reply(msgspec.Struct):
    success: bool = False
    data: msgspec.Raw = msgspec.Raw()


def parse_reply(data: bytes, table: str) -> TableSchema | None:
    """Read the look-up's answer; None when it knows no such version.

    Raises TransientError when the answer is none, DecodeError when it holds names
    that EDS refuses.
    """
    try:
        reply = msgspec.json.decode(data, type=_Reply)
        if not reply.success:
            return None
        model = msgspec.json.decode(reply.data, type=_Model)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise TransientError(f"the answer is none: {error}") from error
    return _schema(model, table)


def _schema(model: _Model, table: str) -> TableSchema:
    public = [field for field in model.fields if not field.private]
    keys = [field.column for field in public if field.primary_key]
    rest = [field.column for field in public if not field.primary_key]
    columns = (*keys, *sorted(rest, key=lambda column: column.name))
    if len({column.name for column in columns}) != len(columns):
        raise DecodeError(f"the schema of {table} names a column twice")
    return TableSchema(
        name=table,
        model_version=model.model_version or "",
        columns=columns,
        key=tuple(column.name for column in keys),
    )


def infer(known: TableSchema | None, event: ChangeEvent) -> TableSchema:
    """A schema from what *event*'s row holds, joined with what is *known*.

    Returns *known* itself when the row brings nothing new. Nulls say nothing of a
    type, so their columns wait for a value. Raises DecodeError.
    """
    row = _row(event)
    found = {name: kind for name, value in row.items() if (kind := _type_of(value))}
    old = known.types if known else {}
    joined = {
        **old,
        **{n: widened(old[n], kind) if n in old else kind for n, kind in found.items()},
    }
    key = known.key if known else _key(event, row)
    # Keys are text on the wire; and no database likes to widen one later.
    joined |= dict.fromkeys(key, ColumnType.TEXT)
    if known is not None and joined == old:
        return known
    if len(joined) > _MOST_INFERRED:
        raise DecodeError(f"a row of {event.table} has {len(joined)} columns")
    rest = sorted(set(joined) - set(key))
    return TableSchema(
        name=event.table,
        model_version=event.model_version,
        columns=tuple(Column(name, joined[name]) for name in (*key, *rest)),
        key=key,
        inferred=True,
    )


def _row(event: ChangeEvent) -> dict[str, object]:
    if event.deletes:
        return {}
    try:
        row = parse_json(event.after)
    except ValueError as error:
        raise DecodeError(f"the row is not valid JSON: {error}") from error
    if not isinstance(row, dict):
        raise DecodeError("the row (`after`) is not an object")
    return {check_name(name): value for name, value in row.items()}


def _key(event: ChangeEvent, row: Mapping[str, object]) -> tuple[str, ...]:
    """Which columns the event's key names, when nobody can be asked."""
    last = event.raw_key[-1]
    if (not row and len(event.raw_key) == 1) or str(row.get("id")) == last:
        return ("id",)
    first, *rest = event.raw_key  # a region has at times been put in front
    parts = rest if rest and first == row.get(_REGION) else event.raw_key
    names = [
        [name for name, value in row.items() if str(value) == part] for part in parts
    ]
    if all(len(found) == 1 for found in names):
        return tuple(found[0] for found in names)
    raise DecodeError(
        f"the schema of {event.table} is not known, and its key columns cannot be "
        "told from the row",
        advice="retry it when the schema look-up answers again: eds quarantine retry",
    )


def _type_of(value: object) -> ColumnType | None:
    match value:
        case None:
            return None
        case bool():
            return ColumnType.BOOLEAN
        case int() if -_INT64 <= value < _INT64:
            return ColumnType.INTEGER
        case int() | Decimal():
            return ColumnType.DECIMAL
        case str():
            return ColumnType.TEXT
        case _:
            return ColumnType.JSON
