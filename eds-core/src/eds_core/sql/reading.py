"""Rows and deletions read back, in SQL that any database understands."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, cast

import msgspec
from sqlalchemy import ColumnElement, and_, func, or_, select

from eds_core.event import Key, Row, Version
from eds_core.schema import ColumnType
from eds_core.values import Value, convert

from .portable import Dialect, key_text, named_table
from .records import in_parts
from .tables import VERSION, Target

_KEYS_AT_ONCE = 500  # in one query; databases bound its parameters


def read(dialect: Dialect, target: Target, after: Key | None, most: int) -> list[Row]:
    """Rows behind the key *after*, in the order in which the database has keys."""
    names = [*target.columns]
    of = named_table(dialect.session, target.real.name, [*names, VERSION])
    key = [of.c[name] for name in target.table.key]
    real = target.real.columns
    exact = [dialect.readable(of.c[name], real[name]) for name in names]
    query = select(*exact, of.c[VERSION]).order_by(*key).limit(most)
    if after is not None:
        query = query.where(_behind(key, _key_values(target, after)))
    with dialect.session.reading() as connection:
        found = connection.execute(query).all()
    return [_stored(target, names, tuple(row)) for row in found]


def unversioned(
    dialect: Dialect, target: Target, keys: Sequence[Key] | None
) -> list[Row]:
    """Rows without a version: those of *keys*, or one of them."""
    names = [*target.columns]
    of = named_table(dialect.session, target.real.name, [*names, VERSION])
    every = select(of).where(of.c[VERSION].is_(None))
    key = [of.c[name] for name in target.table.key]
    if keys is None:
        queries = [every.limit(1)]
    else:
        queries = [
            every.where(_any(key, [_key_values(target, k) for k in some]))
            for some in _batched(keys, _KEYS_AT_ONCE)
        ]
    with dialect.session.reading() as connection:
        found = [row for query in queries for row in connection.execute(query)]
    return [_stored(target, names, tuple(row)) for row in found]


def there(dialect: Dialect, target: Target, keys: Sequence[Key]) -> int:
    """How many of *keys* have a row."""
    of = named_table(dialect.session, target.real.name, target.table.key)
    key = [of.c[name] for name in target.table.key]
    query = select(func.count()).select_from(of)
    with dialect.session.reading() as connection:
        return sum(
            connection.execute(
                query.where(_any(key, [_key_values(target, k) for k in some]))
            ).scalar_one()
            for some in _batched(keys, _KEYS_AT_ONCE)
        )


def _batched(keys: Sequence[Key], size: int) -> Iterator[Sequence[Key]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))


def _any(key: Sequence[Any], every: Sequence[Sequence[Any]]) -> ColumnElement[bool]:
    """The key is one of *every*."""
    if len(key) == 1:
        return cast(ColumnElement[bool], key[0].in_([value for (value,) in every]))
    return or_(*(_equal(key, values) for values in every))


def _equal(key: Sequence[Any], values: Sequence[Any]) -> ColumnElement[bool]:
    pairs = zip(key, values, strict=True)
    return and_(*(of == value for of, value in pairs))


def _behind(key: Sequence[Any], values: Sequence[Any]) -> ColumnElement[bool]:
    """(a, b) > (x, y), in words that every database understands."""
    first, value = key[0], values[0]
    if len(key) == 1:
        return cast(ColumnElement[bool], first > value)
    return or_(first > value, and_(first == value, _behind(key[1:], values[1:])))


def _key_values(target: Target, key: Key) -> list[Value]:
    return [
        convert(msgspec.json.encode(text), target.columns[name], name)
        for name, text in zip(target.table.key, key, strict=True)
    ]


def _stored(target: Target, names: Sequence[str], found: tuple[Any, ...]) -> Row:
    values = dict(zip(names, found, strict=False))
    key = tuple(str(values[name]) for name in target.table.key)
    json = {
        name: _as_json(value, target.columns[name]) for name, value in values.items()
    }
    return Row(key, stored_version(found[-1]), _JSON.encode(json))


_JSON = msgspec.json.Encoder(decimal_format="number")


def _as_json(value: Any, kind: ColumnType) -> Any:
    """A value as the wire has it, where a DBAPI gives something else."""
    if isinstance(value, str) and kind is ColumnType.JSON:
        return msgspec.Raw(value.encode())
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return bytes(value) if isinstance(value, memoryview) else value


def stored_version(value: object) -> Version:
    """What ``version_value`` has made, read back; NULL is the oldest."""
    if value is None:
        return Version(0)
    text = format(value, "f") if isinstance(value, Decimal) else str(value)
    wall, _, logical = text.partition(".")
    return Version(int(wall), int(f"{logical:0<10}"))


def deleted(dialect: Dialect, name: str, keys: Sequence[Key]) -> dict[Key, Version]:
    """The tombstones of *keys* in the table *name*."""
    books = dialect.books.tombstone
    if not dialect.session.has_table(books.name):
        return {}
    found: dict[Key, Version] = {}
    by_text = {key_text(key): key for key in keys}
    for some in in_parts(by_text):
        query = select(books.c.key, books.c.version).where(
            books.c.table_name == name, books.c.key.in_(some)
        )
        with dialect.session.reading() as connection:
            for text, version in connection.execute(query):
                found[by_text[text]] = stored_version(version)
    return found
