"""JSON tokens to exact Python values, by column type. Pure.

A token is the text of one JSON value as it came. Numbers never pass through a
float unless the column itself is one.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

import msgspec

from .errors import NO_FIT, RejectedError
from .schema import ColumnType

Value = str | int | float | bytes | None

_INT64 = 1 << 63
_NULL = b"null"
_EXACT = msgspec.json.Decoder(float_hook=Decimal)


def parse_json(data: bytes | msgspec.Raw) -> object:
    """Decode JSON with exact integers and Decimal for every other number.

    Raises ValueError for anything that is not JSON.
    """
    try:
        return _EXACT.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, InvalidOperation) as error:
        raise ValueError(str(error)) from error
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def convert(token: bytes, kind: ColumnType, column: str = "") -> Value:
    """Return the value of *token* for a column of *kind*, exactly.

    Decimals, timestamps and JSON come back as text, booleans as bool. Raises
    RejectedError, which names *column*, when the value does not fit the type.
    """
    if token == _NULL:
        return None
    try:
        return _CONVERTERS[kind](token)
    except (ValueError, InvalidOperation, OverflowError):
        # The value itself is the shop's: it stays out of errors and logs.
        place = f"column {column} of type {kind}" if column else f"type {kind}"
        raise RejectedError(
            f"a value of {len(token)} characters does not fit {place}",
            signature=f"value for {place}",
            code=NO_FIT,
        ) from None


def _string(token: bytes) -> str:
    text = parse_json(token)
    if not isinstance(text, str):
        raise ValueError("not a string")  # noqa: TRY004 - the caller's contract
    return text


def _text(token: bytes) -> str:
    """A string's value; of anything else the JSON text as it came."""
    return _string(token) if token[:1] == b'"' else token.decode()


def _bare(token: bytes) -> str:
    """The token without quotes, for types whose values may come as strings."""
    return _text(token).strip()


def _number(token: bytes) -> Decimal:
    text = _bare(token)
    if "_" in text or not text.isascii():  # Python's numbers, nobody else's
        raise ValueError("not a number")
    number = Decimal(text)
    if not number.is_finite() or abs(number.adjusted()) > 1000:  # noqa: PLR2004 - no number of a shop is that long
        raise ValueError("not a finite number")
    return number


def _integer(token: bytes) -> int:
    number = _number(token)
    if number != number.to_integral_value() or not -_INT64 <= number < _INT64:
        raise ValueError("not a 64 bit integer")
    return int(number)


def _double(token: bytes) -> float:
    value = float(_number(token))
    if math.isinf(value):
        raise ValueError("too large for a double")
    return value


def _decimal(token: bytes) -> str:
    return format(_number(token), "f")


def _boolean(token: bytes) -> bool:
    known = {"true": True, "false": False, "1": True, "0": False}
    if (value := known.get(_bare(token).lower())) is None:
        raise ValueError("not a boolean")
    return value


def _timestamp(token: bytes) -> str:
    text = _string(token)
    datetime.fromisoformat(text)
    return text


def _datetime(token: bytes) -> str:
    """In UTC: databases leave out an offset that the column cannot hold."""
    text = _timestamp(token)
    moment = datetime.fromisoformat(text)
    if not moment.utcoffset():
        return text
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat()


def _json(token: bytes) -> str:
    return token.decode()


def _bytes(token: bytes) -> bytes:
    try:
        return base64.b64decode(_string(token), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


_CONVERTERS: Mapping[ColumnType, Callable[[bytes], Value]] = {
    ColumnType.TEXT: _text,
    ColumnType.INTEGER: _integer,
    ColumnType.NUMBER: _double,
    ColumnType.DECIMAL: _decimal,
    ColumnType.BOOLEAN: _boolean,
    ColumnType.TIMESTAMP: _timestamp,
    ColumnType.DATETIME: _datetime,
    ColumnType.JSON: _json,
    ColumnType.BYTES: _bytes,
}
