"""The statements that write, one round trip each, and the one that reads back."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from eds_core.sql.tables import VERSION, Target

from .tables import PostgresColumn

Quote = Callable[[str], str]

_KEY = "_eds_key"
_MOMENTS = ("timestamp", "date")


def upsert(target: Target, table: str, tombstones: str, quote: Quote) -> str:
    """Take a JSON array of rows, versions, and a JSON array of keys, all in order.

    PostgreSQL reads the JSON itself, straight into the columns' own types.
    """
    names = [*target.columns]
    columns = {name: _column(target, name) for name in names}
    record = ", ".join(f"{quote(n)} {_read_as(c)}" for n, c in columns.items())
    values = ", ".join(_value(c, f"r.{quote(n)}") for n, c in columns.items())
    every = ", ".join(map(quote, names))
    version = quote(VERSION)
    sets = ", ".join(
        f"{quote(name)} = excluded.{quote(name)}" for name in [*target.values, VERSION]
    )
    return (
        f"INSERT INTO {table} AS t ({every}, {version}) "  # noqa: S608 - identifiers only, quoted
        f"SELECT {values}, r.{version} "
        f"FROM ROWS FROM (json_to_recordset(%s::json) AS ({record}), "
        "unnest(%s::numeric[]), json_array_elements_text(%s::json)) "
        f"AS r({every}, {version}, {quote(_KEY)}) "
        f"WHERE NOT EXISTS (SELECT FROM {tombstones} AS d WHERE d.table_name = %s "
        f"AND d.key = r.{quote(_KEY)} AND d.version > r.{version}) "
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
