"""Rows as lines of JSON in which every value is exact. Pure.

Snowflake makes doubles of JSON numbers with an exponent or more than 38 digits,
without a word. So each value travels as text, in the form that its column reads;
NULL is left out. What does not fit is found here, and not by a statement that takes
a second to fail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation

import msgspec

from eds_core.errors import NO_FIT, RejectedError
from eds_core.event import Row, VersionedKey
from eds_core.schema import ColumnType
from eds_core.sql.portable import key_text
from eds_core.sql.tables import Target
from eds_core.values import Value, convert, parse_json

from .tables import SnowflakeColumn

#: Fields of a line besides the columns', which are c0, c1, ...
KEY, VERSION = "k", "v"
_MOST_BYTES = 16 * 1024 * 1024  # of one line: one VARIANT

_encode = msgspec.json.Encoder(decimal_format="number").encode
_FRACTION = 9

Field = Callable[[Row], bytes | None]


def upserts(target: Target, rows: Sequence[Row]) -> list[bytes]:
    """A line per row. Raises RejectedError for a value that does not fit."""
    fields = _fields(target)
    return [_line(row, fields) for row in rows]


def deletes(target: Target, keys: Sequence[VersionedKey]) -> list[bytes]:
    """A line per key."""
    fields = _fields(target, only=target.table.key)
    return [_line(_as_row(target, key), fields) for key in keys]


def _as_row(target: Target, key: VersionedKey) -> Row:
    after = dict(zip(target.table.key, key.key, strict=True))
    return Row(key.key, key.version, msgspec.json.encode(after))


def _line(row: Row, fields: Mapping[str, Field]) -> bytes:
    parts = [
        f'{{"{VERSION}":"{row.version}","{KEY}":'.encode()
        + _encode(_without_nul(key_text(row.key)))
    ]
    for name, field in fields.items():
        if (value := field(row)) is not None:
            parts.append(b'"%b":%b' % (name.encode(), value))
    line = b",".join(parts) + b"}"
    if len(line) > _MOST_BYTES:
        raise RejectedError(
            f"a row of {len(line)} bytes is longer than Snowflake takes",
            signature="row too long",
        )
    return line


def _fields(target: Target, only: Sequence[str] | None = None) -> dict[str, Field]:
    return {
        field_name(target, name): _field(name, kind, _column(target, name))
        for name, kind in target.columns.items()
        if only is None or name in only
    }


def field_name(target: Target, column: str) -> str:
    """What a line calls *column*: short, and never a word of SQL."""
    return f"c{[*target.columns].index(column)}"


def _column(target: Target, name: str) -> SnowflakeColumn:
    found = target.real.columns[name]
    return found if isinstance(found, SnowflakeColumn) else SnowflakeColumn.of(found)


def _field(name: str, kind: ColumnType, column: SnowflakeColumn) -> Field:
    write = _FORMS[kind]
    fits = _number_fits(column) if column.base == "NUMBER" else _fits_anyway

    def field(row: Row) -> bytes | None:
        token = row.tokens.get(name)
        if token is None or (data := bytes(token)) == b"null":
            return None
        text = write(convert(data, kind, name), name)
        fits(text, name)
        return _encode(text)

    return field


def _json(value: Value, name: str) -> str:
    """The same value: no name twice in an object, numbers digit by digit."""
    token = str(value)
    if "\\u0000" in token:
        raise _does_not_fit(name, "JSON without NUL")
    try:
        return _encode(parse_json(token.encode())).decode()
    except (ValueError, RecursionError):
        raise _does_not_fit(name, "JSON") from None


def _text(value: Value, name: str) -> str:
    return _without_nul(str(value), name)


def _number(value: Value, name: str) -> str:
    del name
    return str(value)


def _double(value: Value, name: str) -> str:
    del name
    return repr(value)


def _boolean(value: Value, name: str) -> str:
    del name
    return "true" if value else "false"


def _hex(value: Value, name: str) -> str:
    del name
    return bytes(value).hex() if isinstance(value, bytes) else ""


def _instant(value: Value, name: str) -> str:
    return f"{_moment(str(value), name)}+00:00"


def _moment(text: str, name: str) -> str:
    """In UTC and in one form, with nine digits: Python itself keeps six."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _does_not_fit(name, "a point in time") from None
    digits = _digits(text) or f"{moment.microsecond:06d}"
    return f"{moment:%Y-%m-%dT%H:%M:%S}".zfill(19) + f".{digits:0<{_FRACTION}}"


def _digits(text: str) -> str:
    """The digits of a second's fraction, as they came."""
    _, point, rest = text.replace(",", ".").rpartition(".")
    if not point:
        return ""
    count = next((n for n, char in enumerate(rest) if not char.isdigit()), len(rest))
    return rest[:count][:_FRACTION]


_FORMS: Mapping[ColumnType, Callable[[Value, str], str]] = {
    ColumnType.TEXT: _text,
    ColumnType.INTEGER: _number,
    ColumnType.NUMBER: _double,
    ColumnType.DECIMAL: _number,
    ColumnType.BOOLEAN: _boolean,
    ColumnType.TIMESTAMP: _instant,
    ColumnType.DATETIME: lambda value, name: _moment(str(value), name),
    ColumnType.BYTES: _hex,
    ColumnType.JSON: _json,
}


def _without_nul(text: str, name: str = "") -> str:
    if "\0" in text:
        raise _does_not_fit(name, "text without NUL")
    return text


def _fits_anyway(_text: str, _name: str) -> None:
    """Snowflake itself says what does not fit."""


def _number_fits(column: SnowflakeColumn) -> Callable[[str, str], None]:
    """Snowflake would round without a word."""
    exact = Context(prec=column.precision, traps=[Inexact, InvalidOperation])
    step = Decimal(1).scaleb(-column.scale)

    def fits(text: str, name: str) -> None:
        try:
            Decimal(text).quantize(step, context=exact)
        except (Inexact, InvalidOperation):
            raise _does_not_fit(name, column.declared) from None

    return fits


def _does_not_fit(name: str, kind: str) -> RejectedError:
    """The value is the shop's: it stays out of errors and logs."""
    return RejectedError(
        f"a value does not fit column {name} of type {kind}",
        advice=f'ALTER the column to a wider type, or to VARCHAR: "{name}"',
        signature=f"value for {name} {kind}",
        code=NO_FIT,
    )
