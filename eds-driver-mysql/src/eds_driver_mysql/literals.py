"""JSON tokens to SQL literals, exactly, whatever the session's sql_mode. Pure.

Most values go as the bytes that they came as. A quote is doubled and a value with a
backslash travels in hexadecimal, so that ANSI_QUOTES and NO_BACKSLASH_ESCAPES do not
matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from eds_core.errors import NO_FIT, RejectedError
from eds_core.event import Row
from eds_core.schema import ColumnType
from eds_core.values import convert

#: Of a DECIMAL of EDS's: digits before and after the point.
WHOLE, FRACTION = 40, 25

_NULL = b"null"
_INTEGER = re.compile(rb"-?\d{1,18}").fullmatch
_DOUBLE = re.compile(rb"-?\d{1,20}(\.\d{1,20})?").fullmatch
_DECIMAL = re.compile(rb"-?(\d+)(?:\.(\d+))?").fullmatch
_MOMENT = re.compile(
    rb'"((?!0000)\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d{1,6})?)Z"'
).fullmatch
_LONG_FRACTION = re.compile(r"[.,](\d{7,})")


def quoted(text: bytes) -> bytes:
    """A string of UTF-8 as a literal."""
    if b"\\" in text:
        return b"_utf8mb4 X'%b'" % text.hex().encode()
    return b"'%b'" % text.replace(b"'", b"''")


def literal(token: bytes, kind: ColumnType, column: str) -> bytes:
    """Return *token* for a column of *kind*. Raises RejectedError."""
    return b"NULL" if token == _NULL else _WRITERS[kind](token, column)


def row_literals(row: Row, columns: Mapping[str, ColumnType]) -> list[bytes]:
    """Return the values of *columns* in their order, then the version."""
    get = row.tokens.get
    values = [
        b"NULL" if (token := get(name)) is None else literal(bytes(token), kind, name)
        for name, kind in columns.items()
    ]
    values.append(str(row.version).encode())
    return values


def tuple_of(values: list[bytes]) -> bytes:
    """Return one row for VALUES. Raises RejectedError for what is not UTF-8."""
    made = b"(%b)" % b",".join(values)
    try:
        made.decode()
    except UnicodeDecodeError as error:
        raise RejectedError("the row is not valid UTF-8") from error
    return made


def key_literal(value: str, kind: ColumnType, column: str) -> bytes:
    """Return a key column's value, which comes as text."""
    return literal(msgspec.json.encode(value), kind, column)


def _text(token: bytes, column: str) -> bytes:
    if token[:1] == b'"' and b"\\" not in token:
        return b"'%b'" % token[1:-1].replace(b"'", b"''")
    return quoted(str(convert(token, ColumnType.TEXT, column)).encode())


def _json(token: bytes, _: str) -> bytes:
    return quoted(token)


def _integer(token: bytes, column: str) -> bytes:
    if _INTEGER(token):
        return token
    return b"%d" % int(convert(token, ColumnType.INTEGER, column) or 0)


def _double(token: bytes, column: str) -> bytes:
    """With an exponent: without one it would be a decimal first."""
    if _DOUBLE(token):
        return token + b"e0"
    digits = repr(convert(token, ColumnType.NUMBER, column)).encode()
    return digits if b"e" in digits else digits + b"e0"


def _decimal(token: bytes, column: str) -> bytes:
    digits = str(convert(token, ColumnType.DECIMAL, column)).encode()
    parts = _DECIMAL(digits)
    if parts is None:
        raise _misfit(token, ColumnType.DECIMAL, column)
    whole, fraction = parts[1].lstrip(b"0"), (parts[2] or b"").rstrip(b"0")
    if len(whole) > WHOLE or len(fraction) > FRACTION:
        raise _misfit(token, ColumnType.DECIMAL, column)
    return digits[: FRACTION + WHOLE + 2] if fraction else digits.partition(b".")[0]


def _boolean(token: bytes, column: str) -> bytes:
    return b"1" if convert(token, ColumnType.BOOLEAN, column) else b"0"


def _moment(token: bytes, column: str) -> bytes:
    if known := _MOMENT(token):
        return b"'%b %b'" % known.groups()
    text = str(convert(token, ColumnType.TIMESTAMP, column))
    try:
        moment = _in_utc(datetime.fromisoformat(text))
        if long := _LONG_FRACTION.search(text):  # it was cut off; PostgreSQL rounds
            micros = round(float(f"0.{long[1]}") * 1_000_000)
            moment = moment.replace(microsecond=0) + timedelta(microseconds=micros)
    except OverflowError:
        raise _misfit(token, ColumnType.TIMESTAMP, column) from None
    return b"'%b'" % moment.isoformat(" ").encode()


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _bytes(token: bytes, column: str) -> bytes:
    value = convert(token, ColumnType.BYTES, column)
    return b"X'%b'" % (value.hex().encode() if isinstance(value, bytes) else b"")


def _misfit(token: bytes, kind: ColumnType, column: str) -> RejectedError:
    """As ``convert`` has it: the value itself is the shop's."""
    place = f"column {column} of type {kind}"
    return RejectedError(
        f"a value of {len(token)} characters does not fit {place}",
        signature=f"value for {place}",
        code=NO_FIT,
    )


_WRITERS: Mapping[ColumnType, Callable[[bytes, str], bytes]] = {
    ColumnType.TEXT: _text,
    ColumnType.INTEGER: _integer,
    ColumnType.NUMBER: _double,
    ColumnType.DECIMAL: _decimal,
    ColumnType.BOOLEAN: _boolean,
    ColumnType.TIMESTAMP: _moment,
    ColumnType.DATETIME: _moment,
    ColumnType.JSON: _json,
    ColumnType.BYTES: _bytes,
}
