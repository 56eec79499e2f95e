"""Guarded writes in one statement a batch, each column as one list.

For databases that take a list as a parameter and have ``unnest`` and
``ON CONFLICT``: PostgreSQL's family, DuckDB. A driver calls ``statements`` in its
``statements``, ``write`` in its ``write`` and ``remove`` in its ``remove``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from eds_core.event import Row, VersionedKey
from eds_core.schema import ColumnType

from .books import Books
from .portable import key_text
from .session import Session
from .tables import VERSION, Target

#: How one value is sent: the row, the column and its type.
Send = Callable[[Row, str, ColumnType], object]


class Dialect(Protocol):
    """What the statements need of a driver."""

    session: Session
    books: Books

    @property
    def types(self) -> Mapping[ColumnType, str]: ...


def as_it_is(row: Row, name: str, kind: ColumnType) -> object:
    return row.get(name, kind)


def statements(
    dialect: Dialect, target: Target, plain: Mapping[ColumnType, str], text: str
) -> Mapping[str, str]:
    """The SQL for *target*. A list is of the type in *plain*, or else of *text*."""
    named, quote = dialect.session.quote_table, dialect.session.quote
    place, tombstones = named(target.real.name), named(dialect.books.tombstone.name)
    version = quote(VERSION)

    def unnest(name: str, kind: ColumnType, *, sent: str) -> str:
        return f"CAST(unnest(CAST(? AS {sent}[])) AS {dialect.types[kind]}) {name}"

    def not_newer(source: str) -> str:
        return f"(t.{version} IS NULL OR t.{version} <= {source}.{version})"

    names = [quote(name) for name in (*target.columns, VERSION)]
    last = [f"unnest(CAST(? AS {text}[])) {name}" for name in (version, "_eds_key")]
    lists = [
        unnest(quote(name), kind, sent=plain.get(kind, text))
        for name, kind in target.columns.items()
    ]
    keys = {quote(name): target.columns[name] for name in target.table.key}
    told = [unnest(name, kind, sent=text) for name, kind in keys.items()]
    changes = [f"{n} = excluded.{n}" for n in map(quote, (*target.values, VERSION))]
    return {
        "upsert": f"INSERT INTO {place} AS t ({', '.join(names)}) "  # noqa: S608 - identifiers only, quoted
        f"SELECT {', '.join(f's.{name}' for name in names)} "
        f"FROM (SELECT {', '.join([*lists, *last])}) s WHERE NOT EXISTS "
        f"(SELECT 1 FROM {tombstones} d WHERE d.table_name = ? "
        f"AND d.key = s._eds_key AND d.version > s.{version}) "
        f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {', '.join(changes)} "
        f"WHERE {not_newer('excluded')}",
        "tombstone": f"INSERT INTO {tombstones} AS t (table_name, key, version) "
        f"SELECT ?, unnest(CAST(? AS {text}[])), unnest(CAST(? AS {text}[])) "
        "ON CONFLICT (table_name, key) DO UPDATE "
        "SET version = greatest(t.version, excluded.version)",
        "delete": f"DELETE FROM {place} AS t "  # noqa: S608 - identifiers only, quoted
        f"USING (SELECT {', '.join([*told, last[0]])}) s "
        f"WHERE {' AND '.join(f't.{name} = s.{name}' for name in keys)} "
        f"AND {not_newer('s')}",
    }


def write(
    session: Session, target: Target, rows: Sequence[Row], send: Send = as_it_is
) -> int:
    """Write *rows* as ``upsert`` has it; return how many changed."""
    columns = [
        [send(row, name, kind) for row in rows] for name, kind in target.columns.items()
    ]
    versions = [row.version.sortable for row in rows]
    keys = [key_text(row.key) for row in rows]
    every = [*columns, versions, keys, target.real.name]
    return _run(session, target.statements["upsert"], every)


def remove(session: Session, target: Target, keys: Sequence[VersionedKey]) -> int:
    """Remove *keys* as ``delete`` has it; return how many there were."""
    versions = [key.version.sortable for key in keys]
    texts = [key_text(key.key) for key in keys]
    columns = map(list, zip(*(key.key for key in keys), strict=True))
    told = [target.real.name, texts, versions]
    _run(session, target.statements["tombstone"], told)
    return _run(session, target.statements["delete"], [*columns, versions])


def _run(session: Session, statement: str, parameters: Sequence[object]) -> int:
    with session.cursor() as cursor:
        cursor.execute(statement, parameters)
        changed = cursor.rowcount
        if changed < 0 and cursor.description:  # DuckDB answers with the number
            changed = cursor.fetchone()[0]
        return int(changed)
