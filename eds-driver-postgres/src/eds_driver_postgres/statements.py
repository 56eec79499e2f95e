"""The statements that write, one round trip each, and the one that reads back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from eds_core.schema import ColumnType
from eds_core.sql.tables import VERSION, Target

from .tables import PostgresColumn

Quote = Callable[[str], str]

_KEY = "_eds_key"

#: What a value of each type is copied as.
COPIED: Mapping[ColumnType, str] = {
    ColumnType.TEXT: "text",
    ColumnType.INTEGER: "int8",
    ColumnType.NUMBER: "float8",
    ColumnType.DECIMAL: "numeric",
    ColumnType.BOOLEAN: "bool",
    ColumnType.TIMESTAMP: "timestamptz",
    ColumnType.DATETIME: "timestamp",
    ColumnType.JSON: "jsonb",
    ColumnType.BYTES: "bytea",
}
_MOMENTS = ("timestamp", "date")


def upsert(target: Target, table: str, tombstones: str, quote: Quote) -> str:
    """Take a JSON array of rows, versions, and a JSON array of keys, all in order.

    PostgreSQL reads the JSON itself, straight into the columns' own types.
    """
    columns = {name: _column(target, name) for name in target.columns}
    record = ", ".join(f"{quote(n)} {_read_as(c)}" for n, c in columns.items())
    every = ", ".join(map(quote, [*columns, VERSION, _KEY]))
    source = (
        f"ROWS FROM (json_to_recordset(%s::json) AS ({record}), "
        "unnest(%s::numeric[]), json_array_elements_text(%s::json)) "
        f"AS r({every})"
    )
    values = [_value(column, f"r.{quote(n)}") for n, column in columns.items()]
    return _insert(target, table, tombstones, quote, source=source, values=values)


def stage(target: Target, quote: Quote) -> tuple[str, str]:
    """Name and make the table of this session that rows are copied into."""
    declared = [f"{quote(n)} {COPIED[kind]}" for n, kind in target.columns.items()]
    declared += [f"{quote(VERSION)} numeric", f"{quote(_KEY)} text"]
    columns = ", ".join(declared)
    digest = hashlib.sha256(columns.encode()).hexdigest()
    name = f"pg_temp.{quote(f'_eds_stage_{digest[:16]}')}"
    return name, f"CREATE TEMPORARY TABLE IF NOT EXISTS {name} ({columns})"


def copy(columns: Sequence[str], into: str, quote: Quote, *, with_key: bool) -> str:
    """Take rows as ``Copying`` writes them, with the values of *columns*."""
    names = [*columns, VERSION, *([_KEY] if with_key else [])]
    return f"COPY {into} ({', '.join(map(quote, names))}) FROM STDIN (NULL 'null')"


def merge(
    target: Target, table: str, tombstones: str, staged: str, quote: Quote
) -> str:
    """Take nothing: the rows are in *staged*."""
    values = [f"r.{quote(name)}" for name in target.columns]
    return _insert(
        target, table, tombstones, quote, source=f"{staged} AS r", values=values
    )


def there(target: Target, table: str, staged: str, quote: Quote) -> str:
    """Take nothing; say how many of the rows in *staged* have one in the table."""
    key = ", ".join(map(quote, target.table.key))
    return f"SELECT count(*) FROM {staged} AS r INNER JOIN {table} AS t USING ({key})"  # noqa: S608 - identifiers only, quoted


def is_new(table: str, tombstones: str) -> str:
    """Take the table's name; say whether it never held a row, as far as EDS knows."""
    return (
        f"SELECT NOT EXISTS (SELECT FROM {table}) AND NOT EXISTS "  # noqa: S608 - identifiers only, quoted
        f"(SELECT FROM {tombstones} AS d WHERE d.table_name = %s)"
    )


def _insert(
    target: Target,
    table: str,
    tombstones: str,
    quote: Quote,
    *,
    source: str,
    values: Sequence[str],
) -> str:
    """Write what *source* has, unless something newer is known.

    With OFFSET each row looks into the index of the tombstones. Without it PostgreSQL
    may join, and compare each row with each tombstone of its table.
    """
    version = quote(VERSION)
    sets = ", ".join(
        f"{quote(name)} = excluded.{quote(name)}" for name in [*target.values, VERSION]
    )
    return (
        f"INSERT INTO {table} AS t "  # noqa: S608 - identifiers only, quoted
        f"({', '.join(map(quote, [*target.columns, VERSION]))}) "
        f"SELECT {', '.join(values)}, r.{version} FROM {source} "
        f"WHERE NOT EXISTS (SELECT FROM {tombstones} AS d WHERE d.table_name = %s "
        f"AND d.key = r.{quote(_KEY)} AND d.version > r.{version} OFFSET 0) "
        f"ON CONFLICT ({', '.join(map(quote, target.table.key))}) DO UPDATE "
        f"SET {sets} "
        f"WHERE t.{version} IS NULL OR t.{version} <= excluded.{version}"
    )


