"""A row's JSON tokens, made fit for OPENJSON: exact, or the row is rejected. Pure.

OPENJSON gives NULL for a scalar in a column ``AS JSON`` and for an object in any
other column, rounds decimals, and dooms the transaction where it cannot convert. So
each value is looked at here, by the real column it is for, and a row goes out as an
array in the order of the columns. What fits as it came, goes as it came.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from typing import cast

import msgspec

from eds_core.errors import NO_FIT, RejectedError
from eds_core.schema import ColumnType
from eds_core.values import convert

from .columns import SqlServerColumn

#: From a JSON token to the token that OPENJSON gets.
Fit = Callable[[bytes], bytes]

_NULL = b"null"
_STRING = msgspec.json.Decoder(str)
_WHOLE = re.compile(rb"-?\d{1,18}").fullmatch
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ]((?!24)\d\d:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)?"
).fullmatch
_FRACTION = 7  # digits of a second
_FARTHEST = timedelta(hours=14)  # from UTC, as SQL Server has it
_EXACT = Context(prec=2_100)  # more digits than any number of a shop has
_SMALLEST = 2.2250738585072014e-308  # of SQL Server's float, but for 0
_RANGES = {
    "tinyint": (0, 255),
    "smallint": (-(1 << 15), (1 << 15) - 1),
    "int": (-(1 << 31), (1 << 31) - 1),
    "bigint": (-(1 << 63), (1 << 63) - 1),
}
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}").fullmatch


def fit(column: SqlServerColumn, kind: ColumnType, *, in_key: bool = False) -> Fit:
    """Return what makes tokens fit for *column*; what does not fit raises.

    *kind* is the model's type. In a key nothing may be NULL or padded.
    """
    make = _maker(column, kind)

    def fitted(token: bytes) -> bytes:
        if token == _NULL:
            return token
        try:
            return make(token)
        except _UNFIT as error:
            raise unfit(column, str(error) if type(error) is _NoFit else "") from None

    def fitted_key(token: bytes) -> bytes:
        made = fitted(token)
        if made == _NULL:
            raise unfit(column, "a key is never null")
        if made[:1] == b'"' and _string(made).endswith(" "):
            raise unfit(column, "a key that ends in a space is equal to one without")
        return made

    return fitted_key if in_key else fitted


_UNFIT = (ValueError, OverflowError, msgspec.DecodeError, RejectedError)


class _NoFit(ValueError):  # noqa: N818 - never leaves this module
    """Says why in words that hold no value."""


def unfit(column: SqlServerColumn, reason: str) -> RejectedError:
    place = f"column {column.name} of type {column.plain}"
    told = f"a value does not fit {place}"
    return RejectedError(
        f"{told}: {reason}" if reason else told,
        advice="look at the row in the quarantine; the column may be too narrow",
        signature=f"value for {place}",
        code=NO_FIT,
    )


def _maker(column: SqlServerColumn, kind: ColumnType) -> Fit:
    if column.is_text:
        return _text(column, kind)
    if column.is_binary:
        return _binary(column)
    if column.base in _RANGES:
        return _integer(column.base)
    if (digits := column.digits) is not None:
        return _decimal(*digits)
    if column.keeps_no_zone:
        return _datetime
    return _OTHERS.get(column.base, _anything)


def _text(column: SqlServerColumn, kind: ColumnType) -> Fit:
    """A string's value; of anything else, and for JSON, the text as it came."""
    check = _checker(column)

    def as_text(token: bytes) -> bytes:
        if token[:1] != b'"':
            return _quoted(check(token.decode()))
        check(_string(token))
        return token

    def as_json(token: bytes) -> bytes:
        return _quoted(check(token.decode()))

    return as_json if kind is ColumnType.JSON else as_text


def _checker(column: SqlServerColumn) -> Callable[[str], str]:
    """Let through what *column* holds without loss."""
    codec, length = column.codec or "utf-16-le", column.length
    longest = length if column.codec else 2 * length
    bounded = bool(length)
    narrow = bool(column.codec)

    def check(text: str) -> str:
        if "\0" in text:
            raise _NoFit("it has the character NUL")
        if (narrow or bounded) and not text.isascii():
            size = len(_encoded(text, codec))
        else:
            size = len(text) * (1 if narrow else 2)
        if bounded and size > longest:
            raise _NoFit(f"it has more than {length} characters")
        return text

    return check


