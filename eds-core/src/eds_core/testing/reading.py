"""Values as a database gives them back, made comparable. Pure.

Databases and their Python modules return one and the same value in many forms: a
moment as text or as ``datetime``, a boolean as 1. ``canonical`` reduces each to one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from eds_core.schema import ColumnType
from eds_core.values import parse_json

_BOOLEANS = {"1": True, "0": False, "true": True, "false": False}
_MOMENT = re.compile(
    r"(\d{4,}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?\s*(Z|[+-]\d\d(?::?\d\d)?)?"
)


def canonical(value: object, kind: ColumnType) -> object:
    """Return *value*, read from a column of *kind*, in the one form to compare.

    What cannot be a value of *kind* comes back as it is, and so equals nothing.
    """
    if value is None:
        return None
    try:
        return _FORMS[kind](value)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return value


def _whole(value: Any) -> object:
    number = _decimal(value)
    return int(number) if number == number.to_integral_value() else number


def _number(value: Any) -> object:
    """NaN as a word: it is not even equal to itself."""
    number = _decimal(value)
    return "NaN" if number.is_nan() else number


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool):
        raise TypeError("a boolean is no number")
    return Decimal(str(value))


def _boolean(value: Any) -> bool:
    return _BOOLEANS[str(value).lower()]


def moment(value: Any) -> str:
    """An instant in UTC as ISO 8601, with the digits that count and no zone."""
    if isinstance(value, datetime):
        value = value.isoformat()
    if not (match := _MOMENT.fullmatch(str(value).strip())):
        raise ValueError("no moment")
    date, time, digits, offset = match.groups()
    at = datetime.fromisoformat(f"{date}T{time}").replace(tzinfo=UTC)
    at -= _offset(offset or "Z")
    rest = (digits or "").rstrip("0")
    whole = at.replace(tzinfo=None).isoformat()
    return f"{whole}.{rest}" if rest else whole


def _offset(text: str) -> timedelta:
    if text == "Z":
        return timedelta()
    hours, minutes = int(text[1:3]), int(text[3:].strip(":") or 0)
    size = timedelta(hours=hours, minutes=minutes)
    return -size if text[0] == "-" else size


def _json(value: Any) -> object:
    """JSON text parsed exactly; what was parsed already as it is."""
    if isinstance(value, bytes | bytearray | memoryview):
        value = bytes(value).decode()
    return _tagged(parse_json(value.encode()) if isinstance(value, str) else value)


def _tagged(value: object) -> object:
    """Tell True from 1; numbers are equal whatever their digits look like."""
    if isinstance(value, Mapping):
        return {name: _tagged(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_tagged(each) for each in value]
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, int | float | Decimal):
        return ("number", Decimal(str(value)))
    return value


_FORMS: Mapping[ColumnType, Callable[[Any], object]] = {
    ColumnType.TEXT: lambda value: value,
    ColumnType.INTEGER: _whole,
    ColumnType.NUMBER: float,
    ColumnType.DECIMAL: _number,
    ColumnType.BOOLEAN: _boolean,
    ColumnType.TIMESTAMP: moment,
    ColumnType.DATETIME: moment,
    ColumnType.JSON: _json,
    ColumnType.BYTES: bytes,
}
