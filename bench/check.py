"""Are the tables what they should be? All values of all rows, not just counts.

The other side of the comparison is the sandbox's `fold`: a plain replay of the
same events in version order that shares no code with the server. Values are
compared as what they mean (a time is a moment, to the microsecond that PostgreSQL
keeps; 1E+3 is 1000), which is what the md5 is made of.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bench.plain import Plain, loads, plain
from eds_core.sandbox import Column, Model, State

Row = tuple[str, ...]
MICROSECOND_DIGITS = 6


def digest_of_state(state: State, models: Mapping[str, Model]) -> dict[str, str]:
    """The md5 of each table as it should be."""
    return {
        name: _digest(
            tuple(_meaning(row[c.name], c, parsed=True) for c in model.columns)
            for row in state.get(name, {}).values()
        )
        for name, model in sorted(models.items())
    }


def digest_of_database(url: str, models: Mapping[str, Model]) -> dict[str, str]:
    """The md5 of each table as it is."""
    with plain(url) as connection:
        return {
            name: _digest(
                tuple(
                    _meaning(value, column, parsed=connection.parses)
                    for value, column in zip(row, model.columns, strict=True)
                )
                for row in connection.run(_query(connection, model))
            )
            for name, model in sorted(models.items())
        }


def _query(connection: Plain, model: Model) -> str:
    columns = ", ".join(map(connection.quoted, model.column_names))
    return f"SELECT {columns} FROM {connection.quoted(model.table)}"


def _digest(rows: Iterable[Row]) -> str:
    text = json.dumps(sorted(rows), ensure_ascii=False)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _meaning(value: object, column: Column, *, parsed: bool) -> str:
    """One spelling for all ways to write a value of *column*."""
    if value is None:
        return ""
    if column.type == "Json" or column.list:
        return _json(value if parsed else loads(str(value)))
    return _SPELLINGS.get(column.type, repr)(value)


def _json(value: object) -> str:
    return json.dumps(_comparable(value), sort_keys=True)


def _comparable(value: object) -> object:
    """Numbers in one spelling, whatever Python made of them."""
    match value:
        case bool():
            return value
        case int() | Decimal():
            return {"number": _plain(Decimal(value))}
        case list():
            return [_comparable(item) for item in value]
        case dict():
            return {name: _comparable(item) for name, item in value.items()}
        case _:
            return value


def _plain(number: Decimal) -> str:
    text = format(number, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def _moment(value: object) -> datetime:
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)
    text = str(value).replace("Z", "+00:00")
    head, _, tail = text.partition(".")
    if not tail:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    digits = tail.removesuffix("+00:00")
    whole = datetime.fromisoformat(head).replace(tzinfo=UTC)
    rounded = round(float(f"0.{digits}") * 10**MICROSECOND_DIGITS)
    return whole + timedelta(microseconds=rounded)


_SPELLINGS: Mapping[str, Callable[[object], str]] = {
    "DateTime": lambda value: str(_moment(value)),
    "Boolean": lambda value: str(bool(value)),
    "Double": lambda value: repr(float(str(value))),
    "Float": lambda value: repr(float(str(value))),
    "Int": lambda value: _plain(Decimal(str(value))),
    "BigInt": lambda value: _plain(Decimal(str(value))),
    "Decimal": lambda value: _plain(Decimal(str(value))),
}