def delete(target: Target, table: str, tombstones: str, quote: Quote) -> str:
    """Take the table's name, keys, versions twice, and each key column's values."""
    key = target.table.key
    version = quote(VERSION)
    arrays = ", ".join(["json_array_elements_text(%s::json)"] * len(key))
    same = " AND ".join(
        f"t.{quote(name)} = d.{quote(name)}::{_plain(_column(target, name))}"
        for name in key
    )
    return (
        f"WITH dead AS (INSERT INTO {tombstones} AS t (table_name, key, version) "  # noqa: S608 - identifiers only, quoted
        "SELECT %s, d.key, d.version "
        "FROM ROWS FROM (json_array_elements_text(%s::json), unnest(%s::numeric[])) "
        "AS d(key, version) "
        "ON CONFLICT (table_name, key) DO UPDATE SET version = excluded.version "
        "WHERE t.version < excluded.version) "
        f"DELETE FROM {table} AS t "
        f"USING ROWS FROM (unnest(%s::numeric[]), {arrays}) "
        f"AS d({version}, {', '.join(map(quote, key))}) "
        f"WHERE {same} AND (t.{version} IS NULL OR t.{version} <= d.{version})"
    )


def read(target: Target, table: str, quote: Quote, *, behind: bool) -> str:
    """Give rows as JSON, their versions and keys; take a key (*behind*), a limit."""
    columns = {name: _column(target, name) for name in target.columns}
    values = ", ".join(
        _written(c, f"t.{quote(n)}", quote(n)) for n, c in columns.items()
    )
    key = [quote(name) for name in target.table.key]
    texts = ", ".join(f"t.{name}::text" for name in key)
    after = ", ".join(f"%s::{_plain(columns[name])}" for name in target.table.key)
    order = ", ".join(f"t.{name}" for name in key)
    where = f"WHERE ({order}) > ({after}) " if behind else ""
    return (
        f"SELECT (SELECT row_to_json(r)::text FROM (SELECT {values}) AS r), "  # noqa: S608 - identifiers only, quoted
        f"t.{quote(VERSION)}, {texts} "
        f"FROM {table} AS t {where}ORDER BY {order} LIMIT %s"
    )


def _written(column: PostgresColumn, value: str, name: str) -> str:
    """A column in JSON as the wire has it."""
    if column.declared == "bytea":
        return f"replace(encode({value}, 'base64'), chr(10), '') AS {name}"
    return f"{value} AS {name}"


def _column(target: Target, name: str) -> PostgresColumn:
    return cast(PostgresColumn, target.real.columns[name])


def _read_as(column: PostgresColumn) -> str:
    """The type that JSON is read into. Moments and bytes need a second look."""
    if column.declared == "bytea" or column.declared.startswith(_MOMENTS):
        return "text"
    return _escaped(column.declared)


def _value(column: PostgresColumn, read: str) -> str:
    if column.declared == "bytea":
        return f"decode({read}, 'base64')"
    if column.declared.startswith(_MOMENTS):
        return _moment(column.declared, read)
    return read


def _moment(declared: str, read: str) -> str:
    """A date and time, and never a word such as ``now``: that would be the clock.

    Behind an unknown word it is no date for PostgreSQL either. What has an
    offset becomes UTC where the column keeps none.
    """
    date = f"({read} COLLATE \"C\" < ':' AND {read} LIKE '____-__-__%%')"
    safe = f"CASE WHEN {date} THEN {read} ELSE 'no date: ' || {read} END"
    if "without time zone" in declared:
        return f"(({safe})::timestamptz AT TIME ZONE 'UTC')::{declared}"
    return f"({safe})::{declared}"


def _plain(column: PostgresColumn) -> str:
    return _escaped(column.plain)


def _escaped(declared: str) -> str:
    """Psycopg takes a % for the beginning of a parameter."""
    return declared.replace("%", "%%")