def _encoded(text: str, codec: str) -> bytes:
    try:
        return text.encode(codec)
    except UnicodeEncodeError:
        raise _NoFit(
            f"the column's collation ({codec}) lacks a character; ALTER it to nvarchar"
        ) from None


def _string(token: bytes) -> str:
    return _STRING.decode(token)


def _quoted(text: str) -> bytes:
    return msgspec.json.encode(text)


def _binary(column: SqlServerColumn) -> Fit:
    def as_hex(token: bytes) -> bytes:
        value = cast(bytes, convert(token, ColumnType.BYTES))
        if column.length and len(value) > column.length:
            raise _NoFit(f"it has more than {column.length} bytes")
        return b'"%b"' % value.hex().encode()

    return as_hex


def _integer(base: str) -> Fit:
    lowest, highest = _RANGES[base]

    def as_integer(token: bytes) -> bytes:
        if _WHOLE(token) and base == "bigint":
            return token
        value = cast(int, convert(token, ColumnType.INTEGER))
        if not lowest <= value <= highest:
            raise _NoFit(f"it is not between {lowest} and {highest}")
        return b"%d" % value

    return as_integer


def _decimal(precision: int, scale: int) -> Fit:
    """In digits, and only when none of them would be rounded away."""

    def as_decimal(token: bytes) -> bytes:
        number = Decimal(cast(str, convert(token, ColumnType.DECIMAL))).normalize(
            _EXACT
        )
        behind = max(0, -cast(int, number.as_tuple().exponent))
        before = max(0, number.adjusted() + 1) if number else 0
        if behind > scale or before > precision - scale:
            raise _NoFit(
                f"it needs {before} digits before the point and {behind} behind it"
            )
        return b'"%b"' % format(number, "f").encode()

    return as_decimal


def _number(token: bytes) -> bytes:
    value = cast(float, convert(token, ColumnType.NUMBER))
    if value and abs(value) < _SMALLEST:
        raise _NoFit("it is too small")
    return repr(value).encode()


def _boolean(token: bytes) -> bytes:
    return b"true" if convert(token, ColumnType.BOOLEAN) else b"false"


def _timestamp(token: bytes) -> bytes:
    text, moment = _moment(token)
    zone = text[3] or "Z"
    offset = moment.utcoffset()
    if offset is not None:
        moment.astimezone(UTC)  # out of range: no point in time
    if zone == "Z" or not offset:
        zone = "+00:00"
    return f'"{_written(text)}{zone}"'.encode()


def _datetime(token: bytes) -> bytes:
    """In UTC: the column keeps no offset."""
    text, moment = _moment(token)
    if moment.utcoffset():
        whole = moment.replace(microsecond=0).astimezone(UTC).replace(tzinfo=None)
        date, _, time = whole.isoformat().partition("T")
        text = (date, time, text[2], "")
    return f'"{_written(text)}"'.encode()


def _moment(token: bytes) -> tuple[tuple[str, str, str, str], datetime]:
    """Date, time, fraction and offset of *token*; raises when it is no moment."""
    said = _string(token)
    moment = datetime.fromisoformat(said)
    found = _MOMENT(said)
    if found is None or ((offset := moment.utcoffset()) and abs(offset) > _FARTHEST):
        said = (moment.astimezone(UTC) if moment.tzinfo else moment).isoformat()
        found = _MOMENT(said)
    if found is None:
        raise ValueError("not a moment")
    date, time, fraction, zone = found.groups(default="")
    return (date, time, fraction, zone), datetime.fromisoformat(said)


def _written(text: tuple[str, str, str, str]) -> str:
    date, time, fraction, _ = text
    return f"{date}T{time}.{fraction[:_FRACTION]:0<{_FRACTION}}"


def _uuid(token: bytes) -> bytes:
    if not _UUID(_string(token)):
        raise _NoFit("it is no UUID")
    return token


def _anything(token: bytes) -> bytes:
    """As text; the server says whether it can be converted."""
    if token[:1] == b'"':
        _string(token)
        return token
    return _quoted(token.decode())


_OTHERS: Mapping[str, Fit] = {
    "bit": _boolean,
    "float": _number,
    "real": _number,
    "datetimeoffset": _timestamp,
    "uniqueidentifier": _uuid,
}
