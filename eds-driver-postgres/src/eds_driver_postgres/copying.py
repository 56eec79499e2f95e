"""Rows as typed values for COPY in binary: the road of a bulk load.

It takes what a shop's rows look like; whatever else is legal on the wire makes
``Copying.values`` raise, and the rows go the general way, as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from psycopg import Cursor
from psycopg.adapt import Dumper
from psycopg.pq import Format

from eds_core.errors import RejectedError
from eds_core.event import Row
from eds_core.schema import ColumnType
from eds_core.sql.tables import Target
from eds_core.values import convert

from . import statements

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]

#: What a column of each type is decoded as; others take their token as it came.
_DECODED: Mapping[ColumnType, Any] = {
    ColumnType.TEXT: str | None,
    ColumnType.INTEGER: int | None,
    ColumnType.NUMBER: float | None,
    ColumnType.BOOLEAN: bool | None,
    ColumnType.TIMESTAMP: _Moment | None,
    ColumnType.DATETIME: _Moment | None,
    ColumnType.BYTES: bytes | None,
}

_MOMENTS = {ColumnType.TIMESTAMP, ColumnType.DATETIME}
#: msgspec rounds halves up, PostgreSQL to the even digit: it shall do it itself.
_TOO_EXACT = re.compile(rb":\d\d\.\d{7}").search
_NULL = msgspec.Raw(b"null")


class Copying:
    """How rows of one target are copied."""

    def __init__(self, target: Target) -> None:
        kinds = [_usual(target, name) for name in target.columns]
        self._types = [*map(statements.COPIED.__getitem__, kinds), "numeric", "text"]
        self._moments = not _MOMENTS.isdisjoint(kinds)
        self._decode = _decoder(target.columns).decode
        self._finish = [
            (index, finish)
            for index, kind in enumerate(kinds)
            if (finish := _FINISHED.get(kind)) is not None
        ]

    def values(self, row: Row) -> list[Any]:
        """Return the row's values, then its version; COPY may add its key as text.

        Raises ValueError for a value that is not in its type's usual form.
        """
        if self._moments and _TOO_EXACT(row.after):
            raise ValueError("a moment of more than six digits: PostgreSQL rounds it")
        try:
            values = [*msgspec.structs.astuple(self._decode(row.after))]
            for index, finish in self._finish:
                values[index] = finish(values[index])
        except (msgspec.MsgspecError, RejectedError, RecursionError) as error:
            raise ValueError(str(error)) from error
        values.append(Decimal(str(row.version)))
        return values

    def copy(
        self, cursor: Cursor[Any], statement: str, rows: Sequence[Sequence[Any]]
    ) -> None:
        """Send *rows*, as ``values`` made them."""
        cursor.adapters.register_dumper(msgspec.Raw, _AsItIs)
        with cursor.copy(statement) as copy:
            copy.set_types(self._types[: len(rows[0])])
            for row in rows:
                copy.write_row(row)


def _usual(target: Target, name: str) -> ColumnType:
    """The type that EDS gave the column. Raises ValueError for any other."""
    kind = target.real.columns[name].type
    if kind is None:
        raise ValueError(f"{target.real.name}.{name} has a type of the user's own")
    return kind


def _decoder(columns: Mapping[str, ColumnType]) -> msgspec.json.Decoder[Any]:
    fields = [
        (f"c{number}", *_field(kind)) for number, kind in enumerate(columns.values())
    ]
    names = {f"c{number}": name for number, name in enumerate(columns)}
    struct = msgspec.defstruct("Copied", fields, rename=names, gc=False)
    return msgspec.json.Decoder(struct)


def _field(kind: ColumnType) -> tuple[Any, Any]:
    if (decoded := _DECODED.get(kind)) is not None:
        return decoded, None
    return msgspec.Raw, _NULL


def _decimal(token: msgspec.Raw) -> Decimal | None:
    text = convert(bytes(token), ColumnType.DECIMAL)
    return None if text is None else Decimal(str(text))


def _json(token: msgspec.Raw) -> msgspec.Raw | None:
    return None if bytes(token) == b"null" else token


def _utc(moment: datetime | None) -> datetime | None:
    try:
        return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)
    except OverflowError as error:
        raise RejectedError(str(error)) from error


_FINISHED: Mapping[ColumnType, Callable[[Any], Any]] = {
    ColumnType.DECIMAL: _decimal,
    ColumnType.JSON: _json,
    ColumnType.DATETIME: _utc,
}


class _AsItIs(Dumper):
    """JSON that is text already, in the binary form of jsonb: a 1 and the text."""

    format = Format.BINARY
    oid = 3802  # jsonb

    def dump(self, obj: msgspec.Raw) -> bytes:
        return b"\x01" + bytes(obj)
