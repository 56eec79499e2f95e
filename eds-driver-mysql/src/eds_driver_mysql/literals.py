"""JSON tokens to SQL literals, exactly, whatever the session's sql_mode. Pure.

Most values go as the bytes that they came as. A quote is doubled and a value with a
backslash travels in hexadecimal, so that ANSI_QUOTES and NO_BACKSLASH_ESCAPES do not
matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec
from msgspec.structs import astuple

from eds_core.cells import BETWEEN
from eds_core.errors import NO_FIT, RejectedError
from eds_core.event import Row
from eds_core.schema import ColumnType
from eds_core.values import convert

#: Of a DECIMAL of EDS's: digits before and after the point.
WHOLE, FRACTION = 40, 25

_NULL = b"null"
_QUOTES = bytes.maketrans(b'"', b"'")
_BOOLEANS: Mapping[bytes, bytes] = {b"true": b"1", b"false": b"0"}
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


class RowWriter:
    """Makes the literals of rows: the values of *columns* in their order, a version.

    Rows whose names are in that order take less time: msgspec looks for each name
    behind the one before it.
    """

    def __init__(self, columns: Mapping[str, ColumnType]) -> None:
        self._decode = _row_decoder(tuple(columns)).decode
        self._writers = [(_WRITERS[kind], name) for name, kind in columns.items()]

    def __call__(self, row: Row) -> list[bytes]:
        """Raises RejectedError; a column that the row lacks is NULL."""
        values = [
            b"NULL" if token == _NULL else write(token, name)
            for token, (write, name) in zip(
                self._tokens(row), self._writers, strict=True
            )
        ]
        values.append(str(row.version).encode())
        return values

    def _tokens(self, row: Row) -> list[bytes]:
        try:
            tokens = astuple(self._decode(row.after))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise RejectedError(f"the row is not valid JSON: {error}") from error
        return BETWEEN.join(tokens).split(BETWEEN)  # all of them at once


@lru_cache(maxsize=512)  # making one costs more than decoding 100 rows
def _row_decoder(columns: tuple[str, ...]) -> msgspec.json.Decoder[msgspec.Struct]:
    names = {f"c{index}": name for index, name in enumerate(columns)}
    fields = [(field, msgspec.Raw, msgspec.Raw(_NULL)) for field in names]
    return msgspec.json.Decoder(
        msgspec.defstruct("Written", fields, rename=names, gc=False)
    )


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
        return token.replace(b"'", b"''").translate(_QUOTES)  # its only two are outside
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
    if known := _BOOLEANS.get(token):
        return known
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
